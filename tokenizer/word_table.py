"""The hash table under `tokenizer.count`: words and how often each occurs, for numba kernels.

Words of at most seven bytes, which most occurrences are, stand in the table itself, packed into one number with their
length; longer ones are found by a hash and compared with the bytes kept. A kernel that runs out of room stops before
the word that has none; `grown` makes room, and the kernel goes on from there.
"""

from typing import Any, NamedTuple

import numpy as np

from tokenizer.kernels import eight_bytes, inlined, kernel, prefetch
from tokenizer.pretokenize import BLOOM, bloom_end, gpt2_end

FIRST_WORDS = 1 << 12
"""Slots of a new table, for short words and for long ones."""

_SHORT = 7
_AHEAD = 64
"""Words whose slots are fetched from memory before the first of them is looked up."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


class Table(NamedTuple):
    """All arrays are replaced by larger ones as the table grows.

    short    int64 (2^k, 2): a word of 1 to 7 bytes, packed (0: free), and its occurrences; linear probing
    slots    uint64 (2^k,): of a longer word, high half of its hash << 32 | its number + 1; 0: free; linear probing
    entries  int64 (room + 1, 2): by number, where a longer word begins in `data`, and its occurrences
    data     uint8: bytes of the longer words, one after the other
    sizes    int64 (3,): short words, longer words, bytes of all short words
    borders  int64 (AHEAD + 1,), keys uint64 (AHEAD,): of the words that are looked up next
    """

    short: np.ndarray
    slots: np.ndarray
    entries: np.ndarray
    data: np.ndarray
    sizes: np.ndarray
    borders: np.ndarray
    keys: np.ndarray

    @property
    def words(self) -> int:
        """Distinct words."""
        return int(self.sizes[0] + self.sizes[1])

    @property
    def occurrences(self) -> int:
        """Of all words."""
        return int(self.short[:, 1].sum() + self.entries[: self.sizes[1], 1].sum())

    @property
    def bytes(self) -> int:
        """Bytes of all distinct words."""
        return int(self.sizes[2] + self.entries[self.sizes[1], 0])


def empty_table() -> Table:
    """A table without words."""
    return Table(
        np.zeros((FIRST_WORDS, 2), np.int64),
        np.zeros(FIRST_WORDS, np.uint64),
        np.zeros((_room(FIRST_WORDS) + 1, 2), np.int64),
        np.empty(16 * FIRST_WORDS, np.uint8),
        np.zeros(3, np.int64),
        np.zeros(_AHEAD + 1, np.int64),
        np.zeros(_AHEAD, np.uint64),
    )


def _room(slots: int) -> int:
    """Words in so many slots, at most."""
    return slots * 3 // 4


def grown(table: Table, length: int) -> Table:
    """A table with room for at least one more word of `length` bytes."""
    short, longer, _ = table.sizes
    if short >= _room(len(table.short)):
        larger = np.zeros((2 * len(table.short), 2), np.int64)
        _place_short(table.short, larger)
        table = table._replace(short=larger)
    if longer == len(table.entries) - 1:
        slots = np.zeros(2 * len(table.slots), np.uint64)
        _place(table.slots, slots)
        table = table._replace(slots=slots, entries=_resized(table.entries, _room(len(slots)) + 1))
    used = int(table.entries[longer, 0])
    if used + length > len(table.data):
        table = table._replace(data=_resized(table.data, max(len(table.data) * 3 // 2, used + length)))
    return table


def _resized(array: np.ndarray, size: int) -> np.ndarray:
    larger = np.empty((size, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


@kernel()
def add_pieces(
    table: Table, data: np.ndarray, starts: np.ndarray, mode: int, classes: np.ndarray, weight: int, row: int, i: int
) -> tuple[int, int]:
    """Count pieces from byte i of text `row` on; returns the text and byte where it ran out of room, or (rows, 0)."""
    short, slots, entries, own, sizes, borders, keys = table
    while row < len(starts) - 1:
        stop = starts[row + 1]
        i = max(i, starts[row])
        while i < stop:
            found = 0
            borders[0] = i
            while i < stop and found < _AHEAD:
                end = bloom_end(data, i, stop, classes) if mode == BLOOM else gpt2_end(data, i, stop, classes)
                keys[found] = _key(short, slots, data, i, end)
                found += 1
                borders[found] = i = end
            for k in range(found):
                if not _add(short, slots, entries, own, sizes, data, borders[k], borders[k + 1], keys[k], weight):
                    return row, borders[k]
        row += 1
    return row, 0


@kernel()
def add_words(table: Table, data: np.ndarray, starts: np.ndarray, added: np.ndarray, row: int) -> int:
    """Add words from number `row` on; returns the one where it ran out of room, or their number."""
    short, slots, entries, own, sizes, _, keys = table
    rows = len(starts) - 1
    while row < rows:
        until = min(row + _AHEAD, rows)
        for k in range(row, until):
            keys[k - row] = _key(short, slots, data, starts[k], starts[k + 1])
        for k in range(row, until):
            begin, end = starts[k], starts[k + 1]
            if begin < end and not _add(short, slots, entries, own, sizes, data, begin, end, keys[k - row], added[k]):
                return k
        row = until
    return row


@inlined()
def _key(short: np.ndarray, slots: np.ndarray, data: np.ndarray, begin: int, end: int) -> Any:
    """The word data[begin:end] packed, where it is short, or its hash; its slot is on its way to the cache then."""
    length = end - begin
    if length > _SHORT:
        key = _hash(data, begin, end)
        prefetch(slots, np.int64(key >> _SHIFT & np.uint64(len(slots) - 1)))
    else:
        key = np.uint64(0)
        if begin + 8 <= len(data):
            key = eight_bytes(data, begin) & ((np.uint64(1) << np.uint64(8 * length)) - np.uint64(1))
        else:
            for k in range(length):
                key |= np.uint64(data[begin + k]) << np.uint64(8 * k)
        key |= np.uint64(length) << np.uint64(56)
        prefetch(short, np.int64(_short_hash(key) & np.uint64(len(short) - 1)))
    return key


@inlined()
def _add(
    short: np.ndarray,
    slots: np.ndarray,
    entries: np.ndarray,
    own: np.ndarray,
    sizes: np.ndarray,
    data: np.ndarray,
    begin: int,
    end: int,
    key: Any,
    amount: int,
) -> bool:
    """Add occurrences of the word data[begin:end]; false, and nothing done, where it is new and there is no room."""
    if end - begin > _SHORT:
        return _add_longer(slots, entries, own, sizes, data, begin, end, key >> _SHIFT, amount)
    slot = _short_slot(short, np.int64(key))
    if short[slot, 0] == 0:
        if sizes[0] >= len(short) * 3 // 4:
            return False
        short[slot, 0] = key
        sizes[0] += 1
        sizes[2] += end - begin
    short[slot, 1] += amount
    return True


@inlined()
def _short_hash(key: Any) -> Any:
    value = key * _MULTIPLIER
    return value ^ value >> _SHIFT


@inlined()
def _short_slot(short: np.ndarray, key: Any) -> Any:
    """Slot of a packed word, or the free one where it would go."""
    mask = np.uint64(len(short) - 1)
    slot = _short_hash(np.uint64(key)) & mask
    while short[slot, 0] != key and short[slot, 0] != 0:
        slot = (slot + np.uint64(1)) & mask
    return slot


@inlined()
def _add_longer(
    slots: np.ndarray,
    entries: np.ndarray,
    own: np.ndarray,
    sizes: np.ndarray,
    data: np.ndarray,
    begin: int,
    end: int,
    tag: Any,
    amount: int,
) -> bool:
    length = end - begin
    mask = np.uint64(len(slots) - 1)
    slot = tag & mask
    while slots[slot] != 0:
        if slots[slot] >> _SHIFT == tag:
            number = (slots[slot] & _LOW) - np.uint64(1)
            start = entries[number, 0]
            if entries[number + np.uint64(1), 0] - start == length and _same(own, start, data, begin, length):
                entries[number, 1] += amount
                return True
        slot = (slot + np.uint64(1)) & mask
    last = sizes[1]
    start = entries[last, 0]
    if last == len(entries) - 1 or start + length > len(own):
        return False
    for k in range(length):
        own[start + k] = data[begin + k]
    entries[last, 1] = amount
    entries[last + 1, 0] = start + length
    slots[slot] = tag << _SHIFT | np.uint64(last + 1)
    sizes[1] = last + 1
    return True


@inlined()
def _hash(data: np.ndarray, begin: int, end: int) -> Any:
    """Multiply and xorshift over eight bytes at a time; the last eight may overlap those before."""
    value = np.uint64(end - begin) * _MULTIPLIER
    i = begin
    while i + 8 < end:
        value = (value ^ eight_bytes(data, i)) * _MULTIPLIER
        value ^= value >> _SHIFT
        i += 8
    value = (value ^ eight_bytes(data, end - 8)) * _MULTIPLIER
    value ^= value >> _SHIFT
    return value * _MULTIPLIER


@inlined()
def _same(one: np.ndarray, at: int, other: np.ndarray, begin: int, length: int) -> bool:
    k = 0
    while k + 8 < length:
        if eight_bytes(one, at + k) != eight_bytes(other, begin + k):
            return False
        k += 8
    return eight_bytes(one, at + length - 8) == eight_bytes(other, begin + length - 8)


@kernel()
def _place_short(short: np.ndarray, into: np.ndarray) -> None:
    for old in range(len(short)):
        if short[old, 0] != 0:
            slot = _short_slot(into, short[old, 0])
            into[slot, 0], into[slot, 1] = short[old, 0], short[old, 1]


@kernel()
def _place(slots: np.ndarray, into: np.ndarray) -> None:
    mask = np.uint64(len(into) - 1)
    for old in range(len(slots)):
        if slots[old] != 0:
            slot = slots[old] >> _SHIFT & mask
            while into[slot] != 0:
                slot = (slot + np.uint64(1)) & mask
            into[slot] = slots[old]


@kernel()
def export(table: Table, offsets: np.ndarray, data: np.ndarray, counts: np.ndarray) -> None:
    """Write all words: `offsets` int64 (words + 1,), `data` uint8 (bytes,), `counts` int64 (words,); longer ones first.

    Their order is that of appearance for longer words, the table's for short ones.
    """
    short, _, entries, own, sizes, _, _ = table
    number, at = sizes[1], entries[sizes[1], 0]
    for k in range(number):
        offsets[k], counts[k] = entries[k, 0], entries[k, 1]
    for k in range(at):
        data[k] = own[k]
    for slot in range(len(short)):
        key = short[slot, 0]
        if key != 0:
            offsets[number], counts[number] = at, short[slot, 1]
            number += 1
            for _ in range(key >> 56):
                data[at] = key & 0xFF
                key >>= 8
                at += 1
    offsets[number] = at
