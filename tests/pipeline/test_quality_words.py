"""The lists of words: each with its origin, and as the kernel looks them up."""

import tomllib

import pytest

from configs import CONFIGS
from configs.load import load_languages
from pipeline.quality.words import KINDS, folded, load_words

SOURCES = tomllib.loads((CONFIGS / "words" / "sources.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_names_packages_and_licence(kind):
    files = {path.stem for path in (CONFIGS / "words" / kind).glob("*.txt")}
    assert files == set(SOURCES[kind])
    assert all(entry["packages"] and entry["licence"] for entry in SOURCES[kind].values())


def test_closed_class_words_are_there_for_all_languages_but_two():
    missing = {code for code in load_languages().natural if not load_words("closed_class", code)}
    assert missing == {"ki", "tum"}


def test_words_of_the_lists_are_folded():
    for code in load_languages().natural:
        for kind in KINDS:
            words = load_words(kind, code)
            assert {folded(word) for word in words} == words


def test_an_unknown_language_has_no_words():
    assert load_words("closed_class", "tlh") == frozenset()
