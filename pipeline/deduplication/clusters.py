"""Connected components of a graph of duplicates that does not fit in memory, so that each can be decided alone.

Alternating large-star and small-star rounds over files (Kiveris et al., "Connected components in MapReduce and beyond",
2014), which need O(log² n) rounds and as much memory as a round of the exchange. The edges of a component must fit in
the memory of the worker that decides it: see `graph`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from configs.errors import OpenRootsError
from pipeline.deduplication.exchange import Exchange
from pipeline.deduplication.graph import read_edges
from pipeline.deduplication.keys import sort_edges
from pipeline.deduplication.records import (
    EDGE,
    EdgeFile,
    distinct,
    partition_of,
    read_records,
    split,
    spread,
)
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import digest_of
from pipeline.text.hashing import finish64

ROUNDS_MAX = 100
FILES_MIN, FILES_MAX = 16, 4096
FILE_BYTES = 128 << 20
"""Edges of a file of stars, about."""
STARS = "stars-"


@dataclass(frozen=True)
class ReadEdges:
    """Gives the edges of a file, each under one or both of its ends."""

    both: bool

    def __call__(self, file: EdgeFile, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """Records EDGE (end, other end) by partition of the end; of one end only: the larger."""
        edges = file.records()
        left, right = (np.ascontiguousarray(edges[side]) for side in ("left", "right"))
        low, high = np.minimum(left, right), np.maximum(left, right)
        return _by_partition(high, low, self.both, partitions, chosen)


@dataclass(frozen=True)
class Star:
    """One operation on all neighbourhoods of a partition.

    large: neighbours larger than the centre are linked to the smallest of the neighbourhood. small: the smaller
    neighbours and the centre itself are linked to the smallest.
    """

    large: bool
    files: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Records EDGE (document, smaller document) by hash of the document, so that equal ones meet in a file."""
        edges = distinct(np.frombuffer(buffer, EDGE)).view(np.uint64).reshape(-1, 2)
        linked = np.empty((len(edges) * (1 if self.large else 2), 2), np.uint64)
        return _to_files(distinct(linked[: _link(edges, self.large, linked)].view(EDGE).ravel()), self.files)


def _to_files(edges: np.ndarray, files: int) -> Iterator[tuple[str, bytes]]:
    """Records EDGE by file of their first document."""
    left, right = (np.ascontiguousarray(edges[side]) for side in ("left", "right"))
    for number, part in _by_partition(left, right, False, files, range(files)):
        yield f"{STARS}{number:06d}", part


def _by_partition(
    left: np.ndarray, right: np.ndarray, both: bool, partitions: int, chosen: range
) -> Iterator[tuple[int, bytes]]:
    """Records EDGE (left, right), and where asked (right, left), by partition of the first, of the chosen ones."""
    starts = np.zeros(len(chosen) + 1, np.int64)
    _count_edges(left, partitions, chosen.start, starts)
    if both:
        _count_edges(right, partitions, chosen.start, starts)
    np.cumsum(starts, out=starts)
    grouped, to = np.empty((int(starts[-1]), 2), np.uint64), starts[:-1].copy()
    _place_edges(left, right, partitions, chosen.start, grouped, to)
    if both:
        _place_edges(right, left, partitions, chosen.start, grouped, to)
    for number, partition in enumerate(chosen):
        if starts[number] < starts[number + 1]:
            yield partition, grouped[starts[number] : starts[number + 1]].tobytes()


@njit(cache=True, nogil=True, inline="always")
def _partition(number: np.uint64, partitions: np.uint64, first: int) -> int:
    """`partition_of` of a document, counted from `first` on."""
    half = np.uint64(32)
    return int((finish64(number) >> half) * partitions >> half) - first


@njit(cache=True, nogil=True)
def _count_edges(numbers: np.ndarray, partitions: int, first: int, starts: np.ndarray) -> None:
    """Add how many documents are in each chosen partition to what is behind its place."""
    of = np.uint64(partitions)
    for number in numbers:
        partition = _partition(number, of, first)
        if 0 <= partition < len(starts) - 1:
            starts[partition + 1] += 1


@njit(cache=True, nogil=True)
def _place_edges(
    left: np.ndarray, right: np.ndarray, partitions: int, first: int, grouped: np.ndarray, to: np.ndarray
) -> None:
    of = np.uint64(partitions)
    for edge in range(len(left)):
        partition = _partition(left[edge], of, first)
        if 0 <= partition < len(to):
            place = to[partition]
            to[partition] = place + 1
            grouped[place, 0], grouped[place, 1] = left[edge], right[edge]


