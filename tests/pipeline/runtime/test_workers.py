"""Worker processes that are killed or crash, and parents that do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.errors import InputError, WorkerDiedError
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import Phase, Task, TaskFolder
from pipeline.runtime.workers import idle_workers, keep_workers, packed

TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


def die_once(task: Task, folder: TaskFolder) -> None:
    """Task 1 kills its worker, the first time, as the system does when memory runs out."""
    mark = Path(task.payload) / "died"
    if task.name == "task-1" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with folder.binary("", documents=1) as stream:
        stream.write(task.name.encode())


def crash_always(task: Task, folder: TaskFolder) -> None:
    """A library that reads through a null pointer."""
    os.kill(os.getpid(), signal.SIGSEGV)


def tasks(folder: Path, count: int = 4) -> list[Task]:
    return [Task(f"task-{number}", ("input",), str(folder), 1) for number in range(count)]


def test_the_work_of_a_killed_worker_is_done_again(tmp_path: Path) -> None:
    engine = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log"))
    records = Phase("phase", {}, die_once).run(engine, str(tmp_path / "work"), tasks(tmp_path))
    assert [record.task for record in records] == [f"task-{number}" for number in range(4)]
    assert not packed  # what the attempts shared is let go


@pytest.mark.slow
def test_a_worker_that_always_crashes_ends_the_phase_with_what_to_do(tmp_path: Path) -> None:
    engine = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log"))
    with pytest.raises(WorkerDiedError, match=r"crashed with SIGSEGV.*fewer --workers"):
        Phase("phase", {}, crash_always).run(engine, str(tmp_path / "work"), tasks(tmp_path))


SLEEPER = """
import os, sys, time
from pathlib import Path
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import Phase, Task

def sleep(task, folder):
    (Path(task.payload) / f"{os.getpid()}.pid").touch()
    time.sleep(300)

if __name__ == "__main__":
    engine = Engine(options=("--direct_num_workers=2", "--direct_running_mode=multi_processing"))
    tasks = [Task(f"task-{n}", (), sys.argv[1], 1) for n in range(2)]
    Phase("sleep", {}, sleep).run(engine, sys.argv[1] + "/work", tasks)
"""


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    deadline = time.monotonic() + 60
    while len(workers := [int(path.stem) for path in tmp_path.glob("*.pid")]) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workers) == 2 and parent.pid not in workers
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while any(is_alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(is_alive(worker) for worker in workers)


def write_name(folder: TaskFolder) -> None:
    """Say who did it."""
    with folder.binary("", documents=1) as stream:
        stream.write(str(os.getpid()).encode())


def name_process(task: Task, folder: TaskFolder) -> None:
    """Say who did it, once two workers are there, and slowly enough that both come to it."""
    seen, deadline = Path(task.payload) / "seen", time.monotonic() + 20
    seen.mkdir(exist_ok=True)
    (seen / str(os.getpid())).touch()
    while sum(is_alive(int(path.name)) for path in seen.iterdir()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    write_name(folder)


def processes(phase: Phase, work: Path) -> set[int]:
    return {int(path.read_text()) for path in Path(phase.files(str(work))).iterdir()}


@pytest.fixture(scope="module")
def kept() -> Iterator[set[int]]:
    """A block in which workers are kept; collects the numbers of all, which must be gone after it."""
    found: set[int] = set()
    with keep_workers():
        yield found
    assert idle_workers() == 0 and not any(map(is_alive, found))


def test_the_workers_of_one_phase_serve_the_next(tmp_path: Path, kept: set[int]) -> None:
    engine, found = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log")), []
    for name in ("one", "two"):
        phase = Phase(name, {}, name_process)
        phase.run(engine, str(tmp_path), tasks(tmp_path))
        found.append(processes(phase, tmp_path))
    kept |= found[0]
    assert len(found[0]) == 2 and found[0] == found[1]
    assert idle_workers() == 2


def test_a_worker_that_was_killed_while_idle_is_replaced(tmp_path: Path, kept: set[int]) -> None:
    engine, phase = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log")), Phase("one", {}, name_process)
    phase.run(engine, str(tmp_path), tasks(tmp_path))
    killed = min(processes(phase, tmp_path))
    os.kill(killed, signal.SIGKILL)
    again = Phase("two", {}, name_process)
    again.run(engine, str(tmp_path), tasks(tmp_path))
    found = processes(again, tmp_path)
    kept |= found
    assert killed not in found and idle_workers() == 2


def wait_by_size(task: Task, folder: TaskFolder) -> None:
    """Work as long as the task is large, and say who did it."""
    time.sleep(task.size / 10)
    time.sleep(0.3)
    write_name(folder)


def test_a_worker_that_is_free_takes_the_next_task(tmp_path: Path, kept: set[int]) -> None:
    """One task of 4 s and seven of 0.3 s: dealt out in turn, four and four, the long one's worker would get more."""
    engine, phase = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log")), Phase("sizes", {}, wait_by_size)
    uneven = [Task(f"task-{number}", ("input",), str(tmp_path), 40 if number == 3 else 0) for number in range(8)]
    phase.run(engine, str(tmp_path), uneven)
    place = Path(phase.files(str(tmp_path)))
    long = (place / "task-3").read_text()
    assert sum(path.read_text() == long for path in place.iterdir()) <= 2


def fail_or_sleep(task: Task, folder: TaskFolder) -> None:
    """Task 0 fails once task 1, which takes for ever, has begun."""
    mark = Path(task.payload) / "begun"
    if task.name == "task-1":
        mark.touch()
        time.sleep(600)
    while not mark.exists():
        time.sleep(0.05)
    raise InputError("text.jsonl", "is damaged", "Fetch it again")


def test_a_failure_ends_the_phase_and_a_worker_that_goes_on_is_killed(tmp_path: Path, kept: set[int]) -> None:
    engine = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log"))
    started = time.monotonic()
    with pytest.raises(InputError, match="is damaged"):
        Phase("phase", {}, fail_or_sleep).run(engine, str(tmp_path), tasks(tmp_path, 2))
    assert idle_workers() <= 1
    assert time.monotonic() - started < 300
