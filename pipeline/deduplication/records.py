"""What deduplication keeps on disk and shuffles: packed records of fixed size, little-endian, never objects.

A document's number (`node`) is the position of its shard << 32 | its row there. Files hold one kind of record each, so
that a worker maps them into memory and takes the slice it needs.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import xxhash

from pipeline.deduplication.sorting import KEY_BITS, Packing, sorted_order
from pipeline.runtime import storage
from pipeline.text.hashing import finish64

DOCUMENT = np.dtype(
    [
        ("alive", "u1"),  # survived the decisions so far
        ("mode", "u1"),  # how it is cut into tokens: WORDS, CHARACTERS, CODE
        ("source", "<u4"),  # its place among the sources of its shard
        ("priority", "<u4"),  # 0: of a finished build, which always wins; else 1 + the source's
        ("length", "<u8"),  # UTF-8 bytes
        ("id_high", "<u8"),
        ("id_low", "<u8"),
        ("exact_high", "<u8"),
        ("exact_low", "<u8"),
    ]
)
"""One for every row of a shard."""

RANKED = np.dtype(
    [
        ("key_high", "<u8"),
        ("key_low", "<u8"),
        ("priority", "<u4"),
        ("length", "<u8"),
        ("id_high", "<u8"),
        ("id_low", "<u8"),
        ("node", "<u8"),
    ]
)
"""A document with the key it is grouped by and all that decides which of a group is kept."""

EDGE = np.dtype([("left", "<u8"), ("right", "<u8")])
"""Two documents that belong together; for losers, the loser and the document that wins over it."""

LOSER = np.dtype([("row", "<u8"), ("shard", "<u4"), ("winner", "<u8")])
"""A loser and its winner as they are shuffled."""

PAIR = np.dtype([("left", "<u8"), ("right", "<u8"), ("matches", "<u4")])
"""Two documents and the number of equal values of their signatures, or what else there is between them: see below."""
TIE = np.uint32(1 << 31)
"""Equal ids or equal texts: `left` shares the fate of `right`."""
LINK = np.uint32(1 << 30)
"""Members of a crowded bucket, where not every pair was compared. Says nothing about how similar they are."""
FOLLOWS = np.uint32(1 << 29)
"""With LINK: `right` was compared with the leaders of its bucket only, and is no leader itself."""

BAND = np.dtype([("hash", "<u8"), ("row", "<u4")])
KEYED = np.dtype([("hash", "<u8"), ("node", "<u8")])
LINE = np.dtype([("source", "<u4"), ("hash", "<u8"), ("count", "<u4")])
CUT = np.dtype([("row", "<u4"), ("bytes", "<u8"), ("nothing_left", "u1")])
MEMBER = np.dtype(
    [
        ("node", "<u8"),
        ("fate", "u1"),  # KEPT, DROPPED or EMPTIED
        ("kept_high", "<u8"),
        ("kept_low", "<u8"),
        ("kept_source", "<u4"),  # its place among all sources
        ("similarity", "<f4"),  # estimated Jaccard with the document kept; 0: dropped for an equal id or text
        ("size", "<u4"),  # documents of the cluster: the document kept and those dropped for it
    ]
)
"""What became of a document that has duplicates, and the document kept of them."""
KEPT, DROPPED, EMPTIED = 0, 1, 2
"""EMPTIED: the document that wins over it lost all its lines as recurring ones."""

CLUSTERS = np.dtype([("size", "<u4"), ("count", "<u8"), ("id_high", "<u8"), ("id_low", "<u8")])
"""Count of clusters of a size, or (count 0) a large cluster and the id of the document kept."""


@dataclass(frozen=True)
class EdgeFile:
    """A file of edges: records PAIR, or records EDGE of losers and winners."""

    path: str
    is_pairs: bool

    def records(self) -> np.ndarray:
        """Its records, as they are."""
        return read_records(self.path, PAIR if self.is_pairs else EDGE)


@dataclass(frozen=True)
class Shard:
    """A shard as the steps see it: its place in the order of shards, and the files that tell of it."""

    position: int
    documents: str
    count: int


def read_records(path: str, dtype: np.dtype) -> np.ndarray:
    """All records of a file; memory-mapped where it is local."""
    fs, inner = storage.filesystem(path)
    if not storage.is_local(path):
        return np.frombuffer(fs.cat_file(inner), dtype)
    if fs.size(inner) == 0:
        return np.zeros(0, dtype)
    return np.memmap(inner, dtype, mode="r")


@dataclass(frozen=True)
class Span:
    """Hashes from `first` to `last`, both of them in it."""

    first: int
    last: int

    @classmethod
    def part(cls, number: int, parts: int) -> "Span":
        """One of equal parts of all hashes."""
        return cls((number << 64) // parts, ((number + 1 << 64) // parts) - 1)


HASHES = Span.part(0, 1)


def read_span(path: str, dtype: np.dtype, rows: range, span: Span) -> np.ndarray:
    """Those records of `rows` of a file, sorted by their field `hash`, whose hash is in a span.

    Hashes are spread evenly, so that where a span lies is known nearly, and one read fetches it.
    """
    if span == HASHES and rows.start == 0:
        return read_records(path, dtype)[: rows.stop]
    begin, end = (len(rows) * border >> 64 for border in (span.first, span.last + 1))
    margin = 4 * math.isqrt(len(rows)) + 1  # eight times the deviation
    while True:
        begin, end = max(begin - margin, 0), min(end + margin, len(rows))
        records = _read_rows(path, dtype, rows[begin:end])
        hashes = np.ascontiguousarray(records["hash"])
        before = begin > 0 and (not len(hashes) or int(hashes[0]) >= span.first)
        after = end < len(rows) and (not len(hashes) or int(hashes[-1]) <= span.last)
        if not before and not after:
            borders = (
                np.searchsorted(hashes, np.uint64(span.first)),
                np.searchsorted(hashes, np.uint64(span.last), "right"),
            )
            return records[slice(*borders)]
        margin *= 4


def _read_rows(path: str, dtype: np.dtype, rows: range) -> np.ndarray:
    if storage.is_local(path) or not rows:
        return read_records(path, dtype)[rows.start : rows.stop]
    fs, inner = storage.filesystem(path)
    return np.frombuffer(fs.cat_file(inner, start=rows.start * dtype.itemsize, end=rows.stop * dtype.itemsize), dtype)


def read_all(paths: Sequence[str], dtype: np.dtype) -> np.ndarray:
    """Records of several files, one behind the other."""
    return np.concatenate([read_records(path, dtype) for path in paths]) if paths else np.zeros(0, dtype)


def content_digest(paths: Sequence[str]) -> str:
    """xxh3-128 over the contents of files; for small ones."""
    digest = xxhash.xxh3_128()
    for path in paths:
        content = read_records(path, np.dtype("u1"))
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(memoryview(content))  # type: ignore[arg-type]
    return digest.hexdigest()


def nodes(positions: int | np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Numbers of documents, uint64, from the positions of their shards, or of one, and their rows there."""
    return np.uint64(positions) << np.uint64(32) | rows.astype(np.uint64)


