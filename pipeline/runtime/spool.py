"""What is on its way to or from a store, on this machine."""

import io
import tempfile
from typing import Any


class Spool(io.RawIOBase):
    """A file on its way to or from a store: in memory up to `memory` bytes, then without a name on the disk here."""

    def __init__(self, memory: int) -> None:
        self._file = tempfile.SpooledTemporaryFile(memory)  # noqa: SIM115 - lives as long as this

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return int(self._file.write(data))

    @property
    def is_on_disk(self) -> bool:
        """Whether it is too large for memory."""
        return bool(self._file._rolled)  # type: ignore[attr-defined]

    def fileno(self) -> int:
        """Its descriptor, where it is on disk, with all that was written."""
        self._file.flush()
        return self._file.fileno()

    def path(self) -> str:
        """Where it lies on disk, to be read from the start."""
        self._file.flush()
        self._file.seek(0)
        return f"/dev/fd/{self._file.fileno()}"

    def value(self) -> bytes:
        """All of it."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        self._file.close()
        super().close()
