"""MinHash signatures and their bands, with the values of `datasketch` 2.0.

The permutations are those of `datasketch.MinHash(num_perm, seed)` in its default scheme `affine32`: the shingle's
32-bit hash goes through the finaliser of MurmurHash3, then h → a·h + b mod 2³² with odd a, both drawn from NumPy's
RandomState(seed). Of the same hashes of shingles, both make the same signature.

Shingles are n-grams of tokens (default 5): of words in natural language (runs of letters, marks and numbers,
case-folded), of characters in scripts without spaces, of identifiers, numbers and single other characters in code. A
document with fewer tokens is one shingle; one without tokens has no signature and is nobody's near-duplicate.
Broder, "On the resemblance and containment of documents", 1997.
"""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.deduplication.characters import MULTIPLE, ONE, SIZE, SPACE, WORD, decode, tables
from pipeline.text.columns import text_buffers
from pipeline.text.hashing import M1, OFFSET, PRIME, finish64

WORDS, CHARACTERS, CODE = 0, 1, 2
"""How a document is cut into tokens."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_F1, _F2 = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
_S13, _S16 = np.uint32(13), np.uint32(16)
_S32 = np.uint64(32)
EMPTY = np.uint32(0xFFFFFFFF)


@cache
def permutations(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors and summands of the permutations, uint32 (count,) each, as `datasketch` draws them."""
    generator = np.random.RandomState(seed)
    factors = generator.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, generator.randint(0, 1 << 32, count, dtype=np.uint32)


