"""Parquet, Arrow IPC and `datasets` by name, opened by a child process that may die of a file (`pipeline.table_child`).

A child serves one file after the other, so that its start (0.3 s) counts once a process. What it sends is validated
once more. If it dies, the file it read is a problem, and the next file gets a new child.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import pyarrow as pa

from configs.errors import InputError, UnsafeArchiveError
from configs.models import Columns
from pipeline import table_child
from pipeline.readers.containers import Member
from pipeline.readers.rows import Context, Row
from pipeline.readers.streams import Stream, input_errors, seekable, too_large
from pipeline.readers.tables import ALL, metadata_columns, missing_column, row_of, said, wanted_columns, wrong_type
from pipeline.table_child import EXPANDED, EXPANDED_BYTES, EXPANDED_RATIO, PLACE, Channel

MEMORY_BYTES = 768 << 20
"""What a child may hold beside what it starts with: a record batch, or a page of each column of Parquet."""
DATASET_MEMORY_BYTES = 4 << 30

_BOMB = "it looks like a decompression bomb: remove the file or exclude it"
_SMALLER = "rewrite it in smaller record batches or row groups, or exclude it"
_READ_SIZE = 1 << 20


def read_parquet(member: Member, context: Context) -> Iterator[Row]:
    """Parquet, a batch at a time, only the columns that are mapped."""
    with input_errors(member.name), seekable(member.stream) as file:
        yield from _rows("parquet", member, file, context)


def read_arrow(member: Member, context: Context) -> Iterator[Row]:
    """Arrow IPC, file or stream format. An empty file gives nothing."""
    head = member.stream.peek(6)
    if not head:
        member.stream.read(1)  # raises where the file is damaged rather than empty
        return
    with input_errors(member.name):
        if head == b"ARROW1" or _descriptor(member.stream.seekable_file) is not None:
            with seekable(member.stream) as file:
                yield from _rows("arrow", member, file, context, ordered=head != b"ARROW1")
        else:
            yield from _rows("arrow", member, None, context, ordered=True)


def read_dataset(name: str, revision: str | None, context: Context) -> Iterator[Row]:
    """All splits of `NAME`, `NAME:CONFIG` or `NAME:CONFIG:SPLIT` of the Hugging Face hub or a local folder, streamed.

    Code of a dataset is never run.
    """
    request = _request("datasets", context) | {
        "dataset": (*name.split(":"), "", "")[:3],
        "revision": revision,
        "size": None,
        "memory_bytes": DATASET_MEMORY_BYTES,
    }
    with input_errors(name), _borrowed(name) as child:
        yield from _received(child, request, None, None, name, context)


def table_sizes(reader: str, member: Member, context: Context) -> Iterator[tuple[int, int]]:
    """Rows, and about the bytes, of each row group of Parquet or record batch of an Arrow file. Raises InputError."""
    for kind, payload in _asked(f"{reader}_sizes", member, _request(reader, context)):
        if kind == b"S":
            yield from ((rows, size) for rows, size in json.loads(payload))


def table_keys(reader: str, member: Member, context: Context) -> Iterator[str]:
    """The own keys of rows, of whose columns only that is read. Raises InputError."""
    column = context.source.columns.id
    request = _request(reader, context) | {"columns": (column,), "others": False}
    for kind, payload in _asked(reader, member, request):
        if kind == b"B":
            for batch in pa.ipc.open_stream(payload):
                if column in batch.schema.names:
                    keys = map(said, _values(batch.schema.field(column), batch[column]))
                    yield from (key for key in keys if key)


def _asked(reader: str, member: Member, request: dict[str, Any]) -> Iterator[tuple[bytes, bytearray]]:
    part = (member.part.start, member.part.length) if member.part else None
    with input_errors(member.name), seekable(member.stream) as file, _borrowed(member.name) as child:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        request = request | {"reader": reader, "size": size, "ordered": False, "part": part}
        yield from _messages(child, request, file, member.stream, member.name)


def _request(reader: str, context: Context) -> dict[str, Any]:
    return {
        "reader": reader,
        "columns": wanted_columns(context.source.columns),
        "text": context.source.columns.text,
        "others": ALL in context.source.columns.metadata,
        "batch_documents": context.batch_documents,
        "batch_bytes": 8 << 20,
        "memory_bytes": MEMORY_BYTES,
        "part": None,
    }


def _rows(reader: str, member: Member, file: BinaryIO | None, context: Context, ordered: bool = False) -> Iterator[Row]:
    """Rows of a file, which can seek, or (None) of the member's stream in order."""
    size = None
    if file is not None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    request = _request(reader, context) | {"size": size, "ordered": ordered}
    if member.part:
        request["part"] = (member.part.start, member.part.length)
    with _borrowed(member.name) as child:
        yield from _received(child, request, file, member.stream, member.name, context, member.before)


