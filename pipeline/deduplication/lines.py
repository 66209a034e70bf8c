"""Recurring lines: menus, headers and footers that stand in many documents of one source.

A line is what stands between two `\\n`, without white space at its ends (as `str.strip` takes it). Lines are compared
by a 64-bit hash of their bytes; they are not changed in any other way.

Lines without a letter or a number (rules, braces) and lines inside fenced code blocks (CommonMark, section 4.5) are
neither counted nor cut: they recur because of what they are, not of where the document was published.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from pipeline.deduplication.characters import ONE, SIZE, SPACE, WORD, decode, tables
from pipeline.text.columns import text_buffers
from pipeline.text.scripts import letters_table

TICK, TILDE, UNDERSCORE = 0x60, 0x7E, 0x5F
NEVER = 1 << 62
_M = np.uint64(0xC6A4A7935BD1E995)
_EIGHT = np.uint8(8)
_BREAKS, _LOWEST, _HIGHEST = (np.uint64(0x0101010101010101 * byte) for byte in (10, 1, 0x80))
"""Eight line breaks, and the lowest and highest bits of eight bytes."""


def line_hashes(texts: pa.LargeStringArray, characters_min: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of each document's distinct lines, sorted.

    Returns hashes, uint64 (m,), and row offsets, int64 (n + 1,): those of document i are hashes[offsets[i]:offsets[i +
    1]]. Left out are lines of fewer than `characters_min` characters, without letters and numbers, and in code fences.
    A character counts as the letters that it stands for (`letters_table`): a line of Chinese says as much in a third.
    """
    offsets, data = text_buffers(texts)
    room = _count_breaks(data[offsets[0] : offsets[-1]]) + len(texts)
    hashes = np.empty(room, np.uint64)
    return _line_hashes(offsets, data, tables().kind, letters_table(), max(1, characters_min), hashes)


