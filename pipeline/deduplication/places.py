"""The documents of a graph by their numbers: where each stands among all of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

CHUNK = 1 << 17
"""Numbers worked on at once: a MB, which stays in a processor's cache."""
_ROW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(6)
_BIT = np.uint64(63)
_ONE = np.uint64(1)


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
    def of(cls, pairs: Iterable[Sequence[np.ndarray]]) -> "Places":
        """The places of numbers, uint64, in any order and as often as may be: the first two arrays of each chunk."""
        rows = np.zeros(0, np.int64)
        for chunk in pairs:
            for numbers in chunk[:2]:
                shards = int(numbers.max(initial=0) >> np.uint64(32)) + 1
                if shards > len(rows):
                    rows = np.concatenate([rows, np.zeros(shards - len(rows), np.int64)])
                _count_rows(numbers, rows)
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum((rows + 63) >> 6, out=starts[1:])
        words = np.zeros(int(starts[-1]), np.uint64)
        for chunk in pairs:
            for numbers in chunk[:2]:
                _mark(numbers, starts, words)
        before = np.zeros(len(words), np.int64)
        np.cumsum(np.bitwise_count(words[:-1]), out=before[1:], dtype=np.int64)
        return cls(starts, words, before)

    def __len__(self) -> int:
        return int(self.before[-1]) + int(np.bitwise_count(self.words[-1])) if len(self.words) else 0

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For kernels."""
        return self.starts, self.words, self.before

    def find(self, numbers: np.ndarray) -> np.ndarray:
        """Place, int64, of each of some of the numbers."""
        out = np.empty(len(numbers), np.int64)
        _find(numbers, *self.arrays, out)
        return out

    def shards(self) -> list[int]:
        """Positions of the shards that any of the numbers are of."""
        return np.flatnonzero(np.diff(self.starts)).tolist()

    def held(self, position: int, rows: np.ndarray) -> np.ndarray:
        """Places, int64, of those rows of a shard that have one; `rows` are of any unsigned type."""
        word = self.starts[position] + (rows >> 6).astype(np.int64)
        inside = word < self.starts[position + 1]
        rows, word = rows[inside].astype(np.uint64), word[inside]
        rows = rows[(self.words[word] >> (rows & _BIT)) & _ONE != 0]
        return self.find(np.uint64(position << 32) | rows)

    def numbers(self, first: int = 0, count: int | None = None) -> np.ndarray:
        """Numbers, uint64, of so many places in order, of all from `first` on if no count is given."""
        left = len(self) - first
        out = np.empty(left if count is None else min(count, left), np.uint64)
        if len(out):
            word = int(np.searchsorted(self.before, first, "right")) - 1
            shard = int(np.searchsorted(self.starts, word, "right")) - 1
            _fill_numbers(self.starts, self.words, shard, word, first - int(self.before[word]), out)
        return out

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """All numbers in order, some at a time, with the place of the first of these."""
        for first in range(0, len(self), CHUNK):
            yield first, self.numbers(first, CHUNK)


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
def _find(numbers: np.ndarray, starts: np.ndarray, words: np.ndarray, before: np.ndarray, out: np.ndarray) -> None:
    for at in range(len(numbers)):
        out[at] = _place_of(numbers[at], starts, words, before)


@njit(cache=True, nogil=True, inline="always")
def _place_of(number: np.uint64, starts: np.ndarray, words: np.ndarray, before: np.ndarray) -> np.int64:
    row = number & _ROW
    word = starts[np.int64(number >> np.uint64(32))] + np.int64(row >> _WORD)
    return before[word] + _bit_count(words[word] & ((_ONE << (row & _BIT)) - _ONE))


@njit(cache=True, nogil=True)
def _fill_numbers(starts: np.ndarray, words: np.ndarray, shard: int, word: int, skip: int, out: np.ndarray) -> None:
    """The numbers from a word on, without the first `skip` of it; it belongs to `shard`."""
    to = -skip
    while True:
        while word >= starts[shard + 1]:
            shard += 1
        bits = words[word]
        while bits:
            lowest = bits & (~bits + _ONE)
            if to >= 0:
                row = np.uint64(64 * (word - starts[shard]) + _bit_count(lowest - _ONE))
                out[to] = (np.uint64(shard) << np.uint64(32)) | row
            to += 1
            if to == len(out):
                return
            bits ^= lowest
        word += 1


@njit(cache=True, nogil=True, inline="always")
def _bit_count(bits: np.uint64) -> np.int64:
    bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))
