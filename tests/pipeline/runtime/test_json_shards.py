"""Shards in Dolma's shape: what other programs find there, and that ours read the same rows back."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from pipeline.runtime.shards import WRITERS, open_shard, writer_like
from pipeline.text.schema import DICTIONARY

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        ("text", pa.large_string()),
        ("source", DICTIONARY),
        ("licence_detected", DICTIONARY),
        ("uri", pa.string()),
        ("metadata", pa.string()),
        ("bytes_in", pa.int64()),
        ("language_score", pa.float32()),
        ("perplexity", pa.float32()),
        ("pii_email", pa.int32()),
    ]
)
METADATA = ['{"b": 1.10, "a": 123456789012345678901234567890, "x": "é\\u00e9"}', "{}", '{ "odd" : "}}" }']


def rows(count: int) -> list[dict]:
    return [
        {
            "id": f"{n:032x}",
            "text": f"text {n}\n\u2028é",
            "source": "one",
            "licence_detected": None,
            "uri": "u",
            "metadata": METADATA[n % 3],
            "bytes_in": n,
            "language_score": pa.scalar(0.1 * n, pa.float32()).as_py(),
            "perplexity": None,
            "pii_email": 0,
        }
        for n in range(count)
    ]


def write(path: Path, count: int = 2500) -> list[dict]:
    written = rows(count)
    with open(path, "wb") as stream, WRITERS["jsonl.zst"](stream, SCHEMA) as writer:
        for begin in range(0, count, 700):
            writer.write_batch(pa.RecordBatch.from_pylist(written[begin : begin + 700], SCHEMA))
    return written


def test_rows_are_read_back_as_they_were_metadata_to_the_letter(tmp_path: Path) -> None:
    written = write(tmp_path / "a.jsonl.zst")
    with open_shard(str(tmp_path / "a.jsonl.zst")) as batches:
        expected = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in SCHEMA]
        assert {f.name: f.type for f in batches.schema} == dict(zip(SCHEMA.names, expected, strict=True))
        read = list(batches)
    assert max(batch.num_rows for batch in read) <= 1000
    names = SCHEMA.names
    assert [{name: row[name] for name in names} for batch in read for row in batch.to_pylist()] == written


def test_each_line_has_dolmas_keys_and_all_else_in_metadata(tmp_path: Path) -> None:
    written = write(tmp_path / "a.jsonl.zst", 3)
    with zstandard.open(tmp_path / "a.jsonl.zst", "rt", encoding="utf-8", newline="\n") as stream:
        found = [json.loads(line) for line in stream]
    assert [list(row) for row in found] == [["id", "text", "source", "metadata"]] * 3
    assert [row["text"] for row in found] == [row["text"] for row in written]
    assert found[0]["metadata"]["metadata"]["a"] == 123456789012345678901234567890
    assert found[0]["metadata"]["bytes_in"] == 0 and found[0]["metadata"]["perplexity"] is None


def test_the_same_rows_are_the_same_bytes_and_a_copy_has_the_format(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl.zst")
    write(tmp_path / "b.jsonl.zst")
    assert (tmp_path / "a.jsonl.zst").read_bytes() == (tmp_path / "b.jsonl.zst").read_bytes()
    assert writer_like(str(tmp_path / "a.jsonl.zst")) is WRITERS["jsonl.zst"]


@pytest.mark.parametrize("damage", ["cut", "turned", "no json", "no object", "no end"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    write(tmp_path / "a.jsonl.zst")
    data = (tmp_path / "a.jsonl.zst").read_bytes()
    text = zstandard.decompress(data, max_output_size=1 << 24)
    damaged = {
        "cut": data[: len(data) // 2],
        "turned": data[:2000] + bytes([data[2000] ^ 255]) + data[2001:],
        "no json": zstandard.compress(text + b"{\n"),
        "no object": zstandard.compress(text + b"7\n"),
        "no end": zstandard.compress(text + b'{"id": 1}'),
    }[damage]
    (tmp_path / "a.jsonl.zst").write_bytes(damaged)
    with pytest.raises(pa.ArrowInvalid), open_shard(str(tmp_path / "a.jsonl.zst")) as batches:
        list(batches)
