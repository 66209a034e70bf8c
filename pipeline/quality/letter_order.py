"""The kernel of `letter_order`: how much likelier the letters of a text are in their order than in any order.

Of each letter, the logarithm of its probability after the two before it over its probability anywhere, in the text
that the model of the language was made from; the mean over all letters, word ends counted as one. It is above zero
for text of the language, near or below zero for letters thrown together. One look-up a letter where the three are
known, two where only the last two are.
"""

import numpy as np
from numba import njit

from pipeline.quality.characters import CODE_MASK, SPECIAL

UNITS_PER_NAT = 32.0
"""Of the int8 weights."""
LETTERS_MIN = 20
"""A text of fewer letters is not judged."""
WINDOW, WINDOWS = 512, 8
"""Of a text longer than WINDOW × WINDOWS characters, WINDOWS evenly spaced stretches are read."""

ANY = 0x1FFFFF
"""Stands in place of the first letter for a pair."""
_PRIME, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFF51AFD7ED558CCD)
_S21, _S42, _S32 = np.uint64(21), np.uint64(42), np.uint64(32)
_FLAG_SPECIAL, _CODE, _NONE = np.uint32(SPECIAL), np.uint32(CODE_MASK), np.uint32(0)


@njit(cache=True, nogil=True, inline="always")
def _key(a: int, b: int, c: int) -> np.uint32:
    value = ((np.uint64(a) << _S42) ^ (np.uint64(b) << _S21) ^ np.uint64(c)) * _PRIME
    value = (value ^ (value >> _S32)) * _MIX
    key = np.uint32(value >> _S32)
    return key if key != _NONE else np.uint32(1)


@njit(cache=True)
def sequence_keys(codes: np.ndarray) -> np.ndarray:
    """Keys, uint32 (n,), of sequences of three code points, int64 (n, 3); none is 0."""
    keys = np.empty(len(codes), np.uint32)
    for i in range(len(codes)):
        keys[i] = _key(codes[i, 0], codes[i, 1], codes[i, 2])
    return keys


@njit(cache=True)
def fill(keys: np.ndarray, weights: np.ndarray, slots: np.ndarray, values: np.ndarray) -> None:
    """Put keys, none 0, into an open-addressing table: `slots` uint32, zero, a power of two; `values` int8."""
    mask = np.uint32(len(slots) - 1)
    for i in range(len(keys)):
        slot = keys[i] & mask
        while slots[slot] != _NONE:
            slot = (slot + np.uint32(1)) & mask
        slots[slot], values[slot] = keys[i], weights[i]


@njit(cache=True, nogil=True, inline="always")
def _find(keys: np.ndarray, start: int, mask: np.uint32, key: np.uint32) -> np.int64:
    slot = key & mask
    while True:
        held = keys[start + np.int64(slot)]
        if held == key:
            return np.int64(start) + np.int64(slot)
        if held == _NONE:
            return np.int64(-1)
        slot = (slot + np.uint32(1)) & mask


@njit(cache=True, nogil=True)
def letter_order(
    codes: np.ndarray,
    length: int,
    entries: np.ndarray,
    keys: np.ndarray,
    weights: np.ndarray,
    start: int,
    mask_: int,
    floor: int,
    order: int,
) -> float:
    """Nats a letter of the measured text `codes[:length]`; NaN without a model (mask −1) or with too few letters.

    `order` 3 looks at three letters, then at two; 2 at two only. Unknown sequences weigh `floor`, in units.
    """
    if mask_ < 0:
        return np.nan
    mask = np.uint32(mask_)
    pieces = WINDOWS if length > WINDOW * WINDOWS else 1
    size = WINDOW if pieces > 1 else length
    total, letters = 0, 0
    for piece in range(pieces):
        first = piece * (length // pieces)
        a = b = 0
        for i in range(first, first + size + 1):
            entry = entries[codes[i]] if i < first + size else _FLAG_SPECIAL
            c = 0 if entry & _FLAG_SPECIAL else int(entry & _CODE)
            if c == 0 and b == 0:
                continue
            if order == 3 or (b and c):
                at = _find(keys, start, mask, _key(a, b, c)) if order == 3 else np.int64(-1)
                if at < 0:
                    at = _find(keys, start, mask, _key(ANY, b, c))
                total += weights[at] if at >= 0 else floor
                letters += 1
            if c:
                a, b = b, c
            else:
                a = b = 0
    if letters < LETTERS_MIN:
        return np.nan
    return total / (UNITS_PER_NAT * letters)
