"""TOML to validated plans: what is refused, and how that is said."""

import pytest

from configs.errors import ConfigurationError
from configs.load import load_languages, load_recipe, load_sources, parse_sources

SOURCE = """
[source.mine]
title = "Mine"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "me"
provenance = "here"
packages = [{ name = "x.jsonl" }]
"""

RECIPE = 'name = "test"\ntitle = "Test"\nsources = ["mine"]\n'

KOREAN = """
[natural.ko]
name = "Korean"
iso639_3 = "kor"
script = "Kore"
roots_bytes = 0
lid_labels = ["ko", "kor", "kor_Hang"]
quality = { words_min = 5 }
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        return load_recipe(str(path))

    return load_text


def refused(load, text):
    with pytest.raises(ConfigurationError) as error:
        load(text)
    return str(error.value)


def test_a_recipe_with_a_source_of_its_own(load):
    assert load(RECIPE + SOURCE).source("mine").licence == "CC0-1.0"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("sead = 1\n" + RECIPE + SOURCE, "unknown key `sead`; did you mean `seed`?"),
        (RECIPE + "[deduplication]\nband = 7\n" + SOURCE, "unknown key `deduplication.band`; did you mean `bands`?"),
        (RECIPE + "[quality.code]\ncharacters_mim = 1\n" + SOURCE, "did you mean `characters_min`?"),
        (RECIPE + "[quality.overrides.en]\nword_min = 1\n" + SOURCE, "did you mean `words_min`?"),
        (RECIPE + SOURCE.replace("custodian", "custodien"), "did you mean `custodian`?"),
        (RECIPE + SOURCE.replace("name =", "nane ="), "`packages.0.nane`; did you mean `name`?"),
        (RECIPE + SOURCE.replace('{ name = "x.jsonl" }', '"x.jsonl"'), "`packages.0`: should be a table, in curly"),
        (RECIPE.replace("mine", "mein") + SOURCE, "unknown source `mein`; did you mean `mine`?"),
        ('languages = ["english"]\n' + RECIPE + SOURCE, "unknown language `english`"),
        (
            RECIPE + '[sampling]\nproportions = "shares"\nshares = { zh-Hant1 = 0.5 }\n' + SOURCE,
            "did you mean `zh-Hant`?",
        ),
        (RECIPE + '[sampling]\nproportions = "shares"\n' + SOURCE, "give `shares` of which one is above 0"),
        (RECIPE + '[sampling]\nproportions = "shares"\nshares = { sw = 0 }\n' + SOURCE, "one is above 0"),
        (RECIPE + "[sampling.shares]\nsw = 0.5\n" + SOURCE, "`shares` counts only where `proportions` is"),
        (RECIPE + "[sampling.shares]\nsw = -1\n" + SOURCE, "`shares` are numbers of 0 or above"),
        (RECIPE + "[sampling.shares]\nsw = nan\n" + SOURCE, "numbers of 0 or above"),
        (RECIPE + SOURCE.replace('"x.jsonl"', '""'), "`packages.0.name`: should not be empty"),
        (RECIPE + SOURCE.replace('"me"', '" "'), "`custodian`: should not be empty"),
        (RECIPE + SOURCE.replace('"here"', '""'), "`provenance`: should not be empty"),
        (RECIPE.replace('"Test"', '""') + SOURCE, "`title`: should not be empty"),
        (RECIPE + "[deduplication]\npermutations = 100\nbands = 7\n" + SOURCE, "must divide"),
        (RECIPE + "[quality.skip_measures]\nmine = ['words']\n" + SOURCE, "did you mean `words_m"),
        (RECIPE + "[quality.overrides.en]\nwords_min = -1\n" + SOURCE, "greater than or equal to 0"),
        (RECIPE + KOREAN.replace("words_min", "word_min") + SOURCE, "did you mean `words_min`?"),
        (RECIPE + 'x = "\n', "not valid TOML"),
        ("languages = []\n" + RECIPE + SOURCE, "name a language, or leave the key out for all"),
        (RECIPE + "[natural]\nko = 3\n" + SOURCE, "natural.ko must be a table, not 3"),
        ("natural = 3\n" + RECIPE + SOURCE, "natural must be a table"),
        (RECIPE + "[source]\nother = 'x'\n" + SOURCE, "source.other must be a table"),
        (RECIPE + KOREAN.replace("{ words_min = 5 }", "5") + SOURCE, "natural.ko.quality must be a table, not 5"),
        (RECIPE + SOURCE.replace("CC0-1.0", "CC0-1"), "`CC0-1` is not on the SPDX list"),
        (RECIPE + SOURCE.replace("CC0-1.0", "CC-BY-4"), "did you mean `CC-BY-4.0`?"),
        (RECIPE + SOURCE.replace("CC0-1.0", "MIT OR"), "`MIT OR` is not on the SPDX list"),
        (RECIPE + SOURCE.replace("CC0-1.0", " "), "` ` is not on the SPDX list"),
        (RECIPE + SOURCE.replace('"x.jsonl"', '"x.jsonl", licence = "mine"'), "`mine` is not on the SPDX list"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_right(load, wrong, message):
    assert message in refused(load, wrong)


def test_every_wrong_key_is_named_at_once(load):
    message = refused(load, 'sead = 1\ntitel = "x"\n' + RECIPE + SOURCE)
    assert "`sead`" in message and "`titel`" in message


def test_a_source_without_licence_is_refused(load):
    assert "source.mine: missing key `licence`" in refused(load, RECIPE + SOURCE.replace('licence = "CC0-1.0"\n', ""))


def test_an_empty_licence_is_refused(load):
    assert "`licence`" in refused(load, RECIPE + SOURCE.replace("CC0-1.0", ""))


@pytest.mark.parametrize("licence", ["NOASSERTION", "LicenseRef-mine", "MIT OR (GPL-2.0-only AND LicenseRef-x)", "mit"])
def test_names_of_the_users_own_and_no_assertion_are_licences(load, licence):
    assert load(RECIPE + SOURCE.replace("CC0-1.0", licence)).source("mine").licence == licence


def test_a_list_of_wrong_entries_is_not_called_too_short(load):
    assert "at least 1 item" not in refused(load, RECIPE + SOURCE.replace("name =", "nane ="))


def test_a_message_names_the_file(load):
    assert "recipe.toml" in refused(load, "sead = 1\n" + RECIPE + SOURCE)


def test_a_missing_recipe_names_those_there_are():
    with pytest.raises(ConfigurationError, match="roots, sample, tiny"):
        load_recipe("tyni")


def test_a_missing_file_is_named():
    with pytest.raises(ConfigurationError, match=r"/none\.toml: no such file"):
        load_recipe("/none.toml")


def test_korean_is_one_entry_and_no_code(load):
    plan = load('languages = ["ko"]\n' + RECIPE + KOREAN + SOURCE.replace("packages", 'languages = ["ko"]\npackages'))
    assert plan.wanted_languages == ("ko",)
    assert plan.languages.name("ko") == "Korean"
    assert plan.languages.natural["ko"].quality.words_min == 5
    assert plan.languages.natural["ko"].quality.words_max == load_languages().natural["ak"].quality.words_max
    assert "ko" not in load_languages()


def test_false_switches_off_what_has_a_threshold(load):
    off = "[deduplication]\nrecurring_lines_documents_min = false\nverify_jaccard_min = false\n"
    deduplication = load(RECIPE + off + SOURCE).recipe.deduplication
    assert deduplication.recurring_lines_documents_min is None
    assert deduplication.verify_jaccard_min is None


def test_plans_cannot_be_changed(load):
    plan = load(RECIPE + SOURCE)
    with pytest.raises(ValueError, match="frozen"):
        plan.recipe.seed = 3


def test_a_source_may_come_from_the_registry_or_the_recipe(load):
    plan = load(RECIPE.replace('"mine"', '"mine", "udhr"') + SOURCE)
    assert plan.source("udhr") == load_sources()["udhr"]


def test_readers_are_a_closed_list():
    entry = {"title": "t", "reader": "pdf", "licence": "MIT", "custodian": "c", "provenance": "p"}
    with pytest.raises(ConfigurationError, match=r"source\.x: `reader`: .*'jsonl'"):
        parse_sources({"x": {**entry, "packages": [{"name": "x"}]}}, "here")


def test_a_table_of_a_known_language_changes_only_what_it_says(load):
    before = load_languages().natural["xh"]
    changed = load(RECIPE + "[natural.xh.quality]\nletter_order_min = -1.0\n" + SOURCE).languages.natural["xh"]
    assert changed == before.model_copy(
        update={"quality": before.quality.model_copy(update={"letter_order_min": -1.0})}
    )


def test_a_language_without_spaces_has_characters_for_words(load):
    thai = KOREAN.replace("ko]", "th]").replace("quality = { words_min = 5 }", "unspaced = true\nquality = {}")
    quality = load(RECIPE + thai + SOURCE).languages.natural["th"].quality
    assert (quality.segment_words_with_sentencepiece, quality.words_min) == (True, 10)


def test_false_switches_a_threshold_off(load):
    text = RECIPE + "[natural.xh.quality]\nletter_order_min = false\n" + SOURCE
    assert load(text).languages.natural["xh"].quality.letter_order_min is None


def test_of_very_many_wrong_keys_ten_are_named(load):
    wrong = "".join(f"key_{number} = 1\n" for number in range(20_000))
    message = refused(load, wrong + RECIPE + SOURCE)
    assert len(message.splitlines()) == 11
    assert "and 19,990 more" in message


@pytest.mark.parametrize(
    ("code", "ours"), [("EN", "en"), ("eng_Latn", "en"), ("zh", "zh-Hans"), ("zh-TW", "zh-Hant"), ("pt_BR", "pt")]
)
def test_a_language_in_another_spelling_is_refused_with_ours(load, code, ours):
    assert f"did you mean `{ours}`?" in refused(load, f'languages = ["{code}"]\n' + RECIPE + SOURCE)


def test_a_language_that_would_be_a_path_is_refused(load):
    entry = KOREAN.replace("natural.ko", 'natural."../ko"')
    assert "natural.../ko" in refused(load, RECIPE + entry + SOURCE)
