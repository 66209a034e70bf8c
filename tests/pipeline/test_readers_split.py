"""Large files in parts: the same documents, keys and numbers as in the whole, whatever they are cut from."""

import bz2
import gzip
import io
import json
import random
import tarfile
from dataclasses import asdict, replace

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from configs.load import load_languages
from pipeline.readers import Unit, list_units, parts, read_unit, split
from tests.pipeline.readers_help import make_source
from tests.pipeline.warc_help import answer, page, record

SIZE = 4000


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", SIZE)
    monkeypatch.setattr(split, "CHUNK", 512)
    monkeypatch.setattr("pipeline.readers.problems.NAMED_PER_FILE_MAX", 10_000)


def rows_of(unit, source):
    problems = []
    batches = read_unit(unit, source, load_languages(), batch_documents=7, batch_bytes=1000, on_problem=problems.append)
    return [row for batch in batches for row in batch.to_pylist()], [str(problem) for problem in problems]


def check(source, least=3):
    """The file of a source, whole and in parts, gives the same; returns the rows, problems and why it is not cut."""
    (unit,) = list_units(source, {})
    whole = rows_of(unit, source)
    assert split.is_large(unit, source)
    found = split.split_file(unit, source, load_languages())
    assert len(found.parts) >= least or not least
    in_parts = replace(unit, parts=found.parts)
    assert Unit(**json.loads(json.dumps(asdict(in_parts)))) == in_parts
    assert rows_of(in_parts, source) == whole
    each = [rows_of(piece, source) for piece in in_parts.pieces]
    assert ([row for rows, _ in each for row in rows], [p for _, problems in each for p in problems]) == whole
    return *whole, found


def json_lines(count=400):
    lines = [
        json.dumps({"text": f"Satz {number} " + "wörter " * (number % 40), "id": f"k{number}"})
        for number in range(count)
    ]
    lines[50] = ""
    lines[99] = "{broken"
    lines[300] = '{"text": 5}'
    return "\n".join(lines).encode() + b"\n"


def members_of(data: bytes, size: int, pack) -> bytes:
    return b"".join(pack(data[start : start + size]) for start in range(0, len(data), size))


COMPRESSED = {
    "": lambda data: data,
    ".gz": lambda data: members_of(data, 1500, gzip.compress),
    ".zst": lambda data: members_of(data, 1500, zstandard.compress),
    ".bz2": lambda data: members_of(data, 1500, bz2.compress),
}


@pytest.mark.parametrize("ending", COMPRESSED)
@pytest.mark.parametrize("columns", [{}, {"id": "id"}])
def test_json_lines_are_cut_between_lines(tmp_path, ending, columns):
    (tmp_path / f"a.jsonl{ending}").write_bytes(COMPRESSED[ending](json_lines()))
    rows, problems, found = check(make_source("jsonl", str(tmp_path / f"a.jsonl{ending}"), columns=columns))
    assert len(rows) == 397
    assert any("line 100" in problem for problem in problems)
    assert found.why == ""


@pytest.mark.parametrize("seed", range(8))
def test_lines_of_any_bytes_are_cut_between_lines(tmp_path, seed):
    rng = random.Random(seed)
    sizes, count = (0, 0, 1, 20, 200), rng.choice((200, 2000))
    lines = [rng.randbytes(rng.choice(sizes)).replace(b"\n", b"\r") for _ in range(count)]
    ending = list(COMPRESSED)[seed % 4]
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(COMPRESSED[ending](b"text\n" + b"\n".join(lines) + b"\n" * (seed % 3) + b"x" * SIZE))
    check(make_source("text", str(path), documents="line"), least=1)


def test_a_part_reads_its_own_bytes_and_few_others(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(json_lines())
    source = make_source("jsonl", str(tmp_path / "a.jsonl"))
    (unit,) = list_units(source, {})
    for part in split.split_file(unit, source, load_languages()).parts[:-1]:
        with parts.open_part(unit.uri, "a", part) as stream:
            assert len(stream.read()) == part.length <= SIZE + 512


@pytest.mark.parametrize("columns", [{}, {"id": "id"}])
@pytest.mark.parametrize("reader", ["parquet", "arrow"])
def test_tables_are_cut_between_row_groups_or_batches(tmp_path, reader, columns):
    table = pa.table({"text": [f"row {number} " * 20 for number in range(500)], "id": list(range(500))})
    path = tmp_path / f"a.{reader}"
    if reader == "parquet":
        pq.write_table(table, path, row_group_size=20, compression="none", use_dictionary=False)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=20)
    rows, problems, _ = check(make_source(reader, str(path), columns=columns))
    assert len(rows) == 500
    assert not problems


