"""Parquet and Arrow from strangers: a crafted file ends a child at most, and is one problem."""

import json
import os
import resource
import signal
import subprocess
import sys

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.readers import arrow_tables
from tests.pipeline.readers_help import make_source, read, tar_bytes, texts

VIEWS = [pa.string_view(), pa.dictionary(pa.int8(), pa.large_string()), pa.dictionary(pa.uint32(), pa.string())]


def ipc(table: pa.Table, stream: bool = True, **options) -> bytes:
    sink = pa.BufferOutputStream()
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def read_bytes(folder, data: bytes, reader: str = "arrow", **package):
    (folder / f"a.{reader}").write_bytes(data)
    return read(make_source(reader, str(folder / f"a.{reader}"), **package))


def repeated(value: str, rows: int) -> pa.Table:
    return pa.table({"text": pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [value])})


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("stream", [True, False])
def test_every_kind_of_string_is_read(tmp_path, kind, stream):
    values = ["one", None, "two é" * 20, ""]
    rows, problems = read_bytes(tmp_path, ipc(pa.table({"text": pa.array(values, pa.string()).cast(kind)}), stream))
    assert texts(rows) == ["one", "two é" * 20, ""]
    assert [problem.cause for problem in problems] == ["column `text` is null"]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
@pytest.mark.parametrize("reader", ["arrow", "parquet"])
def test_bytes_are_read_as_text_where_they_are_utf_8(tmp_path, kind, reader):
    values = pa.array([b"one", None, "two é".encode() * 20, b"caf\xe9"], pa.binary()).cast(kind)
    pq.write_table(pa.table({"text": values}), tmp_path / "b.parquet")
    data = ipc(pa.table({"text": values})) if reader == "arrow" else (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").unlink()
    rows, problems = read_bytes(tmp_path, data, reader)
    assert texts(rows) == ["one", "two é" * 20]
    assert problems[0].cause == "column `text` is null"
    assert "not Unicode" in problems[1].cause and len(problems) == 2


def test_nested_columns_become_metadata(tmp_path):
    rows = [{"text": "a", "n": {"x": [1, 2], "d": None}, "m": [1.5]}, {"text": "b", "n": None, "m": []}]
    for reader in ("arrow", "parquet"):
        if reader == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
            data = (tmp_path / "a.parquet").read_bytes()
        else:
            data = ipc(pa.Table.from_pylist(rows))
        found, _ = read_bytes(tmp_path, data, reader, columns={"metadata": ["n", "m"]})
        assert [json.loads(row["metadata"]) for row in found] == [{"n": row["n"], "m": row["m"]} for row in rows]


def test_times_that_python_does_not_know_cost_no_text(tmp_path):
    far, elsewhere = pa.timestamp("s"), pa.timestamp("us", "Mars/Base")
    columns = {"far": pa.array([2**52, 0], far), "day": pa.array([2**31 - 1, None], pa.date32())}
    columns |= {"zone": pa.array([5, None], elsewhere), "list": pa.array([[2**52], [0]], pa.list_(far))}
    columns["struct"] = pa.array([{"at": 2**52}, None], pa.struct([("at", far)]))
    rows, problems = read_bytes(
        tmp_path, ipc(pa.table({"text": ["a", "b"]} | columns)), "arrow", columns={"metadata": ["*"]}
    )
    assert texts(rows) == ["a", "b"]
    assert not problems
    known = "1970-01-01 00:00:00"
    assert [json.loads(row["metadata"]) for row in rows] == [
        {"day": 2**31 - 1, "far": 2**52, "list": [2**52], "struct": {"at": 2**52}, "zone": 5},
        {"day": None, "far": known, "list": [known], "struct": None, "zone": None},
    ]


def test_a_nested_column_is_no_text(tmp_path):
    rows, problems = read_bytes(tmp_path, ipc(pa.table({"text": [["a"]]})))
    assert not rows
    assert "holds list<" in problems[0].cause


def test_compressed_archived_and_remote_files_are_read(tmp_path):
    table = pa.table({"text": ["one", "two"], "other": [1, 2]})
    pq.write_table(table, tmp_path / "x.parquet")
    files = {"a.arrow": ipc(table), "b.arrow": ipc(table, False, compression="zstd")}
    (tmp_path / "t.tar.gz").write_bytes(tar_bytes(files))
    assert texts(read(make_source("arrow", str(tmp_path / "t.tar.gz")))[0]) == ["one", "two"] * 2
    memory = fsspec.filesystem("memory")
    memory.pipe("/tables/a.parquet", (tmp_path / "x.parquet").read_bytes())
    for name, data in files.items():
        memory.pipe(f"/tables/{name}", data)
    for reader, count in (("arrow", 2), ("parquet", 1)):
        rows, problems = read(make_source(reader, "memory://tables"))
        assert texts(rows) == ["one", "two"] * count
        assert not problems


@pytest.mark.parametrize("place", ["file", "archive"])
def test_streams_behind_each_other_are_read(tmp_path, place):
    data = ipc(pa.table({"text": ["one"]})) + bytes(8) + ipc(pa.table({"other": [1], "text": ["two"]}))
    for end, count in ((b"", 0), (b"rubbish", 1)):
        if place == "archive":
            (tmp_path / "t.tar").write_bytes(tar_bytes({"a.arrow": data + end}, "w"))
            rows, problems = read(make_source("arrow", str(tmp_path / "t.tar")))
        else:
            rows, problems = read_bytes(tmp_path, data + end)
        assert [(row["text"], row["key"][-2:]) for row in rows] == [("one", "#1"), ("two", "#2")]
        assert len(problems) == count


@pytest.mark.parametrize("place", ["file", "memory"])
def test_a_truncated_file_gives_the_batches_before(tmp_path, place):
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"text": ["x" * 1000] * 10})
    with pa.ipc.new_file(sink, batch.schema) as writer:
        for _ in range(10):
            writer.write_batch(batch)
    data = sink.getvalue().to_pybytes()
    data = data[: len(data) // 2]
    if place == "memory":
        fsspec.filesystem("memory").pipe("/truncated/a.arrow", data)
        rows, problems = read(make_source("arrow", "memory://truncated"))
    else:
        rows, problems = read_bytes(tmp_path, data)
    assert len(rows) == 50
    assert len(problems) == 1


def far_offsets() -> bytes:
    table = pa.table({"text": ["a" * 8, "b" * 8]})
    data = bytearray(ipc(table))
    at = bytes(data).index(np.array([0, 8, 16], np.int32).tobytes())
    data[at : at + 12] = np.array([0, 8, 2_000_000_000], np.int32).tobytes()
    return bytes(data)


def far_index() -> bytes:
    indices = np.array([0, 1, 0, 1, 1, 0, 0, 1], np.int32)
    data = bytearray(ipc(pa.table({"text": pa.DictionaryArray.from_arrays(indices, ["one", "two"])})))
    at = bytes(data).index(indices.tobytes())
    data[at + 4 : at + 8] = np.array([1 << 30], np.int32).tobytes()
    return bytes(data)


@pytest.mark.parametrize("data", [far_offsets(), far_index()])
def test_offsets_and_indices_behind_the_data_are_problems(tmp_path, data):
    (tmp_path / "b.arrow").write_bytes(data)
    (tmp_path / "c.arrow").write_bytes(ipc(pa.table({"text": ["good"]})))
    rows, problems = read(make_source("arrow", str(tmp_path)))
    assert texts(rows) == ["good"]
    assert len(problems) == 1
    assert problems[0].file.endswith("b.arrow")


@pytest.mark.parametrize("reader", ["arrow", "parquet"])
def test_a_kilobyte_that_expands_to_gigabytes_is_refused_before(tmp_path, reader):
    table = repeated("x" * (8 << 20), 10_000)
    if reader == "parquet":
        pq.write_table(table, tmp_path / "b.parquet", compression="zstd")
        data = (tmp_path / "b.parquet").read_bytes()
    else:
        data = ipc(table, compression="zstd")
    assert len(data) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows, problems = read_bytes(tmp_path, data, reader)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 << 10
    assert not rows
    assert len(problems) == 1
    assert "times its size" in problems[0].cause or "MiB of memory" in problems[0].cause


def test_a_billion_empty_rows_are_refused(tmp_path):
    rows, problems = read_bytes(tmp_path, ipc(repeated("", 20_000_000), compression="zstd"))
    assert not rows
    assert "times its size" in problems[0].cause


def test_repeated_values_of_sensible_size_are_read(tmp_path):
    rows, problems = read_bytes(tmp_path, ipc(repeated("a sentence of some length", 5000), compression="zstd"))
    assert len(rows) == 5000
    assert not problems


def test_a_row_above_the_limit_is_a_problem_and_others_are_read(tmp_path):
    table = pa.table({"text": ["a", "x" * (65 << 20), "b"]})
    rows, problems = read_bytes(tmp_path, ipc(table))
    assert [(row["text"], row["key"][-2:]) for row in rows] == [("a", "#1"), ("b", "#3")]
    assert "more than 64 MiB" in problems[0].cause


def test_a_child_that_dies_costs_its_file_and_what_it_sent_stays(tmp_path):
    table = pa.table({"text": ["x" * 100_000] * 600})
    for name in ("a.arrow", "b.arrow"):
        (tmp_path / name).write_bytes(ipc(table))
    source = make_source("arrow", str(tmp_path))
    rows, problems = read(source)
    assert (len(rows), problems) == (1200, [])
    killed = []

    class Killed(arrow_tables._Child):
        def __init__(self):
            super().__init__()
            if not killed:
                killed.append(self)
                os.kill(self._process.pid, signal.SIGSEGV)

    arrow_tables._close_idle()
    arrow_tables._idle.clear()
    original, arrow_tables._Child = arrow_tables._Child, Killed
    try:
        rows, problems = read(source)
    finally:
        arrow_tables._Child = original
    assert len(rows) == 600
    assert [problem.cause for problem in problems] == ["damaged, or made to crash Arrow (SIGSEGV)"]


def test_a_reader_that_is_left_early_leaves_no_child(tmp_path):
    script = """
import sys, pyarrow as pa
from configs.load import load_languages
from pipeline.readers import list_units, read_unit
from tests.pipeline.readers_help import make_source
source = make_source("arrow", sys.argv[1])
for unit in list_units(source, {}):
    for batch in read_unit(unit, source, load_languages(), batch_documents=1, batch_bytes=1, on_problem=print):
        break
from pipeline.readers.arrow_tables import _idle
print(len(_idle))
"""
    (tmp_path / "a.arrow").write_bytes(ipc(pa.table({"text": ["x" * 100_000] * 300})))
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.arrow")], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr
