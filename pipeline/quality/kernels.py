"""The numba kernels behind `pipeline.quality.text`: decode, cut into words, count n-grams, look words up.

A document is read once: its UTF-8 becomes the code points of the measured text (words that are left out of it already
gone, one space between words) and a 64-bit hash a word. Most n-grams occur once, which a table of bytes tells; the
others are counted in an open-addressing table of 32-bit tags, with their counts beside them. Both are reused from
document to document; in a document of a million characters two different n-grams fall together with a probability
below 2·10⁻⁴. How often each count occurs is kept up while counting, so the most frequent n-grams are found without
sorting. All of it is linear in the document.
"""

import numpy as np
from numba import njit

from pipeline.deduplication.characters import decode
from pipeline.quality.characters import ALONE, BREAK, CLAUSE_END, CODE_MASK, SPACE, SPECIAL, URL_END
from pipeline.quality.letter_order import CHUNK, Letters, letter_order

STRIP_URLS, LENGTH_MAX, SEGMENT, CHARACTER_NGRAM, WORD_NGRAM, JOIN_FIRST, JOIN_END, LOOKUP_START, LOOKUP_MASK = range(9)
LETTERS_START, LETTERS_BITS, LETTERS_FLOOR, LETTERS_ORDER, LETTERS_OWN = range(9, 14)
COLUMNS = 14
"""Columns of the parameters, int64 (languages, COLUMNS). LENGTH_MAX is 0 where long words stay; JOIN_* delimit the
sizes in the array of all join sizes, LOOKUP_* place the language's words in the lookup table (mask −1: it has none),
LETTERS_* its letter sequences in theirs (see `letter_order`; no bits: it has none; OWN: its scripts as bits)."""

RUNNING_WORDS, RUNNING_CHARACTERS = 5, 10
"""A stretch between line ends or menu marks is running text from so many words on, or characters where these are the
words; shorter ones only if they end like a clause."""

PHRASE_WORDS, PHRASE_CHARACTERS = 3.0, 6.0
DIFFERENT_WORDS, DIFFERENT_CHARACTERS, BEGINNING = 1.0, 1.5, 1000
"""A text that is no running text for the most part is verse or a list of phrases if its stretches have so many words or
characters on average, and so many different ones for each stretch in its first thousand. The entries of menus are
shorter, a few long ones among many of one word or two; keywords make many phrases of few words."""

CLOSED, FLAGGED = 1, 2

SEEN = 4
"""Slots of one byte an n-gram, at least, that tell which n-grams may occur more than once."""

_FLAG_SPECIAL, _FLAG_SPACE = np.uint32(SPECIAL), np.uint32(SPACE)
_FLAG_ALONE, _FLAG_URL, _CODE = np.uint32(ALONE), np.uint32(URL_END), np.uint32(CODE_MASK)
_FLAG_CLAUSE, _FLAG_BREAK = np.uint32(CLAUSE_END), np.uint32(BREAK)
_BLANK = np.uint32(32)

_NONE, _PRIME = np.uint64(0), np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0xD6E8FEB86659FD93)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_ONE, _S29, _S32 = np.uint64(1), np.uint64(29), np.uint64(32)
_BIT = np.uint8(1)
_COUNT, _FREE, _TAKEN = np.uint64(0xFFFFFFFF), np.uint32(0), np.uint32(1)

_HTTP, _HREF, _COM = np.uint64(0x68747470), np.uint64(0x68726566), np.uint64(0x2E636F6D)
_WWW, _SLASHES = np.uint64(0x777777), np.uint64(0x2F2F)
_LOW16, _LOW24 = np.uint64(0xFFFF), np.uint64(0xFFFFFF)
_S8, _ASCII = np.uint64(8), np.uint32(0x80)


def hash_word(word: str) -> int:
    """The hash of a lower-cased word in plain Python: what the kernel computes."""
    mask = (1 << 64) - 1
    value = 0
    for character in word:
        value = (value * int(_PRIME) + ord(character)) & mask
    return ((value ^ (value >> 32)) * int(_MIX)) & mask


@njit(cache=True, nogil=True, inline="always")
def _step(value: np.uint64, code: np.uint32) -> np.uint64:
    return value * _PRIME + np.uint64(code)


@njit(cache=True, nogil=True, inline="always")
def _mixed(value: np.uint64) -> np.uint64:
    return (value ^ (value >> _S32)) * _MIX


@njit(cache=True, nogil=True, inline="always")
def _is_url(recent: np.uint64) -> bool:
    """Whether the last letters, one a byte, end in a URL fragment."""
    four = recent & _COUNT
    known = four in (_HTTP, _HREF, _COM)
    return known or (recent & _LOW24) == _WWW or (recent & _LOW16) == _SLASHES


