"""Candidate pairs: documents that share a band are compared, those that are similar enough become edges."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numba import njit

from pipeline.deduplication.keys import ranked
from pipeline.deduplication.minhash import equal_values
from pipeline.deduplication.near import Signed, gather_signatures
from pipeline.deduplication.packing import unpack_records
from pipeline.deduplication.records import (
    DOCUMENT,
    FOLLOWS,
    KEYED,
    LINK,
    PAIR,
    RANKED,
    best_first,
    distinct,
    read_records,
    rows_of,
    shards_of,
)
from pipeline.deduplication.sorting import sorted_order

BUCKET_ALL_PAIRS_MAX = 50
"""In a more crowded bucket a document is compared with leaders only: n documents cost n × LEADERS_MAX, not n²."""
LEADERS_MAX = 64
GATHERED_ROWS = 1 << 16
"""Signatures held at once while documents are compared: 29 MB at 112 permutations."""
FILE_PAIRS = 1 << 20
"""Pairs of a file, about: 21 MB."""
PAIRS = "pairs-"
"""How the names of files of pairs begin."""


@dataclass(frozen=True)
class FindPairs:
    """Finds the pairs of one partition: documents that share a band and are similar enough.

    In a bucket (documents that share a band) of up to BUCKET_ALL_PAIRS_MAX all pairs are compared. In a crowded one
    documents come in the order in which they are kept; each is compared with the bucket's leaders, gives an edge for
    each that is similar enough, and becomes a leader itself if none is, while there are fewer than LEADERS_MAX. Where a
    leader is dropped for a document of another bucket, its followers are yet to be compared with one another: LINK
    and FOLLOWS tell `orphans` which documents that concerns.
    """

    signed: tuple[Signed, ...]
    permutations: int
    matches_min: int

    def __call__(self, partition: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Records PAIR: (smaller number, larger number, equal values), (best of a bucket, member, LINK).

        They make one file, more where they are many.
        """
        records = distinct(unpack_records(buffer, KEYED))
        starts = np.flatnonzero(np.r_[True, np.diff(records["hash"]) != 0])
        sizes = np.diff(np.r_[starts, len(records)])
        starts, sizes = starts[sizes > 1], sizes[sizes > 1]
        numbers = np.ascontiguousarray(records["node"])
        # Buckets of the same documents one behind the other, so that a pair of several bands is in one file, once.
        order = np.argsort(numbers[starts], kind="stable")
        starts, sizes = starts[order], sizes[order]
        is_small = sizes <= BUCKET_ALL_PAIRS_MAX
        small = self._all_pairs(_members(numbers, starts[is_small], sizes[is_small]), sizes[is_small])
        crowded = self._led(_members(numbers, starts[~is_small], sizes[~is_small]), sizes[~is_small])
        for number, pairs in enumerate(_joined(chain(small, crowded))):
            yield f"{PAIRS}{partition:06d}-{number:06d}", pairs.tobytes()

    def _all_pairs(self, numbers: np.ndarray, sizes: np.ndarray) -> Iterator[np.ndarray]:
        """Records PAIR of small buckets: `sizes` of them, of `numbers`, one bucket behind the other."""
        left, right, matches = _room()
        for some, of in _groups(sizes):
            members, places = np.unique(numbers[some], return_inverse=True)
            gathered = gather_signatures(self.signed, members, self.permutations)
            ends, at = np.cumsum(sizes[of]), 0
            while at < len(ends):
                at, found = _compare_all(at, ends, places, gathered, members, self.matches_min, left, right, matches)
                yield _records(left[:found], right[:found], matches[:found])

    def _led(self, numbers: np.ndarray, sizes: np.ndarray) -> Iterator[np.ndarray]:
        """The same of crowded buckets."""
        documents = [signed.shard.documents for signed in self.signed]
        leaders = Leaders(
            np.zeros((LEADERS_MAX, self.permutations), np.uint32), np.zeros(LEADERS_MAX, np.uint64), np.full(2, -1)
        )
        left, right, matches = _room()
        for some, of in _groups(sizes):
            bucket = np.repeat(np.arange(of.start, of.stop, dtype=np.uint32), sizes[of])
            members, places = np.unique(numbers[some], return_inverse=True)
            rank = np.empty(len(members), np.uint32)
            rank[np.searchsorted(members, rank_documents(documents, members)["node"])] = np.arange(len(members))
            order = sorted_order([bucket, rank[places]])
            bucket, places = bucket[order], places[order]
            for start in range(0, len(places), GATHERED_ROWS):
                used, where = np.unique(places[start : start + GATHERED_ROWS], return_inverse=True)
                gathered = gather_signatures(self.signed, members[used], self.permutations)
                at = 0
                while at < len(where):
                    at, found = _lead(
                        at, bucket[start : start + GATHERED_ROWS], where, gathered, members[used], leaders,
                        self.matches_min, left, right, matches,
                    )  # fmt: skip
                    yield _records(left[:found], right[:found], matches[:found])