def signatures(
    texts: pa.LargeStringArray, modes: np.ndarray, *, count: int = 112, seed: int = 1, ngram: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """MinHash signatures of documents.

    `modes`, uint8 (n,), holds WORDS, CHARACTERS or CODE. Returns uint32 (n, count) and the number of shingles, int64
    (n,); where that is 0 the signature is all 2³² − 1. Texts have no nulls.
    """
    offsets, data = text_buffers(texts)
    known = tables()
    factors, summands = permutations(count, seed)
    out = np.empty((len(texts), count), np.uint32)
    shingles = np.zeros(len(texts), np.int64)
    size = int(np.diff(offsets).max(initial=0)) * 3 + 1
    modes = np.asarray(modes, np.uint8)
    _signatures(
        offsets, data, modes, ngram, known.fold, known.several, known.kind, factors, summands, size, out, shingles
    )
    return out, shingles


def band_hashes(signature: np.ndarray, bands: int) -> np.ndarray:
    """Hashes of the bands, uint64 (n, bands), of signatures, uint32 (n, permutations).

    Equal for two documents in a band where all its rows are equal; different bands give different hashes.
    """
    out = np.empty((len(signature), bands), np.uint64)
    _band_hashes(np.ascontiguousarray(signature), out)
    return out


@njit(cache=True, nogil=True, inline="always")
def equal_values(left: np.ndarray, right: np.ndarray) -> Any:
    """How many values of two signatures, uint32 (permutations,), are equal."""
    equal = 0
    for at in range(len(left)):
        equal += left[at] == right[at]
    return equal


@njit(cache=True, nogil=True)
def are_similar(signature: np.ndarray, others: np.ndarray, jaccard_min: float) -> np.ndarray:
    """Which signatures, uint32 (n, permutations), are similar to one of others, uint32 (m, permutations): bool (n,).

    Similar: the share of equal values, which estimates Jaccard, is `jaccard_min` or more.
    """
    out = np.zeros(len(signature), np.bool_)
    for row in range(len(signature)):
        for other in range(len(others)):
            if equal_values(signature[row], others[other]) / signature.shape[1] >= jaccard_min:
                out[row] = True
                break
    return out


@njit(cache=True, nogil=True, inline="always")
def _finish32(h: Any) -> Any:
    """The finaliser of MurmurHash3 (32 bits), with which `datasketch` mixes hashes before it permutes them."""
    # numba multiplies 32-bit numbers as 64-bit ones: cut back at each step.
    h = np.uint32((h ^ (h >> _S16)) * _F1)
    h = np.uint32((h ^ (h >> _S13)) * _F2)
    return np.uint32(h ^ (h >> _S16))


@njit(cache=True, nogil=True)
def _minima(hashes: np.ndarray, size: int, factors: np.ndarray, summands: np.ndarray, out: np.ndarray) -> None:
    """Smallest value of each permutation over hashes[:size].

    Four hashes at a time, so that the minima are read and written a quarter as often: 5.7 ns a shingle for 112
    permutations instead of 12.7 one by one (AMD EPYC, AVX-512). The inner loop compiles to vector instructions.
    """
    out[:] = EMPTY
    fours = size // 4 * 4
    for at in range(0, fours, 4):
        h0, h1, h2, h3 = hashes[at], hashes[at + 1], hashes[at + 2], hashes[at + 3]
        for row in range(len(out)):
            a, b = factors[row], summands[row]
            low = min(np.uint32(a * h0 + b), np.uint32(a * h1 + b))
            high = min(np.uint32(a * h2 + b), np.uint32(a * h3 + b))
            out[row] = min(out[row], min(low, high))
    for at in range(fours, size):
        h = hashes[at]
        for row in range(len(out)):
            out[row] = min(out[row], np.uint32(factors[row] * h + summands[row]))


@njit(cache=True, nogil=True)
def _signatures(
    offsets: np.ndarray,
    data: np.ndarray,
    modes: np.ndarray,
    ngram: int,
    fold: np.ndarray,
    several: np.ndarray,
    kind: np.ndarray,
    factors: np.ndarray,
    summands: np.ndarray,
    size: int,
    out: np.ndarray,
    shingles: np.ndarray,
) -> None:
    tokens = np.empty(size, np.uint64)
    hashes = np.empty(size, np.uint32)
    power = np.uint64(1)
    for _ in range(ngram):
        power = power * _BASE
    for row in range(len(modes)):
        begin, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        if modes[row] == CODE:
            count = _hash_code(data, begin, end, kind, tokens)
        elif modes[row] == CHARACTERS:
            count = _hash_characters(data, begin, end, fold, several, tokens)
        else:
            count = _hash_words(data, begin, end, fold, several, tokens)
        shingles[row] = _hash_shingles(tokens, count, ngram, power, hashes)
        _minima(hashes, shingles[row], factors, summands, out[row])


@njit(cache=True, nogil=True)
def _hash_shingles(tokens: np.ndarray, count: Any, ngram: Any, power: Any, hashes: np.ndarray) -> Any:
    """Hash every window of `ngram` tokens by a rolling polynomial; the result is finalised for the permutations."""
    if count == 0:
        return 0
    total = np.uint64(0)
    to = 0
    for at in range(count):
        total = total * _BASE + tokens[at]
        if at >= ngram:
            total -= tokens[at - ngram] * power
        if at >= ngram - 1 or at == count - 1:
            hashes[to] = _finish32(np.uint32(finish64(total) >> _S32))
            to += 1
    return to


@njit(cache=True, nogil=True)
def _hash_words(
    data: np.ndarray, begin: Any, end: Any, fold: np.ndarray, several: np.ndarray, tokens: np.ndarray
) -> Any:
    to = np.uint64(0)
    value: Any = OFFSET
    inside = False
    at = begin
    while at < end:
        code, at = decode(data, at)
        folded = fold[code] if code < SIZE else np.uint32(0)
        if folded >= MULTIPLE:
            row = folded - MULTIPLE
            for part in range(several[row, 0]):
                value = (value ^ np.uint64(several[row, 1 + part])) * PRIME
            inside = True
            continue
        is_end = folded == 0
        tokens[to] = value  # no branch: it would be mispredicted at most ends of words
        to += np.uint64(inside & is_end)
        value = OFFSET if is_end else (value ^ np.uint64(folded)) * PRIME
        inside = not is_end
    if inside:
        tokens[to] = value
        to += ONE
    for token in range(to):
        tokens[token] = finish64(tokens[token])
    return np.int64(to)


@njit(cache=True, nogil=True)
def _hash_characters(
    data: np.ndarray, begin: Any, end: Any, fold: np.ndarray, several: np.ndarray, tokens: np.ndarray
) -> Any:
    to = np.uint64(0)
    at = begin
    while at < end:
        code, at = decode(data, at)
        folded = fold[code] if code < SIZE else np.uint32(0)
        if folded >= MULTIPLE:
            row = folded - MULTIPLE
            for part in range(several[row, 0]):
                tokens[to] = finish64((OFFSET ^ np.uint64(several[row, 1 + part])) * PRIME)
                to += ONE
        elif folded:
            tokens[to] = finish64((OFFSET ^ np.uint64(folded)) * PRIME)
            to += ONE
    return np.int64(to)


@njit(cache=True, nogil=True)
def _hash_code(data: np.ndarray, begin: Any, end: Any, kind: np.ndarray, tokens: np.ndarray) -> Any:
    to = np.uint64(0)
    value: Any = OFFSET
    inside = False
    at = begin
    while at < end:
        code, at = decode(data, at)
        known = kind[code] if code < SIZE else np.uint8(2)
        if known == WORD:
            value = (value ^ np.uint64(code)) * PRIME
            inside = True
            continue
        if inside:
            tokens[to] = finish64(value)
            to += ONE
            value = OFFSET
            inside = False
        if known != SPACE:
            tokens[to] = finish64((OFFSET ^ np.uint64(code)) * PRIME)
            to += ONE
    if inside:
        tokens[to] = finish64(value)
        to += ONE
    return np.int64(to)


@njit(cache=True, nogil=True)
def _band_hashes(signature: np.ndarray, out: np.ndarray) -> None:
    bands = out.shape[1]
    rows = signature.shape[1] // bands
    for document in range(len(signature)):
        for band in range(bands):
            value = finish64(np.uint64(band + 1) * _BASE)
            for row in range(band * rows, (band + 1) * rows):
                value = (value ^ np.uint64(signature[document, row])) * M1
                value ^= value >> _S32
            out[document, band] = finish64(value)
