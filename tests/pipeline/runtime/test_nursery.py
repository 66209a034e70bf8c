"""Workers that are forked from a process which has loaded all they need.

It is forked from a process without threads, as the command is at first and the tests' own is not: each check has one.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from configs.errors import WorkerDiedError
from pipeline.runtime import nursery
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import Phase
from pipeline.runtime.workers import keep_workers
from tests.pipeline.runtime.test_workers import TWO_PROCESSES, crash_always, die_once, is_alive, name_process, tasks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def run_alone(check: Callable[[Path], None], folder: Path) -> None:
    """Run a check of this module in a process of its own, whose failure is the test's."""
    command = f"import sys, pathlib; from {__name__} import {check.__name__} as f; f(pathlib.Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", command, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def source() -> Iterator[int]:
    """The number of the process that workers are forked from; it must be gone after the block."""
    with keep_workers():
        nursery.prepare([])
        assert nursery._current
        process = nursery._current.process
        yield process
    assert nursery._current is None and not is_alive(process)


def test_workers_are_forked_and_replaced(tmp_path: Path) -> None:
    run_alone(check_replacement, tmp_path)


def check_replacement(folder: Path) -> None:
    with source() as nurse:
        engine = Engine(options=TWO_PROCESSES, log=str(folder / "log"))
        phase = Phase("one", {}, name_process)
        phase.run(engine, str(folder), tasks(folder))
        found = {int(path.read_text()) for path in Path(phase.files(str(folder))).iterdir()}
        assert {parent_of(worker) for worker in found} == {nurse}
        os.kill(min(found), signal.SIGKILL)
        again = Phase("two", {}, die_once)
        records = again.run(engine, str(folder / "work"), tasks(folder))
        assert len(records) == 4


def test_the_end_of_a_forked_worker_is_told_with_its_cause(tmp_path: Path) -> None:
    run_alone(check_cause, tmp_path)


def check_cause(folder: Path) -> None:
    with source():
        worker = nursery.fork(str(folder / "log"))
        assert worker is not None and worker.poll() is None
        os.kill(worker.pid, signal.SIGSEGV)
        assert worker.wait() == -signal.SIGSEGV == worker.poll()


def test_what_workers_need_is_loaded_beforehand_and_nothing_of_the_command_is_held(tmp_path: Path) -> None:
    run_alone(check_loading, tmp_path)


def check_loading(folder: Path) -> None:
    read, write = os.pipe()
    with keep_workers():
        nursery.prepare(["pipeline.warm"])
        os.close(write)
        assert os.read(read, 1) == b""  # at once: only this process had the other end
        worker = nursery.fork(str(folder / "log"))  # none, had it failed
        assert worker is not None and worker.poll() is None


def test_no_process_with_threads_is_forked() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        nursery.prepare([])
        assert not nursery.is_prepared()
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_a_forked_worker_that_always_crashes_ends_the_phase(tmp_path: Path) -> None:
    run_alone(check_crashes, tmp_path)


def check_crashes(folder: Path) -> None:
    with source():
        engine = Engine(options=TWO_PROCESSES, log=str(folder / "log"))
        with pytest.raises(WorkerDiedError, match=r"crashed with SIGSEGV.*fewer --workers"):
            Phase("phase", {}, crash_always).run(engine, str(folder / "work"), tasks(folder))


def test_workers_start_by_themselves_where_what_they_are_forked_from_was_killed(tmp_path: Path) -> None:
    run_alone(check_killed, tmp_path)


def check_killed(folder: Path) -> None:
    with source() as nurse:
        worker = nursery.fork(str(folder / "log"))
        os.kill(nurse, signal.SIGKILL)
        assert worker is not None and worker.wait() == -signal.SIGKILL
        deadline = time.monotonic() + 20
        while is_alive(worker.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not is_alive(worker.pid)
        phase = Phase("one", {}, name_process)
        phase.run(Engine(options=TWO_PROCESSES, log=str(folder / "log")), str(folder), tasks(folder))
        found = {int(path.read_text()) for path in Path(phase.files(str(folder))).iterdir()}
        assert {parent_of(each) for each in found} == {os.getpid()}
