"""The order of samples: every sequence once an epoch, languages in their shares, from the position alone."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError
from trainer.order import SLOTS, Order, permutation

COUNTS = st.dictionaries(st.sampled_from(["en", "sw", "yo", "zh", "ar"]), st.integers(1, 60), min_size=1)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 5000), seed=st.integers(0, 1 << 62))
def test_a_permutation_holds_every_number_once(size: int, seed: int) -> None:
    assert sorted(permutation(np.arange(size), size, seed)) == list(range(size))


@settings(max_examples=60, deadline=None)
@given(counts=COUNTS, seed=st.integers(0, 1 << 40), epoch=st.integers(0, 1000))
def test_every_sequence_comes_once_an_epoch(counts: dict[str, int], seed: int, epoch: int) -> None:
    order = Order(counts, seed)
    languages, sequences = order.at(np.arange(len(order)) + epoch * len(order))
    seen = Counter((order.languages[a], b) for a, b in zip(languages, sequences, strict=True))
    assert seen == Counter((language, i) for language, count in counts.items() for i in range(count))


def test_epochs_and_seeds_differ_and_positions_may_be_asked_in_any_order() -> None:
    order = Order({"en": 500, "sw": 500}, 1)
    first, second = (order.at(np.arange(1000) + 1000 * epoch)[1] for epoch in (0, 1))
    assert (first != second).mean() > 0.9
    assert (first != Order({"en": 500, "sw": 500}, 2).at(np.arange(1000))[1]).mean() > 0.9
    shuffled = np.random.default_rng(0).permutation(1000)
    assert (order.at(shuffled)[1] == first[shuffled]).all()


def test_a_permutation_is_no_order_to_the_eye() -> None:
    moved = permutation(np.arange(10_000), 10_000, 3)
    assert abs(np.corrcoef(moved, np.arange(10_000))[0, 1]) < 0.05
    assert (np.diff(moved) == 1).mean() < 0.01


@settings(max_examples=30, deadline=None)
@given(counts=COUNTS, weights=st.lists(st.floats(0.01, 100), min_size=5, max_size=5), seed=st.integers(0, 99))
def test_weighted_languages_have_their_share_and_repeat_nothing_before_all_was_seen(
    counts: dict[str, int], weights: list[float], seed: int
) -> None:
    given_weights = dict(zip(sorted(counts), weights, strict=False))
    order = Order(counts, seed, given_weights)
    languages, sequences = order.at(np.arange(2 * SLOTS))
    total = sum(given_weights.values())
    for number, language in enumerate(order.languages):
        mine = sequences[languages == number]
        share = given_weights[language] / total
        assert abs((languages[:SLOTS] == number).sum() - share * SLOTS) <= len(counts) + 1
        whole = len(mine) // counts[language] * counts[language]
        assert (np.sort(mine[:whole].reshape(-1, counts[language]), axis=1) == np.arange(counts[language])).all()
        if share > 0.1:  # no window is without it for long; slots of all the others may meet in one place
            assert np.diff(np.flatnonzero(languages == number)).max() <= 1 / share + len(counts) + 1


def test_wrong_weights_are_refused() -> None:
    for weights, message in (({"xx": 1.0}, "xx"), ({"en": -1.0}, "negative"), ({"sw": 1.0}, "no whole sequence")):
        with pytest.raises(ConfigurationError, match=message):
            Order({"en": 3, "sw": 0}, 0, weights)
    with pytest.raises(ConfigurationError, match="no whole sequence"):
        Order({"en": 0}, 0)
