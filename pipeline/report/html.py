"""`report.html`: one self-contained page about a corpus, readable without JavaScript.

Everything that comes from sources or documents passes through Jinja2's autoescape.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from configs.language_codes import UNDETERMINED
from configs.load import Plan
from governance import figures
from governance.rendering import html_environment
from pipeline.report import svg
from pipeline.report.fairness import by_language

FOLDER = Path(__file__).parent
SHARES = svg.LogScale(1e-7, 1.0)
SHARE_LABELS = ("0.00001 %", "", "0.001 %", "", "0.1 %", "", "10 %", "")

MEASURE_NAMES = {
    "bytes": ("Length", " bytes"),
    "language_score": ("Language score", ""),
    "words": ("Words", " words"),
    "character_repetition": ("Character repetition", ""),
    "word_repetition": ("Word repetition", ""),
    "special_characters": ("Special characters", ""),
    "running_text": ("Running text", ""),
    "letter_order": ("Letter order", " nats per letter"),
    "closed_class_words": ("Closed-class words", ""),
    "flagged_words": ("Flagged words", ""),
    "perplexity": ("Perplexity", ""),
    "characters": ("Characters", " characters"),
    "longest_line": ("Longest line", " characters"),
    "non_word_characters": ("Non-word characters", ""),
    "token_length_deviation": ("Spread of token lengths", ""),
}
"""Measures in the order of the page, with what follows a number."""


@cache
def report_template() -> Template:
    """The template of the page, compiled once a process."""
    environment = html_environment(FOLDER)
    environment.filters |= {"sentence": figures.sentence, "words": figures.words}
    return environment.get_template("report.html.j2")


def render_report(statistics: Mapping[str, Any], manifest: Mapping[str, Any], plan: Plan) -> str:
    """The page for the content of `statistics.json` and `manifest.json`."""
    return report_template().render(
        style=Markup((FOLDER / "report.css").read_text("utf-8")),  # ours, not a source's
        s=statistics,
        manifest=manifest,
        axis=svg.axis(SHARES, SHARE_LABELS),
        proportions=_proportions(statistics),
        code_rows=_code_rows(statistics),
        ratio_note=_ratio_note(statistics),
        funnel=_funnel(statistics["stages"]),
        fairness=_fairness(statistics),
        drop_rows=_drop_rows(statistics["drops"]),
        overall=_overall(statistics),
        languages=_language_details(statistics),
        personal_data=_personal_data(statistics),
        licences=_licences(statistics.get("licences", {}).get("by_licence", {})),
        clusters=_cluster_rows(statistics["duplicates"]["clusters"]),
        names={code: plan.languages.name(code) for code in _codes(statistics)} | {UNDETERMINED: "language not known"},
        natural=frozenset(plan.languages.natural),
        programming=frozenset(plan.languages.programming),
        example=_example_language(statistics),
    )


LICENCES_SHOWN = 40
"""Licences that the page lists, those of most documents; `statistics.json` has all."""


def _licences(by_licence: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Documents by licence, with bars of what was admitted and refused, as shares of the largest."""
    largest = max((entry["entered"] for entry in by_licence.values()), default=0) or 1
    ordered = sorted(by_licence.items(), key=lambda item: (-item[1]["entered"], -item[1]["kept"], item[0]))
    rows = [
        (name, {**entry, "bar": svg.bar(entry["admitted"] / largest, (entry["entered"] - entry["admitted"]) / largest)})
        for name, entry in ordered[:LICENCES_SHOWN]
    ]
    return {"rows": rows, "more": max(0, len(by_licence) - LICENCES_SHOWN)}


def _codes(statistics: Mapping[str, Any]) -> set[str]:
    said = {example["language"] for drop in statistics["drops"] for example in drop["examples"]}
    pairs = {code for pair in statistics["mismatches"] for code in (pair["declared"], pair["identified"])}
    largest = {cluster["language"] for cluster in statistics["duplicates"]["largest"]}
    return {*statistics["languages"], *statistics["other_languages"], *said, *pairs, *largest}


