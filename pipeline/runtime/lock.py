"""One command at a time in one folder, and only in a folder that is ours."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from configs.errors import BuildLockedError, OutputError
from configs.shown import shown
from pipeline.runtime import recall, storage
from pipeline.runtime.lease import Lease
from pipeline.runtime.ownership import KINDS, check_output, claim
from pipeline.runtime.stores import impatient

_held: list[str] = []
_leases: dict[str, Lease] = {}
"""Of the folders that this process holds in stores, by folder."""


def let_go() -> list[str]:
    """Folders that this process holds; locks that are files are removed. For a process that is about to end."""
    held = list(_held)
    for output in held:
        if output in _leases:
            with suppress(Exception), impatient(5.0):
                _leases[output].release()
        elif storage.is_local(output):
            with suppress(OSError):
                Path(storage.filesystem(output)[1], "lock.json").unlink(missing_ok=True)
    return held


def check_held() -> None:
    """Raise BuildLockedError where another command has taken over a folder that this process holds."""
    for output, lease in _leases.items():
        if lease.lost:
            raise BuildLockedError(
                f"{shown(output)} was taken over by another command ({lease.lost}), since this one had not been heard "
                "of for a long time; start it again when that one has ended"
            )


_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What `flock` answers where a file system has no locks."""


@contextmanager
def build_lock(output: str, kind: str = "corpus", option: str = "--output") -> Iterator[None]:
    """Hold an output folder for one `kind` of output, of `ownership.KINDS`; errors name the `option` that it came by.

    On a local disk the system's file lock is used, which a killed process loses. Some cluster file systems have none
    (Lustre mounted without `flock`): there the lock is a file, and after a crash a person must remove it (the message
    says so). In an object store it is a `Lease`. Raises BuildLockedError where another command works in it, OutputError
    where it holds files that are not ours or cannot be written, StorageError where the store does not let us.
    """
    with impatient():
        check_output(output, kind, option)
    holder = KINDS[kind].holder
    with _local_lock(output, holder) if storage.is_local(output) else _leased(output, holder):
        claim(output, kind)
        _held.append(output)
        try:
            yield
        finally:
            _held.remove(output)


def _holder() -> str:
    return json.dumps(
        {"host": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%FT%TZ", time.gmtime())}
    )


def _locked(kind: str, output: str, holder: str, remedy: str) -> BuildLockedError:
    return BuildLockedError(f"another {kind} is at work in {shown(output)} ({holder}); {remedy}")


@contextmanager
def _local_lock(output: str, kind: str) -> Iterator[None]:
    folder = Path(storage.filesystem(output)[1])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = open(folder / ".lock", "a+")  # noqa: SIM115 - held open for as long as the build runs
    except OSError as error:
        raise OutputError(f"{shown(output)} cannot be written: {error.strerror}; choose another --output") from error
    has_locks = True
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip()
            raise _locked(kind, output, holder, "wait for it, stop it, or choose another --output") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise OutputError(
                    f"{shown(output)} cannot be locked: {error.strerror}; choose another --output"
                ) from error
            has_locks = False
        try:
            stream.truncate(0)
            stream.write(_holder())
            stream.flush()
        except OSError as error:
            raise OutputError(f"{shown(output)} cannot be written: {error.strerror}; free some room") from error
        try:
            with nullcontext() if has_locks else _file_lock(output, kind, folder / "lock.json"):
                yield
        finally:
            stream.truncate(0)  # the file stays; the name of this machine does not


@contextmanager
def _file_lock(output: str, kind: str, path: Path) -> Iterator[None]:
    """A file that only one process can make: for file systems that have no locks."""
    try:
        with open(path, "x") as stream:
            stream.write(_holder())
    except FileExistsError:
        holder = path.read_text().strip()
        raise _locked(kind, output, holder, f"if it has died, remove {shown(path)}") from None
    except OSError as error:
        raise OutputError(f"{shown(output)} cannot be written: {error.strerror}; free some room") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _leased(output: str, kind: str) -> Iterator[None]:
    lease = Lease(storage.join(output, "lock.json"))
    with impatient():
        holder = lease.take()
    if holder is not None:
        raise _locked(kind, output, holder, f"to take over, remove {shown(lease.path)}")
    _leases[output] = lease
    try:
        with recall.kept():
            yield
    finally:
        del _leases[output]
        lease.release()
