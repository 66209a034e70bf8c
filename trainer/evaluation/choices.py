"""Tasks with a choice of answers: items from local files, and which answer a model finds likeliest."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from pydantic import Field, model_validator

from configs import CONFIGS
from configs.errors import ConfigurationError, InputError
from configs.load import read_toml, validate
from configs.models import Model
from pipeline.decontamination.items import format_of, records, stem_of
from trainer.evaluation.scorer import TextScorer
from trainer.evaluation.statistics import Interval, share

UNKNOWN = "und"
_LETTERS = "ABCDEFGHIJ"
_FIELD = re.compile(r"\{(\w+)\}")
_SHOTS_GAP = "\n\n"
_PLACEHOLDER = "@placeholder"
CHUNK = 256
"""Items that are scored between two signs of progress."""


class NoFilesError(ConfigurationError):
    """A task has no files in the data folder."""


class PaperFigure(Model):
    """A figure that somebody else published."""

    model: str
    value: float
    language: str | None = None


class ChoiceTask(Model):
    """How the items of a task are asked, and which columns of a file hold what; an entry of `tasks.toml`."""

    title: str = Field(default="", description="what people call it")
    suite: str | None = Field(default=None, description="name by which several tasks are asked together")
    files: tuple[str, ...] = Field(default=(), description="patterns in the data folder; default: by the task's name")
    prompt: str = Field(description="text before the answer; `{name}` is the column of that name")
    choices: tuple[str, ...] = Field(default=(), description="the answers, with columns as in the prompt")
    choices_column: str | None = Field(default=None, description="column that holds a list of answers")
    answer: str = Field(description="column: place of the right answer, a letter, a label, or its text")
    answer_base: int = Field(default=0, description="place of the first answer where they are counted")
    labels: tuple[str, ...] = Field(default=(), description="names of the answers in the answer's column")
    words: dict[str, dict[str, str]] = Field(default={}, description="column → value → what the prompt has for it")
    inside: str | None = Field(default=None, description="column whose text has the answer in place of `@placeholder`")
    group: tuple[str, ...] = Field(default=(), description="columns that name the question that an item is a part of")
    language: str | None = Field(default=None, description="column of the language; default: from the file's name")
    paper: tuple[PaperFigure, ...] = Field(default=(), description="figures of papers, shown as theirs")

    @model_validator(mode="after")
    def _has_answers(self) -> "ChoiceTask":
        if self.choices_column is None and len(self.choices) < 2:
            raise ValueError("needs `choices`, two or more, or `choices_column`, the column that holds a list of them")
        return self


@dataclass(frozen=True)
class ChoiceItem:
    """An item: what stands before, the answers, and which is right (its place).

    also   places of other right answers
    group  names the question that it is a part of
    names  the answers as the file has them, where `choices` have them within a text
    """

    id: str
    language: str
    context: str
    choices: tuple[str, ...]
    answer: int
    also: tuple[int, ...] = ()
    group: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ranked:
    """How a model did: per item 1 where the likeliest answer is right, else 0.

    chosen      place of the likeliest answer; -1: several are
    normalised  as `correct`, where likelihoods are divided by the bytes of the answers
    cut         items longer than what the model sees, of which it saw the end alone
    """

    items: tuple[ChoiceItem, ...] = field(repr=False)
    chosen: tuple[int, ...] = field(repr=False)
    correct: tuple[int, ...] = field(repr=False)
    normalised: tuple[int, ...] = field(repr=False)
    cut: int = 0

    @property
    def accuracy(self) -> Interval:
        """Share of items whose right answer is the likeliest."""
        return share(self.correct)

    @property
    def accuracy_normalised(self) -> Interval:
        """Share of items whose right answer is the likeliest for its length."""
        return share(self.normalised)

    @property
    def chance(self) -> float:
        """What guessing would get."""
        shares = [(1 + len(item.also)) / len(item.choices) for item in self.items]
        return float(np.mean(shares)) if shares else float("nan")


@cache
def known_tasks(path: str = str(CONFIGS / "evaluation" / "tasks.toml")) -> dict[str, ChoiceTask]:
    """Tasks of a TOML file by name. Raises ConfigurationError that names the wrong key."""
    tables = read_toml(path).get("task", {})
    return {name: validate(ChoiceTask, entry, f"{path}: task.{name}") for name, entry in tables.items()}


def rank(
    scorer: TextScorer,
    items: Sequence[ChoiceItem],
    *,
    shots: int = 0,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Ranked:
    """Ask a model all items: the answer whose text is likeliest after the context counts as its answer.

    shots  solved items of the same language before each, drawn by hash of `seed` and the items' ids: the same for
           every model
    """
    chosen: list[int] = []
    correct: list[int] = []
    normalised: list[int] = []
    cut = 0
    by_language: dict[str, list[ChoiceItem]] = {}
    for item in items:
        by_language.setdefault(item.language, []).append(item)
    for begin in range(0, len(items), CHUNK):
        part = items[begin : begin + CHUNK]
        pairs = []
        for item in part:
            before = "".join(_solved(other) + _SHOTS_GAP for other in _drawn(item, by_language, shots, seed))
            pairs += [(before + item.context, _joined(item.context, choice)) for choice in item.choices]
        found = iter(scorer.likelihoods(pairs))
        for item in part:
            likelihoods, right = [next(found) for _ in item.choices], {item.answer, *item.also}
            cut += any(one.is_cut for one in likelihoods)
            chosen.append(_best([one.nats for one in likelihoods]))
            correct.append(int(chosen[-1] in right))
            normalised.append(int(_best([one.nats / max(one.bytes, 1) for one in likelihoods]) in right))
        on_progress(len(correct), len(items))
    return Ranked(tuple(items), tuple(chosen), tuple(correct), tuple(normalised), cut)


def _best(values: Sequence[float]) -> int:
    """Place of the largest; -1 where there are several: a tie is no answer."""
    most = max(values)
    return values.index(most) if list(values).count(most) == 1 else -1


def _joined(context: str, choice: str) -> str:
    return choice if not context or context[-1].isspace() or choice[:1].isspace() else f" {choice}"


def _solved(item: ChoiceItem) -> str:
    return item.context + _joined(item.context, item.choices[item.answer])


def _drawn(item: ChoiceItem, by_language: Mapping[str, list[ChoiceItem]], shots: int, seed: int) -> list[ChoiceItem]:
    if not shots:
        return []
    others = by_language[item.language]
    start = xxhash.xxh3_64_intdigest(f"{seed} {item.id}".encode()) % max(len(others), 1)
    ring = [others[(start + step) % len(others)] for step in range(len(others))]
    return [other for other in ring if other is not item][:shots]


def task_files(folder: str, name: str, task: ChoiceTask) -> list[Path]:
    """Files of a task in a data folder: of its patterns; else NAME.jsonl, NAME.LANGUAGE.parquet, NAME/*.csv, …."""
    place = Path(folder)
    if task.files:
        return sorted({path for pattern in task.files for path in place.glob(pattern) if path.is_file()})
    found = [path for path in place.glob(f"{name}.*") if path.is_file() and format_of(path.name)]
    inside = place / name
    if inside.is_dir():
        found += [path for path in inside.rglob("*") if path.is_file() and format_of(path.name)]
    return sorted(found)


def read_choices(paths: Iterable[Path], name: str, task: ChoiceTask) -> list[ChoiceItem]:
    """Items of files. Raises InputError that names file, item and column where one doesn't fit the task."""
    items = []
    for path in paths:
        for place, record in records(str(path)):
            items.append(_item(record, f"{path}, item {place}", name, task, _language_of(path, name)))
    return items


def _item(record: Mapping[str, Any], where: str, name: str, task: ChoiceTask, language: str) -> ChoiceItem:
    values = {**record}
    for column, words in task.words.items():
        values[column] = words.get(str(record.get(column)), record.get(column))
    context = _filled(task.prompt, values, where)
    if task.choices_column:
        listed = _column(record, task.choices_column, where)
        if isinstance(listed, Mapping):  # as ARC has them: {"text": [...], "label": [...]}
            listed = listed.get("text")
        if not isinstance(listed, list | tuple) or len(listed) < 2:
            raise InputError(where, f"column `{task.choices_column}` holds no list of answers", "Declare the columns")
        choices = tuple(str(choice) for choice in listed)
    else:
        choices = tuple(_filled(choice, values, where) for choice in task.choices)
    right = _right(_column(record, task.answer, where), choices, task)
    if not right:
        shown = str(record[task.answer])[:60]
        raise InputError(where, f"column `{task.answer}` names none of {len(choices)} answers: {shown}",
                         "Declare `labels` or `answer_base`")  # fmt: skip
    said = record.get(task.language) if task.language else None
    group = "\0".join(f"{record.get(column)}" for column in task.group)
    names: tuple[str, ...] = ()
    texts = choices
    if task.inside is not None:
        around = str(_column(values, task.inside, where))
        names, texts = choices, tuple(around.replace(_PLACEHOLDER, choice) for choice in choices)
    return ChoiceItem(f"{name} {where}", str(said) if said else language, context, texts, right[0], right[1:], group,
                      names)  # fmt: skip


def _right(value: Any, choices: Sequence[str], task: ChoiceTask) -> tuple[int, ...]:
    """Places of the right answers; of a list of answers, of all that are among the choices."""
    listed = value if isinstance(value, list | tuple) else [value]
    found = (_answer(one, choices, task) for one in listed)
    return tuple(dict.fromkeys(place for place in found if place is not None))


def _answer(value: Any, choices: Sequence[str], task: ChoiceTask) -> int | None:
    text = str(value).strip()
    if isinstance(value, bool):
        place = int(value)
    elif text in task.labels:
        place = task.labels.index(text)
    elif re.fullmatch(r"-?\d{1,3}", text) and text not in choices:
        place = int(text) - task.answer_base
    elif isinstance(value, int | float):
        place = int(value) - task.answer_base
    elif text in choices:
        place = list(choices).index(text)
    elif len(text) == 1 and text.upper() in _LETTERS:
        place = _LETTERS.index(text.upper())
    else:
        return None
    return place if 0 <= place < len(choices) else None


def _filled(template: str, values: Mapping[str, Any], where: str) -> str:
    return _FIELD.sub(lambda match: str(_column(values, match[1], where)), template)


def _column(values: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in values or values[name] is None:
        there = ", ".join(list(values)[:10])
        raise InputError(where, f"no column `{name}`; there are: {there}", "Declare the columns in tasks.toml")
    return values[name]


def _language_of(path: Path, name: str) -> str:
    """NAME.sw.jsonl and NAME/sw.jsonl are Swahili."""
    stem = stem_of(path.name)
    if path.parent.name == name and stem not in ("test", "validation", "train", "dev"):
        return stem.removeprefix(f"{name}.")
    return stem[len(name) + 1 :] if stem.startswith(f"{name}.") else UNKNOWN


def find_tasks(folder: str | None, asked: Sequence[str]) -> dict[str, tuple[ChoiceTask, list[Path]]]:
    """Tasks that were asked for and have files in the data folder; a suite's are its tasks.

    `tasks.toml` in the folder declares more, or changes ours. Raises ConfigurationError for a task without files.
    """
    tasks = dict(known_tasks())
    if folder and (Path(folder) / "tasks.toml").exists():
        tasks |= known_tasks(str(Path(folder) / "tasks.toml"))
    found: dict[str, tuple[ChoiceTask, list[Path]]] = {}
    for name in asked:
        members = [name] if name in tasks else [one for one, task in tasks.items() if task.suite == name]
        if not members:
            continue
        there = {one: (tasks[one], task_files(folder, one, tasks[one]) if folder else []) for one in members}
        if not any(files for _, files in there.values()):
            wanted = f"{name}.jsonl, {name}.LANGUAGE.parquet or a folder {name}"
            raise NoFilesError(
                f"task `{name}`: no files; give --data FOLDER with {wanted}"
                + (f" (it has none in {folder})" if folder else "")
            )
        found |= {one: entry for one, entry in there.items() if entry[1]}
    return found


def languages_of(items: Iterable[ChoiceItem]) -> Iterator[tuple[str, list[ChoiceItem]]]:
    """Items by language, sorted."""
    groups: dict[str, list[ChoiceItem]] = {}
    for item in items:
        groups.setdefault(item.language, []).append(item)
    yield from sorted(groups.items())
