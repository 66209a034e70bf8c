"""Choices of answers: items from files, the likeliest answer, chance."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import ConfigurationError, InputError
from configs.load import validate
from trainer.evaluation import ChoiceItem, ChoiceTask, Scorer, rank, read_choices
from trainer.evaluation.choices import find_tasks, known_tasks

SHAPES = {
    "boolq": ({"passage": "P.", "question": "is it so", "label": 1}, 1, "yes"),
    "cb": ({"premise": "A.", "hypothesis": "B", "label": "neutral"}, 2, "Neither"),
    "copa": ({"premise": "It fell", "question": "cause", "choice1": "x", "choice2": "y", "label": 0}, 0, "x"),
    "rte": ({"premise": "A.", "hypothesis": "B", "label": 1}, 1, "False"),
    "xnli": ({"premise": "A", "hypothesis": "B", "label": 2, "language": "sw"}, 2, "A, right? No, B"),
    "belebele": (
        {"flores_passage": "P", "question": "Q", "mc_answer1": "a", "mc_answer2": "b", "mc_answer3": "c",
         "mc_answer4": "d", "correct_answer_num": "4", "dialect": "swh_Latn"}, 3, "D",
    ),
    "global_mmlu": (
        {"question": "Q", "option_a": "a", "option_b": "b", "option_c": "c", "option_d": "d", "answer": "B"}, 1, "B"
    ),
    "hellaswag": ({"ctx": "A man", "endings": ["a", "b", "c", "d"], "label": "2"}, 2, "c"),
    "multiple_choice": ({"question": "Q", "choices": ["ndiyo", "hapana"], "answer": "hapana"}, 1, "hapana"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_record_of_each_shape_is_an_item(tmp_path: Path, name: str) -> None:
    record, answer, text = SHAPES[name]
    (tmp_path / f"{name}.sw.jsonl").write_text(json.dumps(record))
    task, files = find_tasks(str(tmp_path), [name])[name]
    (item,) = read_choices(files, name, task)
    assert (item.answer, item.choices[item.answer]) == (answer, text)
    assert item.language in ("sw", "swh_Latn")


def test_a_suite_is_its_tasks_that_have_files(tmp_path: Path) -> None:
    for name in ("boolq", "cb"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(SHAPES[name][0]))
    assert sorted(find_tasks(str(tmp_path), ["superglue"])) == ["boolq", "cb"]


def test_columns_can_be_declared(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps({"swali": "Nini?", "a": "hii", "b": "ile", "jibu": 2}))
    (tmp_path / "tasks.toml").write_text(
        '[task.mine]\nprompt = "{swali}"\nchoices = ["{a}", "{b}"]\nanswer = "jibu"\nanswer_base = 1\n'
    )
    task, files = find_tasks(str(tmp_path), ["mine"])["mine"]
    (item,) = read_choices(files, "mine", task)
    assert (item.context, item.choices, item.answer) == ("Nini?", ("hii", "ile"), 1)


def test_a_missing_column_is_named_with_file_and_item(tmp_path: Path) -> None:
    path = tmp_path / "boolq.jsonl"
    path.write_text(json.dumps(SHAPES["boolq"][0]) + "\n" + json.dumps({"question": "q", "label": 1}))
    with pytest.raises(InputError, match=r"boolq\.jsonl, item 2: no column `passage`"):
        read_choices([path], "boolq", known_tasks()["boolq"])


def test_a_task_without_two_answers_is_refused() -> None:
    for choices in ([], ["{a}"]):
        with pytest.raises(ConfigurationError, match="here: needs `choices`, two or more, or `choices_column`"):
            validate(ChoiceTask, {"prompt": "{q}", "answer": "key", "choices": choices}, "here")


def test_items_longer_than_what_the_model_sees_are_counted(model: str) -> None:
    scorer = replace(Scorer.load(model), length=64)
    items = [ChoiceItem(f"{size}", "en", "x" * size, ("a", "b"), 0) for size in (10, 61, 62, 500)]
    assert rank(scorer, items).cut == 2  # a token a byte: the beginning of a document, the text, a space, the answer


def test_an_answer_out_of_bounds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "boolq.jsonl"
    path.write_text(json.dumps({**SHAPES["boolq"][0], "label": -1}))
    with pytest.raises(InputError, match="names none of 2 answers"):
        read_choices([path], "boolq", known_tasks()["boolq"])


def test_a_task_without_files_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"give --data FOLDER with xnli\.jsonl"):
        find_tasks(str(tmp_path), ["xnli"])


def test_an_unknown_key_of_a_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tasks.toml").write_text('[task.mine]\nprompt = "a"\nanswr = "b"\n')
    with pytest.raises(ConfigurationError, match="did you mean `answer`"):
        find_tasks(str(tmp_path), ["mine"])


def test_the_likeliest_answer_counts_and_shots_are_solved_items_of_the_language(model: str) -> None:
    scorer = Scorer.load(model)
    items = [ChoiceItem(f"{n}", "en", f"item {n} is", (f"{n}", "something else altogether"), 0) for n in range(6)]
    ranked = rank(scorer, items)
    likely = [scorer.likelihoods([(item.context, f" {choice}") for choice in item.choices]) for item in items]
    assert ranked.correct == tuple(int(a.nats > b.nats) for a, b in likely)
    assert ranked.normalised == tuple(int(a.nats / a.bytes > b.nats / b.bytes) for a, b in likely)
    assert ranked.chance == 0.5
    assert rank(scorer, items, shots=2).items == ranked.items


def test_a_tie_is_no_answer(model: str) -> None:
    item = ChoiceItem("1", "en", "same", ("yes", "yes"), 1)
    assert rank(Scorer.load(model), [item]).correct == (0,)


def test_shape_of_a_task_declared_in_python() -> None:
    task = ChoiceTask(prompt="{input}", choices_column="options", answer="target")
    assert task.choices == ()
