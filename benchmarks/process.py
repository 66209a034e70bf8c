"""Runs a command and watches the memory of it and all its descendants."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT

RESIDENT_SECONDS, PROPORTIONAL_SECONDS = 0.05, 0.5
"""How often memory is read; proportional sizes cost the kernel a walk over the pages, hence seldom."""


@dataclass(frozen=True)
class Run:
    """A finished command.

    processor     seconds of processor time of it and all that it waited for, by which a busy machine counts less
    resident      highest sum of resident sizes of its processes, bytes; pages that they share count once for each
    proportional  highest sum of proportional set sizes, bytes; shared pages are split among their users
    """

    seconds: float
    resident: int
    proportional: int
    output: str
    processor: float = 0.0


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float = 3600,
    folder: Path = ROOT,
) -> Run:
    """Run a command, in the repository's root if not in another, and wait for it.

    Raises RuntimeError with its output if it fails.
    """
    peak = _Peak()
    started, before = time.perf_counter(), _processor()
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        watcher = threading.Thread(target=peak.watch, args=(process.pid,), daemon=True)
        watcher.start()
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            peak.stop.set()
        seconds = time.perf_counter() - started
    watcher.join()
    if process.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(
            f"`{words}` failed with exit status {process.returncode}; the end of its output:\n{output[-3000:]}"
        )
    return Run(seconds, peak.resident, peak.proportional, output, _processor() - before)


def _processor() -> float:
    """Seconds of processor time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Peak:
    """Highest memory of a process tree seen so far."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.resident = self.proportional = 0

    def watch(self, root: int) -> None:
        next_walk = 0.0
        while not self.stop.wait(RESIDENT_SECONDS):
            tree = descendants(root)
            self.resident = max(self.resident, sum(map(_resident, tree)))
            now = time.monotonic()
            if now >= next_walk:
                self.proportional = max(self.proportional, sum(map(_proportional, tree)))
                next_walk = now + PROPORTIONAL_SECONDS


def descendants(root: int) -> list[int]:
    """A process and all processes under it, as they are now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(stat[stat.rindex(")") + 2 :].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        process = queue.pop()
        found.append(process)
        queue += children.get(process, [])
    return found


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _proportional(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
