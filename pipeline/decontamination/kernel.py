"""The search for watched texts in documents: seeds first, then, around hits, how much of the text is there.

A document's tokens are looked at once; almost all seeds are told from those of items by one bit. Where seeds of a text
meet within a stretch of the page, they are joined to runs, and what lies between and beside runs is compared token by
token, so that mistyped, inserted and left-out words cost what they weigh, and no more. Time and memory are linear in
the text.
"""

from typing import Any

import numpy as np
from numba import njit

from pipeline.decontamination.index import TOKEN_LETTERS, windows
from pipeline.decontamination.tokens import letters, likeness, tokenize

COVERAGE_MIN = np.float32(0.5)
"""Less of a text than this isn't reported."""
SPAN_TOKENS, SPAN_LENGTHS = 400, 4
"""A text is looked for in so many tokens of the page, or so many times its own: it may be split over paragraphs."""
RUN_WORDS, RUN_DISTANCE = np.float32(4.0), 40
"""A run that is shorter counts only near another one: such phrases are in any long page."""
HIT_MIN = np.float32(0.2)
"""So much of a text must be hit by seeds before the rest of it is compared."""
EXACT_MIN = np.float32(0.35)
"""So much of a text must be there word for word before mistyped words are looked for, which takes longest."""
FILL_TOKENS = 12
"""So far from a run single tokens are compared."""
PIECE_DISTANCE = 8
UNSPACED_FROM = 0x0E00
"""Single letters of alphabets with spaces are before it, as are all digits, which are folded: another is another."""
FOLLOWING = 3
"""So many tokens further on say where in the page a token belongs."""
DIAGONALS = 12
"""Runs whose places in the page and in the text differ by nearly as much belong together."""
LIKE_MIN, JOINED_MIN = 0.6, 0.75
"""So alike a mistyped word, and two words written as one or one as two, must be to count."""
MISSING_FULL, MISSING_NONE = 30, 60
"""Words that aren't there count against a text of up to so many tokens, besides not counting for it; from so many on
they don't: where one word of a short line differs, as a name in a message, it is another line."""
_RUNS_MAX = 256
_HITS_MAX = 1 << 21


