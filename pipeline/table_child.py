"""The child process that opens Parquet and Arrow files for `pipeline.readers.arrow_tables`.

A crafted file can crash Arrow, or make gigabytes out of a kilobyte. Here it ends this process at most: its memory is
limited, what values expand to is counted before they are made, and every column is validated before it is sent. It
imports nothing but Arrow, to start in a fraction of a second. It reads files that the parent hands over as a
descriptor, or asks the parent for the bytes.

Messages both ways: a letter, the length of what follows (8 bytes), and that. From the parent a request (Q) and bytes
(D; F where reading failed); from the child columns' names (N), batches in the IPC stream format (B), rows that are too
large (L), sizes of row groups (S), requests for bytes (R), an error (E) or the end (Z).
"""

import io
import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HEADER = struct.Struct("<cQ")
PLACE = struct.Struct("<qq")
ROW_BYTES = 32
"""What a row counts beside its values, so that a kilobyte cannot claim a billion empty ones."""
NESTED = b"nested"
"""Key of a field's metadata: its values are JSON text, made of values of the nested type that stands there."""

EXPANDED_BYTES = 64 << 20
EXPANDED_RATIO = 100
EXPANDED = f"its values take more than {EXPANDED_BYTES >> 20} MiB and {EXPANDED_RATIO} times its size"
"""Beyond both limits a file is refused: natural text compresses to a twentieth at best."""

VALUE_BYTES_MAX = 64 << 20
_MAGIC_BYTES = 8  # of the file format; a stream stands behind them
_CPU_SECONDS = 60
"""Processor time for a batch."""


class RefusedError(Exception):
    """What is in the file is not read, for the reason given."""


