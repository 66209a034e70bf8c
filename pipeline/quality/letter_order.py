"""The kernel of `letter_order`: how much likelier the letters of a text are in their order than in any order.

Of each letter, the logarithm of its probability after the two before it over its probability anywhere, in the text
that the model of the language was made from; the mean over all letters, word ends counted as one. It is above zero
for text of the language, near or below zero for letters thrown together. One look-up a letter where the three are
known, two where only the last two are.

Of an alphabet so large that most pairs are unseen in any text (Han), an unseen pair says the more, the oftener its two
letters stand elsewhere (`UNSEEN`): common letters side by side that never are were thrown together, while literary
Chinese differs from the text that models are made from by rarer letters, of which no pair could be expected.

A model is looked up in a table of 32-bit slots, weight and key in one, so that a letter costs at most one cache miss.
Sequences of many letters are gathered before the first is looked up: the processor then waits for several slots at a
time.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pipeline.quality.characters import CODE_MASK, NO_SCRIPT, SCRIPT_SHIFT

UNITS_PER_NAT = 32.0
"""Of the int8 weights."""
LETTERS_MIN = 20
"""A text of fewer letters is not judged."""
OWN_MIN = 0.05
"""Where fewer of the characters than this are letters of the language's scripts, letters of all scripts are judged: a
text of another encoding, and noise, has hardly any of them."""
WINDOW, WINDOWS = 512, 8
"""Of a text longer than WINDOW × WINDOWS characters, WINDOWS evenly spaced stretches are read."""

ANY = 0x1FFFFF
"""Stands in place of the first letter for a pair, of the first two for a letter alone."""
LETTER_UNITS = 8
"""Of what a letter alone weighs: units per nat."""
SMOOTHING = 0.5
"""Added to the count of a pair, and to the count that chance would give it."""
CUT = 3.0
"""Nats that a sequence weighs at most, or costs."""
_RARE, _RARE_COSTS = 3.0, 0.5
"""Pairs that chance gives less than exp(−3) times cost half a nat for each further nat: most letters of a text that was
read in another encoding are rare ones."""
_WIDEST = round(2 * CUT * UNITS_PER_NAT)  # two letters weigh so much at most


def unseen(expected: np.ndarray) -> np.ndarray:
    """What a pair that is not seen weighs, in nats, by the logarithm of how often it would be by chance."""
    rare = _RARE_COSTS * np.minimum(0, expected + _RARE)
    found: np.ndarray = np.maximum(rare - np.log1p(np.exp(expected) / SMOOTHING), -CUT)
    return found


UNSEEN = np.rint(unseen(np.arange(-_WIDEST, _WIDEST + 1) / LETTER_UNITS) * UNITS_PER_NAT).astype(np.int64)
"""The same in units, by the sum of what its letters weigh alone, from the least on."""
UNKNOWN = -1000
"""No weight."""
CHUNK = 512
"""Letters whose sequences are gathered before they are looked up."""
_PRIME, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFF51AFD7ED558CCD)
_S21, _S42, _S32 = np.uint64(21), np.uint64(42), np.uint64(32)
_SCRIPT, _CODE, _NONE, _ONE = np.uint32(SCRIPT_SHIFT), np.uint32(CODE_MASK), np.uint32(0), np.uint32(1)
_GAP = np.uint32(NO_SCRIPT << SCRIPT_SHIFT)
_LETTER, _ALONE = np.uint64(ANY), np.uint64(ANY << 42 | ANY << 21)
_EVERY = (1 << NO_SCRIPT) - 1
_END, _ANY, _ANY_FIRST = np.uint64(0), np.uint64(ANY), np.uint64(ANY << 42)
_TWO, _THREE = np.uint64((1 << 42) - 1), np.uint64((1 << 63) - 1)
_WEIGHT_BITS, _WEIGHT_MASK, _WEIGHT_ZERO = np.uint32(8), np.uint32(0xFF), 128


@njit(cache=True, nogil=True, inline="always")
def _hashed(sequence: np.uint64) -> np.uint32:
    """The key of three code points, 21 bits each."""
    value = sequence * _PRIME
    value = (value ^ (value >> _S32)) * _MIX
    key = np.uint32(value >> _S32)
    return max(key, _ONE)


@njit(cache=True, nogil=True, inline="always")
def _key(a: Any, b: Any, c: Any) -> np.uint32:
    return _hashed((np.uint64(a) << _S42) ^ (np.uint64(b) << _S21) ^ np.uint64(c))


@njit(cache=True)
def sequence_keys(codes: np.ndarray) -> np.ndarray:
    """Keys, uint32 (n,), of sequences of three code points, int64 (n, 3); none is 0."""
    keys = np.empty(len(codes), np.uint32)
    for i in range(len(codes)):
        keys[i] = _key(codes[i, 0], codes[i, 1], codes[i, 2])
    return keys


@njit(cache=True)
def fill(keys: np.ndarray, weights: np.ndarray, bits: int, slots: np.ndarray) -> bool:
    """Put keys, none 0, and weights above −128 into an open-addressing table: `slots` uint32 (2**bits,), zero.

    A slot holds, from the top, the key without its lowest `bits`, how far the slot is from where those bits point
    (`bits` − 8 bits), and the weight plus 128: the whole key can be told from the place of its slot. False where a key
    would lie too far from its place; a table of more bits takes it.
    """
    mask = np.uint32(len(slots) - 1)
    for i in range(len(keys)):
        slot, distance = keys[i] & mask, 0
        while slots[slot] != _NONE:
            slot = (slot + np.uint32(1)) & mask
            distance += 1
        if distance >= 1 << (bits - _WEIGHT_BITS):
            return False
        tag = _tag(keys[i], np.uint32(bits)) + np.uint32(distance)
        slots[slot] = (tag << _WEIGHT_BITS) | np.uint32(np.int64(weights[i]) + _WEIGHT_ZERO)
    return True


@njit(cache=True, nogil=True, inline="always")
def _tag(key: np.uint32, bits: np.uint32) -> np.uint32:
    return (key >> bits) << (bits - _WEIGHT_BITS)


@njit(cache=True, nogil=True)
def _weight(slots: np.ndarray, start: np.uint64, bits: np.uint32, key: np.uint32) -> np.int64:
    """The weight of a key in the table of 2**bits slots from `start` on; UNKNOWN if it has none."""
    mask = (_ONE << bits) - _ONE
    tag, slot = _tag(key, bits), key & mask
    while True:
        held = slots[start + np.uint64(slot)]
        if held == _NONE:
            return np.int64(UNKNOWN)
        if held >> _WEIGHT_BITS == tag:
            return np.int64(held & _WEIGHT_MASK) - _WEIGHT_ZERO
        tag += _ONE
        if tag & ((_ONE << (bits - _WEIGHT_BITS)) - _ONE) == _NONE:
            return np.int64(UNKNOWN)  # no key lies farther from its place
        slot = (slot + _ONE) & mask


@njit(cache=True, nogil=True)
def _add_up(slots: np.ndarray, start: np.uint64, bits: np.uint32, sequences: np.ndarray, count: int) -> tuple[int, int]:
    """The sum of the weights of `sequences[:count]`, and how many have none; these come to the front."""
    mask = (_ONE << bits) - _ONE
    total, others, unknown = np.int64(0), 0, 0
    for i in range(count):
        # Most keys lie where their lowest bits point: no branch to guess.
        sequence = sequences[i]
        key = _hashed(sequence)
        held = slots[start + np.uint64(key & mask)]
        hit = (held >> _WEIGHT_BITS == _tag(key, bits)) & (held != _NONE)
        total += np.int64(hit) * (np.int64(held & _WEIGHT_MASK) - _WEIGHT_ZERO)
        sequences[others] = sequence
        others += not hit
    for i in range(others):
        weight = _weight(slots, start, bits, _hashed(sequences[i]))
        sequences[unknown] = sequences[i]
        if weight == UNKNOWN:
            unknown += 1
        else:
            total += weight
    return int(total), unknown


@njit(cache=True, nogil=True)
def _unseen(slots: np.ndarray, start: np.uint64, bits: np.uint32, pair: np.uint64, floor: int) -> int:
    """What an unseen pair weighs by its letters; `floor` where the model lacks one of them."""
    second = _weight(slots, start, bits, _hashed(_ALONE | (pair & _LETTER)))
    first = _weight(slots, start, bits, _hashed(_ALONE | ((pair >> _S21) & _LETTER)))
    if first == UNKNOWN or second == UNKNOWN:
        return floor
    return int(UNSEEN[_WIDEST + first + second])


class Letters(NamedTuple):
    """The letter model of a language, and its place in the table of slots.

    start  its first slot
    bits   it has 2**bits slots; 0: there is no model
    floor  what sequences of unknown letters weigh, in units
    order  3: three letters are looked at, then two; 2: two only
    own    a bit for each of SCRIPTS that the language is written in
    """

    start: Any
    bits: Any
    floor: Any
    order: Any
    own: Any


@njit(cache=True, nogil=True)
def letter_order(
    codes: np.ndarray, length: int, entries: np.ndarray, slots: np.ndarray, model: Letters, sequences: np.ndarray
) -> float:
    """Nats a letter of the measured text `codes[:length]`; NaN without a model or with too few letters.

    Letters of other scripts than the language's own are gaps between words, unless they are nearly all there is
    (OWN_MIN). `sequences`, uint64 (CHUNK,), is room to work in.
    """
    if model.bits == 0:
        return np.nan
    total, letters, read = _read(codes, length, entries, slots, model, model.own, sequences)
    if letters < read * OWN_MIN:
        total, letters, _ = _read(codes, length, entries, slots, model, _EVERY, sequences)
    if letters < LETTERS_MIN:
        return np.nan
    return total / (UNITS_PER_NAT * letters)


@njit(cache=True, nogil=True)
def _read(
    codes: np.ndarray,
    length: int,
    entries: np.ndarray,
    slots: np.ndarray,
    model: Letters,
    judged: int,
    sequences: np.ndarray,
) -> tuple[int, int, int]:
    """The sum of the weights of a text's letters in scripts `judged` (bits), in units, their number, and that of
    characters read.
    """
    place, size_bits, scripts = np.uint64(model.start), np.uint32(model.bits), np.uint32(judged)
    pieces = WINDOWS if length > WINDOW * WINDOWS else 1
    size = WINDOW if pieces > 1 else length
    total, letters = 0, 0
    for piece in range(pieces):
        at = piece * (length // pieces)
        end = at + size
        sequence = _END
        while at <= end:
            count = 0
            for i in range(at, min(at + CHUNK, end + 1)):
                entry = entries[codes[i]] if i < end else _GAP
                letter = np.uint64(entry & _CODE) if (scripts >> (entry >> _SCRIPT)) & _ONE else _END
                # Written in any case, kept where it counts: no branch to guess.
                sequence = (sequence << _S21) | letter
                sequences[count] = sequence & _THREE
                two = sequence & _TWO
                count += int(two != _END if model.order == 3 else letter != _END and two > _ANY)
                sequence = sequence if letter != _END else _END
            at += CHUNK
            letters += count
            if model.order == 3:
                found, count = _add_up(slots, place, size_bits, sequences, count)
                total += found
            for i in range(count):
                sequences[i] = (sequences[i] & _TWO) | _ANY_FIRST
            found, count = _add_up(slots, place, size_bits, sequences, count)
            total += found
            if model.order == 3:
                total += count * model.floor
            else:
                for i in range(count):
                    total += _unseen(slots, place, size_bits, sequences[i], model.floor)
    return total, letters, pieces * size
