"""Whatever is off in a finished corpus is found, and named by its path."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openroots.cli import main
from pipeline.corpus.find import Wanted, find
from pipeline.corpus.verify import verify
from pipeline.deduplication.index import index_files
from tests.pipeline.corpus.conftest import PASSAGE, write_inputs
from tests.small_build import build


def kinds(corpus: Path) -> dict[str, Path]:
    """One file of each kind: by folder and name without numbers, the longest of each, so that it is not empty."""
    found: dict[str, Path] = {}
    for path in sorted(corpus.rglob("*")):
        if path.is_file() and path.stat().st_size:
            name = path.relative_to(corpus).as_posix()
            kind = re.sub(r"[0-9a-f]{32}|[0-9]+", "0", name)
            kind = re.sub(r"/(en|fr)(?=[/.])", "/LANGUAGE", kind)
            if kind not in found or path.stat().st_size > found[kind].stat().st_size:
                found[kind] = path
    return found


def problems(corpus: Path) -> dict[str, str]:
    return {problem.file: problem.problem for problem in verify(str(corpus)).problems}


def change_json(path: Path, change: Any) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_a_finished_corpus_is_whole(whole):
    verdict = verify(str(whole))
    assert verdict.problems == []
    assert verdict.documents == json.loads((whole / "statistics.json").read_text())["documents"]


def test_one_flipped_byte_in_any_kind_of_file_is_found(corpus):
    missed = []
    for kind, path in kinds(corpus).items():
        before = path.read_bytes()
        for place in (len(before) // 2, len(before) - 1):
            flipped = bytearray(before)
            flipped[place] ^= 1
            path.write_bytes(flipped)
            if path.relative_to(corpus).as_posix() not in problems(corpus):
                missed.append((kind, place))
        path.write_bytes(before)
    assert missed == []
    assert problems(corpus) == {}


@pytest.mark.parametrize("gone", ["data", "ledger", "cards", "index", ".work/settle/records"])
def test_a_missing_file_is_named(corpus, gone):
    path = next(path for path in sorted((corpus / gone).rglob("*")) if path.is_file())
    path.unlink()
    assert problems(corpus)[path.relative_to(corpus).as_posix()] == "is missing"


def test_what_may_not_be_read_is_not_called_missing(corpus):
    (ledger,) = (corpus / "ledger").iterdir()
    ledger.chmod(0)
    root = os.geteuid() == 0
    if root and not shutil.which("setpriv"):
        pytest.skip("root reads everything")
    for command, message in (("verify", "may not be read"), ("why --corpus", "ledger: may not be read")):
        line = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if root else []
        line += [sys.executable, "-m", "openroots.cli", *command.split(), str(corpus)] + ["x"] * (command != "verify")
        done = subprocess.run(line, capture_output=True, text=True)
        assert done.returncode == 1 and message in done.stdout + done.stderr, done.stderr
        assert "is missing" not in done.stdout


def test_a_file_that_datasets_would_read_along_is_named(corpus):
    stray = corpus / "data" / "en" / "more.arrow"
    stray.write_bytes(b"")
    assert "is not of this corpus" in problems(corpus)["data/en/more.arrow"]


def test_a_forged_manifest_disagrees_with_ledger_and_shards(corpus):
    from pipeline.corpus.seal import write_seals

    change_json(corpus / "manifest.json", lambda manifest: manifest["stages"][0].update(documents_in=1))
    write_seals(str(corpus))
    assert set(problems(corpus)) == {"ledger"}


def test_a_licence_that_the_policy_refuses_is_found_though_digests_are_right(corpus):
    from pipeline.corpus.seal import write_seals

    change_json(corpus / "manifest.json", lambda manifest: manifest["recipe"]["licences"].update(deny=["CC-BY-4.0"]))
    write_seals(str(corpus))
    found = problems(corpus)
    assert all("CC-BY-4.0 denied by CC-BY-4.0" in problem for problem in found.values())
    assert any(file.startswith("data/en/") for file in found)


def test_a_corpus_without_its_work_is_whole(corpus):
    import shutil

    shutil.rmtree(corpus / ".work")
    assert problems(corpus) == {}


def test_the_command_ends_with_1_and_names_the_file(corpus):
    (corpus / "cards" / "en.md").write_text("nothing")
    result = CliRunner().invoke(main, ["verify", str(corpus)])
    assert result.exit_code == 1
    assert "cards/en.md: has 7 bytes instead of" in result.output
    found = json.loads(CliRunner().invoke(main, ["verify", str(corpus), "--json"]).output)
    assert found["ok"] is False
    assert found["problems"][0]["file"] == "cards/en.md"


def test_what_is_no_corpus_is_refused(tmp_path):
    result = CliRunner().invoke(main, ["verify", str(tmp_path)])
    assert result.exit_code == 1
    assert "there is no such file" in result.output


def test_a_corpus_whose_folder_looks_like_a_pattern_is_whole(tmp_path):
    odd = tmp_path / "o d+d" / "[x]* %20 #1"
    build(write_inputs(tmp_path / "inputs"), odd)
    assert verify(str(odd)).problems == []
    assert len(find(str(odd), Wanted(text=PASSAGE)).rows) == 2
    assert index_files([str(odd)])
