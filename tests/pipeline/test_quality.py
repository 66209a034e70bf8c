"""Decisions: the first threshold that fails, what is written of it, and what they depend on."""

import json
import pickle

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ModelError
from configs.load import load_languages
from configs.models import CodeParameters, Quality
from pipeline.quality import Measures, QualityRules
from pipeline.quality.decision import THRESHOLDS

LANGUAGES = load_languages()
GOOD = {
    "words": 100, "character_repetition": 0.05, "word_repetition": 0.0, "special_characters": 0.2,
    "running_text": 0.9, "letter_order": 0.7, "closed_class_words": 0.5, "flagged_words": 0.0, "language_score": 0.99,
    "perplexity": None,
}  # fmt: skip
GOOD_CODE = {
    "bytes_in": 3000, "characters": 3000, "longest_line": 90, "non_word_characters": 0.4, "token_length_deviation": 5.0
}  # fmt: skip
PASSES = (None,) * 4
ROOTS = Quality(thresholds="roots")
TYPES = {"words": pa.int32(), "characters": pa.int32(), "longest_line": pa.int32(), "bytes_in": pa.int64()}


def batch(rows, source="web"):
    columns = {
        "language": pa.array([row["language"] for row in rows]).dictionary_encode(),
        "language_declared": pa.array([row.get("language_declared", row["language"]) for row in rows]),
        "source": pa.array([source] * len(rows)).dictionary_encode(),
    }
    for name in dict.fromkeys(measure for _, measure in THRESHOLDS):
        columns[name] = pa.array([row.get(name) for row in rows], TYPES.get(name, pa.float32()))
    return pa.RecordBatch.from_pydict(columns)


def decide(row, quality=None, source="web"):
    verdict = QualityRules(LANGUAGES, quality or Quality()).decide(batch([row], source))
    compared = tuple(column[0].as_py() for column in (verdict.measure, verdict.value, verdict.threshold))
    return verdict.reason[0].as_py(), *compared


@pytest.mark.parametrize("language", ["en", "sw", "zh-Hans", "de"])
def test_a_good_text_passes(language):
    assert decide({"language": language, **GOOD}) == PASSES


def test_good_code_passes():
    assert decide({"language": "python", **GOOD_CODE}) == PASSES


@pytest.mark.parametrize(
    ("changed", "reason", "compared"),
    [
        ({"words": 19}, "words_min", ("words", 19, 20)),
        ({"words": 100_001}, "words_max", ("words", 100001, 100000)),
        ({"character_repetition": 0.31}, "character_repetition_max", ("character_repetition", 0.31, 0.106)),
        ({"word_repetition": 0.2}, "word_repetition_max", ("word_repetition", 0.2, 0.19)),
        ({"special_characters": 0.5}, "special_characters_max", ("special_characters", 0.5, 0.4)),
        ({"closed_class_words": 0.25}, "closed_class_words_min", ("closed_class_words", 0.25, 0.3)),
        ({"flagged_words": 0.02}, "flagged_words_max", ("flagged_words", 0.02, 0.01)),
        ({"language_score": 0.5}, "language_score_min", ("language_score", 0.5, 0.8)),
        ({"perplexity": 2000.0}, "perplexity_max", ("perplexity", 2000, 1500)),
        ({"words": 1, "flagged_words": 1.0}, "words_min", ("words", 1, 20)),
        ({"closed_class_words": 0.29999}, "closed_class_words_min", ("closed_class_words", 0.29999, 0.3)),
    ],
)
def test_the_first_threshold_of_roots_that_fails_is_the_reason(changed, reason, compared):
    assert decide({"language": "en", **GOOD, **changed}, ROOTS) == (reason, *compared)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"words": 4}, "words_min"),
        ({"word_repetition": 0.9}, "word_repetition_max"),
        ({"running_text": 0.1}, "running_text_min"),
        ({"letter_order": -0.9}, "letter_order_min"),
        ({"special_characters": 0.9}, "special_characters_max"),
        ({"closed_class_words": 0.0}, None),
    ],
)
def test_thresholds_of_a_language_are_those_that_were_measured(changed, reason):
    assert decide({"language": "xh", **GOOD, **changed})[0] == reason


def test_what_is_a_languages_own_is_not_judged_where_nobody_measured_it():
    measures = {"letter_order": -0.9, "closed_class_words": 0.0, "special_characters": 0.6}
    assert decide({"language": "ki", **GOOD, **measures}) == PASSES


def test_a_low_score_drops_only_where_no_source_declares_the_language():
    row = {"language": "xh", **GOOD, "language_score": 0.3}
    assert decide(row) == PASSES
    assert decide({**row, "language_declared": "und"})[0] == "language_score_min"
    assert decide(row, ROOTS)[0] == "language_score_min"


