"""Tables of documents: JSON lines, CSV, TSV, Parquet, Arrow IPC, and `datasets` by name."""

import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import InputError
from configs.models import Columns
from pipeline.readers import streams
from pipeline.readers.containers import Member
from pipeline.readers.encodings import text_lines
from pipeline.readers.rows import Context, Row, limited, metadata_json
from pipeline.readers.streams import Stream, input_errors, seekable

_LINE = "the line is skipped; repair it"


def missing_column(name: str, column: str, there: Sequence[str]) -> InputError:
    """The problem of a table without a column that the source's entry names."""
    cause = f"no column `{column}`; there are: {', '.join(map(str, there)) or 'none'}"
    return InputError(name, cause, "map the columns in the source's entry, [source.ID.columns]; or --text NAME")


def wrong_type(name: str, column: str, kind: str) -> InputError:
    """The problem of a text column that holds no text."""
    return InputError(name, f"column `{column}` holds {kind}, not text", "map the text column in the source's entry")


def _wanted(columns: Columns) -> tuple[str, ...]:
    named = (columns.text, columns.id, columns.language, columns.licence, columns.uri, *columns.metadata)
    return tuple(dict.fromkeys(name for name in named if name))


def _said(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def row_of(record: dict[str, Any], columns: Columns, name: str, suffix: str) -> Row:
    """A record as a document; raises InputError that names the column and those that there are."""
    for column in (columns.text, columns.id):
        if column and column not in record:
            raise missing_column(name, column, list(record))
    text = record[columns.text]
    if not isinstance(text, str):
        raise wrong_type(name, columns.text, type(text).__name__)
    metadata = "{}"
    if columns.metadata:
        metadata = metadata_json({key: record[key] for key in columns.metadata if key in record})
    return Row(
        text,
        suffix,
        _said(record[columns.id]) if columns.id else None,
        _said(record.get(columns.language)) if columns.language else None,
        _said(record.get(columns.licence)) if columns.licence else None,
        _said(record.get(columns.uri)) if columns.uri else None,
        metadata,
    )


def read_jsonl(member: Member, context: Context) -> Iterator[Row]:
    """One JSON object a line. A line that is not one (bad UTF-8, lone surrogates, no object) is a problem."""
    on_problem = limited(context.on_problem, member.name)
    columns, parse = context.source.columns, orjson.loads
    simple = set(_wanted(columns)) == {columns.text}
    for number, line in text_lines(member.stream, context.source.encoding, on_problem):
        if not line or line.isspace():
            continue
        try:
            record = parse(line)
            text = record.get(columns.text) if simple and isinstance(record, dict) else None
            if isinstance(text, str):  # most files, and twice as fast
                yield Row(text, f"#{number}")
                continue
            if not isinstance(record, dict):
                raise InputError(f"{member.name}, line {number}", "not a JSON object", _LINE)
            row = row_of(record, columns, f"{member.name}, line {number}", f"#{number}")
        except json.JSONDecodeError as error:
            on_problem(InputError(f"{member.name}, line {number}", f"not valid JSON: {error.msg}", _LINE))
            continue
        except InputError as error:
            on_problem(error)
            continue
        yield row


def read_csv(member: Member, context: Context) -> Iterator[Row]:
    """RFC 4180 with a header row; a record in quotes may hold line feeds."""
    return _delimited(member, context, {"delimiter": ",", "strict": True})


def read_tsv(member: Member, context: Context) -> Iterator[Row]:
    """Tab-separated values with a header row; quotes are ordinary characters (IANA text/tab-separated-values)."""
    return _delimited(member, context, {"delimiter": "\t", "quoting": csv.QUOTE_NONE})


def _delimited(member: Member, context: Context, dialect: dict[str, Any]) -> Iterator[Row]:
    on_problem = limited(context.on_problem, member.name)
    columns = context.source.columns
    csv.field_size_limit(streams.DOCUMENT_BYTES_MAX)
    # Bytes that do not decode become surrogates, which the batcher refuses document by document.
    numbered = text_lines(member.stream, context.source.encoding, on_problem)
    texts = (line.decode("utf-8", "surrogateescape") + "\n" for _, line in numbered)
    reader = csv.reader(texts, **dialect)
    header = next(reader, [])
    if not header:
        return
    for column in _wanted(columns):
        if column not in header:
            raise missing_column(member.name, column, header)
    number = 0
    while True:
        number += 1
        where = f"{member.name}, record {number}"
        try:
            values = next(reader)
            if not values:
                continue
            if len(values) != len(header):
                raise InputError(where, f"{len(values)} fields, the header has {len(header)}", _LINE)
            row = row_of(dict(zip(header, values, strict=True)), columns, where, f"#{number}")
        except StopIteration:
            return
        except csv.Error as error:
            on_problem(InputError(where, f"not valid CSV: {error}", _LINE))
            continue
        except InputError as error:
            if error.file != where:
                raise
            on_problem(error)
            continue
        yield row


def read_parquet(member: Member, context: Context) -> Iterator[Row]:
    """Parquet, a batch at a time, only the columns that are mapped."""
    with seekable(member.stream) as file, input_errors(member.name):
        table = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True)
        names = table.schema_arrow.names
        wanted = [name for name in _wanted(context.source.columns) if name in names]
        batches = table.iter_batches(batch_size=context.batch_documents, columns=wanted)
        yield from _table_rows(batches, names, member.name, context)


