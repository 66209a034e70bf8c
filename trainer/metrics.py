"""What a run tells: rows of JSON, TensorBoard's events, lines on the terminal. Only the main rank has one."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console

from configs.errors import ConfigurationError, OutputError
from trainer.config import TrainingConfig
from trainer.process import Reading


class Metrics:
    """Writes `log.jsonl`, `faults.jsonl` and, if wanted, `tensorboard/` in the run's folder; prints to a console.

    A log that cannot be written ends no run: it is said once, rows wait in memory until there is room, and whether the
    run can continue is for its checkpoints to say.
    """

    def __init__(self, folder: Path, step: int, config: TrainingConfig, console: Console) -> None:
        """`step` is where the run resumes: rows of later steps, of a run that was killed, are dropped."""
        self.console, self._folder = console, folder
        self._waiting: dict[str, list[str]] = {"log.jsonl": [], "faults.jsonl": []}
        self._failed: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in self._waiting:
                drop_rows_after(folder / name, step)
            self._events = Events(folder / "tensorboard", step) if config.logging.tensorboard else None
            self._wandb = _wandb(folder, config) if config.logging.wandb else None
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be written: {error.strerror}; free some room, or choose another folder for the run"
            ) from error

    def write(self, row: dict[str, Any]) -> None:
        """Append a row; its numbers go to TensorBoard under their names."""
        self._append("log.jsonl", row)
        if self._events is not None:
            try:
                self._events.add(row["step"], _numbers(row))
            except OSError as error:
                self._say_once("tensorboard", error, "no more events are written")
                self._events = None
        if self._wandb is not None:
            self._wandb.log(_numbers(row), step=row["step"])

    def write_fault(self, row: dict[str, Any]) -> None:
        """Append a row to `faults.jsonl`."""
        self._append("faults.jsonl", row)

    def roll_back(self, step: int) -> None:
        """Drop the rows of later steps, which will come again; faults stay. Raises OutputError."""
        self._waiting["log.jsonl"].clear()
        try:
            drop_rows_after(self._folder / "log.jsonl", step)
            if self._events is not None:
                self._events.restart(step)
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be written: {error.strerror}; free some room, resume") from error

    def _append(self, name: str, row: dict[str, Any]) -> None:
        waiting = self._waiting[name]
        waiting.append(json.dumps(row, ensure_ascii=False) + "\n")
        try:
            _append(self._folder / name, "".join(waiting))
            waiting.clear()
            self._failed.discard(name)
        except OSError as error:
            self._say_once(name, error, "its rows are written as soon as there is room")

    def close(self) -> None:
        """Close the files."""
        if self._events is not None:
            self._events.close()
        if self._wandb is not None:
            self._wandb.finish()

    def _say_once(self, name: str, error: OSError, outcome: str) -> None:
        if name not in self._failed:
            self._failed.add(name)
            self.console.print(f"[yellow]{name} cannot be written[/] ({error.strerror}); {outcome}")


def _append(path: Path, text: str) -> None:
    """Append to a file all of a text, or nothing. Raises OSError."""
    data = text.encode()
    with open(path, "ab", buffering=0) as stream:  # what a buffer holds would be written again as it is closed
        size = stream.tell()
        try:
            while data:
                data = data[stream.write(data) :]
        except OSError:
            os.truncate(path, size)
            raise


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row by name, those of its tables by `table/name`."""
    tables = {name: values for name, values in row.items() if isinstance(values, dict)}
    inner = {f"{name}/{key}": value for name, values in tables.items() for key, value in values.items()}
    found = {**row, **inner}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and name != "step"}


class Events:
    """TensorBoard's events, written at once: its own writer has a thread, whose errors come as stack traces."""

    def __init__(self, folder: Path, step: int) -> None:
        """Events from `step` on, of a run that was killed, are hidden. Raises ConfigurationError, OSError."""
        try:
            from tensorboard.compat.proto.event_pb2 import Event, SessionLog
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError:
            remedy = "pip install tensorboard, or set logging.tensorboard = false"
            raise ConfigurationError(f"TensorBoard is not installed: {remedy}") from None
        self._event, self._summary = Event, Summary
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 10**9}.{socket.gethostname()}.{os.getpid()}"
        self._stream = open(folder / name, "ab", buffering=0)  # noqa: SIM115 - closed by `close`
        self._writer = RecordWriter(self._stream)
        self._writer.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        self._start = SessionLog(status=SessionLog.START)
        self.restart(step)

    def restart(self, step: int) -> None:
        """Hide what was written of later steps. Raises OSError."""
        event = self._event(wall_time=time.time(), step=step + 1, session_log=self._start)
        self._writer.write(event.SerializeToString())

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Write scalars. Raises OSError."""
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        event = self._event(wall_time=time.time(), step=step, summary=self._summary(value=values))
        self._writer.write(event.SerializeToString())

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _wandb(folder: Path, config: TrainingConfig) -> Any:
    """A run at Weights & Biases; one that is resumed here is resumed there. Raises ConfigurationError."""
    try:
        import wandb
    except ImportError:
        remedy = "pip install wandb, or leave logging.wandb out"
        raise ConfigurationError(f"Weights & Biases is not installed: {remedy}") from None
    known = folder / "wandb-id"
    if not known.exists():
        known.write_text(uuid4().hex[:8])
    settings = config.model_dump(mode="json")
    project = config.logging.wandb
    return wandb.init(
        project=project, name=config.name, id=known.read_text(), resume="allow", dir=str(folder), config=settings
    )


def drop_rows_after(path: Path, step: int) -> None:
    """Keep the rows of a JSON lines file up to a step; a line cut short by a kill goes too."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue
    temporary = path.with_suffix(".jsonl.tmp")
    temporary.write_text("".join(kept))
    temporary.replace(path)


class Clock:
    """Speed and time left, over the steps of this process: speed is of steps alone, time left of all there is."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._first: int | None = None
        self._last: tuple[int, Reading] | None = None
        self._paused = 0.0

    def tell(self, tokens: int, budget: int, figures: Reading) -> tuple[float, float]:
        """(tokens a second since the last call, seconds left at the mean speed so far); 0 where there is none yet.

        `figures` are of the step that came to so many tokens: it is when the device had made it that counts, since the
        host may look at one step when the next one is done, and then at both at once.
        """
        now = time.perf_counter()
        last, self._last = self._last, (tokens, figures)
        paused, self._paused = self._paused, 0.0
        if self._first is None or tokens < self._first:
            self._first, self._started = tokens, now
        speed = 0.0
        if last is not None and tokens > last[0]:
            speed = (tokens - last[0]) / max(1e-9, figures.seconds_since(last[1]) - paused)
        mean = (tokens - self._first) / max(1e-9, now - self._started)
        return speed, max(0, budget - tokens) / mean if mean else 0.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within it, such as while a checkpoint is saved, no step is taken."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._paused += time.perf_counter() - began


def duration(seconds: float) -> str:
    """Such as `3 d 4 h`, `2 h 10 min`, `12 min`, `40 s`."""
    minutes, days = int(seconds // 60), int(seconds // 86400)
    if days:
        return f"{days} d {int(seconds % 86400 // 3600)} h"
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
