"""SuperGLUE's own scores, against figures worked out by hand, and their mean."""

import json
from pathlib import Path

import pytest

from trainer.evaluation import ChoiceItem, Interval
from trainer.evaluation.choices import Ranked, find_tasks, read_choices
from trainer.evaluation.run import Figure, superglue_means
from trainer.evaluation.superglue import PAPERS, mean, score


def _ranked(items: list[ChoiceItem], chosen: list[int]) -> Ranked:
    right = tuple(int(place in {item.answer, *item.also}) for item, place in zip(items, chosen, strict=True))
    return Ranked(tuple(items), tuple(chosen), right, right)


def test_cb_is_the_mean_of_accuracy_and_macro_f1() -> None:
    items = [
        ChoiceItem(f"{n}", "en", "", ("True", "False", "Neither"), answer) for n, answer in enumerate([0, 0, 1, 2])
    ]
    found, chance = score("cb", _ranked(items, [0, 1, 1, 1])) or (None, None)
    f1 = (2 / 3 + 1 / 2 + 0) / 3  # right 1 of 1 given and 2 there; 1 of 3 and 1; 0 of 0 and 1
    assert found is not None and found.value == pytest.approx((0.5 + f1) / 2)
    assert found.low <= found.value <= found.high
    guessed = (2 * (2 / 3) / (4 / 3 + 2) + 2 * 2 * (1 / 3) / (4 / 3 + 1)) / 3
    assert chance == pytest.approx((1 / 3 + guessed) / 2)


def test_multirc_is_the_mean_of_f1_over_answers_and_of_whole_questions() -> None:
    answers = [("q1", 1), ("q1", 0), ("q2", 1), ("q2", 1)]
    items = [ChoiceItem(f"{n}", "en", "", ("no", "yes"), answer, group=group)
             for n, (group, answer) in enumerate(answers)]  # fmt: skip
    found, chance = score("multirc", _ranked(items, [1, 0, 1, 0])) or (None, None)
    assert found is not None and found.value == pytest.approx((0.5 + 2 * 2 / (2 + 3)) / 2)
    assert chance == pytest.approx((0.25 + 2 * 1.5 / (2 + 3)) / 2)


def test_a_record_of_record_has_names_in_the_query_and_several_right_ones(tmp_path: Path) -> None:
    row = {"passage": "Juma Odhiambo met Amina.", "query": "@placeholder was late.",
           "entities": ["Juma Odhiambo", "Amina", "Juma"], "answers": ["Juma", "Juma Odhiambo"]}  # fmt: skip
    (tmp_path / "record.jsonl").write_text(json.dumps(row))
    task, files = find_tasks(str(tmp_path), ["record"])["record"]
    [item] = read_choices(files, "record", task)
    assert item.choices[1] == "Amina was late." and {item.answer, *item.also} == {0, 2}
    ranked = _ranked([item], [1])
    assert ranked.correct == (0,) and ranked.chance == pytest.approx(2 / 3)
    assert (score("record", ranked) or [None])[0].value == 0  # type: ignore[union-attr]
    assert (score("record", _ranked([item], [2])) or [None])[0].value == 1  # type: ignore[union-attr]


def test_other_tasks_count_accuracy() -> None:
    assert score("boolq", _ranked([ChoiceItem("1", "en", "", ("no", "yes"), 1)], [1])) is None


def test_the_mean_is_of_scores_where_there_are_such_and_narrower_than_its_tasks() -> None:
    figures = [
        Figure("boolq", "en", "accuracy", 0.6, 0.5, 0.7, 10, 0.5),
        Figure("cb", "en", "accuracy", 0.9, 0.8, 1.0, 10, 0.3),
        Figure("cb", "en", "SuperGLUE's score", 0.8, 0.7, 0.9, 10, 0.3),
        Figure("xnli", "en", "accuracy", 0.1, 0.0, 0.2, 10, 0.3),
    ]
    [found] = superglue_means(figures)
    assert (found.task, found.metric, found.items) == ("superglue", "mean of 2 of 8 tasks", 20)
    assert (found.value, found.chance) == (pytest.approx(0.7), pytest.approx(0.4))
    assert found.high - found.low == pytest.approx(0.2 / 2**0.5)
    assert superglue_means(figures[:1]) == []


def test_gpt_3s_mean_is_that_of_its_own_table() -> None:
    pairs = [(75.6 + 52.0) / 2, (30.5 + 75.4) / 2, (90.2 + 91.1) / 2]  # CB, MultiRC, ReCoRD; few-shot, table 3.8
    tasks = [76.4, 92.0, 69.0, 49.4, 80.1, *pairs]
    theirs = next(paper["value"] for paper in PAPERS if paper["model"] == "GPT-3 175B")
    assert mean([Interval(one / 100, one / 100, one / 100) for one in tasks]).value == pytest.approx(theirs, abs=5e-4)
