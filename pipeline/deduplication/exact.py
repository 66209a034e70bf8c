"""Exact duplicates: a 128-bit key a document, equal where only case, punctuation and spacing differ."""

from unicodedata import normalize

import numpy as np
import pyarrow as pa
import xxhash
from numba import njit

from pipeline.deduplication.characters import MULTIPLE, SIZE, SPACE, decode, encode, tables
from pipeline.text.columns import text_buffers

ASCII = 128


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
    starts = _normalise(offsets, data, np.asarray(is_code, np.bool_), known.fold, known.several, known.kind, out, ends)
    view, digest = memoryview(out.data), xxhash.xxh3_128_digest
    keys = b"".join([digest(view[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])
    return np.frombuffer(keys, ">u8").astype(np.uint64).reshape(-1, 2)


def _composed(texts: pa.LargeStringArray, is_code: np.ndarray) -> pa.LargeStringArray:
    """Natural-language texts in NFC. By Python: `pyarrow.compute.utf8_normalize` decomposes instead (pyarrow 25)."""
    values = [t if c else normalize("NFC", t) for t, c in zip(texts.to_pylist(), is_code.tolist(), strict=True)]
    return pa.array(values, pa.large_string())


def _room(offsets: np.ndarray) -> int:
    """Bytes that normalised texts can take at most: a fold makes at most three times as many bytes of a character."""
    return 3 * int(offsets[-1] - offsets[0]) if len(offsets) else 0


@njit(cache=True, nogil=True)
def _normalise(
    offsets: np.ndarray,
    data: np.ndarray,
    is_code: np.ndarray,
    fold: np.ndarray,
    several: np.ndarray,
    kind: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """Write normalised texts one behind the other; returns where each starts and fills in where it ends."""
    starts = np.empty(len(ends), np.int64)
    to = 0
    for row in range(len(ends)):
        begin, end = offsets[row], offsets[row + 1]
        starts[row] = to
        if is_code[row]:
            to = _without_space(data, begin, end, kind, out, to)
        else:
            to = folded(data, begin, end, fold, several, out, to)
        if to == starts[row]:
            for at in range(begin, end):
                out[to] = data[at]
                to += 1
        ends[row] = to
    return starts


@njit(cache=True, nogil=True)
def folded(
    data: np.ndarray, begin: int, end: int, fold: np.ndarray, several: np.ndarray, out: np.ndarray, to: int
) -> int:
    """Write the letters, marks and digits of a text, case-folded, from `to` on; returns where they end."""
    at = begin
    while at < end:
        if data[at] < ASCII:
            one = fold[data[at]]
            at += 1
            if one:
                out[to] = one
                to += 1
            continue
        code, at = decode(data, at)
        if code >= SIZE:
            continue
        one = fold[code]
        if one >= MULTIPLE:
            row = one - MULTIPLE
            for part in range(several[row, 0]):
                to = encode(several[row, 1 + part], out, to)
        elif one:
            to = encode(one, out, to)
    return to


@njit(cache=True, nogil=True)
def _without_space(data: np.ndarray, begin: int, end: int, kind: np.ndarray, out: np.ndarray, to: int) -> int:
    at = begin
    while at < end:
        start = at
        code, at = decode(data, at)
        if code >= SIZE or kind[code] != SPACE:
            for place in range(start, at):
                out[to] = data[place]
                to += 1
    return to
