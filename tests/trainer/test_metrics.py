"""Logs: what cannot be written ends no run and is not lost."""

import io
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.trainer.test_train import SETTINGS
from trainer.config import TrainingConfig
from trainer.metrics import Clock, Metrics
from trainer.process import Reading

CONFIG = TrainingConfig.model_validate({**SETTINGS, "logging": {"tensorboard": True}})


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    before, sys.dont_write_bytecode = (resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode), True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[0][1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        sys.dont_write_bytecode = before[1]


def test_rows_wait_until_there_is_room(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    metrics = Metrics(tmp_path, 0, CONFIG, console)
    with files_up_to(2000):
        for step in range(1, 101):
            metrics.write({"step": step, "loss": 1.0 / step})
    metrics.write_fault({"step": 100, "fault": "x"})
    metrics.write({"step": 101, "loss": 0.0})
    metrics.close()
    said = console.file.getvalue()
    assert said.count("log.jsonl cannot be written") == said.count("tensorboard cannot be written") == 1
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 102))
    assert json.loads((tmp_path / "faults.jsonl").read_text())["fault"] == "x"


def test_tensorboard_shows_each_step_once_after_a_resume_and_a_roll_back(tmp_path: Path) -> None:
    console = Console(file=io.StringIO())
    first = Metrics(tmp_path, 0, CONFIG, console)
    for step in (1, 2, 3):
        first.write({"step": step, "loss": 3.0, "held_out": {"sw": 2.0}})
    first.close()
    second = Metrics(tmp_path, 2, CONFIG, console)
    for step in (3, 4):
        second.write({"step": step, "loss": 1.0})
    second.roll_back(3)
    second.write({"step": 4, "loss": 0.5})
    second.close()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4
    shown = EventAccumulator(str(tmp_path / "tensorboard"))
    shown.Reload()
    assert [(e.step, e.value) for e in shown.Scalars("loss")] == [(1, 3.0), (2, 3.0), (3, 1.0), (4, 0.5)]
    assert [e.step for e in shown.Scalars("held_out/sw")] == [1, 2]


def reading() -> Reading:
    """The figures of a step that was made just now."""
    return Reading(torch.zeros(2))


def test_speed_leaves_out_what_was_no_step() -> None:
    clock = Clock()
    clock.tell(0, 1000, reading())
    with clock.paused():
        time.sleep(0.5)
    speed, left = clock.tell(100, 1000, reading())
    assert speed > 100 / 0.45  # as if the pause had not been; a busy machine only makes the rest longer
    assert left > 900 / 100 * 0.45


def test_speed_is_of_the_time_in_which_steps_were_made_not_looked_at() -> None:
    """Before a checkpoint is saved, the host looks at two steps at once."""
    clock, made = Clock(), [reading()]
    for _ in range(2):
        time.sleep(0.2)
        made.append(reading())
    speeds = [clock.tell(100 * number, 1000, figures)[0] for number, figures in enumerate(made)]
    assert speeds[0] == 0
    assert all(10 < speed <= 100 / 0.2 for speed in speeds[1:])


def test_a_run_that_was_rolled_back_tells_no_negative_speed() -> None:
    clock = Clock()
    told = [clock.tell(tokens, 1000, reading()) for tokens in (100, 200, 50, 100)]
    assert [speed > 0 for speed, _ in told] == [False, True, False, True]
    assert all(left >= 0 for _, left in told)


def test_no_time_is_left_when_the_last_batch_passes_the_budget() -> None:
    clock = Clock()
    clock.tell(0, 100, reading())
    assert clock.tell(50, 100, reading())[1] > 0
    assert clock.tell(102, 100, reading())[1] == 0
