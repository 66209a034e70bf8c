"""Files of documents that leave us: Arrow IPC files, Parquet and JSON lines, as other programs expect them; a reader.

What stays within a build is Arrow streams of 16-byte ids (`storage.open_stream`); what leaves it has ids of 32
hexadecimal digits. Corpora of earlier versions, Arrow streams with 16-byte ids, are read as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from pipeline.runtime import storage
from pipeline.runtime.json_shards import MAGIC, JsonShard, read_json_shard

Format = Literal["arrow", "parquet", "jsonl.zst"]
ENDINGS: dict[Format, str] = {"arrow": ".arrow", "parquet": ".parquet", "jsonl.zst": ".jsonl.zst"}

ROW_GROUP_BYTES = 64 << 20
ROW_GROUP_ROWS = 100_000
"""A row group of Parquet ends with the batch that reaches either: what a reader holds in memory at a time."""
_ZSTD_LEVEL = 3
_SLICE_ROWS = 1000
_ARROW, _PARQUET = b"ARROW1", b"PAR1"


class ParquetShard:
    """Writes batches to Parquet in row groups: zstd, page index, pages cut where the content says.

    Content-defined pages let stores that keep pieces of files only once, such as the Hub, take little for a new version
    of a corpus. Only columns named in `repeating` get dictionaries: texts and ids hardly ever repeat.
    """

    def __init__(self, stream: Any, schema: pa.Schema, repeating: tuple[str, ...] = ()) -> None:
        self._schema = plain_schema(schema)
        repeating += tuple(field.name for field in schema if pa.types.is_dictionary(field.type))
        self._writer = pq.ParquetWriter(
            stream,
            self._schema,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            use_dictionary=list(dict.fromkeys(repeating)),
            write_page_index=True,
            use_content_defined_chunking=True,
        )
        self._batches: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append a batch; dictionary columns become plain strings."""
        self._batches.append(batch.cast(self._schema))
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_batches(self._batches), row_group_size=self._rows)
        self._batches, self._rows, self._bytes = [], 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._flush()
        self._writer.close()


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with strings instead of dictionaries."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in schema
    ]
    return pa.schema(fields)


WRITERS: dict[Format, Any] = {"arrow": pa.ipc.new_file, "parquet": ParquetShard, "jsonl.zst": JsonShard}
"""By format, what opens a writer on (stream, schema). All batches of an Arrow file share a column's dictionary."""


class Batches:
    """The record batches of a file, one after the other, with their schema."""

    def __init__(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self.schema, self._batches = schema, batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches


class Sections:
    """Writes Arrow IPC streams one after the other into one file: each can be read without what stands before it."""

    def __init__(self, stream: Any, schema: pa.Schema) -> None:
        self._stream, self._schema = stream, schema
        self._writer: Any = None

    def begin(self) -> int:
        """Begin a stream; returns where, in bytes."""
        self._end()
        at = int(self._stream.tell())
        self._writer = pa.ipc.new_stream(self._stream, self._schema)
        return at

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append a batch to the stream that has begun."""
        self._writer.write_batch(batch)

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None and self._writer is None:
            self.begin()  # even a file without rows has a schema
        self._end()


class Rows:
    """Hands out rows of batches in other portions than they come."""

    def __init__(self, streams: storage.Streams) -> None:
        self._streams = streams
        self._rest = pa.RecordBatch.from_pylist([], schema=streams.schema)

    def skip(self, rows: int) -> None:
        """Leave out so many rows."""
        while rows > 0:
            rows -= self._next(rows).num_rows

    def take(self, rows: int) -> pa.RecordBatch:
        """The next rows in one piece; raises pa.ArrowInvalid where there are fewer."""
        parts = []
        while rows > 0:
            parts.append(self._next(rows))
            rows -= parts[-1].num_rows
        return in_one(parts) if parts else self._rest.slice(0, 0)

    def _next(self, most: int) -> pa.RecordBatch:
        while not self._rest.num_rows:
            batch = self._streams.next()
            if batch is None:
                raise pa.ArrowInvalid("a file of a shard has fewer rows than another")
            self._rest = batch
        part = self._rest.slice(0, most)
        self._rest = self._rest.slice(part.num_rows)
        return part


def in_one(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Batches, of which one has rows, as one."""
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).unify_dictionaries().combine_chunks().to_batches()[0]


