"""Shared by the tests: the tiny corpus, built once."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("openroots", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("openroots")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The output folder and manifest of `openroots build-corpus --recipe tiny`, built in this process."""
    from configs.load import load_recipe
    from pipeline.build import build_corpus
    from pipeline.runtime.engine import Engine

    output = tmp_path_factory.mktemp("tiny") / "corpus"
    manifest = build_corpus(load_recipe("tiny"), str(output), engine=Engine(), cache=str(output.parent / "cache"))
    yield output, manifest


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes give no names to tests: those of gzip hold the time, and processes that test side by side must agree."""
    return argname if isinstance(val, bytes) else None
