"""What fine-tuning changed, as a page of its own: no script, nothing loaded from elsewhere."""

from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from governance.rendering import html_environment
from pipeline.report import svg
from pipeline.runtime import storage

_BAR = 20


class Measure(NamedTuple):
    """How a measure is shown: `scale` times the value in `form`; `sign` is that of a change for the better."""

    name: str
    title: str
    about: str
    form: str
    signed: str
    scale: float
    sign: int


MEASURES = (
    Measure("loss", "Loss of targets", "Nats a token; less is better.", "%.2f", "%+.2f", 1.0, -1),
    Measure(
        "accuracy",
        "Right answers",
        "Share of prompts with given answers whose right one the model finds likelier than the others; more is better. "
        "The upright line is what guessing gets.",
        "%.0f %%",
        "%+.1f",
        100.0,
        1,
    ),
)


def write_report(path: str, report: dict[str, Any]) -> None:
    """Write what `trainer.prompt_scores.compare_models` found as a page. Raises OutputError."""
    template = html_environment(Path(__file__).parent).get_template("prompt_report.html.j2")
    style = Markup(Path(svg.__file__).with_name("report.css").read_text("utf-8"))  # ours, not a user's
    groups = [_group(measure, report["rows"]) for measure in MEASURES]
    storage.write_text(path, template.render(report={"answers": [], **report}, groups=groups, style=style))


def _group(measure: Measure, rows: list[dict[str, Any]]) -> dict[str, Any]:
    own = [row for row in rows if row["measure"] == measure.name]
    most = 1.0 if measure.name == "accuracy" else max((max(row["before"], row["after"]) for row in own), default=1.0)
    shown = [{**row, "bars": _bars(row, most or 1.0), "is_better": is_better(row, measure.sign)} for row in own]
    return {**measure._asdict(), "rows": shown, "has_chance": measure.name == "accuracy"}


def is_better(row: dict[str, Any], sign: int) -> bool:
    """Whether the whole interval of a difference lies on the better side of zero."""
    return bool(min(sign * row["low"], sign * row["high"]) > 0)


def _bars(row: dict[str, Any], most: float) -> Markup:
    parts = [
        svg.element("rect", x="0", y=y, width=f"{100 * row[name] / most:.2f}%", height=7, rx=2, class_=name)
        for name, y in (("before", 2), ("after", 11))
    ]
    if row["chance"]:
        place = f"{100 * row['chance'] / most:.2f}%"
        parts.append(svg.element("line", x1=place, x2=place, y1=0, y2=_BAR, class_="chance"))
    return svg.element("svg", *parts, width="100%", height=_BAR, role="presentation")
