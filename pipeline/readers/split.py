"""Where large files are cut into parts that are read apart, found by one pass that is far cheaper than reading them.

Lines and records are counted as they go by, so that a part gives its documents the keys and numbers that they have in
the whole. Cut are lines and web archives, as they are stored or where a compressed member begins (bgzip, several frames
of zstd, `cat a.gz b.gz`), tar archives, Parquet and Arrow files. From what is damaged on, or where own keys of
documents repeat (only a reader of the whole file can number them), a file stays whole, and the reason is reported.
"""

from array import array
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import xxhash

from configs.errors import InputError, NoTextError
from configs.models import Languages, Source
from pipeline.readers import parts, streams
from pipeline.readers.arrow_tables import table_keys, table_sizes
from pipeline.readers.compression import HEAD_BYTES, Members, decompress
from pipeline.readers.containers import Member, is_archive, safe_path
from pipeline.readers.encodings import HEAD_BYTES as TEXT_HEAD_BYTES
from pipeline.readers.encodings import encoding_of
from pipeline.readers.json_lines import is_lines
from pipeline.readers.parts import Part, open_part
from pipeline.readers.reading import READERS
from pipeline.readers.rows import Context
from pipeline.readers.streams import CHUNK, Stream, input_errors, open_file
from pipeline.readers.tar import TarReader
from pipeline.readers.units import Unit, UnitFile, files_of, resolve
from pipeline.readers.warc import read_records

_MEMBER_PARTS_MAX = 4
"""A compressed member that unpacks to more parts than these is one that has no end in sight: a plain gzip."""

_WEB = ("warc", "wet")
_TABLES = {"parquet": b"PAR1", "arrow": b"ARROW1"}


@dataclass(frozen=True)
class Split:
    """How a large file is read: its parts in order, and why there are no more; `why` is "" where all of it is cut."""

    parts: tuple[Part, ...]
    why: str = ""


@dataclass
class _Cuts:
    """The cuts of one file as they are found: start, skip, place unpacked, and how many items stand before.

    `keys` are hashes of what documents are known by, part by part, where they are met on the way.
    """

    kind: str
    found: list[tuple[int, int, int, int]] = field(default_factory=lambda: [(0, 0, 0, 0)])
    why: str = ""
    keys: list["array[int]"] | None = None

    @property
    def target(self) -> int:
        """From where on the next cut may be, unpacked."""
        return self.found[-1][2] + parts.PART_BYTES

    def add(self, start: int, skip: int, place: int, before: int) -> None:
        self.found.append((start, skip, place, before))

    def split(self) -> Split:
        ends = [place for _, _, place, _ in self.found[1:]]
        lengths = [end - cut[2] for cut, end in zip(self.found, ends, strict=False)] + [parts.TO_END]
        made = tuple(
            Part(self.kind, start, skip, length, before)  # type: ignore[arg-type]
            for (start, skip, _, before), length in zip(self.found, lengths, strict=True)
        )
        return Split(made if len(made) > 1 else (), self.why)


def is_large(unit: Unit, source: Source) -> bool:
    """Whether a unit is one file that may be worth cutting."""
    return (
        unit.size > parts.PART_BYTES
        and source.reader not in ("datasets", "dictd")
        and not unit.lost
        and len(unit.members) <= 1
    )


def split_file(unit: Unit, source: Source, languages: Languages) -> Split:
    """Find the parts of a large file (see `is_large`). What cannot be read is reported when it is read, not here."""
    (file,) = files_of(replace(unit, uri=resolve(unit.uri)), source)
    cuts = _Cuts("bytes")
    context = Context(source, languages, _pass_over, batch_documents=1000)
    try:
        with open_file(file.uri, file.name) as stream:
            _find(stream, file, context, cuts)
    except InputError as error:
        cuts.why = error.cause
    split = cuts.split()
    if not split.parts:
        return split
    keys = cuts.keys
    if keys is None and source.columns.id:
        keys = _table_keys(file, context, split) if cuts.kind == "table" else _own_keys(file, context, split)
    if keys is None or not _repeat(keys):
        return split
    return Split((), "own keys of its documents repeat, and are numbered in the order of the file")


