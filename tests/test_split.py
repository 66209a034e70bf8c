"""A build from large files: one task a part, and the same corpus however many parts a task reads."""

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from configs.load import load_recipe
from pipeline import build, split
from pipeline.readers import parts
from pipeline.readers import split as cutting
from pipeline.runtime.engine import Engine

RECIPE = """
name = "large"
title = "Large files"
sources = ["text"]
[language_identification]
model = "none"
[quality]
enabled = false
[output]
batch_documents = 50
shard_bytes = "40KiB"
[source.text]
title = "Text"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "nobody"
provenance = "made up"
columns = { id = "id" }
packages = [{ name = "in/*", language = "en" }]
"""


def build_parts(folder: Path, output: str) -> dict[str, Any]:
    plan = load_recipe(str(folder / "large.toml"))
    return build.build_corpus(plan, str(folder / output), engine=Engine(), cache=str(folder / "cache"), offline=True)


@pytest.mark.slow
def test_a_large_file_is_several_tasks_and_the_corpus_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 20_000)
    monkeypatch.setattr(cutting, "CHUNK", 4096)
    lines = [
        json.dumps({"id": number, "text": f"Document {number} has the number {number * number} and says no more."})
        for number in range(2000)
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text("\n".join([*lines, "{broken", *lines[:1]]) + "\n")
    (tmp_path / "in" / "b.jsonl").write_text("\n".join([*lines, "{broken"]) + "\n")
    (tmp_path / "in" / "c.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 0))
    (tmp_path / "large.toml").write_text(RECIPE.replace("in/*", f"{tmp_path}/in/*"))
    one_each = build_parts(tmp_path, "one")
    tasks = {phase["name"]: phase.get("tasks") for phase in one_each["phases"]}
    assert tasks["split"] == 3
    assert tasks["ingest"] >= 10
    whole = {Path(file["file"]).name: file["cause"] for file in one_each["read_whole"]}
    assert "repeat" in whole["a.jsonl"]
    assert "one piece" in whole["c.jsonl.gz"]
    assert "b.jsonl" not in whole
    monkeypatch.setattr(build, "split_units", functools.partial(split.split_units, task_bytes=70_000))
    together = build_parts(tmp_path, "together")
    assert {phase["name"]: phase.get("tasks") for phase in together["phases"]}["ingest"] <= tasks["ingest"] - 5
    assert together["digest"] == one_each["digest"]
    assert together["stages"] == one_each["stages"]
