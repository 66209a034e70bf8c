"""Deduplication of any files, without a recipe."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from pipeline.build import build_corpus
from pipeline.ledger import look_up
from pipeline.runtime.engine import Engine
from pipeline.standalone import deduplication_plan

BASE = " ".join(f"neno{number}" for number in range(150))
ROWS = [
    {"key": "doc-1", "text": BASE + " mwisho", "n": 1, "tags": ["a"]},
    {"key": "doc-2", "text": BASE, "n": 2, "tags": []},
    {"key": "doc-3", "text": "neno lingine kabisa", "n": 3, "tags": ["b", "c"]},
]


@pytest.mark.parametrize(
    "name", ["rows.jsonl", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rows.parquet", "rows.csv"))]
)
def test_other_columns_go_along_and_the_duplicate_is_explained(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "rows.jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif name == "rows.parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text("key,text,n\n" + "".join(f"{row['key']},{row['text']},{row['n']}\n" for row in ROWS))
    plan = deduplication_plan([str(path)], key="key")
    build_corpus(plan, str(tmp_path / "out"), engine=Engine(), cache=str(tmp_path / "cache"))
    kept = load_dataset(str(tmp_path / "out"), "und", split="train", cache_dir=str(tmp_path / "datasets"))
    found = sorted(json.loads(row["metadata"]).items() for row in kept)
    assert [int(dict(metadata)["n"]) for metadata in found] == [1, 3]
    if name != "rows.csv":
        assert dict(found[1])["tags"] == ["b", "c"]
    [dropped], [first] = (look_up(str(tmp_path / "out"), key) for key in ("doc-2", "doc-1"))
    assert dropped["reason"] == "near_duplicate"
    assert dropped["detail"].startswith(f"kept {first['id']} of files, similarity ")
