"""How the command meets the system: closed streams, foreign encodings, broken pipes, signals that end it."""

import errno
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from configs.shown import shown

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
owns_process = False
"""Whether the command is all that this process is for."""


def guarded(run: Callable[[], Any]) -> Any:
    """Run the command; returns what it returns, or ends the process.

    SIGINT, SIGTERM and SIGHUP end it at once, with one line and status 130, 143 or 129: all files are written whole or
    not at all, so that there is nothing to wait for.
    """
    global owns_process
    owns_process = True
    _open_streams()
    _catch_signals(os.dup(2))
    _speak_plainly()
    try:
        return run()
    except OSError as error:  # from the last flush of standard output
        _leave_output()
        if error.errno == errno.EPIPE:
            sys.exit(0)
        sys.stderr.write(f"error: {shown(error)}\n")
        sys.exit(1)
    finally:
        try:
            sys.stdout.flush()
        except OSError as error:
            _leave_output()
            if error.errno != errno.EPIPE:
                sys.stderr.write(f"error: standard output cannot be written: {error.strerror}\n")
                os._exit(1)


def _open_streams() -> None:
    """Give closed standard streams a place, so that no file of ours gets their number; never fail on a character."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _speak_plainly() -> None:
    """Warnings of ours are lines like the others, without the name of a logger."""
    logger, handler = logging.getLogger("openroots"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.propagate = False


def _leave_output() -> None:
    """Point standard output elsewhere, so that the interpreter's own last flush does not fail again."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _catch_signals(terminal: int) -> None:
    def stop(number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        for other in STOPPING:
            signal.signal(other, signal.SIG_IGN)
        with suppress(OSError):
            os.write(terminal, f"{_restored(terminal)}stopped by {name}{_kept()}\n".encode("utf-8", "backslashreplace"))
        os._exit(128 + number)

    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` sets it
            signal.signal(number, stop)


def _kept() -> str:
    """What remains of the work, and how to resume; workers and locks of object stores are released first."""
    workers, lock = sys.modules.get("pipeline.runtime.workers"), sys.modules.get("pipeline.runtime.lock")
    remote = sys.modules.get("pipeline.runtime.remote")
    if remote:  # before others may work in the folder
        remote.cancel_jobs()
    if workers:
        workers.stop_workers()
    held = lock.let_go() if lock else []
    if not held:
        return ""
    return f": what was finished is kept in {', '.join(map(shown, held))}; the same command resumes"


def _restored(terminal: int) -> str:
    """What shows the cursor again after a progress bar, on a terminal."""
    return "\r\x1b[K\x1b[?25h" if os.isatty(terminal) else ""
