"""Figures with their intervals: bootstrap over items, seeded, so that the same items give the same figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

RESAMPLES = 2000
COVERAGE = 0.95
SEED = 17


@dataclass(frozen=True)
class Interval:
    """A figure and its bootstrapped interval, of 95 %."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside of the interval."""
        return self.low > 0 or self.high < 0


def interval(values: Sequence[float]) -> Interval:
    """The mean of items, with its interval; NaN without items."""
    data = np.asarray(values, np.float64)
    return ratio(data, np.ones(len(data)))


def share(values: Sequence[float]) -> Interval:
    """The mean of items between 0 and 1, with its interval.

    Where all are wrong, or all right, every resample is too, and says nothing of how far the rest may be: there the
    interval is the exact one of Clopper and Pearson (1934).
    """
    found = interval(values)
    if len(values) and found.low == found.high and found.value in (0.0, 1.0):
        far = ((1 - COVERAGE) / 2) ** (1 / len(values))
        return Interval(1.0, far, 1.0) if found.value else Interval(0.0, 0.0, 1 - far)
    return found


def ratio(above: Sequence[float] | np.ndarray, below: Sequence[float] | np.ndarray) -> Interval:
    """Sum of `above` over the sum of `below`, items drawn together; such as bits over bytes."""
    return statistic(np.stack([np.asarray(above, float), np.asarray(below, float)], axis=1), _ratio)


def difference(after: Sequence[float], before: Sequence[float]) -> Interval:
    """Mean of `after` − `before`, item by item: what a change did to the same items."""
    if len(after) != len(before):
        raise ValueError("before and after hold different items")
    return interval(np.asarray(after, float) - np.asarray(before, float))


def statistic(items: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> Interval:
    """Any figure of items (n, k): `function` takes sums over items (resamples, k) to figures (resamples,)."""
    count = len(items)
    if not count:
        return Interval(float("nan"), float("nan"), float("nan"))
    value = float(function(items.sum(axis=0)[None])[0])
    generator = np.random.default_rng(SEED)
    sums = np.empty((RESAMPLES, items.shape[1]))
    for number in range(RESAMPLES):
        sums[number] = items[generator.integers(0, count, count)].sum(axis=0)
    figures = function(sums)
    edge = (1 - COVERAGE) / 2
    low, high = np.nanquantile(figures, [edge, 1 - edge])
    return Interval(value, float(low), float(high))


def _ratio(sums: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[:, 0] / sums[:, 1]


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Chance that one of k samples is right, unbiased, from `correct` of `samples` (Chen et al. 2021, section 2.1)."""
    if k > samples:
        raise ValueError(f"pass@{k} needs {k} samples, there are {samples}")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)
