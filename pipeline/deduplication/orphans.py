"""Kept documents that other documents of their crowded buckets were not compared with yet.

`pairs` compares a document of a crowded bucket with the bucket's leaders only. Where none of these that is similar to
it is kept, it is kept itself: an orphan. Documents after it are compared with it here, in the crowded buckets that they
share, with at most LEADERS_MAX orphans a bucket: n documents cost n × bands × LEADERS_MAX comparisons at most.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.deduplication.graph import Graph
from pipeline.deduplication.minhash import band_hashes, equal_values
from pipeline.deduplication.near import Signed, gather_signatures

AHEAD_ROWS = 1 << 14
"""Signatures read ahead, 7 MB at 112 permutations."""
NONE = -1


class Ahead(NamedTuple):
    """Documents of crowded buckets that are decided next.

    ranks       int32 (n,), sorted
    signatures  uint32 (n, permutations)
    buckets     int32 (n, bands): places of the bands among those of crowded buckets; NONE: no crowded bucket
    """

    ranks: np.ndarray
    signatures: np.ndarray
    buckets: np.ndarray


class Orphans(NamedTuple):
    """What kernels read and write; arrays that hold one value an orphan or an entry have room for more.

    used        int64 (2,): how many orphans there are, and how many entries
    ranks       int32, one an orphan
    signatures  uint32 (…, permutations), one an orphan
    compared    int32, one an orphan: rank of the document that it was last compared with
    sizes       int32 (buckets,): how many orphans are in each crowded bucket
    last        int32 (buckets,): the entry made last, or NONE
    orphan      int32, one an entry
    before      int32, one an entry: the entry of the same bucket that was made before it, or NONE
    """

    used: np.ndarray
    ranks: np.ndarray
    signatures: np.ndarray
    compared: np.ndarray
    sizes: np.ndarray
    last: np.ndarray
    orphan: np.ndarray
    before: np.ndarray


class CrowdedBuckets:
    """The documents of crowded buckets, read ahead in the order in which they are decided, and the orphans of them."""

    def __init__(self, graph: Graph, signed: Sequence[Signed], permutations: int, bands: int) -> None:
        self._signed, self._permutations, self._bands = signed, permutations, bands
        self._ranks, self._numbers = np.zeros(0, np.int32), np.zeros(0, np.uint64)
        if graph.follows.any():  # else nothing becomes an orphan
            self._ranks = np.flatnonzero(graph.crowded).astype(np.int32)
            self._numbers = graph.places.numbers()[graph.place[self._ranks]]
        # A crowded bucket's band is one of its best document's. That has other bands, too; to find these does no harm:
        # of a bucket that is not crowded all pairs are known, so that no other is found by it.
        best = self._numbers[graph.best[self._ranks]]
        parts = (best[start : start + AHEAD_ROWS] for start in range(0, len(best), AHEAD_ROWS))
        hashes = [band_hashes(self._signatures(part), bands).ravel() for part in parts]
        self._hashes = np.unique(np.concatenate([*hashes, np.zeros(0, np.uint64)]))
        count = len(self._hashes)
        self.ahead = Ahead(
            np.zeros(0, np.int32), np.zeros((0, permutations), np.uint32), np.zeros((0, bands), np.int32)
        )
        self.orphans = Orphans(
            used=np.zeros(2, np.int64),
            ranks=np.zeros(0, np.int32),
            signatures=np.zeros((0, permutations), np.uint32),
            compared=np.zeros(0, np.int32),
            sizes=np.zeros(count, np.int32),
            last=np.full(count, NONE, np.int32),
            orphan=np.zeros(0, np.int32),
            before=np.zeros(0, np.int32),
        )

    def read_ahead(self, rank: int) -> None:
        """Let `ahead` begin with the document of a rank, and `orphans` have room for all that is ahead."""
        first = int(np.searchsorted(self._ranks, rank))
        ranks = self._ranks[first : first + AHEAD_ROWS]
        signatures = self._signatures(self._numbers[first : first + AHEAD_ROWS])
        hashes = band_hashes(signatures, self._bands)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        buckets = np.where(self._hashes.take(places) == hashes, places, NONE).astype(np.int32)
        self.ahead = Ahead(ranks, signatures, buckets)
        orphans, entries = self.orphans.used.tolist()
        self.orphans = self.orphans._replace(
            ranks=_with_room(self.orphans.ranks, orphans + len(ranks)),
            signatures=_with_room(self.orphans.signatures, orphans + len(ranks)),
            compared=_with_room(self.orphans.compared, orphans + len(ranks)),
            orphan=_with_room(self.orphans.orphan, entries + buckets.size),
            before=_with_room(self.orphans.before, entries + buckets.size),
        )

    def _signatures(self, numbers: np.ndarray) -> np.ndarray:
        """Signatures of documents by their numbers, in any order."""
        order = np.argsort(numbers)
        out = np.empty((len(numbers), self._permutations), np.uint32)
        out[order] = gather_signatures(self._signed, numbers[order], self._permutations)
        return out


def _with_room(values: np.ndarray, wanted: int) -> np.ndarray:
    """Values with room for at least so many; it doubles, so that all copying takes linear time."""
    if len(values) >= wanted:
        return values
    larger = np.empty((max(wanted, 2 * len(values)), *values.shape[1:]), values.dtype)
    larger[: len(values)] = values
    return larger


@njit(cache=True, nogil=True)
def most_similar(rank: int, at: Any, ahead: Ahead, orphans: Orphans) -> tuple[Any, Any]:
    """The most similar orphan of the document of a rank, `at` in what is ahead, and their equal values.

    Of several the first one; NONE and 0 where there is none in its buckets.
    """
    found, most = np.int64(NONE), np.int64(0)
    for band in range(ahead.buckets.shape[1]):
        bucket = ahead.buckets[at, band]
        entry = orphans.last[bucket] if bucket != NONE else NONE
        while entry != NONE:
            orphan = orphans.orphan[entry]
            entry = orphans.before[entry]
            if orphans.compared[orphan] != rank:
                orphans.compared[orphan] = rank
                other = np.int64(orphans.ranks[orphan])
                equal = equal_values(ahead.signatures[at], orphans.signatures[orphan])
                if equal > most or (equal == most and other < found):
                    found, most = other, equal
    return found, most


@njit(cache=True, nogil=True)
def add_orphan(rank: int, at: Any, ahead: Ahead, orphans: Orphans, orphans_max: int) -> None:
    """Let those that come after be compared with a document, in buckets that have fewer than `orphans_max`."""
    orphan, entry = orphans.used
    for band in range(ahead.buckets.shape[1]):
        bucket = ahead.buckets[at, band]
        if bucket != NONE and orphans.sizes[bucket] < orphans_max:
            orphans.sizes[bucket] += 1
            orphans.orphan[entry], orphans.before[entry] = orphan, orphans.last[bucket]
            orphans.last[bucket] = entry
            entry += 1
    if entry > orphans.used[1]:
        orphans.ranks[orphan], orphans.compared[orphan] = rank, rank
        orphans.signatures[orphan] = ahead.signatures[at]
        orphans.used[0], orphans.used[1] = orphan + 1, entry
