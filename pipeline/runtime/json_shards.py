"""Shards as JSON lines in Dolma's shape, compressed with zstd: `id`, `text`, `source`, and all else in `metadata`.

    {"id": "8d39…", "text": "…", "source": "wiki", "metadata": {"language": "sw", …, "metadata": {…}}}

The last, `metadata.metadata`, is what the source itself says of the document, to the letter. See
https://github.com/allenai/dolma/blob/main/docs/data-format.md
"""

import json
from collections.abc import Iterator
from typing import Any, Self

import orjson
import pyarrow as pa
import zstandard

MAGIC = b"\x28\xb5\x2f\xfd"
_LEVEL = 3
_TOP = ("id", "text", "source")
_INNER = b',"metadata":'
_BATCH_ROWS, _BATCH_BYTES = 1000, 8 << 20
_LINE_BYTES_MAX = 1 << 30
_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(("bytes_in", "bytes"), pa.int64()),
    **dict.fromkeys(("words", "characters", "longest_line", "cluster_size", "epochs"), pa.int32()),
    **dict.fromkeys(("id", "uri", "key", "metadata", "languages", "language_votes", *_TOP[2:]), pa.string()),
    **dict.fromkeys(("language", "licence", "licence_declared", "licence_detected", "language_declared"), pa.string()),
    "text": pa.large_string(),
}
"""Types of columns by name; those named `pii_…` are int32, all others are measures, float32."""


class JsonShard:
    """Writes batches as such lines; a batch must have the columns `id`, `text` and `source`."""

    def __init__(self, stream: Any, schema: pa.Schema) -> None:
        self._ours = [name for name in schema.names if name not in (*_TOP, "metadata")]
        self._has_metadata = "metadata" in schema.names
        self._stream = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(stream, closefd=False)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append a line for each row."""
        for row in batch.to_pylist():
            line = _begun({name: row[name] for name in _TOP}, {name: row[name] for name in self._ours})
            inner = _INNER + (row["metadata"] or "{}").encode() if self._has_metadata else b""
            self._stream.write(line + inner + b"}}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._stream.close()


def _begun(top: dict[str, Any], ours: dict[str, Any]) -> bytes:
    """A line without the source's own metadata and the two brackets that close it."""
    return orjson.dumps({**top, "metadata": ours})[:-2]


def read_json_shard(source: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Schema and batches of such a file, open for reading. Raises pa.ArrowInvalid where it is damaged."""
    lines = _lines(source)
    first = next(lines, None)
    if first is None:
        return pa.schema([]), iter(())
    names = list(_row(first))
    schema = pa.schema([pa.field(name, _type(name)) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        rows, size = [_row(first)], len(first)
        for line in lines:
            if len(rows) >= _BATCH_ROWS or size + len(line) > _BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(rows, schema)
                rows, size = [], 0
            rows.append(_row(line))
            size += len(line)
        yield pa.RecordBatch.from_pylist(rows, schema)

    return schema, batches()


def _type(name: str) -> pa.DataType:
    return pa.int32() if name.startswith("pii_") else _TYPES.get(name, pa.float32())


def _row(line: bytes) -> dict[str, Any]:
    """The columns of a line."""
    try:
        row = orjson.loads(line)
        ours = row.pop("metadata")
        theirs = ours.pop("metadata", None)
        columns: dict[str, Any] = {**row, **ours}
        if theirs is not None:
            begun = _begun({name: row[name] for name in _TOP}, ours) + _INNER
            exact = line.startswith(begun) and line.endswith(b"}}")
            columns["metadata"] = (
                line[len(begun) : -2].decode() if exact else json.dumps(theirs, ensure_ascii=False, sort_keys=True)
            )
        return columns
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise pa.ArrowInvalid(f"a line is no document: {error}") from error


def _lines(source: Any) -> Iterator[bytes]:
    """Lines without their ends. Raises pa.ArrowInvalid where zstd cannot be undone, or the file ends early."""
    rest = b""
    try:
        with zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True, closefd=False) as stream:
            while data := stream.read(1 << 20):
                *whole, rest = (rest + data).split(b"\n")
                yield from whole
                if len(rest) > _LINE_BYTES_MAX:
                    raise pa.ArrowInvalid("a line has more than a gigabyte")
    except zstandard.ZstdError as error:
        raise pa.ArrowInvalid(f"it is damaged: {error}") from error
    if rest:
        raise pa.ArrowInvalid("it ends within a line")
