"""`openroots find`."""

import json

import click

SHOWN_MAX = 50


@click.command("find")
@click.argument("corpus", default="build/corpus")
@click.option(
    "--text", default=None, help="a passage, of about 20 characters or more; case, spaces and punctuation aside"
)
@click.option("--uri", default=None, help="the beginning of where documents came from")
@click.option("--source", default=None, help="id of a source")
@click.option("--author", default=None, help="a name, as metadata and headers of source code have it")
@click.option("--email", default=None, help="an address; only .work holds texts before redaction")
@click.option("--id", "identifier", default=None, help="an id of the ledger, or its start")
@click.option("--key", default=None, help="the document's own key in its source")
@click.option("--work", default=None, help="where its work files are, if they were moved since the build")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
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
    as_json: bool,
) -> None:
    """Am I in it? Find documents of a corpus, kept or dropped, with their rows of the ledger.

    What is given must all fit. Status 1 if nothing does.

    \b
    openroots find build/corpus --text "All human beings are born free and equal"
    openroots find build/corpus --uri https://example.org/ --source my-crawl
    """
    from configs.shown import shown
    from pipeline.corpus.find import Wanted, find
    from pipeline.runtime.terminal import standard_error

    found = find(corpus, Wanted(text, uri, source, author, email, identifier, key), work=work)
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
        kept = sum(row["decision"] == "kept" for row in found.rows)
        more = f", {len(found.rows) - SHOWN_MAX:,} not shown" if len(found.rows) > SHOWN_MAX else ""
        plural = "" if len(found.rows) == 1 else "s"
        console.print(f"{len(found.rows):,} document{plural}: {kept:,} kept, {len(found.rows) - kept:,} dropped{more}")
    ctx.exit(0 if found.rows else 1)
