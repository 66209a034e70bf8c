"""The benchmarks start: each part can be loaded, and their documents are documents as `ingest` writes them."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import PARTS
from pipeline.text.schema import DOCUMENT


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("memory", "gpu")])
def test_a_part_can_be_loaded(part: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{part}").measure)


def test_the_benchmark_of_clusters_drops_what_plain_python_drops(tmp_path: Path) -> None:
    from benchmarks.clustering import MAKERS, SHARDS, prepare
    from pipeline.deduplication.records import DOCUMENT as RECORD

    prepare(tmp_path, 2000)
    known = np.concatenate([np.fromfile(tmp_path / f"documents-{shard}", RECORD) for shard in range(SHARDS)])
    order = np.lexsort([known["id_low"], known["id_high"], -known["length"].astype(np.int64)]).tolist()
    near: dict[int, list[int]] = {}
    for left, right in np.fromfile(tmp_path / "edges", np.int32).reshape(-1, 2).tolist():
        near.setdefault(left, []).append(right)
        near.setdefault(right, []).append(left)
    kept, dropped = set[int](), 0
    for document in order:
        if kept.isdisjoint(near.get(document, ())):
            kept.add(document)
        else:
            dropped += 1
    assert MAKERS["greedy"](tmp_path)() == dropped > 0


def test_documents_of_the_benchmarks_have_the_columns_of_documents() -> None:
    from benchmarks.text import batch_of

    batch = batch_of([("en", "All human beings are born free and equal."), ("python", "print(1)")])
    assert batch.schema == DOCUMENT
    batch.validate(full=True)
