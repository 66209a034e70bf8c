"""Groups of rows are those that Arrow and plain Python find; columns that are not asked for are left out."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime import storage
from pipeline.text import columns
from pipeline.text.columns import distinct_values, grouped
from pipeline.text.schema import DICTIONARY

NAMES = st.sampled_from(["", "a", "b", "kw", "zh-Hant", None])


def as_dictionary(values: list[str | None]) -> pa.DictionaryArray:
    """Over a dictionary that holds more, in another order, as those of batches do."""
    held = ["unused", "zh-Hant", "kw", "b", "a", ""]
    places = pa.array([None if value is None else held.index(value) for value in values], pa.int32())
    return pa.DictionaryArray.from_arrays(places, held)


@pytest.mark.parametrize("make", [as_dictionary, lambda values: pa.array(values, pa.string())])
@given(values=st.lists(NAMES, max_size=20), start=st.integers(0, 5))
def test_values_come_in_order_of_appearance(make, values: list[str | None], start: int) -> None:
    names, places = distinct_values(make(values).slice(start))
    assert names == list(dict.fromkeys(values[start:]))
    assert [names[place] for place in places] == values[start:]


@pytest.mark.parametrize("largest", [1 << 31, 1])
@given(rows=st.lists(st.tuples(NAMES, NAMES, NAMES, st.integers(-9, 1 << 40)), max_size=30))
def test_groups_are_those_of_arrow(rows: list, largest: int) -> None:
    table = pa.table({name: pa.array(column) for name, column in zip("abcn", zip(*rows, strict=True), strict=False)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_GROUPS_MAX", largest)
        keys = [as_dictionary([row[place] for row in rows]) for place in range(3)]
        found = grouped(keys, [pa.array([row[3] for row in rows], pa.int64()).to_numpy()])
    if not rows:
        assert found == []
        return
    theirs = table.group_by(["a", "b", "c"], use_threads=False).aggregate([([], "count_all"), ("n", "sum")])
    assert dict(found) == {(r["a"], r["b"], r["c"]): [r["count_all"], r["n_sum"]] for r in theirs.to_pylist()}
    assert [key for key, _ in found] == list(dict.fromkeys(row[:3] for row in rows))


def test_a_stream_gives_the_columns_asked_for_from_each_of_its_sections(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("source", DICTIONARY), ("text", pa.large_string())])
    path = tmp_path / "shard.arrow"
    with path.open("wb") as stream:
        for section in ("x", "y"):
            arrays = [pa.array([section]), as_dictionary(["a"]), pa.array([f"text {section}"], pa.large_string())]
            with pa.ipc.new_stream(stream, schema) as writer:
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    with storage.open_stream(str(path), columns=("text", "source", "absent")) as streams:
        assert streams.schema.names == ["source", "text"]
        assert streams.read_all().to_pylist() == [{"source": "a", "text": f"text {name}"} for name in ("x", "y")]