class _Child:
    """A child process and the channel to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "MALLOC_ARENA_MAX": "2",
            "OMP_NUM_THREADS": "1",
        }
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", table_child.__name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                pass_fds=[theirs.fileno()],
            )
        self._socket, self.owner = ours, os.getpid()
        self.channel = Channel(ours)

    def alive(self) -> bool:
        """Whether this process started it and it still runs."""
        return self.owner == os.getpid() and self._process.poll() is None

    def close(self) -> int:
        """End it; returns its exit status, negative for a signal."""
        self._socket.close()
        if self.owner != os.getpid():  # a fork of the process that started it
            return 0
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(1)  # it ends by itself when the channel is gone, or has crashed
        self._process.kill()
        return self._process.wait()


_idle: list[_Child] = []
_lock = threading.Lock()


class _borrowed:  # noqa: N801
    """A child for the time of a file: an idle one or a new one. It is kept where the file was read to its end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> _Child:
        with _lock:
            while _idle:
                child = _idle.pop()
                if child.alive():
                    break
                child.close()
            else:
                child = _Child()
        self._child = child
        return child

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        finished = kind is None or getattr(error, "child_is_idle", False)
        with _lock:
            if finished and not _idle:
                _idle.append(self._child)
                return
        status = self._child.close()
        if isinstance(error, (EOFError, ConnectionError)):
            raise _death(self._name, status) from None


def _death(name: str, status: int) -> InputError:
    if status == -signal.SIGXCPU:
        return InputError(name, "Arrow does not finish reading it", "recreate the file, or exclude it")
    how = signal.Signals(-status).name if status < 0 else f"status {status}"
    return InputError(name, f"damaged, or made to crash Arrow ({how})", "recreate the file, or exclude it")


@atexit.register
def _close_idle() -> None:
    for child in _idle:
        child.close()


def _received(
    child: _Child,
    request: dict[str, Any],
    file: BinaryIO | None,
    stream: Stream | None,
    name: str,
    context: Context,
    before: int = 0,
) -> Iterator[Row]:
    """Rows of what the child sends, up to its end; raises InputError where it refuses the file, EOFError if it dies."""
    table = _Table(name, context, before)
    for kind, payload in _messages(child, request, file, stream, name):
        if kind == b"N":
            names, label = json.loads(payload)
            table.start(names, label)
        elif kind == b"B":
            yield from table.rows(payload)
        elif kind == b"L":
            table.too_large()


def _messages(
    child: _Child, request: dict[str, Any], file: BinaryIO | None, stream: Stream | None, name: str
) -> Iterator[tuple[bytes, bytearray]]:
    """What the child sends beside requests for bytes, up to its end. Raises as `_received`."""
    channel = child.channel
    channel.send(b"Q", json.dumps(request).encode(), _descriptor(file))
    fault: InputError | None = None
    received = 0
    while True:
        kind, payload, _ = channel.receive()
        if kind == b"R":
            try:
                channel.send(b"D", _bytes(file, stream, *PLACE.unpack(payload)))
            except InputError as error:
                fault = error
                channel.send(b"F")
        elif kind == b"E":
            raise _marked(fault or _refusal(name, *json.loads(payload)))
        elif kind == b"Z":
            return
        else:
            received += len(payload)
            if stream is not None and received > max(2 * EXPANDED_BYTES, EXPANDED_RATIO * _stored(stream, request)):
                raise UnsafeArchiveError(name, EXPANDED, _BOMB)
            yield kind, payload


