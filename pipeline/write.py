"""Write: kept documents into `data/LANGUAGE/shard-00000-of-00012.arrow` (or `.parquet`, `.jsonl.zst`), the ledger into
`ledger/part-00000.parquet`.

Which document goes where follows from counts alone, so every output file can be written by any worker; texts are read
from the work shards where they lie.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from configs.errors import OutputError
from pipeline.decontamination.stage import cut_found
from pipeline.deduplication.recurring import RecurringLines
from pipeline.pii.redactor import recounted
from pipeline.reasons import details, outward_ids
from pipeline.runtime import storage
from pipeline.runtime.phases import OutputFile, Phase, Record, Task, TaskFolder
from pipeline.runtime.shards import ENDINGS, WRITERS, Format, ParquetShard, Rows
from pipeline.settle import SETTLED
from pipeline.text.columns import hex_ids, string_bytes
from pipeline.text.schema import LEDGER, LEDGER_WRITTEN

VERSION = 4
LEDGER_PART_ROWS = 1_000_000
_FOLDER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
"""The last gate: languages come from documents and from models, and name folders here."""

DROPPED_COLUMNS = ("language_identified",)
"""Columns of the work shards that the corpus does without: among kept documents it is the language."""
FATE_COLUMNS = ("cluster_size", "epochs")
"""Columns of schema SETTLED that the corpus has."""


@dataclass(frozen=True)
class Part:
    """What one work shard gives to an output shard.

    `span` is where its language stands in the annotated shard, `row` the number of its first document there.
    `values` are those of its kept documents in dictionary columns, by column: they make the dictionaries of the file.
    """

    annotated: str
    settled: str
    digests: tuple[str, ...]
    bytes: int
    span: storage.Span
    row: int
    values: Mapping[str, Sequence[str]]
    decontaminated: str = ""
    """What decontamination found; empty where no evaluation set is looked for."""


@dataclass(frozen=True)
class OutputShard:
    """One file of the corpus: its language and the work shards it is made of, in order."""

    language: str
    parts: tuple[Part, ...]


def plan_shards(parts: Mapping[str, Sequence[Part]], shard_bytes: int) -> list[Task]:
    """Fill output shards of each language with parts in order, none above `shard_bytes`, and name them."""
    tasks = []
    for language in sorted(parts):
        if not _FOLDER.fullmatch(language):
            raise OutputError(f"`{language}` is not a language code: no folder of the corpus can be named after it")
        shards = list(_filled(parts[language], shard_bytes))
        for number, shard in enumerate(shards):
            name = f"{language}/shard-{number:05d}-of-{len(shards):05d}"
            digests = tuple(digest for part in shard for digest in part.digests)
            size = sum(part.bytes for part in shard)
            tasks.append(Task(name, digests, OutputShard(language, tuple(shard)), size))
    return tasks


def _filled(parts: Sequence[Part], shard_bytes: int) -> Iterator[list[Part]]:
    shard: list[Part] = []
    size = 0
    for part in parts:
        if shard and size + part.bytes > shard_bytes:
            yield shard
            shard, size = [], 0
        shard.append(part)
        size += part.bytes
    if shard:
        yield shard


@dataclass
class WriteWork:
    """Writes one output shard. `recurring`: source → file of the line hashes that are cut; never from `code`."""

    recurring: Mapping[str, str]
    code: frozenset[str]
    format: Format = "arrow"

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow`, an Arrow IPC file with one dictionary a column, `TASK.parquet` or `TASK.jsonl.zst`."""
        shard: OutputShard = task.payload
        dictionaries = _dictionaries(shard.parts)
        recurring = RecurringLines({} if shard.language in self.code else self.recurring)
        batches = (batch for part in shard.parts for batch in _kept(part, recurring, dictionaries))
        first = next(batches)
        ending, writer = ENDINGS[self.format], WRITERS[self.format]
        with folder.arrow(ending, first.schema, writer=writer, language=shard.language) as target:
            for batch in chain([first], batches):
                target.write(batch, int(pc.sum(batch["bytes"]).as_py()))


