"""The tables of settings in `docs/training.md`, made anew by `python -m trainer.reference docs/training.md`."""

import sys
from pathlib import Path

from pydantic import BaseModel

from configs.reference import with_tables
from trainer.config import (
    Batch,
    Checkpoints,
    Data,
    Faults,
    Logging,
    ModelConfig,
    Optimizer,
    Parallel,
    Precision,
    Schedule,
    TrainingConfig,
)

TABLES: dict[str, type[BaseModel]] = {
    "training": TrainingConfig,
    "model": ModelConfig,
    "data": Data,
    "batch": Batch,
    "schedule": Schedule,
    "optimizer": Optimizer,
    "precision": Precision,
    "parallel": Parallel,
    "checkpoints": Checkpoints,
    "logging": Logging,
    "faults": Faults,
}
"""Marker in the page → model whose keys stand there."""

if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_tables(Path(name).read_text(), TABLES))
