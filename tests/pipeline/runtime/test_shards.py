"""Files that leave us open as they are in other programs, and ours still read what earlier versions wrote."""

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline.runtime import shards
from pipeline.runtime.shards import WRITERS, open_shard
from pipeline.text.columns import binary_ids, hex_ids
from pipeline.text.schema import DICTIONARY

SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), ("text", pa.large_string()), ("source", DICTIONARY)])
DICTIONARY_VALUES = pa.array(["a", "b"])


def batch(first: int, rows: int, source: int) -> pa.RecordBatch:
    ids = [f"{row:032x}" for row in range(first, first + rows)]
    column = pa.DictionaryArray.from_arrays(pa.array([source] * rows, pa.int32()), DICTIONARY_VALUES)
    return pa.record_batch([pa.array(ids), pa.array([f"t {row}" for row in ids], pa.large_string()), column], SCHEMA)


def written(path: Path, form: str) -> list[dict]:
    batches = [batch(0, 5, 0), batch(5, 3, 1)]
    with open(path, "wb") as stream, WRITERS[form](stream, SCHEMA) as writer:
        for one in batches:
            writer.write_batch(one)
    return pa.Table.from_batches(batches).to_pylist()


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_what_is_written_opens_with_pyarrow_dataset_and_is_read_back(tmp_path: Path, form: str) -> None:
    rows = written(tmp_path / f"a.{form}", form)
    assert ds.dataset(tmp_path, format="ipc" if form == "arrow" else form).to_table().to_pylist() == rows
    for mapped in (True, False):
        with open_shard(str(tmp_path / f"a.{form}"), mapped=mapped) as batches:
            assert [row for one in batches for row in one.to_pylist()] == rows
    remote = f"memory://shards/a.{form}"
    import fsspec

    fsspec.filesystem("memory").pipe(f"/shards/a.{form}", (tmp_path / f"a.{form}").read_bytes())
    with open_shard(remote) as batches:
        assert [row for one in batches for row in one.to_pylist()] == rows


def test_streams_of_earlier_versions_are_read(tmp_path: Path) -> None:
    table = pa.Table.from_batches([batch(0, 5, 0)])
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), SCHEMA) as writer:
        writer.write_table(table)
    with open_shard(str(tmp_path / "a.arrow")) as batches:
        assert [row for one in batches for row in one.to_pylist()] == table.to_pylist()


@pytest.mark.parametrize(
    "data", [b"", b"ARROW1", b"PAR1", b"ARROW1\0\0" + b"x" * 100, b"PAR1" + b"x" * 100, b"nonsense"]
)
def test_a_damaged_file_is_refused_as_arrow_refuses_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises((pa.ArrowInvalid, OSError)), open_shard(str(tmp_path / "a")) as batches:
        list(batches)


def test_parquet_has_zstd_a_page_index_strings_and_row_groups_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP_ROWS", 5)
    written(tmp_path / "a.parquet", "parquet")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [5, 3]
    assert file.schema_arrow.field("source").type == pa.string()
    columns = [file.metadata.row_group(0).column(number) for number in range(3)]
    assert all(column.compression == "ZSTD" and column.has_offset_index for column in columns)


def test_a_new_version_of_a_parquet_file_shares_most_of_its_bytes_with_the_one_before(tmp_path: Path) -> None:
    """Pages are cut where the content says, so that a row put in at the start does not shift all that follow."""
    import numpy as np

    letters = np.random.default_rng(0).integers(97, 123, (3000, 1000), np.uint8)
    texts = [row.tobytes().decode() for row in letters]
    schema = pa.schema([("text", pa.large_string())])
    for name, rows in (("a", texts), ("b", ["new", *texts])):
        with open(tmp_path / name, "wb") as stream, WRITERS["parquet"](stream, schema) as writer:
            writer.write_batch(pa.record_batch([pa.array(rows, pa.large_string())], schema))
    before, after = ((tmp_path / name).read_bytes() for name in "ab")
    pieces = [before[at : at + 1000] for at in range(0, len(before) - 1000, 50_000)]
    assert sum(piece in after for piece in pieces) > 0.5 * len(pieces)


def test_ids_go_to_digits_and_back_also_when_sliced() -> None:
    raw = [bytes([row, 255 - row]) * 8 for row in range(200)]
    ids = pa.array(raw, pa.binary(16))
    assert hex_ids(ids).to_pylist() == [key.hex() for key in raw]
    assert hex_ids(ids.slice(7, 50)).to_pylist() == [key.hex() for key in raw[7:57]]
    for column in (hex_ids(ids).slice(3, 9), ids.slice(3, 9), hex_ids(ids.slice(3, 9))):
        assert binary_ids(column).to_pylist() == raw[3:12]
    assert binary_ids(pa.array([], pa.string())).to_pylist() == []


@pytest.mark.parametrize("ids", [["0" * 31], ["g" * 32], ["A" * 32], [None], ["é" * 16]])
def test_other_strings_are_no_ids(ids: list) -> None:
    assert binary_ids(pa.array(ids, pa.string())) is None
