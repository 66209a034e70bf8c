"""Where workers of the local engine come from: a fork of the command itself, once it has loaded what all of them need.

To load Beam, numba and the stages takes some seconds a process; a fork takes milliseconds, and shares what is loaded.
`prepare` forks early, before the command has threads or connections. The process that comes of it, which has none
either, goes on to load what only workers need, beside the command, and forks for each of them: for each byte that it
gets over a socket, with descriptors for a worker's standard streams and for its end. It answers with the number of the
child; when a child has ended, its exit status is written to that last descriptor.

On other systems than Linux, where the command has threads already, or where that process has died, there is none, and
workers start by themselves.
"""

import os
import select
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO

from configs import loading

_ANSWER_BYTES = 8
_STATUS_BYTES = 16
_STREAMS = 4


class Forked:
    """A child of the nursery, with what `subprocess.Popen` has of a child of ours."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes], ended: int) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self._ended, self._lock = ended, threading.Lock()

    def poll(self) -> int | None:
        """Exit status, as `subprocess` gives it; None as long as it runs."""
        if self.returncode is None and select.select([self._ended], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        """Wait for its end; returns its exit status. That of a child whose nursery was killed is that of a kill."""
        with self._lock:
            if self.returncode is None:
                told = os.read(self._ended, _STATUS_BYTES)
                os.close(self._ended)
                self.returncode = int(told) if told else -signal.SIGKILL
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


@dataclass
class _Nursery:
    process: int
    socket: socket.socket

    def fork(self, log: str) -> Forked:
        """A worker that writes to the file `log`. Raises OSError where the process is gone."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_end, theirs_end = os.pipe()
        with open(log, "ab") as stream:
            theirs = [theirs_in, theirs_out, stream.fileno(), theirs_end]
            try:
                socket.send_fds(self.socket, [b"f"], theirs)
                answer = self.socket.recv(_ANSWER_BYTES)
            except OSError:
                answer = b""
            for descriptor in (theirs_in, theirs_out, theirs_end):
                os.close(descriptor)
        if len(answer) < _ANSWER_BYTES:
            for descriptor in (ours_in, ours_out, ours_end):
                os.close(descriptor)
            raise ChildProcessError("the process that workers are forked from is gone")
        pid = int.from_bytes(answer, "little")
        return Forked(pid, os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb"), ours_end)

    def end(self) -> None:
        self.socket.close()
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


_lock = threading.Lock()
_current: _Nursery | None = None


def prepare(modules: Sequence[str]) -> None:
    """Fork, on Linux and from the only thread, the process that workers are forked from; it imports these modules."""
    global _current
    if sys.platform != "linux" or threading.active_count() > 1 or threading.current_thread() != threading.main_thread():
        return
    with _lock:
        if _current is not None:
            return
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        with theirs, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads that the libraries of numpy start
            process = os.fork()
            if process == 0:
                _be_nursery(parent, theirs, modules)
        _current = _Nursery(process, ours)


def is_prepared() -> bool:
    """Whether there is a process that workers are forked from."""
    return _current is not None


def fork(log: str) -> Forked | None:
    """A worker that writes to the file `log`; None where there is no process to fork it from."""
    with _lock:
        if _current is None:
            return None
        try:
            return _current.fork(log)
        except ChildProcessError:
            pass
    close()
    return None


def close() -> None:
    """End the process that workers are forked from, and with it all that are left of them."""
    global _current
    with _lock:
        if _current is not None:
            _current.end()
        _current = None


def _serve(connection: socket.socket, work: Callable[[int], None]) -> None:
    """Fork for each request until the parent is gone; `work` is what a child does, given the number of this process."""
    ended: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable, _, _ = select.select([connection.fileno(), woken], [], [])
        if woken in readable:
            os.read(woken, 1 << 12)
            _tell_ends(ended)
        if connection.fileno() not in readable:
            continue
        request, descriptors, _, _ = socket.recv_fds(connection, 1, _STREAMS)
        if not request:
            os._exit(0)
        nursery, pid = os.getpid(), os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            connection.close()
            for descriptor in (woken, wake, *ended.values()):
                os.close(descriptor)
            for number, descriptor in enumerate(descriptors[:3]):
                os.dup2(descriptor, number)
            for descriptor in descriptors:
                os.close(descriptor)
            work(nursery)
            os._exit(0)
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        ended[pid] = descriptors[3]
        connection.sendall(pid.to_bytes(_ANSWER_BYTES, "little"))


def _tell_ends(ended: dict[int, int]) -> None:
    while ended:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        descriptor = ended.pop(pid)
        with suppress(OSError):  # nobody waits
            os.write(descriptor, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(descriptor)


def _be_nursery(parent: int, connection: socket.socket, modules: Sequence[str]) -> None:
    """Be, after a fork, the process that workers are forked from. Does not return."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _close_all_but(connection.fileno())
        from pipeline.runtime import workers

        workers.die_with(parent)
        with loading():
            for module in modules:
                import_module(module)
        _serve(connection, workers.main)
    finally:
        os._exit(1)


def _close_all_but(kept: int) -> None:
    """Leave the parent its standard streams and files: nobody should wait for the end of a pipe because of us."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    for number in (int(path.name) for path in Path("/proc/self/fd").iterdir()):
        if number > 2 and number != kept:
            with suppress(OSError):
                os.close(number)
