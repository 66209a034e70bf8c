"""Worker processes that are killed or crash, and parents that do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs.errors import WorkerDiedError
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import Phase, Task, TaskFolder

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
