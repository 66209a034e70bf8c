"""Intervals and pass@k."""

import itertools

import numpy as np
import pytest

from trainer.evaluation import difference, interval, pass_at_k, ratio
from trainer.evaluation.statistics import share


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    draws = [generator.random(60) < 0.3 for _ in range(100)]
    covered = sum(found.low <= 0.3 <= found.high for found in map(interval, draws))
    assert 88 <= covered <= 100


def test_the_same_items_give_the_same_interval() -> None:
    assert interval([0, 1, 1, 0]) == interval([0, 1, 1, 0])


def test_a_paired_difference_is_narrower_than_two_intervals() -> None:
    before = np.array([0, 1] * 50)
    after = np.minimum(before + (np.arange(100) % 10 == 0), 1)
    gain = difference(after, before)
    assert gain.value == pytest.approx(0.1) and gain.excludes_zero


def test_all_wrong_of_a_few_items_may_still_be_chance() -> None:
    assert share([0] * 8).high == pytest.approx(0.369, abs=1e-3)
    assert share([1] * 8).low == pytest.approx(0.631, abs=1e-3)
    assert share([0] * 1000).high < 0.004
    assert share([0, 1, 1, 0]) == interval([0, 1, 1, 0])


def test_a_ratio_weighs_items_by_what_is_below() -> None:
    assert ratio([1, 9], [1, 1]).value == 5.0
    assert ratio([1, 9], [1, 3]).value == 2.5


def test_no_items_have_no_figure() -> None:
    assert np.isnan(interval([]).value)


@pytest.mark.parametrize(("samples", "correct", "k"), [(5, 2, 1), (5, 2, 3), (6, 0, 2), (4, 4, 2), (7, 3, 7)])
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(samples: int, correct: int, k: int) -> None:
    results = [True] * correct + [False] * (samples - correct)
    draws = list(itertools.combinations(results, k))
    assert pass_at_k(samples, correct, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_of_too_few_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="pass@3 needs 3 samples"):
        pass_at_k(2, 1, 3)
