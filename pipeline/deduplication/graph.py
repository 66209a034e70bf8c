"""The graph of duplicates as arrays: documents by rank, and the edges from each to those before it."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from pipeline.deduplication.pairs import rank_documents
from pipeline.deduplication.records import FOLLOWS, LINK, TIE

_ROW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(6)
_BIT = np.uint64(63)
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Graph:
    """Documents by rank, and the edges from each to those before it.

    records  RANKED, in the order in which documents are decided
    offsets  int64 (n + 1,): the edges of document i are offsets[i] to offsets[i + 1]
    better   int64: rank of the other document of an edge
    matches  uint32: equal values of their signatures
    tie      int64 (n,): rank of the document whose fate it shares; -1: none
    crowded  bool (n,): it is in a bucket where not all pairs were compared
    follows  bool (n,): it was compared with the leaders of such a bucket only
    """

    records: np.ndarray
    offsets: np.ndarray
    better: np.ndarray
    matches: np.ndarray
    tie: np.ndarray
    crowded: np.ndarray
    follows: np.ndarray

    @classmethod
    def of(cls, pairs: np.ndarray, documents: tuple[str, ...]) -> "Graph":
        """The graph of records PAIR; `documents` are the files of records DOCUMENT by position of the shard."""
        places = Places.of(pairs["left"], pairs["right"])
        records = rank_documents(documents, places.numbers())
        ranks = np.empty(len(records), np.int64)  # by place
        ranks[places.find(records["node"])] = np.arange(len(records))
        left, right = (ranks[places.find(pairs[side])] for side in ("left", "right"))
        kind = pairs["matches"]
        tie = np.full(len(records), -1, np.int64)
        is_tie, is_link = (kind & TIE) != 0, (kind & LINK) != 0
        tie[left[is_tie]] = right[is_tie]
        crowded, follows = np.zeros(len(records), bool), np.zeros(len(records), bool)
        crowded[right[is_link]] = True
        follows[right[(kind & FOLLOWS) != 0]] = True
        is_edge = ~(is_tie | is_link)
        left, right, kind = left[is_edge], right[is_edge], kind[is_edge]
        grouped = _by_worse(np.maximum(left, right), np.minimum(left, right), kind, len(records))
        return cls(records, *grouped, tie, crowded, follows)


@dataclass(frozen=True)
class Places:
    """Document numbers, and the place of each among them in their order.

    A bit for each row of a shard up to its last document, so that finding a place is a look into memory that a
    processor's cache holds, where a search in sorted numbers misses it at every step.

    starts  int64 (shards + 1,): first word of each shard
    words   uint64: the bit of a row is set where its document is one of these
    before  int64: documents before each word
    """

    starts: np.ndarray
    words: np.ndarray
    before: np.ndarray

    @classmethod
    def of(cls, *numbers: np.ndarray) -> "Places":
        """The places of numbers, uint64, in any order and as often as may be."""
        shards = max((int(some.max() >> np.uint64(32)) for some in numbers if len(some)), default=-1) + 1
        rows = np.zeros(shards, np.int64)
        for some in numbers:
            _count_rows(some, rows)
        starts = np.zeros(shards + 1, np.int64)
        np.cumsum((rows + 63) >> 6, out=starts[1:])
        words = np.zeros(int(starts[-1]), np.uint64)
        for some in numbers:
            _mark(some, starts, words)
        before = np.zeros(len(words), np.int64)
        np.cumsum(np.bitwise_count(words[:-1]), out=before[1:], dtype=np.int64)
        return cls(starts, words, before)

    def find(self, numbers: np.ndarray) -> np.ndarray:
        """Place, int64, of each of some of the numbers."""
        found: np.ndarray = _find(numbers, self.starts, self.words, self.before)
        return found

    def numbers(self) -> np.ndarray:
        """All numbers, uint64, each once, in order."""
        count = int(self.before[-1]) + int(np.bitwise_count(self.words[-1])) if len(self.words) else 0
        found: np.ndarray = _numbers(self.starts, self.words, count)
        return found


@njit(cache=True, nogil=True)
def _count_rows(numbers: np.ndarray, rows: np.ndarray) -> None:
    for number in numbers:
        shard = np.int64(number >> np.uint64(32))
        rows[shard] = max(rows[shard], np.int64(number & _ROW) + 1)


@njit(cache=True, nogil=True)
def _mark(numbers: np.ndarray, starts: np.ndarray, words: np.ndarray) -> None:
    for number in numbers:
        row = number & _ROW
        words[starts[np.int64(number >> np.uint64(32))] + np.int64(row >> _WORD)] |= _ONE << (row & _BIT)


@njit(cache=True, nogil=True)
def _find(numbers: np.ndarray, starts: np.ndarray, words: np.ndarray, before: np.ndarray) -> np.ndarray:
    out = np.empty(len(numbers), np.int64)
    for at in range(len(numbers)):
        row = numbers[at] & _ROW
        word = starts[np.int64(numbers[at] >> np.uint64(32))] + np.int64(row >> _WORD)
        bits = words[word] & ((_ONE << (row & _BIT)) - _ONE)
        out[at] = before[word] + _bit_count(bits)
    return out


@njit(cache=True, nogil=True)
def _numbers(starts: np.ndarray, words: np.ndarray, count: int) -> np.ndarray:
    out, to = np.empty(count, np.uint64), 0
    for shard in range(len(starts) - 1):
        for word in range(starts[shard], starts[shard + 1]):
            bits = words[word]
            while bits:
                lowest = bits & (~bits + _ONE)
                row = np.uint64(64 * (word - starts[shard]) + _bit_count(lowest - _ONE))
                out[to] = (np.uint64(shard) << np.uint64(32)) | row
                to += 1
                bits ^= lowest
    return out


@njit(cache=True, nogil=True, inline="always")
def _bit_count(bits: np.uint64) -> np.int64:
    bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def _by_worse(
    worse: np.ndarray, better: np.ndarray, matches: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets by worse document, and the edges in that order, those of a document in theirs."""
    offsets = np.zeros(count + 1, np.int64)
    for one in worse:
        offsets[one + 1] += 1
    for at in range(count):
        offsets[at + 1] += offsets[at]
    to = offsets[:-1].copy()
    grouped, grouped_matches = np.empty_like(better), np.empty_like(matches)
    for edge in range(len(worse)):
        place = to[worse[edge]]
        grouped[place], grouped_matches[place] = better[edge], matches[edge]
        to[worse[edge]] = place + 1
    return offsets, grouped, grouped_matches
