"""Whatever comes in, the funnel, the ledger, the shards and the problems tell of the same documents."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

import openroots

SENTENCE = "All human beings are born free and equal in dignity and rights, number {}."


def rows(*numbers: int, **keys: Any) -> bytes:
    """A line of JSON a number."""
    return b"".join(json.dumps({"text": SENTENCE.format(n), **keys}).encode() + b"\n" for n in numbers)


def tar_of(*files: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def zip_of(*files: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


def half_bad() -> bytes:
    return b"".join(rows(n) + b"not json\n" for n in range(500))


FILES: dict[str, tuple[str, bytes, int, int]] = {
    # source: name, bytes, documents kept, documents lost or dropped
    "bad-lines": ("a.jsonl", half_bad(), 500, 500),
    "bad-lines-packed": ("a.tar.gz", tar_of(("a.jsonl", half_bad()), ("b.jsonl", half_bad())), 1000, 1000),
    "empty-texts": ("a.jsonl", b'{"text": ""}\n{"text": " \\n "}\n' + rows(1), 1, 2),
    "no-languages": ("a.jsonl", b"".join(rows(1, language=said) for said in ("../../out", "ENGLISH", "q")), 1, 2),
    "other-languages": ("a.jsonl", rows(1, language="de") + rows(2, language="en-US"), 1, 1),
    "twins": ("a.jsonl", rows(1) * 3, 3, 0),
    "truncated": ("a.jsonl.gz", gzip.compress(rows(*range(3)), mtime=0)[:-4], 3, 1),
    "damaged-second": ("a.jsonl.xz", lzma.compress(rows(1)) + lzma.compress(rows(2))[:-20], 2, 1),
    "damaged-bz2": ("a.jsonl.bz2", bz2.compress(rows(1)) + b"BZh91AY&SY rubbish", 1, 1),
    "same-key": ("a.jsonl", rows(1, id="x") + rows(2, id="x") + rows(2, id="x"), 3, 0),
    "same-name": ("a.zip", zip_of(("a.jsonl", rows(1, id="x")), ("a.jsonl", rows(2, id="x"))), 2, 0),
    "licences": ("a.jsonl", b"".join(rows(1, licence=said) for said in ("mit", "other", "GPLv3", "x y", "")), 3, 2),
    "bomb": ("a.zip", zip_of(("a.jsonl", rows(1) + b" " * (80 << 20)), ("b.jsonl", rows(2))), 2, 1),
    "no-zip": ("a.zip", b"PK, but no zip", 0, 1),
    "rar": ("a.rar", b"Rar!\x1a\x07\x01\x00 and more", 0, 1),
    "out-of-zip": ("a.zip", zip_of(("../a.jsonl", rows(1)), ("b.jsonl", rows(2))), 1, 1),
    "twice-in-zip": ("a.zip", zip_of(("a.jsonl", rows(1)), ("b.jsonl", rows(2))), 2, 0),
}  # fmt: skip

COLUMNS = {
    "no-languages": "language",
    "other-languages": "language",
    "same-key": "id",
    "same-name": "id",
    "licences": "licence",
}

RECIPE = """
name = "truth"
title = "Truth"
languages = ["en"]
sources = {sources}
[quality]
enabled = false
[language_identification]
model = "none"
[deduplication]
exact = false
near = false
recurring_lines_documents_min = false
[personal_data]
kinds = []
"""
SOURCE = """
[source.{name}]
title = "{name}"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "nobody"
provenance = "made up"
columns = {columns}
packages = [{{ name = "{path}", language = "en" }}]
"""


def open_shard(path: Path) -> pa.Table:
    data = path.read_bytes()
    reader = pa.ipc.open_file(data) if data.startswith(b"ARROW1") else pa.ipc.open_stream(data)
    return reader.read_all()


class Built:
    """A finished build, and what each of its parts says."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "out"
        recipe = RECIPE.format(sources=json.dumps(list(FILES)))
        for name, (file, data, _, _) in FILES.items():
            (folder / name).mkdir()
            (folder / name / file).write_bytes(data)
            columns = f'{{ {COLUMNS[name]} = "{COLUMNS[name]}" }}' if name in COLUMNS else "{}"
            recipe += SOURCE.format(name=name, path=folder / name, columns=columns)
        (folder / "recipe.toml").write_text(recipe)
        plan = openroots.load_recipe(str(folder / "recipe.toml"))
        engine = openroots.Engine(workers=1)
        self.manifest = openroots.build_corpus(plan, str(self.output), engine=engine, cache=str(folder / "cache"))
        self.ledger = ds.dataset(self.output / "ledger", format="parquet").to_table().to_pylist()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("truth"))


@pytest.mark.parametrize("source", FILES)
def test_each_source_keeps_and_loses_what_it_should(built: Built, source: str) -> None:
    mine = [row for row in built.ledger if row["source"] == source]
    counts = Counter(row["decision"] for row in mine)
    assert (counts["kept"], counts["dropped"]) == FILES[source][2:], [row["detail"] for row in mine]


def test_the_funnel_is_the_ledger_stage_by_stage(built: Built) -> None:
    dropped = Counter(row["stage"] for row in built.ledger if row["decision"] == "dropped")
    stages = built.manifest["stages"]
    assert stages[0]["documents_in"] == len(built.ledger)
    assert {stage["stage"]: stage["documents_dropped"] for stage in stages if stage["documents_dropped"]} == dropped


def test_the_reasons_add_up_to_the_ledger(built: Built) -> None:
    reasons = Counter((row["stage"], row["reason"]) for row in built.ledger if row["decision"] == "dropped")
    assert {(drop["stage"], drop["reason"]): drop["documents"] for drop in built.manifest["drops"]} == reasons


def test_the_shards_hold_what_the_ledger_keeps(built: Built) -> None:
    kept = [row for row in built.ledger if row["decision"] == "kept"]
    shards = [shard for language in built.manifest["languages"].values() for shard in language["shards"]]
    held = sum(open_shard(built.output / shard["path"]).num_rows for shard in shards)
    assert built.manifest["stages"][-1]["documents_kept"] == len(kept) == held


def test_ids_are_unique(built: Built) -> None:
    assert max(Counter(row["id"] for row in built.ledger).values()) == 1


def test_the_manifest_names_the_first_problems_of_a_file_and_counts_the_rest(built: Built) -> None:
    mine = [problem for problem in built.manifest["problems"] if problem["source"] == "bad-lines"]
    assert len(mine) == 101 and "400 further ones" in mine[-1]["cause"]


def test_nothing_is_written_beside_the_output(built: Built) -> None:
    assert {path.name for path in built.output.parent.iterdir()} == {*FILES, "out", "recipe.toml"}
    assert {path.name for path in (built.output / "data").iterdir()} == {"en"}


def test_what_was_declared_is_not_called_identified(built: Built) -> None:
    details = {row["detail"] for row in built.ledger if row["stage"] == "language"}
    assert "declared de" in details
    assert not any("identified" in detail for detail in details)