@njit(cache=True, nogil=True)
def cut_words(
    data: np.ndarray,
    start: int,
    end: int,
    entries: np.ndarray,
    strip_urls: bool,
    length_max: int,
    segment: bool,
    codes: np.ndarray,
    hashes: np.ndarray,
    lengths: np.ndarray,
) -> tuple[int, int, int, int, int]:
    """Cut the text in `data[start:end]` into words; returns the numbers of characters, special characters, words,
    words that stand in running text, and stretches.

    Fills `codes` uint32 (the measured text), and of each word, lower-cased and stripped of special characters,
    `hashes` uint64 (not mixed yet) and `lengths` int32. With `segment`, special characters part words and each
    character of a script without spaces is a word; else white space alone parts them.
    """
    at, length, special, words = start, 0, 0, 0
    running = stretches = opened = 0  # words of running text; where the present stretch began
    closed = False  # whether the stretch so far ends like a clause
    least = RUNNING_CHARACTERS if segment else RUNNING_WORDS
    while at < end:
        code, at = decode(data, at)
        entry = entries[code]
        if entry & _FLAG_SPACE:
            if entry & _FLAG_BREAK:
                running += words - opened if closed or words - opened >= least else 0
                stretches += words > opened
                opened, closed = words, False
            continue
        # A run without white space: codes go behind a space, and back out again if the run is left out.
        kept_length, kept_special, kept_words = length, special, words
        if length:
            codes[length] = _BLANK
            length += 1
            special += 1
        value = stripped = _NONE
        begin = first = last = -1
        recent = np.uint64(0)
        url = breaks = False
        while True:
            lowered = entry & _CODE
            codes[length] = code
            length += 1
            recent = (recent << _S8) | np.uint64(lowered if lowered < _ASCII else 0)
            if entry & _FLAG_URL and _is_url(recent):
                url = True
            if entry & _FLAG_SPECIAL:
                special += 1
                closed = closed or (entry & _FLAG_CLAUSE) != 0
                if entry & _FLAG_BREAK:
                    breaks = True
                if segment and first >= 0:
                    hashes[words], lengths[words] = stripped, last - first
                    words += 1
                    first, value = -1, _NONE
                elif first >= 0:
                    value = _step(value, lowered)
            else:
                closed = False
                alone = segment and (entry & _FLAG_ALONE) != 0
                if alone and first >= 0:
                    hashes[words], lengths[words] = stripped, last - first
                    words += 1
                    first, value = -1, _NONE
                if first < 0:
                    first = length - 1
                    if begin < 0:
                        begin = first
                value = _step(value, lowered)
                stripped, last = value, length
                if alone:
                    hashes[words], lengths[words] = stripped, last - first
                    words += 1
                    first, value = -1, _NONE
            if at >= end:
                break
            code, at = decode(data, at)
            entry = entries[code]
            if entry & _FLAG_SPACE:
                break
        if (url and strip_urls) or (length_max > 0 and last - begin > length_max):
            length, special, words = kept_length, kept_special, kept_words
        elif first >= 0:
            hashes[words], lengths[words] = stripped, last - first
            words += 1
        if at < end and entry & _FLAG_SPACE and entry & _FLAG_BREAK:
            breaks = True
        if breaks:
            running += words - opened if closed or words - opened >= least else 0
            stretches += words > opened
            opened, closed = words, False
    running += words - opened if closed or words - opened >= least else 0
    return length, special, words, running, stretches + (words > opened)


@njit(cache=True, nogil=True)
def _perhaps_repeated(items: np.ndarray, total: int, n: int, seen: np.ndarray, values: np.ndarray) -> int:
    """Fill `values` with the hashes of those n-grams that may occur more than once; returns how many.

    Each n-gram marks a slot of `seen`; one that has its slot to itself occurs once and needs no counting. Neither loop
    has a branch to guess, which is what counting costs most.
    """
    size = 16
    while size < total * SEEN:
        size *= 2
    seen[:size] = 0
    mask = np.uint64(size - 1)
    leaving = _ONE
    for _ in range(n):
        leaving *= _BASE
    value = np.uint64(0)
    for i in range(n - 1):
        value = value * _BASE + np.uint64(items[i])
    left = np.uint64(0)
    for i in range(total):
        value = value * _BASE + (np.uint64(items[i + n - 1]) - left)
        left = leaving * np.uint64(items[i])
        mixed = _mixed(value)
        values[i] = mixed
        slot = mixed & mask
        seen[slot] = (seen[slot] << _BIT) | _BIT
    repeated = 0
    for i in range(total):
        mixed = values[i]
        values[repeated] = mixed
        repeated += seen[mixed & mask] > _BIT
    return repeated


