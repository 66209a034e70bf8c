"""Damaged input: what came before the damage is read, the problem names file, cause and remedy, the rest goes on."""

import io
import json
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError, NoTextError, OpenRootsError, StorageError
from configs.load import load_languages
from pipeline.readers import list_units, read_unit, streams
from pipeline.readers.problems import NAMED_PER_FILE_MAX
from tests.pipeline.readers_help import make_source, mo_bytes, read, tar_bytes, texts
from tests.pipeline.test_readers import COMPRESS, JSONL


def read_bytes(tmp_path, name: str, data: bytes, reader: str = "jsonl", **package):
    (tmp_path / name).write_bytes(data)
    return read(make_source(reader, str(tmp_path / name), **package))


def long_jsonl() -> bytes:
    return b"".join(json.dumps({"text": os.urandom(200).hex()}).encode() + b"\n" for _ in range(3000))


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst", ".bz2"])
def test_a_truncated_file_gives_what_came_before(tmp_path, suffix):
    whole = COMPRESS[suffix](long_jsonl())
    rows, problems = read_bytes(tmp_path, f"a.jsonl{suffix}", whole[: len(whole) * 3 // 4])
    assert 500 < len(rows) < 3000
    assert problems
    assert all(problem.file.startswith(f"{tmp_path.name}/a.jsonl") and problem.remedy for problem in problems)


def test_a_truncated_archive_gives_the_members_before_it(tmp_path):
    files = {f"{number}.txt": os.urandom(5000).hex().encode() for number in range(10)}
    whole = tar_bytes(files)
    rows, problems = read_bytes(tmp_path, "a.tar.gz", whole[: len(whole) // 2], "text")
    assert 2 <= len(rows) <= 5
    assert texts(rows) == [data.decode() for data in files.values()][: len(rows)]
    assert problems


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_truncated_zip_is_a_problem(tmp_path, cut):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x" * 1000)
    whole = buffer.getvalue()
    rows, problems = read_bytes(tmp_path, "a.zip", whole[: int(len(whole) * cut)], "text")
    assert not rows
    assert len(problems) == 1


def test_a_damaged_zip_member_leaves_the_others(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "damage me")
        archive.writestr("b.txt", "good")
    rows, problems = read_bytes(tmp_path, "a.zip", buffer.getvalue().replace(b"damage me", b"damaged!!"), "text")
    assert texts(rows) == ["good"]
    assert [problem.file for problem in problems] == [f"{tmp_path.name}/a.zip!a.txt"]


@pytest.mark.parametrize("reader", ["parquet", "arrow"])
def test_a_truncated_table_is_a_problem(tmp_path, reader):
    table = pa.table({"text": ["a" * 1000] * 100})
    if reader == "parquet":
        pq.write_table(table, tmp_path / "a")
    else:
        with pa.OSFile(str(tmp_path / "a"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=10)
    data = (tmp_path / "a").read_bytes()
    rows, problems = read_bytes(tmp_path, "a", data[: len(data) // 2], reader)
    assert len(rows) < 100
    assert len(problems) == 1


def test_a_damaged_page_of_parquet_is_a_problem(tmp_path):
    table = pa.table({"text": [os.urandom(50).hex() for _ in range(1000)]})
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100, **options)
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = b"\xff" * 300
    rows, problems = read_bytes(tmp_path, "a.parquet", bytes(data), "parquet")
    assert 0 < len(rows) < 1000
    assert len(problems) == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "\xff\xfe"}',
        b'{"text": "\\ud800"}',
        b'{"text": ',
        b"[1]",
        b'{"text": 5}',
        b'{"text": null}',
        b'{"other": "x"}',
        b"{" * 10000,
    ],
)
def test_a_bad_line_is_a_problem_and_others_go_on(tmp_path, line):
    rows, problems = read_bytes(tmp_path, "a.jsonl", b'{"text": "a"}\n' + line + b'\n{"text": "b"}\n')
    assert texts(rows) == ["a", "b"]
    assert len(problems) == 1
    assert "line 2" in problems[0].file or "#2" in problems[0].file


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    for reader, name, data in (
        ("jsonl", "a.jsonl", b'{"body": "x", "id": 1}\n'),
        ("csv", "a.csv", b"body,id\nx,1\n"),
    ):
        _, problems = read_bytes(tmp_path, name, data, reader)
        assert problems[0].cause == "no column `text`; there are: body, id"
        assert problems[0].file.startswith(f"{tmp_path.name}/{name}")
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "a.parquet")
    _, problems = read(make_source("parquet", str(tmp_path / "a.parquet")))
    assert problems[0].cause == "no column `text`; there are: body"


def test_a_column_of_the_wrong_type_is_named(tmp_path):
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "a.parquet")
    _, problems = read(make_source("parquet", str(tmp_path / "a.parquet")))
    assert [problem.cause for problem in problems] == ["column `text` holds int64, not text"]


def test_parquet_strings_that_are_no_text_are_problems_of_their_rows(tmp_path):
    raw = pa.array([b"good", b"bad \xff", b"fine"], pa.binary())
    text = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
    rows, problems = read(make_source("parquet", str(tmp_path / "a.parquet")))
    assert texts(rows) == ["good", "fine"]
    assert len(problems) == 1


def test_many_bad_lines_are_summed_up(tmp_path):
    rows, problems = read_bytes(tmp_path, "a.jsonl", b"bad\n" * 500 + b'{"text": "b"}')
    assert texts(rows) == ["b"]
    assert len(problems) == NAMED_PER_FILE_MAX + 1
    assert sum(problem.documents for problem in problems) == 500
    assert "400 further ones" in problems[-1].cause


@pytest.mark.parametrize(
    ("reader", "name"), [("jsonl", "a.jsonl"), ("text", "a.txt"), ("csv", "a.csv"), ("wet", "a.wet")]
)
def test_a_line_or_document_above_the_limit_is_skipped_unheld(tmp_path, monkeypatch, reader, name):
    import tracemalloc

    monkeypatch.setattr(streams, "DOCUMENT_BYTES_MAX", 2 << 20)
    head = {"jsonl": b'{"text": "a"}\n', "csv": b"text\na\n"}.get(reader, b"")
    tail = {"jsonl": b'\n{"text": "b"}\n', "csv": b"\nb\n"}.get(reader, b"")
    if reader == "wet":
        head = b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 100000000\r\n\r\n"
    (tmp_path / name).write_bytes(head + b"x" * 100_000_000 + tail)
    tracemalloc.start()
    rows, problems = read(make_source(reader, str(tmp_path / name)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts(rows) == (["a", "b"] if head and reader != "wet" else [])
    assert "more than 2 MiB" in problems[0].cause
    assert peak < 40 << 20


def test_nul_characters_are_taken_out(tmp_path):
    rows, problems = read_bytes(tmp_path, "a.jsonl", b'{"text": "a\\u0000b"}\n')
    assert (texts(rows), problems) == (["ab"], [])


@pytest.mark.parametrize(
    "reader", ["jsonl", "csv", "tsv", "text", "html", "gettext", "man", "warc", "wet", "arrow", "dictd"]
)
def test_an_empty_file_gives_nothing_and_is_no_problem(tmp_path, reader):
    rows, problems = read_bytes(tmp_path, "a", b"", reader)
    assert (rows, [problem for problem in problems if not isinstance(problem, NoTextError)]) == ([], [])


def test_a_text_that_is_not_in_its_encoding_is_a_problem(tmp_path):
    (tmp_path / "a.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "b.txt").write_bytes(b"good")
    rows, problems = read(make_source("text", str(tmp_path)))
    assert texts(rows) == ["good"]
    assert problems[0].cause == "not valid UTF-8 at byte 0"
    rows, problems = read(make_source("text", str(tmp_path), encoding="latin-1"))
    assert texts(rows) == ["é", "good"]


def test_csv_records_with_too_many_fields_are_problems(tmp_path):
    rows, problems = read_bytes(tmp_path, "a.csv", b"text,id\na,1\nb,2,3\nc,3\n", "csv")
    assert texts(rows) == ["a", "c"]
    assert problems[0].cause == "3 fields, the header has 2"


@pytest.mark.parametrize("data", [b"\xde\x12\x04\x95" + b"\xff" * 40, b"nothing", mo_bytes({"a": "b" * 100})[:-50]])
def test_a_damaged_catalogue_is_a_problem(tmp_path, data):
    rows, problems = read_bytes(tmp_path, "a.mo", data, "gettext")
    assert not rows
    assert len(problems) == 1


def test_half_a_dictionary_is_a_problem(tmp_path):
    _, problems = read_bytes(tmp_path, "a.index", b"x\tA\tB\n", "dictd")
    assert "other half" in problems[0].cause


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_problem_and_others_go_on(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "a.txt").chmod(0)
    rows, problems = read(make_source("text", str(tmp_path)))
    assert texts(rows) == ["b"]
    assert problems[0].cause == "permission denied"


def test_a_file_that_went_away_stops_the_task_and_is_never_lost_text(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.readers.streams._WAITS", (0.01,))
    (tmp_path / "a.txt").write_text("a")
    source = make_source("text", str(tmp_path))
    (unit,) = list_units(source, {})
    (tmp_path / "a.txt").unlink()
    problems: list[InputError] = []
    limits = {"batch_documents": 10, "batch_bytes": 1000}
    with pytest.raises(StorageError, match="was listed, and is not there"):
        list(read_unit(unit, source, load_languages(), **limits, on_problem=problems.append))
    assert not problems


def test_strict_callers_stop_at_the_first_problem(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"bad\nbad\n" + JSONL)
    source = make_source("jsonl", str(tmp_path / "a.jsonl"))
    seen = []

    def stop(problem: InputError) -> None:
        seen.append(problem)
        raise problem

    (unit,) = list_units(source, {})
    with pytest.raises(OpenRootsError):
        list(read_unit(unit, source, load_languages(), batch_documents=10, batch_bytes=1000, on_problem=stop))
    assert len(seen) == 1
