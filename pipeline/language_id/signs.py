"""Signs of near relatives (`spelling.GROUPS`) counted in one pass over a text, by an automaton of Aho and Corasick."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.language_id.kernels import fold_table, sign_weights
from pipeline.language_id.spelling import GROUPS, Signs

SIGNS_BYTES = 1500  # of a text are searched
LANGUAGES: tuple[str, ...] = tuple(name for group in GROUPS for name in group)
"""Columns of the weights."""


@dataclass(frozen=True)
class Automaton:
    """Finds all signs of all groups in a text.

    symbol_of  uint8 (65536,): folded code point → symbol; 1 is a space, 0 a letter that no sign has
    steps      int16, states × symbols: the state after a symbol; 0 is the start
    hits       int16 (states,): row of `weights` of the signs that end in a state
    weights    int32, rows × LANGUAGES; row 0 is nothing
    """

    symbol_of: npt.NDArray[np.uint8]
    steps: npt.NDArray[np.int16]
    hits: npt.NDArray[np.int16]
    weights: npt.NDArray[np.int32]


@functools.cache
def automaton() -> Automaton:
    """The automaton of `spelling.GROUPS`."""
    signs: dict[str, dict[int, int]] = {}
    for column, (own, _) in enumerate((own, name) for group in GROUPS for name, own in group.items()):
        for sign, weight in own.items():
            signs.setdefault(sign, {})[column] = weight
    symbols = {letter: symbol for symbol, letter in enumerate(sorted(set("".join(signs)) - {" "}), 2)} | {" ": 1}
    children: list[dict[int, int]] = [{}]
    ends: dict[int, str] = {}
    for sign in sorted(signs):
        state = 0
        for letter in sign:
            state = children[state].setdefault(symbols[letter], len(children))
            if state == len(children):
                children.append({})
        ends[state] = sign
    weights = np.zeros((len(children), len(LANGUAGES)), np.int32)
    for state, sign in ends.items():
        for column, weight in signs[sign].items():
            weights[state, column] = weight
    steps = np.zeros((len(children), len(symbols) + 1), np.int16)
    waiting = [(0, 0)]
    for state, shorter in waiting:  # grows: states by the length of what they stand for, with the next shorter
        if state:
            steps[state] = steps[shorter]
            weights[state] += weights[shorter]
        for symbol, child in children[state].items():
            waiting.append((child, int(steps[shorter, symbol]) if state else 0))
            steps[state, symbol] = child
    symbol_of = np.zeros(1 << 16, np.uint8)
    for letter, symbol in symbols.items():
        symbol_of[ord(letter)] = symbol
    rows = np.flatnonzero(weights.any(axis=1))
    hits = np.zeros(len(children), np.int16)
    hits[rows] = np.arange(1, len(rows) + 1)
    return Automaton(symbol_of, steps, hits, np.vstack([np.zeros((1, len(LANGUAGES)), np.int32), weights[rows]]))


def weigh(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int32]:
    """The weight of the signs of each language (`LANGUAGES`) in the first `SIGNS_BYTES` of each UTF-8 text: int32,
    texts × languages.

    Words that begin with a capital do not count, for names are spelled in other languages' ways; all count where that
    leaves fewer than three, or less than half (headlines).
    """
    found = automaton()
    ends = np.minimum(ends, starts + SIGNS_BYTES)
    return sign_weights(starts, ends, data, fold_table(), found.symbol_of, found.steps, found.hits, found.weights)


def signs(group: Signs, text: bytes) -> dict[str, int]:
    """The weight of the signs of each language of a group in a UTF-8 text."""
    data = np.frombuffer(text or b" ", np.uint8)
    row = weigh(np.zeros(1, np.int64), np.array([len(text)], np.int64), data)[0]
    return {name: int(row[LANGUAGES.index(name)]) for name in group}
