"""Read a unit of a source: open it, walk its archives, read each member's format, gather batches."""

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from glob import has_magic

import pyarrow as pa
import re2

from configs.errors import ConfigurationError, InputError
from configs.models import Columns, ConsentPolicy, Languages, Package, Source
from governance.figures import counted
from pipeline.readers.arrow_tables import read_arrow, read_dataset, read_parquet
from pipeline.readers.consent_rules import consent_of
from pipeline.readers.containers import Member, is_archive, members
from pipeline.readers.delimited import read_csv, read_tsv
from pipeline.readers.dictionaries import Dictionaries
from pipeline.readers.dolma import read_datatrove, read_dolma
from pipeline.readers.gettext import read_gettext
from pipeline.readers.json_lines import read_jsonl
from pipeline.readers.json_messages import read_json
from pipeline.readers.licence_evidence import surroundings_of
from pipeline.readers.messages import read_fluent, read_properties
from pipeline.readers.parts import open_part
from pipeline.readers.problems import Problems
from pipeline.readers.rows import Batcher, Context, Origin, Row
from pipeline.readers.streams import Kept, input_errors
from pipeline.readers.texts import read_code, read_html, read_man, read_text
from pipeline.readers.units import SUFFIXES, Unit, files_of, language_of, reader_by_name, resolve, wanted
from pipeline.readers.web import read_warc, read_wet
from pipeline.runtime import storage

Reader = Callable[[Member, Context], Iterator[Row]]

READERS: Mapping[str, Reader] = {
    "jsonl": read_jsonl,
    "datatrove": read_datatrove,
    "dolma": read_dolma,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "csv": read_csv,
    "tsv": read_tsv,
    "text": read_text,
    "html": read_html,
    "gettext": read_gettext,
    "fluent": read_fluent,
    "properties": read_properties,
    "man": read_man,
    "code": read_code,
    "json": read_json,
    "warc": read_warc,
    "wet": read_wet,
}

_VERSIONED = re2.compile(r"^(.*?)[-_]v?\d[^/]*$")


