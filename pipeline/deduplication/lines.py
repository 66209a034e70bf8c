"""Recurring lines: menus, headers and footers that stand in many documents of one source.

A line is what stands between two `\\n`, without white space at its ends (as `str.strip` takes it). Lines are compared
by a 64-bit hash of their bytes; they are not changed in any other way.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.columns import text_buffers
from pipeline.deduplication.characters import SIZE, SPACE, decode, tables

_M = np.uint64(0xC6A4A7935BD1E995)


def line_hashes(texts: pa.LargeStringArray, characters_min: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of each document's distinct lines, sorted.

    Returns hashes, uint64 (m,), and row offsets, int64 (n + 1,): those of document i are hashes[offsets[i]:offsets[i +
    1]]. Lines of fewer than `characters_min` characters, and empty ones, are left out.
    """
    offsets, data = text_buffers(texts)
    kind = tables().kind
    room = _count_lines(offsets, data)
    return _line_hashes(offsets, data, kind, max(1, characters_min), np.empty(room, np.uint64))


def count_hashes(hashes: np.ndarray, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Distinct hashes, sorted, and how often each occurs (int64); `counts` are those of the entries, default 1."""
    if counts is None:
        distinct, number = np.unique(hashes, return_counts=True)
        return distinct, number.astype(np.int64)
    order = np.argsort(hashes, kind="stable")
    hashes, counts = hashes[order], counts[order].astype(np.int64)
    first = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]]) if len(hashes) else np.zeros(0, np.int64)
    return hashes[first], np.add.reduceat(counts, first) if len(first) else np.zeros(0, np.int64)


def cut_lines(texts: pa.LargeStringArray, recurring: np.ndarray) -> pa.LargeStringArray:
    """Texts without the lines whose hash is in `recurring` (uint64, sorted); what is left stays joined by `\\n`.

    Returns `texts` itself where there is nothing to cut. Texts have no nulls.
    """
    if not len(recurring) or not len(texts):
        return texts
    offsets, data = text_buffers(texts)
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    cut = _cut_lines(offsets, data, tables().kind, np.ascontiguousarray(recurring, np.uint64), out, ends)
    if not cut:
        return texts
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(out[: ends[-1]].copy()))


@njit(cache=True, nogil=True)
def _count_lines(offsets: np.ndarray, data: np.ndarray) -> int:
    count = len(offsets) - 1
    for at in range(offsets[0], offsets[-1]):
        count += data[at] == 10
    return count


@njit(cache=True, nogil=True)
def _line_hashes(
    offsets: np.ndarray, data: np.ndarray, kind: np.ndarray, characters_min: int, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.zeros(len(offsets), np.int64)
    to = 0
    for row in range(len(offsets) - 1):
        first = to
        at, end = offsets[row], offsets[row + 1]
        while at <= end:
            stop = _line_end(data, at, end)
            start, last = _strip(data, at, stop, kind)
            if _characters(data, start, last) >= characters_min:
                out[to] = hash_bytes(data, start, last)
                to += 1
            at = stop + 1
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
    offsets: np.ndarray, data: np.ndarray, kind: np.ndarray, recurring: np.ndarray, out: np.ndarray, ends: np.ndarray
) -> bool:
    to = 0
    cut = False
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        is_first = True
        while at <= end:
            stop = _line_end(data, at, end)
            start, last = _strip(data, at, stop, kind)
            if start < last and _contains(recurring, hash_bytes(data, start, last)):
                cut = True
            else:
                if not is_first:
                    out[to] = 10
                    to += 1
                is_first = False
                for place in range(at, stop):
                    out[to + place - at] = data[place]
                to += stop - at
            at = stop + 1
        ends[row + 1] = to
    return cut


@njit(cache=True, nogil=True, inline="always")
def _line_end(data: np.ndarray, at: int, end: int) -> int:
    while at < end and data[at] != 10:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _strip(data: np.ndarray, start: int, end: int, kind: np.ndarray) -> tuple[int, int]:
    """Where a line starts and ends without the white space around it."""
    while start < end:
        code, after = decode(data, start)
        if code >= SIZE or kind[code] != SPACE:
            break
        start = after
    while start < end:
        last = end - 1
        while (data[last] & 0xC0) == 0x80:
            last -= 1
        code, _ = decode(data, last)
        if code >= SIZE or kind[code] != SPACE:
            break
        end = last
    return start, end


@njit(cache=True, nogil=True)
def _characters(data: np.ndarray, start: int, end: int) -> int:
    count = 0
    for at in range(start, end):
        count += (data[at] & 0xC0) != 0x80
    return count


@njit(cache=True, nogil=True)
def _contains(values: np.ndarray, value: Any) -> bool:
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < len(values) and values[low] == value


@njit(cache=True, nogil=True)
def hash_bytes(data: np.ndarray, start: Any, end: Any) -> Any:
    """64-bit hash of data[start:end] (MurmurHash64A of Austin Appleby, seed 0)."""
    h = np.uint64(end - start) * _M
    at = start
    while at + 8 <= end:
        h = (h ^ _mixed(_word(data, at, 8))) * _M
        at += 8
    if at < end:
        h = (h ^ _word(data, at, end - at)) * _M
    h = (h ^ (h >> np.uint64(47))) * _M
    return h ^ (h >> np.uint64(47))


@njit(cache=True, nogil=True, inline="always")
def _mixed(k: Any) -> Any:
    k = k * _M
    return (k ^ (k >> np.uint64(47))) * _M


@njit(cache=True, nogil=True, inline="always")
def _word(data: np.ndarray, at: Any, size: Any) -> Any:
    """Up to eight bytes as a little-endian number."""
    value = np.uint64(0)
    for place in range(size):
        value |= np.uint64(data[at + place]) << np.uint64(8 * place)
    return value
