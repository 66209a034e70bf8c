"""A small corpus of made-up text, built once for the tests of what is done with a finished corpus."""

import json
import random
import shutil
from pathlib import Path

import pytest

from tests.small_build import RECIPE, WORDS, build

PASSAGE = "The lighthouse keeper of Saltmarsh wrote each evening, in violet ink, of ships that never came."
COLUMNS = '{ text = "text", language = "language", id = "id", uri = "uri", metadata = ["author"] }'


def write_inputs(folder: Path) -> Path:
    """Sixty documents in two languages, with keys, addresses and authors; a passage with a near copy; a recipe."""
    chosen = random.Random(7)
    rows = []
    for number in range(60):
        text = "\n".join(f"The {' '.join(chosen.choices(WORDS, k=14))}." for _ in range(12))
        row = {"id": f"doc-{number}", "text": text, "language": "en" if number % 3 else "fr"}
        rows.append(
            {**row, "uri": f"https://site-{number % 5}.example/page/{number}", "author": f"Author {number % 7}"}
        )
    rows[4]["text"] = f"{rows[4]['text']}\n{PASSAGE}\n"
    rows[4]["author"] = "Ada Ink"
    copy = {**rows[4], "id": "copy", "text": rows[4]["text"] + "\nOnce more.", "uri": "https://mirror.example/4"}
    mailed = {
        **rows[8],
        "id": "mailed",
        "text": rows[8]["text"][::-1] + "\nWrite to keeper@saltmarsh.org for more.",
    }
    (folder / "in").mkdir(parents=True)
    lines = [json.dumps(row) + "\n" for row in (*rows, copy, mailed)]
    (folder / "in" / "a.jsonl").write_text("".join(lines[:40]))
    (folder / "in" / "b.jsonl").write_text("".join(lines[40:]))
    recipe = folder / "recipe.toml"
    text = RECIPE.format(folder=folder).replace('{ text = "text", language = "language" }', COLUMNS)
    recipe.write_text(text)
    return recipe


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    build(write_inputs(folder), folder / "corpus")
    return folder / "corpus"


@pytest.fixture
def corpus(whole: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(whole, tmp_path / "corpus")
    return tmp_path / "corpus"
