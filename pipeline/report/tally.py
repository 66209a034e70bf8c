"""Sums over a finished corpus, taken file by file and merged: what `statistics.json` is made of.

A tally is small whatever the corpus, and merging is associative and commutative, so that files can be counted in any
order, in one process or as Beam's map and combine.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.reasons import LANGUAGE_MISMATCH
from pipeline.runtime import storage
from pipeline.runtime.shards import EXCERPT_CHARACTERS, coarse, excerpt, open_shard
from pipeline.text.columns import decode, distinct_values, grouped, hex_ids, text_buffers

EXCERPTS = 2
LARGEST_CLUSTERS = 10
CLUSTER_BINS = 24

LEDGER_COLUMNS = ("source", "language", "bytes", "bytes_kept", "stage", "reason", "language_identified")


@dataclass(frozen=True)
class Bins:
    """Equal bins of a histogram, on a linear or a logarithmic scale. What lies outside counts in the outermost."""

    low: float
    high: float
    count: int = 40
    log: bool = False

    @cached_property
    def edges(self) -> np.ndarray:
        """Borders of the bins, float64 (count + 1,)."""
        if self.log:
            return np.geomspace(self.low, self.high, self.count + 1)
        return np.linspace(self.low, self.high, self.count + 1)

    def counted(self, values: np.ndarray) -> np.ndarray:
        """How many values lie in each bin, int64 (count,). A value on a border belongs to the bin above it."""
        places = np.searchsorted(self.edges[1:-1], values, side="right")
        return np.bincount(places, minlength=self.count).astype(np.int64)


BINS: dict[str, Bins] = {
    "bytes": Bins(2**4, 2**24, log=True),
    "language_score": Bins(0, 1),
    "words": Bins(1, 2**20, log=True),
    "character_repetition": Bins(0, 1, count=80),
    "word_repetition": Bins(0, 1, count=80),
    "special_characters": Bins(0, 1, count=80),
    "running_text": Bins(0, 1),
    "letter_order": Bins(-1, 2, count=60),
    "closed_class_words": Bins(0, 1),
    "flagged_words": Bins(0, 0.1, count=80),
    "perplexity": Bins(10, 100_000, log=True),
    "characters": Bins(2**4, 2**24, log=True),
    "longest_line": Bins(1, 2**20, log=True),
    "non_word_characters": Bins(0, 1),
    "token_length_deviation": Bins(0, 16),
}
"""Scales of the measures; `bytes` is the length of a text."""


@dataclass
class Tally:
    """Counts under keys, a few excerpts, the largest clusters, and the files they were taken from.

    Keys of `counts` and what their int64 arrays hold:
    ("kept", language, source, licence)           documents, bytes, bytes × epochs
    ("declared", language, declared language)     documents
    ("personal_data", language, source, kind)     findings, documents that had some
    ("histogram", language, measure)              documents a bin (`BINS`)
    ("clusters",)                                 kept documents by ⌊log₂ cluster size⌋
    ("fate", language, source, stage, reason)     documents, bytes on entering, bytes kept
    ("mismatch", declared, identified)            documents
    """

    counts: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict)
    excerpts: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    largest: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, key: tuple[str, ...], values: Any) -> None:
        """Add an array of counts under a key."""
        array = np.asarray(values, np.int64)
        self.counts[key] = self.counts[key] + array if key in self.counts else array

    def add_excerpts(self, language: str, found: list[dict[str, str]]) -> None:
        """Keep the excerpts of smallest id: a choice that does not depend on order."""
        both = self.excerpts.get(language, []) + found
        self.excerpts[language] = sorted(both, key=lambda excerpt: excerpt["id"])[:EXCERPTS]

    def add_largest(self, found: list[dict[str, Any]]) -> None:
        """Keep the largest clusters, those of equal size by id."""
        both = self.largest + found
        self.largest = sorted(both, key=lambda cluster: (-cluster["size"], cluster["id"]))[:LARGEST_CLUSTERS]

    def as_json(self) -> dict[str, Any]:
        """The tally as lists and dicts."""
        counts = [[list(key), values.tolist()] for key, values in sorted(self.counts.items())]
        return {"counts": counts, "excerpts": self.excerpts, "largest": self.largest, "files": self.files}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Tally":
        """Undo `as_json`."""
        counts = {tuple(key): np.array(values, np.int64) for key, values in data["counts"]}
        return cls(counts, data["excerpts"], data["largest"], data["files"])

    def select(self, kind: str) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
        """Keys (without their first part) and counts of one kind, sorted."""
        for key in sorted(key for key in self.counts if key[0] == kind):
            yield key[1:], self.counts[key]


def merge(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies."""
    whole = Tally()
    for tally in tallies:
        for key, values in tally.counts.items():
            whole.add(key, values)
        for language, excerpts in tally.excerpts.items():
            whole.add_excerpts(language, excerpts)
        whole.add_largest(tally.largest)
        whole.files.update(tally.files)
    return whole


def tally_file(output: str, path: str) -> Tally:
    """Count one file of a corpus; `path` is relative to the folder `output`: a shard of `data` or a ledger part."""
    tally = Tally()
    full = storage.join(output, path)
    storage.bring(full)
    if path.startswith("data/"):
        with open_shard(full, mapped=False) as batches:
            for batch, texts in coarse(batches):
                _count_shard(batch, texts, tally)
    else:
        fs, inner = storage.filesystem(full)
        with fs.open(inner, "rb") as stream:
            for batch in pq.ParquetFile(stream).iter_batches(columns=list(LEDGER_COLUMNS)):
                _count_ledger(batch, tally)
    tally.files[path] = _checksum(full)
    return tally


