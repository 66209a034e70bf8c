"""Exact duplicates: a 128-bit key a document, equal where only case, punctuation and spacing differ."""

from typing import Any
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import xxhash
from numba import njit

from pipeline.deduplication.characters import (
    ELSEWHERE,
    MULTIPLE,
    ONE,
    PLANE,
    SIZE,
    SPACE,
    TWO,
    decode,
    encode,
    tables,
)
from pipeline.text.columns import text_buffers

ASCII = 128
_LENGTH = np.uint32(24)
FOLDED_MAX = 12
"""Bytes that a character folds to at most."""


def exact_hashes(texts: pa.LargeStringArray, is_code: np.ndarray, is_nfc: bool = False) -> np.ndarray:
    """Key of each document, uint64 (n, 2): the xxh3-128 of its normalised text.

    Natural language (`is_code`, bool (n,), false) is brought to NFC (left out where the caller says `is_nfc`),
    case-folded, and everything but letters, marks and numbers removed; marks stay because Indic vowels are marks. Code
    loses its white space, nothing else. Where nothing is left, the text as it is counts, so that `!!!` and `???`
    differ. Texts have no nulls.
    """
    if not is_nfc and not is_code.all():
        texts = _composed(texts, is_code)
    offsets, data = text_buffers(texts)
    known = tables()
    out = np.empty(_room(offsets), np.uint8)
    ends = np.empty(len(texts), np.int64)
    code = np.asarray(is_code, np.bool_)
    starts = _normalise(offsets, data, code, known.utf8, known.fold, known.several, known.kind, out, ends)
    view, digest = memoryview(out.data), xxhash.xxh3_128_digest
    keys = b"".join([digest(view[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])
    return np.frombuffer(keys, ">u8").astype(np.uint64).reshape(-1, 2)


def _composed(texts: pa.LargeStringArray, is_code: np.ndarray) -> pa.LargeStringArray:
    """Natural-language texts in NFC. By Python: `pyarrow.compute.utf8_normalize` decomposes instead (pyarrow 25)."""
    values = [t if c else normalize("NFC", t) for t, c in zip(texts.to_pylist(), is_code.tolist(), strict=True)]
    return pa.array(values, pa.large_string())


def _room(offsets: np.ndarray) -> int:
    """Bytes that normalised texts can take at most: a fold makes at most three times as many bytes of a character."""
    return 3 * int(offsets[-1] - offsets[0]) + FOLDED_MAX if len(offsets) else 0


@njit(cache=True, nogil=True)
def _normalise(
    offsets: np.ndarray,
    data: np.ndarray,
    is_code: np.ndarray,
    utf8: np.ndarray,
    fold: np.ndarray,
    several: np.ndarray,
    kind: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """Write normalised texts one behind the other; returns where each starts and fills in where it ends."""
    starts = np.empty(len(ends), np.int64)
    to = np.uint64(0)
    for row in range(len(ends)):
        begin, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        starts[row] = start = to
        if is_code[row]:
            to = _without_space(data, begin, end, kind, out, to)
        else:
            _, to = folded(data, begin, end, utf8, fold, several, out, to, np.uint64(len(out)))
        if to == start:
            for at in range(begin, end):
                out[to] = data[at]
                to += ONE
        ends[row] = to
    return starts


@njit(cache=True, nogil=True)
def folded(
    data: np.ndarray,
    at: Any,
    end: Any,
    utf8: np.ndarray,
    fold: np.ndarray,
    several: np.ndarray,
    out: np.ndarray,
    to: Any,
    room: Any,
) -> tuple[Any, Any]:
    """Write the letters, marks and digits of data[at:end], case-folded, from `to` on, up to `room` or a character more.

    All places are uint64. Returns where it stopped to read, and to write; `out` has FOLDED_MAX bytes beyond `room`.
    """
    while at < end and to < room:
        if data[at] < ASCII:
            one = utf8[data[at]]
            at += ONE
            out[to] = np.uint8(one)  # no branch: it would be mispredicted at most ends of words
            to += np.uint64(one >> _LENGTH)
            continue
        code, at = decode(data, at)
        if code < PLANE:
            one = utf8[code]
            if one < ELSEWHERE:
                out[to] = np.uint8(one)
                out[to + ONE] = np.uint8(one >> np.uint32(8))
                out[to + TWO] = np.uint8(one >> np.uint32(16))
                to += np.uint64(one >> _LENGTH)
                continue
        elif code >= SIZE:
            continue
        one = fold[code]
        if one >= MULTIPLE:
            row = one - MULTIPLE
            for part in range(several[row, 0]):
                to = encode(several[row, 1 + part], out, to)
        elif one:
            to = encode(one, out, to)
    return at, to


@njit(cache=True, nogil=True)
def _without_space(data: np.ndarray, begin: Any, end: Any, kind: np.ndarray, out: np.ndarray, to: Any) -> Any:
    at = begin
    while at < end:
        start = at
        code, at = decode(data, at)
        if code >= SIZE or kind[code] != SPACE:
            for place in range(start, at):
                out[to] = data[place]
                to += ONE
    return to
