"""Text as decontamination compares it: tokens that case, punctuation, accents, digits of any script and layout leave
as they are, in every script.

A token is a run of letters and digits, or a single character of a script that is written without spaces. How much it
says is its *size*, in English words: a letter of an alphabet is 0.18 of a word, a Chinese character 0.6. So a Thai and
a Finnish sentence are as long as the English one that they translate, whatever their words.
"""

import itertools
import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.deduplication.characters import ASSIGNED, MULTIPLE, SIZE, Folds, decode, tables
from pipeline.text.hashing import OFFSET, PRIME, finish64

IGNORED = 1
"""In place of a folded character: the character is as if it were not there."""

_LETTER = 18
_SIZES = (
    (range(0x0E00, 0x0F00), 22), (range(0x1000, 0x10A0), 22), (range(0x1780, 0x1800), 22),  # Thai, Lao, …
    (range(0x19E0, 0x1B80), 22), (range(0xA980, 0xAA80), 22), (range(0xAA80, 0xAAE0), 22),
    (range(0x2E80, 0x3008), 60), (range(0x3400, 0xA000), 60), (range(0xF900, 0xFB00), 60),  # Han
    (range(0x20000, 0x40000), 60),
    (range(0x3040, 0x3200), 35), (range(0xFF66, 0xFFA0), 35), (range(0x1B000, 0x1B170), 35),  # kana
    (range(0xAC00, 0xD7B0), 40),  # Hangul: two or three letters a syllable
    (range(0x1200, 0x1380), 30),  # Ethiopic: a consonant and a vowel
)  # fmt: skip
"""Size of a character in hundredths of an English word, where it isn't that of a letter."""

_MARKS = (*range(0x0300, 0x0370), *range(0x0591, 0x05C8), *range(0x0610, 0x061B), 0x0640, *range(0x064B, 0x0660),
          0x0670, *range(0x06D6, 0x06EE), *range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00),
          *range(0xFE00, 0xFE10))  # fmt: skip
"""Accents, vowel points of Arabic and Hebrew, tatweel, variation selectors: often left out, never a letter."""
_SAME = {0x0131: "i", 0x0649: "ي", 0x06CC: "ي", 0x06A9: "ك", 0x0629: "ه", 0x06C1: "ه", 0x0142: "l", 0x00F8: "o"}
"""Letters that are written for one another and have no decomposition."""
_WITHOUT_ACCENTS = ("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW")


class Folding(NamedTuple):
    """Tables over code points.

    fold      uint32 (SIZE,): 0 parts tokens; IGNORED; the folded character; or MULTIPLE + row of `several`
    several   uint32 (k, 4): count, then up to three characters
    single    bool (SIZE,): the character is a token of its own
    size      int32 (SIZE,): size of the character in hundredths of an English word
    """

    fold: np.ndarray
    several: np.ndarray
    single: np.ndarray
    size: np.ndarray


@cache
def folding() -> Folding:
    """The tables, made once a process (about half a second)."""
    folds = Folds()
    size = np.full(SIZE, _LETTER, np.int32)
    for code in itertools.chain(*ASSIGNED):
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Cf":
            folds.fold[code] = IGNORED
        elif category[0] in "LMN" and code not in _MARKS:
            folds.put(code, _folded(character))
    for mark in _MARKS:
        folds.fold[mark] = IGNORED
    for block, words in _SIZES:
        size[block.start : min(block.stop, SIZE)] = words
    return Folding(folds.fold, folds.several, tables().unspaced, size)


def _folded(character: str) -> str:
    """What a character is compared as: NFKC and case fold, without accents, digits as those of ASCII."""
    parts = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    out = ""
    for part in parts:
        if unicodedata.category(part)[0] not in "LMN" or ord(part) in _MARKS:
            continue
        digit = unicodedata.decimal(part, None)
        if digit is not None:
            out += str(digit)
        elif unicodedata.name(part, "").startswith(_WITHOUT_ACCENTS):
            base = unicodedata.normalize("NFD", part)[0]
            out += _SAME.get(ord(base), base)
        else:
            out += part
    return out