def read_arrow(member: Member, context: Context) -> Iterator[Row]:
    """Arrow IPC, file or stream format."""
    with input_errors(member.name):
        if member.stream.peek(6) != b"ARROW1":
            if member.stream.peek(1):
                reader = pa.ipc.open_stream(_whole_reads(member.stream))
                yield from _table_rows(reader, reader.schema.names, member.name, context)
            return
        with seekable(member.stream) as file:
            table = pa.ipc.open_file(file)
            batches = (table.get_batch(index) for index in range(table.num_record_batches))
            yield from _table_rows(batches, table.schema.names, member.name, context)


def _whole_reads(stream: Stream) -> pa.NativeFile:
    return pa.PythonFile(stream, mode="r")


def read_dataset(name: str, revision: str | None, context: Context) -> Iterator[Row]:
    """All splits of `NAME`, `NAME:CONFIG` or `NAME:CONFIG:SPLIT` of the Hugging Face hub or a local folder, streamed.

    Code of a dataset is never run.
    """
    from datasets import IterableDataset, load_dataset

    with input_errors(name):
        path, config, split = (*name.split(":"), "", "")[:3]
        loaded = load_dataset(path, config or None, split=split or None, revision=revision, streaming=True)
        splits = {split: loaded} if isinstance(loaded, IterableDataset) else dict(loaded)
        for label in sorted(splits):
            tables = splits[label].with_format("arrow").iter(batch_size=context.batch_documents)
            batches = (batch for table in tables for batch in table.to_batches())
            names = splits[label].column_names or [context.source.columns.text]
            for row in _table_rows(batches, names, name, context):
                yield row._replace(suffix=f"/{label}{row.suffix}" if label else row.suffix)


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner)


def _table_rows(batches: Any, names: list[str], name: str, context: Context) -> Iterator[Row]:
    """Rows of record batches; a row without text, or with text that is not UTF-8, is a problem."""
    columns = context.source.columns
    on_problem = limited(context.on_problem, name)
    for column in (columns.text, columns.id):
        if column and column not in names:
            raise missing_column(name, column, names)
    number = 0
    for batch in batches:
        kind = batch.schema.field(columns.text).type
        if not _is_text(kind):
            raise wrong_type(name, columns.text, str(kind))
        for record in _records(batch, columns):
            number += 1
            try:
                row = row_of(record, columns, f"{name}, row {number}", f"#{number}")
            except InputError as error:
                on_problem(error)
                continue
            yield row


def _records(batch: pa.RecordBatch, columns: Columns) -> Iterator[dict[str, Any]]:
    names = [name for name in _wanted(columns) if name in batch.schema.names]
    values = [_python_values(batch[name]) for name in names]
    for row in zip(*values, strict=True):
        yield dict(zip(names, row, strict=True))


def _python_values(array: pa.Array) -> list[Any]:
    try:
        return list(array.to_pylist())
    except (
        UnicodeDecodeError
    ):  # files can hold strings that are no UTF-8; the bad rows become surrogates, then problems
        raw = pc.cast(array, pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw]
