"""JSON lines; also one array, objects over several lines, several objects a line, and lines that end in CR alone.

orjson reads a line. What it refuses or would round (NaN, lone surrogates, integers beyond 64 bits, fractions as keys)
is read again by Python's parser, which is slower and exact.
"""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from configs.errors import InputError
from configs.models import Columns
from pipeline.readers import streams
from pipeline.readers.containers import Member
from pipeline.readers.encodings import utf8
from pipeline.readers.rows import Context, Row
from pipeline.readers.streams import CHUNK, Stream, lines, too_large
from pipeline.readers.tables import metadata_columns, row_of, wanted_columns

SKIPPED = "the line is skipped; repair it"
_DIGITS_MAX = 4000  # Python refuses to make integers of more than 4300 digits, which takes quadratic time
_VALUES_MAX = 4 << 20
_FAULTS_MAX = 100  # of a line of several objects: what follows is left, or a line of nothing else takes minutes
_STRAY = codecs.BOM_UTF8 + b"\0\x1e\x0b\x0c \t\r"
"""Before a value: marks of files put together, holes of sparse files, RFC 7464's separators, form feeds."""
_ROUNDED_MIN = 2**63  # orjson makes fractions of integers beyond 64 bits


Adapt = Callable[[dict[str, Any], int], dict[str, Any]]
"""From a record and the number of its line to the record whose keys are the columns."""


def read_jsonl(member: Member, context: Context, adapt: Adapt | None = None) -> Iterator[Row]:
    """One JSON object a document. What is none (bad UTF-8, lone surrogates, another value) is a problem."""
    columns, on_problem = context.source.columns, context.on_problem
    text = member.stream if member.before else utf8(member.stream, context.source.encoding)
    simple = wanted_columns(columns) == (columns.text,) and not columns.metadata and adapt is None
    parse = orjson.loads
    if member.before or is_lines(text.peek(CHUNK)):
        kind, numbered = "line", lines(text, on_problem, blank=False, before=member.before)
    else:
        kind, numbered = "value", _values(text, on_problem)
    for number, line in numbered:
        if not line or line.isspace():
            continue
        where = f"{member.name}, {kind} {number}"
        try:
            record = parse(line) if len(line) < _VALUES_MAX else _parse_large(line, where)
        except json.JSONDecodeError as error:
            yield from _read_again(line, number, where, error, context, adapt)
            continue
        except InputError as error:
            on_problem(error)
            continue
        value = record.get(columns.text) if simple and isinstance(record, dict) else None
        if isinstance(value, str):  # most files, and twice as fast
            yield Row(value, f"#{number}")
            continue
        if not isinstance(record, dict):
            on_problem(InputError(where, "not a JSON object", SKIPPED))
            continue
        if adapt is not None and not _is_rounded(record, columns):
            record = adapt(record, number)
        if _is_rounded(record, columns):
            yield from _read_again(line, number, where, None, context, adapt)
        else:
            try:
                yield row_of(record, columns, where, f"#{number}")
            except InputError as error:
                on_problem(error)


def is_lines(head: bytes) -> bool:
    """Whether a file that begins so has a value a line; else values are found by their brackets."""
    head = head.lstrip()
    if head.startswith(b"["):
        return False
    first, end, rest = head.partition(b"\n")
    if not end:
        return b"\r" not in head
    if not first.startswith(b"{") or not first.rstrip().endswith((b"{", b"[", b",")):
        return True
    second = rest.lstrip().partition(b"\n")[0]
    return _is_object(first) or _is_object(second)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except json.JSONDecodeError:
        return False


def _parse_large(line: bytes, where: str) -> Any:
    """Parse megabytes, unless they hold so many values that these would take gigabytes."""
    if sum(line.count(mark) for mark in (b"{", b"[", b'"')) > 2 * _VALUES_MAX:
        raise InputError(where, f"more than {_VALUES_MAX} values in one document", SKIPPED)
    return orjson.loads(line)


def _is_rounded(record: dict[str, Any], columns: Columns) -> bool:
    """Whether a number that is asked for may not be what the line says."""
    for column in (columns.id, columns.language, columns.licence, columns.uri):
        if column and isinstance(record.get(column), float):
            return True
    stack = [record.get(column) for column in metadata_columns(columns, record)]
    while stack:
        value = stack.pop()
        if isinstance(value, float) and abs(value) >= _ROUNDED_MIN:
            return True
        if isinstance(value, list | dict):
            stack.extend(value if isinstance(value, list) else value.values())
    return False


def _read_again(
    line: bytes,
    number: int,
    where: str,
    error: json.JSONDecodeError | None,
    context: Context,
    adapt: Adapt | None = None,
) -> Iterator[Row]:
    """The documents of a line that orjson refuses: one, or several; what is no JSON ends it."""
    columns, count, faults = context.source.columns, 0, 0
    try:
        for record in _exact_values(line.lstrip(_STRAY)):
            count += 1
            suffix = f"#{number}" if count == 1 else f"#{number}.{count}"
            try:
                if not isinstance(record, dict):
                    raise InputError(where, "not a JSON object", SKIPPED)
                if adapt is not None:
                    record = adapt(record, number)
                row = row_of(record, columns, where, suffix)
            except InputError as problem:
                context.on_problem(problem)
                faults += 1
                if faults == _FAULTS_MAX or not isinstance(record, dict):
                    return
            else:
                yield row
    except json.JSONDecodeError as second:
        cause = second.msg if count or error is None else error.msg
        context.on_problem(InputError(where, f"not valid JSON: {cause}", SKIPPED))
    except RecursionError:
        context.on_problem(InputError(where, "not valid JSON: nested too deep", SKIPPED))