def _marked(error: InputError) -> InputError:
    error.child_is_idle = True  # type: ignore[attr-defined]
    return error


def _refusal(name: str, kind: str, cause: str) -> InputError:
    if cause == EXPANDED:
        return UnsafeArchiveError(name, cause, _BOMB)
    if kind == "refused":
        return InputError(name, cause, _SMALLER if "memory" in cause else "recreate the file, or exclude it")
    known = {error.__name__: error for error in (FileNotFoundError, PermissionError)}
    try:
        with input_errors(name):
            raise known.get(kind, type(kind, (Exception,), {}))(cause)
    except InputError as error:
        return error


def _descriptor(file: BinaryIO | None) -> int | None:
    """The descriptor of a file of this machine, which the child can map; None for others."""
    try:
        return file.fileno() if file is not None else None
    except (AttributeError, OSError):
        return None


def _bytes(file: BinaryIO | None, stream: Stream | None, place: int, size: int) -> bytes:
    if file is not None and place >= 0:
        file.seek(place)
        return file.read(size)
    return stream.read(min(size, _READ_SIZE)) if stream is not None else b""


def _stored(stream: Stream, request: dict[str, Any]) -> int:
    """Bytes of the file as it is stored, as far as it has been read."""
    if stream.compressed is None:
        return int(request["size"] or stream.given)
    while stream.compressed is not None:
        stream = stream.compressed
    return stream.given


class _Table:
    """The rows of a table, numbered; a row without text, or with text that is not UTF-8, is a problem."""

    def __init__(self, name: str, context: Context, before: int = 0) -> None:
        self._before = before
        self._name, self._columns = name, context.source.columns
        self._on_problem = context.on_problem
        self._number, self._label = 0, ""

    def start(self, names: list[str], label: str) -> None:
        """A table with these columns follows; raises InputError where one is missing."""
        self._number, self._label = self._before, label
        for column in (self._columns.text, self._columns.id):
            if column and column not in names:
                raise missing_column(self._name, column, names)

    def too_large(self) -> None:
        """Count a row that was left out for its size."""
        self._number += 1
        self._on_problem(too_large(f"{self._name}, row {self._number}"))

    def rows(self, payload: bytes | bytearray) -> Iterator[Row]:
        """Rows of a batch in the IPC stream format."""
        for batch in pa.ipc.open_stream(payload):
            field = batch.schema.field(self._columns.text)
            kind = (field.metadata or {}).get(table_child.NESTED, str(field.type).encode()).decode()
            if kind not in ("string", "large_string"):
                raise wrong_type(self._name, self._columns.text, kind)
            for record in _records(batch, self._columns):
                self._number += 1
                try:
                    row = row_of(record, self._columns, f"{self._name}, row {self._number}", f"#{self._number}")
                except InputError as error:
                    self._on_problem(error)
                    continue
                yield row._replace(suffix=f"/{self._label}{row.suffix}") if self._label else row


def _records(batch: pa.RecordBatch, columns: Columns) -> Iterator[dict[str, Any]]:
    names = [name for name in wanted_columns(columns) if name in batch.schema.names]
    names = list(dict.fromkeys([*names, *metadata_columns(columns, batch.schema.names)]))
    values = [_values(batch.schema.field(name), batch[name]) for name in names]
    for row in zip(*values, strict=True):
        yield dict(zip(names, row, strict=True))


def _values(field: pa.Field, array: pa.Array) -> list[Any]:
    """Python values of a column; strings that are not UTF-8 hold surrogates, which makes their rows problems."""
    raw = array
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        raw = array.view(pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary())
    raw.validate(full=True)
    try:
        values = table_child.python_values(array)
    except UnicodeDecodeError:
        values = [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw.to_pylist()]
    if field.metadata and table_child.NESTED in field.metadata:
        return [None if value is None else json.loads(value) for value in values]
    return values