def test_a_threshold_can_be_switched_off():
    quality = Quality(overrides={"xh": {"letter_order_min": False}})
    assert decide({"language": "xh", **GOOD, "letter_order": -2.0}, quality) == PASSES


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"bytes_in": (1 << 20) + 1}, "file_bytes_max"),
        ({"characters": 99}, "characters_min"),
        ({"characters": 200_001}, "characters_max"),
        ({"longest_line": 19}, "longest_line_min"),
        ({"longest_line": 1001}, "longest_line_max"),
        ({"non_word_characters": 0.1}, "non_word_characters_min"),
        ({"non_word_characters": 0.7}, "non_word_characters_max"),
        ({"token_length_deviation": 2.9}, "token_length_deviation_min"),
    ],
)
def test_code_has_its_own_thresholds(changed, reason):
    assert decide({"language": "rust", **GOOD_CODE, **changed})[0] == reason


def test_a_measure_at_its_threshold_passes():
    row = {"language": "en", **GOOD, "character_repetition": 0.106, "closed_class_words": 0.3, "words": 20}
    assert decide(row, ROOTS) == PASSES


def test_an_override_changes_one_language():
    quality = Quality(overrides={"sw": {"words_min": 500}})
    assert decide({"language": "sw", **GOOD}, quality)[0] == "words_min"
    assert decide({"language": "en", **GOOD}, quality)[0] is None


def test_an_override_for_default_changes_all_others_too():
    quality = Quality(overrides={"default": {"words_min": 500}, "en": {"words_min": 1}})
    assert decide({"language": "sw", **GOOD}, quality)[0] == "words_min"
    assert decide({"language": "de", **GOOD}, quality)[0] == "words_min"
    assert decide({"language": "en", **GOOD}, quality)[0] is None


def test_a_threshold_skipped_for_a_source_is_not_applied_to_it():
    quality = Quality(thresholds="roots", skip_measures={"catalogue": ("closed_class_words_min",)})
    row = {"language": "en", **GOOD, "closed_class_words": 0.0}
    assert decide(row, quality, "catalogue") == PASSES
    assert decide(row, quality, "web")[0] == "closed_class_words_min"


def test_disabled_filters_drop_nothing():
    assert decide({"language": "en", **GOOD, "words": 0}, Quality(enabled=False)) == PASSES


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["en", "zh-Hans", "c", "xx"]), st.integers(0, 2000), st.floats(0, 1, width=32)))
)
def test_rows_are_decided_as_if_alone(drawn):
    rows = [
        {"language": code, **GOOD, **GOOD_CODE, "words": n, "longest_line": n, "word_repetition": x}
        for code, n, x in drawn
    ]
    rules = QualityRules(LANGUAGES, Quality())
    together = rules.decide(batch(rows)).reason.to_pylist() if rows else []
    assert together == [rules.decide(batch([row])).reason[0].as_py() for row in rows]


def test_rules_and_measures_are_picklable():
    rules, measures = QualityRules(LANGUAGES, Quality()), Measures(LANGUAGES, Quality())
    assert pickle.loads(pickle.dumps(rules)).decision_configuration() == rules.decision_configuration()
    assert pickle.loads(pickle.dumps(measures)).configuration == measures.configuration


def configurations(quality):
    measures, rules = Measures(LANGUAGES, quality), QualityRules(LANGUAGES, quality)
    return json.dumps(measures.configuration), json.dumps(rules.decision_configuration())


@pytest.mark.parametrize(
    ("quality", "measures_change", "decisions_change"),
    [
        (Quality(overrides={"sw": {"words_min": 500}}), False, True),
        (Quality(code=CodeParameters(characters_min=1)), False, True),
        (Quality(skip_measures={"a": ("words_min",)}), False, True),
        (Quality(overrides={"sw": {"word_ngram": 3}}), True, False),
    ],
)
def test_thresholds_and_measures_have_configurations_apart(quality, measures_change, decisions_change):
    before, after = configurations(Quality()), configurations(quality)
    assert [a != b for a, b in zip(before, after, strict=True)] == [measures_change, decisions_change]


def test_measures_give_every_column_that_thresholds_read():
    columns = Measures(LANGUAGES, Quality())(pa.array(["a b", "x = 1"], pa.large_string()), pa.array(["en", "python"]))
    assert {measure for _, measure in THRESHOLDS} - {"language_score", "bytes_in"} == set(columns)
    assert columns["perplexity"].null_count == 2


def test_a_missing_perplexity_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="no KenLM model for `sw`"):
        Measures(LANGUAGES, Quality(perplexity_models={"sw": str(tmp_path)})).configuration  # noqa: B018
