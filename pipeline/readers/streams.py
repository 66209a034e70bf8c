"""Sequential byte streams that never hold a file: decompression by content, faults as `InputError`, bomb guard.

What was read before a fault is always handed out first; the fault is raised by the read after it, and by every later
one. A stream that unpacks to more than `BOMB_BYTES` and more than `BOMB_RATIO` times its compressed size is refused:
natural text reaches ratios of 3 to 20, and source code with long runs about 100.
"""

import io
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, cast

from configs.errors import InputError, OpenRootsError, StorageError, UnsafeArchiveError
from configs.shown import shown
from pipeline.readers.compression import HEAD_BYTES, decompress, refuse_misnamed, refuse_unreadable
from pipeline.readers.folders import local_path, open_local
from pipeline.runtime import storage
from pipeline.runtime.stores import is_outage

BOMB_RATIO = 200
BOMB_BYTES = 1 << 30
DOCUMENT_BYTES_MAX = 64 << 20
"""A document, or a line of a table, above it is a problem and is skipped without being held."""
CHUNK = 1 << 18
SPOOL_BYTES = 32 << 20
KEPT_BYTES_MAX = 256 << 20
"""Of an archive that is read twice, what is unpacked is kept up to this size; it is under BOMB_BYTES."""
PASS_RATIO = 1100
"""What walks past the members of an archive may unpack more than its readers: deflate's most is 1032."""

_WAITS = (0.1, 0.5, 2.0)
_DAMAGED = "fetch or make the file again; what came before the damage has been read"


@contextmanager
def input_errors(file: str) -> Iterator[None]:
    """Turn what libraries raise into an InputError that names `file`, cause and remedy; ours pass as they are.

    What a network or a store is to blame for becomes a StorageError: it says nothing of the file.
    """
    try:
        yield
    except OpenRootsError:
        raise
    except FileNotFoundError:
        raise InputError(file, "no such file", "check the path in the source's entry") from None
    except PermissionError:
        raise InputError(file, "permission denied", "make the file readable, or exclude it") from None
    except IsADirectoryError:
        raise InputError(file, "is a folder", "name a file") from None
    except UnicodeDecodeError as error:
        cause = f"not valid {error.encoding.upper()} at byte {error.start}"
        raise InputError(file, cause, "set the source's `encoding`, convert the file, or exclude it") from None
    except EOFError as error:
        raise InputError(file, f"damaged or truncated ({error})", _DAMAGED) from error
    except Exception as error:
        if is_outage(error):
            raise _away(file, error) from error
        cause = f"cannot be read ({type(error).__name__}: {str(error)[:300]})"
        raise InputError(file, cause, _DAMAGED) from error


def _away(file: str, error: Exception) -> StorageError:
    cause = " ".join(str(error).split())[:300] or type(error).__name__
    return StorageError(
        f"{shown(file)} cannot be read for now ({cause}); check the network, and the disk or store it lies on, then "
        "start again: it resumes"
    )


def is_bomb(given: int, packed: int, limit: int | None = None, ratio: int | None = None) -> bool:
    """Whether `given` bytes from `packed` ones are more than text can be: both limits, or the two given, are passed."""
    return given > (limit or BOMB_BYTES) and given > (ratio or BOMB_RATIO) * max(packed, 1)


