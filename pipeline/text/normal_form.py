"""Unicode normalisation form C of columns of text, in time that is linear in the text.

`unicodedata.normalize` does the work. It is handed only what may not be normal already (the quick check of UAX #15,
section 9, in numba), and never a long run of combining marks as it stands: it orders them by insertion, which takes
minutes for a megabyte of marks. Such runs are put into canonical order first, which changes nothing in the result.
"""

import re
import unicodedata
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from pipeline.deduplication.characters import changed_by, decode, kinds
from pipeline.text.columns import text_buffers

RUN_MAX = 30
"""Marks in a row left to `unicodedata`, as the Stream-Safe Text Format (UAX #15, section 13) caps them."""

_SIZE = 0x110000
_CHANGES, _SECOND, _MARK = np.uint8(1), np.uint8(2), np.uint8(4)
"""Flags: a character that may change by itself or by neighbours; the second of a pair that composes; one that,
decomposed, begins with a mark."""

_SIMPLE = np.uint32(0x300)
"""Below it all is normal, and nothing combines with what stands before it."""
_NORMAL, _MAYBE, _LONG_RUN = 0, 1, 2


def to_nfc(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Texts in normalisation form C; the very same array where all are already."""
    rows = np.flatnonzero(~pc.fill_null(pc.string_is_ascii(texts), True).to_numpy(zero_copy_only=False))
    if not len(rows):
        return texts
    states = _states(texts, rows)
    if not states.any():
        return texts
    changes = {}
    for row in np.flatnonzero(states).tolist():
        text = texts[row].as_py()
        normal = unicodedata.normalize("NFC", _order_runs(text) if states[row] == _LONG_RUN else text)
        if normal != text:
            changes[row] = normal
    if not changes:
        return texts
    changed = np.zeros(len(texts), bool)
    changed[list(changes)] = True
    return pc.replace_with_mask(texts, pa.array(changed), pa.array(changes.values(), pa.large_string()))


def _order_runs(text: str) -> str:
    """The text with its runs of marks decomposed and in canonical order: an equivalent text."""
    return _runs().sub(lambda match: "".join(sorted(_decomposed(match[0]), key=unicodedata.combining)), text)


def _decomposed(marks: str) -> str:
    return "".join([_decomposition(mark) for mark in marks])


@cache
def _decomposition(mark: str) -> str:
    return unicodedata.normalize("NFD", mark)


@cache
def _runs() -> re.Pattern[str]:
    marks = np.flatnonzero(_tables()[0] & _MARK)
    return re.compile(f"[{''.join(map(chr, marks))}]{{{RUN_MAX},}}")


class _Tables(NamedTuple):
    """What the kernel knows of each character, uint8 (0x110000,) each: flags; the combining class; that of the last
    character of its decomposition. And the pairs that compose: first << 21 | second, sorted, int64.
    """

    flags: np.ndarray
    classes: np.ndarray
    last_classes: np.ndarray
    pairs: np.ndarray


@cache
def _tables() -> _Tables:
    flags, classes, last_classes = (np.zeros(_SIZE, np.uint8) for _ in range(3))
    pairs: list[int] = []
    marks = map(chr, np.flatnonzero(kinds() == ord("M")).tolist())
    for character in {*marks, *changed_by(partial(unicodedata.normalize, "NFD"))}:
        if not (unicodedata.decomposition(character) or unicodedata.combining(character)):
            continue  # syllables of Hangul, which begin and end with letters
        code = ord(character)
        decomposed = unicodedata.normalize("NFD", character)
        classes[code], last_classes[code] = unicodedata.combining(character), unicodedata.combining(decomposed[-1])
        parts = unicodedata.decomposition(character)
        if parts and parts[0] != "<":
            if unicodedata.normalize("NFC", character) != character:
                flags[code] |= _CHANGES
            else:
                first, second = (int(part, 16) for part in parts.split(" "))
                flags[second] |= _SECOND
                pairs.append(first << 21 | second)
        if unicodedata.combining(decomposed[0]):
            flags[code] |= _MARK
    flags[0x1161:0x1176] |= _CHANGES  # vowels and finals of Hangul
    flags[0x11A8:0x11C3] |= _CHANGES
    return _Tables(flags, classes, last_classes, np.array(sorted(pairs), np.int64))


def _states(texts: pa.LargeStringArray, rows: np.ndarray) -> np.ndarray:
    offsets, data = text_buffers(texts)
    states = np.zeros(len(texts), np.uint8)
    _examine(offsets, data, rows, *_tables(), states)
    return states


@njit(cache=True, nogil=True)
def _examine(
    offsets: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    flags: np.ndarray,
    classes: np.ndarray,
    last_classes: np.ndarray,
    pairs: np.ndarray,
    states: np.ndarray,
) -> None:
    """Set the state of each text in `rows`, int64: _NORMAL, _MAYBE or _LONG_RUN."""
    for row in rows:
        state, run, before = _NORMAL, 0, np.int64(0)
        index, end = offsets[row], offsets[row + 1]
        while index < end:
            code, index = decode(data, index)
            if code < _SIMPLE:
                run, before = 0, np.int64(code)
                continue
            flag, combining = flags[code], classes[code]
            if flag & _CHANGES or (combining and combining < last_classes[before]):
                state = _MAYBE
            elif flag & _SECOND:
                pair = before << 21 | np.int64(code)
                place = np.searchsorted(pairs, pair)
                # A mark may compose with what stands before other marks; anything else only with what it follows.
                if (combining and classes[before]) or (place < len(pairs) and pairs[place] == pair):
                    state = _MAYBE
            before = np.int64(code)
            run = run + 1 if flag & _MARK else 0
            if run >= RUN_MAX:
                state = _LONG_RUN
                break
        states[row] = state
