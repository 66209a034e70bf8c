"""Count pre-tokens: a table of distinct words (bytes) and how often each occurs (int64).

Memory follows the number of distinct words, not the text. Tables are plain Arrow record batches; adding them up is
associative and commutative, so any split of the work gives the same table.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from configs.errors import ConfigurationError
from pipeline.columns import text_buffers
from tokenizer.pretokenize import BLOOM, LIBRARY, Pattern, bloom_end, gpt2_end, piece_ends

WORDS = pa.schema([pa.field("word", pa.large_binary(), nullable=False), pa.field("count", pa.int64(), nullable=False)])
"""A word table: bytes of a pre-token, and its occurrences."""

_FIRST_WORDS = 1 << 12
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


class Table(NamedTuple):
    """A hash table of words that numba kernels fill; all arrays are replaced by larger ones as it grows.

    slots    int32 (2^k,): number of the word in each slot, -1 where free; linear probing
    hashes   uint64 (room,), offsets int64 (room + 1,), counts int64 (room,): by word, in order of first appearance
    data     uint8: the words' bytes, one after the other
    size     int64 (1,): words so far
    """

    slots: np.ndarray
    hashes: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray
    data: np.ndarray
    size: np.ndarray


def empty_table() -> Table:
    """A table without words."""
    return Table(
        np.full(2 * _FIRST_WORDS, -1, np.int32),
        np.zeros(_FIRST_WORDS, np.uint64),
        np.zeros(_FIRST_WORDS + 1, np.int64),
        np.zeros(_FIRST_WORDS, np.int64),
        np.zeros(16 * _FIRST_WORDS, np.uint8),
        np.zeros(1, np.int64),
    )


class WordCounter:
    """Adds up words of texts and of other tables."""

    def __init__(self, pattern: Pattern | None = None) -> None:
        self.pattern = pattern or Pattern()
        self._table = empty_table()

    def __len__(self) -> int:
        """Distinct words so far."""
        return int(self._table.size[0])

    @property
    def counts(self) -> np.ndarray:
        """Occurrences by word, int64, in order of first appearance."""
        return self._table.counts[: len(self)]

    def add_texts(self, texts: pa.Array | pa.ChunkedArray, weight: int = 1) -> None:
        """Count the pre-tokens of texts (string or large_string; nulls are skipped), each occurrence as `weight`."""
        for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
            filled = chunk.cast(pa.large_string()).fill_null("")
            if self.pattern.mode == LIBRARY:
                starts, data = text_buffers(filled)
                ends, _ = piece_ends(filled, self.pattern)
                self._add(data, np.concatenate([starts[:1], ends]), np.full(len(ends), weight, np.int64))
            else:
                self._add_texts(filled, weight)

    def _add_texts(self, texts: pa.LargeStringArray, weight: int) -> None:
        starts, data = text_buffers(texts)
        mode, classes = self.pattern.mode, self.pattern.classes()
        row, i = _add_texts(self._table, data, starts, mode, classes, weight, 0, 0)
        while row < len(texts):
            self._table = _larger(self._table, int(starts[row + 1]) - i)
            row, i = _add_texts(self._table, data, starts, mode, classes, weight, row, i)

    def add_words(self, words: pa.RecordBatch, weight: int = 1) -> None:
        """Add a word table, its counts times `weight`."""
        starts, data = text_buffers(words["word"])
        self._add(data, starts, words["count"].to_numpy() * np.int64(weight))

    def _add(self, data: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> None:
        row = _add_words(self._table, data, starts, counts, 0)
        while row < len(counts):
            self._table = _larger(self._table, int(starts[row + 1] - starts[row]))
            row = _add_words(self._table, data, starts, counts, row)

    def words(self, count_min: int = 1, is_sorted: bool = False) -> pa.RecordBatch:
        """The table (schema WORDS); in byte order of words if `is_sorted`, else in order of first appearance.

        Words that occur fewer than `count_min` times are left out.
        """
        size = len(self)
        offsets = pa.py_buffer(self._table.offsets[: size + 1].copy())
        data = pa.py_buffer(self._table.data[: self._table.offsets[size]].copy())
        words = pa.Array.from_buffers(pa.large_binary(), size, [None, offsets, data])
        batch = pa.record_batch([words, pa.array(self.counts)], schema=WORDS)
        if count_min > 1:
            batch = batch.filter(pc.greater_equal(batch["count"], count_min))
        return batch.take(pc.sort_indices(batch["word"])) if is_sorted else batch


def count_words(texts: Iterable[pa.Array], pattern: Pattern | None = None, workers: int = 1) -> pa.RecordBatch:
    """Word table of texts given as Arrow arrays of strings, counted by so many threads.

    With more than one the order of the words is not fixed; what is learnt from them does not depend on it.
    """
    counters = [WordCounter(pattern) for _ in range(workers)]
    arrays, lock = iter(texts), Lock()

    def count(counter: WordCounter) -> None:
        while True:
            with lock:
                array = next(arrays, None)
            if array is None:
                return
            counter.add_texts(array)

    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(count, counters))
    else:
        count(counters[0])
    total = counters.pop(0)
    while counters:
        total.add_words(counters.pop().words())
    return total.words()


def add_tables(tables: Iterable[pa.RecordBatch], weights: Sequence[int] | None = None) -> pa.RecordBatch:
    """Sum of word tables, in byte order of words; each table's counts times its weight."""
    counter = WordCounter()
    for number, table in enumerate(tables):
        counter.add_words(table, weights[number] if weights is not None else 1)
    return counter.words(is_sorted=True)


