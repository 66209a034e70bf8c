"""`openroots sources`: the registry as a list, one entry of it, and what it leaves unsaid."""

import json
from pathlib import Path

from click.testing import CliRunner

from openroots.cli import main

RECIPE = """
name = "mine"
title = "Mine"
sources = ["mine"]
[source.mine]
title = "Mine"
reader = "text"
licence = "{licence}"
custodian = "unknown"
provenance = "somewhere"
packages = [{{ name = "x/*.txt", language = "sw" }}]
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["sources", *arguments])
    return result.exit_code, result.output


def test_sources_are_listed_by_licence_language_and_custodian():
    listed = json.loads(run("list", "--language", "sw", "--licence", "GPL-*", "--custodian", "freedict", "--json")[1])
    assert [row["id"] for row in listed] == ["freedict"]
    assert run("list", "--custodian", "no such body") == (0, "no source matches\n")


def test_an_entry_is_shown_and_the_nearest_is_named_for_one_that_is_not_there():
    assert "dict-freedict-swh-eng" in run("show", "freedict")[1]
    code, said = run("show", "fredict")
    assert (code, "did you mean `freedict`" in said) == (1, True)


def test_the_registry_has_no_errors():
    code, said = run("check")
    assert code == 0, said


def test_what_an_entry_leaves_unsaid_is_told(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(RECIPE.format(licence="NOASSERTION"))
    code, said = run("check", "--recipe", str(tmp_path / "mine.toml"), "--json")
    found = {finding["finding"] for finding in json.loads(said)}
    assert {"no custodian is named", "`consent` is not said"} <= found
    assert any("NOASSERTION" in finding for finding in found)
    assert code == 0


def test_without_a_command_it_is_what_a_recipe_reads():
    assert json.loads(run("--recipe", "tiny", "--json")[1])[0]["id"].startswith("tiny-")
