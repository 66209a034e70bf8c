"""What all parts of `make clusters` share: the builds, processes that are stopped again, and the rows of the table."""

import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

OPENROOTS = (sys.executable, "-m", "openroots.cli")
START_SECONDS = 120.0
BUILD_SECONDS = 900.0
STOP_SECONDS = 20.0
NOT_TRIED = "not tried"


Ended = subprocess.CompletedProcess[str]
Strike = Callable[[subprocess.Popen[bytes]], bool]
"""Does harm to what a build runs on, if its time has come, and says whether it has; it is given the build's process."""


class MissingToolError(Exception):
    """A part of the table cannot be made here; the message says what to install."""


@dataclass(frozen=True)
class Fault:
    """What is done to a build; with `ends` the build may end by it, and the same command must resume it.

    `look` then says what is wrong with how it ended; "" where nothing is.
    """

    name: str
    strike: Strike
    ends: bool = False
    look: Callable[[], str] = str


@dataclass(frozen=True)
class Row:
    """A line of the table: where a recipe was built, what was done to it, and how that ended.

    `requests` are those that a store was asked, where it counts them; `driver_mb` and `worker_mb` the most memory that
    the driver, and any one Python worker, held.
    """

    where: str
    recipe: str
    fault: str
    seconds: float
    verdict: str
    note: str = ""
    requests: int | None = None
    driver_mb: int = 0
    worker_mb: int = 0

    @property
    def is_good(self) -> bool:
        """Whether it is as it should be, or could not be tried."""
        return self.verdict in ("same bytes", "as it should", NOT_TRIED)


@dataclass
class Ground:
    """Where everything lies, and what the laptop's builds gave.

    folder   work place; `folder/NAME` is a build's output
    recipes  names or paths of the recipes to build, smallest first
    """

    folder: Path
    recipes: Sequence[str] = ("tiny",)
    is_short: bool = False
    """Whether a cluster is to build a recipe once only, with all that may happen to it."""
    fetches: bool = True
    """Whether what is missing may be fetched; where not, nothing is done to builds either."""
    knows: bool = False
    """Whether the digests of this machine's own builds are those of an earlier run."""
    digests: dict[str, str] = field(default_factory=dict)
    deadline: float = math.inf
    """When to begin nothing more, and to stop what runs, by `time.monotonic`."""

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self.deadline - time.monotonic())

    def reference(self, recipe: str) -> Row:
        """Build a recipe on this machine's own runner, for the digest that all others must have."""
        row = self.build("this machine", recipe, str(self.fresh(f"laptop-{Path(recipe).stem}")), ["--workers=2"])
        if row.verdict == "OTHER BYTES":
            self.digests[recipe] = digest_in(str(self.folder / f"laptop-{Path(recipe).stem}"))
            return replace(row, verdict="as it should")
        return row

    def recall(self, recipe: str) -> None:
        """Take the digest of a recipe from the reference that an earlier run left. Raises MissingToolError."""
        try:
            self.digests[recipe] = digest_in(str(self.folder / f"laptop-{Path(recipe).stem}"))
        except OSError as error:
            raise MissingToolError(f"no earlier run has built {recipe} on this machine: leave --known out") from error

    def fresh(self, name: str) -> Path:
        """A folder for an output that does not exist yet."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        return path

    def command(self, *arguments: object, environment: dict[str, str] | None = None) -> Ended:
        """Run `openroots`, which must end well."""
        done = self.attempt(*arguments, environment=environment)
        if done.returncode:
            told = " ".join(f"{done.stdout[-1000:]} {done.stderr[-1000:]}".split())
            raise AssertionError(f"openroots {' '.join(map(str, arguments))} ({done.returncode}): {told}")
        return done

    def attempt(self, *arguments: object, environment: dict[str, str] | None = None) -> Ended:
        """Run `openroots`, however it ends."""
        return subprocess.run(
            [*OPENROOTS, *map(str, arguments)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=min(BUILD_SECONDS, self.left),
            env=os.environ | (environment or {}),
        )

    def build(
        self,
        where: str,
        recipe: str,
        output: str,
        options: Sequence[str],
        fault: Fault | None = None,
        environment: dict[str, str] | None = None,
        seen_as: str = "",
        workers: Callable[[], list[int]] | None = None,
    ) -> Row:
        """Build a recipe somewhere and compare its digest with the laptop's.

        `fault.strike` is asked again and again while the build runs, until it says that it has done its worst.
        `seen_as` is where this process finds the output, if not at `output`; `workers` are the process ids of Python
        workers, if they are not the driver's own.
        """
        began, memory = time.monotonic(), Memory(workers)
        arguments = ["build-corpus", "--recipe", recipe, "--output", output, "--offline", "--quiet", *options]
        name, note = fault.name if fault else "none", ""
        status, has_struck = self._watched(arguments, fault, environment, memory)
        if status and has_struck and fault and fault.ends:
            if wrong := fault.look():
                return Row(where, recipe, name, time.monotonic() - began, "ended badly", wrong)
            note = "ended, and resumed"
            status, _ = self._watched(arguments, None, environment, memory)
        seconds = time.monotonic() - began
        if status and not self.left:
            return Row(where, recipe, name, seconds, NOT_TRIED, "no time was left")
        if status:
            return Row(where, recipe, name, seconds, f"failed ({status})", self._last_words())
        if fault and not has_struck:
            return Row(where, recipe, name, seconds, "fault never came")
        same = digest_in(seen_as or output) == self.digests.get(recipe)
        verdict = "same bytes" if same else "OTHER BYTES"
        return Row(where, recipe, name, seconds, verdict, note, None, memory.driver >> 20, memory.worker >> 20)

    def _watched(
        self, arguments: Sequence[str], fault: Fault | None, environment: dict[str, str] | None, memory: "Memory"
    ) -> tuple[int, bool]:
        """Run `openroots` while a fault lies in wait; its exit status, and whether the fault came."""
        began, has_struck, limit = time.monotonic(), False, self.left
        with running([*OPENROOTS, *arguments], self.folder / "build.log", environment) as process:
            while process.poll() is None and time.monotonic() - began < min(BUILD_SECONDS, limit):
                time.sleep(0.1)
                memory.look(process.pid)
                has_struck = has_struck or (fault is not None and fault.strike(process))
            return (1 if process.poll() is None else process.returncode), has_struck

    def _last_words(self) -> str:
        lines = (self.folder / "build.log").read_text(errors="replace").strip().splitlines()
        return (lines or [""])[-1][:300]


QUIET_SECONDS = 5.0


def stopped(number: signal.Signals, has_begun: Callable[[], bool], output: Path) -> Fault:
    """The command is told to stop, by a signal: its job is cancelled first, then the output is let go.

    `output` is where this process finds it: nothing may be written there any more, nor may it be locked.
    """

    def strike(process: subprocess.Popen[bytes]) -> bool:
        if not has_begun():
            return False
        process.send_signal(number)
        return True

    def look() -> str:
        before = _changes(output)
        if (output / "lock.json").exists():
            return "its lock is still there"
        time.sleep(QUIET_SECONDS)
        written = set(_changes(output).items()) - set(before.items())
        return f"written after its end: {min(written)[0]}" if written else ""

    return Fault(f"stopped by {number.name}", strike, ends=True, look=look)


def _changes(folder: Path) -> dict[str, int]:
    """When each file below a folder changed, in nanoseconds."""
    found = {}
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                found[str(path.relative_to(folder))] = path.stat().st_mtime_ns
    return found


class Memory:
    """The most memory, in bytes, that a driver and any one worker have held, as the system remembers it."""

    SECONDS = 1.0

    def __init__(self, workers: Callable[[], list[int]] | None) -> None:
        self._workers, self._next = workers, 0.0
        self.driver = self.worker = 0

    def look(self, driver: int) -> None:
        """Look at the processes, at most once a second."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self.SECONDS
        workers = self._workers() if self._workers else descendants(driver)
        self.driver = max(self.driver, _most_held(driver))
        self.worker = max([self.worker, *map(_most_held, workers)])


