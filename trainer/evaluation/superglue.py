"""SuperGLUE's own scores, and the mean that papers give (Wang et al. 2019, section 3; GPT-3's table 3.8).

CB counts the mean of accuracy and macro F1; MultiRC the mean of F1 over answers and of the share of questions whose
answers are all told right from wrong; ReCoRD the mean of exact match and of words in common. The others count accuracy.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from trainer.evaluation.choices import ChoiceItem, Ranked
from trainer.evaluation.statistics import Interval, statistic

NAME = "superglue"
TASKS = ("boolq", "cb", "copa", "multirc", "record", "rte", "wic", "wsc")
SCORE = "SuperGLUE's score"
PAPERS = ({"model": "BLOOM-176B", "value": 0.654}, {"model": "GPT-3 175B", "value": 0.718})
_YES = 1

Rows = tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]
"""What `statistic` takes: an array (units, k), and the score of sums over units."""


def score(task: str, ranked: Ranked) -> tuple[Interval, float] | None:
    """SuperGLUE's score of a task and what guessing gets; None where it is the accuracy."""
    make = {"cb": _accuracy_and_macro_f1, "multirc": _f1_and_whole_questions, "record": _match_and_words}.get(task)
    if make is None or not ranked.items:
        return None
    items = ranked.items
    found = [np.eye(len(item.choices))[place] if place >= 0 else np.zeros(len(item.choices))
             for item, place in zip(items, ranked.chosen, strict=True)]  # fmt: skip
    guessed = [np.full(len(item.choices), 1 / len(item.choices)) for item in items]
    chance, of_sums = make(items, guessed)
    return statistic(*make(items, found)), float(of_sums(chance.sum(axis=0)[None])[0])


def mean(scores: Sequence[Interval]) -> Interval:
    """The mean of tasks, which are of different items: their deviations add as squares."""
    value = float(np.mean([one.value for one in scores]))
    below, above = (
        float(np.sqrt(sum((one.value - edge) ** 2 for one, edge in edges))) / len(scores)
        for edges in ([(one, one.low) for one in scores], [(one, one.high) for one in scores])
    )
    return Interval(value, value - below, value + above)


def _accuracy_and_macro_f1(items: Sequence[ChoiceItem], told: Sequence[np.ndarray]) -> Rows:
    kinds = max(len(item.choices) for item in items)
    rows = np.zeros((len(items), 2 + 3 * kinds))
    for row, item, shares in zip(rows, items, told, strict=True):
        row[0], row[1] = shares[item.answer], 1
        row[2 + item.answer] = shares[item.answer]
        row[2 + kinds : 2 + kinds + len(shares)] = shares
        row[2 + 2 * kinds + item.answer] = 1

    def of_sums(sums: np.ndarray) -> np.ndarray:
        right, given, there = (sums[:, 2 + part * kinds : 2 + (part + 1) * kinds] for part in range(3))
        return (sums[:, 0] / sums[:, 1] + _f1(right, given, there).mean(axis=1)) / 2

    return rows, of_sums


def _f1_and_whole_questions(items: Sequence[ChoiceItem], told: Sequence[np.ndarray]) -> Rows:
    """The unit is the question: its answers are not independent."""
    questions: dict[str, int] = {}
    for number, item in enumerate(items):
        questions.setdefault(item.group or f"\0{number}", len(questions))
    rows = np.zeros((len(questions), 5))
    rows[:, 0] = rows[:, 1] = 1
    for number, (item, shares) in enumerate(zip(items, told, strict=True)):
        row = rows[questions[item.group or f"\0{number}"]]
        row[0] *= shares[item.answer]
        row[2] += shares[_YES] * (item.answer == _YES)
        row[3] += shares[_YES]
        row[4] += item.answer == _YES

    def of_sums(sums: np.ndarray) -> np.ndarray:
        return (sums[:, 0] / sums[:, 1] + _f1(sums[:, 2], sums[:, 3], sums[:, 4])) / 2

    return rows, of_sums


def _match_and_words(items: Sequence[ChoiceItem], told: Sequence[np.ndarray]) -> Rows:
    rows = np.ones((len(items), 2))
    for row, item, shares in zip(rows, items, told, strict=True):
        right = {item.answer, *item.also}
        values = [
            ((place in right) + max(_common(name, item.names[other]) for other in right)) / 2
            for place, name in enumerate(item.names)
        ]
        row[0] = float(np.dot(shares, values))
    return rows, lambda sums: sums[:, 0] / sums[:, 1]


def _f1(right: np.ndarray, given: np.ndarray, there: np.ndarray) -> np.ndarray:
    both = given + there
    return np.where(both > 0, 2 * right / np.where(both > 0, both, 1), 0.0)


def _common(one: str, other: str) -> float:
    """F1 of the words of two names."""
    a, b = Counter(one.lower().split()), Counter(other.lower().split())
    shared = (a & b).total()
    return 2 * shared / (a.total() + b.total()) if shared else 0.0
