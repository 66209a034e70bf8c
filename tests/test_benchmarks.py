"""The benchmarks start: each part can be loaded, and their documents are documents as `ingest` writes them."""

import importlib

import pytest

from benchmarks.__main__ import PARTS
from pipeline.text.schema import DOCUMENT


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("memory", "gpu")])
def test_a_part_can_be_loaded(part: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{part}").measure)


def test_documents_of_the_benchmarks_have_the_columns_of_documents() -> None:
    from benchmarks.text import batch_of

    batch = batch_of([("en", "All human beings are born free and equal."), ("python", "print(1)")])
    assert batch.schema == DOCUMENT
    batch.validate(full=True)