@njit(cache=True, nogil=True)
def tokenize(
    data: np.ndarray,
    begin: int,
    end: int,
    fold: np.ndarray,
    several: np.ndarray,
    single: np.ndarray,
    size: np.ndarray,
    hashes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    sizes: np.ndarray,
) -> int:
    """Tokens of data[begin:end] (UTF-8): hash (uint64), first byte and byte behind (int64), size (int32).

    Returns their number, at most end − begin.
    """
    count = 0
    inside = False
    value: Any = OFFSET
    weight = np.int64(0)
    start, last, at = begin, begin, begin
    while at < end:
        here = at
        first = data[at]
        if first < 0x80:
            code: Any = np.uint32(first)
            at += 1
        else:
            code, at = decode(data, at)
        folded = fold[code] if code < SIZE else np.uint32(0)
        if folded == IGNORED:
            continue
        if folded == 0 or single[code]:
            if inside:
                hashes[count], starts[count], ends[count], sizes[count] = finish64(value), start, last, weight
                count += 1
                inside = False
            if folded == 0:
                continue
        if not inside:
            inside = True
            value = OFFSET
            weight = np.int64(0)
            start = here
        if folded < MULTIPLE:
            value = (value ^ np.uint64(folded)) * PRIME
        else:
            row = folded - MULTIPLE
            for part in range(several[row, 0]):
                value = (value ^ np.uint64(several[row, 1 + part])) * PRIME
        weight += size[code]
        last = at
        if single[code]:
            hashes[count], starts[count], ends[count], sizes[count] = finish64(value), start, last, weight
            count += 1
            inside = False
    if inside:
        hashes[count], starts[count], ends[count], sizes[count] = finish64(value), start, last, weight
        count += 1
    return count


@njit(cache=True, nogil=True)
def letters(data: np.ndarray, begin: int, end: int, fold: np.ndarray, several: np.ndarray, out: np.ndarray) -> int:
    """The folded characters of a token, as many as `out` (uint32) holds; returns their number."""
    count, at = 0, begin
    while at < end and count < len(out):
        code, at = decode(data, at)
        folded = fold[code] if code < SIZE else np.uint32(0)
        if folded <= IGNORED:
            continue
        if folded < MULTIPLE:
            out[count] = folded
            count += 1
            continue
        row = folded - MULTIPLE
        for part in range(several[row, 0]):
            if count < len(out):
                out[count] = several[row, 1 + part]
                count += 1
    return count


@njit(cache=True, nogil=True)
def likeness(a: np.ndarray, m: int, b: np.ndarray, n: int, rows: np.ndarray, least: float) -> float:
    """1 − edits ÷ letters of the longer of two words; 0 where that is less than `least`.

    An edit is a letter more, less, other, or two swapped. `rows` is scratch, int32 (3, len(b) + 1).
    """
    longer = max(m, n)
    if longer == 0:
        return 0.0
    most = np.int32((1.0 - least) * longer + 1e-6)
    if abs(m - n) > most or _lacking(a, m, b, n) > most:
        return 0.0
    for column in range(n + 1):
        rows[1, column] = column
    before, last, now = 0, 1, 2
    least_before = np.int32(0)
    for row in range(1, m + 1):
        rows[now, 0] = row
        least_now = np.int32(row)
        for column in range(1, n + 1):
            cost = 0 if a[row - 1] == b[column - 1] else 1
            best = min(rows[last, column] + 1, rows[now, column - 1] + 1, rows[last, column - 1] + cost)
            if row > 1 and column > 1 and a[row - 1] == b[column - 2] and a[row - 2] == b[column - 1]:
                best = min(best, rows[before, column - 2] + 1)
            rows[now, column] = best
            least_now = min(least_now, np.int32(best))
        if least_now > most and least_before > most:  # a swap looks two rows back
            return 0.0
        least_before = least_now
        before, last, now = last, now, before
    edits = rows[last, n]
    return 1.0 - edits / longer if edits <= most else 0.0


@njit(cache=True, nogil=True)
def _lacking(a: np.ndarray, m: int, b: np.ndarray, n: int) -> int:
    """Of the letters of one word that the other lacks, at least so many: each takes an edit of its own."""
    first, second = np.uint64(0), np.uint64(0)
    for place in range(m):
        first |= np.uint64(1) << (np.uint64(a[place]) & np.uint64(63))
    for place in range(n):
        second |= np.uint64(1) << (np.uint64(b[place]) & np.uint64(63))
    return max(_ones(first & ~second), _ones(second & ~first))


@njit(cache=True, nogil=True)
def _ones(bits: Any) -> int:
    count = 0
    while bits:
        bits &= bits - np.uint64(1)
        count += 1
    return count
