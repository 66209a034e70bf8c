"""`statistics.json`: everything the report and the cards say of a corpus, as data."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import numpy as np

from configs.load import Plan
from configs.models import Languages
from governance.licence_report import licence_statistics
from pipeline.quality.decision import CODE_THRESHOLDS, TEXT_THRESHOLDS
from pipeline.quality.resolved import resolve
from pipeline.report.fairness import KEPT_STAGE, fairness
from pipeline.report.tally import BINS, Tally, merge, tally_file
from pipeline.runtime import storage

STATISTICS_FORMAT = 1

RIGHT_TO_LEFT = frozenset({"Adlm", "Arab", "Hebr", "Nkoo", "Syrc", "Thaa"})


def corpus_files(output: str, manifest: Mapping[str, Any]) -> list[str]:
    """Shards and ledger parts of a finished corpus, relative to `output`, sorted."""
    shards = [shard["path"] for language in manifest["languages"].values() for shard in language["shards"]]
    names = storage.names_in(storage.join(output, "ledger"))
    return sorted(shards) + sorted(f"ledger/{name}" for name in names if name.endswith(".parquet"))


def collect(
    output: str,
    plan: Plan,
    manifest: dict[str, Any],
    clusters: dict[str, Any],
    examples: list[dict[str, str]],
    tallies: Iterable[Tally] | None = None,
) -> dict[str, Any]:
    """Content of `statistics.json` for a finished corpus in the folder `output` (any fsspec path).

    clusters: what deduplication reports of itself, passed on as it is. examples: redacted excerpts of dropped documents
    (`stage`, `reason`, `id`, `source`, `language`, `detail`, `excerpt`). tallies: those of all shards and ledger parts,
    where a phase has counted them already; else they are counted here, one after the other.
    """
    if tallies is None:
        tallies = (tally_file(output, path) for path in corpus_files(output, manifest))
    return assemble(merge(tallies), plan, manifest, clusters, examples)


def assemble(
    tally: Tally, plan: Plan, manifest: dict[str, Any], clusters: dict[str, Any], examples: list[dict[str, str]]
) -> dict[str, Any]:
    """`statistics.json` from the tally of all files."""
    held = {key[0] for key, _ in tally.select("kept")}
    seen = {key[0] for key, _ in tally.select("fate")}
    codes = [*plan.wanted_languages, *sorted(held - set(plan.wanted_languages))]
    thresholds = _thresholds(plan)
    of_language, of_source = _parts(tally, 1), _parts(tally, 2)
    languages = {code: _language(code, of_language[code], plan, thresholds.get(code, {})) for code in codes}
    _add_shares(languages, plan.languages, manifest.get("samples", {}))
    kept = _total(values for _, values in tally.select("kept"))
    fates = list(tally.select("fate"))
    return {
        "format": STATISTICS_FORMAT,
        "name": manifest["name"],
        "title": plan.recipe.title,
        "description": plan.recipe.description,
        "digest": manifest["digest"],
        "documents": kept[0],
        "bytes": kept[1],
        "bytes_weighted": kept[2],
        "entered": _amounts(values for _, values in fates),
        "bins": {name: [round(float(edge), 6) for edge in bins.edges] for name, bins in BINS.items()},
        "languages": languages,
        "missing": [code for code in plan.wanted_languages if code not in held],
        "other_languages": {
            code: _amounts(values for _, values in of_language[code].select("fate"))
            for code in sorted(seen - set(codes))
        },
        "roots": {"code_bytes": plan.languages.roots_code_bytes, "bytes": roots_bytes(plan.languages)},
        "code": _code(languages, plan.languages),
        "sources": {source.id: _source(source.id, of_source[source.id], plan) for source in plan.sources},
        "licences": licence_statistics(manifest.get("licences", []), _by(tally, 2)),
        "stages": manifest["stages"],
        "fairness": fairness(
            tally,
            {code: entry["kind"] for code, entry in languages.items()},
            [stage["stage"] for stage in manifest["stages"]],
        ),
        "drops": _drops(fates, examples),
        "personal_data": _personal_data(tally, None, None),
        "mismatches": [
            {"declared": key[0], "identified": key[1], "documents": int(values[0])}
            for key, values in sorted(tally.select("mismatch"), key=lambda item: (-int(item[1][0]), item[0]))
        ],
        "duplicates": {
            "clusters": _cluster_histogram(tally),
            "largest": tally.largest,
            "deduplication": clusters,
        },
        "files": dict(sorted(tally.files.items())),
        "problems": manifest.get("problems", []),
        "unavailable": manifest.get("unavailable", []),
    }


def _parts(tally: Tally, place: int) -> defaultdict[str, Tally]:
    """The counts by one part of their keys, so that not all are gone through for each of its values."""
    parts: defaultdict[str, Tally] = defaultdict(lambda: Tally(excerpts=tally.excerpts))
    for key, values in tally.counts.items():
        if place < len(key):
            parts[key[place]].counts[key] = values
    return parts


def roots_bytes(languages: Languages) -> int:
    """Bytes of all of ROOTS, code included (BLOOM paper, Table 1)."""
    return sum(language.roots_bytes for language in languages.natural.values()) + languages.roots_code_bytes


def _total(arrays: Any, width: int = 3) -> list[int]:
    return [int(value) for value in sum(arrays, np.zeros(width, np.int64))]


def _amounts(arrays: Any) -> dict[str, int]:
    documents, size, _ = _total(arrays)
    return {"documents": documents, "bytes": size}


def _by(tally: Tally, place: int, **where: str) -> dict[str, dict[str, int]]:
    """Documents and bytes kept by one part of the key, for one language or source; the largest first."""
    names = ("language", "source", "licence")
    sums: dict[str, np.ndarray] = {}
    for key, values in tally.select("kept"):
        if all(key[names.index(name)] == value for name, value in where.items()):
            sums[key[place]] = sums.get(key[place], np.zeros(3, np.int64)) + values
    ordered = sorted(sums.items(), key=lambda item: (-int(item[1][1]), item[0]))
    return {name: {"documents": int(values[0]), "bytes": int(values[1])} for name, values in ordered}


def _dropped(tally: Tally, place: int, value: str) -> list[dict[str, Any]]:
    """Drops of a language (place 0) or source (place 1) by stage and reason; the most bytes first."""
    rows = _drop_sums([(key, values) for key, values in tally.select("fate") if key[place] == value])
    return sorted(rows, key=lambda row: (-row["bytes"], row["stage"], row["reason"]))


def _drop_sums(fates: Iterable[tuple[tuple[str, ...], np.ndarray]]) -> list[dict[str, Any]]:
    """Documents and bytes that left, by stage and reason."""
    sums: dict[tuple[str, ...], np.ndarray] = {}
    for key, values in fates:
        if key[2] != KEPT_STAGE:
            sums[key[2:4]] = sums.get(key[2:4], np.zeros(3, np.int64)) + values
    return [
        {"stage": stage, "reason": reason, "documents": int(values[0]), "bytes": int(values[1])}
        for (stage, reason), values in sums.items()
    ]


def _personal_data(tally: Tally, language: str | None, source: str | None) -> dict[str, dict[str, int]]:
    """Findings in kept documents by kind, of one language or source or of all."""
    sums: dict[str, np.ndarray] = {}
    for (of_language, of_source, kind), values in tally.select("personal_data"):
        if language in (None, of_language) and source in (None, of_source):
            sums[kind] = sums.get(kind, np.zeros(2, np.int64)) + values
    return {kind: {"findings": int(values[0]), "documents": int(values[1])} for kind, values in sorted(sums.items())}


def _language(code: str, tally: Tally, plan: Plan, limits: Mapping[str, dict[str, float]]) -> dict[str, Any]:
    natural = plan.languages.natural.get(code)
    kept = _total(values for key, values in tally.select("kept") if key[0] == code)
    return {
        "name": plan.languages.name(code),
        "kind": "programming" if code in plan.languages.programming else "natural",
        "script": natural.script if natural else None,
        "direction": "rtl" if natural and natural.script in RIGHT_TO_LEFT else "ltr",
        "documents": kept[0],
        "bytes": kept[1],
        "bytes_weighted": kept[2],
        "entered": _amounts(values for key, values in tally.select("fate") if key[0] == code),
        "roots_bytes": natural.roots_bytes if natural else None,
        "sources": _by(tally, 1, language=code),
        "licences": _by(tally, 2, language=code),
        "dropped": _dropped(tally, 0, code),
        "personal_data": _personal_data(tally, code, None),
        "declared": {key[1]: int(values[0]) for key, values in tally.select("declared") if key[0] == code},
        "histograms": {
            key[1]: {"counts": values.tolist(), **limits.get(key[1], {})}
            for key, values in tally.select("histogram")
            if key[0] == code
        },
        "excerpts": tally.excerpts.get(code, []),
    }


def _thresholds(plan: Plan) -> dict[str, dict[str, dict[str, float]]]:
    """Language → measure → `min` and `max` that a document must keep to, as far as there are any."""
    quality = plan.recipe.quality
    if not quality.enabled:
        return {}
    resolved, _ = resolve(plan.languages, quality)
    limits = {code: _limits(TEXT_THRESHOLDS, parameters.model_dump()) for code, parameters in resolved.items()}
    code_limits = _limits(CODE_THRESHOLDS, quality.code.model_dump())
    return limits | dict.fromkeys(plan.languages.programming, code_limits)


def _limits(
    thresholds: Iterable[tuple[str, str]], parameters: Mapping[str, float | None]
) -> dict[str, dict[str, float]]:
    limits: dict[str, dict[str, float]] = {}
    for name, measure in thresholds:
        if (limit := parameters[name]) is not None:
            limits.setdefault(measure, {})[name.rsplit("_", 1)[1]] = limit
    return limits


def _add_shares(languages: dict[str, Any], known: Languages, samples: Mapping[str, Any]) -> None:
    """Shares of bytes, of bytes as often as a trainer sees them, of ROOTS, and those aimed at."""
    whole_roots = roots_bytes(known) or 1
    totals = {name: sum(entry[name] for entry in languages.values()) or 1 for name in ("bytes", "bytes_weighted")}
    targets = sum(sample["target"] for sample in samples.values())
    for code, entry in languages.items():
        target = samples.get(code, {}).get("target")
        entry["share"] = entry["bytes"] / totals["bytes"]
        entry["share_weighted"] = entry["bytes_weighted"] / totals["bytes_weighted"]
        entry["roots_share"] = entry["roots_bytes"] / whole_roots if entry["roots_bytes"] else None
        entry["target_bytes"] = target
        entry["target_share"] = target / targets if target is not None and targets else None


def _code(languages: dict[str, Any], known: Languages) -> dict[str, Any]:
    """All programming languages together: of code ROOTS' paper gives only the sum."""
    mine = [entry for entry in languages.values() if entry["kind"] == "programming"]
    names = ("documents", "bytes", "bytes_weighted", "share", "share_weighted")
    sums = {name: sum(entry[name] for entry in mine) for name in names}
    return {**sums, "roots_bytes": known.roots_code_bytes, "roots_share": known.roots_code_bytes / roots_bytes(known)}