class Channel:
    """Framed messages over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, kind: bytes, payload: Any = b"", descriptor: int | None = None) -> None:
        header = HEADER.pack(kind, memoryview(payload).nbytes)
        if descriptor is None:
            self._socket.sendall(header)
        else:
            socket.send_fds(self._socket, [header], [descriptor])
        self._socket.sendall(payload)

    def receive(self) -> tuple[bytes, bytearray, int | None]:
        """Kind, payload and descriptor of the next message; raises EOFError where the other side is gone."""
        head, descriptors, _, _ = socket.recv_fds(self._socket, HEADER.size, 1)
        kind, length = HEADER.unpack(head + self._exactly(HEADER.size - len(head)))
        return kind, self._exactly(length), descriptors[0] if descriptors else None

    def _exactly(self, length: int) -> bytearray:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise EOFError
            view = view[count:]
        return data


class _Asked(io.RawIOBase):
    """A file whose bytes the parent reads; `size` is None where it can only be read in order."""

    def __init__(self, channel: Channel, size: int | None) -> None:
        self._channel, self._size, self._position = channel, size, 0
        self._kept: bytes | None = b"" if size is None else None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._size is not None

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size or 0}[whence]
        self._position = start + offset
        return self._position

    def rewind(self) -> None:
        """Go back to the start of a file that is read in order; possible once."""
        self._again, self._kept, self._position = self._kept or b"", None, 0

    def push_back(self, data: bytes) -> None:
        """Give these bytes again."""
        self._again = data + self._again

    _again = b""

    def read(self, size: int | None = -1) -> bytes:
        wanted = 1 << 62 if size is None or size < 0 else size
        if self._again:
            data, self._again = self._again[:wanted], self._again[wanted:]
            return data + (self.read(wanted - len(data)) if len(data) < wanted else b"")
        place = -1 if self._size is None else self._position
        self._channel.send(b"R", PLACE.pack(place, wanted))
        kind, data_read, _ = self._channel.receive()
        if kind == b"F":
            raise RefusedError("its bytes cannot be read")
        self._position += len(data_read)
        if self._kept is not None:
            self._kept += data_read
        return bytes(data_read)


class _Sender:
    """Cuts batches into pieces of bounded size and sends them."""

    def __init__(self, channel: Channel, request: dict[str, Any], source: Any) -> None:
        self._channel, self._request, self._source = channel, request, source
        self._expanded = 0

    def names(self, names: Iterable[str], label: str = "") -> None:
        """Say which columns there are; `label` names the part of a data set that follows."""
        self._channel.send(b"N", json.dumps([list(names), label]).encode())

    def wanted(self, names: list[str]) -> list[str]:
        """The columns to read, of those there are."""
        found = [name for name in self._request["columns"] if name in names]
        if self._request["others"]:
            found = list(dict.fromkeys([*found, *names]))
        for name in found:
            if names.count(name) > 1:
                raise RefusedError(f"there are {names.count(name)} columns named `{name}`")
        return found

    def sizes(self, parts: Iterable[tuple[int, int]]) -> None:
        """Say how many rows and bytes each part of the file has."""
        parts = list(parts)
        for start in range(0, len(parts), 10_000):
            self._channel.send(b"S", json.dumps(parts[start : start + 10_000]).encode())

    def send(self, batch: pa.RecordBatch) -> None:
        """Send the wanted columns of a batch; raises RefusedError where its values expand to an absurd size."""
        allow_processor_time()
        names = self.wanted(batch.schema.names)
        self._count(batch.num_rows * ROW_BYTES)
        text = self._request["text"]
        columns = [_plain(_as_text(batch[name]) if name == text else batch[name]) for name in names]
        sizes = np.zeros(batch.num_rows, np.int64)
        large = np.zeros(batch.num_rows, bool)
        for column in columns:
            lengths = _lengths(column)
            sizes += lengths
            large |= lengths > VALUE_BYTES_MAX
        self._count(int(sizes[~large].sum()))
        sizes += ROW_BYTES
        for start, end in _cuts(sizes, large, self._request["batch_bytes"], self._request["batch_documents"]):
            if large[start]:
                self._channel.send(b"L", b"")
                continue
            piece = pa.RecordBatch.from_arrays(
                *_fields(names, [column.slice(start, end - start) for column in columns])
            )
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, piece.schema) as writer:
                writer.write_batch(piece)
            self._channel.send(b"B", sink.getvalue())

    def _count(self, size: int) -> None:
        self._expanded += size
        stored = self._request["size"] or self._source.tell() if self._source else self._expanded
        if self._expanded > max(EXPANDED_BYTES, EXPANDED_RATIO * stored):
            raise RefusedError(EXPANDED)


def _cuts(sizes: np.ndarray, large: np.ndarray, size_max: int, rows_max: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows of bounded size; a row that is too large has one of its own."""
    ends = np.cumsum(sizes)
    next_large = np.append(np.flatnonzero(large), len(sizes))
    start = 0
    while start < len(sizes):
        if large[start]:
            end = start + 1
        else:
            before = ends[start - 1] if start else 0
            end = max(start + 1, int(np.searchsorted(ends, before + size_max, side="right")))
            end = min(end, start + rows_max, int(next_large[np.searchsorted(next_large, start)]))
        yield start, end
        start = end


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _as_text(array: pa.Array) -> pa.Array:
    """Bytes as strings, without a copy: many writers of Parquet leave out that a column is text."""
    for binary, string in (
        (pa.binary(), pa.string()),
        (pa.large_binary(), pa.large_string()),
        (pa.binary_view(), pa.string_view()),
    ):
        if array.type == binary:
            return array.view(string)
    return array


def _plain(array: pa.Array) -> pa.Array:
    """The array without extension type, validated in full; strings need not be UTF-8, the parent looks."""
    if isinstance(array, pa.ExtensionArray):
        return _plain(array.storage)
    if _is_string(array.type):
        _binary(array).validate(full=True)
    elif pa.types.is_dictionary(array.type) and _is_string(array.type.value_type):
        array.indices.validate(full=True)
        _binary(array.dictionary).validate(full=True)
        if len(array) and array.null_count < len(array):
            least, most = pc.min_max(array.indices).values()
            if least.as_py() < 0 or most.as_py() >= len(array.dictionary):
                raise RefusedError("damaged: an index points behind its dictionary")
    else:
        array.validate(full=True)
    return array


