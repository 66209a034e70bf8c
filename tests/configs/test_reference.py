"""The page of all keys is what the models say, and its examples are recipes that load."""

import re
from pathlib import Path

import pytest

from configs.load import load_recipe
from configs.reference import TABLES, keys, marked, with_tables

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_is_as_the_models_are() -> None:
    assert with_tables(PAGE) == PAGE, "run: python -m configs.reference docs/recipes.md"


def test_the_page_has_every_table() -> None:
    assert marked(PAGE) == list(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_key_says_what_it_means(name: str) -> None:
    assert [row for row in keys(TABLES[name]).splitlines() if row.endswith("|  |")] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_load(tmp_path: Path, example: str) -> None:
    recipe = tmp_path / "my.toml"
    recipe.write_text(example if example == EXAMPLES[0] else f"{EXAMPLES[0]}\n{example}")
    assert load_recipe(str(recipe)).recipe.name == "letters"
