"""Decompression in order: gzip, xz, bzip2, zstd, lz4, brotli and lzma, told by their first bytes or by the file's name.

Files are made of members one behind the other (`cat a.gz b.gz`, pbzip2, pigz, pzstd): all are read. Padding between
them is passed over (tapes and xz have zeros, pzstd skippable frames); anything else behind a member is a fault, and so
is an end in the midst of one. Faults name the format; none is silent.
"""

import bz2
import lzma
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

from configs.errors import InputError
from pipeline.readers.lz4_brotli import DAMAGED, LZ4_MAGIC, Brotli, Lz4, Source, is_skippable

XZ_MEMORY = 512 << 20
ZSTD_WINDOW_LOG_MAX = 29
"""`zstd --long=29`, 512 MiB of memory: a larger window is refused, as it would be by zstd itself."""

HELD_BYTES = 1 << 18
HEAD_BYTES = 512
"""First bytes by which a format is recognised."""
_PIECE = 1 << 16
_ZSTD_PIECE = 8 << 10
"""A zstd block of 4 bytes may stand for 128 KiB, and the library gives all that a piece holds: 256 MiB at most."""

_REMAKE = "pack the file with gzip, xz, bzip2 or zstd, or exclude it"


class _Decoder(Protocol):
    """One member."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipMember:
    """zlib's decoder in the manner of bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _ZstdFrame:
    """A frame of zstd: fed in small pieces, because each piece's output comes whole."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=1 << ZSTD_WINDOW_LOG_MAX).decompressobj()
        self._waiting = memoryview(b"")
        self._out = memoryview(b"")

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof) and not self._out

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data) + bytes(self._waiting)

    @property
    def needs_input(self) -> bool:
        return not self._waiting and not self._out

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._waiting = memoryview(data)
        if not self._out:
            piece, self._waiting = self._waiting[:_ZSTD_PIECE], self._waiting[_ZSTD_PIECE:]
            self._out = memoryview(self._inner.decompress(piece))
        out, self._out = self._out[:max_length], self._out[max_length:]
        return bytes(out)


@dataclass(frozen=True)
class Format:
    """A compression: its name, the bytes that a member begins with, its decoder, the most to unpack in one step.

    At a fault a step gives nothing, so steps are small where that costs little.
    """

    name: str
    magic: bytes
    decoder: Callable[[], Any]
    step: int = 8 << 10


GZIP = Format("gzip", b"\x1f\x8b", _GzipMember, 64 << 10)
XZ = Format("xz", b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY))
BZIP2 = Format("bzip2", b"BZh", bz2.BZ2Decompressor)
ZSTD = Format("zstd", b"\x28\xb5\x2f\xfd", _ZstdFrame, 256 << 10)
LZMA = Format("lzma", b"", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=XZ_MEMORY))

_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # of a file with text, and of an empty one
_HEAD = 18  # the longest header of a zstd frame

UNREADABLE = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"LZIP\x01": "an lzip file",
    b"\x1f\x9d": "a file of Unix compress",
    b"MSCF\0\0\0\0": "a cabinet archive",
    b"\xff\x06\x00\x00sNaPpY": "a snappy file",
    b"\x89LZO\x00\r\n": "an lzop file",
    b"\x02\x21\x4c\x18": "a file of lz4's legacy format",
}
"""First bytes of formats that are reported rather than read."""

COMPRESSION_SUFFIXES = (
    ".gz", ".xz", ".zst", ".zstd", ".bz2", ".dz", ".lz4", ".br", ".lzma", ".lz", ".lzo", ".Z", ".z", ".sz",
)  # fmt: skip
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def decompress(source: Source, head: bytes, path: str) -> Callable[[int], bytes] | None:
    """How to read `source` without its compression; None where it has none. `head` are its first bytes, not taken.

    What is returned gives at most about the bytes asked for, b"" at the end; it raises InputError at a fault.
    """
    if is_skippable(head) and not path.lower().endswith(".lz4"):
        return Members(source, ZSTD)
    for form in (GZIP, XZ, BZIP2, ZSTD):
        if head.startswith(form.magic) and (form is not BZIP2 or head[4:10] in _BZIP2_BLOCKS):
            return Members(source, form)
    if head.startswith(LZ4_MAGIC) or is_skippable(head):
        return Lz4(source)
    if head and path.lower().endswith(".br"):
        return Brotli(source)
    if head.startswith(b"\x5d\x00\x00") and path.lower().endswith((".lzma", ".tlz")):
        return Members(source, LZMA)
    return None


class Members:
    """Reads members one behind the other, and can pass over a damaged one.

    The damage of a shortened member shows only after bytes of those behind it have been taken for its own, so what was
    taken for a member is held, up to HELD_BYTES.

    `begun` may be set to a list: each member that begins then adds its place in the source, and how many bytes had been
    unpacked before it.
    """

    def __init__(self, source: Source, form: Format) -> None:
        self._source, self._format = source, form
        self._decoder: _Decoder | None = None
        self._data = b""
        self._taken = self._given = 0
        self.begun: list[tuple[int, int]] | None = None
        self._held: deque[bytes] = deque()
        self._held_bytes = 0

    def __call__(self, size: int) -> bytes:
        while True:
            if self._decoder is None and not self._begin():
                return b""
            decoder = self._decoder
            assert decoder is not None
            if decoder.needs_input and not self._data:
                self._data = self._take()
                if not self._data:
                    raise self._fault("it ends before its end-of-stream marker")
            try:
                data, self._data = self._data, b""
                self._hold(data)
                out = decoder.decompress(data, min(size, self._format.step))
            except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
                raise self._fault(str(error)) from error
            if decoder.eof:
                self._data, self._decoder = decoder.unused_data, None
            if out:
                self._given += len(out)
                return out

    def _take(self) -> bytes:
        data = self._source.read(_PIECE)
        self._taken += len(data)
        return data

    def _begin(self) -> bool:
        """Go to the next member; False at the end."""
        self._held.clear()
        self._held_bytes = 0
        while True:
            while len(self._data) < _HEAD and (more := self._take()):
                self._data = (self._data + more).lstrip(b"\0")
            self._data = self._data.lstrip(b"\0")
            if not self._data:
                return False
            if self._format is ZSTD and is_skippable(self._data):
                self._skip()
                continue
            if not self._data.startswith(self._format.magic):
                cause = f"what stands behind the end of its {self._format.name} data is not"
                raise InputError(self._source.name, cause, DAMAGED)
            if self._format is ZSTD:
                self._check_window()
            self._decoder = self._format.decoder()
            if self.begun is not None:
                self.begun.append((self._taken - len(self._data), self._given))
            return True

    def _hold(self, data: bytes) -> None:
        """Keep what the decoder of this member takes."""
        if not data:
            return
        self._held.append(data)
        self._held_bytes += len(data)
        while self._held_bytes - len(self._held[0]) > HELD_BYTES:
            self._held_bytes -= len(self._held.popleft())

    def resume(self) -> bool:
        """Find a member behind the damaged one; whether there is one. Raises InputError where the file itself ends."""
        magic = self._format.magic
        if not magic:
            return False
        data = b"".join((*self._held, self._data))
        at = 0
        while True:
            at = data.find(magic, at + 1)
            if at < 0:
                more = self._take()
                if not more:
                    return False
                data, at = data[-len(magic) :] + more, -1
            elif self._begins_member(data[at : at + 1024]):
                self._data, self._decoder = data[at:], None
                return True

    def _begins_member(self, data: bytes) -> bool:
        """Whether a member may begin here: a head that can be one, and data that unpacks."""
        if len(data) < 14:
            return False
        if (self._format is GZIP and (data[2] != 8 or data[3] & 0xE0)) or (
            self._format is BZIP2 and data[4:10] not in _BZIP2_BLOCKS
        ):
            return False
        try:
            out = self._format.decoder().decompress(data, 64)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError):
            return False
        return bool(out) or self._format is not GZIP

    def _skip(self) -> None:
        size = 8 + int.from_bytes(self._data[4:8], "little")
        while size >= len(self._data):
            size -= len(self._data)
            self._data = self._take()
            if not self._data:
                if size:
                    raise self._fault("it ends within a skippable frame")
                return
        self._data = self._data[size:]

    def _check_window(self) -> None:
        try:
            window = zstandard.get_frame_parameters(self._data[:_HEAD]).window_size
        except zstandard.ZstdError:
            return  # the decoder says what is wrong
        if window > 1 << ZSTD_WINDOW_LOG_MAX:
            cause = f"its zstd window of {window >> 20:,} MiB is more than {1 << ZSTD_WINDOW_LOG_MAX - 20} MiB"
            remedy = f"compress it again with `zstd --long={ZSTD_WINDOW_LOG_MAX}` or less"
            raise InputError(self._source.name, cause, remedy)

    def _fault(self, why: str) -> InputError:
        return InputError(self._source.name, f"damaged or truncated {self._format.name} data ({why})", DAMAGED)


def refuse_unreadable(name: str, head: bytes) -> None:
    """Raise InputError where the first bytes are those of a format that is not read."""
    for magic, what in UNREADABLE.items():
        if head.startswith(magic):
            raise InputError(name, f"{what}, which is not read", _REMAKE)


def refuse_misnamed(name: str, path: str, head: bytes) -> None:
    """Raise InputError where a name promises a compression that the bytes, being no text either, are not of."""
    if path.endswith(COMPRESSION_SUFFIXES) and b"\0" in head and not head.startswith(_UTF_16):
        cause = f"neither {path[path.rindex('.') :]} nor text, whatever its name says"
        raise InputError(name, cause, "its beginning may be damaged: fetch or make the file again")