def _binary(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_string_view(kind):
        return array.view(pa.binary_view())
    return array.view(pa.large_binary() if pa.types.is_large_string(kind) else pa.binary())


def _lengths(array: pa.Array) -> np.ndarray:
    """Bytes of each value once it stands by itself, int64 (rows,); of nested values too, in JSON."""
    kind = array.type
    if pa.types.is_dictionary(kind) and _is_string(kind.value_type):
        if not len(array.dictionary):
            return np.zeros(len(array), np.int64)
        indices = array.indices.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return np.where(array.is_valid().to_numpy(zero_copy_only=False), _lengths(array.dictionary)[indices], 0)
    if pa.types.is_string_view(kind):
        views = np.frombuffer(array.buffers()[1], np.int32)[array.offset * 4 : (array.offset + len(array)) * 4 : 4]
        return np.where(array.is_valid().to_numpy(zero_copy_only=False), views, 0).astype(np.int64)
    if _is_string(kind):
        return pc.binary_length(array).fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return np.full(len(array), 8, np.int64)


def _fields(names: list[str], columns: list[pa.Array]) -> tuple[list[pa.Array], pa.Schema]:
    arrays, fields = [], []
    for name, column in zip(names, columns, strict=True):
        kind = column.type
        if _is_string(kind):
            array, metadata = _without_views(column), None
        elif pa.types.is_dictionary(kind) and _is_string(kind.value_type):
            array, metadata = _without_views(column.dictionary.take(column.indices)), None
        elif pa.types.is_primitive(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
            array, metadata = column, None
        else:
            values = [None if value is None else json.dumps(value, default=str) for value in python_values(column)]
            array, metadata = pa.array(values, pa.large_string()), {NESTED: str(kind).encode()}
            if array.nbytes > 2 * VALUE_BYTES_MAX:
                raise RefusedError(f"column `{name}` holds lists or structures of an absurd size")
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=metadata))
    return arrays, pa.schema(fields)


def python_values(array: pa.Array) -> list[Any]:
    """Python values of an array; a time beyond Python's calendar, or in a zone it does not know, is the number stored.

    Raises UnicodeDecodeError.
    """
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        raise
    except (OverflowError, ValueError, LookupError):
        return [_python_value(scalar) for scalar in array]


def _python_value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError, LookupError):
        if isinstance(scalar, pa.StructScalar):
            return {name: _python_value(value) for name, value in scalar.items()}
        values = scalar.values if isinstance(scalar, pa.ListScalar | pa.LargeListScalar) else scalar.value
        if isinstance(values, pa.Array):
            return python_values(values)
        return _python_value(values) if isinstance(values, pa.Scalar) else values


def _without_views(array: pa.Array) -> pa.Array:
    """Strings whose bytes stand in one piece: a batch would be sent with all that its views could point to."""
    return array.cast(pa.large_string()) if pa.types.is_string_view(array.type) else array


def _read_parquet(source: Any, sender: _Sender, request: dict[str, Any]) -> None:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True)
    names = file.schema_arrow.names
    sender.names(names)
    columns = sender.wanted(names)
    for group in _chosen(request, file.num_row_groups):
        metadata = file.metadata.row_group(group)
        parts = (metadata.column(number) for number in range(metadata.num_columns))
        size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] in columns)
        fitting = request["batch_bytes"] * max(metadata.num_rows, 1) // max(size, 1)
        rows = max(1, min(request["batch_documents"], fitting))
        for batch in file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False):
            sender.send(batch)


def _chosen(request: dict[str, Any], count: int) -> range:
    """The row groups or record batches of the part that is asked for, of `count`."""
    start, length = request["part"] or (0, count)
    return range(start, count if length < 0 else min(start + length, count))


def _read_arrow(source: Any, sender: _Sender, request: dict[str, Any]) -> None:
    def options(schema: pa.Schema) -> pa.ipc.IpcReadOptions:
        columns = [schema.get_field_index(name) for name in sender.wanted(schema.names)]
        # no column at all would mean all of them
        return pa.ipc.IpcReadOptions(use_threads=False, included_fields=columns or [0])

    start, fault = 0, None
    if not request["ordered"]:
        try:
            schema = pa.ipc.open_file(source).schema
        except (pa.ArrowInvalid, OSError) as error:  # its table of contents is lost; the batches before may not be
            start, fault = _MAGIC_BYTES, error
            source.seek(start)
    if request["ordered"] or fault:
        schema = pa.ipc.open_stream(source).schema
    sender.names(schema.names)
    if not sender.wanted(schema.names):
        return
    if request["ordered"] or fault:
        source.rewind() if isinstance(source, _Asked) else source.seek(start)
        batches: Iterable[pa.RecordBatch] = _streams(source, options(schema))
    else:
        file = pa.ipc.open_file(source, options=options(schema))
        batches = (file.get_batch(index) for index in _chosen(request, file.num_record_batches))
    for batch in batches:
        sender.send(batch)
    if fault:
        raise fault


