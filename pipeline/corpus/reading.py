"""How the files of a finished corpus are opened: shards and work files in either Arrow format, the ledger in Parquet.

Everything that reads a finished corpus for its governance goes through here, so that a change of format is made once.
Ids come as 32 hexadecimal digits, dictionaries as plain strings.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from configs.errors import InputError
from configs.shown import shown
from pipeline.runtime import storage

ARROW_FILE = b"ARROW1"
PARQUET_FILE = b"PAR1"
SLICE_ROWS = 1000
REPEATING = ["source", "language", "licence", "language_declared"]
WORK = ".work"
TEXTS = f"{WORK}/annotate/files"
"""Work files that hold every document that passed the licence gate, dropped ones included, redacted."""
UNREDACTED = f"{WORK}/ingest/files"
"""The same before redaction."""


@contextmanager
def open_arrow(path: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Schema and batches of an Arrow IPC file or stream, or of a Parquet file; memory-mapped where it is local.

    Raises InputError where it is neither, or is damaged so that Arrow refuses it.
    """
    fs, inner = storage.filesystem(path)
    try:
        source = pa.memory_map(inner) if isinstance(fs, LocalFileSystem) else fs.open(inner, "rb")
        with source:
            start = source.read(len(ARROW_FILE))
            source.seek(0)
            if start.startswith(PARQUET_FILE):
                table = pq.ParquetFile(source, read_dictionary=REPEATING)
                yield table.schema_arrow, _slices(table)
            elif start == ARROW_FILE:
                with pa.ipc.open_file(source) as file:
                    yield file.schema, (file.get_batch(number) for number in range(file.num_record_batches))
            else:
                with pa.ipc.open_stream(source) as stream:
                    yield stream.schema, iter(stream)
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError) as error:
        cause = str(error).split("\n", 1)[0]
        raise InputError(path, f"no Arrow file that can be read ({shown(cause)})", "Build the corpus again") from error


def _slices(table: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Row groups in batches as small as those of Arrow files, so that sketches tell their blocks apart."""
    for number in range(table.num_row_groups):
        yield from table.read_row_group(number).combine_chunks().to_batches(max_chunksize=SLICE_ROWS)


def writer_like(path: str) -> Callable[[Any, pa.Schema], Any]:
    """What makes a writer (of a stream and a schema) in the format that the file `path` has."""
    fs, inner = storage.filesystem(path)
    with fs.open(inner, "rb") as source:
        start = source.read(len(ARROW_FILE))
    if start.startswith(PARQUET_FILE):
        return _parquet_writer
    make: Callable[[Any, pa.Schema], Any] = pa.ipc.new_file if start == ARROW_FILE else pa.ipc.new_stream
    return make


def _parquet_writer(stream: Any, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(stream, schema, compression="zstd")


def ledger_batches(corpus: str, columns: Sequence[str] | None = None, keep: Any = None) -> Iterator[pa.RecordBatch]:
    """Batches of a corpus' ledger in the order of its parts, ids as hex and strings plain.

    `keep` is a filter of `pyarrow.dataset`. Raises InputError where there is no ledger.
    """
    import pyarrow.dataset as ds

    fs, inner = storage.filesystem(storage.join(corpus, "ledger"))
    if not fs.exists(inner):
        raise InputError(storage.join(corpus, "ledger"), "there is no ledger", "Give the folder of a finished corpus")
    dataset = ds.dataset(sorted(fs.glob(f"{inner}/*.parquet")), filesystem=fs, format="parquet")
    names = [name for name in columns if name in dataset.schema.names] if columns is not None else None
    for batch in dataset.to_batches(columns=names, filter=keep):
        if batch.num_rows:
            yield plain(batch)


def ledger_parts(corpus: str) -> list[str]:
    """Paths of the ledger's parts, relative to the corpus, sorted."""
    fs, inner = storage.filesystem(storage.join(corpus, "ledger"))
    return (
        sorted(f"ledger/{path.rsplit('/', 1)[1]}" for path in fs.glob(f"{inner}/*.parquet")) if fs.exists(inner) else []
    )


def ledger_schema(path: str) -> pa.Schema:
    """The schema of a part of the ledger."""
    fs, inner = storage.filesystem(path)
    with fs.open(inner, "rb") as stream:
        return pq.read_schema(stream)


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with ids as hexadecimal strings and dictionaries as the strings that they stand for."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == "id":
            columns.append(hex_ids(column))
        elif pa.types.is_dictionary(column.type):
            columns.append(column.cast(pa.string()))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def hex_ids(column: pa.Array) -> pa.StringArray:
    """Ids, binary(16) or already hexadecimal, as strings of 32 hexadecimal digits."""
    if not pa.types.is_fixed_size_binary(column.type):
        return column.cast(pa.string())
    return pa.array([value.hex() for value in column.to_pylist()], pa.string())


def packed_ids(column: pa.Array) -> np.ndarray:
    """Ids, binary(16) or hexadecimal, as bytes of 16 (dtype S16): small, quick to sort and to compare."""
    if len(column) == 0:
        return np.zeros(0, "S16")
    values = column.to_pylist()
    joined = b"".join(values) if pa.types.is_fixed_size_binary(column.type) else bytes.fromhex("".join(values))
    return np.frombuffer(joined, "S16")


def shard_paths(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Shards that a manifest names: path → its entry with `language`, in the order of languages."""
    return {
        shard["path"]: {**shard, "language": code}
        for code, language in manifest["languages"].items()
        for shard in language["shards"]
    }


def read_manifest(corpus: str) -> dict[str, Any]:
    """The manifest of a finished corpus. Raises InputError where there is none, or what is there is no such file."""
    path = storage.join(corpus, "manifest.json")
    try:
        manifest = storage.read_json(path)
    except FileNotFoundError:
        raise InputError(path, "there is no such file", "Give the folder of a finished corpus") from None
    except (ValueError, OSError) as error:
        raise InputError(
            path, f"cannot be read ({shown(error)})", "Build the corpus again: what is whole is kept"
        ) from None
    needed = {"digest", "languages", "stages", "drops", "recipe", "sources"}
    if not isinstance(manifest, dict) or not needed <= set(manifest):
        raise InputError(path, "is not the manifest of a corpus", "Give the folder that `build-corpus` wrote")
    return manifest


def files_below(corpus: str, folder: str, ending: str = "") -> list[str]:
    """Paths of files below a folder of the corpus, relative to the corpus, sorted."""
    return [f"{folder}/{name}" for name in storage.list_files(storage.join(corpus, folder)) if name.endswith(ending)]


def size_of(path: str) -> int:
    """Bytes of a file."""
    fs, inner = storage.filesystem(path)
    return int(fs.size(inner))


def write_text(path: str, text: str) -> None:
    """Write a text as UTF-8, whole or not at all."""
    with storage.create(path) as stream:
        stream.write(text.encode("utf-8", "replace"))


def link_or_copy(source: str, target: str) -> None:
    """The same bytes at another place: a hard link on one local disk, else a copy, whole or not at all."""
    (from_fs, from_path), (to_fs, to_path) = storage.filesystem(source), storage.filesystem(target)
    if isinstance(from_fs, LocalFileSystem) and isinstance(to_fs, LocalFileSystem):
        place = Path(to_path)
        if place.exists() and place.samefile(from_path):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.unlink(missing_ok=True)
            place.hardlink_to(from_path)
            return
        except OSError:  # another disk, or one without links
            pass
    with from_fs.open(from_path, "rb") as stream, storage.create(target) as out:
        while block := stream.read(8 << 20):
            out.write(block)


Progress = Callable[[str], None]
"""Told, in a few words, what is being done."""
