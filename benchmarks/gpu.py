"""What one GPU does, for a GPU that is at hand for ten minutes: ceilings, correctness, attention, steps, a whole run.

    python benchmarks/gpu.py --output FOLDER

From a plain checkout, with PyTorch, Triton, transformers, NumPy, Numba, PyArrow and TensorBoard; `--wheels FOLDER`
names wheels of what is missing there (pydantic, pydantic-core, annotated-types, typing-inspection, xxhash; for rows
`model` those that `benchmarks/gpu_model.py` names, too). The rows that are worth most come first. Each model has a
process of its own and each row a time limit; what fails is recorded with its cause, and the other rows are made.
`FOLDER/results.json` is rewritten after each row, `FOLDER/log.txt` holds the processes' messages.

    python benchmarks/gpu.py --output FOLDER --rehearse          the same code on the CPU, tiny, in under a minute
    python -m benchmarks.gpu --record FOLDER/results.json        put the rows into benchmarks/RESULTS.md
"""

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STARTING = 60.0
"""Seconds that a process may take to import PyTorch and reach the card, beside the limit of its first row."""
WORTHWHILE = 4.0
"""Seconds: with less left no row is begun."""
SIZES = {"560m": 64, "1b1": 96, "1b7": 128}
"""Head size of the models measured."""


@dataclass(frozen=True)
class Row:
    """A measurement: the first word of its name says which function makes it, the others are that one's arguments."""

    name: str
    process: str
    limit: float
    """Seconds."""


def plan() -> list[Row]:
    """All rows, those worth most first."""
    kernels = [("ceiling copy", 15), ("ceiling square", 15), ("ceiling 1b1", 20)]
    kernels += [(f"correct {size} {way}", 40) for size in SIZES.values() for way in ("sdpa", "flex")]
    kernels += [("correct loss", 20), ("correct transformers", 30)]
    ways = ("cudnn", "flash", "efficient", "flex", "varlen")
    kernels += [(f"attention {size} {way}", 30) for size in SIZES.values() for way in ways]
    rows = [Row(name, "kernels", limit) for name, limit in kernels]
    for model, given, limit in (
        ("1b1", "eager", 30),
        ("1b1", "compiled", 75),
        ("1b1", "compiled selective micro=16", 60),
        ("1b1", "compiled accumulate=4", 45),
        ("1b1", "compiled chunk=1024", 40),
        ("1b1", "compiled chunk=16384", 40),
        ("1b1", "compiled flex", 60),
        ("1b1", "compiled documents sdpa", 60),
        ("1b1", "compiled documents flex", 60),
        ("1b7", "compiled", 75),
        ("560m", "eager", 30),
        ("560m", "eager selective", 30),
        ("560m", "eager full", 30),
        ("560m", "compiled", 60),
        ("560m", "compiled flex", 60),
    ):
        rows.append(Row(f"step {model} {given}", model, limit))
    rows += [Row(f"transformers 1b1 {way}", "transformers", limit) for way, limit in (("eager", 40), ("compiled", 75))]
    rows += [Row(f"generate 560m {whose}", "generate", 40) for whose in ("ours", "transformers")]
    stages = (("trained", 90), ("exported", 60), ("tuned", 90), ("generates", 40), ("evaluated", 60))
    rows += [Row(f"model 560m {what}", "model", limit) for what, limit in stages]
    return [*rows, Row("profile 1b1", "profile", 60), Row("train 560m", "train", 150)]