def _streams(source: Any, options: pa.ipc.IpcReadOptions) -> Iterator[pa.RecordBatch]:
    """The batches of a stream, and of those that `cat` put behind it."""
    yield from pa.ipc.open_stream(source, options=options)
    while head := source.read(8):
        if head.strip(b"\0"):
            source.push_back(head) if isinstance(source, _Asked) else source.seek(source.tell() - len(head))
            yield from pa.ipc.open_stream(source)


def _read_dataset(_: Any, sender: _Sender, request: dict[str, Any]) -> None:
    from datasets import IterableDataset, load_dataset

    path, config, split = request["dataset"]
    loaded = load_dataset(path, config or None, split=split or None, revision=request["revision"], streaming=True)
    splits = {split: loaded} if isinstance(loaded, IterableDataset) else dict(loaded)
    for label in sorted(splits):
        names = splits[label].column_names
        sender.names(names or request["columns"], label)
        for table in splits[label].with_format("arrow").iter(batch_size=request["batch_documents"]):
            for batch in table.to_batches():
                sender.send(batch)


def _size_parquet(source: Any, sender: _Sender, request: dict[str, Any]) -> None:
    import pyarrow.parquet as pq

    metadata = pq.ParquetFile(source, buffer_size=1 << 20, pre_buffer=False).metadata
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    sender.sizes((group.num_rows, group.total_byte_size) for group in groups)


def _size_arrow(source: Any, sender: _Sender, request: dict[str, Any]) -> None:
    schema = pa.ipc.open_file(source).schema
    flat = [index for index, field in enumerate(schema) if pa.types.is_primitive(field.type)]
    options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=flat[:1] or [0])
    file = pa.ipc.open_file(source, options=options)
    rows = [file.get_batch(index).num_rows for index in range(file.num_record_batches)]
    sender.sizes((count, count * request["size"] // max(sum(rows), 1)) for count in rows)


_READERS = {
    "parquet": _read_parquet,
    "parquet_sizes": _size_parquet,
    "arrow": _read_arrow,
    "arrow_sizes": _size_arrow,
    "datasets": _read_dataset,
}


def _memory() -> int:
    """Bytes of memory that this process holds; mapped files do not count (Linux; 0 elsewhere)."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData"))
    except OSError:
        return 0


def limit_memory(size: int) -> None:
    """Let this process hold `size` bytes."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (size, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def allow_processor_time() -> None:
    """Let this process use _CPU_SECONDS from now on."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with suppress(OSError, ValueError):
        limit = int(usage.ru_utime + usage.ru_stime) + _CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _answer(channel: Channel, held: int) -> None:
    _, payload, descriptor = channel.receive()
    request = json.loads(payload)
    source: Any = None
    try:
        allow_processor_time()
        limit_memory(held + request["memory_bytes"])
        if descriptor is not None:
            source = pa.memory_map(f"/dev/fd/{descriptor}")
        elif request["reader"] != "datasets":
            asked = _Asked(channel, None if request["ordered"] else request["size"])
            source = asked if request["ordered"] else pa.PythonFile(cast(Any, asked), mode="r")
        _READERS[request["reader"]](source, _Sender(channel, request, source), request)
    except EOFError:
        raise
    except (MemoryError, pa.ArrowMemoryError):
        limit = request["memory_bytes"] >> 20
        channel.send(b"E", json.dumps(["refused", f"a part of it needs more than {limit} MiB of memory"]).encode())
    except RefusedError as error:
        channel.send(b"E", json.dumps(["refused", str(error)]).encode())
    except Exception as error:
        channel.send(b"E", json.dumps([type(error).__name__, str(error)[:300]]).encode())
    else:
        channel.send(b"Z")
    finally:
        if descriptor is not None:
            os.close(descriptor)


def main() -> None:
    """Serve the parent whose socket has the number in the first argument until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    held = _memory()
    with suppress(EOFError, ConnectionError):
        while True:
            _answer(channel, held)


if __name__ == "__main__":
    main()
