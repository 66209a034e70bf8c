"""Candidate pairs: documents that share a band are compared, those that are similar enough become edges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from pipeline.deduplication.keys import ranked
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

BUCKET_ALL_PAIRS_MAX = 50
"""In a more crowded bucket a document is compared with leaders only: n documents cost n × LEADERS_MAX, not n²."""
LEADERS_MAX = 64
GATHERED_ROWS = 1 << 16
"""Signatures held at once while pairs are verified: 29 MB at 112 permutations."""
PAIRS = "pairs-"
"""How the names of files of pairs begin."""


@dataclass(frozen=True)
class FindPairs:
    """Finds the pairs of one partition: documents that share a band and are similar enough.

    In a bucket (documents that share a band) of up to BUCKET_ALL_PAIRS_MAX all pairs are compared. In a crowded one
    documents come in the order in which they are kept; each is compared with the bucket's leaders, gives an edge for
    each that is similar enough, and becomes a leader itself if none is, while there are fewer than LEADERS_MAX. Where a
    leader is dropped for a document of another bucket, its followers are yet to be compared with one another: LINK
    and FOLLOWS tell `greedy` which documents that concerns.
    """

    signed: tuple[Signed, ...]
    permutations: int
    matches_min: int

    def __call__(self, partition: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Records PAIR: (smaller number, larger number, equal values), (best of a bucket, member, LINK)."""
        records = distinct(unpack_records(buffer, KEYED))
        starts = np.flatnonzero(np.r_[True, np.diff(records["hash"]) != 0])
        sizes = np.diff(np.r_[starts, len(records)])
        starts, sizes = starts[sizes > 1], sizes[sizes > 1]
        numbers = np.ascontiguousarray(records["node"])
        small = sizes <= BUCKET_ALL_PAIRS_MAX
        found = [self._verified(_all_pairs(numbers, starts[small], sizes[small]))]
        crowded = zip(starts[~small].tolist(), sizes[~small].tolist(), strict=True)
        found += [part for start, size in crowded for part in self._led(numbers[start : start + size])]
        pairs = distinct(np.concatenate(found))
        if len(pairs):
            yield f"{PAIRS}{partition:06d}", pairs.tobytes()

    def _verified(self, pairs: np.ndarray) -> np.ndarray:
        kept = [np.zeros(0, PAIR)]
        for start in range(0, len(pairs), GATHERED_ROWS // 2):
            part = pairs[start : start + GATHERED_ROWS // 2]
            numbers, where = np.unique(np.concatenate([part["left"], part["right"]]), return_inverse=True)
            gathered = gather_signatures(self.signed, numbers, self.permutations)
            part["matches"] = _matches(gathered, where[: len(part)], where[len(part) :])
            kept.append(part[part["matches"] >= self.matches_min])
        return np.concatenate(kept)

    def _led(self, numbers: np.ndarray) -> list[np.ndarray]:
        numbers = rank_documents([signed.shard.documents for signed in self.signed], numbers)["node"]
        leaders = np.zeros((LEADERS_MAX, self.permutations), np.uint32)
        leading = np.zeros(LEADERS_MAX, np.uint64)
        links = np.empty(len(numbers), PAIR)
        links["left"], links["right"], links["matches"] = numbers[0], numbers, LINK
        count, found = 0, [links]
        for start in range(0, len(numbers), GATHERED_ROWS):
            part = np.ascontiguousarray(numbers[start : start + GATHERED_ROWS])
            order = np.argsort(part)
            gathered = np.empty((len(part), self.permutations), np.uint32)
            gathered[order] = gather_signatures(self.signed, part[order], self.permutations)
            similar, is_leader, count = _follow(gathered, part, leaders, leading, count, self.matches_min)
            links["matches"][start : start + len(part)][~is_leader] |= FOLLOWS
            rows, places = np.nonzero(similar)
            edges = np.empty(len(rows), PAIR)
            edges["left"] = np.minimum(part[rows], leading[places])
            edges["right"] = np.maximum(part[rows], leading[places])
            edges["matches"] = similar[rows, places]
            found.append(edges)
        return found


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
def _pairs(numbers: np.ndarray, starts: np.ndarray, sizes: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    to = 0
    for bucket in range(len(starts)):
        end = starts[bucket] + sizes[bucket]
        for one in range(starts[bucket], end):
            for other in range(one + 1, end):
                left[to], right[to] = numbers[one], numbers[other]
                to += 1


def _all_pairs(numbers: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distinct pairs (records PAIR, matches still 0) within buckets of sorted document numbers."""
    count = int((sizes * (sizes - 1) // 2).sum())
    left, right = np.empty(count, np.uint64), np.empty(count, np.uint64)
    _pairs(numbers, starts, sizes, left, right)
    out = np.zeros(count, PAIR)
    out["left"], out["right"] = left, right
    return distinct(out)


@njit(cache=True, nogil=True)
def _matches(signature: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Number of equal values of pairs of signatures."""
    out = np.zeros(len(left), np.uint32)
    for pair in range(len(left)):
        a, b = signature[left[pair]], signature[right[pair]]
        same = 0
        for at in range(signature.shape[1]):
            same += a[at] == b[at]
        out[pair] = same
    return out


@njit(cache=True, nogil=True)
def _follow(
    signature: np.ndarray, numbers: np.ndarray, leaders: np.ndarray, leading: np.ndarray, count: int, matches_min: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Equal values with each leader that is similar enough (else 0), who became a leader, the number of leaders."""
    similar = np.zeros((len(numbers), len(leaders)), np.uint32)
    is_leader = np.zeros(len(numbers), np.bool_)
    for row in range(len(numbers)):
        found = False
        for leader in range(count):
            same = 0
            for at in range(signature.shape[1]):
                same += signature[row, at] == leaders[leader, at]
            if same >= matches_min:
                similar[row, leader] = same
                found = True
        if not found and count < len(leaders):
            leaders[count] = signature[row]
            leading[count] = numbers[row]
            count += 1
            is_leader[row] = True
    return similar, is_leader, count
