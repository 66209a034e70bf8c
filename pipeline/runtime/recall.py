"""Files of stores, kept by a process while nobody else changes them: what was written or read once costs no request.

Small files are kept in memory; large ones that this process has written stay on its disk, without a name, so that the
next stage on a shard does not fetch it again. The driver recalls within its lock (`kept`), a worker within one run of
a pipeline (`begin_run`), as long as what it recalls is settled: files that steps leave are written once a run. Notes
that several processes write are never kept.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

ENTRY_BYTES = 8 << 20
TOTAL_BYTES = 128 << 20
DISK_BYTES = 512 << 20
_NEVER = ("/progress.json", "/lock.json")

_lock = threading.Lock()
_files: OrderedDict[str, bytes] = OrderedDict()
_size = 0
_large: OrderedDict[str, tuple[int, int]] = OrderedDict()
"""By path the descriptor of a file on disk, and its length in bytes."""
_drivers = 0
_run = ""


@contextmanager
def kept() -> Iterator[None]:
    """Within this block the process recalls: it holds the lock of what it writes."""
    global _drivers
    forget()
    _drivers += 1
    try:
        yield
    finally:
        _drivers -= 1
        forget()


def begin_run(run: str) -> None:
    """A worker begins to work on a run of a pipeline. In the driver's own process nothing changes."""
    global _run
    if not _drivers and run != _run:
        forget()
        _run = run


def forget() -> None:
    """Forget all: others have been at work."""
    global _size
    with _lock:
        _files.clear()
        _size = 0
        while _large:
            os.close(_large.popitem()[1][0])


def get(path: str, start: int | None = None, end: int | None = None) -> bytes | None:
    """The bytes of a file from `start` to before `end`, if they are known."""
    with _lock:
        data = _files.get(path)
        if data is not None:
            _files.move_to_end(path)
            return data[start:end]
        if path not in _large:
            return None
        _large.move_to_end(path)
        descriptor, size = _large[path]
        start, stop, _ = slice(start, end).indices(size)
        return os.pread(descriptor, max(0, stop - start), start)


def size_of(path: str) -> int | None:
    """How many bytes a file has, if that is known."""
    with _lock:
        return len(_files[path]) if path in _files else _large.get(path, (0, None))[1]


def keep(path: str, data: bytes) -> None:
    """A file has been written, or read whole."""
    global _size
    drop(path)
    if len(data) > ENTRY_BYTES or not may_keep(path):
        return
    with _lock:
        _files[path] = data
        _size += len(data)
        while _size > TOTAL_BYTES:
            _size -= len(_files.popitem(last=False)[1])


def keep_file(path: str, descriptor: int) -> None:
    """A large file has been written; `descriptor` is of its bytes on this machine's disk, and may be closed later."""
    drop(path)
    size = os.fstat(descriptor).st_size
    if size > DISK_BYTES or not may_keep(path):
        return
    with _lock:
        _large[path] = os.dup(descriptor), size
        while sum(held for _, held in _large.values()) > DISK_BYTES:
            os.close(_large.popitem(last=False)[1][0])


def may_keep(path: str) -> bool:
    """Whether a file may be recalled here and now."""
    return bool(_drivers or _run) and not path.endswith(_NEVER) and "/records/" not in path


def drop(path: str) -> None:
    """A file changes, or is removed."""
    global _size
    with _lock:
        data = _files.pop(path, None)
        if data is not None:
            _size -= len(data)
        if path in _large:
            os.close(_large.pop(path)[0])
