"""The records of a web archive (WARC, ISO 28500), read in order, with memory bounded by the limit of a document.

A record that is damaged costs no other: reading resumes at the next line that begins `WARC/1.`, in files compressed
record by record at the next member that can be found. FastWARC 2.0 wants to seek, and its native code panics, beyond
what Python can catch as an error, where a stream reports damage.
"""

import codecs
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field

from configs.errors import InputError, NoTextError
from pipeline.readers import streams
from pipeline.readers.streams import Stream, too_large

KINDS = ("warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation")
_HEAD = b"WARC/1."
_HEAD_BYTES_MAX = 1 << 18
_URI_SHOWN = 200


@dataclass
class Record:
    """A record: its number in the file (from 1), its fields (names in lower case, the first of each) and its body.

    `start` is the place of its first byte, unpacked.
    """

    file: str
    number: int
    fields: dict[str, str]
    start: int = 0
    body: bytes = field(default=b"", repr=False)

    @property
    def kind(self) -> str:
        """`response`, `conversion`, …, in lower case."""
        return self.fields.get("warc-type", "").lower()

    @property
    def uri(self) -> str:
        """What was fetched; "" if it does not say."""
        return self.fields.get("warc-target-uri", "").strip("<>")

    @property
    def name(self) -> str:
        """How messages name it."""
        uri = self.uri if len(self.uri) <= _URI_SHOWN else self.uri[:_URI_SHOWN] + "…"
        return f"{self.file}, record {self.number}" + (f" ({uri})" if uri else "")


def read_records(
    stream: Stream, kinds: Container[str], report: Callable[[InputError], None], before: int = 0
) -> Iterator[Record]:
    """The records whose type is in `kinds`. What is lost of the file goes to `report`, each loss once.

    The first is number `before` + 1.
    """
    window = _Window(stream)
    window.skip_mark()
    number = before
    while True:
        window.skip_blank()
        if not window.has(1):
            if window.fault is not None and not window.told:
                report(window.fault)
            if not window.resume():
                return
            continue
        if not window.starts_with(b"WARC/"):
            if number == 0 and window.starts_with(b"filedesc:"):
                raise InputError(stream.name, "an ARC file, the format before WARC", "convert it to WARC")
            lost = window.skip_to_head(1)
            report(_lost(stream.name, f"{lost:,} bytes behind record {number} that belong to no record"))
            continue
        number += 1
        record = Record(stream.name, number, {}, window.position)
        try:
            found = _read_record(window, record, kinds)
        except InputError as error:
            report(error.with_traceback(None))
        else:
            if found:
                yield record


