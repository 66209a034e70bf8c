"""Work files that were put elsewhere are sealed, verified and searched like those within the corpus."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from openroots.cli import main
from pipeline.corpus.find import Wanted, find
from pipeline.corpus.verify import verify
from tests.pipeline.corpus.conftest import PASSAGE, write_inputs
from tests.small_build import build


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus and its work folder; not to be changed."""
    folder = tmp_path_factory.mktemp("apart")
    build(write_inputs(folder), folder / "corpus", work=str(folder / "work"))
    return folder / "corpus", folder / "work"


def test_what_was_dropped_is_found_in_work_files_that_lie_elsewhere(apart):
    corpus, work = apart
    found = find(str(corpus), Wanted(text=PASSAGE))
    assert sorted(row["decision"] for row in found.rows) == ["dropped", "kept"]
    assert all(any(name.startswith(f"{work}/annotate/") for name in row["files"]) for row in found.rows)
    assert found.notes == []


def test_an_address_that_was_redacted_is_found_with_its_shard(apart):
    found = find(str(apart[0]), Wanted(email="keeper@saltmarsh.org"))
    [row] = found.rows
    assert any(name.startswith("data/") for name in row["files"])
    assert any("/ingest/files/" in name for name in row["files"])


def test_one_changed_byte_in_work_files_elsewhere_is_found(apart):
    corpus, work = apart
    path = next(path for path in sorted((work / "annotate").rglob("*.arrow")))
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert [problem.file for problem in verify(str(corpus)).problems] == [str(path)]
    finally:
        path.write_bytes(whole)
    assert verify(str(corpus)).problems == []


def test_a_note_of_their_place_that_was_changed_is_found(apart):
    corpus, _ = apart
    note = corpus / ".work" / "elsewhere.json"
    whole = note.read_text()
    try:
        note.write_text(json.dumps({**json.loads(whole), "work": "/elsewhere"}))
        assert [problem.file for problem in verify(str(corpus)).problems] == [".work/elsewhere.json"]
    finally:
        note.write_text(whole)


def test_work_files_that_were_moved_are_found_by_the_option(apart):
    corpus, work = apart
    moved = work.rename(work.with_name("moved"))
    try:
        asked = ["find", str(corpus), "--text", PASSAGE, "--json"]
        run = CliRunner().invoke(main, asked)
        assert len(run.stdout.splitlines()) == 1
        run = CliRunner().invoke(main, [*asked, "--work", str(moved)])
        assert len(run.stdout.splitlines()) == 2
    finally:
        moved.rename(work)
