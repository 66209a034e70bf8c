"""The graph of duplicates: places of documents, and the order in which they are decided."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.deduplication.clusters import ReadEdges
from pipeline.deduplication.places import Places
from pipeline.deduplication.records import EDGE, RANKED, EdgeFile, best_first, partition_of, spread


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


@pytest.mark.parametrize("both", [False, True])
def test_edges_are_in_the_partition_of_their_first_document(tmp_path: Path, both: bool) -> None:
    random = np.random.default_rng(4)
    edges = np.zeros(500, EDGE)
    edges["left"], edges["right"] = random.integers(0, 1 << 40, (2, 500))
    edges.tofile(tmp_path / "edges")
    found = list(ReadEdges(both)(EdgeFile(str(tmp_path / "edges"), False), 9, range(2, 7)))
    assert [partition for partition, _ in found] == sorted({partition for partition, _ in found} & set(range(2, 7)))
    ends = [(max(edge), min(edge)) for edge in edges.tolist()]
    ends += [(low, high) for high, low in ends] if both else []
    where = partition_of(spread(np.array([first for first, _ in ends], np.uint64)), 9).tolist()
    for partition, part in found:
        mine = [edge for edge, at in zip(ends, where, strict=True) if at == partition]
        assert sorted(np.frombuffer(part, EDGE).tolist()) == sorted(mine)
