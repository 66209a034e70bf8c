"""The graph of duplicates as arrays: documents in the order in which they are decided, and the edges between them.

Memory: 8 bytes an edge and about 40 a document, and 37 for what is told of it in the end. Pairs stay in their files and
are read in chunks, as often as they are needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from configs.errors import OpenRootsError
from pipeline.deduplication.places import CHUNK, Places
from pipeline.deduplication.records import (
    DOCUMENT,
    EDGE,
    FOLLOWS,
    LINK,
    PAIR,
    TIE,
    EdgeFile,
    read_records,
    rows_of,
    shards_of,
)
from pipeline.deduplication.sorting import KEY_BITS, sorted_order
from pipeline.runtime import storage

DOCUMENTS_MAX = 1 << 31
_OTHER = TIE | LINK
Chunk = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of some pairs: left, uint64; right, uint64; matches, uint32."""


def read_edges(file: EdgeFile) -> np.ndarray:
    """Records PAIR of a file of edges; losers and winners become ties."""
    records = file.records()
    return records if file.is_pairs else _ties(records)


def _ties(edges: np.ndarray) -> np.ndarray:
    ties = np.empty(len(edges), PAIR)
    ties["left"], ties["right"], ties["matches"] = edges["left"], edges["right"], TIE
    return ties


class Pairs:
    """Records PAIR of a buffer and of files, in chunks; can be read more than once.

    Local files are mapped one after the other, others are brought here once and kept.
    """

    def __init__(self, buffer: bytes, files: Sequence[EdgeFile]) -> None:
        self._parts: list[np.ndarray | EdgeFile] = [np.frombuffer(buffer, PAIR)]
        self._parts += [file if storage.is_local(file.path) else file.records() for file in files]

    def __iter__(self) -> Iterator[Chunk]:
        for part in self._parts:
            records = part.records() if isinstance(part, EdgeFile) else part
            for start in range(0, len(records), CHUNK):
                some = records[start : start + CHUNK]
                some = _ties(some) if some.dtype == EDGE else some
                left, right, matches = (np.ascontiguousarray(some[name]) for name in ("left", "right", "matches"))
                yield left, right, matches


@dataclass(frozen=True)
class Graph:
    """The documents that have edges, and what is between them. A document's place is that of its number, in order;
    its rank tells when it is decided.

    places   of the documents
    ids      uint64 (n, 2) by place: high and low half
    sources  uint32 (n,) by place: their place among all sources
    rank     int32 (n,) by place
    place    int32 (n,) by rank
    always   how many documents are of finished builds and so are always kept; their ranks are the first
    tie      int32 (n,) by rank: rank of the document whose fate it shares; -1: none
    crowded  bool (n,) by rank: it is in a bucket where not all pairs were compared
    best     bool (n,) by rank: it is the first of such a bucket
    follows  bool (n,) by rank: it was compared with the leaders of such a bucket only
    edges    how many pairs are edges: similar enough, and neither ties nor links
    matches  the fewest and the most equal values of an edge
    pairs    all pairs
    """

    places: Places
    ids: np.ndarray
    sources: np.ndarray
    rank: np.ndarray
    place: np.ndarray
    always: int
    tie: np.ndarray
    crowded: np.ndarray
    best: np.ndarray
    follows: np.ndarray
    edges: int
    matches: tuple[int, int]
    pairs: Pairs

    @classmethod
    def of(cls, pairs: Pairs, documents: Sequence[str], sources: Sequence[Sequence[int]]) -> "Graph":
        """The graph of pairs.

        `documents` are files of records DOCUMENT by position of the shard, `sources` the place among all sources of
        each source of the shard. Raises OpenRootsError where documents are too many for one worker.
        """
        places = Places.of(pairs)
        count = len(places)
        if count >= DOCUMENTS_MAX:
            raise OpenRootsError(
                f"{count} documents have duplicates, more than the {DOCUMENTS_MAX} that one worker can decide: "
                "lower in_memory_edges_max of [deduplication]"
            )
        ids, kind = np.empty((count, 2), np.uint64), np.empty(count, np.uint32)
        place, always = _ranked(places, documents, sources, ids, kind)
        rank = np.empty(count, np.int32)
        rank[place] = np.arange(count, dtype=np.int32)
        tie, flags = np.full(count, -1, np.int32), np.zeros((3, count), bool)
        crowded, best, follows = flags
        edges, least, most = _note(pairs, places, rank, tie, crowded, best, follows)
        return cls(places, ids, kind, rank, place, always, tie, crowded, best, follows, edges, (least, most), pairs)

    @property
    def _bits(self) -> tuple[int, int]:
        """Of keys of edges: how many hold a rank, and how many equal values."""
        least, most = self.matches
        return max(len(self.rank) - 1, 1).bit_length(), (most - least).bit_length()

    def grouped(self) -> Iterator["Edges"]:
        """All edges, those of the first documents first; at once where their keys have the bits to tell them apart."""
        rank_bits, matches_bits = self._bits
        span = 1 << min(KEY_BITS - rank_bits - matches_bits, rank_bits)
        buffer = np.empty(self.edges, np.uint64)
        for start in range(0, len(self.rank), span):
            stop, to = min(start + span, len(self.rank)), 0
            for chunk in self.pairs:
                keys = self._keys(chunk, start, stop)
                buffer[to : to + len(keys)] = keys
                to += len(keys)
            buffer[:to].sort()
            yield Edges(buffer[:to], start, stop, rank_bits, matches_bits, self.matches[0])

    def _keys(self, chunk: Chunk, start: int, stop: int) -> np.ndarray:
        """Keys of the edges of documents of ranks `start` to `stop`, as they come."""
        left, right, matches = chunk
        is_other = (matches & _OTHER) != 0
        if is_other.any():
            left, right, matches = left[~is_other], right[~is_other], matches[~is_other]
        # Twice as fast as a loop that looks up both: reads of memory that do not wait for one another.
        one, other = (self.rank.take(self.places.find(side)) for side in (left, right))
        rank_bits, matches_bits = self._bits
        worse = np.maximum(one, other)
        keys = (worse - start).astype(np.uint64) << np.uint64(rank_bits + matches_bits)
        keys |= np.minimum(one, other).astype(np.uint64) << np.uint64(matches_bits)
        keys |= matches - np.uint32(self.matches[0])
        if stop - start < len(self.rank):
            keys = keys[(worse >= start) & (worse < stop)]
        return keys


