"""Numba kernels of language identification, over the offsets and data of an Arrow large_string array.

All kernels take `offsets` (int64, rows + 1) and `data` (uint8, UTF-8) and release the GIL. Invalid UTF-8 cannot hurt:
a byte that starts no character is taken as a separator.
"""

import functools
import unicodedata

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.text.columns import text_buffers

BUCKETS = 1 << 15
NGRAM_MAX = 5
WORD_MAX = 40  # longer runs of letters are cut here: no word of any language, and the buffer is fixed
BOUNDARY = 1  # stands before and after each word in its n-grams

SCRIPTS = (
    "Zyyy", "Latn", "Arab", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Thai",
    "Laoo", "Tibt", "Mymr", "Geor", "Hang", "Ethi", "Khmr", "Grek", "Cyrl", "Armn", "Hebr", "Kana", "Hani", "Other",
)  # fmt: skip
_RANGES = (
    (0x0041, 0x024F, "Latn"), (0x0250, 0x02AF, "Latn"), (0x1E00, 0x1EFF, "Latn"), (0xA720, 0xA7FF, "Latn"),
    (0x0600, 0x06FF, "Arab"), (0x0750, 0x077F, "Arab"), (0xFB50, 0xFDFF, "Arab"), (0xFE70, 0xFEFC, "Arab"),
    (0x0900, 0x097F, "Deva"), (0x0980, 0x09FF, "Beng"), (0x0A00, 0x0A7F, "Guru"), (0x0A80, 0x0AFF, "Gujr"),
    (0x0B00, 0x0B7F, "Orya"), (0x0B80, 0x0BFF, "Taml"), (0x0C00, 0x0C7F, "Telu"), (0x0C80, 0x0CFF, "Knda"),
    (0x0D00, 0x0D7F, "Mlym"), (0x0D80, 0x0DFF, "Sinh"), (0x0E00, 0x0E7F, "Thai"), (0x0E80, 0x0EFF, "Laoo"),
    (0x0F00, 0x0FFF, "Tibt"), (0x1000, 0x109F, "Mymr"), (0x10A0, 0x10FF, "Geor"), (0x1100, 0x11FF, "Hang"),
    (0xAC00, 0xD7AF, "Hang"), (0x1200, 0x139F, "Ethi"), (0x1780, 0x17FF, "Khmr"), (0x0370, 0x03FF, "Grek"),
    (0x1F00, 0x1FFF, "Grek"), (0x0400, 0x052F, "Cyrl"), (0x0530, 0x058F, "Armn"), (0x0590, 0x05FF, "Hebr"),
    (0x3040, 0x30FF, "Kana"), (0x3400, 0x4DBF, "Hani"), (0x4E00, 0x9FFF, "Hani"), (0xF900, 0xFAFF, "Hani"),
)  # fmt: skip

HAN_SIMPLIFIED, HAN_TRADITIONAL = 1, 2
ASSAMESE_LETTERS = (0x09F0, 0x09F1)  # ৰ ৱ, which Bengali does not write


