"""`openroots diff`."""

import json
from typing import Any

import click

ROWS_MAX = 30


@click.command("diff")
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="print everything as JSON")
def diff_command(before: str, after: str, as_json: bool) -> None:
    """Show what was added and removed, and why, from corpus BEFORE to corpus AFTER, by language and source.

    \b
    openroots diff build/corpus build/corpus-2
    """
    from pipeline.corpus.diff import diff

    found = diff(before, after)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    from governance import figures
    from pipeline.runtime.terminal import Terminal, plain_table

    console = Terminal(soft_wrap=True)
    totals = found["documents"]
    for side in ("before", "after"):
        console.print(f"{side:7} {found[side]['digest']}  {found[side]['corpus']}")
    console.print(
        f"documents: {totals['came']:,} came, {totals['went']:,} went, {totals['changed']:,} changed, "
        f"{totals['stayed']:,} stayed"
    )
    for title, groups in (("language", found["by_language"]), ("source", found["by_source"])):
        if groups:
            table = plain_table(title, "came", "went", "bytes came", "bytes went")
            for name, group in sorted(groups.items(), key=lambda item: -item[1]["came"] - item[1]["went"])[:ROWS_MAX]:
                sizes = (figures.size(group["bytes_came"]), figures.size(group["bytes_went"]))
                table.add_row(name, f"{group['came']:,}", f"{group['went']:,}", *sizes)
            console.print(table)
    if found["changes"]:
        said = ("language", "source", "was", "is")
        table = plain_table("documents", *said, left=said)
        for change in found["changes"][:ROWS_MAX]:
            table.add_row(f"{change['documents']:,}", *(change[name] for name in said))
        console.print(table)
        if len(found["changes"]) > ROWS_MAX:
            console.print(f"… and {len(found['changes']) - ROWS_MAX:,} more; --json has all")
    for setting in found["settings"][:ROWS_MAX]:
        console.print(f"{setting['setting']}: {setting['before']!r} → {setting['after']!r}"[:400])
    if len(found["settings"]) > ROWS_MAX:
        console.print(f"… and {len(found['settings']) - ROWS_MAX:,} settings more; --json has all")
