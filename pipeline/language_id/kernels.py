"""Numba kernels of language identification, over the offsets and data of an Arrow large_string array.

All kernels take `offsets` (int64, rows + 1) and `data` (uint8, UTF-8) and release the GIL. Invalid UTF-8 cannot hurt:
a byte that starts no character is taken as a separator.
"""

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.deduplication.characters import changed_by, kinds
from pipeline.text.columns import text_buffers
from pipeline.text.scripts import SCRIPTS

BUCKETS = 1 << 15
WORD_MAX = 40  # longer runs of letters are cut here: no word of any language, and the buffer is fixed
BOUNDARY = 1  # stands before and after each word in its n-grams

HAN_SIMPLIFIED, HAN_TRADITIONAL = 1, 2
_LATIN = SCRIPTS.index("Latn")


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
    table[:] = np.where(np.isin(kinds()[: len(table)], list(b"LM")), np.arange(len(table)), 0)
    for character in changed_by(str.lower):
        lower, point = character.lower(), ord(character)
        if point < len(table) and table[point] and len(lower) == 1 and ord(lower) < len(table):
            table[point] = ord(lower)
    table[0x0329] = 0x0323
    table[0x2019] = table[0x02BC] = table[ord("'")] = ord("'")  # part of words in many orthographies
    return table


@functools.cache
def han_table() -> npt.NDArray[np.uint8]:
    """Code point → HAN_SIMPLIFIED, HAN_TRADITIONAL or 0 (both write it); uint8, (65536,).

    A character that the character set of the mainland (GB 2312) holds and Taiwan's (Big5) does not is simplified
    only, and the reverse.
    """
    mainland, taiwan = _characters("gb2312"), _characters("big5")
    table = np.zeros(1 << 16, np.uint8)
    table[0x4E00:0xA000] = np.where(mainland == taiwan, 0, np.where(mainland, HAN_SIMPLIFIED, HAN_TRADITIONAL))
    return table


def _characters(encoding: str) -> npt.NDArray[np.bool_]:
    """Which of the characters U+4E00 to U+9FFF a character set holds."""
    every = "".join(map(chr, range(0x4E00, 0xA000)))
    back = every.encode(encoding, "replace").decode(encoding)  # a question mark for each that it lacks
    return np.frombuffer(back.encode("utf-32-le"), np.uint32) != ord("?")


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
    offsets: np.ndarray, data: np.ndarray, script_of: np.ndarray, han_of: np.ndarray, scripts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Letters of each script (int32, rows × scripts; 0: what is no letter) and marks (int32, rows × 3: Han only
    simplified, Han only traditional, letters that only Assamese writes)."""
    rows = len(offsets) - 1
    counts = np.zeros((rows, scripts), np.int32)
    marks = np.zeros((rows, 3), np.int32)
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        ascii_characters, ascii_letters = 0, 0
        while at < end:
            if data[at] < 0x80:
                ascii_characters += 1
                ascii_letters += script_of[data[at]] == _LATIN
                at += 1
                continue
            point, at = _decode(data, at, end)
            if point >= 65536:
                continue
            script = script_of[point]
            counts[row, script] += 1
            han = han_of[point]
            if han:
                marks[row, han - 1] += 1
            elif point == 0x09F0 or point == 0x09F1:
                marks[row, 2] += 1
        counts[row, 0] += ascii_characters - ascii_letters
        counts[row, _LATIN] += ascii_letters
    return counts, marks


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
        part = np.empty(last - first, np.int16)  # twice as fast to add to, and never more than 200 weights of 127
        for begin in range(0, len(buckets), 200):
            part[:] = 0
            stop = min(begin + 200, len(buckets))
            fours = begin + (stop - begin) // 4 * 4
            # Four at a time, so that sums are read and written a quarter as often: two thirds of the time.
            for at in range(begin, fours, 4):
                one, two = weights[buckets[at], first:last], weights[buckets[at + 1], first:last]
                three, four = weights[buckets[at + 2], first:last], weights[buckets[at + 3], first:last]
                for column in range(len(part)):
                    pair = np.int16(one[column]) + np.int16(two[column])
                    part[column] += pair + np.int16(three[column]) + np.int16(four[column])
            for at in range(fours, stop):
                weight = weights[buckets[at], first:last]
                for column in range(len(part)):
                    part[column] += weight[column]
            for column in range(len(part)):
                total[column] += part[column]
    return sums, found


@njit(cache=True, nogil=True)
def rank_rows(
    sums: np.ndarray, found: np.ndarray, name_of: np.ndarray, behind_of: np.ndarray, units: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What `score_rows` found, by language: gaps (float32, rows × languages), best (int64), margin and typical
    (float32); see `vote.Compared`.

    `name_of` gives the language of each class, `behind_of` what a language is set back by, `units` are those of sums.
    """
    rows, names = len(sums), len(behind_of)
    gaps = np.full((rows, names), np.inf, np.float32)
    best = np.zeros(rows, np.int64)
    margins, typical = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
    least = -(1 << 31)
    scores = np.empty(names, np.float64)
    for row in range(rows):
        if not found[row]:
            continue
        scores[:] = -np.inf
        highest = least
        for column in range(sums.shape[1]):
            if sums[row, column] > least:
                name = name_of[column]
                scores[name] = max(scores[name], np.float64(sums[row, column]))
                highest = max(highest, sums[row, column])
        typical[row] = highest / (units * found[row])
        scores -= behind_of
        best[row] = np.argmax(scores)
        scale = units * np.sqrt(np.float64(found[row]))
        margin = np.inf
        for name in range(names):
            gap = (scores[best[row]] - scores[name]) / scale
            gaps[row, name] = gap
            if name != best[row]:
                margin = min(margin, gap)
        margins[row] = margin
    return gaps, best, margins, typical


