"""Verse, lists and pages in two scripts stay; menus, keywords and noise made of the same sentences go."""

import gzip
import json
import random
from collections import Counter
from functools import cache

import pytest

from benchmarks.filters import ours
from benchmarks.forms import EACH, Text, forms, junk
from configs import CONFIGS
from configs.load import load_languages
from configs.models import Quality

LANGUAGES = load_languages()
CODES = ("ar", "en", "hi", "sw", "ta", "vi", "yo", "zh-Hans", "zu")


@cache
def sentences():
    with gzip.open(CONFIGS / "data/tiny/declaration.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return {
        code: [line for row in rows if row["language"] == code for line in row["text"].split("\n") if len(line) > 25]
        for code in CODES
    }


@cache
def kept(code):
    """Form → how many of EACH documents are kept."""
    language = LANGUAGES.natural[code]
    text = Text(code, sentences()[code], code.startswith("zh"), random.Random(code))
    others = {each: sentences()[each] for each in CODES if LANGUAGES.natural[each].script != language.script}
    judge = ours(LANGUAGES, Quality())
    documents = {}
    for form, document in [*forms(text, others), *junk(text, others, [])]:
        documents.setdefault(form, []).append(document)
    return Counter({form: round((1 - judge(made, code)) * EACH) for form, made in documents.items()})


@pytest.mark.parametrize("code", CODES)
def test_verse_lists_and_pages_in_two_scripts_stay(code):
    good = ("prose, 15 sentences", "verse, lines of 4 words", "verse, lines of 3 to 6 words", "hymn with a refrain")
    good = (*good, "list, 2 to 5 words", "glossary", "table, cells of 2 to 6 words", "half in another script")
    assert {form: kept(code)[form] for form in good if kept(code)[form] < 0.75 * EACH} == {}


@pytest.mark.parametrize("code", CODES)
def test_menus_keywords_and_noise_go(code):
    bad = ("menu of 1 to 3 words", "keywords in phrases of 3 or 4", "tag cloud")
    bad = (*bad, "shuffled letters, half in another script")
    assert {form: kept(code)[form] for form in bad if kept(code)[form]} == {}