def _most_held(pid: int) -> int:
    with suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10
    return 0


def digest_in(output: str) -> str:
    """The digest of a finished build; `output` may be any path that fsspec knows."""
    import fsspec

    with fsspec.open(f"{output.rstrip('/')}/manifest.json", "rb") as stream:
        return str(json.load(stream)["digest"])


@contextmanager
def running(
    command: Sequence[object], log: Path, environment: dict[str, str] | None = None, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, in `folder` if one is given; it is stopped at the end, with all its children."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as stream:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
            env=os.environ | (environment or {}),
        )
    try:
        yield process
    finally:
        below = descendants(process.pid)
        stop(process)
        for pid in below:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group, by force where it does not go."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(OSError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def descendants(pid: int) -> list[int]:
    """All processes below one, from /proc."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def command_line(pid: int) -> str:
    """How a process was called; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(ready: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Wait until something is ready."""
    limit = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > limit:
            raise AssertionError(f"{what} did not come up in {seconds:.0f} s")
        time.sleep(0.2)


def answers(port: int) -> bool:
    """Whether something listens on a port of the loopback interface."""
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def tool(name: str, remedy: str, path: str | None = None) -> str:
    """Path of a program, looked for in PATH, or in the folders of `path`. Raises MissingToolError with the remedy."""
    found = shutil.which(name, path=path)
    if not found:
        raise MissingToolError(f"{name} is missing: {remedy}")
    return found


def has_begun(folder: Path) -> bool:
    """Whether a step has left the first of its files, or records, below a folder of this machine."""
    with suppress(OSError):
        return any(path.is_file() for path in folder.rglob("*"))
    return False
