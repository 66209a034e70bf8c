"""`openroots calibrate`: a fragment that works in a recipe, what it costs and catches, and what it refuses."""

import tomllib

import pytest
from click.testing import CliRunner

from configs.load import load_recipe
from openroots.cli import main

ROOTS, ENDINGS = (
    ("soma", "andik", "pend", "imb", "chez", "tembe", "lal", "fung"),
    ("a", "ia", "wa", "ana", "eni", "isha"),
)
NAMES = """
[natural.qaa]
name = "Made up"
iso639_3 = "qaa"
script = "Latn"
roots_bytes = 0
lid_labels = ["qaa"]
"""
RECIPE = """
name = "test"
title = "Test"
sources = ["mine"]
languages = ["qaa"]
[source.mine]
title = "Mine"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "me"
provenance = "here"
packages = [{ name = "x.jsonl" }]
"""


def sentence(number):
    words = [f"{ROOTS[(number * k + k) % 8]}{ENDINGS[(number // 3 + k * k) % 6]}" for k in range(1, 12)]
    return " ".join(["Ni", *words]) + f", {number} tena."


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.txt"
    path.write_text("\n".join(sentence(number) for number in range(120)), encoding="utf-8")
    return path


def calibrate(*arguments):
    return CliRunner().invoke(main, ["calibrate", *map(str, arguments)])


def test_the_fragment_works_in_a_recipe(good, tmp_path):
    done = calibrate("--language", "qaa", "--good", good, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "out" / "qaa.toml").read_text()
    given = tomllib.loads(text)["natural"]["qaa"]["quality"]
    assert given["letter_order_min"] is not False
    assert "catches letters-in-words" in text or "letters-anywhere" in text
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE + NAMES + text)
    quality = load_recipe(str(recipe)).languages.natural["qaa"].quality
    assert quality.letter_order_min == given["letter_order_min"]
    assert quality.letter_model == str(tmp_path / "out" / "qaa.letters.npz")


def test_the_page_is_self_contained(good, tmp_path):
    calibrate("--language", "sw", "--good", good, "--output", tmp_path)
    page = (tmp_path / "sw.html").read_text()
    assert page.count("<svg") >= 4
    assert "http" not in page and "<script" not in page


def test_files_of_the_user_are_not_overwritten(good, tmp_path):
    (tmp_path / "qaa.toml").write_text('mine = "a recipe"')
    refused = calibrate("--language", "qaa", "--good", good, "--output", tmp_path)
    assert refused.exit_code == 1 and "qaa.toml exists and was not written by OpenRoots" in refused.output
    assert (tmp_path / "qaa.toml").read_text() == 'mine = "a recipe"' and not (tmp_path / "qaa.html").exists()
    for _ in range(2):  # its own files it replaces
        assert calibrate("--language", "qaa", "--good", good, "--output", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize("language", ["../qaa", "x y", ""])
def test_what_is_no_language_code_is_refused(good, tmp_path, language):
    refused = calibrate("--language", language, "--good", good, "--output", tmp_path / "out")
    assert refused.exit_code == 2 and "is not a language code" in refused.output and not (tmp_path / "out").exists()


def test_too_little_text_is_refused(tmp_path):
    (tmp_path / "few.txt").write_text("Habari ya leo rafiki yangu mpenzi.\n" * 500)
    done = calibrate("--language", "sw", "--good", tmp_path / "few.txt", "--output", tmp_path)
    assert done.exit_code == 1
    assert "1 different lines of good text are too few" in done.output


@pytest.mark.parametrize(("name", "content"), [("none-*.txt", None), ("bytes.txt", b"\xff\xfe\x00")])
def test_what_cannot_be_read_is_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = calibrate("--language", "sw", "--good", tmp_path / name, "--output", tmp_path)
    assert done.exit_code == 1
    assert name in done.output
