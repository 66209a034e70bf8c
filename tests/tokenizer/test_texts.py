"""Text from files of every kind, through the pipeline's readers."""

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError, StorageError
from tokenizer.texts import Documents, Skipped, TextFile, read_blocks, read_texts

TEXTS = ["Watu wote wamezaliwa huru.", "Hadhi na haki zao\nni sawa."]
ROWS = [{"text": text, "n": number} for number, text in enumerate(TEXTS)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def texts(path: Path, documents: Documents = "line", skipped: Skipped | None = None) -> list[str]:
    batches = read_texts(TextFile(str(path), documents=documents), skipped)
    return [text for batch in batches for text in batch.to_pylist()]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES),
        ("a.jsonl.gz", gzip.compress(LINES)),
        ("a.jsonl.bz2", bz2.compress(LINES)),
        ("a.ndjson.xz", lzma.compress(LINES)),
        ("a.json", json.dumps(ROWS).encode()),
        ("a.json.gz", gzip.compress(json.dumps(ROWS, indent=1).encode())),
        ("a.csv", 'text,n\n"{}",1\n"{}",2\n'.format(*TEXTS).encode()),
    ],
)
def test_tables_are_read_as_the_pipeline_reads_them(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert texts(tmp_path / name) == TEXTS


def test_parquet_and_arrow_are_read(tmp_path: Path) -> None:
    table = pa.table({"text": TEXTS})
    pq.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert texts(tmp_path / "a.parquet") == texts(tmp_path / "a.arrow") == TEXTS


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.log", "README"])
def test_plain_text_is_a_document_a_line_or_a_file(tmp_path: Path, name: str) -> None:
    content = b"one\n\ntwo\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert texts(tmp_path / name) == ["one", "two"]
    assert texts(tmp_path / name, "file") == ["one\n\ntwo\n"]


def test_blocks_hold_every_byte_of_plain_text(tmp_path: Path) -> None:
    content = "".join(f"mstari wa {number}\n\n" for number in range(700_000)) + "mwisho"
    (tmp_path / "a.txt").write_text(content)
    blocks = [
        block
        for batch in read_blocks(TextFile(str(tmp_path / "a.txt"), documents="file"), Skipped())
        for block in batch.to_pylist()
    ]
    assert len(blocks) > 1
    assert all(block.endswith("\n") for block in blocks[:-1])
    assert "".join(blocks) == content


def test_rows_without_text_are_counted_and_those_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES + b'{"text": null}\n{"text": null}\n{"text"\n')
    skipped = Skipped()
    assert texts(tmp_path / "a.jsonl", skipped=skipped) == TEXTS
    assert (skipped.empty, skipped.unreadable) == (2, 1)
    assert "line 5" in skipped.first
    assert Skipped.total([skipped.as_dict(), {}, skipped.as_dict()]).empty == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", b'{"body": "x"}\n'), ("a.parquet", b"PAR1"), ("a.zip", b"PK"), ("a.txt", b"\xe9t\xe9")],
)
def test_a_file_of_which_nothing_can_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        texts(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none\.txt"):
        texts(tmp_path / "none.txt")
