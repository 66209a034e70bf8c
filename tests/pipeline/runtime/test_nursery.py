"""Workers that are forked from a process which has loaded all they need."""

import os
import signal
import sys
import time
from collections.abc import Iterator
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


@pytest.fixture
def source() -> Iterator[int]:
    """The number of the process that workers are forked from; it must be gone after the block."""
    with keep_workers():
        nursery.prepare([])
        assert nursery._current
        process = nursery._current.process.pid
        yield process
    assert nursery._current is None and not is_alive(process)


def test_workers_are_forked_and_replaced(tmp_path: Path, source: int) -> None:
    engine = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log"))
    phase = Phase("one", {}, name_process)
    phase.run(engine, str(tmp_path), tasks(tmp_path))
    found = {int(path.read_text()) for path in Path(phase.files(str(tmp_path))).iterdir()}
    assert {parent_of(worker) for worker in found} == {source}
    os.kill(min(found), signal.SIGKILL)
    again = Phase("two", {}, die_once)
    records = again.run(engine, str(tmp_path / "work"), tasks(tmp_path))
    assert len(records) == 4


def test_the_end_of_a_forked_worker_is_told_with_its_cause(tmp_path: Path, source: int) -> None:
    log = tmp_path / "log"
    worker = nursery.fork(str(log))
    assert worker is not None and worker.poll() is None
    os.kill(worker.pid, signal.SIGSEGV)
    assert worker.wait() == -signal.SIGSEGV == worker.poll()


def test_what_a_build_needs_can_be_loaded_beforehand(tmp_path: Path) -> None:
    with keep_workers():
        nursery.prepare(["pipeline.warm"])
        worker = nursery.fork(str(tmp_path / "log"))  # none, had it failed
        assert worker is not None and worker.poll() is None


@pytest.mark.slow
def test_a_forked_worker_that_always_crashes_ends_the_phase(tmp_path: Path, source: int) -> None:
    engine = Engine(options=TWO_PROCESSES, log=str(tmp_path / "log"))
    with pytest.raises(WorkerDiedError, match=r"crashed with SIGSEGV.*fewer --workers"):
        Phase("phase", {}, crash_always).run(engine, str(tmp_path / "work"), tasks(tmp_path))


def test_workers_start_by_themselves_where_what_they_are_forked_from_was_killed(tmp_path: Path, source: int) -> None:
    worker = nursery.fork(str(tmp_path / "log"))
    os.kill(source, signal.SIGKILL)
    assert worker is not None and worker.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while is_alive(worker.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(worker.pid)
    phase = Phase("one", {}, name_process)
    phase.run(Engine(options=TWO_PROCESSES, log=str(tmp_path / "log")), str(tmp_path), tasks(tmp_path))
    found = {int(path.read_text()) for path in Path(phase.files(str(tmp_path))).iterdir()}
    assert {parent_of(each) for each in found} == {os.getpid()}
