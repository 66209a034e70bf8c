"""The graph of duplicates: places of documents, and the order in which they are decided."""

import numpy as np
import pytest

from pipeline.deduplication.places import Places
from pipeline.deduplication.records import RANKED, best_first


@pytest.mark.parametrize("shards", [1, 7])
def test_places_are_those_of_sorted_distinct_numbers(shards: int) -> None:
    random = np.random.default_rng(shards)
    rows = random.integers(0, 500, (2, 3000)).astype(np.uint64)
    left, right = random.integers(0, shards, (2, 3000)).astype(np.uint64) << np.uint64(32) | rows
    places = Places.of([(left, right)])
    numbers = np.unique(np.concatenate([left, right]))
    np.testing.assert_array_equal(places.numbers(), numbers)
    np.testing.assert_array_equal(places.find(right), np.searchsorted(numbers, right))


def test_no_pairs_have_no_places() -> None:
    none = np.zeros(0, np.uint64)
    assert len(Places.of([(none, none)]).numbers()) == 0


@pytest.mark.parametrize("differing", ["priority", "length", "id_high", "id_low", "node", None])
def test_ties_are_broken_by_the_next_field(differing: str | None) -> None:
    random = np.random.default_rng(5)
    records = np.zeros(400, RANKED)
    names = ("priority", "length", "id_high", "id_low", "node")
    for name in names:
        if differing is None or names.index(name) >= names.index(differing):
            records[name] = random.integers(0, 3, 400)
    keys = [records["node"], records["id_low"], records["id_high"], ~records["length"], records["priority"]]
    np.testing.assert_array_equal(best_first(records), records[np.lexsort(keys)])
