"""What came, what went and why."""

import json
from pathlib import Path

from click.testing import CliRunner

from openroots.cli import main
from pipeline.corpus.diff import diff
from tests.pipeline.corpus.conftest import write_inputs
from tests.small_build import build


def test_a_corpus_does_not_differ_from_itself(whole):
    found = diff(str(whole), str(whole))
    assert (found["changes"], found["settings"], found["documents"]["came"], found["documents"]["went"]) == (
        [],
        [],
        0,
        0,
    )
    assert found["documents"]["stayed"] == json.loads((whole / "statistics.json").read_text())["documents"]


def test_documents_that_came_and_went_have_their_reasons(whole, tmp_path: Path):
    recipe = write_inputs(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "in" / "b.jsonl").read_text().splitlines()]
    new = {**rows[0], "id": "new", "text": rows[0]["text"][::-1]}
    (tmp_path / "in" / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows[1:], new]))
    recipe.write_text(recipe.read_text().replace('"en", "fr"', '"en"'))
    build(recipe, tmp_path / "corpus")
    found = diff(str(whole), str(tmp_path / "corpus"))
    kinds = {(change["language"], change["was"], change["is"]) for change in found["changes"]}
    assert ("fr", "kept", "dropped: language: language_other") in kinds
    assert (rows[0]["language"], "kept", "absent") in kinds
    assert found["by_language"]["fr"]["came"] == 0
    assert found["by_source"]["in"]["went"] == found["documents"]["went"] > 10
    assert "recipe.languages" in {setting["setting"] for setting in found["settings"]}


def test_the_command_prints_tables_and_json(whole):
    assert "0 came, 0 went" in CliRunner().invoke(main, ["diff", str(whole), str(whole)]).output
    assert json.loads(CliRunner().invoke(main, ["diff", str(whole), str(whole), "--json"]).output)["changes"] == []
