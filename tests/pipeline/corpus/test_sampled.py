"""What the audit reads in a sample: personal data that is left, and which words stand near groups of people."""

import json
from math import log
from pathlib import Path

import numpy as np
import pytest

from pipeline.corpus.associations import _add, _compared, _words, associations, languages
from pipeline.corpus.audit import audit
from pipeline.corpus.pages import audit_page
from pipeline.corpus.reading import read_manifest
from pipeline.corpus.sampled import log_odds, sampled_batches, wilson
from pipeline.corpus.second_look import second_look
from tests.pipeline.corpus.conftest import write_inputs
from tests.small_build import build


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 10), (10, 10), (1, 1000), (0, 0)])
def test_the_interval_is_wilsons(hits, trials):
    stats = pytest.importorskip("scipy.stats", reason="needs scipy, which comes with other packages")
    if trials == 0:
        assert wilson(hits, trials) == (0.0, 1.0)
        return
    expected = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_the_effect_is_the_log_of_the_odds_ratio_and_turns_with_the_groups():
    effect, low, high = log_odds(300, 1000, 100, 1000)
    assert effect == pytest.approx(log((300 / 700) / (100 / 900)), abs=0.02)
    assert low < effect < high and low > 0
    assert log_odds(100, 1000, 300, 1000)[0] == pytest.approx(-effect)
    assert log_odds(0, 50, 0, 50)[0] == 0.0


def test_a_sample_holds_each_document_once_and_is_the_same_each_time(whole):
    manifest = read_manifest(str(whole))
    for wanted in (10, 10_000):
        ids = [i for _, batch in sampled_batches(str(whole), manifest, wanted) for i in batch["id"].to_pylist()]
        total = sum(language["documents"] for language in manifest["languages"].values())
        assert len(ids) == len(set(ids)) == min(wanted, total)
        again = [i for _, batch in sampled_batches(str(whole), manifest, wanted) for i in batch["id"].to_pylist()]
        assert ids == again


def test_addresses_that_a_recipe_left_are_counted_by_the_second_look(tmp_path: Path):
    recipe = write_inputs(tmp_path)
    recipe.write_text(recipe.read_text() + '\n[personal_data]\naction = "detect"\n')
    manifest = build(recipe, tmp_path / "corpus")
    found = second_look(str(tmp_path / "corpus"), manifest, 1000)
    assert (found["kinds"]["EMAIL"]["documents"], found["kinds"]["any"]["documents"]) == (1, 1)
    assert found["kinds"]["any"]["low"] > 0


def test_nothing_is_left_where_all_was_replaced(whole):
    found = second_look(str(whole), read_manifest(str(whole)), 1000)
    assert found["kinds"]["any"]["documents"] == 0
    assert 0 < found["kinds"]["any"]["high"] < 0.1


@pytest.mark.parametrize("language", languages())
def test_words_are_found_near_their_group_and_not_far_from_it(language):
    words = _words()["languages"][language]
    space = "" if language.startswith("zh") else " "
    near = space.join([words["women"][0], words["family"][0]])
    far = near.replace(space or words["family"][0], f"{space}{'·' * 80}{space}", 1) if space else words["women"][0]
    counts: dict[str, np.ndarray] = {}
    for text in (near, far):
        _add(counts, text.casefold(), language)
    assert counts["women"].tolist() == [2, 0, 1, 0, 0]


def test_a_word_within_a_word_is_none():
    counts: dict[str, np.ndarray] = {}
    _add(counts, "she she, shed hers good", "en")
    assert counts["women"][0] == 2


def test_groups_with_few_mentions_are_not_compared():
    few, many = np.array([29, 1, 1, 1, 1]), np.array([1000, 10, 10, 10, 10])
    assert _compared({"women": few, "men": many}, "gender", ["women", "men"]) == []
    assert len(_compared({"women": many, "men": many}, "gender", ["women", "men"])) == 4


def test_the_audit_and_its_page_tell_both(whole):
    found = audit(str(whole), sample=50)
    assert found["second_look"]["documents"] == 50
    assert json.loads(json.dumps(found))
    row = {"language": "en", "theme": "gender", "group": "women", "others": ["men"], "words": "family"}
    numbers = {
        "mentions": 99,
        "near": 9,
        "others_mentions": 99,
        "others_near": 1,
        "effect": 2.0,
        "low": 1.0,
        "high": 3.0,
    }
    found["associations"]["effects"] = [{**row, **numbers}]
    page = audit_page(found)
    assert "+2.00" in page and "Personal data that may be left" in page


def test_languages_without_lists_are_passed_over(whole):
    assert set(associations(str(whole), read_manifest(str(whole)), 50)["documents"]) <= {"en", "fr"}
