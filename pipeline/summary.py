"""What a finished build says on the terminal: the funnel, the largest languages, what is missing, where things are."""

from typing import Any

from rich.console import Console
from rich.table import Table

from configs.load import Plan
from configs.shown import shown_list
from governance import figures
from pipeline.readers.units import passed_over_line
from pipeline.report.fairness import by_language
from pipeline.runtime import storage
from pipeline.runtime.shards import ENDINGS
from pipeline.runtime.terminal import plain_table

UNFAIR = 5
"""Most languages named that lost far more than the others."""


def print_summary(manifest: dict[str, Any], plan: Plan, output: str, console: Console, work: str | None = None) -> None:
    """Print the closing summary of a build from its manifest."""
    console.print()
    console.print(_funnel(manifest))
    console.print()
    console.print(_largest(manifest, plan))
    console.print()
    _print_unfair(output, plan, console)
    held = set(manifest["languages"])
    missing = [plan.languages.name(code) for code in plan.wanted_languages if code not in held]
    wanted = len(plan.wanted_languages)
    if plan.recipe.language_identification.model != "none":  # else nobody knows
        console.print(
            f"{wanted - len(missing)} of {wanted} languages" + (f"; none of {shown_list(missing)}" if missing else "")
        )
    if manifest["languages_lost"]:
        names = ", ".join(plan.languages.name(code) for code in manifest["languages_lost"])
        lost = figures.counted(len(manifest["languages_lost"]), "language")
        console.print(f"{lost} lost because packages could not be fetched: {names}")
    for entry in manifest["unavailable"]:
        console.print(f"unavailable: {entry['source']} ({entry['package']}): {entry['cause']}. {entry['remedy']}")
    for source, endings in list(manifest.get("passed_over", {}).items())[:5]:
        console.print(passed_over_line(source, endings))
    for file in manifest.get("read_whole", [])[:5]:
        read = f"in {file['parts']} parts" if file["parts"] else "by one worker"
        console.print(f"{file['file']} ({file['bytes'] / 1e6:,.0f} MB) was read {read}: {file['cause']}")
    for one in manifest.get("items_too_short", []):
        console.print(f"{one['set']}: {one['too_short']:,} of {one['items']:,} items are too short to search for")
    problems = manifest["problems"]
    for problem in problems[:5]:
        console.print(f"unreadable: {problem['file']}: {problem['cause']}. {problem['remedy']}")
    more = len(problems[5:]) + manifest.get("problems_unnamed", 0)
    if more:
        console.print(f"… and {more:,} more; all are in the ledger, the first in manifest.json")
    console.print(f"digest  {manifest['digest']}")
    console.print(f"corpus  {output}    {_load_line(output, plan)}")
    console.print(f"report  {output}/report.html")
    console.print(f"ledger  {output}/ledger    openroots why --corpus {output} ID")
    advice = "delete it before you share the folder" if work is None else "do not share it"
    console.print(f"work    {work or f'{output}/.work'}    text before redaction, for reruns: {advice}")


def _load_line(output: str, plan: Plan) -> str:
    """The call that loads a language; of a store `datasets` reads files, but no folders with a README."""
    if storage.is_local(output):
        return f"datasets.load_dataset({output!r}, LANGUAGE)"
    form = plan.recipe.output.format
    files = storage.join(output, "data", "LANGUAGE", f"*{ENDINGS[form]}")
    return f"datasets.load_dataset({form!r}, data_files={files!r}, split='train')"


def _print_unfair(output: str, plan: Plan, console: Console) -> None:
    """Say which languages lost far more than the others, as the report does."""
    path = storage.join(output, "statistics.json")
    flagged = by_language(storage.read_json(path)["fairness"]["flagged"] if storage.exists(path) else [])
    for code, flags in list(flagged.items())[:UNFAIR]:
        lost = "; ".join(
            f"{figures.stage(flag['stage'])} dropped {flag['documents']:,} of "
            f"{figures.counted(flag['of_documents'], 'document')} ({figures.loss(flag)})"
            for flag in flags
        )
        said = f"{plan.languages.name(code)} ({code}): {lost}"
        console.print(said, style="bold yellow", markup=False, soft_wrap=True)
    if len(flagged) > UNFAIR:
        more = figures.counted(len(flagged) - UNFAIR, "other language")
        console.print(f"… and {more} lost over 10 points more than the mean; see the report")
    if flagged:
        console.print()


def _funnel(manifest: dict[str, Any]) -> Table:
    table = plain_table("stage", "documents in", "dropped", "kept", "MB in", "MB kept")
    for stage in manifest["stages"]:
        table.add_row(
            stage["stage"],
            f"{stage['documents_in']:,}",
            f"{stage['documents_dropped']:,}",
            f"{stage['documents_kept']:,}",
            f"{stage['bytes_in'] / 1e6:,.1f}",
            f"{stage['bytes_kept'] / 1e6:,.1f}",
        )
    return table


def _largest(manifest: dict[str, Any], plan: Plan) -> Table:
    table = plain_table("largest languages", "documents", "MB", "share")
    languages = sorted(manifest["languages"].items(), key=lambda item: -item[1]["bytes"])
    total = sum(language["bytes"] for _, language in languages) or 1
    for code, language in languages[:10]:
        share = language["bytes"] / total
        name = f"{plan.languages.name(code)} ({code})"
        table.add_row(name, f"{language['documents']:,}", f"{language['bytes'] / 1e6:,.2f}", f"{share:.1%}")
    return table