def _members(numbers: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The numbers of some buckets, one bucket behind the other."""
    before = np.cumsum(sizes) - sizes
    return numbers[np.repeat(starts - before, sizes) + np.arange(sizes.sum())]


def _groups(sizes: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Successive buckets that together have about GATHERED_ROWS members: which members, and which of the buckets."""
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    group = ends[1:] // GATHERED_ROWS
    borders = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(sizes)]
    for first, stop in pairwise(borders):
        if first < stop:
            yield slice(int(ends[first]), int(ends[stop])), slice(first, stop)


def _room() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where kernels write pairs: the columns of records PAIR."""
    size = max(GATHERED_ROWS, BUCKET_ALL_PAIRS_MAX**2, LEADERS_MAX + 1)
    return np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint32)


def _joined(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Distinct records of successive parts, FILE_PAIRS of them or more, of the last what is left; never none."""
    held, count = list[np.ndarray](), 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count >= FILE_PAIRS:
            yield distinct(np.concatenate(held))
            held, count = [], 0
    if count:
        yield distinct(np.concatenate(held))


def _records(left: np.ndarray, right: np.ndarray, matches: np.ndarray) -> np.ndarray:
    """Records PAIR."""
    records = np.empty(len(left), PAIR)
    records["left"], records["right"], records["matches"] = left, right, matches
    return records


def rank_documents(documents: Sequence[str], numbers: np.ndarray) -> np.ndarray:
    """Records RANKED of sorted document numbers, from the one that is kept before all others downwards.

    `documents` are the files of records DOCUMENT by position of the shard.
    """
    records = [np.zeros(0, RANKED)]
    for position, mine in shards_of(numbers):
        known = read_records(documents[position], DOCUMENT)
        records.append(ranked(known[rows_of(numbers[mine])], numbers[mine]))
    return best_first(np.concatenate(records))


@njit(cache=True, nogil=True)
def _compare_all(
    at: int,
    ends: np.ndarray,
    places: np.ndarray,
    signatures: np.ndarray,
    numbers: np.ndarray,
    matches_min: int,
    left: np.ndarray,
    right: np.ndarray,
    matches: np.ndarray,
) -> tuple[int, int]:
    """Compare all members of each bucket, from the bucket `at` on; write the pairs that are similar enough.

    `ends` tells where the members of each bucket end, `places` where the signature and the number of each member are;
    numbers are sorted in a bucket. Returns the first bucket for whose pairs there is no room, or how many buckets there
    are, and how many pairs were written.
    """
    to = 0
    for bucket in range(at, len(ends)):
        start, end = ends[bucket - 1] if bucket else np.int64(0), ends[bucket]
        if to + (end - start) * (end - start - 1) // 2 > len(left):
            return bucket, to
        for one in range(start, end):
            for other in range(one + 1, end):
                equal = equal_values(signatures[places[one]], signatures[places[other]])
                if equal >= matches_min:
                    left[to], right[to], matches[to] = numbers[places[one]], numbers[places[other]], equal
                    to += 1
    return len(ends), to


class Leaders(NamedTuple):
    """Leaders of the bucket at hand.

    signatures  uint32 (LEADERS_MAX, permutations)
    numbers     uint64 (LEADERS_MAX,)
    state       int64 (2,): the bucket, and how many leaders it has
    """

    signatures: np.ndarray
    numbers: np.ndarray
    state: np.ndarray


@njit(cache=True, nogil=True)
def _lead(
    at: int,
    buckets: np.ndarray,
    places: np.ndarray,
    signatures: np.ndarray,
    numbers: np.ndarray,
    leaders: Leaders,
    matches_min: int,
    left: np.ndarray,
    right: np.ndarray,
    matches: np.ndarray,
) -> tuple[int, int]:
    """Compare members of buckets with leaders, from the member `at` on; write pairs.

    `buckets` and `places` are those of members: which bucket, and where its signature and its number are. Returns the
    first member for whose pairs there is no room, or how many members there are, and how many pairs were written.
    """
    bucket, count = leaders.state
    to = 0
    for member in range(at, len(places)):
        if buckets[member] != bucket:
            bucket, count = np.int64(buckets[member]), 0
        if to + count + 1 > len(left):
            break
        place = places[member]
        number, found = numbers[place], False
        link = to
        to += 1
        for leader in range(count):
            equal = equal_values(signatures[place], leaders.signatures[leader])
            if equal >= matches_min:
                left[to] = min(number, leaders.numbers[leader])
                right[to] = max(number, leaders.numbers[leader])
                matches[to] = equal
                to += 1
                found = True
        leads = not found and count < len(leaders.numbers)
        if leads:
            leaders.signatures[count] = signatures[place]
            leaders.numbers[count] = number
            count += 1
        left[link], right[link], matches[link] = leaders.numbers[0], number, LINK if leads else LINK | FOLLOWS
        at = member + 1
    leaders.state[0], leaders.state[1] = bucket, count
    return at, to
