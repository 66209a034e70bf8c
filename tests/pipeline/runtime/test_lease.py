"""The lock of a folder in a store."""

import json
import multiprocessing
import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from configs.errors import BuildLockedError, StorageError
from pipeline.runtime import lease, storage
from pipeline.runtime.lease import Lease
from pipeline.runtime.lock import build_lock, check_held
from tests.faulty_store import FaultyStore, faults


@pytest.fixture
def path() -> str:
    return f"faulty://{uuid.uuid4().hex}/out/lock.json"


def test_of_many_who_start_at_once_one_gets_it(path):
    leases = [Lease(path) for _ in range(9)]
    with ThreadPoolExecutor(9) as pool:
        held = list(pool.map(Lease.take, leases))
    assert held.count(None) == 1
    leases[held.index(None)].release()
    assert Lease(path).take() is None


def hold(ready, content) -> None:
    lock = Lease(f"faulty://{uuid.uuid4().hex}/lock.json")
    lock.take()
    content.value = storage.read_bytes(lock.path)
    ready.set()
    signal.pause()


def test_the_lock_of_a_process_that_was_killed_here_is_free(path):
    context = multiprocessing.get_context("spawn")
    ready, content = context.Event(), context.Manager().Value("c", b"")
    process = context.Process(target=hold, args=(ready, content))
    process.start()
    assert ready.wait(60)
    storage.write_text(path, content.value.decode())
    holder = Lease(path).take()
    assert holder and f"process {process.pid}" in holder
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert Lease(path).take() is None


def _of_another_machine(seen: float, **more) -> str:
    at = time.strftime("%FT%TZ", time.gmtime(time.time() - seen))
    return json.dumps({"host": "far", "process": 7, "since": at, "seen": at, "owner": "x", "machine": "far", **more})


def test_the_lock_of_another_machine_expires(path):
    storage.write_text(path, _of_another_machine(lease.EXPIRES_SECONDS - 60))
    assert "process 7 on far" in (Lease(path).take() or "")
    storage.write_text(path, _of_another_machine(lease.EXPIRES_SECONDS + 60))
    assert Lease(path).take() is None


def test_a_lock_is_renewed_and_tells_when_it_was_taken_over(path, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    output = path.removesuffix("/lock.json")
    with build_lock(output):
        check_held()
        storage.write_text(path, _of_another_machine(0))
        limit = time.monotonic() + 20
        with pytest.raises(BuildLockedError, match="taken over"):
            while time.monotonic() < limit:
                check_held()
                time.sleep(0.02)
    assert storage.read_json(path)["host"] == "far"


def test_the_message_says_who_holds_it_and_how_to_take_over(path):
    output = path.removesuffix("/lock.json")
    refused = pytest.raises(BuildLockedError, match=rf"process {os.getpid()} .* to take over, remove {path}")
    with build_lock(output), refused, build_lock(output):
        pass
    assert not storage.exists(path)


def test_where_nothing_may_be_deleted_the_lock_is_marked_as_free(path):
    def undeletable(kind: str, _: str) -> PermissionError | None:
        return PermissionError("Access Denied") if kind == "delete" else None

    with faults(undeletable):
        for _ in range(2):
            held = Lease(path)
            assert held.take() is None
            held.release()
    assert storage.read_json(path)["released"]


@pytest.mark.parametrize("ignores", [True, False])
def test_a_store_without_conditions_has_one_lock_as_well(path, monkeypatch, ignores):
    monkeypatch.setattr(lease, "_SETTLE_SECONDS", 0.2)
    whole = FaultyStore.pipe_file

    def pipe_file(self, name, value, mode="overwrite", **_):
        if mode == "create" and not ignores:
            raise OSError(38, "A header you provided implies functionality that is not implemented")
        whole(self, name, value)

    monkeypatch.setattr(FaultyStore, "pipe_file", pipe_file)
    leases = [Lease(path) for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(Lease.take, leases)).count(None) == 1


def test_a_store_that_is_away_is_told(path, monkeypatch):
    monkeypatch.setenv("OPENROOTS_STORE_PATIENCE", "0")
    with faults(lambda *_: ConnectionError("away")), pytest.raises(StorageError, match="does not answer"):
        Lease(path).take()
