"""What deduplication needs to know of each character, as tables that numba reads: its case fold and its class.

The tables come from this Python's own Unicode data. Word characters are letters, marks and numbers (general categories
L, M, N): without the marks, words of Indic scripts would lose their vowels.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.text.columns import text_buffers

SIZE = 0xE0200
"""Code points from here on are private or not assigned: no word characters, no white space."""

ASSIGNED = (range(0x40000), range(0xE0000, SIZE))
"""Code points that may be something."""
_NEAR = 256
_WORD_KINDS = "LMN"
MULTIPLE = 1 << 31
PLANE = 0x10000
ELSEWHERE = 0xFF000000

SPACE, WORD, OTHER = 0, 1, 2
"""Classes of characters in code: white space, part of an identifier or number, a token of its own."""


_UNSPACED = (
    *(range(0x0E00, 0x0F00), range(0x1000, 0x10A0), range(0xA9E0, 0xAA00), range(0xAA60, 0xAA80)),  # Thai, Lao, Burmese
    *(range(0x1780, 0x1800), range(0x19E0, 0x1A00)),  # Khmer
    *(range(0x1950, 0x19E0), range(0x1A20, 0x1AB0), range(0xAA80, 0xAAE0)),  # Tai Le, New Tai Lue, Tai Tham, Tai Viet
    *(range(0x1B00, 0x1B80), range(0xA980, 0xA9E0)),  # Balinese, Javanese
    *(range(0x2E80, 0x2FE0), range(0x3005, 0x3008), range(0x3400, 0x4DC0), range(0x4E00, 0xA000)),  # Han
    *(range(0xF900, 0xFB00), range(0x20000, 0x40000)),
    *(range(0x3040, 0x3130), range(0x31A0, 0x3200), range(0xFF66, 0xFFA0), range(0x1B000, 0x1B170)),  # kana, bopomofo
)
"""Code points of scripts that are written without spaces between words."""
_SAMPLES, _SAMPLE_BYTES = 64, 64
"""Of a long document so many places, evenly spread, tell the script: 4 kB, as exact as any share is."""
_UNSPACED_MAX = (_SAMPLE_BYTES + 2) // 3
"""Characters of scripts without spaces, of three bytes or more, that begin in a sample at most."""


class Tables(NamedTuple):
    """Tables over code points.

    fold      uint32 (SIZE,): the case-folded character; 0 if no word character; MULTIPLE + row of `several`
    several   uint32 (k, 4): count, then up to three characters that one character folds to
    kind      uint8 (SIZE,): SPACE, WORD or OTHER; `_` counts as WORD
    unspaced  bool (SIZE,): the character belongs to a script without spaces between words
    scripts   int8 (SIZE,): 1 for word characters of such scripts, −1 for those of others, 0 for what is none
    utf8      uint32 (0x10000,): what a character folds to as UTF-8, of one to three bytes, the first lowest, below
              their number; 0 if no word character; ELSEWHERE where it takes more
    """

    fold: np.ndarray
    several: np.ndarray
    kind: np.ndarray
    unspaced: np.ndarray
    scripts: np.ndarray
    utf8: np.ndarray


class Folds:
    """What characters fold to, being put together: fields `fold` and `several` of `Tables`."""

    def __init__(self) -> None:
        self.fold = np.zeros(SIZE, np.uint32)
        self._several: list[list[int]] = []

    def put(self, code: int, folded: Sequence[str]) -> None:
        """A character folds to so many, of which the first three count; to none: it is no word character."""
        codes = [ord(part) for part in folded[:3]]
        if len(codes) == 1:
            self.fold[code] = codes[0]
        elif codes:
            self.fold[code] = MULTIPLE + len(self._several)
            self._several.append([len(codes), *codes, *[0] * (3 - len(codes))])

    @property
    def several(self) -> np.ndarray:
        """uint32 (k, 4)."""
        return np.array(self._several, np.uint32)


def _every(block: range) -> str:
    """All characters of a block, surrogates too."""
    return np.arange(block.start, block.stop, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")


@cache
def kinds() -> np.ndarray:
    """First letters of the general categories of code points, uint8 (SIZE,); `C` for those outside of ASSIGNED."""
    found = np.full(SIZE, ord("C"), np.uint8)
    for block in ASSIGNED:
        categories = "".join(map(unicodedata.category, _every(block))).encode()  # two letters each
        found[block.start : block.stop] = np.frombuffer(categories, np.uint8)[::2]
    return found


@cache
def spaces() -> np.ndarray:
    """Code points of white space, as `str.isspace` has it, int64 (n,): separators, and controls below U+0100."""
    is_near = kinds() == ord("Z")
    is_near[:0x100] = True
    return np.array([code for code in np.flatnonzero(is_near).tolist() if chr(code).isspace()])


def changed_by(mapping: Callable[[str], str]) -> Iterator[str]:
    """Characters that a mapping of characters, such as `str.lower`, changes; they stand near one another."""
    for block in ASSIGNED:
        characters = _every(block)
        for start in range(0, len(characters), _NEAR):
            some = characters[start : start + _NEAR]
            if mapping(some) != some:
                yield from (character for character in some if mapping(character) != character)


@cache
def tables() -> Tables:
    """The tables, made once a process (about 0.05 s)."""
    folds = Folds()
    is_word = np.isin(kinds(), list(_WORD_KINDS.encode()))
    folds.fold[:] = np.where(is_word, np.arange(SIZE), 0)
    for character in changed_by(str.casefold):
        folds.fold[ord(character)] = 0
        folds.put(ord(character), [part for part in character.casefold() if is_word_character(part)])
    kind = np.where(is_word, WORD, OTHER).astype(np.uint8)
    kind[spaces()] = SPACE
    kind[ord("_")] = WORD
    unspaced = np.zeros(SIZE, np.bool_)
    for block in _UNSPACED:
        unspaced[block.start : block.stop] = True
    scripts = np.where(folds.fold == 0, 0, np.where(unspaced, 1, -1)).astype(np.int8)
    return Tables(folds.fold, folds.several, kind, unspaced, scripts, _utf8(folds.fold[:PLANE]))


def _utf8(fold: np.ndarray) -> np.ndarray:
    """Field `utf8` of `Tables`."""
    one, two, three = (
        np.uint32(1 << 24) | fold,
        np.uint32(2 << 24 | 0x80C0) | fold >> 6 | (fold & 0x3F) << 8,
        np.uint32(3 << 24 | 0x8080E0) | fold >> 12 | (fold >> 6 & 0x3F) << 8 | (fold & 0x3F) << 16,
    )
    packed = np.where(fold < 0x80, one, np.where(fold < 0x800, two, three))
    return np.where(fold == 0, 0, np.where(fold < PLANE, packed, ELSEWHERE)).astype(np.uint32)


def is_word_character(character: str) -> bool:
    """Whether a character is a letter, a mark or a number."""
    return unicodedata.category(character)[0] in _WORD_KINDS


def is_unspaced(texts: pa.LargeStringArray) -> np.ndarray:
    """Whether most word characters of each text belong to scripts without spaces between words, bool (n,)."""
    offsets, data = text_buffers(texts)
    known = tables()
    out = np.zeros(len(texts), np.bool_)
    _is_unspaced(offsets, data, known.scripts, out)
    return out


@njit(cache=True, nogil=True)
def _is_unspaced(offsets: np.ndarray, data: np.ndarray, scripts: np.ndarray, out: np.ndarray) -> None:
    for row in range(len(out)):
        begin, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        step = max((end - begin) // np.uint64(_SAMPLES), np.uint64(_SAMPLE_BYTES))
        balance = 0
        for start in range(begin, end, step):
            at: Any = start
            while at < end and (data[at] & 0xC0) == 0x80:
                at += ONE
            stop = min(start + np.uint64(_SAMPLE_BYTES), end)
            while at < stop:
                code, at = decode(data, at)
                if code < SIZE:
                    balance += scripts[code]
            rest = np.int64((end - start - ONE) // step)  # samples
            if balance <= -rest * _UNSPACED_MAX or balance > rest * _SAMPLE_BYTES:
                break  # what is left cannot tip it
        out[row] = balance > 0


ONE, TWO, THREE, FOUR = (np.uint8(number) for number in range(1, 5))
"""Steps from byte to byte. Added to an unsigned place they leave it unsigned, and numba looks up such a place without
asking whether it counts from the end."""


@njit(cache=True, nogil=True, inline="always")
def decode(data: np.ndarray, at: Any) -> tuple[Any, Any]:
    """The code point of the valid UTF-8 sequence at a place, and the place behind it."""
    first = np.uint32(data[at])
    if first < 0x80:
        return first, at + ONE
    if first < 0xE0:
        return ((first & np.uint32(0x1F)) << np.uint32(6)) | np.uint32(data[at + ONE] & 0x3F), at + TWO
    second, third = np.uint32(data[at + ONE] & 0x3F), np.uint32(data[at + TWO] & 0x3F)
    if first < 0xF0:
        return ((first & np.uint32(0xF)) << np.uint32(12)) | (second << np.uint32(6)) | third, at + THREE
    fourth = np.uint32(data[at + THREE] & 0x3F)
    high = ((first & np.uint32(7)) << np.uint32(18)) | (second << np.uint32(12))
    return high | (third << np.uint32(6)) | fourth, at + FOUR


@njit(cache=True, nogil=True, inline="always")
def encode(code: Any, out: np.ndarray, at: Any) -> Any:
    """Write a code point as UTF-8; returns the place behind it."""
    if code < 0x80:
        out[at] = code
        return at + ONE
    if code < 0x800:
        out[at] = 0xC0 | (code >> 6)
        out[at + ONE] = 0x80 | (code & 0x3F)
        return at + TWO
    if code < 0x10000:
        out[at] = 0xE0 | (code >> 12)
        out[at + ONE] = 0x80 | ((code >> 6) & 0x3F)
        out[at + TWO] = 0x80 | (code & 0x3F)
        return at + THREE
    out[at] = 0xF0 | (code >> 18)
    out[at + ONE] = 0x80 | ((code >> 12) & 0x3F)
    out[at + TWO] = 0x80 | ((code >> 6) & 0x3F)
    out[at + THREE] = 0x80 | (code & 0x3F)
    return at + FOUR
