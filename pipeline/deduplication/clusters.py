"""Connected components of a graph of duplicates that does not fit in memory, so that each can be decided alone.

Alternating large-star and small-star rounds over files (Kiveris et al., "Connected components in MapReduce and beyond",
2014), which need O(log² n) rounds and as much memory as a round of the exchange. The edges of a component must fit in
the memory of the worker that decides it: about 100 bytes an edge.
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
    PAIR,
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
        edges = read_records(file.path, PAIR if file.is_pairs else EDGE)
        low = np.minimum(edges["left"], edges["right"])
        high = np.maximum(edges["left"], edges["right"])
        directed = np.empty(len(edges) * (2 if self.both else 1), EDGE)
        directed["left"][: len(edges)], directed["right"][: len(edges)] = high, low
        if self.both:
            directed["left"][len(edges) :], directed["right"][len(edges) :] = low, high
        where = partition_of(spread(directed["left"]), partitions)
        mine = (where >= chosen.start) & (where < chosen.stop)
        for partition, part in split(directed[mine], where[mine]):
            yield partition, part.tobytes()


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
        edges = distinct(np.frombuffer(buffer, EDGE))
        first = np.flatnonzero(np.r_[True, np.diff(edges["left"]) != 0])
        group = np.cumsum(np.r_[True, np.diff(edges["left"]) != 0]) - 1
        centres = edges["left"][first]
        smallest = np.minimum(edges["right"][first], centres)  # neighbours are sorted
        linked = np.empty(len(edges), EDGE)
        linked["left"], linked["right"] = edges["right"], smallest[group]
        if self.large:
            linked = linked[edges["right"] > edges["left"]]
        else:
            own = np.empty(len(centres), EDGE)
            own["left"], own["right"] = centres, smallest
            linked = np.concatenate([linked, own])
        linked = distinct(linked[linked["left"] != linked["right"]])
        for number, part in split(linked, partition_of(spread(linked["left"]), self.files)):
            yield f"{STARS}{number:06d}", part.tobytes()


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
        edges = np.frombuffer(buffer, EDGE)
        for number, part in split(edges, partition_of(spread(edges["left"]), self.files)):
            yield f"{STARS}{number:06d}", part.tobytes()


def _read_with_smallest(path: str, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    edges = read_records(path, EDGE)
    own = np.empty(len(edges), EDGE)
    own["left"] = own["right"] = edges["right"]
    both = distinct(np.concatenate([edges, own]))
    where = partition_of(spread(both["left"]), partitions)
    mine = (where >= chosen.start) & (where < chosen.stop)
    for partition, part in split(both[mine], where[mine]):
        yield partition, part.tobytes()


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
        for partition, part in split(edges[taken], where[taken]):
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
