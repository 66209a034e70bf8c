"""What fine-tuning changed, as a page of its own: no script, nothing loaded from elsewhere."""

from pathlib import Path
from typing import Any

from governance.rendering import html_environment
from pipeline.runtime import storage

MEASURES = {
    "loss": ("Loss of targets", "nats a token; less is better"),
    "accuracy": (
        "Right answers",
        "share of prompts whose answer the model prefers to the others; more is better",
    ),
}


def write_report(path: str, report: dict[str, Any]) -> None:
    """Write the rows of `trainer.prompt_scores.compare` as a page. Raises OutputError."""
    groups = []
    for measure, (title, about) in MEASURES.items():
        rows = [row for row in report["rows"] if row["measure"] == measure]
        most = max((value for row in rows for value in (row["before"], row["after"])), default=1.0)
        groups.append({"measure": measure, "title": title, "about": about, "rows": rows, "most": most or 1.0})
    template = html_environment(Path(__file__).parent).get_template("prompt_report.html.j2")
    storage.write_text(path, template.render(report=report, groups=groups))
