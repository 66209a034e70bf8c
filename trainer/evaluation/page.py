"""`report.html` of an evaluation: one self-contained page, readable without JavaScript. Names are escaped."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from configs.load import load_languages
from governance.rendering import html_environment
from pipeline.report import svg
from pipeline.runtime import storage
from trainer.evaluation.run import Figure, Report

_FOLDER = Path(__file__).parent
_WIDTH, _HEIGHT = 900, 260
_BAR = 18


def write_page(report: Report, path: str, series: Sequence[tuple[int, Report]] = ()) -> None:
    """Write the page; `series` are the reports of checkpoints by step, drawn as curves. Raises OutputError."""
    with storage.create(path) as stream:
        stream.write(render(report, series).encode())


def render(report: Report, series: Sequence[tuple[int, Report]] = ()) -> str:
    """The page."""
    languages = load_languages()
    tasks: dict[str, list[Figure]] = {}
    for figure in report.figures:
        tasks.setdefault(figure.task, []).append(figure)
    return (
        html_environment(_FOLDER)
        .get_template("report.html.j2")
        .render(
            style=Markup(Path(svg.__file__).with_name("report.css").read_text("utf-8")),  # ours, not a user's
            model=report.model,
            notes=report.notes,
            options=report.options,
            tasks=[_task(name, figures, languages) for name, figures in tasks.items() if name != "bits"],
            bits=_bits([figure for figure in report.figures if figure.task == "bits"], languages),
            curves=_curves(series),
        )
    )


def _task(name: str, figures: Sequence[Figure], languages: Any) -> dict[str, Any]:
    return {
        "name": name,
        "rows": [
            {
                "language": figure.language,
                "name": languages.name(figure.language),
                "figure": figure,
                "bar": _bar(figure),
                "verdict": verdict(figure),
            }
            for figure in figures
        ],
    }


def verdict(figure: Figure) -> str:
    """What the interval says of chance."""
    if figure.chance is None or math.isnan(figure.low):
        return ""
    if figure.low > figure.chance:
        return "above chance"
    return "below chance" if figure.high < figure.chance else "indistinguishable from chance"


def _bar(figure: Figure) -> Markup:
    """The figure with its interval, 0 to 1; a line stands at chance."""
    if math.isnan(figure.value) or not 0 <= figure.value <= 1:
        return Markup("")
    low, high = (min(max(value, 0.0), 1.0) for value in (figure.low, figure.high))
    parts = [svg.element("rect", x="0", y=5, width=f"{100 * figure.value:.2f}%", height=8, rx=2, class_="ours")]
    if low == low and high == high:
        parts.append(svg.element("line", x1=f"{100 * low:.2f}%", x2=f"{100 * high:.2f}%", y1=9, y2=9, class_="whisker"))
    if figure.chance:
        place = f"{100 * figure.chance:.2f}%"
        parts.append(svg.element("line", x1=place, x2=place, y1=1, y2=17, class_="chance"))
    return svg.element("svg", *parts, class_="bars", width="100%", height=_BAR, role="presentation")


def _bits(figures: Sequence[Figure], languages: Any) -> list[dict[str, Any]]:
    """A row a language, the dearest first: meaning = tokens × token."""
    rows: dict[str, dict[str, Any]] = {}
    for figure in figures:
        row = rows.setdefault(
            figure.language,
            {"language": figure.language, "name": languages.name(figure.language), "items": figure.items},
        )
        row[figure.metric.replace(" ", "_")] = figure
    whole = [row for row in rows.values() if "bits_over_English" in row]
    return sorted(whole, key=lambda row: (-row["bits_over_English"].value, row["language"]))


def _curves(series: Sequence[tuple[int, Report]]) -> list[dict[str, Any]]:
    """A curve a task and metric, the mean over languages by step."""
    points: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for step, report in series:
        groups: dict[tuple[str, str], list[float]] = {}
        for figure in report.figures:
            if figure.value == figure.value:
                groups.setdefault((figure.task, figure.metric), []).append(figure.value)
        for key, values in groups.items():
            points.setdefault(key, []).append((step, sum(values) / len(values)))
    return [{"title": f"{task}: {metric}", "plot": _curve(values)} for (task, metric), values in points.items()
            if len(values) > 1]  # fmt: skip


def _curve(points: Sequence[tuple[int, float]]) -> Markup:
    steps, values = [step for step, _ in points], [value for _, value in points]
    low, high = min(values), max(values)
    span, reach = (high - low) or 1.0, (max(steps) - min(steps)) or 1
    places = [
        (60 + (_WIDTH - 80) * (step - min(steps)) / reach, 20 + (_HEIGHT - 60) * (1 - (value - low) / span))
        for step, value in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [
        svg.element("polyline", points=line, class_="curve"),
        *(svg.element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, class_="ours") for x, y in places),
        svg.element("text", f"{high:.3g}", x=0, y=24, class_="tick"),
        svg.element("text", f"{low:.3g}", x=0, y=_HEIGHT - 36, class_="tick"),
        svg.element("text", f"step {min(steps):,}", x=60, y=_HEIGHT - 8, class_="tick"),
        svg.element("text", f"step {max(steps):,}", x=_WIDTH - 20, y=_HEIGHT - 8, class_="tick", text_anchor="end"),
    ]
    return svg.element("svg", *parts, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", class_="curves", role="img")
