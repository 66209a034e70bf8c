"""The kernels under `tokenizer.merges`: one merge is select → apply → flush; growing arrays is left to the caller.

A kernel that runs out of room says which array is short and is called again at the same stage; nothing is lost.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from tokenizer.kernels import inlined, kernel

SELECT, APPLY, FLUSH = 0, 1, 2
"""Stages of a merge."""
PAUSED, FULL, EXHAUSTED, NEED_CHANGES, NEED_PAIRS, NEED_QUEUE, NEED_PLACES, NEED_MERGES, NEED_TEXT = range(9)
"""Why `learn` returned: its share of work is done, the vocabulary is full, no pair is left, or an array is short."""

# Scalars of the state, by index.
STAGE, PAIRS, QUEUE, PLACES, TOKENS, MERGES, FIRST, SECOND, NEW, AT, STOP, CHANGES, GROUPS, LEFT, RIGHT, WORK = range(
    16
)
SCALARS = 16

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_LOW = 0xFFFFFFFF


class State(NamedTuple):
    """All that learning knows; `n` words, `v` room for tokens.

    symbols       int32: ids of each word's symbols, words one after the other; shrinks in place
    starts        int64 (n + 1,), lengths int32 (n,), counts int64 (n,): by word
    pairs         int64 (2^k, 2): hash table of pairs, key (first id << 32 | second id; -1 free) and count
    queue_counts  int64, queue_keys int64, queue_starts int64, queue_sizes int32: heap of pairs; words in `places`
    places        int32: numbers of words, a range for each pair in the queue
    text          uint8, text_offsets int64 (v + 1,): bytes of each token
    slots         int32 (2^k,): hash table from a token's bytes to its id, -1 free
    merges        int32 (m, 3): first id, second id, id of the token made
    scalars       int64 (SCALARS,)
    """

    symbols: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    counts: np.ndarray
    pairs: np.ndarray
    queue_counts: np.ndarray
    queue_keys: np.ndarray
    queue_starts: np.ndarray
    queue_sizes: np.ndarray
    places: np.ndarray
    text: np.ndarray
    text_offsets: np.ndarray
    slots: np.ndarray
    merges: np.ndarray
    scalars: np.ndarray


class Scratch(NamedTuple):
    """What one merge needs and the next does not; `v` is the room for tokens.

    losses       int64 (2, v): occurrences lost by pairs (x, first) and (second, x)
    lost         int32 (2, v): the x that lost some
    groups       int32 (2, v): group of the pairs (x, new) and (new, x), -1 where there is none yet
    group_keys, group_gains, group_sizes, group_last  int64 (2 v,): key, occurrences, words, last word
    changes      int32 (room, 2): group and word, in order
    """

    losses: np.ndarray
    lost: np.ndarray
    groups: np.ndarray
    group_keys: np.ndarray
    group_gains: np.ndarray
    group_sizes: np.ndarray
    group_last: np.ndarray
    changes: np.ndarray


def scratch_for(tokens: int, changes: int = 1 << 14) -> Scratch:
    """Empty scratch arrays for a vocabulary of so many tokens."""
    return Scratch(
        np.zeros((2, tokens), np.int64),
        np.empty((2, tokens), np.int32),
        np.full((2, tokens), -1, np.int32),
        np.empty(2 * tokens, np.int64),
        np.empty(2 * tokens, np.int64),
        np.empty(2 * tokens, np.int64),
        np.empty(2 * tokens, np.int64),
        np.empty((changes, 2), np.int32),
    )


@kernel()
def learn(state: State, scratch: Scratch, vocabulary_size: int, count_min: int, work: int) -> int:
    """Merge until the vocabulary is full, no pair is left, an array is short or `work` words have been looked at."""
    scalars = state.scalars
    scalars[WORK] = 0
    code = 0
    while True:
        if scalars[STAGE] == SELECT:
            if scalars[WORK] >= work:
                return PAUSED
            code = _select(
                state.pairs,
                state.queue_counts,
                state.queue_keys,
                state.queue_starts,
                state.queue_sizes,
                state.text,
                state.text_offsets,
                state.slots,
                state.merges,
                scalars,
                vocabulary_size,
                count_min,
            )
        elif scalars[STAGE] == APPLY:
            code = _apply(
                state.symbols,
                state.starts,
                state.lengths,
                state.counts,
                state.places,
                scalars,
                scratch.losses,
                scratch.lost,
                scratch.groups,
                scratch.group_keys,
                scratch.group_gains,
                scratch.group_sizes,
                scratch.group_last,
                scratch.changes,
            )
        else:
            code = _flush(state, scratch)
        if code:
            return code


@kernel()
def _select(
    pairs: np.ndarray,
    queue_counts: np.ndarray,
    queue_keys: np.ndarray,
    queue_starts: np.ndarray,
    queue_sizes: np.ndarray,
    text: np.ndarray,
    text_offsets: np.ndarray,
    slots: np.ndarray,
    merges: np.ndarray,
    scalars: np.ndarray,
    vocabulary_size: int,
    count_min: int,
) -> int:
    """Take the most frequent pair from the queue and give it an id."""
    if scalars[TOKENS] >= vocabulary_size:
        return FULL
    if scalars[MERGES] == len(merges):
        return NEED_MERGES
    while True:
        size = scalars[QUEUE]
        if size == 0:
            return EXHAUSTED
        key = queue_keys[0]
        count = pairs[find_pair(pairs, key), 1]
        if count == queue_counts[0]:
            break
        if count > 0:
            queue_counts[0] = count
        else:
            _move_top(queue_counts, queue_keys, queue_starts, queue_sizes, size - 1)
            size -= 1
            scalars[QUEUE] = size
        _sift_down(queue_counts, queue_keys, queue_starts, queue_sizes, size)
    if count < count_min:
        return EXHAUSTED
    first, second = key >> 32, key & _LOW
    new = _token(text, text_offsets, slots, scalars, first, second)
    if new < 0:
        return NEED_TEXT
    number = scalars[MERGES]
    merges[number, 0], merges[number, 1], merges[number, 2] = first, second, new
    scalars[MERGES] = number + 1
    scalars[FIRST], scalars[SECOND], scalars[NEW] = first, second, new
    scalars[AT], scalars[STOP] = queue_starts[0], queue_starts[0] + queue_sizes[0]
    scalars[WORK] += queue_sizes[0]
    scalars[CHANGES] = scalars[GROUPS] = scalars[LEFT] = scalars[RIGHT] = 0
    _move_top(queue_counts, queue_keys, queue_starts, queue_sizes, size - 1)
    scalars[QUEUE] = size - 1
    _sift_down(queue_counts, queue_keys, queue_starts, queue_sizes, size - 1)
    scalars[STAGE] = APPLY
    return 0


@kernel()
def _apply(
    symbols: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    counts: np.ndarray,
    places: np.ndarray,
    scalars: np.ndarray,
    losses: np.ndarray,
    lost: np.ndarray,
    groups: np.ndarray,
    group_keys: np.ndarray,
    group_gains: np.ndarray,
    group_sizes: np.ndarray,
    group_last: np.ndarray,
    changes: np.ndarray,
) -> int:
    """Replace the pair in the words where it stands, and note which pairs that makes and breaks."""
    first, second, new = scalars[FIRST], scalars[SECOND], scalars[NEW]
    made, found = scalars[CHANGES], scalars[GROUPS]
    lost_left, lost_right = scalars[LEFT], scalars[RIGHT]
    at, stop = scalars[AT], scalars[STOP]
    code = 0
    while at < stop:
        word = places[at]
        length = lengths[word]
        if made + length > len(changes):
            code = NEED_CHANGES
            break
        begin, count = starts[word], counts[word]
        end = begin + length
        read, write = begin, begin
        while read < end:
            symbol = symbols[read]
            if symbol != first or read + 1 == end or symbols[read + 1] != second:
                symbols[write] = symbol
                read += 1
                write += 1
                continue
            # The pairs on both sides of the new symbol; that of two new symbols is (new, new) from either side.
            for side in range(2):
                if side == 0:
                    if write == begin:
                        continue
                    other = symbols[write - 1]
                    if losses[0, other] == 0:
                        lost[0, lost_left] = other
                        lost_left += 1
                    losses[0, other] += count
                    key = np.int64(other) << 32 | new
                else:
                    if read + 2 >= end:
                        continue
                    other = symbols[read + 2]
                    if losses[1, other] == 0:
                        lost[1, lost_right] = other
                        lost_right += 1
                    losses[1, other] += count
                    key = new << 32 | np.int64(other)
                where = 0 if other == new else side
                group = groups[where, other]
                if group < 0:
                    group = found
                    found += 1
                    groups[where, other] = group
                    group_keys[group], group_gains[group], group_sizes[group], group_last[group] = key, 0, 0, -1
                group_gains[group] += count
                if group_last[group] != word:
                    group_last[group] = word
                    group_sizes[group] += 1
                    changes[made, 0], changes[made, 1] = group, word
                    made += 1
            symbols[write] = new
            write += 1
            read += 2
        lengths[word] = write - begin
        at += 1
    scalars[CHANGES], scalars[GROUPS], scalars[AT] = made, found, at
    scalars[LEFT], scalars[RIGHT] = lost_left, lost_right
    if code == 0:
        scalars[STAGE] = FLUSH
    return code


@kernel()
def _flush(state: State, scratch: Scratch) -> int:
    """Bring the counts of pairs up to date and put the new pairs into the queue."""
    pairs, places, scalars = state.pairs, state.places, state.scalars
    found = scalars[GROUPS]
    if 4 * (scalars[PAIRS] + found + scalars[LEFT] + scalars[RIGHT]) > 3 * len(pairs):
        return NEED_PAIRS
    if scalars[QUEUE] + found > len(state.queue_counts):
        return NEED_QUEUE
    if scalars[PLACES] + scalars[CHANGES] > len(places):
        return NEED_PLACES
    for group in range(found):
        _change(pairs, scalars, scratch.group_keys[group], scratch.group_gains[group])
    for side in range(2):
        for number in range(scalars[LEFT + side]):
            other = np.int64(scratch.lost[side, number])
            key = other << 32 | scalars[FIRST] if side == 0 else scalars[SECOND] << 32 | other
            _change(pairs, scalars, key, -scratch.losses[side, other])
            scratch.losses[side, other] = 0
    used = scalars[PLACES]
    for group in range(found):
        key = scratch.group_keys[group]
        left, right = key >> 32, key & _LOW
        if right == scalars[NEW]:
            scratch.groups[0, left] = -1
        else:
            scratch.groups[1, right] = -1
        count, size = pairs[find_pair(pairs, key), 1], scratch.group_sizes[group]
        scratch.group_last[group] = -1
        if count > 0:
            _push(state, count, key, used, size)
            scratch.group_last[group] = used
            used += size
    for number in range(scalars[CHANGES]):
        group = scratch.changes[number, 0]
        if scratch.group_last[group] >= 0:
            places[scratch.group_last[group]] = scratch.changes[number, 1]
            scratch.group_last[group] += 1
    scalars[PLACES] = used
    scalars[STAGE] = SELECT
    return 0


@inlined()
def find_pair(pairs: np.ndarray, key: Any) -> Any:
    """Slot of a pair, or the free slot where it would go."""
    mask = np.uint64(len(pairs) - 1)
    value = np.uint64(key) * _MULTIPLIER
    slot = (value >> _SHIFT) & mask
    while pairs[slot, 0] != key and pairs[slot, 0] >= 0:
        slot = (slot + np.uint64(1)) & mask
    return slot


@inlined()
def _change(pairs: np.ndarray, scalars: np.ndarray, key: Any, by: Any) -> None:
    """Add to the count of a pair, which is 0 where the table does not have it."""
    slot = find_pair(pairs, key)
    if pairs[slot, 0] < 0:
        pairs[slot, 0] = key
        scalars[PAIRS] += 1
    pairs[slot, 1] += by


@kernel()
def rehash(pairs: np.ndarray, into: np.ndarray) -> int:
    """Copy the pairs that still occur into a free table (keys -1, counts 0); returns their number."""
    used = 0
    for old in range(len(pairs)):
        if pairs[old, 1] != 0:
            slot = find_pair(into, pairs[old, 0])
            into[slot, 0], into[slot, 1] = pairs[old, 0], pairs[old, 1]
            used += 1
    return used


@inlined()
def _above(counts: np.ndarray, keys: np.ndarray, one: int, other: int) -> bool:
    return counts[one] > counts[other] or (counts[one] == counts[other] and keys[one] < keys[other])


@inlined()
def _swap(counts: np.ndarray, keys: np.ndarray, starts: np.ndarray, sizes: np.ndarray, one: int, other: int) -> None:
    counts[one], counts[other] = counts[other], counts[one]
    keys[one], keys[other] = keys[other], keys[one]
    starts[one], starts[other] = starts[other], starts[one]
    sizes[one], sizes[other] = sizes[other], sizes[one]


@kernel()
def _sift_down(counts: np.ndarray, keys: np.ndarray, starts: np.ndarray, sizes: np.ndarray, size: int) -> None:
    """Restore the heap of `size` entries below its top."""
    node = 0
    while True:
        best = 4 * node + 1
        if best >= size:
            return
        for child in range(best + 1, min(best + 4, size)):
            if _above(counts, keys, child, best):
                best = child
        if not _above(counts, keys, best, node):
            return
        _swap(counts, keys, starts, sizes, best, node)
        node = best


@inlined()
def _move_top(counts: np.ndarray, keys: np.ndarray, starts: np.ndarray, sizes: np.ndarray, last: int) -> None:
    counts[0], keys[0], starts[0], sizes[0] = counts[last], keys[last], starts[last], sizes[last]


@kernel()
def _push(state: State, count: int, key: int, start: int, size: int) -> None:
    counts, keys, starts, sizes = state.queue_counts, state.queue_keys, state.queue_starts, state.queue_sizes
    node = state.scalars[QUEUE]
    state.scalars[QUEUE] = node + 1
    counts[node], keys[node], starts[node], sizes[node] = count, key, start, size
    while node > 0:
        parent = (node - 1) >> 2
        if not _above(counts, keys, node, parent):
            break
        _swap(counts, keys, starts, sizes, node, parent)
        node = parent


@kernel()
def _token(
    text: np.ndarray, offsets: np.ndarray, slots: np.ndarray, scalars: np.ndarray, first: int, second: int
) -> int:
    """Id of the token that two tokens spell together, added where it is new; -1 where there is no room for its text."""
    number = scalars[TOKENS]
    begin = offsets[number]
    end = begin
    if begin + offsets[first + 1] - offsets[first] + offsets[second + 1] - offsets[second] > len(text):
        return -1
    for part in (first, second):
        for i in range(offsets[part], offsets[part + 1]):
            text[end] = text[i]
            end += 1
    slot = find_token(text, offsets, slots, begin, end)
    if slots[slot] >= 0:
        return slots[slot]
    slots[slot] = number
    offsets[number + 1] = end
    scalars[TOKENS] = number + 1
    return number


@kernel()
def find_token(text: np.ndarray, offsets: np.ndarray, slots: np.ndarray, begin: int, end: int) -> Any:
    """Slot of the token text[begin:end], or the free slot where it would go."""
    value = np.uint64(end - begin)
    for i in range(begin, end):
        value = (value ^ np.uint64(text[i])) * _MULTIPLIER
        value ^= value >> _SHIFT
    mask = np.uint64(len(slots) - 1)
    slot = value & mask
    while slots[slot] >= 0:
        start = offsets[slots[slot]]
        if offsets[slots[slot] + 1] - start == end - begin:
            k = 0
            while k < end - begin and text[start + k] == text[begin + k]:
                k += 1
            if k == end - begin:
                break
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel()
def add_token(text: np.ndarray, offsets: np.ndarray, slots: np.ndarray, number: Any) -> None:
    """Make the token `number`, whose text is there, known by its text."""
    slots[find_token(text, offsets, slots, offsets[number], offsets[number + 1])] = number


@njit(cache=True, nogil=True)
def count_first_pairs(
    data: np.ndarray, offsets: np.ndarray, counts: np.ndarray, totals: np.ndarray, sizes: np.ndarray
) -> None:
    """Occurrences and words of each pair of bytes; both int64 (65536,), zero before."""
    last = np.full(1 << 16, -1, np.int64)
    for word in range(len(offsets) - 1):
        for i in range(offsets[word], offsets[word + 1] - 1):
            pair = np.int64(data[i]) << 8 | data[i + 1]
            totals[pair] += counts[word]
            if last[pair] != word:
                last[pair] = word
                sizes[pair] += 1


@njit(cache=True, nogil=True)
def place_first_pairs(data: np.ndarray, offsets: np.ndarray, ends: np.ndarray, places: np.ndarray) -> None:
    """List the words of each pair of bytes; `ends` int64 (65536,) are where each list begins, and then ends."""
    last = np.full(1 << 16, -1, np.int64)
    for word in range(len(offsets) - 1):
        for i in range(offsets[word], offsets[word + 1] - 1):
            pair = np.int64(data[i]) << 8 | data[i + 1]
            if last[pair] != word:
                last[pair] = word
                places[ends[pair]] = word
                ends[pair] += 1


@kernel()
def queue_first_pairs(
    state: State, keys: np.ndarray, totals: np.ndarray, begins: np.ndarray, sizes: np.ndarray
) -> None:
    """Fill the table of pairs and the queue."""
    for number in range(len(keys)):
        slot = find_pair(state.pairs, keys[number])
        state.pairs[slot, 0], state.pairs[slot, 1] = keys[number], totals[number]
        state.scalars[PAIRS] += 1
        _push(state, totals[number], keys[number], begins[number], sizes[number])


@kernel()
def compact(places: np.ndarray, starts: np.ndarray, sizes: np.ndarray, order: np.ndarray) -> int:
    """Close the gaps between the ranges of `places`; `order` sorts them by start. Returns what is used."""
    used = 0
    for number in order:
        begin = starts[number]
        for k in range(sizes[number]):
            places[used + k] = places[begin + k]
        starts[number] = used
        used += sizes[number]
    return used


@njit(cache=True, nogil=True)
def live_symbols(symbols: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Symbols of all words without the room that merges freed."""
    live = np.empty(lengths.sum(), np.int32)
    used = 0
    for word in range(len(lengths)):
        for i in range(starts[word], starts[word] + lengths[word]):
            live[used] = symbols[i]
            used += 1
    return live