class Results:
    """`results.json` of a folder, whole at every moment."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._path, self.rows = folder / "results.json", list[dict[str, Any]]()
        self._about, self._started = dict(about), time.monotonic()
        self._write()

    def add(self, row: Row, found: Mapping[str, Any]) -> None:
        """Append a row; without an `error` it is as it should be."""
        at = round(time.monotonic() - self._started, 1)
        self.rows.append({"row": row.name, "at": at, **found})
        self._write()
        print(f"{at:6.1f} s  {row.name:<40} {shown(self.rows[-1])}", flush=True)

    def tell(self, about: Mapping[str, Any]) -> None:
        """Note what a process found out about the card."""
        self._about |= about

    def _write(self) -> None:
        whole = json.dumps({**self._about, "rows": self.rows}, indent=1, ensure_ascii=False)
        beside = self._path.with_suffix(".part")
        beside.write_text(whole + "\n")
        beside.replace(self._path)


def shown(row: Mapping[str, Any]) -> str:
    """A row in a line: its figures, without lists and tables."""
    if "error" in row:
        return f"FAILED: {row['error']}"
    plain = {
        key: value for key, value in row.items() if not isinstance(value, dict | list) and key not in ("row", "at")
    }
    return " · ".join(
        f"{key} {value:,.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in plain.items()
    )


class Group:
    """A process that makes rows one after another, and answers each with a line of JSON on a pipe of its own."""

    def __init__(
        self, rows: Sequence[Row], folder: Path, work: Path, environment: Mapping[str, str], *, rehearse: bool
    ) -> None:
        reader, writer = os.pipe()
        command = [sys.executable, "-m", "benchmarks.gpu_rows", "--answers", str(writer), "--folder", str(work)]
        command += ["--rehearse"] * rehearse + [row.name for row in rows]
        self._log = folder / "log.txt"
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writer],
                start_new_session=True,
            )
        os.close(writer)
        self._reader, self._held = reader, b""

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """The next answer; None where the process ended instead. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._held:
            ready, _, _ = select.select([self._reader], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            more = os.read(self._reader, 1 << 16)
            if not more:
                return None
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def cause(self) -> str:
        """Why the process ended: its status and the last line it said."""
        status = self._process.wait()
        said = self._log.read_text(errors="replace").strip().splitlines()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"its process ended with {how}; last words: {said[-1][:200] if said else 'none'}"

    def end(self) -> None:
        """End the process and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._reader)


def make(
    rows: Sequence[Row], results: Results, folder: Path, deadline: float, *, rehearse: bool, work: Path, site: str = ""
) -> None:
    """Make the rows until the deadline (by `time.monotonic`). `work` is for scratch, `folder` for what is kept."""
    path = os.pathsep.join(part for part in (site, str(ROOT)) if part)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}
    if rehearse:
        environment |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    left = list(rows)
    while left:
        if deadline - time.monotonic() < WORTHWHILE:
            for row in left:
                results.add(row, {"error": "not begun: the time was spent"})
            return
        together = [row for row in left if row.process == left[0].process]
        group = Group(together, folder, work, environment, rehearse=rehearse)
        try:
            made = _take(group, together, results, deadline)
        finally:
            group.end()
        left = left[made:]


def _take(group: Group, rows: Sequence[Row], results: Results, deadline: float) -> int:
    """Take a process's answers; returns how many rows are settled, of which the last may have failed."""
    for number, row in enumerate(rows):
        remaining = deadline - time.monotonic()
        if remaining < WORTHWHILE:
            return number
        limit = min(row.limit + STARTING * (number == 0), remaining)
        try:
            found = group.answer(limit)
        except TimeoutError:
            results.add(row, {"error": f"took more than {limit:.0f} s"})
            return number + 1
        if found is None:
            results.add(row, {"error": group.cause()})
            return number + 1
        if "fatal" in found:
            raise SystemExit(f"error: {found['fatal']}")
        results.tell(found.pop("about", {}))
        is_last = found.pop("is_last", False)
        results.add(row, found)
        if is_last:  # after an error of CUDA nothing more can be had from that process
            return number + 1
    return len(rows)


def unpack(wheels: Path | None, folder: Path) -> str:
    """Unpack wheels into a folder; returns the one to import them from."""
    if wheels is None:
        return ""
    found = sorted(wheels.glob("*.whl"))
    if not found:
        raise SystemExit(f"{wheels} holds no wheels (*.whl)")
    site = folder / "site"
    for wheel in found:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    return str(site)


def main(given: Sequence[str] | None = None) -> int:
    """Make the rows, or record those made elsewhere; returns 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="folder for results.json and log.txt")
    parser.add_argument("--minutes", type=float, default=8.5, help="in all (8.5)")
    parser.add_argument("--wheels", type=Path, help="folder of wheels that this Python lacks")
    parser.add_argument("--only", action="append", help="rows whose names begin with this; may be repeated")
    parser.add_argument("--rehearse", action="store_true", help="tiny shapes on the CPU")
    parser.add_argument("--record", type=Path, metavar="RESULTS", help="put a results.json into RESULTS.md")
    arguments = parser.parse_args(given)
    if arguments.record:
        from benchmarks.gpu_tables import record_rows

        record_rows(json.loads(arguments.record.read_text()))
        return 0
    if arguments.output is None:
        parser.error("--output FOLDER is missing")
    deadline = time.monotonic() + 60 * arguments.minutes
    folder = arguments.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").unlink(missing_ok=True)
    rows = [row for row in plan() if not arguments.only or row.name.startswith(tuple(arguments.only))]
    results = Results(folder, {"date": time.strftime("%Y-%m-%d"), "rehearsal": arguments.rehearse})
    # Not in the output folder: a checkpoint of 560m is 7 GB, and what is left of it after a kill is of no use.
    with tempfile.TemporaryDirectory(prefix="openroots-gpu-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        site = unpack(arguments.wheels, work)
        make(rows, results, folder, deadline, rehearse=arguments.rehearse, work=work, site=site)
    failed = [row["row"] for row in results.rows if "error" in row]
    print(f"{len(results.rows) - len(failed)} of {len(rows)} rows made: {folder / 'results.json'}")
    return int(bool(failed))


if __name__ == "__main__":
    # Started as a script, the first folder of the path is this one, whose `trainer.py` would hide the package.
    sys.path[0] = str(ROOT)
    sys.exit(main())