@njit(cache=True, nogil=True, inline="always")
def _count(tags: np.ndarray, counts: np.ndarray, mask: np.uint64, value: np.uint64) -> np.int64:
    """Count one more of a hash in the table; returns how often it was there before."""
    tag = max(np.uint32(value >> _S32), _TAKEN)
    slot = (value ^ (value >> _S29)) & mask
    while True:
        held = tags[slot]
        if held == _FREE:
            tags[slot] = tag
            return np.int64(0)
        if held == tag:
            counts[slot] += _TAKEN
            return np.int64(counts[slot])
        slot = (slot + _ONE) & mask


@njit(cache=True, nogil=True)
def _cleared(tags: np.ndarray, counts: np.ndarray, entries: int) -> np.uint64:
    """Empty as many slots as `entries` need, at most two thirds full; returns the mask of the slots."""
    size = 16
    while size * 2 < entries * 3:
        size *= 2
    tags[:size] = 0
    counts[:size] = 0
    return np.uint64(size - 1)


@njit(cache=True, nogil=True)
def character_repetition(
    codes: np.ndarray,
    length: int,
    n: int,
    seen: np.ndarray,
    values: np.ndarray,
    tags: np.ndarray,
    counts: np.ndarray,
    frequency: np.ndarray,
) -> float:
    """Share of n-gram occurrences that belong to the √(distinct) most frequent n-grams; 0 for a text below n.

    `frequency`, int32, is zero on entry and on return.
    """
    total = length - n + 1
    if total <= 0:
        return 0.0
    again = _perhaps_repeated(codes, total, n, seen, values)
    mask = _cleared(tags, counts, again)
    distinct, most = total - again, np.int64(1)
    for i in range(again):
        before = _count(tags, counts, mask, values[i])
        if before == 0:
            distinct += 1
        else:
            # frequency[c]: how many n-grams came at least c times; each count is passed on the way up.
            frequency[before + 1] += 1
            if before + 1 > most:
                most = before + 1
    # Among the k most frequent n-grams, those that came at least c times are min(k, frequency[c]).
    k = int(np.sqrt(distinct))
    while k * k > distinct:
        k -= 1
    while (k + 1) * (k + 1) <= distinct:
        k += 1
    belongs = k
    for c in range(2, most + 1):
        belongs += min(k, frequency[c])
        frequency[c] = 0
    return belongs / total


@njit(cache=True, nogil=True)
def word_repetition(
    hashes: np.ndarray,
    words: int,
    n: int,
    seen: np.ndarray,
    values: np.ndarray,
    tags: np.ndarray,
    counts: np.ndarray,
) -> float:
    """Share of word n-gram occurrences that belong to n-grams seen more than once; 0 for fewer than n words."""
    total = words - n + 1
    if total <= 0:
        return 0.0
    again = _perhaps_repeated(hashes, total, n, seen, values)
    mask = _cleared(tags, counts, again)
    repeated = 0
    for i in range(again):
        before = _count(tags, counts, mask, values[i])
        if before == 1:
            repeated += 2
        elif before > 1:
            repeated += 1
    return repeated / total


@njit(cache=True, nogil=True)
def running_text(
    hashes: np.ndarray,
    words: int,
    running: int,
    stretches: int,
    segment: bool,
    tags: np.ndarray,
    counts: np.ndarray,
) -> float:
    """Share of words that stand in running text; 1 for verse and lists of phrases, 0 for a text without words."""
    least = PHRASE_CHARACTERS if segment else PHRASE_WORDS
    if 2 * running <= words and words >= least * stretches:
        looked_at, different = min(words, BEGINNING), 0
        mask = _cleared(tags, counts, looked_at)
        for i in range(looked_at):
            different += _count(tags, counts, mask, _mixed(hashes[i])) == 0
        least = DIFFERENT_CHARACTERS if segment else DIFFERENT_WORDS
        if different * words >= least * stretches * looked_at:
            running = words
    return running / words if words else 0.0


@njit(cache=True, nogil=True, inline="always")
def _look_up(keys: np.ndarray, kinds: np.ndarray, start: np.uint64, mask: np.uint64, value: np.uint64) -> np.int64:
    """The kind of a word by its hash, not mixed yet; 0 for none."""
    key = _mixed(value)
    slot = key & mask
    kind, found = kinds[start + slot], keys[start + slot] == key
    # Rarely true: tables are sparse. Whether the word is known is no branch to guess.
    while (kind != 0) & (not found):
        slot = (slot + _ONE) & mask
        kind, found = kinds[start + slot], keys[start + slot] == key
    return np.int64(kind)


