"""Tasks of `openroots evaluate` in the middle of a training, on the model as it lies over the ranks; nothing is copied.

Every rank plans the same tasks and asks for the same likelihoods in the same order; a data rank computes its share.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from configs.errors import ConfigurationError
from pipeline.runtime import storage
from tokenizer.load import Tokenizer
from trainer.config import TrainingConfig
from trainer.data import Batch
from trainer.evaluation.run import Figure, Options, Report, plan_tasks, superglue_means
from trainer.evaluation.scorer import TextScorer
from trainer.parallel.model import ParallelModel

FOLDER = "evaluations"
"""In the run's folder: `step-00000100.json`, what `openroots evaluate --json` writes."""
_MEASURES = ("accuracy", "bits per byte", "bits over English")
"""That go to the log; the file has all."""
_ROWS = 1024
"""Sequences that are laid out together."""
_WIDTH = 64
"""Widths are multiples of it: few shapes, little padding."""


class LayoutScorer(TextScorer):
    """Likelihoods by a model that lies over ranks; all of them call it alike."""

    def __init__(self, model: ParallelModel, tokenizer: Tokenizer, length: int) -> None:
        self.model, self.tokenizer, self.length = model, tokenizer, length
        parallel = model.config.parallel
        # A pipeline's messages and what is compiled have one shape, and norms share a sequence out to tensor ranks.
        self._is_fixed = parallel.pipeline > 1 or parallel.compile or parallel.sequence_parallel

    def nats(self, sequences: Sequence[tuple[list[int], int]]) -> list[float]:
        """Of each sequence of ids, log p of its last tokens, as many as asked for; the same on all ranks."""
        order = sorted(range(len(sequences)), key=lambda row: (-len(sequences[row][0]), row))
        found = [0.0] * len(sequences)
        for begin in range(0, len(order), _ROWS):
            rows = order[begin : begin + _ROWS]
            for row, value in zip(rows, self._nats([sequences[row] for row in rows]), strict=True):
                found[row] = value
        return found

    def _nats(self, sequences: Sequence[tuple[list[int], int]]) -> list[float]:
        layout = self.model.layout
        share = -(-len(sequences) // layout.data)
        mine = range(layout.data_rank * share, min((layout.data_rank + 1) * share, len(sequences)))
        longest = max(2, *(len(ids) for ids, _ in sequences)) - 1
        width = self.length if self._is_fixed else min(self.length, -(-longest // _WIDTH) * _WIDTH)
        inputs = torch.zeros(share, width, dtype=torch.int64)
        labels = torch.full((share, width), -100, dtype=torch.int64)
        groups = torch.zeros(share, dtype=torch.int64)
        for row, number in enumerate(mine):
            ids, count = sequences[number]
            groups[row] = number
            inputs[row, : len(ids) - 1] = torch.tensor(ids[:-1])
            if count:
                labels[row, len(ids) - 1 - count : len(ids) - 1] = torch.tensor(ids[-count:])
        batch = Batch(inputs, labels, torch.zeros(share, width, dtype=torch.int32), (labels != -100).float())
        losses, _ = self.model.evaluate(batch.to(layout.device), groups, len(sequences))
        return [-value for value in losses.double().cpu().tolist()]


class TrainingTasks:
    """The tasks that a run's settings name, planned once. Raises ConfigurationError, InputError."""

    def __init__(self, config: TrainingConfig, model: ParallelModel) -> None:
        logging = config.logging
        self._options = Options(
            logging.tasks, logging.task_languages, logging.task_data, seed=config.seed, limit=logging.task_items
        )
        self._plan = plan_tasks(self._options, in_training=True)
        tokenizer = Tokenizer.load(str(Path(config.data.packed) / "tokenizer"), "tokenizers")
        if tokenizer.vocabulary_size > config.model.vocabulary_size:
            raise ConfigurationError(f"{config.data.packed}: its tokenizer has more entries than the model")
        self._scorer = LayoutScorer(model, tokenizer, config.sequence_length)
        self._name, self._folder = config.name, Path(config.checkpoints.folder)

    def run(self, step: int) -> Report:
        """Run them; every rank gets the same figures."""
        report = Report(f"{self._name}, step {step:,}", self._options)
        for _, run in self._plan:
            report.figures += run(self._scorer, lambda done, total: None, report.notes)
        report.figures += superglue_means(report.figures)
        return report

    def write(self, report: Report, step: int) -> dict[str, Any]:
        """Keep a report beside the run; returns what the log says of it, by task/language/measure and task/measure."""
        storage.write_json(str(self._folder / FOLDER / f"step-{step:08}.json"), report.to_json())
        return numbers_of(report.figures)


def numbers_of(figures: Sequence[Figure]) -> dict[str, float]:
    """Figures by `task/language/measure`, and their means over languages by `task/measure`."""
    found: dict[str, float] = {}
    means: dict[str, list[float]] = {}
    for figure in figures:
        if figure.metric in _MEASURES and figure.value == figure.value:
            found[f"{figure.task}/{figure.language}/{figure.metric}"] = round(figure.value, 6)
            means.setdefault(f"{figure.task}/{figure.metric}", []).append(figure.value)
    return {**{name: round(sum(values) / len(values), 6) for name, values in means.items()}, **found}
