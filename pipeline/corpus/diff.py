"""What changed from one corpus to another: which documents came, which went, and why; by language and by source."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import reading

COLUMNS = ("id", "source", "language", "bytes", "bytes_kept", "decision", "stage", "reason")
ROWS_AT_ONCE = 20_000_000
"""Of a ledger; larger ones are compared in parts, by the first digits of ids."""

KEPT, DROPPED, ABSENT = "kept", "dropped", "absent"
_IGNORED = ("phases", "digest", "languages", "stages", "drops", "samples", "problems", "problems_unnamed", "takedowns")


def diff(before: str, after: str) -> dict[str, Any]:
    """Compare two corpora (any fsspec path) by their ledgers. Raises InputError.

    `changes` has a row for each way in which documents changed: language and source (as `after` has them), `was` and
    `is` (`kept`, `dropped: STAGE: REASON` or `absent`), documents, bytes (kept, before and after). `documents` sums up:
    came, went, stayed, changed (kept in both with other text or language). `settings` are keys of the recipe,
    sources and versions that differ.
    """
    manifests = [reading.read_manifest(corpus) for corpus in (before, after)]
    entered = max((manifest["stages"][0]["documents_in"] if manifest["stages"] else 0) for manifest in manifests)
    parts = max(1, -(-int(entered) // ROWS_AT_ONCE))
    sums: dict[tuple[str, str, str, str], np.ndarray] = {}
    totals = dict.fromkeys(("came", "went", "stayed", "changed"), 0)
    for part in range(parts):
        for key, amounts, counts in _compare(*(_ledger(corpus, part, parts) for corpus in (before, after))):
            sums[key] = sums.get(key, np.zeros(3, np.int64)) + amounts
            for name, count in counts.items():
                totals[name] += count
    names = ("language", "source", "was", "is")
    changes = [
        {**dict(zip(names, key, strict=True)), "documents": int(n), "bytes_before": int(a), "bytes_after": int(b)}
        for key, (n, a, b) in sorted(sums.items(), key=lambda item: (-int(item[1][0]), item[0]))
        if key[2] != key[3]
    ]
    return {
        "before": {"corpus": before, "digest": manifests[0]["digest"]},
        "after": {"corpus": after, "digest": manifests[1]["digest"]},
        "documents": totals,
        "by_language": _grouped(changes, "language"),
        "by_source": _grouped(changes, "source"),
        "changes": changes,
        "settings": list(_settings(_flat(manifests[0]), _flat(manifests[1]))),
    }


def _ledger(corpus: str, part: int, parts: int) -> dict[str, Any]:
    """A part of a ledger as columns, sorted by id: of rows with the same id the one that is kept."""
    batches = []
    for batch in reading.ledger_batches(corpus, COLUMNS):
        if parts > 1:
            first = np.array([int(name[:4], 16) for name in batch["id"].to_pylist()])
            batch = batch.filter(pa.array(first * parts // 65536 == part))
        fate = pc.if_else(
            pc.equal(batch["decision"], KEPT),
            KEPT,
            pc.binary_join_element_wise(f"{DROPPED}: ", batch["stage"], ": ", batch["reason"], ""),
        )
        encoded = {name: pc.dictionary_encode(batch[name]) for name in ("source", "language")}
        sizes = {name: batch[name] for name in ("bytes", "bytes_kept")}
        batches.append(pa.table({**encoded, "fate": pc.dictionary_encode(fate), **sizes, "id": batch["id"]}))
    if not batches:
        return {"ids": np.zeros(0, "S16"), "codes": np.zeros((0, 3), np.int32), "values": [[]] * 3, "kept": np.zeros(0)}
    table = pa.concat_tables(batches).unify_dictionaries().combine_chunks()
    ids = reading.packed_ids(_chunk(table["id"]))
    columns = [_chunk(table[name]) for name in ("language", "source", "fate")]
    values = [column.dictionary.to_pylist() for column in columns]
    codes = np.stack([column.indices.to_numpy() for column in columns], 1)
    dropped = np.array([value != KEPT for value in values[2]])[codes[:, 2]]
    order = np.lexsort([dropped, ids])
    order = order[np.concatenate([[True], ids[order][1:] != ids[order][:-1]])] if len(order) else order
    kept = _chunk(table["bytes_kept"]).to_numpy()
    return {"ids": ids[order], "codes": codes[order], "values": values, "kept": kept[order]}


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _compare(
    a: dict[str, Any], b: dict[str, Any]
) -> Iterator[tuple[tuple[str, str, str, str], np.ndarray, dict[str, int]]]:
    """Ways in which documents changed: (language, source, was, is), [documents, bytes before, bytes after], totals."""
    everywhere = np.union1d(a["ids"], b["ids"])
    rows = [np.full(len(everywhere), -1, np.int64) for _ in range(2)]
    for place, ledger in enumerate((a, b)):
        rows[place][np.searchsorted(everywhere, ledger["ids"])] = np.arange(len(ledger["ids"]))
    codes = [_taken(ledger["codes"], r, -1) for r, ledger in zip(rows, (a, b), strict=True)]
    kept = [_taken(ledger["kept"], r, 0) for r, ledger in zip(rows, (a, b), strict=True)]
    both = np.concatenate([*codes, np.array(kept[0] != kept[1])[:, None]], 1)
    distinct, inverse = np.unique(both, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    counts = np.bincount(inverse, minlength=len(distinct))
    before, after = (np.bincount(inverse, weights=size, minlength=len(distinct)).astype(np.int64) for size in kept)
    for row, (code, count) in enumerate(zip(distinct.tolist(), counts.tolist(), strict=True)):
        said = [_said(ledger, code[3 * place : 3 * place + 3]) for place, ledger in enumerate((a, b))]
        language, source, _ = said[1] or said[0] or (ABSENT, ABSENT, ABSENT)
        was, now = (each[2] if each else ABSENT for each in said)
        changed = was == now == KEPT and (code[6] != 0 or bool(said[0] and said[0][0] != language))
        totals = {
            "came": count * (was != KEPT and now == KEPT),
            "went": count * (was == KEPT and now != KEPT),
            "stayed": count * (was == now == KEPT and not changed),
            "changed": count * changed,
        }
        if changed:
            now = f"{KEPT}, changed"
        yield (language, source, was, now), np.array([count, before[row], after[row]]), totals


def _taken(values: np.ndarray, rows: np.ndarray, absent: int) -> np.ndarray:
    """Values by row; `absent` where the row is -1."""
    out = np.full((len(rows), *values.shape[1:]), absent, np.int64)
    out[rows >= 0] = values[rows[rows >= 0]]
    return out


def _said(ledger: dict[str, Any], code: list[int]) -> tuple[str, str, str] | None:
    if code[0] < 0:
        return None
    language, source, fate = (ledger["values"][place][number] for place, number in enumerate(code))
    return language, source, fate


def _grouped(changes: list[dict[str, Any]], name: str) -> dict[str, dict[str, int]]:
    """Documents and bytes that came and went, by language or source."""
    groups: dict[str, dict[str, int]] = {}
    for change in changes:
        came, went = change["is"] == KEPT, change["was"] == KEPT and change["is"] != f"{KEPT}, changed"
        if came or went:
            names = ("came", "went", "bytes_came", "bytes_went")
            group = groups.setdefault(change[name], dict.fromkeys(names, 0))
            group["came" if came else "went"] += change["documents"]
            group["bytes_came" if came else "bytes_went"] += change["bytes_after" if came else "bytes_before"]
    return dict(sorted(groups.items()))


def _flat(manifest: dict[str, Any]) -> dict[str, Any]:
    """Settings as `recipe.quality.enabled` → value; sources by their ids."""
    flat: dict[str, Any] = {}
    sources = {source["id"]: source for source in manifest["sources"]}
    stack: list[tuple[str, Any]] = [
        ("", {**{k: v for k, v in manifest.items() if k not in _IGNORED}, "sources": sources})
    ]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict) and value:
            stack += [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
        else:
            flat[path] = value
    return flat


def _settings(before: dict[str, Any], after: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name):
            yield {"setting": name, "before": before.get(name), "after": after.get(name)}
