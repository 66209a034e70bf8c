"""`openroots audit`."""

import json
from typing import Any

import click

from openroots.shared import load_modules

DAMAGED_SHOWN = 20


@click.command("audit")
@click.argument("corpus", default="build/corpus")
@click.option("--html", default=None, help="write an HTML page")
@click.option(
    "--sample",
    default=0,
    type=click.IntRange(0, 10_000_000),
    help="documents to sample: personal data left, words near groups of people",
)
@click.option(
    "--ner",
    multiple=True,
    metavar="LANGUAGE=MODEL",
    help="with --sample: a spaCy model to find names of people in a language (`*`: all but code); repeatable",
)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.pass_context
def audit_command(
    ctx: click.Context, corpus: str, html: str | None, sample: int, ner: tuple[str, ...], as_json: bool
) -> None:
    """Report what is in a corpus: licences, languages, personal data, bias.

    The figures are those that the build counted. If a file is missing, or of another size than sealed, it is named and
    the exit status is 1; `openroots verify` reads every file.

    \b
    openroots audit build/corpus --html audit.html --sample 10000
    openroots audit build/corpus --sample 1000 --ner en=en_core_web_sm --ner '*=xx_ent_wiki_sm'
    """
    load_modules("pipeline.corpus.audit", "pipeline.corpus.pages")
    from pipeline.corpus.audit import audit
    from pipeline.corpus.pages import MARK, audit_page
    from pipeline.corpus.persons import Persons, models_of
    from pipeline.runtime.ownership import check_file
    from pipeline.runtime.storage import write_text

    if html:
        check_file(html, "--html", signs=(MARK,))
    if ner and not sample:
        raise click.UsageError("--ner reads a sample of the documents; give its size with --sample")
    found = audit(corpus, sample, Persons(models_of(ner)) if ner else None)
    if html:
        write_text(html, audit_page(found))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        _print(found)
    ctx.exit(1 if found["damaged"] else 0)


def _print(found: dict[str, Any]) -> None:
    from governance import figures
    from pipeline.corpus.pages import coefficient, ratio
    from pipeline.runtime.terminal import Terminal, plain_table

    console = Terminal(soft_wrap=True)
    amount = f"{figures.counted(found['documents'], 'document')}, {figures.size(found['bytes'])}"
    console.print(f"{found['title']}: {amount}, digest {found['digest']}")
    table = plain_table("licence", "share", "documents")
    for row in found["licences"]:
        table.add_row(row["licence"], figures.percent(row["share"]), f"{row['documents']:,}")
    console.print(table)
    table = plain_table("language", "text", "share", "vs ROOTS", "vs speakers", "lost", "largest source")
    for row in found["languages"]:
        ratios = (ratio(row["share"], row["roots_share"]), ratio(row["share"], row["speakers_share"]))
        lost, top = figures.percent(row["lost_documents_share"]), figures.percent(row["sources"]["top_share"])
        table.add_row(row["name"], figures.size(row["bytes"]), figures.percent(row["share"]), *ratios, lost, top)
    console.print(table)
    for name, row in found["concentration"].items():
        if row["number"]:
            top = figures.percent(row["top_share"])
            number = figures.counted(row["number"], name.removesuffix("s"))
            console.print(f"{number}: Gini {coefficient(row['gini'])}, largest {top}")
    said = [f"{figures.kind(kind)} {each['findings']:,}" for kind, each in found["personal_data"]["found"].items()]
    console.print(f"personal data found: {', '.join(said) or 'none'}")
    _print_sample(found, console)
    _print_damaged(found["damaged"], console)


def _print_sample(found: dict[str, Any], console: Any) -> None:
    """What was measured on a sample, if one was asked for."""
    from governance import figures
    from pipeline.runtime.terminal import plain_table

    if not found["second_look"]:
        return
    look, left = found["second_look"], found["second_look"]["kinds"]["any"]
    interval = f"95 % interval {figures.percent(left['low'])} to {figures.percent(left['high'])}"
    share = figures.percent(left["share"])
    console.print(f"a second search of {look['documents']:,} documents finds some in {share} ({interval})")
    if look["persons"]:
        table = plain_table("language", "model", "documents", "with a name", "95 %")
        for language, row in look["persons"].items():
            interval = f"{figures.percent(row['low'])} to {figures.percent(row['high'])}"
            share = figures.percent(row["share"])
            table.add_row(language, row["model"], f"{row['looked_at']:,}", share, interval)
        console.print(table)
    strong = [row for row in found["associations"]["effects"] if row["low"] > 0 or row["high"] < 0]
    if strong:
        table = plain_table("language", "group", "words near", "log odds", "95 %")
        for row in sorted(strong, key=lambda row: -abs(row["effect"]))[:20]:
            interval = f"{row['low']:+.2f} to {row['high']:+.2f}"
            table.add_row(row["language"], row["group"], row["words"], f"{row['effect']:+.2f}", interval)
        console.print(table)


def _print_damaged(damaged: list[dict[str, str]], console: Any) -> None:
    """Files that are not as sealed, last, where they are seen."""
    from configs.shown import shown
    from governance import figures

    for each in damaged[:DAMAGED_SHOWN]:
        console.print(shown(f"{each['file']}: {each['problem']}", 2000))
    if len(damaged) > DAMAGED_SHOWN:
        console.print(f"… and {len(damaged) - DAMAGED_SHOWN:,} more")
    if damaged:
        number = figures.counted(len(damaged), "file")
        console.print(
            f"{number} not as sealed: the figures above are those of the build, not of what is left; "
            "`openroots verify` reads every file"
        )