COARSE_ROWS = 1 << 16


def coarse(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, list[pa.Array]]]:
    """Batches joined to some ten thousand rows without their texts; and the texts as they came, not looked at.

    A batch of a work shard holds one language, so that some hold a few documents only: what costs the same for each
    batch, however small, is better done here.
    """
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
        if sum(other.num_rows for other in held) >= COARSE_ROWS:
            yield _without_texts(held)
            held = []
    if held:
        yield _without_texts(held)


EXCERPT_CHARACTERS = 300


def beginnings(texts: Sequence[pa.Array], characters: int) -> pa.Array:
    """The beginnings of all the texts that `coarse` gives, in one piece."""
    return pa.chunked_array(pc.utf8_slice_codeunits(piece, 0, characters) for piece in texts).combine_chunks()


def excerpt(texts: Sequence[pa.Array], row: int, characters: int) -> str:
    """The beginning of one of the texts that `coarse` gives."""
    for piece in texts:
        if row < len(piece):
            beginning: str = pc.utf8_slice_codeunits(piece.slice(row, 1), 0, characters)[0].as_py()
            return beginning
        row -= len(piece)
    raise IndexError(row)


def _without_texts(batches: Sequence[pa.RecordBatch]) -> tuple[pa.RecordBatch, list[pa.Array]]:
    return in_one([batch.drop_columns(["text"]) for batch in batches]), [batch["text"] for batch in batches]


@contextmanager
def open_shard(path: str, *, mapped: bool = True, dictionaries: Sequence[str] = ()) -> Iterator[Batches]:
    """Open a shard of a corpus or of tokens: an Arrow file, Parquet, JSON lines or an Arrow stream: its
    first bytes tell.

    A local file is memory-mapped; see `storage.open_stream`. Of Parquet the columns `dictionaries` come as such. Raises
    OSError, and pa.ArrowInvalid where it is damaged.
    """
    fs, inner = storage.filesystem(path)
    if isinstance(fs, LocalFileSystem):
        source = pa.memory_map(inner) if mapped else pa.OSFile(inner)
    else:
        source = pa.PythonFile(fs.open(inner, "rb"), "r")
    with source:
        found = _format(source)
        source.seek(0)
        if found == "arrow":
            with pa.ipc.open_file(source) as file:
                yield Batches(file.schema, map(file.get_batch, range(file.num_record_batches)))
        elif found == "parquet":
            parquet = pq.ParquetFile(source, read_dictionary=list(dictionaries))
            yield Batches(parquet.schema_arrow, _row_groups(parquet))
        elif found == "jsonl.zst":
            yield Batches(*read_json_shard(source))
        else:
            streams = storage.Streams(source)
            yield Batches(streams.schema, iter(streams))


def writer_like(path: str) -> Any:
    """What opens a writer on (stream, schema) in the format that the file `path` has."""
    fs, inner = storage.filesystem(path)
    with fs.open(inner, "rb") as source:
        found = _format(source)
    return pa.ipc.new_stream if found is None else WRITERS[found]


def _format(source: Any) -> Format | None:
    """The format of a file by its first bytes; None for an Arrow stream."""
    start = source.read(len(_ARROW))
    if start.startswith(MAGIC):
        return "jsonl.zst"
    return "arrow" if start == _ARROW else "parquet" if start.startswith(_PARQUET) else None


def _row_groups(parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Row groups in batches as small as those of Arrow files, so that sketches tell their blocks apart."""
    for number in range(parquet.num_row_groups):
        yield from parquet.read_row_group(number).combine_chunks().to_batches(max_chunksize=_SLICE_ROWS)
