"""What each stage took from each language, beside the mean of the languages: who loses more than the others."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pipeline.report.tally import Tally

FLAGGED_POINTS = 0.10
"""A language that loses so much more than the mean, as a share of its documents or bytes, is flagged."""
NOT_JUDGED = frozenset({"deduplicate", "decontaminate", "sample"})
"""Stages whose losses say nothing of how a language is treated: copies, and budgets that the recipe sets."""
KEPT_STAGE = "write"


def fairness(tally: Tally, kinds: Mapping[str, str], stages: Iterable[str]) -> dict[str, Any]:
    """The fairness table: `mean` by kind and stage, `languages` by code, `flagged` by how far above the mean.

    kinds: language code → `natural` or `programming`; others are left out. stages: those of the build, in order.
    Shares are of what entered of the language, so that they add up over the stages; the mean is over the languages of
    the kind of which something entered, each counting the same.
    """
    names = [name for name in stages if name != KEPT_STAGE]
    entered: dict[str, np.ndarray] = {}
    dropped: dict[tuple[str, str], np.ndarray] = {}
    for (code, _, stage, _), values in tally.select("fate"):
        if code not in kinds:
            continue
        entered[code] = entered.get(code, np.zeros(2, np.int64)) + values[:2]
        if stage != KEPT_STAGE:
            dropped[code, stage] = dropped.get((code, stage), np.zeros(2, np.int64)) + values[:2]
            if stage not in names:
                names.append(stage)
    lost = {
        code: {name: _loss(dropped.get((code, name), np.zeros(2, np.int64)), whole) for name in names}
        for code, whole in sorted(entered.items())
    }
    mean = {
        kind: {name: _mean([row[name] for code, row in lost.items() if kinds[code] == kind]) for name in names}
        for kind in sorted({kinds[code] for code in lost})
    }
    languages = {
        code: {"documents": int(entered[code][0]), "bytes": int(entered[code][1]), "stages": row}
        for code, row in lost.items()
    }
    return {
        "stages": names,
        "mean": mean,
        "languages": languages,
        "flagged": _flagged(lost, mean, kinds, languages),
    }


def _loss(values: np.ndarray, whole: np.ndarray) -> dict[str, Any]:
    documents, size = int(values[0]), int(values[1])
    return {
        "documents": documents,
        "bytes": size,
        "documents_share": documents / int(whole[0]) if whole[0] else 0.0,
        "bytes_share": size / int(whole[1]) if whole[1] else 0.0,
    }


def _mean(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in ("documents_share", "bytes_share")}


def _flagged(
    lost: Mapping[str, Any], mean: Mapping[str, Any], kinds: Mapping[str, str], languages: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found = []
    for code, row in lost.items():
        for name, loss in row.items():
            usual = mean[kinds[code]][name]
            above = max(loss[share] - usual[share] for share in ("documents_share", "bytes_share"))
            if name not in NOT_JUDGED and above > FLAGGED_POINTS:
                of = {"language": code, "stage": name, "points": above, "of_documents": languages[code]["documents"]}
                means = {"mean_share": usual["documents_share"], "mean_bytes_share": usual["bytes_share"]}
                found.append({**of, **loss, **means})
    return sorted(found, key=lambda item: (-item["points"], item["language"], item["stage"]))


def by_language(flagged: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Language code → its entries in `flagged`; the languages and their entries in the order given."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for flag in flagged:
        found.setdefault(flag["language"], []).append(flag)
    return found
