"""The inside of the sandbox: a fresh interpreter that bounds itself, then runs the program that stands on its stdin.

Run as a script by `trainer.evaluation.sandbox`, with limits and the number of a file descriptor; imports nothing of
ours. An audit hook sees every opening of a file, every process and every socket, whichever module it comes from, and
cannot be taken off again.
"""

import json
import os
import resource
import socket  # noqa: F401  what programs may import is loaded before the hook: it would refuse their C libraries
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

WRITTEN_MAX = 64
"""Openings for writing: with the limit on a file's size, what a program can put on the disk."""
REFUSED = ("ctypes.", "fcntl.", "http.", "pty.", "resource.", "socket.", "sqlite3.connect", "subprocess.", "syslog.")
"""Events that begin so are not allowed."""
REFUSED_OF_OS = frozenset({
    "chflags", "chown", "exec", "fork", "forkpty", "kill", "killpg", "link", "lockf", "posix_spawn", "putenv",
    "removexattr", "setxattr", "spawn", "symlink", "system", "unsetenv",
})  # fmt: skip
CHANGES = {"os.chmod": 1, "os.mkdir": 1, "os.remove": 1, "os.rename": 2, "os.rmdir": 1, "os.truncate": 1, "os.utime": 1}
"""Events that are allowed in the program's folder: how many of their arguments are paths."""
LOOKS = ("os.listdir", "os.scandir", "os.chdir")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def refuse() -> NoReturn:
    """Stop what a program is about to do."""
    raise PermissionError("not in the sandbox")


class Guard:
    """The audit hook: files of the program's own folder, Python's own to read, and nothing else of the machine."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.realpath(folder)
        library = {os.path.realpath(path) for path in (str(Path(os.__file__).parent), *sys.path)}
        self.readable = (self.folder, *library, "/usr/share/zoneinfo")
        self.written = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise PermissionError where an event is not allowed."""
        if event == "open":
            self._open(*arguments[:3])
        elif event in CHANGES or event in LOOKS:
            inside = (self.folder,) if event in CHANGES else self.readable
            for place in arguments[: CHANGES.get(event, 1)]:
                if not isinstance(place, int | None) and not _is_in(place, inside):
                    refuse()
        elif event.startswith(REFUSED) or (event.startswith("os.") and event[3:] in REFUSED_OF_OS):
            refuse()

    def _open(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int):
            return  # open already
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & WRITES)
        if path in DEVICES:
            return
        if not _is_in(path, (self.folder,) if writes else self.readable):
            refuse()
        self.written += writes
        if self.written > WRITTEN_MAX:
            refuse()


def _is_in(path: Any, folders: tuple[str, ...]) -> bool:
    whole = os.path.realpath(os.fsdecode(path))
    return any(whole == folder or whole.startswith(folder + os.sep) for folder in folders)


def run() -> None:
    """Run the program; says so on the descriptor where it came to its end."""
    limits, done = json.loads(sys.argv[1]), int(sys.argv[2])
    for kind, value in limits.items():
        hard = value + 1 if kind == "RLIMIT_CPU" else value  # the soft one says what it was
        resource.setrlimit(getattr(resource, kind), (value, hard))
    program = compile(sys.stdin.read(), "program", "exec")
    sys.stdin = None  # type: ignore[assignment]
    sys.modules["_posixsubprocess"] = None  # type: ignore[assignment]
    for name in ("_fork_exec", "_posixsubprocess"):
        if hasattr(subprocess, name):
            setattr(subprocess, name, None)  # starts processes that no hook sees
    sys.addaudithook(Guard(str(Path.cwd())))
    exec(program, {"__name__": "__main__"})
    os.write(done, b"passed")


if __name__ == "__main__":
    run()