@njit(cache=True, nogil=True)
def words_and_characters(starts: np.ndarray, ends: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words between ASCII white space, and characters that are no space, of each row: int64."""
    words, characters = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    for row in range(len(starts)):
        at, end, inside = starts[row], ends[row], False
        while at < end:
            point, at = _decode(data, at, end)
            space = point == 0x20 or 0x09 <= point <= 0x0D
            words[row] += inside == 0 and not space
            inside = not space
            characters[row] += not (space or point == 0xA0 or point == 0x3000)
    return words, characters


@njit(cache=True, nogil=True)
def gather(edges: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pieces `data[edges[i, 0]:edges[i, 1]]` end to end, a line feed behind each: offsets and data.

    Offset i + 1 (int64, pieces + 1) stands behind the line feed of piece i.
    """
    offsets = np.zeros(len(edges) + 1, np.int64)
    for piece in range(len(edges)):
        offsets[piece + 1] = offsets[piece] + edges[piece, 1] - edges[piece, 0] + 1
    out = np.full(offsets[-1], 10, np.uint8)
    for piece in range(len(edges)):
        start, end = edges[piece]
        out[offsets[piece] : offsets[piece] + end - start] = data[start:end]
    return offsets, out


@njit(cache=True, nogil=True)
def sign_weights(
    starts: np.ndarray,
    ends: np.ndarray,
    data: np.ndarray,
    fold: np.ndarray,
    symbol_of: np.ndarray,
    steps: np.ndarray,
    hits: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Weight of the signs of each language in each row (int32, rows × languages); see `signs.Automaton`.

    The automaton reads words in lower case between single spaces, without those that begin with a capital; all where
    that leaves fewer than three, or less than half.
    """
    found = np.zeros((len(starts), weights.shape[1]), np.int32)
    for row in range(len(starts)):
        plain, words = _plain_words(data, starts[row], ends[row], fold)
        names = plain >= 3 and 2 * plain >= words
        at, end, state, inside, skipped = starts[row], ends[row], steps[0, 1], False, False
        while at <= end:
            folded = np.int64(0)
            if at < end:
                point, at = _decode(data, at, end)
                folded = np.int64(fold[point]) if point < 65536 else np.int64(0)
            else:
                point, at = np.int64(0), at + 1
            if folded:
                if not inside:
                    skipped = names and _capital(point, folded)
                inside = True
            elif not inside:
                continue
            else:
                inside = False
            if skipped:
                continue
            state = steps[state, symbol_of[folded] if folded else 1]
            if hits[state]:
                found[row] += weights[hits[state]]
    return found


@njit(cache=True, nogil=True, inline="always")
def _capital(point: np.int64, folded: np.int64) -> bool:
    return point != folded and folded != 0x27


@njit(cache=True, nogil=True)
def _plain_words(data: np.ndarray, at: int, end: int, fold: np.ndarray) -> tuple[int, int]:
    """Words that do not begin with a capital, and all words."""
    plain, words, inside = 0, 0, False
    while at < end:
        point, at = _decode(data, at, end)
        folded = np.int64(fold[point]) if point < 65536 else np.int64(0)
        starts = folded != 0 and not inside
        words += starts
        plain += starts and not _capital(point, folded)
        inside = folded != 0
    return plain, words
