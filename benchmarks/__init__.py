"""Every speed claim, measured side by side with the peer it beats: `python -m benchmarks` writes RESULTS.md.

Each part is a module with a function `measure(settings) -> list[Table]`. Peers live in an environment of their own
(build/bench-venv, made from `requirements.txt` the first time), since their requirements clash with ours. Figures are
medians of at least three runs with the lowest and the highest, unless a note says otherwise.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every start would compile our modules, as no user's does


@dataclass(frozen=True)
class Settings:
    """Where the benchmarks work, and how long they may take.

    work       folder for text, builds and the environment of the peers
    cache      fetched packages of the recipe `sample`
    repeats    runs a figure
    megabytes  text for the chain
    peer_seconds  time given to a slow peer
    """

    work: Path = ROOT / "build" / "bench"
    cache: Path = ROOT / "build" / "downloads"
    venv: Path = ROOT / "build" / "bench-venv"
    repeats: int = 3
    megabytes: int = 128
    peer_seconds: float = 60.0


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of several runs."""

    median: float
    low: float
    high: float
    runs: int

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        text = f"{self.median:,.{digits}f}"
        return text if self.runs == 1 else f"{text} ({self.low:,.{digits}f}–{self.high:,.{digits}f})"


@dataclass
class Table:
    """One table of the results: cells as they are shown, and the figures behind them in `data`."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The table as JSON-able data."""
        return asdict(self)


def spread(values: Sequence[float]) -> Spread:
    """Median and extremes of the values."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def rates(megabytes: float, seconds: Sequence[float]) -> Spread:
    """MB/s of runs that each handled so many megabytes (10⁶ bytes) in so many seconds."""
    return spread([megabytes / second for second in seconds])


def timed(function: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each of several calls."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return seconds


def machine(packages: Sequence[str] = ("apache-beam", "numba", "numpy", "pyarrow")) -> dict[str, str]:
    """What a figure needs beside it: processor, cores, memory, system, versions."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{_system()}, Linux {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in packages),
    }


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()