def buffers(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Offsets (int64, rows + 1) and data of an array, of a slice too; nulls are empty texts."""
    rows, data = text_buffers(texts.fill_null("") if texts.null_count else texts)
    return rows, data if len(data) else np.zeros(1, np.uint8)


@functools.cache
def fold_table() -> npt.NDArray[np.uint16]:
    """Code point of the basic plane → its lower case, or 0 for what separates words; uint16, (65536,).

    Letters and marks are kept, digits, punctuation and symbols separate. The dot below and the vertical line below
    (Yoruba is typed with either) become one.
    """
    table = np.zeros(1 << 16, np.uint16)
    for point in range(1 << 16):
        character = chr(point)
        if unicodedata.category(character)[0] in "LM":
            lower = character.lower()
            table[point] = ord(lower) if len(lower) == 1 and ord(lower) < 1 << 16 else point
    table[0x0329] = 0x0323
    table[0x2019] = table[0x02BC] = table[ord("'")] = ord("'")  # part of words in many orthographies
    return table


@functools.cache
def script_table() -> npt.NDArray[np.uint8]:
    """Code point of the basic plane → index into SCRIPTS, 0 for what is no letter; uint8, (65536,)."""
    table = np.zeros(1 << 16, np.uint8)
    letters = fold_table() > 0
    letters[ord("'")] = letters[0x2019] = letters[0x02BC] = False
    table[letters] = SCRIPTS.index("Other")
    for first, last, script in _RANGES:
        span = slice(first, last + 1)
        table[span] = np.where(letters[span], SCRIPTS.index(script), 0)
    table[0x0300:0x0370] = 0  # combining marks go with any script
    return table


@functools.cache
def han_table() -> npt.NDArray[np.uint8]:
    """Code point → HAN_SIMPLIFIED, HAN_TRADITIONAL or 0 (both write it); uint8, (65536,).

    A character that the character set of the mainland (GB 2312) holds and Taiwan's (Big5) does not is simplified
    only, and the reverse.
    """
    table = np.zeros(1 << 16, np.uint8)
    for point in range(0x4E00, 0xA000):
        mainland, taiwan = (_encodes(chr(point), name) for name in ("gb2312", "big5"))
        if mainland != taiwan:
            table[point] = HAN_SIMPLIFIED if mainland else HAN_TRADITIONAL
    return table


def _encodes(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@njit(cache=True, nogil=True, inline="always")
def _decode(data: np.ndarray, at: int, end: int) -> tuple[np.int64, int]:
    """Code point at byte `at` and the byte after it; 0 for a byte that starts no whole character."""
    first = data[at]
    if first < 0x80:
        return np.int64(first), at + 1
    if first < 0xE0 and first >= 0xC0 and at + 1 < end:
        return ((np.int64(first) & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), at + 2
    if first < 0xF0 and first >= 0xE0 and at + 2 < end:
        middle = (np.int64(data[at + 1]) & 0x3F) << 6
        return ((np.int64(first) & 0x0F) << 12) | middle | (np.int64(data[at + 2]) & 0x3F), at + 3
    if first >= 0xF0 and at + 3 < end:
        return np.int64(0x10000), at + 4  # no letter that we tell apart lies beyond the basic plane
    return np.int64(0), at + 1


@njit(cache=True, nogil=True)
def look(
    offsets: np.ndarray, data: np.ndarray, characters: int, script_of: np.ndarray, han_of: np.ndarray, scripts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends (int64, byte after the first `characters`), letters of each script (int32, rows × scripts), and marks
    (int32, rows × 3: Han only simplified, Han only traditional, letters that only Assamese writes)."""
    rows = len(offsets) - 1
    ends = np.empty(rows, np.int64)
    counts = np.zeros((rows, scripts), np.int32)
    marks = np.zeros((rows, 3), np.int32)
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        left = characters
        while at < end and left > 0:
            point, at = _decode(data, at, end)
            left -= 1
            if point >= 65536:
                continue
            script = script_of[point]
            counts[row, script] += 1
            han = han_of[point]
            if han:
                marks[row, han - 1] += 1
            elif point == 0x09F0 or point == 0x09F1:
                marks[row, 2] += 1
        ends[row] = at
    return ends, counts, marks


@njit(cache=True, nogil=True, inline="always")
def _bucket(value: np.uint32, buckets: int) -> np.int64:
    value ^= value >> np.uint32(15)
    value *= np.uint32(0x2C1B3C6D)
    value ^= value >> np.uint32(12)
    return np.int64(value & np.uint32(buckets - 1))


@njit(cache=True, nogil=True)
def _word_features(word: np.ndarray, length: int, buckets: int, out: np.ndarray, filled: int) -> int:
    """Append the buckets of a word: n-grams of 2 to 5 characters with its boundaries, and the word itself."""
    for start in range(length):
        value = np.uint32(2166136261)
        for stop in range(start, min(start + 5, length)):
            value = (value ^ np.uint32(word[stop])) * np.uint32(16777619)
            if stop > start:
                out[filled] = _bucket(value, buckets)
                filled += 1
    value = np.uint32(0x9747B28C)
    for at in range(length):
        value = (value ^ np.uint32(word[at])) * np.uint32(16777619)
    out[filled] = _bucket(value, buckets)
    return filled + 1


@njit(cache=True, nogil=True)
def features(data: np.ndarray, at: int, end: int, letters_max: int, fold: np.ndarray, buckets: int) -> np.ndarray:
    """Buckets (int32) of all features of `data[at:end]`, of its first `letters_max` letters at most."""
    word = np.empty(WORD_MAX + 2, np.int32)
    word[0] = BOUNDARY
    length, filled, letters = 1, 0, 0
    out = np.empty((min(end - at, letters_max) + WORD_MAX) * 8 + 64, np.int32)
    while at < end and letters < letters_max:
        point, at = _decode(data, at, end)
        folded = np.int64(fold[point]) if point < 65536 else np.int64(0)
        if folded and length <= WORD_MAX:
            word[length] = folded
            length += 1
            letters += 1
            continue
        if length > 1:
            word[length] = BOUNDARY
            filled = _word_features(word, length + 1, buckets, out, filled)
        length = 1
        if folded:
            word[1] = folded
            length = 2
            letters += 1
    if length > 1:
        word[length] = BOUNDARY
        filled = _word_features(word, length + 1, buckets, out, filled)
    return out[:filled]


@njit(cache=True, nogil=True)
def count_features(
    offsets: np.ndarray, data: np.ndarray, classes: np.ndarray, number: int, fold: np.ndarray, buckets: int
) -> np.ndarray:
    """Occurrences of each feature in each class: int64, (buckets, number); `classes` gives the class of each row."""
    counts = np.zeros((buckets, number), np.int64)
    for row in range(len(offsets) - 1):
        for bucket in features(data, offsets[row], offsets[row + 1], 1 << 60, fold, buckets):
            counts[bucket, classes[row]] += 1
    return counts


@njit(cache=True, nogil=True)
def score_rows(
    starts: np.ndarray,
    ends: np.ndarray,
    data: np.ndarray,
    firsts: np.ndarray,
    lasts: np.ndarray,
    weights: np.ndarray,
    fold: np.ndarray,
    letters_max: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of `weights` (int8, buckets × classes) over the features of each row, for its classes `firsts` to `lasts`.

    Returns int32 (rows, classes), the least integer for classes outside a row's range, and the number of features of
    each row (int64).
    """
    rows, number = len(starts), weights.shape[1]
    sums = np.full((rows, number), -(1 << 31), np.int32)
    found = np.zeros(rows, np.int64)
    for row in range(rows):
        first, last = firsts[row], lasts[row]
        if last <= first:
            continue
        buckets = features(data, starts[row], ends[row], letters_max, fold, weights.shape[0])
        found[row] = len(buckets)
        total = sums[row, first:last]
        total[:] = 0
        for bucket in buckets:
            weight = weights[bucket, first:last]
            for column in range(len(total)):
                total[column] += weight[column]
    return sums, found