def _exact_values(line: bytes) -> Iterator[Any]:
    text = line.decode("utf-8", "surrogateescape")
    at = _skip_space(text, 0)
    while at < len(text):
        value, at = _EXACT.raw_decode(text, at)
        yield value
        at = _skip_space(text, at)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


class _Number(float):
    """A fraction that remembers how it was written: `1.10` as a key is not `1.1`."""

    written: str

    def __str__(self) -> str:
        return self.written


def _fraction(written: str) -> _Number | str:
    number = _Number(written)
    number.written = written
    return number if math.isfinite(number) else written


def _integer(written: str) -> int | str:
    return int(written) if len(written) <= _DIGITS_MAX else written


_EXACT = json.JSONDecoder(parse_int=_integer, parse_float=_fraction, parse_constant=str, strict=False)

_OUTSIDE = re.compile(rb'["{}\[\]]')
_BETWEEN = re.compile(rb"[^\s,]")
_IN_STRING = re.compile(rb'["\\\n\r]')
_AFTER_STRAY = re.compile(rb"[\s,{}\[\]]")


def _values(stream: Stream, on_problem: Callable[[InputError], None]) -> Iterator[tuple[int, bytes]]:
    """Numbered objects of a stream, and elements of its arrays, found by their brackets; each byte is looked at once.

    What stands between them is a problem; so is what is not closed at the end. A string ends where its line does:
    after a fault the next object is found.
    """
    splitter = _Splitter(stream.name)
    while data := stream.read(CHUNK):
        for value in splitter.feed(data):
            if isinstance(value, InputError):
                on_problem(value)
            else:
                yield splitter.number, value
    if splitter.depth or splitter.in_string:
        where = f"{stream.name}, value {splitter.number}"
        cause = f"not valid JSON: it is not closed; {splitter.held} bytes to the end of the file are lost"
        on_problem(InputError(where, cause, "repair the file"))
    elif splitter.in_array:
        cause = f"not valid JSON: its array is not closed after {splitter.number} values; there may have been more"
        on_problem(InputError(stream.name, cause, "repair the file, or fetch it again"))


class _Splitter:
    """Where in a stream of JSON values it is. `number` counts them, `held` is the size of the one that is open.

    `in_array`: an array around them is open.
    """

    def __init__(self, name: str) -> None:
        self._name, self._parts = name, list[bytes]()
        self.number = self.held = self.depth = 0
        self.in_string = self._escaped = self.in_array = False

    def feed(self, data: bytes) -> Iterator[bytes | InputError]:
        """Take bytes; gives the values that they complete, and problems."""
        at, start = 0, 0
        while at < len(data):
            if self._escaped:
                at, self._escaped = at + 1, False
            elif self.in_string:
                match = _IN_STRING.search(data, at)
                at = match.end() if match else len(data)
                mark = match.group() if match else b""
                self._escaped = mark == b"\\"
                self.in_string = not match or self._escaped
                if mark in (b"\n", b"\r"):
                    self._drop()
                    yield self._problem("not valid JSON: a line ends within a string")
            elif self.depth:
                match = _OUTSIDE.search(data, at)
                at = match.end() if match else len(data)
                mark = match.group() if match else b""
                self.in_string = mark == b'"'
                self.depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
                if mark and not self.depth:
                    yield self._close(data[start:at])
            else:
                at = start = self._between(data, at)
                if at < 0:
                    return
                if not self.depth:
                    at = self._stray_end(data, at)
                    yield self._problem("not a JSON object")
                else:
                    at += 1
        if self.depth:
            self._hold(data[start:])

    def _between(self, data: bytes, at: int) -> int:
        """Go to where the next value, or what is none, begins; -1 where the data ends before."""
        while match := _BETWEEN.search(data, at):
            mark, at = match.group(), match.end()
            if mark == b"[" and not self.in_array:
                self.in_array = True
            elif mark in (b"]", b"}"):
                self.in_array = False
            else:
                self.number += 1
                self.depth = int(mark in (b"{", b"["))
                return match.start()
        return -1

    def _stray_end(self, data: bytes, at: int) -> int:
        if data[at : at + 1] == b'"':
            end = at + 1
            while match := _IN_STRING.search(data, end):
                end = match.end() + (match.group() == b"\\")
                if match.group() != b"\\":
                    return end
            return len(data)
        match = _AFTER_STRAY.search(data, at + 1)
        return match.start() if match else len(data)

    def _close(self, rest: bytes) -> bytes | InputError:
        self._hold(rest)
        parts, size = self._parts, self.held
        self._drop()
        return (
            b"".join(parts) if size <= streams.DOCUMENT_BYTES_MAX else too_large(f"{self._name}, value {self.number}")
        )

    def _hold(self, data: bytes) -> None:
        self.held += len(data)
        if self.held > streams.DOCUMENT_BYTES_MAX:
            self._parts = []
        else:
            self._parts.append(data)

    def _drop(self) -> None:
        self._parts, self.held, self.depth, self.in_string = [], 0, 0, False

    def _problem(self, cause: str) -> InputError:
        return InputError(f"{self._name}, value {self.number}", cause, "it is skipped; repair it")
