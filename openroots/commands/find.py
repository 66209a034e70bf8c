"""`openroots find`."""

import json
from typing import Any

import click

from openroots.shared import load_modules

SHOWN_MAX = 50
STEPS_SHOWN = 12


@click.command("find")
@click.argument("corpus", default="build/corpus")
@click.option(
    "--text", default=None, help="a passage of about 20 characters or more; case, spaces and punctuation are ignored"
)
@click.option("--uri", default=None, help="the beginning of the documents' URI")
@click.option("--source", default=None, help="id of a source")
@click.option("--author", default=None, help="a name, as in metadata and source code headers")
@click.option("--email", default=None, help="an address; searches .work, which alone holds text before redaction")
@click.option("--id", "identifier", default=None, help="an id in the ledger, or its start")
@click.option("--key", default=None, help="the document's own key in its source")
@click.option("--work", default=None, help="where the work files are, if moved since the build")
@click.option("--packed", default=None, help="packed text: also show which of its sequences contain them")
@click.option("--run", "run", default=None, help="a training run: also show at which steps it saw them")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per line")
@click.pass_context
def find_command(
    ctx: click.Context,
    corpus: str,
    text: str | None,
    uri: str | None,
    source: str | None,
    author: str | None,
    email: str | None,
    identifier: str | None,
    key: str | None,
    work: str | None,
    packed: str | None,
    run: str | None,
    as_json: bool,
) -> None:
    """Am I in it? Find documents in a corpus, kept or dropped, with their ledger rows.

    Documents must match all options given. Status 1 if none does.

    \b
    openroots find build/corpus --text "All human beings are born free and equal"
    openroots find build/corpus --uri https://example.org/ --source my-crawl
    openroots find build/corpus --id 3f2a --run runs/tiny
    """
    load_modules("pipeline.corpus.find", kernels=True)
    from configs.shown import shown
    from pipeline.corpus.find import Wanted, find
    from pipeline.runtime.terminal import standard_error

    found = find(corpus, Wanted(text, uri, source, author, email, identifier, key), work=work)
    has_run = _add_places(found.rows, packed, run)
    console = standard_error()
    for note in found.notes:
        console.print(f"note: {note}")
    if as_json:
        for row in found.rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        for row in found.rows[:SHOWN_MAX]:
            click.echo(shown(f"{row['id']}  {row['decision']}  {row['stage']}: {row['reason']}  {row['detail']}", 2000))
            origin = f"{row['uri']} {row.get('key') or ''}".rstrip()
            click.echo(shown(f"    {row['source']} · {row['language']} · {row['bytes']:,} bytes · {origin}", 2000))
            if row["files"]:
                click.echo(shown(f"    in {', '.join(row['files'])}", 2000))
            for place in row.get("packed", ()):
                click.echo(shown(f"    {_told(place, has_run)}", 2000))
        kept = sum(row["decision"] == "kept" for row in found.rows)
        more = f", {len(found.rows) - SHOWN_MAX:,} not shown" if len(found.rows) > SHOWN_MAX else ""
        plural = "" if len(found.rows) == 1 else "s"
        console.print(f"{len(found.rows):,} document{plural}: {kept:,} kept, {len(found.rows) - kept:,} dropped{more}")
    ctx.exit(0 if found.rows else 1)


def _add_places(rows: list[dict[str, Any]], packed: str | None, run: str | None) -> bool:
    """Give each row `packed`: where the document lies in packed text. Returns whether steps of a run are shown too."""
    if packed is None and run is None:
        return False
    from trainer.seen import find_in_packed, is_run, packed_of, read_run

    if packed is not None and run is None and is_run(packed):
        packed, run = None, packed
    so_far = read_run(run) if run is not None else None
    places = find_in_packed(packed or packed_of(run or ""), [row["id"] for row in rows], so_far)
    for row in rows:
        row["packed"] = [seen.to_json() for seen in places.get(row["id"], ())]
    return run is not None


def _told(place: dict[str, Any], has_run: bool) -> str:
    """A place in packed text, in words."""
    where = "in no complete sequence"
    if place["sequences"]:
        first, last = place["sequences"]
        where = f"sequence {first:,}" + (f" to {last:,}" if last > first else "")
    told = f"packed: {place['language']}, {place['part'].replace('_', '-')}, {where}"
    if not has_run or place["part"] != "train":
        return told
    steps = place["steps"]
    if not steps:
        return f"{told}; not seen yet"
    named = ", ".join(f"{step:,}" for step in steps[:STEPS_SHOWN]) + (" …" if len(steps) > STEPS_SHOWN else "")
    often = "once" if place["times"] == 1 else f"{place['times']:,} times"
    return f"{told}; seen {often}, at step{'s' * (len(steps) != 1)} {named}"
