"""Judging models: likelihoods, choices of answers, intervals. What callers need is named here.

scorer = Scorer.load("hf-model")
items = read_choices([Path("held-out.jsonl")], "mine", ChoiceTask(prompt="{input}", choices_column="options",
                                                                  answer="target"))
before, after = rank(scorer, items), rank(Scorer.load("hf-tuned"), items)
gain = difference(after.correct, before.correct)        # paired, item by item
gain.value, gain.low, gain.high, gain.excludes_zero
"""

from trainer.evaluation.choices import ChoiceItem, ChoiceTask, Ranked, rank, read_choices
from trainer.evaluation.scorer import Likelihood, Scorer
from trainer.evaluation.statistics import Interval, difference, interval, pass_at_k, ratio

__all__ = [
    "ChoiceItem",
    "ChoiceTask",
    "Interval",
    "Likelihood",
    "Ranked",
    "Scorer",
    "difference",
    "interval",
    "pass_at_k",
    "rank",
    "ratio",
    "read_choices",
]
