"""How long the command takes to start, and numba's kernels to compile or load."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ROOT, Settings, Spread, Table, spread
from benchmarks.end_to_end import OPENROOTS
from benchmarks.process import run

COMMANDS: dict[str, tuple[Sequence[str], str]] = {
    "python -c pass": ((sys.executable, "-c", "pass"), ""),
    "openroots --help": ((*OPENROOTS, "--help"), ""),
    "openroots --version": ((*OPENROOTS, "--version"), ""),
    "openroots build-corpus --help": ((*OPENROOTS, "build-corpus", "--help"), ""),
    "openroots identify, one line": ((*OPENROOTS, "identify"), "All human beings are born free and equal.\n"),
    "openroots redact, one line": ((*OPENROOTS, "redact"), "Write to jo@company.org.\n"),
    "python -c 'import openroots'": ((sys.executable, "-c", "import openroots"), ""),
    "python -c 'import pipeline.build'": ((sys.executable, "-c", "import pipeline.build"), ""),
}
"""What is timed, and its standard input."""


def measure(settings: Settings) -> list[Table]:
    """Tables of start-up times and of kernels cold and warm."""
    repeats = max(5, settings.repeats)
    rows = [[f"`{name}`", str(_command(command, text, repeats))] for name, (command, text) in COMMANDS.items()]
    starts = Table(
        "Start-up",
        ["command", "seconds"],
        rows,
        notes=[f"Whole processes, {repeats} runs after one that is not counted."],
    )
    return [starts, _kernels(settings.repeats)]


def _command(command: Sequence[str], text: str, repeats: int) -> Spread:
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, input=text.encode(), stdout=subprocess.DEVNULL, cwd=ROOT, check=True)
        seconds.append(time.perf_counter() - started)
    return spread(seconds[1:])


def _kernels(repeats: int) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        cold = _first_batch(Path(folder))
        warm = [_first_batch(Path(folder)) for _ in range(repeats)]
    return Table(
        "numba kernels of annotate and deduplicate: first batch of a process",
        ["step", "nothing compiled: seconds", "compiled before: seconds"],
        [[step, str(spread([seconds])), str(spread([one[step] for one in warm]))] for step, seconds in cold.items()],
        notes=[
            "Kernels are compiled once a machine and kept beside the code, or in NUMBA_CACHE_DIR if set. Compiling was "
            f"measured once, loading {repeats} times."
        ],
    )


def _first_batch(cache: Path) -> dict[str, float]:
    environment = {"NUMBA_CACHE_DIR": str(cache)}
    return json.loads(
        run([sys.executable, "-m", "benchmarks.startup"], environment=environment).output.splitlines()[-1]
    )


def _main() -> None:
    """Do one batch of two documents in this process and print the seconds of each step."""
    started = time.perf_counter()
    from benchmarks.chain import Chain
    from benchmarks.text import batch_of
    from configs.load import load_recipe

    imported = time.perf_counter()
    chain = Chain(load_recipe("sample"))
    loaded = time.perf_counter()
    chain(batch_of([("en", "All human beings are born free and equal. " * 20), ("zh-Hans", "人人生而自由。" * 80)]))
    done = time.perf_counter()
    seconds = {"import": imported - started, "load models": loaded - imported, **chain.seconds}
    print(json.dumps({**seconds, "all": done - started}))


if __name__ == "__main__":
    _main()