@pytest.mark.parametrize("packed", [True, False])
def test_web_archives_are_cut_between_records(tmp_path, packed):
    pack = gzip.compress if packed else bytes
    records = [record(answer(page(number)), number) for number in range(60)]
    path = tmp_path / ("a.warc.gz" if packed else "a.warc")
    path.write_bytes(b"".join(map(pack, records)))
    rows, problems, _ = check(make_source("warc", str(path)))
    assert len(rows) == 60
    assert not problems


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_archives_are_cut_between_members(tmp_path, form):
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as archive:
        for number in range(60):
            info = tarfile.TarInfo(("ordner/" * (30 if form != tarfile.USTAR_FORMAT else 3)) + f"{number}ü.txt")
            data = b"text %d" % number * 30
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    rows, problems, _ = check(make_source("text", str(tmp_path / "a.tar")))
    assert len(rows) == 60
    assert not problems


def test_a_file_in_a_folder_is_cut_as_one_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.readers.units.BYTES_PER_UNIT", SIZE)
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "a.jsonl").write_bytes(json_lines())
    check(make_source("jsonl", str(tmp_path / "d")))


def test_files_of_other_file_systems_are_cut(tmp_path):
    with fsspec.open("memory://bucket/a.jsonl.gz", "wb") as file:
        file.write(COMPRESSED[".gz"](json_lines()))
    check(make_source("jsonl", "memory://bucket/a.jsonl.gz"))


def test_what_is_behind_damage_stays_one_part(tmp_path):
    data = bytearray(COMPRESSED[".gz"](json_lines()))
    place = len(data) * 2 // 3
    data[place : place + 40] = b"\xff" * 40
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    rows, problems, found = check(make_source("jsonl", str(tmp_path / "a.jsonl.gz")))
    assert "gzip" in found.why
    assert any("a.jsonl.gz" in problem and "damaged" in problem for problem in problems)
    assert 100 < len(rows) < 397


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("a.jsonl.gz", lambda: gzip.compress(json_lines(4000), 0), "compressed in one piece"),
        ("a.jsonl", lambda: json_lines().decode().encode("utf-16"), "no lines in UTF-8"),
        ("a.jsonl", lambda: json.dumps([{"text": "x " * 30}] * 200, indent=1).encode(), "no lines"),
        ("a.jsonl", lambda: json_lines() + json_lines(), "own keys"),
        ("a.csv", lambda: b"id,text\n" + b"1,two words\n" * 900, "one piece"),
    ],
)
def test_what_cannot_be_cut_is_read_whole_and_says_why(tmp_path, name, make, why):
    (tmp_path / name).write_bytes(make())
    reader = "csv" if name.endswith("csv") else "jsonl"
    source = make_source(reader, str(tmp_path / name), columns={"id": "id"} if why == "own keys" else {})
    _, _, found = check(source, least=0)
    assert found.parts == ()
    assert why in found.why


def test_members_of_one_name_keep_a_tar_whole(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(30):
            info = tarfile.TarInfo(f"{number % 20}.txt")
            info.size = 300
            archive.addfile(info, io.BytesIO(b"%03d" % number * 100))
    assert check(make_source("text", str(tmp_path / "a.tar")), least=0)[2].parts == ()


def test_parts_are_shared_out_in_order():
    found = split.Split(tuple(parts.Part("bytes", number) for number in range(10)))
    assert [len(some) for some in split.join_parts(found, 1000, 0)] == [1] * 10
    assert [len(some) for some in split.join_parts(found, 1000, 300)] == [3, 3, 3, 1]
    assert sum(split.join_parts(found, 1000, 10_000), ()) == found.parts
