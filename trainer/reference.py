"""The tables of settings in `docs/training.md`, made anew by `python -m trainer.reference docs/training.md`."""

import re
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
from trainer.devices import DEVICES

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

_DEVICES = re.compile(r"(<!-- devices -->\n(?:.*\n){2})(?:\|.*\n)*(<!-- end devices -->)")


def with_devices(page: str) -> str:
    """The page with its table of devices made anew."""
    rows = [
        f"| {one.name} | {one.peak_tflops:,.0f} | {one.memory // 10**9} GB | {one.fast / 1e9:.0f} among "
        f"{one.together} · {one.network / 1e9:g} | {one.watts:.0f} | {one.efficiency:.0%} | {one.source} |\n"
        for one in DEVICES.values()
    ]
    return _DEVICES.sub(lambda match: match[1] + "".join(rows) + match[2], page)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_devices(with_tables(Path(name).read_text(), TABLES)))
