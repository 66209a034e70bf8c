"""What the audit reads in a sample: personal data that is left, and which words stand near groups of people."""

import json
from math import log
from pathlib import Path

import numpy as np
import pytest

from pipeline.corpus.associations import SETS, Mentions, _compared, _counted, _words, associations, languages
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
    counts = sum(_counted(text.casefold(), language)["women"] for text in (near, far))
    assert counts.tolist() == [2, 0, 1, 0, 0]


def test_a_word_within_a_word_is_none():
    assert _counted("she she, shed hers good", "en")["women"][0] == 2


def test_groups_with_few_mentions_are_not_compared():
    few, many = np.array([29, 1, 1, 1, 1]), np.array([1000, 10, 10, 10, 10])
    for women, comparisons in ((few, 0), (many, 4)):
        mentions = Mentions(("women", "men"))
        mentions.add({"women": women, "men": many})
        assert len(_compared(mentions, "gender", ["women", "men"])) == comparisons


def made_of_known_shares(chance: np.random.Generator, alike: float) -> list[dict[str, int]]:
    """Documents in which 30 % of the mentions of women, and 15 % of those of men, stand near a word of family; the more
    `alike`, the more the mentions of one document agree."""
    documents = []
    for _ in range(400):
        women, men = int(chance.integers(0, 6)), int(chance.integers(0, 6))
        near = []
        for count, share in ((women, 0.3), (men, 0.15)):
            own = share if alike == 0 else chance.beta(share / alike, (1 - share) / alike)
            near.append(int(chance.binomial(count, own)))
        documents.append({"women": women, "near_women": near[0], "men": men, "near_men": near[1]})
    return documents


def written(document: dict[str, int]) -> str:
    """A text with these mentions, far from one another."""
    apart = " . " * 50
    parts = []
    for group, word in (("women", "she"), ("men", "he")):
        near = document[f"near_{group}"]
        parts += [f"{word} family"] * near + [word] * (document[group] - near)
    return apart.join(parts)


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_effect_and_interval_are_those_of_the_known_shares_and_of_drawing_documents_again(alike):
    """By hand: the odds ratio of 30 % over 15 % is 2.43; the interval is that of a bootstrap of whole documents."""
    chance = np.random.default_rng(11)
    documents = made_of_known_shares(chance, alike)
    mentions = Mentions.of("en")
    for document in documents:
        mentions.add(_counted(written(document), "en"))
    row = next(row for row in _compared(mentions, "gender", ["women", "men"]) if row["words"] == "family")
    table = np.array([[d["women"], d["near_women"], d["men"], d["near_men"]] for d in documents], float)
    n, x, m, y = table.sum(axis=0)
    assert (row["mentions"], row["near"], row["others_mentions"], row["others_near"]) == (n, x, m, y)
    assert row["effect"] == pytest.approx(log(x * (m - y) / ((n - x) * y)), abs=0.01)
    assert row["low"] < log((0.3 / 0.7) / (0.15 / 0.85)) < row["high"]

    again = table[chance.integers(0, len(table), (2000, len(table)))].sum(axis=1)
    n, x, m, y = again.T
    spread = np.std(np.log((x + 0.5) * (m - y + 0.5) / ((n - x + 0.5) * (y + 0.5))))
    assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * spread, rel=0.1)
    alone = log_odds(row["near"], row["mentions"], row["others_near"], row["others_mentions"])
    assert (row["high"] - row["low"]) / (alone[2] - alone[1]) == pytest.approx(1.0 if alike == 0 else 1.35, abs=0.15)


def test_groups_that_are_mentioned_alike_show_no_effect():
    mentions = Mentions.of("en")
    for number in range(200):
        mentions.add(_counted(written({"women": 2, "men": 2, "near_women": number % 2, "near_men": number % 2}), "en"))
    rows = _compared(mentions, "gender", ["women", "men"])
    assert len(rows) == len(SETS)
    assert all(row["effect"] == 0 and row["low"] < 0 < row["high"] for row in rows)


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