@njit(cache=True, nogil=True)
def _grown(array: np.ndarray, room: int) -> np.ndarray:
    if room <= len(array):
        return array
    larger = np.empty(max(room, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


@njit(cache=True, nogil=True)
def search(
    offsets: np.ndarray, data: np.ndarray,
    fold: np.ndarray, several: np.ndarray, single: np.ndarray, size: np.ndarray,
    bits: np.ndarray, keys: np.ndarray, places: np.ndarray, post_offsets: np.ndarray, post_texts: np.ndarray,
    post_ends: np.ndarray, post_lengths: np.ndarray,
    text_offsets: np.ndarray, text_hashes: np.ndarray, text_weights: np.ndarray, letter_offsets: np.ndarray,
    text_letters: np.ndarray, text_words: np.ndarray,
    post_weights: np.ndarray, powers: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Watched texts in documents: rows (int64: document, text), coverages (float32), and the pieces of the page that
    hold them (int64: row, first byte, byte behind, counted from the start of `data`).

    `post_weights` float32 is what the tokens of each posting weigh together: all hits of a text added up are at least
    what runs of them cover, so that most texts are passed over at that sum.
    """
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    longest += 1
    hashes, starts, ends = np.empty(longest, np.uint64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    sizes, prefix = np.empty(longest, np.int32), np.empty(longest + 1, np.uint64)
    seeds, lengths = np.empty(longest, np.uint64), np.empty(longest, np.int64)
    hit_keys, hit_posts = np.empty(1024, np.uint64), np.empty(1024, np.int64)
    out = (np.empty(64, np.int64), np.empty(64, np.float32), np.empty(64, np.int64))
    counts = np.zeros(2, np.int64)
    reached, touched = np.zeros(len(text_words), np.float32), np.empty(1024, np.int64)
    filter_shift = np.uint64(64)
    for _ in range(64):
        if np.int64(1) << np.int64(64 - filter_shift) >= len(bits) * 64:
            break
        filter_shift -= np.uint64(1)
    mask = np.uint64(len(keys) - 1)
    for document in range(len(offsets) - 1):
        count = tokenize(
            data, offsets[document], offsets[document + 1], fold, several, single, size, hashes, starts, ends, sizes
        )
        windows(hashes, sizes, count, powers, prefix, seeds, lengths)
        hits = 0
        for token in range(count):
            if lengths[token] == 0:
                continue
            key = seeds[token]
            bit = key >> filter_shift
            if not (bits[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1):
                continue
            slot = key & mask
            while places[slot] >= 0 and keys[slot] != key:
                slot = (slot + np.uint64(1)) & mask
            place = places[slot]
            if place < 0:
                continue
            room = hits + post_offsets[place + 1] - post_offsets[place]
            hit_keys, hit_posts = _grown(hit_keys, room), _grown(hit_posts, room)
            for post in range(post_offsets[place], post_offsets[place + 1]):
                hit_keys[hits] = (np.uint64(post_texts[post]) << np.uint64(32)) | np.uint64(token)
                hit_posts[hits] = post
                hits += 1
            if hits > _HITS_MAX:
                hits, touched = _worth(hit_keys, hit_posts, hits, text_words, post_weights, reached, touched)
                out = _covered(
                    document, hit_keys[:hits], hit_posts[:hits], count, hashes, starts, ends, data, fold, several,
                    post_ends, post_lengths, text_offsets, text_hashes, text_weights, letter_offsets, text_letters,
                    text_words, post_weights, out, counts,
                )  # fmt: skip
                hits = 0
        if hits:
            hits, touched = _worth(hit_keys, hit_posts, hits, text_words, post_weights, reached, touched)
        if hits:
            out = _covered(
                document, hit_keys[:hits], hit_posts[:hits], count, hashes, starts, ends, data, fold, several,
                post_ends, post_lengths, text_offsets, text_hashes, text_weights, letter_offsets, text_letters,
                text_words, post_weights, out, counts,
            )  # fmt: skip
    rows, coverages, pieces = out
    rows, pieces = rows[: 2 * counts[0]].copy(), pieces[: 3 * counts[1]].copy()
    return rows[0::2].copy(), rows[1::2].copy(), coverages[: counts[0]].copy(), pieces, counts


@njit(cache=True, nogil=True)
def _worth(
    hit_keys: np.ndarray, hit_posts: np.ndarray, hits: Any, text_words: np.ndarray, post_weights: np.ndarray,
    reached: np.ndarray, touched: np.ndarray,
) -> Any:  # fmt: skip
    """Keep the hits, in their order, of texts of which enough is hit; returns how many, and `touched`, scratch.

    `reached` is scratch of zeros, float32 (texts,), and is left so.
    """
    seen = 0
    for number in range(hits):
        text = np.int64(hit_keys[number] >> np.uint64(32))
        if reached[text] == 0:
            touched = _grown(touched, seen + 1)
            touched[seen] = text
            seen += 1
        reached[text] += post_weights[hit_posts[number]]
    kept = 0
    for number in range(hits):
        text = np.int64(hit_keys[number] >> np.uint64(32))
        if reached[text] >= HIT_MIN * text_words[text]:
            hit_keys[kept], hit_posts[kept] = hit_keys[number], hit_posts[number]
            kept += 1
    for number in range(seen):
        reached[touched[number]] = 0
    return kept, touched


@njit(cache=True, nogil=True)
def _covered(
    document: Any, hit_keys: np.ndarray, hit_posts: np.ndarray, count: Any,
    hashes: np.ndarray, starts: np.ndarray, ends: np.ndarray, data: np.ndarray, fold: np.ndarray, several: np.ndarray,
    post_ends: np.ndarray, post_lengths: np.ndarray,
    text_offsets: np.ndarray, text_hashes: np.ndarray, text_weights: np.ndarray, letter_offsets: np.ndarray,
    text_letters: np.ndarray, text_words: np.ndarray, post_weights: np.ndarray,
    out: Any, counts: np.ndarray,
) -> Any:  # fmt: skip
    """Judge the hits of one document, text by text and stretch by stretch."""
    rows, coverages, pieces = out
    order = np.argsort(hit_keys, kind="mergesort")
    total = len(order)
    at = 0
    while at < total:
        text = hit_keys[order[at]] >> np.uint64(32)
        stop = at
        while stop < total and hit_keys[order[stop]] >> np.uint64(32) == text:
            stop += 1
        first, behind = text_offsets[text], text_offsets[text + np.uint64(1)]
        length = behind - first
        span = max(SPAN_TOKENS, SPAN_LENGTHS * length)
        covered, anchors = np.zeros(length, np.float32), np.full(length, -1, np.int64)
        weight = text_words[text]
        begin = at
        while begin < stop:
            origin = np.int64(hit_keys[order[begin]] & np.uint64(0xFFFFFFFF))
            last = begin
            while last < stop and np.int64(hit_keys[order[last]] & np.uint64(0xFFFFFFFF)) <= origin + span:
                last += 1
            sum_of_hits = np.float32(0)
            for number in range(begin, last):
                sum_of_hits += post_weights[hit_posts[order[number]]]
            found = 0 if sum_of_hits < HIT_MIN * weight else _lay_runs(
                order[begin:last], hit_keys, hit_posts, post_ends, post_lengths, text_weights[first:behind], covered,
                anchors,
            )  # fmt: skip
            if found > 0:
                for is_exact in (True, False):
                    if not is_exact and _sum(covered, text_weights[first:behind]) < EXACT_MIN * weight:
                        break
                    _fill(
                        covered, anchors, count, hashes, starts, ends, data, fold, several, text_hashes[first:behind],
                        letter_offsets[first : behind + 1], text_letters, is_exact,
                    )  # fmt: skip
                _forgive(
                    covered, anchors, hashes, text_hashes[first:behind], letter_offsets[first : behind + 1],
                    text_letters,
                )  # fmt: skip
                share = np.float32(0)
                against: Any = min(max(np.float32(MISSING_NONE - length) / (MISSING_NONE - MISSING_FULL), 0.0), 1.0)
                for token in range(length):
                    part = covered[token] if covered[token] > 0 else -against
                    share += np.float32(part * text_weights[first + token])
                share /= weight
                if share >= COVERAGE_MIN:
                    rows, coverages = _grown(rows, 2 * counts[0] + 2), _grown(coverages, counts[0] + 1)
                    rows[2 * counts[0]], rows[2 * counts[0] + 1] = document, np.int64(text)
                    coverages[counts[0]] = share
                    pieces = _pieces(anchors, starts, ends, pieces, counts)
                    counts[0] += 1
                covered[:] = 0
                anchors[:] = -1
            if last == stop:
                break
            begin += 1
            while begin < last and np.int64(hit_keys[order[begin]] & np.uint64(0xFFFFFFFF)) <= origin + span // 2:
                begin += 1
        at = stop
    return rows, coverages, pieces


@njit(cache=True, nogil=True)
def _sum(covered: np.ndarray, weights: np.ndarray) -> Any:
    total = np.float32(0)
    for token in range(len(covered)):
        total += covered[token] * weights[token]
    return total


@njit(cache=True, nogil=True)
def _lay_runs(
    order: np.ndarray, hit_keys: np.ndarray, hit_posts: np.ndarray, post_ends: np.ndarray, post_lengths: np.ndarray,
    weights: np.ndarray, covered: np.ndarray, anchors: np.ndarray,
) -> int:  # fmt: skip
    """Join seeds to runs and lay them over the text, those that weigh most first; returns how many were laid.

    Nothing is laid where so few tokens are hit that the text can't be there.
    """
    pages, places, lengths = (
        np.empty(_RUNS_MAX, np.int64), np.empty(_RUNS_MAX, np.int64), np.empty(_RUNS_MAX, np.int64)
    )  # fmt: skip
    runs = 0
    for number in order:
        behind_page, post = np.int64(hit_keys[number] & np.uint64(0xFFFFFFFF)) + 1, hit_posts[number]
        length = np.int64(post_lengths[post])
        page, start = behind_page - length, np.int64(post_ends[post]) + 1 - length
        joined = False
        for run in range(runs - 1, max(runs - 6, -1), -1):
            if page - pages[run] == start - places[run] and pages[run] <= page <= pages[run] + lengths[run]:
                lengths[run] = max(lengths[run], page + length - pages[run])
                joined = True
                break
        if not joined and runs < _RUNS_MAX:
            pages[runs], places[runs], lengths[runs] = page, start, length
            runs += 1
    reach = 0
    heavy = np.zeros(runs, np.float32)
    for run in range(runs):
        reach += lengths[run] + 2 * FILL_TOKENS
        for token in range(places[run], places[run] + lengths[run]):
            heavy[run] += weights[token]
    if 2.5 * reach < len(weights) or heavy.sum() < HIT_MIN * weights.sum():
        return 0
    laid = 0
    first: Any = np.int64(0)
    behind: Any = np.int64(0)
    together = np.zeros(runs, np.float32)  # a phrase of the text may be in the page once more, by itself
    for run in range(runs):
        for other in range(runs):
            if abs((pages[run] - places[run]) - (pages[other] - places[other])) <= DIAGONALS:
                together[run] += heavy[other]
    for run in np.argsort(-(together + heavy * np.float32(1e-3)), kind="mergesort"):
        page, length = pages[run], lengths[run]
        if laid and heavy[run] < RUN_WORDS and (page > behind + RUN_DISTANCE or page + length < first - RUN_DISTANCE):
            continue
        for step in range(length):
            if covered[places[run] + step] == 0:
                covered[places[run] + step] = 1
                anchors[places[run] + step] = page + step
        first = min(first, page) if laid else page
        behind = max(behind, page + length)
        laid += 1
    return laid


@njit(cache=True, nogil=True)
def _fill(
    covered: np.ndarray, anchors: np.ndarray, count: Any, hashes: np.ndarray, starts: np.ndarray, ends: np.ndarray,
    data: np.ndarray, fold: np.ndarray, several: np.ndarray, text_hashes: np.ndarray, letter_offsets: np.ndarray,
    text_letters: np.ndarray, is_exact: bool,
) -> None:  # fmt: skip
    """Compare the tokens between and beside runs with those of the page, forwards, then backwards.

    `is_exact`: only words that are the same count, not those that are like one another.
    """
    mine, theirs = np.empty(2 * TOKEN_LETTERS, np.uint32), np.empty(2 * TOKEN_LETTERS, np.uint32)
    rows = np.empty((3, 2 * TOKEN_LETTERS + 1), np.int32)
    length = len(covered)
    for step in (1, -1):
        last = -1
        for number in range(length):
            token = number if step == 1 else length - 1 - number
            if covered[token] > 0:
                last = token
                continue
            away = (token - last) * step
            if last < 0 or away > FILL_TOKENS:
                continue
            limit = -1  # of the run on the other side, if it is further on in the page as well
            for other in range(1, FILL_TOKENS + 1):
                beyond = token + other * step
                if beyond < 0 or beyond >= length:
                    break
                if covered[beyond] > 0:
                    if (anchors[beyond] - anchors[last]) * step > 0:
                        limit = anchors[beyond]
                    break
            expected = anchors[last] + (token - last)
            best, where = 0.0, -1
            follow = _followed(hashes, text_hashes, count, token, expected, step)
            for shift in (0, 1, -1, 2, -2, 3, -3):
                page = expected + shift
                if page < 0 or page >= count or (page - anchors[last]) * step <= 0:
                    continue
                if limit >= 0 and (limit - page) * step <= 0:
                    continue
                if hashes[page] == text_hashes[token]:
                    # A short word is soon met again: what follows says where it belongs.
                    if shift != 0 and 1 + _followed(hashes, text_hashes, count, token, page, step) < follow:
                        continue
                    best, where = 1.0, page
                    break
            if is_exact and best == 0.0:
                continue
            beside = token + step
            joins = 0 <= beside < length and covered[beside] == 0
            joined = False
            for shift in (0, 1, -1):
                page = expected + shift
                if best == 1.0 or page < 0 or page >= count or (page - anchors[last]) * step <= 0:
                    continue
                if limit >= 0 and (limit - page) * step <= 0:
                    continue
                found = letters(data, starts[page], ends[page], fold, several, mine)
                size = _copied(text_letters, letter_offsets, token, theirs, 0)
                if size >= 3:
                    like = likeness(mine, found, theirs, size, rows, max(LIKE_MIN, best))
                    if like >= LIKE_MIN and like > best:
                        best, where, joined = like, page, False
                if joins:  # two words of the item written as one
                    size = _copied(text_letters, letter_offsets, min(token, beside), theirs, 0)
                    size = _copied(text_letters, letter_offsets, max(token, beside), theirs, size)
                    like = likeness(mine, found, theirs, size, rows, max(JOINED_MIN, best))
                    if like >= JOINED_MIN and like > best:
                        best, where, joined = like, page, True
                following = page + step
                if 0 <= following < count and (limit < 0 or (limit - following) * step > 0):  # one word as two
                    low = min(page, following)
                    found = letters(data, starts[low], ends[low], fold, several, mine)
                    found += letters(data, starts[low + 1], ends[low + 1], fold, several, mine[found:])
                    size = _copied(text_letters, letter_offsets, token, theirs, 0)
                    like = likeness(mine, found, theirs, size, rows, max(JOINED_MIN, best))
                    if size >= 3 and like >= JOINED_MIN and like > best:
                        best, where, joined = like, following, False
            if best > 0:
                covered[token] = best
                anchors[token] = where
                last = token
                if joined:
                    covered[beside] = best
                    anchors[beside] = where
                    last = beside


@njit(cache=True, nogil=True)
def _forgive(
    covered: np.ndarray, anchors: np.ndarray, hashes: np.ndarray, text_hashes: np.ndarray, letter_offsets: np.ndarray,
    text_letters: np.ndarray,
) -> None:  # fmt: skip
    """Mistyped characters of a script without spaces, between characters that are right: one is half there, two that
    are swapped are there. In other scripts they would be letters of a word that is like the right one.
    """
    for token in range(1, len(covered) - 1):
        page = anchors[token - 1]
        if covered[token] > 0 or covered[token - 1] < 1 or not _is_single(token, letter_offsets, text_letters):
            continue
        if covered[token + 1] == 1:
            if 1 <= anchors[token + 1] - page <= 3:
                covered[token] = np.float32(0.5)
                anchors[token] = page
            continue
        if token + 2 == len(covered) or covered[token + 2] < 1 or anchors[token + 2] != page + 3:
            continue
        if hashes[page + 1] == text_hashes[token + 1] and hashes[page + 2] == text_hashes[token]:
            covered[token] = covered[token + 1] = 1
            anchors[token], anchors[token + 1] = page + 2, page + 1


@njit(cache=True, nogil=True)
def _is_single(token: Any, letter_offsets: np.ndarray, text_letters: np.ndarray) -> bool:
    begin = letter_offsets[token]
    return letter_offsets[token + 1] == begin + 1 and text_letters[begin] >= UNSPACED_FROM


@njit(cache=True, nogil=True)
def _followed(hashes: np.ndarray, text_hashes: np.ndarray, count: Any, token: Any, page: Any, step: int) -> int:
    """How many of the next tokens of the text are the next ones of the page, from these two on."""
    same = 0
    for away in range(1, FOLLOWING + 1):
        mine, theirs = token + away * step, page + away * step
        if 0 <= mine < len(text_hashes) and 0 <= theirs < count and text_hashes[mine] == hashes[theirs]:
            same += 1
    return same


@njit(cache=True, nogil=True)
def _copied(text_letters: np.ndarray, offsets: np.ndarray, token: Any, out: np.ndarray, at: Any) -> Any:
    """Copy the letters of a token behind what is in `out` already; returns where they end."""
    for place in range(offsets[token], offsets[token + 1]):
        if at < len(out):
            out[at] = text_letters[place]
            at += 1
    return at


@njit(cache=True, nogil=True)
def _pieces(
    anchors: np.ndarray, starts: np.ndarray, ends: np.ndarray, pieces: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Append the pieces of the page that tokens are anchored in."""
    pages = np.sort(anchors[anchors >= 0])
    begin = 0
    for number in range(1, len(pages) + 1):
        if number == len(pages) or pages[number] - pages[number - 1] > PIECE_DISTANCE:
            pieces = _grown(pieces, 3 * counts[1] + 3)
            pieces[3 * counts[1]] = counts[0]
            pieces[3 * counts[1] + 1] = starts[pages[begin]]
            pieces[3 * counts[1] + 2] = ends[pages[number - 1]]
            counts[1] += 1
            begin = number
    return pieces
