"""`openroots decontaminate`: take out of files what evaluation sets hold, and look at what was found."""

import json
from typing import Literal

import click

REVIEW = "review"


@click.command("decontaminate", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--against", multiple=True, help="evaluation items: file, 'pattern', folder or installed package; may be repeated"
)
@click.option("--output", default=None, help="folder or URL for what is kept, and the ledger of what is not")
@click.option("--fields", default=None, help="of an item, comma-separated, as question,answer  [default: all text]")
@click.option("--text", "text_column", default="text", show_default=True, help="column or key that holds the text")
@click.option("--id", "id_column", default=None, help="column or key that identifies a document, or an item")
@click.option("--language", default=None, help="of all documents")
@click.option(
    "--documents",
    default="line",
    show_default=True,
    type=click.Choice(["line", "file"]),
    help="what of plain text is one",
)
@click.option(
    "--policy",
    default="drop",
    show_default=True,
    type=click.Choice(["drop", "cut"]),
    help="drop the document, or cut the item out of it",
)
@click.option(
    "--threshold", default=0.8, show_default=True, type=click.FloatRange(0.5, 1), help="least score of an item"
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="local worker processes")
@click.option("--strict", is_flag=True, help="stop at the first file that cannot be read")
@click.option("--json", "as_json", is_flag=True, help="review: one JSON object a line")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="review: items shown")
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
    documents: Literal["line", "file"],
    policy: Literal["drop", "cut"],
    threshold: float,
    workers: int,
    strict: bool,
    as_json: bool,
    limit: int,
) -> None:
    """Remove documents that hold items of evaluation sets from FILES, no recipe needed; or review what was found.

    Questions, answers and passages are found lower-cased, mistyped, with other punctuation, split over paragraphs, in
    any script. Each document that goes has a row in the ledger with set, item and score.

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
    from openroots.beam_options import split_arguments, worker_log
    from openroots.cli import _check_language, _check_url, _refuse_nothing
    from pipeline.build import build_corpus
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.progress import ProgressWatch
    from pipeline.standalone import decontamination_plan
    from pipeline.summary import print_summary

    options, patterns = split_arguments(ctx, [*files, *ctx.args])
    if not patterns:
        raise click.UsageError("Missing argument 'FILES...'.", ctx)
    _check_language(language)
    _check_url(output)
    named = tuple(name.strip() for name in (fields or "").split(",") if name.strip())
    plan = decontamination_plan(
        patterns,
        against,
        fields=named,
        threshold=threshold,
        policy=policy,
        text=text_column,
        key=id_column,
        language=language,
        documents=documents,
    )
    engine = Engine(workers, tuple(options), worker_log(output))
    watch = ProgressWatch()
    manifest = build_corpus(plan, output, engine=engine, cache=f"{output}/.work/cache", watch=watch, strict=strict)
    print_summary(manifest, plan, output, watch.console)
    _refuse_nothing(manifest)


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
        click.echo("no document holds an item")
    elif more:
        click.echo(f"… and {more:,} more; --limit shows them, --json all", err=True)
