"""`fertility.html`: one self-contained page, readable without JavaScript, of a fertility report.

Names of tokenizers and languages pass through Jinja2's autoescape.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from governance.rendering import html_environment
from pipeline.report import svg
from pipeline.runtime import storage
from tokenizer.fertility import ENGLISH, PREMIUM_LIMIT, Report, Row
from tokenizer.fertility_report import dearest_first, notes

COLOURS = 6
"""Colours for tokenizers in the style sheet; more tokenizers take them again."""
_BAND = 13
"""Height of a bar with its gap, in pixels."""
_FIGURE_WIDTH = 15
"""Percent of the axis that a figure takes at most: nearer than that, English's line would cross it."""
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis between two powers of two; bars begin at 1."""

    low: int
    high: int

    @classmethod
    def around(cls, values: Sequence[float]) -> "Scale":
        """The narrowest axis that holds 1, 2 and all positive values."""
        logs = [math.log2(value) for value in values if value > 0]
        return cls(min(0, *map(math.floor, [0, *logs])), max(1, *map(math.ceil, [1, *logs])))

    def place(self, value: float) -> float:
        """Percentage of the axis."""
        return 100 * (math.log2(value) - self.low) / (self.high - self.low) if value > 0 else 0.0

    @property
    def ticks(self) -> list[float]:
        """Powers of two on the axis."""
        return [2.0**power for power in range(self.low, self.high + 1)]


def write_html(report: Report, path: str) -> None:
    """Write the page. Raises OutputError."""
    with storage.create(path) as stream:
        stream.write(render(report).encode())


def render(report: Report) -> str:
    """The page."""
    environment = html_environment(_FOLDER)
    order = dearest_first(report)
    names = [summary.tokenizer for summary in report.summaries]
    rows = {(row.tokenizer, row.language): row for row in report.rows}
    table = [[rows[name, language] for name in names] for language in order]
    spaced = sorted((r for r in table if r[0].unit == "word"), key=lambda r: (-r[0].figure, r[0].language))
    unspaced = [r for r in table if r[0].unit == "character"]
    return environment.get_template("fertility.html.j2").render(
        style=Markup(Path(svg.__file__).with_name("report.css").read_text("utf-8")),  # ours, not a user's
        summaries=list(enumerate(report.summaries)),
        colours=COLOURS,
        english=ENGLISH,
        limit=f"{PREMIUM_LIMIT:g}",
        charts=[
            _chart("premium", [r for r in table if r[0].premium is not None], lambda row: row.premium or 0.0),
            _chart("words", spaced, lambda row: row.figure),
            _chart("characters", unspaced, lambda row: row.figure),
        ],
        scripts=_scripts(report),
        table=table,
        notes=notes(report),
    )


def _chart(name: str, table: Sequence[Sequence[Row]], value: Callable[[Row], float]) -> dict[str, Any]:
    """Rows of bars, one bar a tokenizer, all on one axis."""
    scale = Scale.around([value(row) for rows in table for row in rows])
    english = next(([value(row) for row in rows] for rows in table if rows[0].language == ENGLISH), [])
    return {
        "name": name,
        "axis": _axis(scale),
        "rows": [
            {
                "language": rows[0].language,
                "name": rows[0].name,
                "mark": "m" if name == "premium" and rows[0].parallel == "messages" else "",
                "plot": _bars(scale, [value(row) for row in rows], english),
            }
            for rows in table
        ],
    }


def _bars(scale: Scale, values: Sequence[float], english: Sequence[float]) -> Markup:
    """Bars of a language, a bar a tokenizer, each with its figure; a line stands at English's."""
    height = _BAND * len(values)
    parts = [_line(scale.place(tick), 0, height, "grid") for tick in scale.ticks]
    base = scale.place(1.0)
    for place, value in enumerate(values):
        left, right = sorted((base, scale.place(value)))
        top = place * _BAND + 2
        width, kind = f"{max(right - left, 0.4):.2f}%", f"t{place % COLOURS}"
        parts.append(svg.element("rect", x=f"{left:.2f}%", y=top, width=width, height=_BAND - 4, rx=2, class_=kind))
        beside = right
        if english:
            mark = scale.place(english[place])
            parts.append(_line(mark, top - 1, top + _BAND - 3, "english"))
            beside = mark if 0 < mark - right < _FIGURE_WIDTH else right
        figure, low = f"{value:.2f}", top + _BAND - 5
        parts.append(svg.element("text", figure, x=f"{beside:.2f}%", dx=6, y=low, class_="tick"))
    return svg.element("svg", *parts, class_="bars", width="100%", height=height, role="presentation")


def _line(place: float, top: float, bottom: float, kind: str) -> Markup:
    return svg.element("line", x1=f"{place:.2f}%", x2=f"{place:.2f}%", y1=top, y2=bottom, class_=kind)


def _axis(scale: Scale) -> Markup:
    parts = [
        svg.element("text", f"{tick:g}", x=f"{scale.place(tick):.2f}%", y="13", class_="tick", text_anchor="middle")
        for tick in scale.ticks
    ]
    return svg.element("svg", *parts, class_="axis", width="100%", height="18", aria_hidden="true")


def _scripts(report: Report) -> list[dict[str, Any]]:
    """Scripts and other kinds of entries, the largest of the first tokenizer first, with each tokenizer's share."""
    totals = [sum(summary.scripts.values()) or 1 for summary in report.summaries]
    kinds = dict.fromkeys(kind for summary in report.summaries for kind in summary.scripts)
    return [
        {
            "kind": kind,
            "cells": [
                {"entries": summary.scripts.get(kind, 0), "share": summary.scripts.get(kind, 0) / total}
                for summary, total in zip(report.summaries, totals, strict=True)
            ],
        }
        for kind in kinds
    ]