def parse_fields(head: bytes, lists: Container[str] = ()) -> dict[str, str]:
    """The fields of a head, of WARC or HTTP, without its first line: names in lower case, the first of each name.

    Those named in `lists` may come in several lines, which are joined by commas (RFC 9110, section 5.3). Text is UTF-8
    or else ISO-8859-1. What is no field is left out.
    """
    fields: dict[str, str] = {}
    name = ""
    for raw in head.split(b"\n")[1:]:
        line = as_text(raw.rstrip(b"\r"))
        if line[:1] in (" ", "\t") and name:
            fields[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if colon and name in fields and name in lists:
            fields[name] += f", {value.strip()}"
            continue
        if not colon or name in fields:
            name = ""
            continue
        fields[name] = value.strip()
    return fields


def as_text(data: bytes) -> str:
    """Bytes of a head as text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def head_end(data: bytes | bytearray, at: int, limit: int) -> int:
    """Where what follows a head begins, behind its empty line, CR LF or LF alone; -1 if that is not before `limit`."""
    ends = [(data.find(mark, at, limit), len(mark)) for mark in (b"\n\r\n", b"\n\n")]
    return min((place + length for place, length in ends if place >= 0), default=-1)


def _read_record(window: "_Window", record: Record, kinds: Container[str]) -> bool:
    """Read one record into `record`; whether it is wanted. Raises InputError where it is damaged or too large."""
    head = window.take_head()
    if head is None:
        window.skip_to_head(1)
        raise _lost(record.name, window.cause() or "its header is truncated")
    record.fields = parse_fields(head)
    length = record.fields.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 19):
        window.skip_to_head()
        raise _lost(record.name, "no Content-Length" if not length else "its Content-Length is no number of bytes")
    size = int(length)
    wanted = record.kind in kinds
    if size > streams.DOCUMENT_BYTES_MAX:
        missing = window.skip(size)
        if missing:
            raise _lost(record.name, window.cause() or f"{missing:,} bytes shorter than its Content-Length says")
        if wanted:
            raise too_large(record.name)
        return False
    if not window.has(size):
        window.skip_to_head()
        raise _lost(record.name, window.cause() or "shorter than its Content-Length says")
    if not window.ends_at(size) and window.holds_head(size):
        window.skip_to_head()
        raise _lost(record.name, "shorter than its Content-Length says")
    if wanted:
        record.body = window.peek(size)
    window.take(size)
    if not record.kind:
        raise _lost(record.name, "no WARC-Type")
    if record.kind not in KINDS:
        raise NoTextError(record.name, f"a record of type {record.kind[:100]}", "the standard does not know it")
    return wanted


def _lost(name: str, cause: str) -> InputError:
    return InputError(name, cause, "it is skipped; fetch or make the file again if you need it")


class _Window:
    """The part of a stream that is held: a buffer and a place in it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._data = bytearray()
        self._at = self._left = 0
        self._ended = False
        self.fault: InputError | None = None
        self.told = False  # whether a record was lost with the fault as its cause

    @property
    def position(self) -> int:
        """How many bytes have been taken."""
        return self._left + self._at

    def has(self, size: int) -> bool:
        """Whether `size` more bytes are there. Fewer at the end of the file or before its `fault`."""
        while len(self._data) - self._at < size:
            if self._ended:
                return False
            if self._at:
                self._left += self._at
                del self._data[: self._at]
                self._at = 0
            try:
                data = self._stream.read(streams.CHUNK)
            except InputError as error:
                self.fault = error
                data = b""
            self._data += data
            self._ended = not data
        return True

    def resume(self) -> bool:
        """Go on behind a fault, where the compression allows it."""
        if self.fault is None or not self._stream.resume():
            return False
        self.fault, self.told, self._ended = None, False, False
        return True

    def cause(self) -> str:
        """Why reading ended, if at a fault; "" otherwise. What was lost with it is then told."""
        if self.fault is None:
            return ""
        self.told = True
        return self.fault.cause

    def peek(self, size: int) -> bytes:
        self.has(size)
        return bytes(memoryview(self._data)[self._at : self._at + size])

    def take(self, size: int) -> None:
        self._at += size

    def starts_with(self, mark: bytes) -> bool:
        return self.has(len(mark)) and self._data.startswith(mark, self._at)

    def skip_mark(self) -> None:
        """Pass over a byte order mark, which text editors write."""
        if self.starts_with(codecs.BOM_UTF8):
            self._at += len(codecs.BOM_UTF8)

    def skip_blank(self) -> None:
        while self.has(1) and self._data[self._at] in b"\r\n":
            self._at += 1

    def ends_at(self, size: int) -> bool:
        """Whether a record, or the end of what can be read, follows the next `size` bytes and line ends."""
        while self.has(size + 1) and self._data[self._at + size] in b"\r\n":
            size += 1
        return not self.has(size + 5) or self._data.startswith(b"WARC/", self._at + size)

    def holds_head(self, size: int) -> bool:
        """Whether another record begins within the next `size` bytes."""
        return self._find_head(self._at, self._at + size) >= 0

    def take_head(self) -> bytes | None:
        """The head that begins here, with its empty line; None if it does not end before the limit or another one."""
        size = 1 << 12
        while True:
            whole = not self.has(size)
            torn = self._find_head(self._at + 1, self._at + size)
            end = head_end(self._data, self._at, self._at + size if torn < 0 else torn)
            if end >= 0:
                head = bytes(memoryview(self._data)[self._at : end])
                self._at = end
                return head
            if torn >= 0 or whole or size >= _HEAD_BYTES_MAX:
                return None
            size *= 2

    def skip_to_head(self, beyond: int = 0) -> int:
        """Pass over all up to the next line that begins a record, or to the end; returns how many bytes."""
        return self._skip(1 << 62, beyond)

    def skip(self, size: int) -> int:
        """Pass over `size` bytes, fewer if a record begins before; returns how many fewer."""
        return size - self._skip(size, 0)

    def _skip(self, size: int, beyond: int) -> int:
        passed = 0
        while passed < size and self.has(1):
            self.has(min(size - passed, len(_HEAD) + 8))
            end = min(len(self._data), self._at + size - passed)
            found = self._find_head(self._at + beyond, end)
            beyond = 0
            if found >= 0:
                passed += found - self._at
                self._at = found
                return passed
            keep = 0 if self._ended or passed + end - self._at >= size else len(_HEAD) + 4
            step = max(end - self._at - keep, 1)
            passed += step
            self._at += step
        return passed

    def _find_head(self, start: int, end: int) -> int:
        """Where a line begins that looks like the first of a record; -1 if none begins before `end`."""
        at = start
        while (at := self._data.find(_HEAD, at, end)) >= 0:
            behind_line = at == 0 or self._data[at - 1] in b"\r\n\0"  # zeros: a hole of a copy that was cut off
            if behind_line and self._data[at + 7 : at + 9].rstrip(b"\r\n").isdigit():
                return at
            at += 1
        return -1
