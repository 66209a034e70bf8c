"""What a person sees of a build while it runs: a bar a phase on a terminal, plain lines elsewhere.

The amounts come from the records that finished tasks leave, so that they are true on every runner that writes to a
file system this machine can list.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from configs.errors import OpenRootsError
from configs.shown import shown_list
from pipeline.runtime import storage
from pipeline.runtime.phases import Record, Watch
from pipeline.runtime.terminal import standard_error

POLL_SECONDS = 1.0
LINE_SECONDS = 15.0
STORE_SECONDS = 10.0
"""How often a store is asked what is done; each time costs a request, and one a finished task."""
UNITS = {
    "deduplicate-lines": "line",
    "count-words": "distinct word",
    "add-words": "distinct word",
    "weigh-words": "distinct word",
}
"""What a phase's files hold, by its name, where that is not documents."""


class ProgressWatch(Watch):
    """Shows documents, bytes, MB/s, time left and drops of each phase."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or standard_error()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._said = time.monotonic()
        self._input = 0

    def fetched(self, package: str, done: int, total: int) -> None:
        """Say every now and then how far fetching is."""
        now = time.monotonic()
        if done == total or now - self._said >= (POLL_SECONDS if self.console.is_terminal else LINE_SECONDS):
            self._said = now
            self.console.print(f"fetch        {done}/{total} packages · {package}")

    def fetching(self, packages: Sequence[str], done: int, total: int) -> None:
        """Say what is waited for."""
        self.console.print(f"fetch        {done}/{total} packages · waiting for {shown_list(packages)}", markup=False)

    def begin(self, phase: str, sizes: Mapping[str, int], done: set[str], records: str) -> None:
        """Start to follow a phase."""
        self._stop.clear()
        self._input = sum(sizes.values())
        state = _State(phase, sizes, done, records)
        self._thread = threading.Thread(target=self._follow, args=(state,), daemon=True)
        self._thread.start()

    def unchanged(self, output: str) -> None:
        """Say that there is nothing to do."""
        self.console.print(f"finished before; recipe, inputs and files are unchanged in {output}", markup=False)

    def damaged(self, phase: str, paths: Sequence[str]) -> None:
        """Say which files are made again."""
        self.console.print(f"{phase:<12} · damaged since it was written, made again: {shown_list(paths)}")

    def foreign(self, place: str, paths: Sequence[str]) -> None:
        """Say which files are none of ours."""
        self.console.print(f"not of this build, left alone: in {place} {shown_list(paths)}")

    def end(self, phase: str, records: Sequence[Record], seconds: float) -> None:
        """Say in one line what the phase did."""
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None
        files = [file for record in records for file in record.files if not file.extra.get("aside")]
        documents = sum(file.documents for file in files)
        size = max(self._input, sum(file.bytes for file in files))  # archives that are read grow
        parts = [f"{phase:<12}", f"{_plural(len(records), 'task')}"]
        if documents:
            parts.append(_plural(documents, _unit(phase)))
        if size:
            parts.append(f"{size / 1e6:,.1f} MB")
        parts.append(f"{seconds:.1f} s")
        if size and seconds > 0.5:
            parts.append(f"{size / 1e6 / seconds:.1f} MB/s")
        drops = _drops(records)
        if drops:
            shown = ", ".join(f"{reason} {count:,}" for reason, count in sorted(drops.items(), key=lambda d: -d[1])[:5])
            parts.append(f"dropped {sum(drops.values()):,} ({shown})")
        self.console.print(" · ".join(parts))

    def _follow(self, state: "_State") -> None:
        if self.console.is_terminal:
            columns = (
                TextColumn("{task.description:<12}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[text]}", markup=False),
            )
            with Progress(*columns, console=self.console, transient=True) as progress:
                bar = progress.add_task(state.phase, total=1.0, text="")
                self._poll(state, progress, bar)
        else:
            self._poll(state, None, None)

    def _poll(self, state: "_State", progress: Progress | None, bar: TaskID | None) -> None:
        said = looked = time.monotonic()
        pause = 0.0 if state.is_local else STORE_SECONDS
        while not self._stop.wait(POLL_SECONDS):
            if time.monotonic() - looked >= pause:
                state.refresh()
                looked = time.monotonic()
            if progress is not None and bar is not None:
                progress.update(bar, completed=state.fraction, text=state.text)
            elif time.monotonic() - said >= LINE_SECONDS:
                said = time.monotonic()
                self.console.print(f"{state.phase:<12} {state.fraction:4.0%} · {state.text}")


class _State:
    """How far a phase is."""

    def __init__(self, phase: str, sizes: Mapping[str, int], done: set[str], records: str) -> None:
        self.phase, self._sizes, self._records = phase, sizes, records
        self._before, self._done = set(done), set(done)
        self.is_local = storage.is_local(records)
        self._documents = self._bytes = 0
        self._started = time.monotonic()

    def refresh(self) -> None:
        """Look for records of tasks that have finished since."""
        try:
            names = {name.removesuffix(".json") for name in storage.list_files(self._records)}
        except (OSError, OpenRootsError):
            return
        for name in sorted((set(self._sizes) & names) - self._done):
            try:
                files = storage.read_json(storage.join(self._records, f"{name}.json"))["files"]
            except (OSError, ValueError, KeyError, OpenRootsError):
                continue
            self._documents += sum(file["documents"] for file in files)
            self._bytes += sum(file["bytes"] for file in files)
            self._done.add(name)

    def _size(self, names: set[str]) -> int:
        return sum(max(self._sizes[name], 1) for name in names if name in self._sizes)

    @property
    def fraction(self) -> float:
        """Share of the phase's input that is done, 0…1."""
        return self._size(self._done) / max(self._size(set(self._sizes)), 1)

    @property
    def text(self) -> str:
        """Documents, bytes, rate, time left; the rate is of this run, not of what an earlier one had done."""
        seconds = time.monotonic() - self._started
        new = self._size(self._done - self._before)
        parts = [f"{len(self._done)}/{len(self._sizes)} tasks"]
        if self._bytes:
            rate = f"{self._bytes / 1e6:,.0f} MB, {self._bytes / 1e6 / seconds:.1f} MB/s"
            parts.append(f"{_plural(self._documents, _unit(self.phase))}, {rate}")
        if new:
            left = (self._size(set(self._sizes)) - self._size(self._done)) * seconds / new
            parts.append(f"about {duration(left)} left")
        return " · ".join(parts)


def _drops(records: Sequence[Record]) -> dict[str, int]:
    """Documents dropped by reason, where the tasks of a phase count them: [[stage, reason, documents, bytes], …]."""
    drops: dict[str, int] = {}
    for record in records:
        entries: list[list[Any]] = record.data.get("dropped", [])
        for _, reason, documents, _ in entries:
            drops[reason] = drops.get(reason, 0) + documents
    return drops


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _unit(phase: str) -> str:
    return UNITS.get(phase, "document")


def duration(seconds: float) -> str:
    """Such as `40 s`, `12 min`, `2.5 h`."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