def _kept(part: Part, recurring: RecurringLines, dictionaries: Mapping[str, "_Dictionary"]) -> Iterator[pa.RecordBatch]:
    """Kept documents of one language in a work shard, which has them in one stream, as they leave us."""
    with ExitStack() as stack:
        annotated = stack.enter_context(storage.open_stream(part.annotated, span=part.span))
        paths = [part.settled, *([part.decontaminated] if part.decontaminated else [])]
        rows = [Rows(stack.enter_context(storage.open_stream(path))) for path in paths]
        for each in rows:
            each.skip(part.row)
        schema = written_schema(annotated.schema)
        for batch in annotated:
            fate, *found = (each.take(batch.num_rows) for each in rows)
            mask = pc.greater(fate["epochs"], 0)
            if mask.true_count:
                # Even where all are kept: only what is copied has buffers, and so bytes in the file, of its size.
                kept = [each.filter(mask) for each in found]
                columns = _finished(batch.filter(mask), fate.filter(mask), kept, recurring)
                arrays = [
                    dictionaries[field.name](columns[field.name]) if field.name in dictionaries else columns[field.name]
                    for field in schema
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _finished(
    batch: pa.RecordBatch, fate: pa.RecordBatch, found: list[pa.RecordBatch], recurring: RecurringLines
) -> dict[str, pa.Array]:
    """The columns of kept documents as they are written, except for dictionaries: with what is cut from their texts.

    A dictionary of columns, since a batch of many columns is slow to change, and small languages have small batches.
    """
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    texts = recurring.cut(columns["text"], columns["source"])
    for rows in found:
        texts = cut_found(texts, rows)
    if texts is not columns["text"]:
        counts = {name: column for name, column in columns.items() if name.startswith("pii_")}
        columns |= recounted(counts, columns["text"], texts)
    columns |= {"id": hex_ids(columns["id"]), "text": texts, "bytes": string_bytes(texts)}
    return columns | {name: fate[name] for name in FATE_COLUMNS}


class _Dictionary:
    """The dictionary of a column of an output shard: all values that its parts hold, sorted."""

    def __init__(self, values: Iterable[str]) -> None:
        ordered = sorted(values)
        self._values = pa.array(ordered, pa.string())
        self._places = {value: place for place, value in enumerate(ordered)}

    def __call__(self, column: pa.DictionaryArray) -> pa.DictionaryArray:
        """A batch's column over this dictionary, which must hold all values of its rows."""
        # Looked up here and not by Arrow, which would make its table of all the shard's values for each batch anew.
        places = [self._places.get(value) for value in column.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()).take(column.indices), self._values)


def _dictionaries(parts: Sequence[Part]) -> dict[str, _Dictionary]:
    names = sorted({name for part in parts for name in part.values})
    return {name: _Dictionary({value for part in parts for value in part.values.get(name, ())}) for name in names}


def written_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a shard of the corpus, by those of annotated shards: ids are hexadecimal digits."""
    given = {"id": pa.field("id", pa.string(), nullable=False), "bytes": pa.field("bytes", pa.int64())}
    fields = [given.get(field.name, field) for field in schema if field.name not in DROPPED_COLUMNS]
    return pa.schema([*fields, *(SETTLED.field(name) for name in FATE_COLUMNS)], schema.metadata)


def write_phase(
    output: str, recurring: Mapping[str, str], code: frozenset[str], file_format: Format = "arrow"
) -> Phase:
    """The phase that writes the corpus.

    `recurring` names, by source, the file of line hashes that are cut from texts; `code` are programming languages.
    """
    lines = {source: xxhash.xxh3_128_hexdigest(storage.read_bytes(path)) for source, path in recurring.items()}
    place = storage.join(output, "data")
    settings = {"version": VERSION, "recurring_lines": lines, "format": file_format}
    return Phase("write", settings, WriteWork(recurring, code, file_format), place)


LEDGER_VERSION = 5
LEDGER_REPEATING = (*(field.name for field in LEDGER if pa.types.is_dictionary(field.type)), "threshold", "uri")


def ledger_outward(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Ledger rows (schema LEDGER) as they leave us (schema LEDGER_WRITTEN)."""
    given = {"id": hex_ids(batch["id"]), "kept_id": outward_ids(batch["kept_id"]), "detail": details(batch)}
    columns = [
        given[field.name] if field.name in given else batch[field.name].cast(field.type) for field in LEDGER_WRITTEN
    ]
    return pa.RecordBatch.from_arrays(columns, schema=LEDGER_WRITTEN)


@dataclass
class LedgerWork:
    """Joins ledger rows of several work shards into one Parquet file."""

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.parquet` (schema LEDGER_WRITTEN)."""
        rows = 0
        with folder.binary(".parquet") as stream, ParquetShard(stream, LEDGER_WRITTEN, LEDGER_REPEATING) as writer:
            for path in task.payload:
                with storage.open_stream(path) as reader:
                    for batch in reader:
                        writer.write_batch(ledger_outward(batch))
                        rows += batch.num_rows
        folder.data["documents"] = rows


def ledger_tasks(files: Sequence[tuple[str, OutputFile]]) -> list[Task]:
    """Group ledger files (full path, file) into parts of at most about a million rows."""
    groups: list[list[tuple[str, OutputFile]]] = [[]]
    for entry in files:
        if sum(file.documents for _, file in groups[-1]) + entry[1].documents > LEDGER_PART_ROWS and groups[-1]:
            groups.append([])
        groups[-1].append(entry)
    return [
        Task(
            f"part-{number:05d}",
            tuple(file.digest for _, file in group),
            tuple(path for path, _ in group),
            sum(file.documents for _, file in group) * 100,
        )
        for number, group in enumerate(groups)
    ]


def ledger_phase(output: str) -> Phase:
    """The phase that writes the ledger."""
    return Phase("ledger", {"version": LEDGER_VERSION}, LedgerWork(), place=storage.join(output, "ledger"))


def corpus_digest(records: Sequence[Record]) -> str:
    """The digest of a corpus: xxh3-128 over its shards' digests in the order of their names."""
    return corpus_digest_of((file.path, file.digest) for record in records for file in record.files)


def corpus_digest_of(shards: Iterable[tuple[str, str]]) -> str:
    """The same from the shards' paths below `data` and their digests."""
    return xxhash.xxh3_128_hexdigest(json.dumps(sorted(shards)).encode())
