"""Clusters: connected components of the graph whose edges are duplicates.

Two ways with one answer, whatever the order of edges: union-find in memory, and, for graphs that do not fit,
alternating large-star and small-star rounds over files (Kiveris et al., "Connected components in MapReduce and beyond",
2014), which need O(log² n) rounds and as much memory as a round of the exchange.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from configs.errors import OpenRootsError
from pipeline import storage
from pipeline.deduplication.exchange import Exchange
from pipeline.deduplication.keys import sort_edges
from pipeline.deduplication.records import EDGE, content_digest, partition_of, read_records, split, spread
from pipeline.engine import Engine
from pipeline.phases import digest_of

ROUNDS_MAX = 100


def components(edges: np.ndarray) -> np.ndarray:
    """Every document that has an edge, with the smallest number of its component.

    `edges` and the result are records EDGE; the result (document, smallest) is sorted and holds the smallest too.
    """
    pairs = np.ascontiguousarray(edges).view("<u8").reshape(-1, 2)
    numbers = np.unique(pairs)
    out = np.empty(len(numbers), EDGE)
    out["left"] = numbers
    out["right"] = numbers[_roots(pairs, numbers)] if len(numbers) else 0
    return out


@njit(cache=True, nogil=True)
def _roots(pairs: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Union-find with path halving; the smaller index becomes the root, so a root is the smallest of its component."""
    parents = np.arange(len(numbers))
    for row in range(len(pairs)):
        left = _root(parents, np.searchsorted(numbers, pairs[row, 0]))
        right = _root(parents, np.searchsorted(numbers, pairs[row, 1]))
        if left < right:
            parents[right] = left
        else:
            parents[left] = right
    for at in range(len(parents)):
        parents[at] = parents[parents[at]]  # parents come first, and theirs is settled
    return parents


@njit(cache=True, nogil=True)
def _root(parents: np.ndarray, at: int) -> int:
    while parents[at] != at:
        parents[at] = parents[parents[at]]
        at = parents[at]
    return at


@dataclass(frozen=True)
class ReadEdges:
    """Gives the edges of a file, each under one or both of its ends."""

    both: bool

    def __call__(self, path: str, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """Records EDGE (end, other end) by partition of the end; of one end only: the larger."""
        edges = read_records(path, EDGE)
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
        edges = np.unique(np.frombuffer(buffer, EDGE))
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
        linked = np.unique(linked[linked["left"] != linked["right"]])
        for number, part in split(linked, partition_of(spread(linked["left"]), self.files)):
            yield f"stars-{number:06d}", part.tobytes()


def star_components(
    engine: Engine, folder: str, files: Sequence[str], key: str, round_bytes: int, parts: int = 16
) -> list[str]:
    """Connected components by rounds of pipelines: files of records EDGE (document, smallest of its component).

    `files` hold the edges, `key` tells when they change. As with `components`, the smallest has a record too; a
    document is in one file only, and there records are sorted.
    """
    before = ""
    for number in range(ROUNDS_MAX):
        for operation in ("large", "small"):
            large = operation == "large"
            exchange = Exchange(
                f"star-{number:03d}-{operation}", {"files": parts}, ReadEdges(large), Star(large, parts), sort_edges
            )
            size = sum(_size(path) for path in files) * (2 if large else 1)
            # One file a part, whatever the rounds: equal edges must meet.
            done = exchange.run(engine, folder, files, [key], size, round_bytes)
            files = [done.joined(name, sort_edges) for name in done.all_names]
        after = content_digest(files)
        if after == before:
            return _with_smallest(engine, folder, files, key, round_bytes, parts)
        before = after
        key = digest_of([key, after])
    raise OpenRootsError(f"clusters are not complete after {ROUNDS_MAX} rounds; please report this")


@dataclass(frozen=True)
class _Identity:
    files: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        edges = np.frombuffer(buffer, EDGE)
        for number, part in split(edges, partition_of(spread(edges["left"]), self.files)):
            yield f"stars-{number:06d}", part.tobytes()


def _read_with_smallest(path: str, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    edges = read_records(path, EDGE)
    own = np.empty(len(edges), EDGE)
    own["left"] = own["right"] = edges["right"]
    both = np.unique(np.concatenate([edges, own]))
    where = partition_of(spread(both["left"]), partitions)
    mine = (where >= chosen.start) & (where < chosen.stop)
    for partition, part in split(both[mine], where[mine]):
        yield partition, part.tobytes()


def _with_smallest(
    engine: Engine, folder: str, files: Sequence[str], key: str, round_bytes: int, parts: int
) -> list[str]:
    """Add the record of each component's smallest document, which stars do not hold."""
    exchange = Exchange("star-final", {"files": parts}, _read_with_smallest, _Identity(parts), sort_edges)
    done = exchange.run(engine, folder, files, [key], 2 * sum(_size(path) for path in files), round_bytes)
    return [done.joined(name, sort_edges) for name in done.all_names]


def _size(path: str) -> int:
    fs, inner = storage.filesystem(path)
    return int(fs.size(inner))