def language_weights(sizes: dict[str, int], alpha: float = 0.3, resolution: int = 16) -> dict[str, int]:
    """Whole-number weights that bring languages nearer to equal shares: share p becomes proportional to p^`alpha`.

    `sizes` are occurrences or bytes by language; `alpha` 1 keeps the proportions, 0 makes all equal (the temperature
    sampling of Conneau et al. 2020, section 3.1, there with 0.3). The language whose counts are raised least has weight
    `resolution` (1 where `alpha` is 1), so that every weight is within 1 / (2 × resolution) of its exact value. Counts
    times these weights stay whole, hence sums are exact in any order. Raises ConfigurationError.
    """
    if not 0 <= alpha <= 1 or resolution < 1:
        raise ConfigurationError(f"alpha = {alpha}, resolution = {resolution}: alpha is from 0 to 1, resolution ≥ 1")
    present = {language: size for language, size in sizes.items() if size > 0}
    if alpha == 1 or not present:
        return dict.fromkeys(present, 1)
    largest = max(present.values())
    return {language: round(resolution * (largest / size) ** (1 - alpha)) for language, size in present.items()}


@njit(cache=True, nogil=True)
def _add_texts(
    table: Table, data: np.ndarray, starts: np.ndarray, mode: int, classes: np.ndarray, weight: int, row: int, i: int
) -> tuple[int, int]:
    """Count pieces from byte i of text `row` on; returns the text and byte where it ran out of room, or (rows, 0)."""
    slots, hashes, offsets, counts, own, size = table
    while row < len(starts) - 1:
        stop = starts[row + 1]
        i = max(i, starts[row])
        while i < stop:
            end = bloom_end(data, i, stop, classes) if mode == BLOOM else gpt2_end(data, i, stop, classes)
            number = _number(slots, hashes, offsets, own, size, data, i, end)
            if number < 0:
                return row, i
            counts[number] += weight
            i = end
        row += 1
    return row, 0


@njit(cache=True, nogil=True)
def _add_words(table: Table, data: np.ndarray, starts: np.ndarray, added: np.ndarray, row: int) -> int:
    """Add words from number `row` on; returns the one where it ran out of room, or their number."""
    slots, hashes, offsets, counts, own, size = table
    while row < len(starts) - 1:
        if starts[row] < starts[row + 1]:
            number = _number(slots, hashes, offsets, own, size, data, starts[row], starts[row + 1])
            if number < 0:
                return row
            counts[number] += added[row]
        row += 1
    return row


@njit(cache=True, nogil=True, inline="always")
def _hash(data: np.ndarray, begin: int, end: int) -> Any:
    """Multiply and xorshift over eight bytes at a time."""
    value = np.uint64(end - begin) * _MULTIPLIER
    i = begin
    while i + 8 <= end:
        chunk = np.uint64(0)
        for k in range(8):
            chunk |= np.uint64(data[i + k]) << np.uint64(8 * k)
        value = (value ^ chunk) * _MULTIPLIER
        value ^= value >> _SHIFT
        i += 8
    if i < end:
        chunk = np.uint64(0)
        while i < end:
            chunk = (chunk << np.uint64(8)) | np.uint64(data[i])
            i += 1
        value = (value ^ chunk) * _MULTIPLIER
        value ^= value >> _SHIFT
    return value * _MULTIPLIER


@njit(cache=True, nogil=True, inline="always")
def _number(
    slots: np.ndarray,
    hashes: np.ndarray,
    offsets: np.ndarray,
    own: np.ndarray,
    size: np.ndarray,
    data: np.ndarray,
    begin: int,
    end: int,
) -> Any:
    """Number of the word data[begin:end], added with count 0 where it is new; -1 where there is no room to add it."""
    value = _hash(data, begin, end)
    mask = np.uint64(len(slots) - 1)
    slot = (value >> _SHIFT) & mask
    length = end - begin
    while True:
        number = np.int64(slots[slot])
        if number < 0:
            break
        if hashes[number] == value:
            start = offsets[number]
            if offsets[number + 1] - start == length:
                k = 0
                while k < length and own[start + k] == data[begin + k]:
                    k += 1
                if k == length:
                    return number
        slot = (slot + np.uint64(1)) & mask
    number = size[0]
    start = offsets[number]
    if number == len(hashes) or start + length > len(own):
        return -1
    for k in range(length):
        own[start + k] = data[begin + k]
    offsets[number + 1] = start + length
    hashes[number] = value
    slots[slot] = number
    size[0] = number + 1
    return number


def _larger(table: Table, length: int) -> Table:
    """A table with room for at least one more word of `length` bytes."""
    size = int(table.size[0])
    used = int(table.offsets[size])
    if used + length > len(table.data):
        table = table._replace(data=_resized(table.data, max(len(table.data) * 3 // 2, used + length)))
    if size == len(table.hashes):
        hashes, offsets = _resized(table.hashes, 2 * size), _resized(table.offsets, 2 * size + 1)
        slots = np.full(2 * len(table.slots), -1, np.int32)
        _place(slots, table.hashes)
        table = table._replace(slots=slots, hashes=hashes, offsets=offsets, counts=_resized(table.counts, 2 * size))
    return table


def _resized(array: np.ndarray, size: int) -> np.ndarray:
    larger = np.zeros(size, array.dtype)
    larger[: len(array)] = array
    return larger


@njit(cache=True, nogil=True)
def _place(slots: np.ndarray, hashes: np.ndarray) -> None:
    mask = np.uint64(len(slots) - 1)
    for number in range(len(hashes)):
        slot = (hashes[number] >> _SHIFT) & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = number
