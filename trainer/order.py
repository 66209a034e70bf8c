"""The order of training samples: a pure function of seed and position, so that there is no state to lose.

A permutation of n numbers is a Feistel network of four rounds over the next power of four, walked along its cycles
until it falls below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"): constant memory, random
access, and every number exactly once.
"""

from collections.abc import Mapping

import numpy as np
from numba import njit

from configs.errors import ConfigurationError

SLOTS = 4096
"""Positions after which weighted languages repeat their pattern; shares are exact to one part in as many."""

PARTS = ("train", "held_out")
"""Of packed text."""


class Order:
    """Which sequence of which language stands at each position since the start of training.

    Without weights an epoch is a permutation of all sequences, another one each epoch. With weights, every window of
    `SLOTS` positions holds each language in its share (largest remainder, at least one slot), spread evenly; a language
    goes through a permutation of its own sequences, then through another: none comes again before all have come.
    """

    def __init__(self, counts: Mapping[str, int], seed: int, weights: Mapping[str, float] | None = None) -> None:
        """`counts` are sequences a language. Raises ConfigurationError for weights that name what is not there."""
        self.languages = sorted(counts)
        self._counts = np.array([counts[language] for language in self.languages], np.int64)
        self._seed = np.uint64(seed)
        self._starts = np.concatenate([[0], np.cumsum(self._counts)])
        self._slots = _slots(self.languages, self._counts, weights) if weights else None
        if len(self) == 0:
            raise ConfigurationError("the packed text has no whole sequence; give more text or a shorter sequence")

    def __len__(self) -> int:
        """Sequences an epoch."""
        return int(self._starts[-1])

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(language, sequence) at each position: int64 arrays, numbers into `languages` and within the language."""
        positions = np.asarray(positions, np.int64)
        if self._slots is None:
            index = _permute(positions, np.full(len(positions), len(self), np.int64), self._seed)
            language = np.searchsorted(self._starts, index, side="right") - 1
            return language, index - self._starts[language]
        of_slot, rank, share = self._slots
        period, slot = np.divmod(positions, SLOTS)
        language = of_slot[slot]
        ordinal = period * share[language] + rank[slot]
        seeds = self._seed + np.uint64(1) + language.astype(np.uint64)
        return language, _permute_each(ordinal, self._counts[language], seeds)


def permutation(numbers: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Images of `numbers` (int64); numbers k·size … (k+1)·size - 1 are the kth permutation of 0 … size - 1."""
    numbers = np.asarray(numbers, np.int64)
    return np.asarray(_permute(numbers, np.full(len(numbers), size, np.int64), np.uint64(seed)))


def _slots(
    languages: list[str], counts: np.ndarray, weights: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(language of each slot, which of its language's slots it is, slots a language)."""
    unknown = sorted(set(weights) - set(languages))
    if unknown:
        raise ConfigurationError(f"data.weights names `{unknown[0]}`, of which there is no packed text")
    given = np.array([weights.get(language, 0.0) for language in languages])
    if (given < 0).any() or not given.sum() > 0:
        raise ConfigurationError("data.weights must not be negative, and not all zero")
    if (empty := (given > 0) & (counts == 0)).any():
        raise ConfigurationError(f"`{languages[int(np.argmax(empty))]}` has a weight but no whole sequence")
    exact = given / given.sum() * SLOTS
    share = np.maximum(np.floor(exact), given > 0).astype(np.int64)
    by_remainder = np.argsort(-(exact - share), kind="stable")
    for language in by_remainder[: max(0, SLOTS - int(share.sum()))]:
        share[language] += 1
    while share.sum() > SLOTS:  # more languages below one slot than the rest gave up
        share[np.argmax(share)] -= 1
    # Each language's slots lie at even distances; where they meet, the order of languages decides.
    times = np.concatenate([(np.arange(n) + 0.5) / n for n in share])
    owner = np.repeat(np.arange(len(share)), share)
    of_slot = owner[np.lexsort((owner, times))]
    rank = np.zeros(SLOTS, np.int64)
    for language in np.flatnonzero(share):
        rank[of_slot == language] = np.arange(share[language])
    return of_slot, rank, share


def _permute(numbers: np.ndarray, sizes: np.ndarray, seed: np.uint64) -> np.ndarray:
    return _permute_each(numbers, sizes, np.full(len(numbers), seed, np.uint64))


@njit(cache=True)
def _permute_each(numbers: np.ndarray, sizes: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    result = np.empty(len(numbers), np.int64)
    for i in range(len(numbers)):
        size = sizes[i]
        epoch, value = numbers[i] // size, np.uint64(numbers[i] % size)
        half = np.uint64(1)
        while np.uint64(1) << (np.uint64(2) * half) < np.uint64(size):
            half += np.uint64(1)
        low = (np.uint64(1) << half) - np.uint64(1)
        key = _mix(seeds[i] ^ _mix(np.uint64(epoch)))
        while True:
            left, right = value >> half, value & low
            for turn in range(4):
                left, right = right, left ^ (_mix(right ^ key ^ (np.uint64(turn + 1) << np.uint64(56))) & low)
            value = left << half | right
            if value < np.uint64(size):
                break
        result[i] = np.int64(value)
    return result


@njit(cache=True, inline="always")
def _mix(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64 (Steele et al. 2014)."""
    value = (value + np.uint64(0x9E3779B97F4A7C15)) & np.uint64(0xFFFFFFFFFFFFFFFF)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
