"""Corpora on object stores: whatever fsspec opens; its memory stands for S3 here."""

import shutil
import uuid
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

from configs.errors import InputError
from governance.requests import read_request
from governance.signing import load_key
from openroots.cli import main
from pipeline.corpus.audit import audit
from pipeline.corpus.diff import diff
from pipeline.corpus.find import Wanted, find
from pipeline.corpus.reading import ledger_batches
from pipeline.corpus.takedown import takedown
from pipeline.corpus.verify import verify
from tests.pipeline.corpus.conftest import PASSAGE


def test_all_commands_work_on_an_object_store(whole: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    store = f"memory://{uuid.uuid4().hex}"
    fs = fsspec.filesystem("memory")
    for path in sorted(whole.rglob("*")):
        if path.is_file() and path.name != ".lock":
            fs.pipe_file(f"{store}/corpus/{path.relative_to(whole).as_posix()}", path.read_bytes())
    assert verify(f"{store}/corpus").problems == []
    assert len(find(f"{store}/corpus", Wanted(text=PASSAGE)).rows) == 2
    request = tmp_path / "request.toml"
    request.write_text(f'id = "a"\nreceived = 2026-11-26\nreason = "-"\n[[remove]]\ntext = "{PASSAGE}"\n')
    takedown(f"{store}/corpus", *read_request(str(request)), f"{store}/corpus-2", load_key(None)[0])
    assert verify(f"{store}/corpus-2").problems == []
    assert diff(f"{store}/corpus", f"{store}/corpus-2")["documents"]["went"] == 1
    assert audit(f"{store}/corpus-2")["takedowns"][0]["request"] == "a"
    run = CliRunner().invoke(
        main, ["verify", f"{store}/corpus-2", "--against", f"{store}/corpus-2/takedowns/receipts/a.json"]
    )
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"digest": 1, "languages": []}'])
def test_a_manifest_that_is_none_is_told(corpus: Path, text: str):
    (corpus / "manifest.json").write_text(text)
    assert "manifest.json" in {problem.file for problem in verify(str(corpus)).problems}
    with pytest.raises(InputError):
        find(str(corpus), Wanted(key="doc-7"))


def test_a_manifest_of_other_types_is_told_without_a_stack_trace(corpus: Path):
    keys = ("digest", "languages", "stages", "drops", "recipe", "sources")
    (corpus / "manifest.json").write_text("{" + ", ".join(f'"{key}": 7' for key in keys) + "}")
    assert "manifest.json" in {problem.file for problem in verify(str(corpus)).problems}


def test_a_damaged_ledger_is_told_without_a_stack_trace(corpus: Path):
    part = next((corpus / "ledger").glob("*.parquet"))
    whole = part.read_bytes()
    part.write_bytes(whole[:100])
    with pytest.raises(InputError, match="damaged"):
        find(str(corpus), Wanted(text=PASSAGE))
    part.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(InputError, match="damaged"):
        list(ledger_batches(str(corpus)))
    part.unlink()
    with pytest.raises(InputError, match="there is no ledger"):
        find(str(corpus), Wanted(text=PASSAGE))


def test_a_damaged_shard_is_named_by_find(corpus: Path):
    shutil.rmtree(corpus / "index")
    shard = next((corpus / "data").rglob("*.arrow"))
    shard.write_bytes(b"ARROW1\0\0" + b"x" * 100)
    with pytest.raises(InputError, match=r"shard-00000"):
        find(str(corpus), Wanted(text=PASSAGE))