def read_unit(
    unit: Unit,
    source: Source,
    languages: Languages,
    *,
    batch_documents: int,
    batch_bytes: int,
    on_problem: Callable[[InputError], None],
    licences: bool = False,
    consent: ConsentPolicy | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the documents of a unit as batches of `pipeline.text.schema.RAW`, in the order of the files.

    Each part of a file begins a batch of its own. Batches hold at most `batch_documents` rows and about `batch_bytes`
    bytes of text. What cannot be read (a file, a member, a line) goes to `on_problem` as an InputError, once each; of
    those of a file beyond the first hundred one counts the rest. What was read before is yielded, and reading resumes
    behind it. `on_problem` may raise to stop. Memory does not grow with the size of files, except for formats whose
    file is one document (at most `streams.DOCUMENT_BYTES_MAX`) and Parquet's row groups. With `licences` the files
    around each are asked for its licence, with `consent` the sites of a web archive whether they agree.
    """
    for piece in replace(unit, uri=resolve(unit.uri)).pieces:
        report = Problems(on_problem)
        asked = consent_of(piece, source, consent) if consent else None
        context = Context(source, languages, report, batch_documents, licences, asked)
        batcher = Batcher(batch_documents, batch_bytes, report)
        for row, origin in _rows(piece, context, report):
            batch = batcher.add(row, origin)
            if batch is not None:
                yield batch
        last = batcher.flush()
        report.sum_up()
        if last is not None:
            yield last


def _rows(unit: Unit, context: Context, report: Problems) -> Iterator[tuple[Row, Origin]]:
    package = context.source.packages[unit.package]
    if context.source.reader == "datasets":
        origin = Origin(unit.name, unit.name, package.language, package.licence)
        yield from _guarded(read_dataset(package.name, package.version, context), origin, context)
        return
    for file, cause, remedy in unit.lost:
        context.on_problem(InputError(file, cause, remedy))
    if unit.lost:
        return
    seen: dict[str, int] = {}
    dictionaries = Dictionaries()
    reader = dictionaries.read if context.source.reader == "dictd" else READERS[context.source.reader]
    surroundings = surroundings_of(unit, package, context.source.reader) if context.licences else None
    try:
        for member in _members(unit, package, context, surroundings.unpacked if surroundings else None):
            report.begin(f"{member.name}, from number {member.before + 1:,}" if member.before else member.name)
            origin = _origin(member, unit, package, context.source)
            if surroundings:
                origin = replace(origin, nearby=surroundings.of(member))
            count = seen[origin.key] = seen.get(origin.key, 0) + 1
            if count > 1:  # an archive may hold two members of one name
                origin = replace(origin, key=f"{origin.key}\0{count}")
            yield from _guarded(reader(member, context), origin, context)
    except InputError as error:
        context.on_problem(error)
    finally:
        if surroundings:
            surroundings.close()
    for problem in dictionaries.incomplete():
        context.on_problem(problem)


def _guarded(rows: Iterator[Row], origin: Origin, context: Context) -> Iterator[tuple[Row, Origin]]:
    """Rows up to a fault, which becomes a problem."""
    try:
        with input_errors(origin.uri):
            for row in rows:
                yield row, origin
    except InputError as error:
        context.on_problem(error)


def _members(unit: Unit, package: Package, context: Context, unpacked: Kept | None) -> Iterator[Member]:
    reader = context.source.reader
    counts = [0, 0]  # members of the current archive that the reader does not take, and that it takes

    def chosen(path: str) -> bool:
        is_wanted = wanted(package, reader, path)
        counts[is_wanted] += not path.endswith("!")
        return is_wanted

    part = unit.parts[0] if unit.parts else None
    for file in files_of(unit, context.source):
        counts[:] = 0, 0
        try:
            with open_part(file.uri, file.name, part) as stream:
                if part is None or part.kind == "tar":
                    stream.kept = unpacked
                    for member in members(stream, file.name, file.path, chosen, context.on_problem):
                        yield replace(member, uri=file.uri)
                else:
                    yield Member(file.name, file.path, stream, part, file.uri)
            if counts[0] and not counts[1] and context.source.client == "path" and not (part or package.include):
                cause = f"an archive of {counted(counts[0], 'file')}, none with a name that the reader `{reader}` takes"
                raise InputError(
                    file.name, cause, "convert them, name them in `include` if they are of that format, or exclude it"
                )
        except InputError as error:
            context.on_problem(error)


def _origin(member: Member, unit: Unit, package: Package, source: Source) -> Origin:
    """Key and URI of a member: the key without what changes from version to version, the URI as it is."""
    shown, *inner = member.name.split("!")
    archive = posixpath.basename(unit.uri)
    key = "!".join([unit.name if not unit.members else shown, *inner])
    if inner and source.client != "path":
        first, slash, rest = inner[0].partition("/")
        match = _VERSIONED.match(first)
        if slash and match and archive.startswith((first, first.removesuffix(".data"))):
            key = "!".join([unit.name, f"{match.group(1)}/{rest}", *inner[1:]])
    path = member.path if not unit.members or inner else shown.removeprefix(f"{unit.name}/")
    return Origin(key, member.name, language_of(package, path), package.licence)


def read_files(
    patterns: Sequence[str], *, source_id: str = "files", licence: str = "NOASSERTION", columns: Columns | None = None
) -> Source:
    """A source over any files, read by what their names end in: `in/*.jsonl.gz` is JSON lines.

    Raises ConfigurationError where names do not tell the format, or tell more than one.
    """
    readers = {reader for pattern in patterns for reader in _readers_of(pattern)}
    if len(readers) != 1:
        raise ConfigurationError(f"{', '.join(patterns)}: files of several formats; name those of one at a time")
    return Source(
        id=source_id,
        title=", ".join(patterns),
        packages=tuple(Package(name=pattern) for pattern in patterns),
        reader=readers.pop(),  # type: ignore[arg-type]
        columns=columns or Columns(),
        licence=licence,
        custodian="the user",
        provenance=", ".join(patterns),
    )


def _readers_of(pattern: str) -> set[str]:
    """The reader that a pattern's name tells, or those that the names of all its files tell: `in/*.jsonl*`."""
    if reader := reader_by_name(pattern):
        return {reader}
    known = ", ".join(dict.fromkeys(suffix for suffixes in SUFFIXES.values() for suffix in suffixes))
    fs, inner = storage.filesystem(pattern)
    found = [reader_by_name(path) for path in fs.glob(inner)] if has_magic(inner) else []
    if readers := {reader for reader in found if reader}:
        if all(found):
            return readers
    elif fs.isdir(inner):
        raise ConfigurationError(f"{pattern}: is a folder; name its files, such as '{pattern.rstrip('/')}/*.jsonl.gz'")
    hint = "unpack it, or write a recipe" if is_archive(pattern) else f"known endings: {known}"
    raise ConfigurationError(f"{pattern}: its name does not tell the format; {hint}")
