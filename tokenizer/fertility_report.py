"""A fertility report as terminal tables, JSON and CSV."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, fields

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from governance import figures
from pipeline.runtime import storage
from tokenizer.fertility import ENGLISH, PREMIUM_LIMIT, Report, Row, Summary
from tokenizer.parallel_text import OWN

_LANGUAGE_WIDTH, _PAIR_WIDTH = 30, 19
"""Columns of the terminal that the languages and each tokenizer's two figures take."""


def write_json(report: Report, path: str) -> None:
    """Write all figures. Raises OutputError."""
    storage.write_json(path, report.as_dict())


def write_csv(report: Report, path: str) -> None:
    """Write a line for each row, with a header. Raises OutputError."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in report.rows)
    with storage.create(path) as stream:
        stream.write(text.getvalue().encode())


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a summary, then a table of languages: all measures of one tokenizer, or two of each of several."""
    console = console or Console()
    console.print(_summary_table(report.summaries))
    console.print()
    if len(report.summaries) == 1:
        console.print(_detail_table(report.rows))
    else:
        names = [summary.tokenizer for summary in report.summaries]
        step = max(1, (console.width - _LANGUAGE_WIDTH) // _PAIR_WIDTH)
        for begin in range(0, len(names), step):
            console.print(_comparison_table(report, names[begin : begin + step]))
    for line in (*_marks(report), *notes(report)):
        console.print(line, style="dim", markup=False, highlight=False)


def _marks(report: Report) -> list[str]:
    """What the marks in the tables mean, as far as they occur."""
    rows = report.rows
    said = ["Premium: tokens relative to English (*) for the same content."]
    if any(row.tokens_per_word is None for row in rows):
        said.append("c: tokens per character; these languages are written without spaces.")
    if any(row.parallel == OWN for row in rows):
        said.append("Premiums are measured on the parallel text that you gave.")
    if any(row.parallel == "messages" for row in rows):
        codes = ", ".join(sorted({row.language for row in rows if row.parallel == "messages"}))
        said.append(
            f"m: the premium of {codes} is measured on interface messages, all others on the Universal Declaration."
        )
    return said


def notes(report: Report) -> list[str]:
    """What is missing in this report, and what looks better than it is."""
    rows, said = report.rows, []
    without = sorted({row.language for row in rows if row.premium is None})
    if without:
        said.append(f"No premium, for lack of parallel text: {', '.join(without)}.")
    for summary in report.summaries:
        if summary.losses:
            lost = max((row.lost for row in report.of(summary.tokenizer)), default=0.0)
            vanishes = f" Up to {figures.percent(lost)} of a language's text vanishes." if lost else ""
            said.append(
                f"{summary.tokenizer} does not restore text exactly: {summary.losses}.{vanishes} "
                "Its figures look better than they are."
            )
    for name in dict.fromkeys(row.tokenizer for row in rows if row.unknown > 0):
        share = max(row.unknown for row in report.of(name))
        said.append(
            f"{name} cannot represent everything: up to {figures.percent(share)} of a language's tokens are unknown, "
            "so its figures look better than they are."
        )
    return said


def _summary_table(summaries: Sequence[Summary]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("tokenizer", overflow="fold")
    columns = ["entries", "used", "Gini", "worst\npremium", "spread", f"over\n{PREMIUM_LIMIT:g}×"]
    if len(summaries) > 1:
        columns.append("fewest\ntokens")
    for name in columns:
        table.add_column(name, justify="right")
    for s in summaries:
        worst = "–" if s.worst is None else f"{s.worst} {s.worst_premium:.2f}"
        cells = [f"{s.entries:,}", figures.percent(s.vocabulary_use), _cell(s.gini), worst, _cell(s.spread)]
        cells.append(f"{s.over_limit} of {s.languages}")
        if s.fewest_tokens is not None:
            cells.append(str(s.fewest_tokens))
        table.add_row(f"[bold]{escape(s.tokenizer)}[/]", *cells)
    return table


def _comparison_table(report: Report, names: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("language", max_width=_LANGUAGE_WIDTH, no_wrap=True, overflow="ellipsis")
    for name in names:
        table.add_column(f"{escape(name[:9])}\na word", justify="right", no_wrap=True, min_width=8)
        table.add_column("\npremium", justify="right", no_wrap=True, min_width=8)
    of = {(row.tokenizer, row.language): row for row in report.rows}
    for language in dearest_first(report):
        rows = [of[name, language] for name in names]
        cells = [cell for row in rows for cell in (_figure(row), _premium(row))]
        table.add_row(_language(rows[0]), *cells)
    return table


def _detail_table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("language", max_width=_LANGUAGE_WIDTH, no_wrap=True, overflow="ellipsis")
    for name in ("tokens\na word", "premium", "whole\nwords", "bytes\na token", "chars\na token", "vocab\nused"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in sorted(rows, key=_order):
        whole = "–" if row.words_whole is None else figures.percent(row.words_whole)
        cells = [_figure(row), _premium(row), whole, _cell(row.bytes_per_token), _cell(row.characters_per_token)]
        table.add_row(_language(row), *cells, figures.percent(row.vocabulary_use))
    return table


def _order(row: Row) -> tuple[float, str]:
    return (-row.premium if row.premium is not None else math.inf, row.language)


def dearest_first(report: Report) -> list[str]:
    """Languages by the first tokenizer's premium, the highest first; those without one at the end."""
    return [row.language for row in sorted(report.of(report.summaries[0].tokenizer), key=_order)]


def _language(row: Row) -> str:
    mark = "*" if row.language == ENGLISH else ""
    return f"{escape(row.name[: _LANGUAGE_WIDTH - len(row.language) - 2])}{mark} [dim]{row.language}[/]"


def _figure(row: Row) -> str:
    return f"{row.figure:.2f}" + (" " if row.unit == "word" else "c")


def _premium(row: Row) -> str:
    if row.premium is None:
        return "– "
    mark = "m" if row.parallel == "messages" else " "
    said = f"{row.premium:.2f}{mark}"
    return f"[bold red]{said}[/]" if row.premium > PREMIUM_LIMIT else said


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
