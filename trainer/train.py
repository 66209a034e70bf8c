"""Train, in one process or, with torchrun, in many:

torchrun --nproc-per-node 8 -m trainer.train --config configs/training/560m.toml --set batch.micro=8
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from rich.console import Console

from configs.errors import ConfigurationError, OpenRootsError
from pipeline.runtime.lock import build_lock
from trainer.config import TrainingConfig, load_training_config
from trainer.loop import Run, State
from trainer.process import join

STOPPED = 143
"""Exit status of a run that was told to stop, as of a program that SIGTERM ended."""


def train(config: TrainingConfig, console: Console | None = None) -> State:
    """Train on the processes of this job: those that torchrun started, or this one. Raises OpenRootsError.

    Devices are CUDA's with NCCL where there are any, else the CPU with gloo.
    """
    device = _device()
    started = not dist.is_initialized()
    if started:
        join(device)
    try:
        # Two runs in one folder would remove each other's checkpoints as unfinished ones.
        with build_lock(config.checkpoints.folder, "run") if dist.get_rank() == 0 else nullcontext():
            return Run(config, device, console or Console(stderr=True, highlight=False, soft_wrap=True)).train()
    finally:
        if started:
            dist.destroy_process_group()


def status_of(config: TrainingConfig, state: State) -> int:
    """Exit status: 0 of a finished run; one that was told to stop isn't, and what comes after it must not begin."""
    return 0 if state.samples * config.sequence_length >= config.schedule.tokens else STOPPED


def parse_changes(changes: Sequence[str]) -> dict[str, Any]:
    """Settings of the form KEY=VALUE as a dictionary; values are TOML, or plain words. Raises ConfigurationError."""
    found = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key:
            raise ConfigurationError(f"`{change}` is not of the form KEY=VALUE, such as batch.size=8")
        try:
            found[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = value
    return found


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def configure(
    name: str,
    changes: Sequence[str],
    packed: str | None,
    output: str | None,
    profile: str | None,
    start: str | None = None,
) -> TrainingConfig:
    """The settings of a run as the command lines give them. Raises ConfigurationError."""
    options = {"data.packed": packed, "checkpoints.folder": output, "logging.profile": profile, "start": start}
    given = {key: value for key, value in options.items() if value is not None}
    return load_training_config(name, {**parse_changes(changes), **given})


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry for torchrun, with the options of `openroots train`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="trainer.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="tiny", help="a name in configs/training, or a .toml file (tiny)")
    parser.add_argument("--packed", help="output of `openroots pack`, instead of data.packed")
    start_help = "a model's folder or a checkpoint to initialise a new run's weights from; under torchrun: --set start="
    parser.add_argument("--start", help=start_help)
    parser.add_argument("--output", help="folder of the run, instead of checkpoints.folder")
    parser.add_argument("--profile", metavar="STEPS", help="write a trace of these steps, such as 10-12")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    given = parser.parse_args(arguments)
    try:
        config = configure(given.config, given.set, given.packed, given.output, given.profile, given.start)
        return status_of(config, train(config))
    except OpenRootsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