def _source(source_id: str, tally: Tally, plan: Plan) -> dict[str, Any]:
    source = plan.source(source_id)
    described = ("title", "kind", "client", "licence", "custodian", "provenance", "consent")
    kept = _total(values for key, values in tally.select("kept") if key[1] == source_id)
    return {
        **{name: getattr(source, name) for name in described},
        "personal_data_note": source.personal_data,
        "documents": kept[0],
        "bytes": kept[1],
        "entered": _amounts(values for key, values in tally.select("fate") if key[1] == source_id),
        "languages": _by(tally, 0, source=source_id),
        "licences": _by(tally, 2, source=source_id),
        "dropped": _dropped(tally, 1, source_id),
        "personal_data": _personal_data(tally, None, source_id),
    }


def _drops(fates: Iterable[tuple[tuple[str, ...], np.ndarray]], examples: list[dict[str, str]]) -> list[dict[str, Any]]:
    """All reasons for which documents left, the most documents first, with examples."""
    rows = sorted(_drop_sums(fates), key=lambda row: (-row["documents"], row["stage"], row["reason"]))
    return [
        {**row, "examples": [each for each in examples if all(each[name] == row[name] for name in ("stage", "reason"))]}
        for row in rows
    ]


def _cluster_histogram(tally: Tally) -> list[dict[str, int]]:
    """Clusters of duplicates by size, counted by the document that was kept of each; sizes double from bin to bin."""
    counts = chain.from_iterable(values.tolist() for _, values in tally.select("clusters"))
    return [
        {"from": 1 << exponent, "to": (2 << exponent) - 1, "clusters": count}
        for exponent, count in enumerate(counts)
        if count
    ]
