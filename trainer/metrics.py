"""What a run tells: rows of JSON, TensorBoard's events, lines on the terminal. Only the main rank has one."""

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from configs.errors import ConfigurationError, OutputError


class Metrics:
    """Writes `log.jsonl` and, if wanted, `tensorboard/` in the run's folder; prints to a console."""

    def __init__(self, folder: Path, step: int, *, tensorboard: bool, console: Console) -> None:
        """`step` is where the run goes on: rows of later steps, of a run that was killed, are dropped."""
        self.console, self._path = console, folder / "log.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            drop_rows_after(self._path, step)
            self._events = _events(folder / "tensorboard", step) if tensorboard else None
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be written: {error.strerror}; free some room, or choose another folder for the run"
            ) from error

    def write(self, row: dict[str, Any]) -> None:
        """Append a row; its numbers go to TensorBoard under their names."""
        try:
            with self._path.open("a") as stream:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}; free some room, resume") from error
        if self._events is not None:
            tables = {name: values for name, values in row.items() if isinstance(values, dict)}
            inner = {f"{name}/{key}": value for name, values in tables.items() for key, value in values.items()}
            for name, value in {**row, **inner}.items():
                if isinstance(value, int | float) and name != "step":
                    self._events.add_scalar(name, value, row["step"])

    def close(self) -> None:
        """Flush the events."""
        if self._events is not None:
            self._events.close()


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


def _events(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        remedy = "pip install tensorboard, or set logging.tensorboard = false"
        raise ConfigurationError(f"TensorBoard is not installed: {remedy}") from None
    return SummaryWriter(str(folder), purge_step=step)  # type: ignore[no-untyped-call]


class Clock:
    """Speed and time left, over the steps of this process."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._tokens_at_start: int | None = None
        self._last_tokens = 0

    def tell(self, tokens: int, budget: int) -> tuple[float, float]:
        """(tokens a second since the last call, seconds left at the mean speed so far)."""
        now = time.perf_counter()
        if self._tokens_at_start is None:
            self._tokens_at_start = self._last_tokens = tokens
            self._started = self._last = now
            return 0.0, 0.0
        speed = (tokens - self._last_tokens) / max(1e-9, now - self._last)
        mean = (tokens - self._tokens_at_start) / max(1e-9, now - self._started)
        self._last, self._last_tokens = now, tokens
        return speed, (budget - tokens) / mean if mean else 0.0


def duration(seconds: float) -> str:
    """Such as `3 d 4 h`, `2 h 10 min`, `12 min`, `40 s`."""
    minutes, days = int(seconds // 60), int(seconds // 86400)
    if days:
        return f"{days} d {int(seconds % 86400 // 3600)} h"
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
