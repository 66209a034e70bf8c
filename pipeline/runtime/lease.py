"""The lock of a folder in a store: an object that says whose it is, and is rewritten every minute.

A process that was killed loses it: at once to a process of the same machine, which sees that it has ended, else after
EXPIRES_SECONDS. Where the store can write on condition (S3, Google), no two processes ever get it.
"""

import calendar
import json
import logging
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from configs.errors import StorageError
from configs.shown import shown
from pipeline.runtime import storage

BEAT_SECONDS = 60.0
EXPIRES_SECONDS = 600.0
"""Longer than a store may be away before a build gives up (`stores.PATIENCE_SECONDS`)."""
_SETTLE_SECONDS = 2.0
_TRIES = 3
_LOGGER = logging.getLogger("openroots")


class Lease:
    """A lock at `path`, by this process. `lost` says who has taken it over, if someone has."""

    def __init__(self, path: str) -> None:
        self.path, self.lost = path, ""
        self._owner = uuid4().hex
        self._fs, self._inner = storage.filesystem(path)
        self._etag = ""
        self._since = _now()
        self._ended = threading.Event()

    def take(self) -> str | None:
        """Get the lock and keep it; returns who holds it if it is taken. Raises StorageError."""
        for _ in range(_TRIES):
            holder = self._create()
            if holder is None:
                threading.Thread(target=self._beat, daemon=True, name="lease").start()
                return None
            if not _has_ended(holder):
                return _described(holder)
            self._clear(holder)
        return "another command was faster"

    def release(self) -> None:
        """Give the lock up; where the store lets nobody delete, it is marked as free."""
        self._ended.set()
        if self.lost:
            return
        try:
            self._fs.rm_file(self._inner)
        except FileNotFoundError:
            pass
        except StorageError:
            with suppress(StorageError):
                self._fs.pipe_file(self._inner, self._content(released=True))

    def _create(self) -> dict[str, Any] | None:
        """Write the lock if there is none; returns what is there otherwise."""
        self._fs.makedirs(self._fs._parent(self._inner), exist_ok=True)
        try:
            self._write(mode="create")
            self._write(mode="create")  # a store that knows no conditions lets this pass
        except FileExistsError:
            held = self._read()
            return None if held.get("owner") == self._owner else held
        except StorageError as error:
            if not _knows_no_conditions(error):
                raise
            with suppress(FileNotFoundError):
                return self._read()
            self._write()
        time.sleep(_SETTLE_SECONDS)  # of those who saw none, the last has it
        held = self._read()
        return None if held.get("owner") == self._owner else held

    def _clear(self, holder: dict[str, Any]) -> None:
        """Remove the lock of a process that has ended, unless another has done so."""
        try:
            if self._read().get("owner") == holder.get("owner"):
                self._fs.rm_file(self._inner)
        except FileNotFoundError:
            pass
        except StorageError:
            if not holder.get("released"):
                raise
            self._write()

    def _write(self, **conditions: Any) -> None:
        answer = self._fs.pipe_file(self._inner, self._content(), **conditions)
        self._etag = str(answer.get("ETag", "")) if isinstance(answer, dict) else ""

    def _read(self) -> dict[str, Any]:
        try:
            value = json.loads(self._fs.cat_file(self._inner))
            return value if isinstance(value, dict) else {}
        except ValueError:
            return {}

    def _content(self, *, released: bool = False) -> bytes:
        return json.dumps(
            {
                "host": socket.gethostname(),
                "process": os.getpid(),
                "since": self._since,
                "seen": _now(),
                "owner": self._owner,
                "machine": _machine(),
                "started": _started(os.getpid()),
                "released": released,
            }
        ).encode()

    def _beat(self) -> None:
        """Rewrite the lock until it is released, or is another's."""
        while not self._ended.wait(BEAT_SECONDS):
            try:
                held = self._read()
                if held.get("owner") != self._owner:
                    self.lost = _described(held)
                else:
                    condition = {"IfMatch": self._etag} if self._etag and getattr(self._fs, "is_s3", False) else {}
                    self._write(**condition)
            except FileNotFoundError:
                self.lost = "its lock was removed"
            except FileExistsError:
                continue  # the next look tells whose it is
            except StorageError as error:
                _LOGGER.warning("%s cannot be kept: %s", shown(self.path), error)
            if self.lost and not self._ended.is_set():
                _LOGGER.warning("%s was taken over: %s", shown(self.path), self.lost)
                return


def _knows_no_conditions(error: BaseException) -> bool:
    text = str(error)
    return any(sign in text for sign in ("NotImplemented", "not implemented", "A header you provided"))


def _now() -> str:
    return time.strftime("%FT%TZ", time.gmtime())


def _has_ended(holder: dict[str, Any]) -> bool:
    """Whether the process that holds a lock is gone, or has not been heard of for EXPIRES_SECONDS."""
    if holder.get("released"):
        return True
    if holder.get("machine") == _machine() and holder["machine"]:
        return _started(int(holder.get("process", 0))) != holder.get("started")
    return _age(holder) > EXPIRES_SECONDS


def _age(holder: dict[str, Any]) -> float:
    try:
        return time.time() - calendar.timegm(time.strptime(str(holder["seen"]), "%Y-%m-%dT%H:%M:%SZ"))
    except (KeyError, ValueError):
        return 0.0


def _described(holder: dict[str, Any]) -> str:
    who = f"process {holder.get('process', '?')} on {holder.get('host', '?')} since {holder.get('since', '?')}"
    if "seen" not in holder:
        return shown(who)
    left = EXPIRES_SECONDS - _age(holder)
    return shown(f"{who}, last seen {_age(holder):.0f} s ago; if it has died, the lock is free in {max(0, left):.0f} s")


def _machine() -> str:
    """What tells this machine, and this container, from others for as long as it runs; "" where that is not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - a name, no path
    except OSError:
        return ""


def _started(process: int) -> str:
    """When a process of this machine started; "" where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""
