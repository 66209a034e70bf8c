"""Plots as inline SVG, drawn by hand: no script, no library, colours from the page's style sheet.

Dots and bars use percentages as coordinates, so that they fit any column width without distorting their marks.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from governance.figures import number, typical

WIDTH, HEIGHT, BASE, TOP = 240, 96, 76, 10
"""Of a histogram, in its own units."""


def element(name: str, *children: Markup | str, **attributes: str | float) -> Markup:
    """An SVG element; all attribute values and strings are escaped. `_` in attribute names stands for `-`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"' for key, value in attributes.items()
    )
    inner = "".join(map(escape, children))
    return Markup(f"<{name}{written}>{inner}</{name}>")


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 2):g}"


@dataclass(frozen=True)
class LogScale:
    """Positions of positive values between `low` and `high` on a logarithmic axis."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Percentage of the axis, kept within it."""
        share = (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return 100 * min(1.0, max(0.0, share))

    @property
    def decades(self) -> list[float]:
        """Powers of ten on the axis."""
        return [
            10.0**power
            for power in range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
        ]


def dots(scale: LogScale, ours: float, theirs: float | None) -> Markup:
    """One row of a dot plot: a ring for ROOTS, a dot for this corpus, a line between them.

    The figures stand beside it in the table, so that the picture itself is hidden from screen readers.
    """
    parts = [
        element(
            "line", x1=f"{scale.place(tick):.2f}%", x2=f"{scale.place(tick):.2f}%", y1="0", y2="100%", class_="grid"
        )
        for tick in scale.decades
    ]
    places = [scale.place(value) for value in (ours, theirs) if value]
    if len(places) == 2:
        left, right = sorted(places)
        parts.append(element("line", x1=f"{left:.2f}%", x2=f"{right:.2f}%", y1="50%", y2="50%", class_="link"))
    if theirs:
        parts.append(element("circle", cx=f"{scale.place(theirs):.2f}%", cy="50%", r="4.5", class_="roots"))
    if ours:
        parts.append(element("circle", cx=f"{scale.place(ours):.2f}%", cy="50%", r="4.5", class_="ours"))
    return element("svg", *parts, class_="dots", width="100%", height="22", aria_hidden="true", focusable="false")


def axis(scale: LogScale, labels: Iterable[str]) -> Markup:
    """Labels of the decades of a dot plot."""
    parts = [
        element("text", label, x=f"{scale.place(tick):.2f}%", y="13", class_="tick", text_anchor="middle")
        for tick, label in zip(scale.decades, labels, strict=True)
    ]
    return element("svg", *parts, class_="axis", width="100%", height="18", aria_hidden="true", focusable="false")


def bar(kept: float, dropped: float = 0.0) -> Markup:
    """A bar of two parts, each a share of the full width: what is kept and what is dropped."""
    parts = [element("rect", x="0", y="2", width="100%", height="12", rx="2", class_="empty")]
    if kept > 0:
        parts.append(element("rect", x="0", y="2", width=f"{100 * kept:.3f}%", height="12", rx="2", class_="kept"))
    if dropped > 0:
        parts.append(
            element("rect", x=f"{100 * kept:.3f}%", y="2", width=f"{100 * dropped:.3f}%", height="12", class_="dropped")
        )
    return element("svg", *parts, class_="bar", width="100%", height="16", aria_hidden="true", focusable="false")


def histogram(
    counts: Sequence[int],
    edges: Sequence[float],
    *,
    title: str,
    unit: str,
    low: float | None = None,
    high: float | None = None,
) -> Markup:
    """A histogram cut to where its documents are, with dashed lines at thresholds that fall into view."""
    first, last = _view(counts, edges, low, high)
    view, borders = counts[first:last], edges[first : last + 1]
    step, top = WIDTH / len(view), max(view)
    path = f"M0 {BASE}" + "".join(
        f"V{BASE - (BASE - TOP) * amount / top:.1f}H{step * (place + 1):.1f}" for place, amount in enumerate(view)
    )
    parts = [
        element("title", title),
        element("desc", described(counts, edges, unit, low, high)),
        element("path", d=f"{path}V{BASE}Z", class_="area"),
        element("line", x1=0, x2=WIDTH, y1=BASE, y2=BASE, class_="base"),
    ]
    for threshold in (low, high):
        if threshold and borders[0] <= threshold <= borders[-1]:
            place = step * _position(threshold, borders)
            parts.append(element("line", x1=place, x2=place, y1=2, y2=BASE, class_="threshold"))
    parts += _ticks(borders, step)
    return element("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="histogram", role="img")


def _view(counts: Sequence[int], edges: Sequence[float], low: float | None, high: float | None) -> tuple[int, int]:
    """Bins to show: those with documents, and thresholds that lie near them, at least eight."""
    full = [place for place, amount in enumerate(counts) if amount] or [0]
    first, last = full[0], full[-1] + 1
    for threshold in (low, high):
        if threshold is not None and edges[0] <= threshold <= edges[-1]:
            place = min(int(_position(threshold, edges)), len(counts) - 1)
            if first - 8 <= place < last + 8:
                first, last = min(first, place), max(last, place + 1)
    while last - first < 8:
        first, last = max(0, first - 1), min(len(counts), last + 1)
    return first, last


def _position(value: float, edges: Sequence[float]) -> float:
    """Where a value lies, counted in bins from the first edge."""
    for place in range(len(edges) - 1):
        if value <= edges[place + 1]:
            return place + (value - edges[place]) / (edges[place + 1] - edges[place])
    return float(len(edges) - 1)


def _ticks(borders: Sequence[float], step: float) -> list[Markup]:
    last = len(borders) - 1
    anchors = {0: "start", last // 2: "middle", last: "end"}
    return [
        element("text", number(borders[place]), x=step * place, y=HEIGHT - 5, text_anchor=anchor, class_="tick")
        for place, anchor in anchors.items()
    ]


def described(
    counts: Sequence[int], edges: Sequence[float], unit: str, low: float | None = None, high: float | None = None
) -> str:
    """A histogram in a sentence: where its middle lies, and its thresholds."""
    middle, left, right = (typical(counts, edges, share) for share in (0.5, 0.1, 0.9))
    if left == right:
        said = f"80 % are {middle}{unit}"
    else:
        said = f"median {middle}{unit}, 80 % between {left.removeprefix('under ')} and {right}{unit}"
    if left.startswith("under ") and left != right:
        said = f"median {middle}{unit}, 90 % at most {right}{unit}"
    for word, threshold in (("at least", low), ("at most", high)):
        if threshold is not None:
            said += f"; threshold: {word} {number(threshold)}"
    return said