def _of_kind(statistics: Mapping[str, Any], kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [(code, entry) for code, entry in statistics["languages"].items() if entry["kind"] == kind]


def _proportions(statistics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Natural languages, those largest in ROOTS first."""
    entries = sorted(
        _of_kind(statistics, "natural"), key=lambda item: (-(item[1]["roots_share"] or 0), -item[1]["bytes"], item[0])
    )
    return [_proportion(code, entry) for code, entry in entries]


def _proportion(code: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    plot = svg.dots(SHARES, entry["share_weighted"], entry["roots_share"])
    return {"code": code, "plot": plot, **entry}


def _code_rows(statistics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All code together beside ROOTS', then each programming language, the largest first."""
    entries = sorted(_of_kind(statistics, "programming"), key=lambda item: (-item[1]["bytes"], item[0]))
    if not entries:
        return []
    rows = [_proportion(code, {**entry, "roots_share": None}) for code, entry in entries]
    whole = {"name": f"All {len(entries)} together", **statistics["code"]}
    return [_proportion("", whole), *rows]


def _ratio_note(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """How many languages are larger and smaller than in ROOTS, by more than a factor of two."""
    natural = [entry for _, entry in _of_kind(statistics, "natural") if entry["roots_share"]]
    ratios = [entry["share_weighted"] / entry["roots_share"] for entry in natural]
    return {
        "more": sum(ratio > 2 for ratio in ratios),
        "less": sum(0 < ratio < 0.5 for ratio in ratios),
        "near": sum(0.5 <= ratio <= 2 for ratio in ratios),
    }


def _funnel(stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Stages with bars of what is left, as shares of what entered."""
    if not stages:
        return []
    documents, amount = stages[0]["documents_in"] or 1, stages[0]["bytes_in"] or 1
    return [
        {
            **stage,
            "documents_bar": svg.bar(stage["documents_kept"] / documents, stage["documents_dropped"] / documents),
            "bytes_bar": svg.bar(stage["bytes_kept"] / amount, stage["bytes_dropped"] / amount),
        }
        for stage in stages
    ]


def _fairness(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The fairness table: stages that dropped anything, and a row a language, those that lost most first."""
    table = statistics["fairness"]
    languages = table["languages"]
    stages = [
        name for name in table["stages"] if any(entry["stages"][name]["documents"] for entry in languages.values())
    ]
    flagged = {(flag["language"], flag["stage"]) for flag in table["flagged"]}
    groups = []
    for kind, mean in table["mean"].items():
        rows = [
            {
                "code": code,
                "name": statistics["languages"][code]["name"],
                "kept": statistics["languages"][code]["documents"],
                **entry,
                "cells": [{**entry["stages"][name], "flagged": (code, name) in flagged} for name in stages],
            }
            for code, entry in languages.items()
            if statistics["languages"][code]["kind"] == kind
        ]
        rows.sort(key=lambda row: (-sum(cell["documents_share"] for cell in row["cells"]), row["code"]))
        groups.append({"kind": kind, "mean": [mean[name] for name in stages], "rows": rows})
    return {"stages": stages, "groups": groups, "flagged": by_language(table["flagged"])}


def _drop_rows(drops: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    most = max((drop["documents"] for drop in drops), default=1) or 1
    return [{**drop, "bar": svg.bar(0, drop["documents"] / most)} for drop in drops]


def _histograms(statistics: Mapping[str, Any], histograms: Mapping[str, Any]) -> list[dict[str, Any]]:
    plots = []
    for measure, (name, unit) in MEASURE_NAMES.items():
        entry = histograms.get(measure)
        if entry is None or not sum(entry["counts"]):
            continue
        edges, low, high = statistics["bins"][measure], entry.get("min"), entry.get("max")
        plot = svg.histogram(entry["counts"], edges, title=name, unit=unit, low=low, high=high)
        said = svg.described(entry["counts"], edges, unit, low, high)
        plots.append({"name": name, "plot": plot, "said": said, "documents": sum(entry["counts"])})
    return plots


def _overall(statistics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The measures of all natural languages together, then of all code; thresholds differ by language."""
    groups = []
    for kind, name in (("natural", "Natural languages"), ("programming", "Code")):
        sums: dict[str, dict[str, Any]] = {}
        for _, entry in _of_kind(statistics, kind):
            for measure, histogram in entry["histograms"].items():
                counts = sums.setdefault(measure, {"counts": [0] * len(histogram["counts"])})
                counts["counts"] = [a + b for a, b in zip(counts["counts"], histogram["counts"], strict=True)]
        if sums:
            groups.append({"name": name, "plots": _histograms(statistics, sums)})
    return groups


def _language_details(statistics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Languages that hold text, by name, with their plots."""
    held = [(code, entry) for code, entry in statistics["languages"].items() if entry["documents"]]
    return [
        {"code": code, **entry, "plots": _histograms(statistics, entry["histograms"])}
        for code, entry in sorted(held, key=lambda item: (item[1]["kind"], item[1]["name"].casefold(), item[0]))
    ]


def _personal_data(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """A table kind × language; `heat` of a cell is 0…1 on a logarithmic scale."""
    kinds = list(statistics["personal_data"])
    rows = [(code, entry) for code, entry in statistics["languages"].items() if entry["personal_data"]]
    most = max((found["findings"] for _, entry in rows for found in entry["personal_data"].values()), default=1)
    rows.sort(key=lambda item: (-sum(found["findings"] for found in item[1]["personal_data"].values()), item[0]))
    return {
        "kinds": kinds,
        "rows": [
            {"code": code, "name": entry["name"], "cells": [_cell(entry, kind, most) for kind in kinds]}
            for code, entry in rows
        ],
    }


def _cell(entry: Mapping[str, Any], kind: str, most: int) -> dict[str, Any]:
    findings = entry["personal_data"].get(kind, {}).get("findings", 0)
    heat = math.log1p(findings) / math.log1p(most)
    return {"findings": findings, "heat": f"{heat:.2f}"}


def _cluster_rows(clusters: Sequence[Mapping[str, int]]) -> list[dict[str, Any]]:
    most = max((entry["clusters"] for entry in clusters), default=1)
    return [{**entry, "bar": svg.bar(entry["clusters"] / most)} for entry in clusters]


def _example_language(statistics: Mapping[str, Any]) -> str | None:
    """The language of the loading example: Swahili where it is there, else the largest."""
    held = [(code, entry) for code, entry in statistics["languages"].items() if entry["documents"]]
    if not held:
        return None
    return "sw" if any(code == "sw" for code, _ in held) else max(held, key=lambda item: item[1]["bytes"])[0]
