"""Sorting by packed keys, beside numpy's lexsort and unique."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deduplication.records import EDGE, KEYED, PAIR, distinct
from pipeline.deduplication.sorting import sorted_order

LIMITS = st.sampled_from([1, 2, 3, 1 << 7, 1 << 16, 1 << 32, 1 << 63, 1 << 64])


@given(st.integers(0, 300), st.lists(LIMITS, min_size=1, max_size=6), st.integers(0, 1 << 32))
def test_order_is_that_of_lexsort(count: int, limits: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = [random.integers(0, limit, count, np.uint64) for limit in limits]
    columns = [column.astype(np.uint32) if column.max(initial=0) < 1 << 32 else column for column in columns]
    np.testing.assert_array_equal(sorted_order(columns), np.lexsort(columns[::-1]))


def test_records_that_differ_only_beyond_the_first_bits_are_told_apart() -> None:
    random = np.random.default_rng(1)
    same = random.integers(0, 4, (3, 1000), np.uint64) << np.uint64(62)
    last = random.integers(0, 2, 1000, np.uint64)
    columns = [*same, same[0] | last]
    np.testing.assert_array_equal(sorted_order(columns), np.lexsort(columns[::-1]))


@pytest.mark.parametrize("shards", [1, 900, 1 << 31])
@pytest.mark.parametrize("kind", [EDGE, KEYED, PAIR], ids=["edge", "keyed", "pair"])
def test_distinct_records_are_those_of_numpy(kind: np.dtype, shards: int) -> None:
    random = np.random.default_rng(shards)
    records = np.zeros(2000, kind)
    for name in kind.names or ():
        records[name] = random.integers(0, 40, 2000)
    records[kind.names[0]] |= random.integers(0, shards, 2000, np.uint64) << np.uint64(32)
    records = np.concatenate([records, records[::3], records[:1]])
    np.testing.assert_array_equal(distinct(records), np.unique(records))
    assert len(distinct(records[:0])) == 0
