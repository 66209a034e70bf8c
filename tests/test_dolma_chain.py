"""A corpus in Dolma's shape is a corpus like any other, and one stage of ours can stand between stages of others."""

import json
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner

from openroots.cli import main
from tests.small_build import build, write_inputs

CHAIN = """
name = "chain"
title = "Chain"
languages = ["en", "fr"]
sources = ["in"]
[language_identification]
model = "none"
[quality]
enabled = false
[source.in]
title = "in"
reader = "dolma"
licence = "CC-BY-4.0"
custodian = "nobody"
provenance = "made up"
columns = {{ language = "language" }}
packages = [{{ name = "{corpus}/data/*/*.jsonl.zst" }}]
[output]
format = "jsonl.zst"
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("dolma")
    recipe = write_inputs(place, 20, 2)
    recipe.write_text(recipe.read_text() + '[output]\nformat = "jsonl.zst"\n')
    build(recipe, place / "corpus")
    return place / "corpus"


def rows(corpus: Path) -> list[dict]:
    found = []
    for path in sorted(corpus.glob("data/*/*.jsonl.zst")):
        with zstandard.open(path, "rt", encoding="utf-8", newline="\n") as stream:
            found += [json.loads(line) for line in stream]
    return found


def test_every_document_that_was_kept_is_there_once(corpus: Path) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text())
    assert len(rows(corpus)) == sum(entry["documents"] for entry in manifest["languages"].values()) > 20
    head = (corpus / "README.md").read_text()
    assert "data/en/*.jsonl.zst" in head
    assert verify(corpus).exit_code == 0


def verify(corpus: Path):
    return CliRunner().invoke(main, ["verify", str(corpus)])


def test_one_changed_byte_is_found(corpus: Path) -> None:
    path = next(corpus.glob("data/en/*"))
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    try:
        assert verify(corpus).exit_code == 1
    finally:
        path.write_bytes(whole)


def test_a_build_of_its_files_holds_the_same_texts(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(CHAIN.format(corpus=corpus))
    build(tmp_path / "recipe.toml", tmp_path / "second")
    first, second = rows(corpus), rows(tmp_path / "second")
    assert sorted(row["text"] for row in first) == sorted(row["text"] for row in second)
    by_key = {row["metadata"]["key"].rpartition("#")[2]: row for row in second}
    assert set(by_key) == {row["id"] for row in first}
    assert all(by_key[row["id"]]["metadata"]["metadata"]["uri"] == row["metadata"]["uri"] for row in first)


def test_datasets_opens_it(corpus: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    opened = load_dataset(str(corpus), "en", split="train", cache_dir=str(tmp_path))
    assert {row["metadata"]["language"] for row in opened} == {"en"}
