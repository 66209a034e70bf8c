"""Documents of Dolma and datatrove are read with their metadata, Dolma's with its attributes."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from tests.pipeline.readers_help import make_source, read, texts

DOCUMENTS = [
    {"id": "a", "text": "First.", "source": "wiki", "added": "2026-01-01", "metadata": {"url": "https://a.example"}},
    {"id": "b", "text": "Second.", "source": "wiki", "metadata": {"license": "CC0-1.0", "lang": "sw"}},
    {"id": "c", "text": "Third.", "source": "wiki"},
]


def lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def marks(*ids: str, name: str = "m") -> bytes:
    return lines([{"id": key, "attributes": {name: [[0, 5, n / 2]]}} for n, key in enumerate(ids)])


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pack = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(path.suffix, bytes)
    path.write_bytes(pack(data))
    return path


@pytest.mark.parametrize("reader", ["datatrove", "dolma"])
@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_ids_urls_and_metadata_are_the_documents_own(tmp_path: Path, reader: str, ending: str) -> None:
    write(tmp_path / "documents" / f"0.jsonl{ending}", lines(DOCUMENTS))
    rows, problems = read(make_source(reader, str(tmp_path / "documents" / "*.jsonl*")))
    assert not problems and texts(rows) == ["First.", "Second.", "Third."]
    assert [row["key"].rpartition("#")[2] for row in rows] == ["a", "b", "c"]
    assert rows[0]["uri"] == "https://a.example" and rows[2]["uri"].endswith(f"0.jsonl{ending}")
    assert [json.loads(row["metadata"]) for row in rows] == [
        {"source": "wiki", "added": "2026-01-01"},
        {"source": "wiki", "license": "CC0-1.0", "lang": "sw"},
        {"source": "wiki"},
    ]


def test_columns_may_name_keys_of_metadata(tmp_path: Path) -> None:
    write(tmp_path / "0.jsonl", lines(DOCUMENTS))
    columns = {"language": "lang", "licence": "license"}
    rows, _ = read(make_source("datatrove", str(tmp_path / "0.jsonl"), columns=columns))
    assert [(row["language"], row["licence"]) for row in rows][1] == ("sw", "CC0-1.0")


def test_a_documents_own_keys_win_over_those_of_its_metadata(tmp_path: Path) -> None:
    write(tmp_path / "0.jsonl", lines([{"id": "a", "text": "own", "metadata": {"text": "other", "id": "z"}}]))
    rows, _ = read(make_source("dolma", str(tmp_path / "0.jsonl")))
    assert texts(rows) == ["own"] and rows[0]["key"].endswith("#a")


@pytest.mark.parametrize("name", ["documents/*/*.jsonl.gz", ""])
def test_attributes_come_into_the_metadata(tmp_path: Path, name: str) -> None:
    write(tmp_path / "documents" / "x" / "0.jsonl.gz", lines(DOCUMENTS))
    write(tmp_path / "attributes" / "one" / "x" / "0.jsonl.gz", marks("a", "b", "c", name="one"))
    write(tmp_path / "attributes" / "two" / "x" / "0.jsonl.gz", marks("a", "b", "c", name="two"))
    rows, problems = read(make_source("dolma", str(tmp_path / name)))
    assert not problems and len(rows) == 3
    found = [json.loads(row["metadata"])["attributes"] for row in rows]
    assert found == [{"one": [[0, 5, n / 2]], "two": [[0, 5, n / 2]]} for n in range(3)]


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        (marks("a", "x", "c"), "of another document"),
        (marks("a"), "ends before"),
        (b'{"id": "a", "attributes": {}}\nnonsense\n', "line 2"),
        (b'{"id": "a", "attributes": {}}\n[1]\n{}\n', "line 2"),
    ],
)
def test_attributes_that_do_not_fit_are_told_once_and_lose_no_document(
    tmp_path: Path, attributes: bytes, cause: str
) -> None:
    write(tmp_path / "documents" / "0.jsonl", lines(DOCUMENTS))
    write(tmp_path / "attributes" / "m" / "0.jsonl", attributes)
    rows, problems = read(make_source("dolma", str(tmp_path / "documents" / "0.jsonl")))
    assert len(rows) == 3 and len(problems) == 1
    assert cause in str(problems[0]) and "attributes/m/0.jsonl" in str(problems[0])
    assert "attributes" not in json.loads(rows[2]["metadata"])


def test_attributes_follow_their_documents_past_a_broken_line(tmp_path: Path) -> None:
    broken = lines(DOCUMENTS[:1]) + b"{no json\n" + lines(DOCUMENTS[2:])
    write(tmp_path / "documents" / "0.jsonl", broken)
    write(tmp_path / "attributes" / "m" / "0.jsonl", marks("a", "b", "c"))
    rows, problems = read(make_source("dolma", str(tmp_path / "documents" / "0.jsonl")))
    assert len(problems) == 1 and json.loads(rows[1]["metadata"])["attributes"] == {"m": [[0, 5, 1.0]]}


def test_changed_attributes_are_read_again(tmp_path: Path) -> None:
    from pipeline.readers import list_units

    write(tmp_path / "documents" / "0.jsonl", lines(DOCUMENTS))
    for name in ("", "documents/0.jsonl"):
        source = make_source("dolma", str(tmp_path / name))
        write(tmp_path / "attributes" / "m" / "0.jsonl", marks("a"))
        [before] = list_units(source, {})
        write(tmp_path / "attributes" / "m" / "0.jsonl", marks("a", "b"))
        [after] = list_units(source, {})
        assert before.state != after.state