class Stream(io.RawIOBase):
    """Bytes in order, with a look ahead. `name` is shown in errors, `given` counts bytes handed out by the source.

    `seekable_file` is the open file itself where the stream is one that can seek, for formats with a table at the end.
    """

    def __init__(
        self,
        read_some: Callable[[int], bytes],
        name: str,
        compressed: "Stream | None" = None,
        seekable_file: BinaryIO | None = None,
        refuse: Callable[[int], bool] | None = None,
    ) -> None:
        self._read_some, self.name, self.compressed, self.seekable_file = read_some, name, compressed, seekable_file
        self._refuse = refuse
        self._buffer = b""
        self._fault: InputError | None = None
        self.given = 0
        self.is_part = False  # whether its file goes on behind it
        self.passing = False  # whether an archive's walker reads it, which hands out its members and passes by others
        self.kept: Kept | None = None  # what comes out of it is kept, for the next who reads the file

    def readable(self) -> bool:
        return True

    def _more(self, size: int) -> bytes:
        """One piece from the source, b"" at the end; raises InputError, the same one each time."""
        if self._fault:
            raise self._fault
        try:
            with input_errors(self.name):
                data = self._read_some(size)
            self.given += len(data)
            self._check_bomb()
        except InputError as error:
            self._fault = error
            raise
        return data

    def _check_bomb(self) -> None:
        compressed, passing = self.compressed, self.passing
        limit, ratio = (2 * BOMB_BYTES, PASS_RATIO) if passing else (BOMB_BYTES, BOMB_RATIO)
        bomb = compressed is not None and is_bomb(self.given, compressed.given, limit, ratio)
        if bomb or (self._refuse and self._refuse(self.given)):
            cause = f"unpacks to more than {limit >> 20} MiB and {ratio} times its size"
            raise UnsafeArchiveError(
                self.name, cause, "it looks like a decompression bomb: remove the file or exclude it"
            )

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end or before a fault, without taking them."""
        while len(self._buffer) < size:
            try:
                data = self._more(CHUNK)
            except InputError:
                break
            if not data:
                break
            self._buffer += data
        return self._buffer[:size]

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer only at the end or before a fault; all if negative. Raises InputError."""
        wanted = (1 << 62) if size is None or size < 0 else size
        parts: list[bytes] = []
        have = 0
        if self._buffer:
            parts, self._buffer = [self._buffer[:wanted]], self._buffer[wanted:]
            have = len(parts[0])
        while have < wanted:
            try:
                piece = self._more(min(CHUNK, wanted - have))
            except InputError:
                if have:
                    break
                raise
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def resume(self) -> bool:
        """After a fault, go on at the next compressed member that can be found; whether there is one."""
        again = getattr(self._read_some, "resume", None)
        if again is None or self._fault is None or isinstance(self._fault, UnsafeArchiveError):
            return False
        try:
            if not again():
                return False
        except InputError:  # what is compressed cannot be read either
            return False
        self._fault = None
        return True

    @property
    def position(self) -> int:
        """How many bytes have been taken, or skipped."""
        return self.given - len(self._buffer)

    def skip(self, size: int) -> int:
        """Pass over `size` bytes, fewer at the end; returns how many. A file that can seek is not read."""
        before = self.position
        file = self.seekable_file
        if file is not None and size > len(self._buffer) + CHUNK:
            here = file.tell()
            there = min(here + size - len(self._buffer), file.seek(0, io.SEEK_END))
            self._buffer = b""
            self.given += file.seek(max(here, there)) - here
        while self.position - before < size and self.read(min(CHUNK, size - (self.position - before))):
            pass
        return self.position - before

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def document(self) -> bytes:
        """All that is left, as one document; raises InputError where it is damaged or above DOCUMENT_BYTES_MAX."""
        data = self.read(DOCUMENT_BYTES_MAX + 1)
        if len(data) > DOCUMENT_BYTES_MAX:
            raise too_large(self.name)
        self.read(1)  # a stashed fault shows now
        return data


