"""Sequential byte streams that never hold a file: decompression by content, faults as `InputError`, bomb guard.

What was read before a fault is always handed out first; the fault is raised by the read after it, and by every later
one. A stream that unpacks to more than `BOMB_BYTES` and more than `BOMB_RATIO` times its compressed size is refused:
natural text reaches ratios of 3 to 20, and source code with long runs about 100.
"""

import bz2
import gzip
import io
import lzma
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow as pa

from configs.errors import InputError, OpenRootsError, UnsafeArchiveError

BOMB_RATIO = 200
BOMB_BYTES = 1 << 30
DOCUMENT_BYTES_MAX = 64 << 20
"""A document, or a line of a table, above it is a problem and is skipped without being held."""
CHUNK = 1 << 18
GZIP_HELD_BYTES = 1 << 18
SPOOL_BYTES = 32 << 20
XZ_MEMORY = 512 << 20

_DAMAGED = "fetch or make the file again; what came before the damage has been read"


@contextmanager
def input_errors(file: str) -> Iterator[None]:
    """Turn what libraries raise into an InputError that names `file`, cause and remedy; ours pass as they are."""
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
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise InputError(file, f"damaged or truncated ({error})", _DAMAGED) from error
    except Exception as error:
        cause = f"cannot be read ({type(error).__name__}: {str(error)[:300]})"
        raise InputError(file, cause, _DAMAGED) from error


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
        compressed = self.compressed
        bomb = compressed and self.given > BOMB_BYTES and self.given > BOMB_RATIO * max(compressed.given, 1)
        if bomb or (self._refuse and self._refuse(self.given)):
            cause = f"unpacks to more than {BOMB_BYTES >> 20} MiB and {BOMB_RATIO} times its size"
            raise UnsafeArchiveError(self.name, cause, "it looks like a bomb: remove the file or exclude it")

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
        """After a fault, go on at the next gzip member that can be found; whether there is one."""
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


def too_large(name: str) -> InputError:
    """The problem of a document or line that is above the limit."""
    cause = f"a document or line of more than {DOCUMENT_BYTES_MAX >> 20} MiB"
    return InputError(name, cause, "it is skipped; split it if you need it")


def lines(stream: Stream, on_problem: Callable[[InputError], None]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines (from 1) without their line feed; a line above DOCUMENT_BYTES_MAX is a problem, never held.

    Raises InputError at a fault, after the last whole line before it.
    """
    number, skipping = 0, False
    rest: list[bytes] = []  # the pieces of a line that has not ended
    held = 0
    while data := stream.read(CHUNK):
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
def open_file(path: str, name: str) -> Iterator[Stream]:
    """Open any fsspec path for reading in order; raises InputError where it cannot be opened."""
    with input_errors(name):
        fs, inner = fsspec.url_to_fs(path)
        file = fs.open(inner, "rb")
    try:
        yield Stream(file.read, name, seekable_file=file)
    finally:
        file.close()


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


def unpack(stream: Stream) -> Stream:
    """The stream without its compression (gzip, xz, zstd or bzip2, told by the first bytes), up to three layers."""
    for _ in range(3):
        head = stream.peek(6)
        opener = next((opener for magic, opener in _COMPRESSIONS.items() if head.startswith(magic)), None)
        if opener is None:
            break
        stream = Stream(opener(stream), stream.name, compressed=stream)
    return stream


class _Gunzip:
    """Reads concatenated gzip members; raises EOFError where the last is cut short.

    `resume` passes over a damaged member. The damage of a shortened one shows only after bytes of those behind it have
    been taken for its own, so what was read of a member is held, up to GZIP_HELD_BYTES.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream, self._data, self._member = stream, b"", zlib.decompressobj(31)
        self._began = False
        self._held: deque[bytes] = deque()  # what has been read of this member
        self._held_bytes = 0

    def resume(self) -> bool:
        """Find a member behind the damaged one; whether there is one. Raises InputError where the file itself ends."""
        data = b"".join((*self._held, self._data))
        at = 0
        while True:
            at = data.find(_GZIP_MEMBER, at + 1)
            if at < 0:
                more = self._stream.read(1 << 16)
                if not more:
                    return False
                data, at = data[-len(_GZIP_MEMBER) :] + more, -1
            elif _begins_member(data[at : at + 1024]):
                self._data, self._began = data[at:], True
                self._begin()
                return True

    def _begin(self) -> None:
        self._member = zlib.decompressobj(31)
        self._held.clear()
        self._held_bytes = 0

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        while self._held_bytes > GZIP_HELD_BYTES:
            self._held_bytes -= len(self._held.popleft())

    def __call__(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                self._data, self._began = self._member.unused_data.lstrip(b"\0"), False  # tapes pad with zeros
                self._begin()
            if not self._data:
                self._data = self._stream.read(1 << 16)
                if not self._began:
                    self._data = self._data.lstrip(b"\0")
            if not self._data:
                if self._began:
                    raise EOFError("it ends before its end-of-stream marker")
                return b""
            self._began = True
            out = self._member.decompress(self._data, size)
            rest = b"" if self._member.eof else self._member.unconsumed_tail
            self._hold(self._data[: len(self._data) - len(rest)])
            self._data = rest
            if out:
                return out


_GZIP_MEMBER = b"\x1f\x8b\x08"


def _begins_member(data: bytes) -> bool:
    """Whether a gzip member may begin here: a head without reserved flags, and data that unpacks."""
    if len(data) < 18 or data[3] & 0xE0:
        return False
    try:
        return bool(zlib.decompressobj(31).decompress(data, 64))
    except zlib.error:
        return False


def _zstd(stream: Stream) -> Callable[[int], bytes]:
    # Arrow's stream knows a truncated frame (python-zstandard's reader takes it for the end) and bounds each read.
    reader = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd")
    return lambda size: bytes(reader.read(min(size, 1 << 16)))


def _xz(stream: Stream) -> Callable[[int], bytes]:
    return lzma.LZMAFile(cast(Any, stream)).read1


def _bz2(stream: Stream) -> Callable[[int], bytes]:
    return bz2.BZ2File(stream).read1


_COMPRESSIONS: dict[bytes, Callable[[Stream], Callable[[int], bytes]]] = {
    b"\x1f\x8b": _Gunzip,
    b"\xfd7zXZ\x00": _xz,
    b"\x28\xb5\x2f\xfd": _zstd,
    b"BZh": _bz2,
}
