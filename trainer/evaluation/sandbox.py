"""Run a program that a model wrote, where it can do little harm: a process of its own without network, with limits.

The child is a fresh interpreter in isolated mode, in an empty folder of its own, without our environment. It gets
processor time, memory, file size and open files by `setrlimit`; no file but those of its folder, and Python's own to
read; no children; and no network. An audit hook sees to that (`sandbox_child`), and a network namespace where the
system lets us make one. This keeps the mistakes of a model from the machine. It isn't proof against a program that
means harm: for that, use a container without network.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SECONDS = 5.0
MEMORY = 1 << 30
FILE_BYTES = 1 << 20
OPEN_FILES = 32
OUTPUT_MAX = 2000

_CHILD = str(Path(__file__).with_name("sandbox_child.py"))


@dataclass(frozen=True)
class Outcome:
    """How a program ended: `passed`, or why not (`failed`, `timed out`, `out of bounds`), with its last words."""

    passed: bool
    cause: str
    words: str = ""


def run_program(program: str, *, seconds: float = SECONDS, memory: int = MEMORY) -> Outcome:
    """Run a Python program to its end; it has passed if it got there without an exception or an early exit."""
    limits = {
        "RLIMIT_CPU": max(1, int(seconds + 0.999)),
        "RLIMIT_AS": memory,
        "RLIMIT_FSIZE": FILE_BYTES,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 0,
    }
    reading, writing = os.pipe()
    command = [*_without_network(), sys.executable, "-I", "-S", _CHILD, json.dumps(limits), f"{writing}"]
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    with tempfile.TemporaryDirectory(prefix="openroots-sandbox-") as folder, tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "HOME": folder, "TMPDIR": folder},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        try:
            child.communicate(program.encode("utf-8", "replace"), timeout=2 * seconds + 5)
            timed_out = child.returncode == -signal.SIGXCPU or child.returncode == 128 + signal.SIGXCPU
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _end(child)
        os.set_blocking(reading, False)
        try:
            passed = os.read(reading, 16) == b"passed" and child.returncode == 0
        except BlockingIOError:
            passed = False
        os.close(reading)
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - OUTPUT_MAX))
        words = output.read(OUTPUT_MAX).decode("utf-8", "replace")
    if passed:
        return Outcome(True, "passed")
    if timed_out:
        return Outcome(False, "timed out", words)
    out_of_bounds = child.returncode < 0 or "not in the sandbox" in words or "MemoryError" in words
    return Outcome(False, "out of bounds" if out_of_bounds else "failed", words)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill the child with all that it may have started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@cache
def _without_network() -> tuple[str, ...]:
    """A command that runs another without a network, where this system has one that works."""
    unshare = next((path for path in ("/usr/bin/unshare", "/bin/unshare") if Path(path).exists()), None)
    if unshare is None:
        return ()
    command = (unshare, "--user", "--map-root-user", "--net")
    tried = subprocess.run([*command, "true"], capture_output=True, check=False, timeout=20)
    return command if tried.returncode == 0 else ()