def _checksum(path: str) -> dict[str, Any]:
    """SHA-256, which Croissant asks for, and size of a file."""
    digest = hashlib.sha256()
    size = storage.hash_file(path, digest)
    return {"sha256": digest.hexdigest(), "bytes": size}


def _count_shard(batch: pa.RecordBatch, texts: Sequence[pa.Array], tally: Tally) -> None:
    """Count documents without their `text`, which are in `texts`, in pieces."""
    sizes = np.concatenate([np.diff(text_buffers(piece.cast(pa.large_string()))[0]) for piece in texts])
    weighted = sizes * batch["epochs"].to_numpy()
    for key, sums in _grouped(batch, ["language", "source", "licence"], [sizes, weighted]):
        tally.add(("kept", *key), sums)
    for key, sums in _grouped(batch, ["language", "language_declared"]):
        tally.add(("declared", *key), sums)
    _count_personal_data(batch, tally)
    languages, places = distinct_values(batch["language"])
    for number, language in enumerate(languages):
        rows = np.flatnonzero(places == number)
        mine = batch if len(rows) == batch.num_rows else batch.take(pa.array(rows))
        _count_measures(mine, sizes[rows], str(language), tally)
        tally.add_excerpts(str(language), _excerpts(batch, texts, rows))
    _count_clusters(batch, texts, tally)


def _grouped(
    batch: pa.RecordBatch, keys: list[str], amounts: Sequence[np.ndarray] = ()
) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """Rows and sums of amounts by the columns `keys`."""
    for key, sums in grouped([batch[name] for name in keys], amounts):
        yield tuple(value or "" for value in key), sums


def _count_personal_data(batch: pa.RecordBatch, tally: Tally) -> None:
    kinds, amounts = [], []
    for name in batch.schema.names:
        if name.startswith("pii_"):
            found = pc.fill_null(batch[name], 0).to_numpy().astype(np.int64)
            if found.any():
                kinds.append(name.removeprefix("pii_").upper())
                amounts += [found, (found > 0).astype(np.int64)]
    for (language, source), sums in _grouped(batch, ["language", "source"], amounts):
        for place, kind in enumerate(kinds):
            findings = sums[1 + 2 * place : 3 + 2 * place]
            if findings[0]:
                tally.add(("personal_data", language, source, kind), findings)


def _count_measures(batch: pa.RecordBatch, sizes: np.ndarray, language: str, tally: Tally) -> None:
    for name, bins in BINS.items():
        if name == "bytes":
            values = sizes
        elif name in batch.schema.names:
            values = batch[name].drop_null().to_numpy(zero_copy_only=False)
        else:
            continue
        if len(values):
            numbers = values.astype(np.float64)
            tally.add(("histogram", language, name), bins.counted(numbers[~np.isnan(numbers)]))


def _excerpts(batch: pa.RecordBatch, texts: Sequence[pa.Array], rows: np.ndarray) -> list[dict[str, str]]:
    ids = hex_ids(batch["id"].take(pa.array(rows))).to_pylist()
    first = sorted(range(len(ids)), key=ids.__getitem__)[:EXCERPTS]
    return [
        {
            "id": ids[place],
            **{name: batch[name][int(rows[place])].as_py() for name in ("source", "licence", "uri")},
            "excerpt": excerpt(texts, int(rows[place]), EXCERPT_CHARACTERS),
        }
        for place in first
    ]


def _count_clusters(batch: pa.RecordBatch, texts: Sequence[pa.Array], tally: Tally) -> None:
    sizes = pc.fill_null(batch["cluster_size"], 1).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(sizes > 1)
    if not len(rows):
        return
    exponents = np.minimum(np.log2(sizes[rows]).astype(np.int64), CLUSTER_BINS - 1)
    tally.add(("clusters",), np.bincount(exponents, minlength=CLUSTER_BINS))
    ids = batch["id"]
    first = sorted(rows.tolist(), key=lambda row: (-int(sizes[row]), ids[row].as_py()))[:LARGEST_CLUSTERS]
    tally.add_largest([_cluster(batch, texts, row, int(sizes[row])) for row in first])


def _cluster(batch: pa.RecordBatch, texts: Sequence[pa.Array], row: int, size: int) -> dict[str, Any]:
    start = excerpt(texts, row, EXCERPT_CHARACTERS)
    fields = {name: batch[name][row].as_py() for name in ("source", "language", "uri")}
    return {"id": hex_ids(batch["id"].slice(row, 1))[0].as_py(), "size": size, **fields, "excerpt": start}


def _count_ledger(batch: pa.RecordBatch, tally: Tally) -> None:
    amounts = [batch[name].to_numpy() for name in ("bytes", "bytes_kept")]
    for key, sums in _grouped(batch, ["language", "source", "stage", "reason"], amounts):
        tally.add(("fate", *key), sums)
    if "language_identified" not in batch.schema.names:  # an earlier version wrote the ledger
        return
    mismatched = batch.filter(pc.equal(decode(batch["reason"]), LANGUAGE_MISMATCH))
    for key, sums in _grouped(mismatched, ["language", "language_identified"]):
        tally.add(("mismatch", *key), sums)