def join_parts(split: Split, size: int, task_bytes: int) -> list[tuple[Part, ...]]:
    """The parts of a file of `size` bytes as tasks of about `task_bytes` each, at least one part."""
    each = max(1, task_bytes * len(split.parts) // max(size, 1))
    return [split.parts[start : start + each] for start in range(0, len(split.parts), each)]


def _pass_over(problem: InputError) -> None:
    """What is wrong with a line or record is reported when it is read."""


def _find(stream: Stream, file: UnitFile, context: Context, cuts: _Cuts) -> None:
    reader = context.source.reader
    head = stream.peek(HEAD_BYTES)
    if head[257:262] == b"ustar":
        cuts.kind = "tar"
        _cut_tar(stream, file, cuts)
        return
    if reader in _TABLES and head.startswith(_TABLES[reader]):
        cuts.kind = "table"
        _cut_table(stream, file, context, cuts)
        return
    if is_archive(file.path):
        cuts.why = "an archive that is read in order"
        return
    unpacked = decompress(stream, head, file.path)
    if unpacked is None:
        text, members = stream, None
    elif isinstance(unpacked, Members):
        cuts.kind = "members"
        text, members = Stream(unpacked, file.name, compressed=stream), unpacked
        members.begun = []
    else:
        cuts.why = "a compression without members"
        return
    inner = text.peek(HEAD_BYTES)
    if decompress(text, inner, "") is not None or inner[257:262] == b"ustar":
        cuts.why = "an archive that is read in order" if inner[257:262] == b"ustar" else "compressed twice"
    elif reader in _WEB:
        _cut_records(text, members, cuts)
    elif _has_lines(text, context.source):
        _cut_lines(text, members, cuts)
    else:
        cuts.why = "no lines in UTF-8" if reader in ("jsonl", "text") else f"read by `{reader}`, a file is one piece"


def _has_lines(text: Stream, source: Source) -> bool:
    """Whether a file that begins so consists of independent lines in UTF-8."""
    actual, mark = encoding_of(text.peek(TEXT_HEAD_BYTES), source.encoding)
    if actual != "utf-8":
        return False
    head = text.peek(CHUNK)[mark:]
    if source.reader == "jsonl":
        return is_lines(head) and b"\n" in head
    return source.reader == "text" and source.documents == "line" and b"\n" in head


def _cut_lines(text: Stream, members: Members | None, cuts: _Cuts) -> None:
    """Cut where a line begins, at or behind a place where reading can begin."""
    at = count = 0
    start: tuple[int, int] | None = None  # place as stored and unpacked; the first line behind it is looked for
    newline = False
    while data := text.read(CHUNK):
        end = at + len(data)
        if start is None:
            start = _start(members, cuts, end)
        if start is not None:
            place = max(start[1] - 1 - at, 0)
            found = 0 if newline and start[1] == at else data.find(b"\n", place) + 1
            if found or (newline and start[1] == at):
                line = at + found
                stored = (line, 0) if members is None else (start[0], line - start[1])
                cuts.add(*stored, line, count + data.count(b"\n", 0, found))
                start = None
        if _goes_on(members, cuts, end):
            return
        count += data.count(b"\n")
        newline = data.endswith(b"\n")
        at = end
    if len(cuts.found) > 1 and cuts.found[-1][2] == at:  # nothing is behind it
        cuts.found.pop()


def _start(members: Members | None, cuts: _Cuts, end: int) -> tuple[int, int] | None:
    """Where reading can begin for the next part, as stored and unpacked; None if that is not before `end`."""
    if members is None:
        return (cuts.target, cuts.target) if cuts.target < end else None
    begun = members.begun or []
    return next((member for member in begun if cuts.target <= member[1] < end), None)


def _goes_on(members: Members | None, cuts: _Cuts, end: int) -> bool:
    """Whether the compressed member that is read is too long to wait for its end. Forgets members that lie behind."""
    if members is None or not members.begun:
        return False
    if members.begun[0][1] < end:
        members.begun = [member for member in members.begun if member[1] >= end] or members.begun[-1:]
    if end - members.begun[-1][1] > _MEMBER_PARTS_MAX * parts.PART_BYTES:
        cuts.why = "compressed in one piece; bgzip or zstd in frames could be cut"
        return True
    return False


def _cut_records(text: Stream, members: Members | None, cuts: _Cuts) -> None:
    """Cut a web archive where a record begins, in a compressed one where a member does too."""
    keys = cuts.keys = [array("Q")]
    damaged: list[InputError] = []
    too_large = streams.too_large("").cause

    def report(problem: InputError) -> None:
        if not isinstance(problem, NoTextError) and problem.cause != too_large:
            damaged.append(problem)

    for record in read_records(text, _Everything(), report):
        if damaged or _goes_on(members, cuts, record.start):
            break
        if record.start >= cuts.target:
            begun = [(record.start, record.start)] if members is None else members.begun or []
            start = next((stored for stored, unpacked in begun if unpacked == record.start), None)
            if start is not None:
                cuts.add(start, 0, record.start, record.number - 1)
                keys.append(array("Q"))
        keys[-1].append(_hash(record.fields.get("warc-record-id", str(record.number)).strip("<>")))
    if damaged:
        cuts.why = damaged[0].cause


class _Everything:
    """Holds all."""

    def __contains__(self, _: object) -> bool:
        return True


def _cut_tar(stream: Stream, file: UnitFile, cuts: _Cuts) -> None:
    """Cut a tar archive where a member begins, with the headers before it. The keys are the members' paths."""
    keys = cuts.keys = [array("Q")]
    damaged: list[InputError] = []
    reader = TarReader(stream, file.name, damaged.append)
    for entry, _ in reader:
        if damaged or reader.has_global:
            cuts.why = damaged[0].cause if damaged else "headers of the archive hold for all members behind them"
            break
        if entry.start >= cuts.target:
            cuts.add(entry.start, 0, entry.start, 0)
            keys.append(array("Q"))
        if entry.is_file:
            keys[-1].append(_hash(safe_path(entry.path) or entry.path))


def _cut_table(stream: Stream, file: UnitFile, context: Context, cuts: _Cuts) -> None:
    """Cut Parquet at row groups, an Arrow file at record batches."""
    member = Member(file.name, file.path, stream)
    rows = size = 0
    place = parts.PART_BYTES
    for number, (count, length) in enumerate(table_sizes(context.source.reader, member, context)):
        if size >= place:
            cuts.add(number, 0, number, rows)
            place = size + parts.PART_BYTES
        rows, size = rows + count, size + length
    if len(cuts.found) == 1:
        cuts.why = "one row group or record batch holds most of it"


def _own_keys(file: UnitFile, context: Context, split: Split) -> list["array[int]"]:
    """Hashes of the own keys of each part's documents, met by reading it."""
    found = []
    for part in split.parts:
        found.append(array("Q"))
        with suppress(InputError), input_errors(file.name), open_part(file.uri, file.name, part) as stream:
            for row in READERS[context.source.reader](Member(file.name, file.path, stream, part), context):
                if row.key:
                    found[-1].append(_hash(row.key))
    return found


def _table_keys(file: UnitFile, context: Context, split: Split) -> list["array[int]"]:
    """The same of a table, of which only the column of keys is read."""
    found = []
    for part in split.parts:
        found.append(array("Q"))
        with suppress(InputError), input_errors(file.name), open_part(file.uri, file.name, part) as stream:
            for key in table_keys(context.source.reader, Member(file.name, file.path, stream, part), context):
                found[-1].append(_hash(key))
    return found


def _repeat(keys: Iterable["array[int]"]) -> bool:
    """Whether a key of one part comes again in another."""
    distinct = [np.unique(np.frombuffer(part, np.uint64)) for part in keys if part]
    if len(distinct) < 2:
        return False
    together = np.sort(np.concatenate(distinct))
    return bool((together[1:] == together[:-1]).any())


def _hash(key: str) -> int:
    return xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogateescape"))