@dataclass(frozen=True)
class Edges:
    """The edges of documents of ranks `start` to `stop` to those before them.

    keys, uint64, sorted: rank of the document - `start`, then in `rank_bits` that of the other, then in `matches_bits`
    the equal values of their signatures - `least`.
    """

    keys: np.ndarray
    start: int
    stop: int
    rank_bits: int
    matches_bits: int
    least: int


def _ranked(
    places: Places, documents: Sequence[str], sources: Sequence[Sequence[int]], ids: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, int]:
    """Places by rank, and how many documents are always kept; sets ids and sources."""
    priority, length = np.empty(len(ids), np.uint32), np.empty(len(ids), np.uint64)
    for first, numbers in places.chunks():
        for position, mine in shards_of(numbers):
            known = np.asarray(read_records(documents[position], DOCUMENT)).take(rows_of(numbers[mine]))
            to = slice(first + mine.start, first + mine.stop)
            priority[to], length[to] = known["priority"], known["length"]
            ids[to, 0], ids[to, 1] = known["id_high"], known["id_low"]
            kind[to] = np.array(sources[position], np.uint32).take(known["source"])
    np.invert(length, out=length)
    order = sorted_order([priority, length, ids[:, 0], ids[:, 1]])
    return order.view(np.int32), int(np.count_nonzero(priority == 0))


def _note(
    pairs: Pairs,
    places: Places,
    rank: np.ndarray,
    tie: np.ndarray,
    crowded: np.ndarray,
    best: np.ndarray,
    follows: np.ndarray,
) -> tuple[int, int, int]:
    """Set what pairs tell that are no edges; the number of edges, their fewest and most equal values."""
    count, least, most = 0, int(_OTHER), 0
    for left, right, matches in pairs:
        is_other = (matches & _OTHER) != 0
        if is_other.any():
            kind = matches[is_other]
            a, b = (rank[places.find(side[is_other])] for side in (left, right))
            is_tie = (kind & TIE) != 0
            tie[a[is_tie]] = b[is_tie]
            is_link = (kind & LINK) != 0
            best[a[is_link]] = crowded[a[is_link]] = crowded[b[is_link]] = True
            follows[b[(kind & FOLLOWS) != 0]] = True
            matches = matches[~is_other]
        if len(matches):
            count, least, most = count + len(matches), min(least, int(matches.min())), max(most, int(matches.max()))
    return count, min(least, most), most