def count_hashes(hashes: np.ndarray, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Distinct hashes, sorted, and how often each occurs (int64); `counts` are those of the entries, default 1."""
    if counts is None:
        distinct, number = np.unique(hashes, return_counts=True)
        return distinct, number.astype(np.int64)
    order = np.argsort(hashes, kind="stable")
    hashes, counts = hashes[order], counts[order].astype(np.int64)
    first = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]]) if len(hashes) else np.zeros(0, np.int64)
    return hashes[first], np.add.reduceat(counts, first) if len(first) else np.zeros(0, np.int64)


class KnownLines(NamedTuple):
    """Hashes of lines, uint64 (n,), sorted, and for each value of their upper bits where those with it begin, int64.

    The hashes are spread evenly, so that few have the same: a line is looked up in one or two steps.
    """

    hashes: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, hashes: np.ndarray) -> "KnownLines":
        """Sorted hashes to look lines up in."""
        hashes = np.ascontiguousarray(hashes, np.uint64).view()
        hashes.flags.writeable = False  # as those of a file are: kernels are compiled for one of both
        bits = max(1, len(hashes).bit_length())
        counts = np.bincount((hashes >> np.uint64(64 - bits)).astype(np.int64), minlength=1 << bits)
        return cls(hashes, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))


def cut_lines(texts: pa.LargeStringArray, recurring: np.ndarray | KnownLines) -> pa.LargeStringArray:
    """Texts without the lines whose hash is in `recurring` (uint64, sorted); what is left stays joined by `\n`.

    Returns `texts` itself where there is nothing to cut. Texts have no nulls.
    """
    known = recurring if isinstance(recurring, KnownLines) else KnownLines.of(recurring)
    if not len(known.hashes) or not len(texts):
        return texts
    offsets, data = text_buffers(texts)
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    shift = np.uint64(64 - (len(known.starts) - 1).bit_length() + 1)
    cut = _cut_lines(offsets, data, tables().kind, known.hashes, known.starts, shift, out, ends)
    if not cut:
        return texts
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(out[: ends[-1]]))


def cut_lines_of(texts: pa.LargeStringArray, rows: pa.BooleanArray, recurring: KnownLines) -> pa.LargeStringArray:
    """The same for some rows; the others stay as they are."""
    if rows.true_count == len(texts):
        return cut_lines(texts, recurring)
    whole = texts.filter(rows)
    cut = cut_lines(whole, recurring)
    return texts if cut is whole else pc.replace_with_mask(texts, rows, cut)


def have_words(texts: pa.LargeStringArray) -> np.ndarray:
    """Whether there is a letter, a mark or a number in each text, bool (n,)."""
    offsets, data = text_buffers(texts)
    out = np.zeros(len(texts), np.bool_)
    _have_words(offsets, data, tables().kind, out)
    return out


@njit(cache=True, nogil=True)
def _have_words(offsets: np.ndarray, data: np.ndarray, kind: np.ndarray, out: np.ndarray) -> None:
    for row in range(len(out)):
        out[row] = _says(data, np.uint64(offsets[row]), np.uint64(offsets[row + 1]), kind)


@njit(cache=True, nogil=True)
def _count_breaks(data: np.ndarray) -> int:
    count = 0
    for at in range(len(data)):
        count += data[at] == 10
    return count


@njit(cache=True, nogil=True)
def _line_hashes(
    offsets: np.ndarray,
    data: np.ndarray,
    kind: np.ndarray,
    letters: np.ndarray,
    characters_min: int,
    out: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.zeros(len(offsets), np.int64)
    to = 0
    for row in range(len(offsets) - 1):
        first = to
        at, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        free, open_ticks, open_tildes = at, NEVER, NEVER
        while at <= end:
            stop = _line_end(data, at, end)
            start, last = _strip(data, at, stop, kind)
            if at >= free:
                free, open_ticks, open_tildes = _fenced(
                    data, start, last, stop, end, kind, free, open_ticks, open_tildes
                )
            long_enough = at >= free and _has_letters(data, start, last, letters, characters_min)
            if long_enough and _says(data, start, last, kind):
                out[to] = hash_bytes(data, start, last)
                to += 1
            at = stop + ONE
        to = _distinct(out, first, to)
        rows[row + 1] = to
    return out[:to].copy(), rows


@njit(cache=True, nogil=True)
def _distinct(hashes: np.ndarray, first: int, last: int) -> int:
    """Sort hashes[first:last], remove doubles and return the new end."""
    if last - first < 2:
        return last
    part = np.sort(hashes[first:last])
    to = first
    for at in range(len(part)):
        if at == 0 or part[at] != part[at - 1]:
            hashes[to] = part[at]
            to += 1
    return to


@njit(cache=True, nogil=True)
def _cut_lines(
    offsets: np.ndarray,
    data: np.ndarray,
    kind: np.ndarray,
    hashes: np.ndarray,
    starts: np.ndarray,
    shift: Any,
    out: np.ndarray,
    ends: np.ndarray,
) -> bool:
    to = np.uint64(0)
    cut = False
    for row in range(len(offsets) - 1):
        at, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        is_first = True
        free, open_ticks, open_tildes = at, NEVER, NEVER
        while at <= end:
            stop = _line_end(data, at, end)
            start, last = _strip(data, at, stop, kind)
            if at >= free:
                free, open_ticks, open_tildes = _fenced(
                    data, start, last, stop, end, kind, free, open_ticks, open_tildes
                )
            if at >= free and start < last and _contains(hashes, starts, shift, hash_bytes(data, start, last)):
                cut = True
            else:
                if not is_first:
                    out[to] = 10
                    to += ONE
                is_first = False
                for place in range(stop - at):
                    out[to + place] = data[at + place]
                to += stop - at
            at = stop + ONE
        ends[row + 1] = to
    return cut


@njit(cache=True, nogil=True, inline="always")
def _line_end(data: np.ndarray, at: Any, end: Any) -> Any:
    while at + _EIGHT <= end:
        word = _word(data, at) ^ _BREAKS
        if (word - _LOWEST) & ~word & _HIGHEST:  # one of the bytes is a line break
            break
        at += _EIGHT
    while at < end and data[at] != 10:
        at += ONE
    return at


@njit(cache=True, nogil=True)
def _strip(data: np.ndarray, start: Any, end: Any, kind: np.ndarray) -> tuple[Any, Any]:
    """Where a line starts and ends without the white space around it."""
    while start < end:
        code, after = decode(data, start)
        if code >= SIZE or kind[code] != SPACE:
            break
        start = after
    while start < end:
        last = end - ONE
        while (data[last] & 0xC0) == 0x80:
            last -= ONE
        code, _ = decode(data, last)
        if code >= SIZE or kind[code] != SPACE:
            break
        end = last
    return start, end


@njit(cache=True, nogil=True)
def _fenced(
    data: np.ndarray,
    start: Any,
    last: Any,
    stop: Any,
    end: Any,
    kind: np.ndarray,
    free: Any,
    open_ticks: Any,
    open_tildes: Any,
) -> tuple[Any, Any, Any]:
    """Where the code block that a line opens is over, else `free`; and the shortest fences known to stay open.

    A fence that is never closed opens no block. From there on none of its length or longer is closed either, so that
    the search for the end costs no more than a pass over the text for each length.
    """
    size = _fence(data, start, last)
    if size < 3:
        return free, open_ticks, open_tildes
    if data[start] == TICK:
        for place in range(start + np.uint64(size), last):
            if data[place] == TICK:  # inline code
                return free, open_ticks, open_tildes
    if size >= (open_ticks if data[start] == TICK else open_tildes):
        return free, open_ticks, open_tildes
    at = stop + ONE
    while at <= end:
        line_end = _line_end(data, at, end)
        first, behind = _strip(data, at, line_end, kind)
        closing = _fence(data, first, behind)
        if closing >= size and closing == np.int64(behind - first) and data[first] == data[start]:
            return line_end + ONE, open_ticks, open_tildes
        at = line_end + ONE
    if data[start] == TICK:
        return free, size, open_tildes
    return free, open_ticks, size


@njit(cache=True, nogil=True, inline="always")
def _fence(data: np.ndarray, start: Any, end: Any) -> Any:
    """How many backticks or tildes a line begins with."""
    at = start
    if at < end and (data[at] == TICK or data[at] == TILDE):
        while at < end and data[at] == data[start]:
            at += ONE
    return np.int64(at - start)


@njit(cache=True, nogil=True)
def _says(data: np.ndarray, start: Any, end: Any, kind: np.ndarray) -> bool:
    """Whether there is a letter, a mark or a number in a line."""
    at = start
    while at < end:
        code, at = decode(data, at)
        if code < SIZE and kind[code] == WORD and code != UNDERSCORE:
            return True
    return False


@njit(cache=True, nogil=True)
def _has_letters(data: np.ndarray, start: Any, end: Any, letters: np.ndarray, least: int) -> Any:
    """Whether the characters of a line, of one to four bytes, stand for so many letters, one a byte at most."""
    size = np.int64(end - start)
    if size < least or size >= 4 * least:
        return size >= least
    count, at = 0, start
    while at < end and count < least:
        code, at = decode(data, at)
        count += letters[code] if code < len(letters) else 1
    return count >= least


@njit(cache=True, nogil=True)
def _contains(hashes: np.ndarray, starts: np.ndarray, shift: Any, value: Any) -> Any:
    first = value >> shift
    low, end = starts[first], starts[first + ONE]
    high = end
    while low < high:
        middle = (low + high) >> 1
        if hashes[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < end and hashes[low] == value


@njit(cache=True, nogil=True)
def hash_bytes(data: np.ndarray, start: Any, end: Any) -> Any:
    """64-bit hash of data[start:end] (MurmurHash64A of Austin Appleby, seed 0)."""
    h = np.uint64(end - start) * _M
    at = start
    while at + _EIGHT <= end:
        h = (h ^ _mixed(_word(data, at))) * _M
        at += _EIGHT
    if at < end:
        rest = np.uint64(0)
        for place in range(end - at):
            rest |= np.uint64(data[at + place]) << np.uint64(8 * place)
        h = (h ^ rest) * _M
    h = (h ^ (h >> np.uint64(47))) * _M
    return h ^ (h >> np.uint64(47))


@njit(cache=True, nogil=True, inline="always")
def _mixed(k: Any) -> Any:
    k = k * _M
    return (k ^ (k >> np.uint64(47))) * _M


@njit(cache=True, nogil=True, inline="always")
def _word(data: np.ndarray, at: Any) -> Any:
    """Eight bytes as a little-endian number."""
    value = np.uint64(0)
    for place in range(8):
        value |= np.uint64(data[at + np.uint8(place)]) << np.uint64(8 * place)
    return value
