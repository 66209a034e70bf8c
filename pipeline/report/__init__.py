"""What a person sees of a finished corpus: statistics, the report page, the cards, the Croissant description."""

import json
from collections.abc import Iterable
from typing import Any

from configs.load import Plan
from governance.cards import card_template, corpus_card, language_card
from governance.croissant import croissant
from governance.licence_report import attribution, attribution_template
from pipeline.report.html import render_report, report_template
from pipeline.report.phase import sum_tallies, tally_phase, tally_tasks
from pipeline.report.statistics import collect
from pipeline.report.tally import Tally
from pipeline.runtime import storage

__all__ = ["collect", "load_templates", "render_report", "sum_tallies", "tally_phase", "tally_tasks", "write_report"]


def load_templates() -> None:
    """Compile the templates of what is written (0.2 s): for a process that waits for others meanwhile."""
    for name in ("corpus_card.md.j2", "language_card.md.j2"):
        card_template(name)
    attribution_template()
    report_template()


def write_report(
    output: str,
    plan: Plan,
    manifest: dict[str, Any],
    clusters: dict[str, Any],
    examples: list[dict[str, str]],
    tallied: Iterable[Tally] | None = None,
) -> None:
    """Write what tells of a corpus into its folder `output` (any fsspec path).

    `statistics.json`, `README.md`, `ATTRIBUTION.md`, `cards/LANGUAGE.md` for each language that holds text,
    `croissant.json`, `report.html`. tallied: tallies of the shards and the ledger, or their sum; without them the
    files are read here, one after the other. The bytes depend on these and on the arguments alone; nothing in them
    tells the time. Raises OutputError.
    """
    statistics = collect(output, plan, manifest, clusters, examples, tallied)
    storage.write_json(storage.join(output, "statistics.json"), statistics)
    storage.write_text(storage.join(output, "README.md"), corpus_card(statistics, manifest, plan))
    storage.write_text(storage.join(output, "ATTRIBUTION.md"), attribution(statistics, manifest, plan))
    for code, entry in statistics["languages"].items():
        if entry["documents"]:
            storage.write_text(storage.join(output, "cards", f"{code}.md"), language_card(code, statistics, plan))
    described = json.dumps(croissant(statistics, manifest, plan), ensure_ascii=False, indent=1) + "\n"
    storage.write_text(storage.join(output, "croissant.json"), described)
    storage.write_text(storage.join(output, "report.html"), render_report(statistics, manifest, plan))
