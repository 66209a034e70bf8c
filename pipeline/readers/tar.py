"""Tar archives in order: ustar, GNU and pax headers, none of them believed.

Python's own reader holds whatever a header claims (a pax header of gigabytes, a map of holes that makes 8 TB of 3 kB),
parses pax by expressions that are quadratic in some versions, and stops at the first damaged header. Here headers are
bounded, sparse members are refused (text has no holes), and behind a damaged header the next whole one is looked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from configs.errors import InputError, UnsafeArchiveError
from pipeline.readers.names import visible
from pipeline.readers.streams import Stream, input_errors, is_bomb

BLOCK = 512
HEADER_BYTES_MAX = 1 << 20
"""A longer pax or GNU header is skipped: paths of systems end at 4,096 bytes."""

_FILES, _DATA_LESS = b"07\0", b"123456"
_ZERO = bytes(BLOCK)
_READ_AHEAD = 1 << 16  # compressed bytes that a decoder takes at once
_CUT = "it has no end: it may have been cut short behind its last member"
_LOOK = "fetch or make the archive again; its other members are read"


@dataclass
class TarEntry:
    """A member: its path, its type flag, the bytes stored for it, where it leads if it is a link.

    `start` is where its first header begins in the archive.
    """

    path: str
    kind: bytes
    size: int
    link: str
    sparse: bool = False
    extended: bool = False
    start: int = 0

    @property
    def is_file(self) -> bool:
        return self.kind in _FILES and not self.path.endswith("/")

    @property
    def is_link(self) -> bool:
        return self.kind in b"12"

    @property
    def is_device(self) -> bool:
        return self.kind in b"346"


@dataclass
class _Ahead:
    """What headers before a member say of it."""

    path: str | None = None
    link: str | None = None
    pax: dict[str, str] = field(default_factory=dict)


class TarReader:
    """The members of a tar archive; what is wrong with one goes to `on_problem`, and the next is read."""

    def __init__(self, stream: Stream, name: str, on_problem: Callable[[InputError], None]) -> None:
        self._stream, self._name, self._on_problem = stream, name, on_problem
        self._global: dict[str, str] = {}
        self._read_any = False
        self._ended = False  # whether an empty block stood behind the last member

    @property
    def has_global(self) -> bool:
        """Whether a header that was read says something of the members behind it, whichever they are."""
        return any(key in ("path", "linkpath", "size") or key.startswith("GNU.sparse.") for key in self._global)

    def __iter__(self) -> Iterator[tuple[TarEntry, Stream]]:
        """Entries with their bytes, which must be read before the next is asked for. Raises InputError."""
        with input_errors(self._name):
            ahead = _Ahead(pax=dict(self._global))
            start = -1
            while (block := self._next_header()) is not None:
                entry = _entry(block)
                start = self._stream.position - BLOCK if start < 0 else start
                if entry.kind in b"LKxgX":
                    self._read_ahead(entry, ahead)
                    continue
                _complete(entry, ahead)
                entry.start, start = start, -1
                ahead = _Ahead(pax=dict(self._global))
                if entry.sparse:
                    self._pass_sparse(entry)
                    continue
                size = 0 if entry.kind in _DATA_LESS else entry.size
                part = _Part(self._stream, size, f"{self._name}!{visible(entry.path)}")
                yield entry, part.stream
                if not part.skip():
                    if part.told:
                        return
                    raise InputError(self._name, _CUT, _LOOK)

    def _next_header(self) -> bytes | None:
        """The next block that is a header; None at the end. Passes over zeros, and tells of what is damaged."""
        damaged = False
        while True:
            block = self._stream.read(BLOCK)
            if len(block) < BLOCK:
                if block.strip(b"\0") and not damaged:
                    raise InputError(self._name, "it ends within the header of a member", _LOOK)
                if self._read_any and not self._ended and not damaged and not self._stream.is_part:
                    raise InputError(self._name, _CUT, _LOOK)
                return None
            if block == _ZERO:
                self._ended = True
                continue  # the end, or that of one of several archives in a row
            if _is_header(block) and (not damaged or block[257:262] == b"ustar"):
                self._read_any, self._ended = True, False
                return block
            if not self._read_any:
                raise InputError(self._name, "no tar archive, or its first header is damaged", _LOOK)
            if not damaged:
                damaged = True
                self._on_problem(InputError(self._name, "the header of a member is damaged", _LOOK))

    def _read_ahead(self, entry: TarEntry, ahead: _Ahead) -> None:
        """Take in a header that tells of the next member."""
        part = _Part(self._stream, entry.size, self._name)
        if entry.size > HEADER_BYTES_MAX:
            cause = f"a header of {entry.size:,} bytes before a member"
            self._on_problem(UnsafeArchiveError(self._name, cause, "it is skipped; check where the archive comes from"))
            part.skip()
            return
        data = part.stream.read()
        part.skip()
        if entry.kind == b"L":
            ahead.path = _text(data.split(b"\0")[0])
        elif entry.kind == b"K":
            ahead.link = _text(data.split(b"\0")[0])
        elif entry.kind == b"g":
            self._global = _pax(data)
            ahead.pax |= self._global
        else:
            ahead.pax |= _pax(data)

    def _pass_sparse(self, entry: TarEntry) -> None:
        while entry.extended:  # further maps of an old GNU sparse member
            block = self._stream.read(BLOCK)
            entry.extended = len(block) == BLOCK and block[504] != 0
        cause = "a sparse member (a file with holes)"
        shown = f"{self._name}!{visible(entry.path)}"
        self._on_problem(UnsafeArchiveError(shown, cause, "it is skipped; pack it without --sparse"))
        _Part(self._stream, entry.size, shown).skip()


class _Part:
    """The bytes of one member, as a stream of their own that knows where they end and what they unpack from."""

    def __init__(self, base: Stream, size: int, name: str) -> None:
        self._base, self._left, self._pad = base, size, -size % BLOCK
        self._before = base.compressed.given if base.compressed else 0
        self.told = False  # whether its reader met the end of the archive
        self.stream = Stream(self._read, name, refuse=self._is_bomb if base.compressed else None)

    def _read(self, wanted: int) -> bytes:
        data = self._base.read(min(wanted, self._left))
        if self._left and wanted and not data:
            self.told = True
            raise EOFError("the archive ends within this member")
        self._left -= len(data)
        return data

    def _is_bomb(self, given: int) -> bool:
        assert self._base.compressed
        packed = max(self._base.compressed.given - self._before, _READ_AHEAD)
        return is_bomb(given, packed)

    def skip(self) -> bool:
        """Go behind the member; False where the archive ends before. Raises InputError, if nobody was told yet."""
        left = self._left + self._pad
        left -= self._base.skip(left)
        if left > self._pad and not self.told:
            raise InputError(self.stream.name, "the archive ends within this member", _LOOK)
        return left <= 0


def _is_header(block: bytes) -> bool:
    """Whether a block bears its own checksum, and sizes that are numbers."""
    wanted = _number(block[148:156])
    if wanted is None or _number(block[124:136]) is None:
        return False
    rest = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(rest)
    return wanted == unsigned or wanted == unsigned - 256 * sum(byte > 127 for byte in rest)


def _number(field: bytes) -> int | None:
    """A number in octal digits, or in base 256; None where it is none, or negative."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big") if field[0] != 0xFF else None
    digits = field.split(b"\0")[0].strip()
    if not digits:
        return 0
    return int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _entry(block: bytes) -> TarEntry:
    path, kind = block[:100].split(b"\0")[0], block[156:157]
    if block[257:263] == b"ustar\0" and (prefix := block[345:500].split(b"\0")[0]):
        path = prefix + b"/" + path
    sparse = kind == b"S"
    link = _text(block[157:257].split(b"\0")[0])
    size = _number(block[124:136]) or 0
    return TarEntry(_text(path), kind, size, link, sparse, sparse and block[482] != 0)


def _complete(entry: TarEntry, ahead: _Ahead) -> None:
    """Bring what earlier headers say into an entry."""
    entry.path = ahead.pax.get("path", ahead.path or entry.path)
    entry.link = ahead.pax.get("linkpath", ahead.link or entry.link)
    size = ahead.pax.get("size", "")
    if size.isascii() and size.isdigit() and len(size) < 20:
        entry.size = int(size)
    if any(key.startswith("GNU.sparse.") for key in ahead.pax):
        entry.sparse = True
        entry.path = ahead.pax.get("GNU.sparse.name", entry.path)


def _pax(data: bytes) -> dict[str, str]:
    """Records `LENGTH KEY=VALUE` and a line feed (POSIX pax); stops at one that is none."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        digits = data[at : at + 20].split(b" ")[0]
        if not digits.isdigit():
            break
        length = int(digits)
        record = data[at + len(digits) + 1 : at + length]
        key, equals, value = record.rstrip(b"\n").partition(b"=")
        if length <= len(digits) + 1 or at + length > len(data) or not equals:
            break
        records[_text(key)] = _text(value)
        at += length
    return records