def rows_of(numbers: np.ndarray) -> np.ndarray:
    """Rows, int64, of document numbers."""
    return (numbers & np.uint64(0xFFFFFFFF)).astype(np.int64)


def shards_of(numbers: np.ndarray) -> list[tuple[int, slice]]:
    """The positions of the shards of sorted document numbers, and which of the numbers are in each."""
    positions = (numbers >> np.uint64(32)).astype(np.int64)
    borders = np.flatnonzero(np.diff(positions)) + 1
    return [(int(positions[at]), slice(at, to)) for at, to in _spans(borders, len(numbers))]


def partition_of(hashes: np.ndarray, partitions: int) -> np.ndarray:
    """Partition of evenly spread 64-bit hashes, int64: equal ranges, in order."""
    return ((hashes >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.int64)


def spread(numbers: np.ndarray) -> np.ndarray:
    """Document numbers as evenly spread 64-bit hashes (finaliser of MurmurHash3)."""
    mixed: np.ndarray = finish64.py_func(numbers)  # a whole array at once
    return mixed


def split(records: np.ndarray, groups: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Records by group number, groups in order, records of a group in theirs."""
    small = len(groups) > 0 and groups.min() >= 0 and groups.max() < 1 << 16
    order = np.argsort(groups.astype(np.uint16) if small else groups, kind="stable")  # of 16 bits: without comparing
    groups, records = groups[order], records.take(order)  # many times as fast as records[order]
    borders = np.flatnonzero(np.diff(groups)) + 1
    return [(int(groups[at]), records[at:to]) for at, to in _spans(borders, len(groups))]


def _spans(borders: np.ndarray, end: int) -> list[tuple[int, int]]:
    edges = [0, *borders.tolist(), end]
    return [(at, to) for at, to in itertools.pairwise(edges) if at < to]


def id_numbers(ids: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """High and low half, uint64, of ids (binary(16)): numbers that order as the bytes do."""
    words = np.frombuffer(ids.buffers()[1], ">u8").reshape(-1, 2)[ids.offset : ids.offset + len(ids)]
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def id_bytes(high: np.ndarray, low: np.ndarray) -> bytes:
    """Ids as bytes, 16 a document: the reverse of `id_numbers`."""
    return np.stack([np.atleast_1d(high), np.atleast_1d(low)], axis=1).astype(">u8").tobytes()


def validity(valid: np.ndarray) -> pa.Buffer:
    """The bitmap by which Arrow knows nulls, from bool (n,)."""
    return pa.py_buffer(np.packbits(valid, bitorder="little"))


def distinct(records: np.ndarray) -> np.ndarray:
    """Records without doubles, sorted by their fields in order; many times as fast as `np.unique`."""
    if len(records) < 2:
        return records
    names = records.dtype.names
    assert names is not None
    columns = [records[name] for name in names]
    packing = Packing.of(columns)
    if packing.bits <= KEY_BITS:
        keys = packing.pack(columns)
        keys.sort()
        return packing.unpack(keys[np.r_[True, keys[1:] != keys[:-1]]], records.dtype)
    records = records.take(sorted_order(columns))
    is_new = np.zeros(len(records), bool)
    is_new[0] = True
    for name in names:
        is_new[1:] |= records[name][1:] != records[name][:-1]
    return records.compress(is_new)


def best_first(records: np.ndarray, *keys: str) -> np.ndarray:
    """Records (with the fields of RANKED) sorted by `keys`, then from the one that is kept downwards.

    Kept is what has the lowest source priority, then the greatest length, then the smallest id; the number of the
    document decides between equal ids.
    """
    columns = [records[key] for key in (*keys, "priority")]
    columns += [~records["length"], *(records[key] for key in ("id_high", "id_low", "node"))]
    return records.take(sorted_order(columns))