class Kept:
    """What a compressed stream gave to its first reader, for the next one: in memory, from SPOOL_BYTES on in a file.

    Nothing is kept of a stream that was not read to its end, has a fault, or gives more than KEPT_BYTES_MAX.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._read_some: Callable[[int], bytes] | None = None
        self.is_whole = False

    def begin(self, read_some: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """What the first reader calls in place of `read_some`."""
        self.close()
        self._file, self._read_some = tempfile.SpooledTemporaryFile(SPOOL_BYTES), read_some  # noqa: SIM115
        return self._tee

    def again(self) -> Callable[[int], bytes]:
        """What the next reader calls."""
        assert self._file and self.is_whole
        self._file.seek(0)
        return self._file.read

    def close(self) -> None:
        """Keep nothing."""
        if self._file:
            self._file.close()
        self._file, self.is_whole = None, False

    def _tee(self, size: int) -> bytes:
        assert self._read_some
        data = self._read_some(size)
        if self._file and not data:
            self.is_whole = True
        elif self._file and self._file.tell() + len(data) > KEPT_BYTES_MAX:
            self.close()
        elif self._file:
            self._file.write(data)
        return data


def limited(stream: Stream, size: int, name: str, short: str) -> Stream:
    """The next `size` bytes of `stream`, as a stream of their own; `short` is what is wrong where there are fewer."""
    left = size

    def read(wanted: int) -> bytes:
        nonlocal left
        data = stream.read(min(wanted, left))
        if left and wanted and not data:
            raise EOFError(short)
        left -= len(data)
        return data

    return Stream(read, name)


def too_large(name: str) -> InputError:
    """The problem of a document or line that is above the limit."""
    cause = f"a document or line of more than {DOCUMENT_BYTES_MAX >> 20} MiB"
    return InputError(name, cause, "it is skipped; split it if you need it")


def lines(
    stream: Stream, on_problem: Callable[[InputError], None], *, blank: bool = True, before: int = 0
) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their line feed; a line above DOCUMENT_BYTES_MAX is a problem, never held.

    The first is number `before` + 1.

    Without `blank` long runs of blank lines are counted, not given: a gigabyte of them fits a megabyte. Raises
    InputError at a fault, after the last whole line before it.
    """
    number, skipping = before, False
    rest: list[bytes] = []  # the pieces of a line that has not ended
    held = 0
    while data := stream.read(CHUNK):
        if not blank and not rest and not skipping and data.isspace() and data.endswith(b"\n"):
            number += data.count(b"\n")
            continue
        first, *others = data.split(b"\n")
        if not others:
            if not skipping:
                rest.append(first)
                held += len(first)
        else:
            number += 1
            if not skipping:
                yield number, b"".join((*rest, first)) if rest else first
            skipping = False
            for line in others[:-1]:
                number += 1
                yield number, line
            rest, held = ([others[-1]], len(others[-1])) if others[-1] else ([], 0)
        if held > DOCUMENT_BYTES_MAX:
            on_problem(too_large(f"{stream.name}, line {number + 1}"))
            rest, held, skipping = [], 0, True
    if rest:
        yield number + 1, b"".join(rest)


@contextmanager
def open_file(path: str, name: str, start: int = 0) -> Iterator[Stream]:
    """Open any fsspec path for reading in order, from byte `start` on.

    Raises InputError where it cannot be opened, StorageError where it is gone: it was there when the driver listed it.
    """
    with input_errors(name):
        file = _open_listed(path, name)
        if start:
            file.seek(start)
    try:
        yield Stream(file.read, name, seekable_file=None if start else file)
    finally:
        file.close()


def _open_listed(path: str, name: str) -> Any:
    """Open a file that is known to be there; a network file system may be late to show it."""
    local = local_path(path)
    for wait in (*_WAITS, None):
        try:
            if local is not None:
                return open_local(local, name)
            fs, inner = storage.filesystem(path)
            return fs.open(inner, "rb")
        except FileNotFoundError as error:
            if wait is None:
                raise StorageError(
                    f"{shown(name)} was listed, and is not there on {socket.gethostname()}; if it was removed, start "
                    "again; if workers run elsewhere, give inputs that all of them see"
                ) from error
            time.sleep(wait)
    raise AssertionError


@contextmanager
def seekable(stream: Stream) -> Iterator[BinaryIO]:
    """The stream as a file that can seek: itself, or a copy in memory, from SPOOL_BYTES on in an unnamed file."""
    if stream.seekable_file is not None:
        stream.seekable_file.seek(0)
        yield stream.seekable_file
        return
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as copy:
        while data := stream.read(CHUNK):
            copy.write(data)
        copy.seek(0)
        yield cast(BinaryIO, copy)


LAYERS_MAX = 3


def unpack(stream: Stream, path: str = "") -> Stream:
    """The stream without its compression, up to LAYERS_MAX layers: told by the first bytes, or `path` for lack of such.

    Raises InputError where there are more layers, or the bytes are of a format that is not read.
    """
    for layer in range(LAYERS_MAX + 1):
        head = stream.peek(HEAD_BYTES)
        read_some = decompress(stream, head, path)
        if read_some is None:
            refuse_unreadable(stream.name, head)
            if layer == 0:
                refuse_misnamed(stream.name, path, head)
            return stream
        kept, stream.kept = stream.kept, None
        if kept:
            read_some = kept.again() if kept.is_whole else kept.begin(read_some)
        stream = Stream(read_some, stream.name, compressed=stream)
        path = ""
    cause = f"compressed more than {LAYERS_MAX} times over"
    raise UnsafeArchiveError(stream.name, cause, "unpack it, or exclude it")
