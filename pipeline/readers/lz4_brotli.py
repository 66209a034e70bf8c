"""Decompression of lz4 and brotli, whose decoders don't tell where in their input a member ends.

What stands behind a member would take with it what the decoder had unpacked in the same step. So lz4 is given one
frame at a time, whose blocks say where it ends; and where brotli fails, a second decoder, one piece behind the first,
goes through that piece byte by byte.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import brotli
import pyarrow as pa

from configs.errors import InputError

DAMAGED = "fetch or make the file again; what came before the damage has been read"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
_LZ4_BLOCK_MAX = 4 << 20
_SKIPPABLE = b"\x2a\x4d\x18"  # behind a byte 0x50 … 0x5f (RFC 8878, section 3.1.2)
_PIECE = 8 << 10
_LZ4_STEP, _BROTLI_STEP = 8 << 10, 64 << 10
"""The most to unpack at once. At a fault in lz4 this much is lost."""


class Source(Protocol):
    """Bytes in order, such as a `streams.Stream`."""

    name: str

    def read(self, size: int) -> bytes: ...


def is_skippable(head: bytes) -> bool:
    """Whether a skippable frame begins here, as pzstd writes them."""
    return len(head) >= 4 and head[0] & 0xF0 == 0x50 and head[1:4] == _SKIPPABLE


class _Input:
    """A source from which bytes can be taken by number, and given back."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._data = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer at the end; they are not taken."""
        while len(self._data) < size and (more := self._source.read(_PIECE)):
            self._data += more
        return self._data[:size]

    def take(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        taken = self.peek(size)
        self._data = self._data[len(taken) :]
        return taken

    def give_back(self, data: bytes) -> None:
        """Put bytes before those that come next."""
        self._data = data + self._data

    def behind_zeros(self, size: int) -> bytes:
        """The next bytes behind zeros, which are taken."""
        while (head := self.peek(1)) == b"\0":
            self._data = self._data.lstrip(b"\0")
        return self.peek(size) if head else b""

    def fault(self, codec: str, why: str) -> InputError:
        return InputError(self._source.name, f"damaged or truncated {codec} data ({why})", DAMAGED)

    def stray(self, codec: str) -> InputError:
        return InputError(self._source.name, f"what stands behind the end of its {codec} data is not", DAMAGED)


class Lz4:
    """Reads frames of lz4 one behind the other (`lz4_Frame_format.md`, version 1.6), and passes over what may stand
    between them: zeros and skippable frames."""

    def __init__(self, source: Source) -> None:
        self._input = _Input(source)
        self._frame: Any = None

    def __call__(self, size: int) -> bytes:
        while self._frame is not None or self._begin():
            try:
                out = bytes(self._frame.read(min(size, _LZ4_STEP)))
            except OSError as error:
                raise self._input.fault("lz4", str(error)[:200]) from error
            if out:
                return out
            self._frame = None
        return b""

    def _begin(self) -> bool:
        """Go to the next frame; False at the end."""
        while head := self._input.behind_zeros(len(LZ4_MAGIC)):
            if is_skippable(head):
                self._input.take(4)
                left = int.from_bytes(self._input.take(4), "little")
                while left and (piece := self._input.take(min(left, _PIECE))):
                    left -= len(piece)
                if left:
                    raise self._input.fault("lz4", "it ends within a skippable frame")
            elif head.startswith(LZ4_MAGIC):
                self._frame = pa.CompressedInputStream(pa.PythonFile(_Frame(self._input), mode="r"), "lz4")
                return True
            else:
                raise self._input.stray("lz4")
        return False


class _Frame:
    """A file of the bytes of one frame of lz4."""

    closed = False

    def close(self) -> None:
        """The file that the frame is part of is closed by the code that opened it."""

    def __init__(self, source: "_Input") -> None:
        self._pieces = self._split(source)
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        out, self._rest = self._rest[:size], self._rest[size:]
        return out

    @staticmethod
    def _split(source: "_Input") -> Iterator[bytes]:
        """Its bytes, up to its end or the end of the file."""
        head = source.take(7)
        yield head
        if len(head) < 7:
            return
        flags = head[4]
        if extra := 8 * bool(flags & 8) + 4 * (flags & 1):  # the size of the content, the number of a dictionary
            yield source.take(extra)
        while mark := source.take(4):
            yield mark
            if mark == b"\0\0\0\0":
                break
            left = int.from_bytes(mark, "little") & 0x7FFFFFFF
            if left > _LZ4_BLOCK_MAX:
                raise source.fault("lz4", f"a block of {left:,} bytes")
            left += 4 * bool(flags & 16)  # its checksum
            while left and (piece := source.take(min(left, _PIECE))):
                left -= len(piece)
                yield piece
        if flags & 4:
            yield source.take(4)  # the checksum of the content


class Brotli:
    """Reads streams of brotli one behind the other, with zeros between them."""

    def __init__(self, source: Source) -> None:
        self._input = _Input(source)
        self._ahead: Any = None
        self._behind: Any = None
        self._piece = b""
        self._out = memoryview(b"")
        self._given = 0  # bytes that were unpacked from the piece
        self._empty = True  # nothing yet of this member
        self._members = 0
        self._fault: InputError | None = None

    def __call__(self, size: int) -> bytes:
        while not self._out:
            if not self._unpack():
                return b""
        out, self._out = self._out[:size], self._out[size:]
        return bytes(out)

    def _unpack(self) -> bool:
        """A step; False at the end."""
        if self._fault is not None:
            raise self._fault
        if self._ahead is None:
            if not (self._input.behind_zeros(1) if self._members else self._input.peek(1)):
                return False
            self._ahead, self._behind, self._piece = brotli.Decompressor(), brotli.Decompressor(), b""
            self._members += 1
            self._empty = True
        try:
            out = self._ahead.process(b"", output_buffer_limit=_BROTLI_STEP)
            if not out and self._ahead.can_accept_more_data():
                self._follow()
                self._piece, self._given = self._input.take(_PIECE), 0
                if not self._piece:
                    raise self._failed("it ends before its end-of-stream marker", bool(self._empty))
                out = self._ahead.process(self._piece, output_buffer_limit=_BROTLI_STEP)
        except brotli.error:
            out = self._by_byte()
        else:
            self._given += len(out)
            self._empty &= not out
            if self._ahead.is_finished():
                self._ahead = None
        self._out = memoryview(out)
        return True

    def _follow(self) -> None:
        """The second decoder takes the piece that the first one has done with."""
        for _ in _processed(self._behind, self._piece):
            pass

    def _failed(self, why: str, nothing: bool) -> InputError:
        """That a member does not unpack; `nothing`, and it is not the first one: it is none."""
        return self._input.stray("brotli") if nothing and self._members > 1 else self._input.fault("brotli", why)

    def _by_byte(self) -> bytes:
        """What is left to unpack of the piece, up to the end of the member or the fault in it."""
        unpacked, out, at = 0, bytearray(), 0
        try:
            while at < len(self._piece) and not self._behind.is_finished():
                at += 1
                for new in _processed(self._behind, self._piece[at - 1 : at]):
                    out += new[max(0, self._given - unpacked) :]
                    unpacked += len(new)
        except brotli.error:
            self._fault = self._failed("it does not unpack", self._empty and not out)
        else:
            self._input.give_back(self._piece[at:])
            self._ahead = None
        return bytes(out)


def _processed(decoder: Any, data: bytes) -> Iterator[bytes]:
    """What a decoder makes of some bytes, in steps."""
    while (out := decoder.process(data, output_buffer_limit=_BROTLI_STEP)) or not decoder.can_accept_more_data():
        yield out
        data = b""