@njit(cache=True, nogil=True)
def _link(edges: np.ndarray, large: bool, linked: np.ndarray) -> int:
    """Write the links of all neighbourhoods of sorted, distinct edges (centre, neighbour); returns how many."""
    at, to = 0, 0
    while at < len(edges):
        centre = edges[at, 0]
        smallest = min(edges[at, 1], centre)  # neighbours are sorted
        if not large and centre != smallest:
            linked[to, 0], linked[to, 1] = centre, smallest
            to += 1
        while at < len(edges) and edges[at, 0] == centre:
            neighbour = edges[at, 1]
            if neighbour != smallest and (not large or neighbour > centre):
                linked[to, 0], linked[to, 1] = neighbour, smallest
                to += 1
            at += 1
    return to


def star_components(
    engine: Engine, folder: str, edges: Sequence[EdgeFile], key: str, round_bytes: int, parts: int = FILES_MIN
) -> list[str]:
    """Connected components by rounds of pipelines: files of records EDGE (document, smallest of its component).

    `key` tells when the edges change. Every document that has an edge to another has a record, the smallest too; it is
    in the file `stars-N` of its hash, of `parts`, and there records are sorted.
    """
    before: list[str] = []
    files = list(edges)
    for number in range(ROUNDS_MAX):
        for operation in ("large", "small"):
            large = operation == "large"
            exchange = Exchange(
                f"star-{number:03d}-{operation}", {"files": parts}, ReadEdges(large), Star(large, parts), sort_edges,
                files, [key],
            )  # fmt: skip
            size = sum(storage.size_of(file.path) for file in files) * (2 if large else 1)
            # One file a part, whatever the rounds: equal edges must meet.
            done = exchange.run(engine, folder, size, round_bytes)
            files = [EdgeFile(path, False) for path in done.all_files]
        after = [file.path.rsplit("/", 1)[-1] for file in files]  # names hold digests
        if after == before:
            return _with_smallest(engine, folder, [file.path for file in files], key, round_bytes, parts)
        before = after
        key = digest_of([key, after])
    raise OpenRootsError(f"clusters are not complete after {ROUNDS_MAX} rounds; please report this")


def star_parts(edges: Sequence[EdgeFile]) -> int:
    """Files of stars for so many edges."""
    return min(FILES_MAX, max(FILES_MIN, sum(storage.size_of(file.path) for file in edges) // FILE_BYTES))


@dataclass(frozen=True)
class _Identity:
    files: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        return _to_files(np.frombuffer(buffer, EDGE), self.files)


def _read_with_smallest(path: str, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    edges = read_records(path, EDGE)
    own = np.empty(len(edges), EDGE)
    own["left"] = own["right"] = edges["right"]
    both = distinct(np.concatenate([edges, own]))
    left, right = (np.ascontiguousarray(both[side]) for side in ("left", "right"))
    return _by_partition(left, right, False, partitions, chosen)


def _with_smallest(
    engine: Engine, folder: str, files: Sequence[str], key: str, round_bytes: int, parts: int
) -> list[str]:
    """Add the record of each component's smallest document, which stars do not hold."""
    exchange = Exchange(
        "star-final", {"files": parts}, _read_with_smallest, _Identity(parts), sort_edges, files, [key]
    )  # fmt: skip
    return exchange.run(engine, folder, 2 * sum(storage.size_of(path) for path in files), round_bytes).all_files


@dataclass(frozen=True)
class ReadComponents:
    """Gives the edges of a file by component; `files` are those of `star_components`, of `parts`."""

    files: tuple[str, ...]
    parts: int

    def __call__(self, file: EdgeFile, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """Records PAIR by partition of the smallest document of their component."""
        edges = read_edges(file)
        smallest = np.array(edges["left"])  # of a document with no edge but to itself
        by_number = {int(path.rsplit("/", 1)[-1][len(STARS) :][:6]): path for path in self.files}
        where = partition_of(spread(smallest), self.parts)
        for number in np.unique(where).tolist():
            if number in by_number:
                mine = np.flatnonzero(where == number)
                known = np.asarray(read_records(by_number[number], EDGE))
                smallest[mine] = _smallest_of(known["left"], known["right"], edges["left"][mine])
        where = partition_of(spread(smallest), partitions)
        taken = (where >= chosen.start) & (where < chosen.stop)
        for partition, part in split(edges.compress(taken), where[taken]):
            yield partition, part.tobytes()


@njit(cache=True, nogil=True)
def _smallest_of(documents: np.ndarray, smallest: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Of each document `wanted` what `smallest` (uint64) holds beside it in `documents` (sorted), or itself.

    The arrays are views of a mapped file: only the pages that a search touches are read.
    """
    found = wanted.copy()
    for place in range(len(wanted)):
        low, high = 0, len(documents)
        while low < high:
            middle = (low + high) >> 1
            if documents[middle] < wanted[place]:
                low = middle + 1
            else:
                high = middle
        if low < len(documents) and documents[low] == wanted[place]:
            found[place] = smallest[low]
    return found
