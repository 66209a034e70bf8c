"""Small files of stores, kept in memory while nobody else changes them: what was written or read once costs no request.

The driver recalls within its lock (`kept`), a worker within one run of a pipeline (`begin_run`), as long as what it
recalls is settled: files that steps leave are written once a run. Notes that several processes write are never kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

ENTRY_BYTES = 8 << 20
TOTAL_BYTES = 128 << 20
_NEVER = ("/progress.json", "/lock.json")

_lock = threading.Lock()
_files: OrderedDict[str, bytes] = OrderedDict()
_size = 0
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


def get(path: str) -> bytes | None:
    """What a file holds, if that is known."""
    with _lock:
        data = _files.get(path)
        if data is not None:
            _files.move_to_end(path)
        return data


def keep(path: str, data: bytes) -> None:
    """A file has been written, or read whole."""
    global _size
    drop(path)
    if not (_drivers or _run) or len(data) > ENTRY_BYTES or path.endswith(_NEVER) or "/records/" in path:
        return
    with _lock:
        _files[path] = data
        _size += len(data)
        while _size > TOTAL_BYTES:
            _size -= len(_files.popitem(last=False)[1])


def drop(path: str) -> None:
    """A file changes, or is removed."""
    global _size
    with _lock:
        data = _files.pop(path, None)
        if data is not None:
            _size -= len(data)