@njit(cache=True, nogil=True)
def known_words(
    hashes: np.ndarray,
    lengths: np.ndarray,
    words: int,
    row: np.ndarray,
    sizes: np.ndarray,
    keys: np.ndarray,
    kinds: np.ndarray,
    powers: np.ndarray,
) -> tuple[int, int]:
    """Numbers of closed-class and of flagged words, adjacent words joined counted too where `row` says so.

    `powers`, uint64, is room to work in, longer than the longest word.
    """
    closed = flagged = 0
    if row[LOOKUP_MASK] < 0:
        return closed, flagged
    start, mask = np.uint64(row[LOOKUP_START]), np.uint64(row[LOOKUP_MASK])
    for i in range(words):
        kind = _look_up(keys, kinds, start, mask, hashes[i])
        closed += int(kind & CLOSED)
        flagged += int((kind & FLAGGED) >> 1)
    if row[JOIN_FIRST] == row[JOIN_END]:
        return closed, flagged
    longest = 0
    for i in range(words):
        longest = max(longest, lengths[i])
    powers[0] = _ONE
    for i in range(longest):
        powers[i + 1] = powers[i] * _PRIME
    for j in range(row[JOIN_FIRST], row[JOIN_END]):
        size = sizes[j]
        for i in range(words - size + 1):
            value = hashes[i]
            for k in range(i + 1, i + size):
                if row[SEGMENT] == 0:
                    value = _step(value, _BLANK)
                value = value * powers[lengths[k]] + hashes[k]
            kind = _look_up(keys, kinds, start, mask, value)
            closed += int(kind & CLOSED)
            flagged += int((kind & FLAGGED) >> 1)
    return closed, flagged


@njit(cache=True, nogil=True)
def _shortened(data: np.ndarray, start: int, end: int, limit: int) -> int:
    """The end of the text within the limit of bytes, at the border of a character."""
    if end - start <= limit:
        return end
    end = start + limit
    while end > start and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


@njit(cache=True, nogil=True)
def measure(
    offsets: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    turns: np.ndarray,
    parameters: np.ndarray,
    sizes: np.ndarray,
    keys: np.ndarray,
    kinds: np.ndarray,
    letter_slots: np.ndarray,
    entries: np.ndarray,
    limit: int,
    out_words: np.ndarray,
    out: np.ndarray,
) -> None:
    """Measure every document whose `rows` (parameters of its language, int32) is not negative.

    `turns`, int64, are the documents in the order they are measured: by language, so that its tables stay in the cache.
    `out_words` int32 (n,); `out` float32 (n, 7): character repetition, word repetition, special characters,
    closed-class words, flagged words, running text, letter order (NaN where it cannot be told).
    """
    longest = 0
    for i in range(len(rows)):
        if rows[i] >= 0:
            longest = max(longest, min(limit, offsets[i + 1] - offsets[i]))
    slots = 16
    while slots * 2 < longest * 3:
        slots *= 2
    codes = np.empty(longest + 1, np.uint32)
    hashes = np.empty(longest + 1, np.uint64)
    lengths = np.empty(longest + 1, np.int32)
    tags, counts = np.empty(slots, np.uint32), np.empty(slots, np.uint32)
    frequency = np.zeros(longest + 2, np.int32)
    values, seen = np.empty(longest + 1, np.uint64), np.empty(max(16, 2 * SEEN * longest), np.uint8)
    sequences = np.empty(CHUNK, np.uint64)
    for i in turns:
        if rows[i] < 0:
            continue
        row = parameters[rows[i]]
        end = _shortened(data, offsets[i], offsets[i + 1], limit)
        length, special, words, running, stretches = cut_words(
            data, offsets[i], end, entries, row[STRIP_URLS] != 0, row[LENGTH_MAX], row[SEGMENT] != 0,
            codes, hashes, lengths,
        )  # fmt: skip
        closed, flagged = known_words(hashes, lengths, words, row, sizes, keys, kinds, values)
        out_words[i] = words
        out[i, 0] = character_repetition(codes, length, row[CHARACTER_NGRAM], seen, values, tags, counts, frequency)
        out[i, 1] = word_repetition(hashes, words, row[WORD_NGRAM], seen, values, tags, counts)
        out[i, 2] = special / length if length else 0.0
        out[i, 3] = min(1.0, closed / words) if words else 0.0
        out[i, 4] = min(1.0, flagged / words) if words else 0.0
        out[i, 5] = running_text(hashes, words, running, stretches, row[SEGMENT] != 0, tags, counts)
        model = Letters(row[LETTERS_START], row[LETTERS_BITS], row[LETTERS_FLOOR], row[LETTERS_ORDER], row[LETTERS_OWN])
        out[i, 6] = letter_order(codes, length, entries, letter_slots, model, sequences)
