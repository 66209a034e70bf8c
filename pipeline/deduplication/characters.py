"""What deduplication needs to know of each character, as tables that numba reads: its case fold and its class.

The tables come from this Python's own Unicode data. Word characters are letters, marks and numbers (general categories
L, M, N): without the marks, words of Indic scripts would lose their vowels.
"""

import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

SIZE = 0xE0200
"""Code points from here on are private or not assigned: no word characters, no white space."""

_ASSIGNED = (range(0x40000), range(0xE0000, SIZE))
MULTIPLE = 1 << 31

SPACE, WORD, OTHER = 0, 1, 2
"""Classes of characters in code: white space, part of an identifier or number, a token of its own."""


class Tables(NamedTuple):
    """Tables over code points.

    fold      uint32 (SIZE,): the case-folded character; 0 if no word character; MULTIPLE + row of `several`
    several   uint32 (k, 4): count, then up to three characters that one character folds to
    kind      uint8 (SIZE,): SPACE, WORD or OTHER; `_` counts as WORD
    """

    fold: np.ndarray
    several: np.ndarray
    kind: np.ndarray


@cache
def tables() -> Tables:
    """The tables, made once a process (about 0.2 s)."""
    fold = np.zeros(SIZE, np.uint32)
    kind = np.full(SIZE, OTHER, np.uint8)
    several: list[list[int]] = []
    for code in (code for block in _ASSIGNED for code in block):
        character = chr(code)
        folded = [ord(part) for part in character.casefold() if is_word_character(part)]
        if len(folded) == 1:
            fold[code] = folded[0]
        elif folded:
            fold[code] = MULTIPLE + len(several)
            several.append([len(folded), *folded, *[0] * (3 - len(folded))])
        if character.isspace():
            kind[code] = SPACE
        elif character == "_" or is_word_character(character):
            kind[code] = WORD
    return Tables(fold, np.array(several, np.uint32), kind)


def is_word_character(character: str) -> bool:
    """Whether a character is a letter, a mark or a number."""
    return unicodedata.category(character)[0] in "LMN"


@njit(cache=True, nogil=True, inline="always")
def decode(data: np.ndarray, at: Any) -> tuple[Any, Any]:
    """The code point of the valid UTF-8 sequence at a place, and the place behind it."""
    first = np.uint32(data[at])
    if first < 0x80:
        return first, at + 1
    if first < 0xE0:
        return ((first & np.uint32(0x1F)) << np.uint32(6)) | np.uint32(data[at + 1] & 0x3F), at + 2
    second, third = np.uint32(data[at + 1] & 0x3F), np.uint32(data[at + 2] & 0x3F)
    if first < 0xF0:
        return ((first & np.uint32(0xF)) << np.uint32(12)) | (second << np.uint32(6)) | third, at + 3
    fourth = np.uint32(data[at + 3] & 0x3F)
    high = ((first & np.uint32(7)) << np.uint32(18)) | (second << np.uint32(12))
    return high | (third << np.uint32(6)) | fourth, at + 4


@njit(cache=True, nogil=True, inline="always")
def encode(code: Any, out: np.ndarray, at: Any) -> Any:
    """Write a code point as UTF-8; returns the place behind it."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | (code >> 6)
        out[at + 1] = 0x80 | (code & 0x3F)
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | (code >> 12)
        out[at + 1] = 0x80 | ((code >> 6) & 0x3F)
        out[at + 2] = 0x80 | (code & 0x3F)
        return at + 3
    out[at] = 0xF0 | (code >> 18)
    out[at + 1] = 0x80 | ((code >> 12) & 0x3F)
    out[at + 2] = 0x80 | ((code >> 6) & 0x3F)
    out[at + 3] = 0x80 | (code & 0x3F)
    return at + 4
