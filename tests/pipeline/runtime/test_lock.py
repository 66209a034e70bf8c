"""One build at a time in one folder."""

import errno
import fcntl
import multiprocessing
import os
import signal
from pathlib import Path

import fsspec
import pytest

from configs.errors import BuildLockedError, OutputError
from pipeline.runtime.lock import build_lock


def hold(output: str, ready: "multiprocessing.synchronize.Event") -> None:
    with build_lock(output):
        ready.set()
        signal.pause()


def test_a_second_build_is_refused_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    first = context.Process(target=hold, args=(str(tmp_path), ready))
    first.start()
    assert ready.wait(60)
    with pytest.raises(BuildLockedError, match=str(first.pid)), build_lock(str(tmp_path)):
        pass
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    with build_lock(str(tmp_path)):
        pass


def test_in_an_object_store_the_message_names_the_object_to_remove() -> None:
    refused = pytest.raises(BuildLockedError, match=r"remove memory://locked/lock\.json")
    with build_lock("memory://locked"), refused, build_lock("memory://locked"):
        pass
    assert not fsspec.filesystem("memory").exists("/locked/lock.json")


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another --output"), build_lock(str(tmp_path / "file" / "out")):
        pass


def test_temporary_files_of_a_killed_process_are_removed_and_no_others(tmp_path: Path) -> None:
    with build_lock(str(tmp_path)):
        pass
    ours = tmp_path / "statistics.json.e13ad516.tmp"
    theirs = [tmp_path / "notes.tmp", tmp_path / "notes.json.e13ad516.tmp", tmp_path / "data" / ours.name]
    theirs[2].parent.mkdir()
    for path in (ours, *theirs):
        path.touch()
    with build_lock(str(tmp_path)):
        assert not ours.exists() and all(path.exists() for path in theirs)


def test_without_file_locks_a_file_is_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")  # as Lustre without -o flock

    monkeypatch.setattr(fcntl, "flock", refuse)
    refused = pytest.raises(BuildLockedError, match=r"if it has died, remove .*lock\.json")
    with build_lock(str(tmp_path)), refused, build_lock(str(tmp_path)):
        pass
    with build_lock(str(tmp_path)):
        pass
    assert not (tmp_path / "lock.json").exists()
