"""Comma- and tab-separated values. A record that is not closed costs its first line; reading resumes behind it."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import Any

from configs.errors import InputError
from pipeline.readers import streams
from pipeline.readers.containers import Member
from pipeline.readers.encodings import line_feeds, utf8
from pipeline.readers.rows import Context, Row
from pipeline.readers.streams import Stream, lines
from pipeline.readers.tables import metadata_columns, missing_column, row_of, wanted_columns

SKIPPED = "the record is skipped; repair it"
_DELIMITERS = ",;\t|"
_HINT_MAX = len("sep=;\r\n")  # a first line by which spreadsheets say what separates
_LINE_COST = 64
"""Bytes that a line held counts beside its text."""


def read_csv(member: Member, context: Context) -> Iterator[Row]:
    """RFC 4180 with a header row; a record in quotes may hold line feeds.

    Fields may be separated by semicolons, tabs or bars, where that gives the columns that the source names.
    """
    return _delimited(member, context, {"delimiter": ",", "strict": True})


def read_tsv(member: Member, context: Context) -> Iterator[Row]:
    """Tab-separated values with a header row; quotes are ordinary characters (IANA text/tab-separated-values)."""
    return _delimited(member, context, {"delimiter": "\t", "quoting": csv.QUOTE_NONE})


def _delimited(member: Member, context: Context, dialect: dict[str, Any]) -> Iterator[Row]:
    columns, on_problem = context.source.columns, context.on_problem
    csv.field_size_limit(streams.DOCUMENT_BYTES_MAX)
    source = _Lines(member.stream, context)
    header, dialect = _header(source, member.name, context, dialect)
    if not header:
        return
    names = dict.fromkeys([*wanted_columns(columns), *metadata_columns(columns, header)])
    first = {name: place for place, name in reversed(list(enumerate(header)))}
    places = [(name, first[name]) for name in names]
    number = 0
    while True:
        number += 1
        where = f"{member.name}, record {number}"
        try:
            values = _record(source, dialect)
            if values is None:
                return
            if not values:
                continue
            if len(values) > len(header) and not any(values[len(header) :]):
                del values[len(header) :]  # commas at the end of every line
            if len(values) != len(header):
                raise InputError(where, f"{len(values)} fields, the header has {len(header)}", SKIPPED)
            row = row_of({name: values[place] for name, place in places}, columns, where, f"#{number}")
        except csv.Error as error:
            cause = f"not valid CSV: {error}"
            spanned = source.back_to_second()
            if spanned > 1:
                cause += f"; a quote may not be closed: its line is skipped, the {spanned - 1} behind it are read again"
            on_problem(InputError(where, cause, SKIPPED))
            continue
        except InputError as error:
            if source.spanned > 1 and source.second_has(len(header), dialect):
                source.back_to_second()
            on_problem(error)
            continue
        yield row


def _header(source: "_Lines", name: str, context: Context, dialect: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The names of the columns, and the dialect with the separator that gives those wanted; [] of an empty file."""
    wanted = wanted_columns(context.source.columns)
    source.begin()
    line = next((line for line in source if line.strip() and not _is_hint(line)), None)
    if line is None:
        return [], dialect
    source.back(line)
    candidates = [dialect] + [
        {"delimiter": mark, "strict": True} for mark in _DELIMITERS if mark != dialect["delimiter"]
    ]
    headers: list[list[str]] = []
    fault = ""
    for candidate in candidates:
        source.begin()
        try:
            header = next(csv.reader(source, **candidate))
        except (csv.Error, StopIteration) as error:
            header, fault = [], fault or str(error)
        if not all(column in header for column in wanted):
            plain = [column.strip(" \t\ufeff") for column in header]
            header = plain if all(column in plain for column in wanted) else header
        if all(column in header for column in wanted):
            twice = next((column for column in wanted if header.count(column) > 1), None)
            if twice:
                cause = f"there are {header.count(twice)} columns named `{twice}`"
                raise InputError(name, cause, "give each its own name in the header")
            return header, candidate
        headers.append(header)
        source.back_all()
    if not headers[0]:
        raise InputError(name, f"its header is not valid CSV: {fault}", "repair the file")
    column = next(column for column in wanted if column not in headers[0])
    raise missing_column(name, column, max(headers, key=len) if len(headers[0]) == 1 else headers[0])


def _is_hint(line: str) -> bool:
    return line.startswith("sep=") and len(line) <= _HINT_MAX


def _record(source: "_Lines", dialect: dict[str, Any]) -> list[str] | None:
    """The next record, [] for a blank line, None at the end; raises csv.Error."""
    source.begin()
    return next(source.reader(dialect), None)


class _Lines:
    """Lines with their ends, and those of the record that is read, to go back to."""

    def __init__(self, stream: Stream, context: Context) -> None:
        self._lines = lines(line_feeds(utf8(stream, context.source.encoding)), context.on_problem)
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []
        self._held = 0
        self._reader: Any = None

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._read()
        self._taken.append(line)
        if len(self._taken) > 1:
            self._held += len(line) + _LINE_COST
            if self._held > streams.DOCUMENT_BYTES_MAX * 2:
                raise csv.Error(f"a record of more than {streams.DOCUMENT_BYTES_MAX >> 20} MiB")
        return line

    def _read(self) -> str:
        # Bytes that do not decode become surrogates, which the batcher refuses document by document.
        return next(self._lines)[1].decode("utf-8", "surrogateescape") + "\n"

    @property
    def spanned(self) -> int:
        """How many lines the record has so far."""
        return len(self._taken)

    def begin(self) -> None:
        """A record begins."""
        self._taken, self._held = [], 0

    def reader(self, dialect: dict[str, Any]) -> Any:
        """The reader of records over these lines; a new one after a fault."""
        if self._reader is None:
            self._reader = csv.reader(self, **dialect)
        return self._reader

    def back(self, line: str) -> None:
        """Put a line back before the others."""
        self._waiting.appendleft(line)

    def back_all(self) -> None:
        """Go back to the first line of the record."""
        self._waiting.extendleft(reversed(self._taken))
        self._taken = []

    def back_to_second(self) -> int:
        """Go back to the second line of the record; returns how many it had."""
        count = len(self._taken)
        self._waiting.extendleft(reversed(self._taken[1:]))
        self._taken, self._reader = [], None
        return count

    def second_has(self, fields: int, dialect: dict[str, Any]) -> bool:
        """Whether the second line of the record is a record of as many fields by itself."""
        try:
            return fields > 1 and len(next(csv.reader([self._taken[1]], **dialect))) == fields
        except csv.Error:
            return False
