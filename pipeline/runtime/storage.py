"""Files of a build: any fsspec path, written under a temporary name and renamed when complete, digested on the way."""

import errno
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import fsspec
import pyarrow as pa
import xxhash
from fsspec.implementations.local import LocalFileSystem

from configs.errors import OutputError
from pipeline.runtime import stores
from pipeline.runtime.spool import Spool
from pipeline.runtime.stores import Span, open_filesystem

try:
    from orjson import loads
except ImportError:  # where a trainer has PyTorch and little else
    from json import loads  # type: ignore[assignment]

_BLOCK = 8 << 20
_THREADS = 16
_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some room, or choose another --output, and start again: it resumes",
    errno.EDQUOT: "the disk quota is used up; free some room and start again: it resumes",
    errno.EROFS: "the file system is read-only; choose another --output",
    errno.EACCES: "permission denied; choose another --output or change its permissions",
    errno.EPERM: "operation not permitted; choose another --output",
    errno.ENOTDIR: "a part of the path is a file; choose another --output",
    errno.EEXIST: "a part of the path is a file; choose another --output",
}


def filesystem(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or URL, and the path as that file system knows it; a remote one is a `Remote`.

    Raises ConfigurationError where the kind of URL is unknown, needs a package that is not installed, or names no
    bucket.
    """
    return open_filesystem(path)


def is_local(path: str) -> bool:
    """Whether a path lies on this machine's disk."""
    return isinstance(filesystem(path)[0], LocalFileSystem)


def absolute(path: str) -> str:
    """The same place, as a process with another working directory names it; URLs and local paths alike."""
    return str(Path(filesystem(path)[1])) if is_local(path) else path


def join(folder: str, *names: str) -> str:
    """Join path or URL parts with `/`."""
    base = folder if folder.endswith("://") else folder.rstrip("/")  # a URL of no bucket is refused as such
    return "/".join([base, *[name.strip("/") for name in names]])


class DigestingStream(io.RawIOBase):
    """A binary file that hashes (xxh3-128) and counts what is written through it.

    `changed` is, once it is closed, the time of its last change on a local disk; 0.0 elsewhere.
    """

    def __init__(self, stream: BinaryIO | Spool, path: str) -> None:
        self._stream, self._path, self._hash, self.size = stream, path, xxhash.xxh3_128(), 0
        self.changed = 0.0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Write a bytes-like object; returns its length in bytes. Raises OutputError."""
        with memoryview(data) as view, _writing(self._path):
            self._hash.update(view)
            self.size += view.nbytes
            self._stream.write(view)
            return view.nbytes

    def tell(self) -> int:
        return self.size

    @property
    def digest(self) -> str:
        """xxh3-128 of all bytes written so far, 32 hex digits."""
        return self._hash.hexdigest()


@contextmanager
def _writing(path: str) -> Iterator[None]:
    """Turn the system's refusals into an OutputError that says what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {_REMEDIES.get(error.errno or 0, str(error))}") from error


@contextmanager
def create(path: str) -> Iterator[DigestingStream]:
    """Open `path` for writing so that it appears whole or not at all; raises OutputError where it cannot be written.

    On a local disk the bytes go to a temporary name beside it, which is renamed at the end. What goes to a store is
    kept here until it is complete, and thrown away after an error.
    """
    fs, inner = filesystem(path)
    with _created_here(inner, path) if isinstance(fs, LocalFileSystem) else _created_there(fs, inner, path) as stream:
        yield stream


def abandon_uploads(folder: str, names: Iterable[str]) -> None:
    """Give up what ended processes left half uploaded below these folders of a folder of ours; see `Remote`."""
    fs, inner = filesystem(folder)
    if not isinstance(fs, LocalFileSystem):
        fs.abandon_uploads(inner, names)


@contextmanager
def _created_here(inner: str, path: str) -> Iterator[DigestingStream]:
    target = f"{inner}.{uuid4().hex[:8]}.tmp"
    with _writing(path):
        try:
            stream = open(target, "wb")  # noqa: SIM115 - closed below, errors apart
        except FileNotFoundError:
            Path(inner).parent.mkdir(parents=True, exist_ok=True)
            stream = open(target, "wb")  # noqa: SIM115
    try:
        digesting = DigestingStream(stream, path)
        yield digesting
        with _writing(path):
            stream.close()
            digesting.changed = Path(target).stat().st_mtime
            os.replace(target, inner)  # noqa: PTH105 - fsspec's own move is no atomic rename
    except BaseException:
        with suppress(OSError):  # closing a file on a full disk fails a second time
            stream.close()
        Path(target).unlink(missing_ok=True)
        raise


@contextmanager
def _created_there(fs: Any, inner: str, path: str) -> Iterator[DigestingStream]:
    with Spool(stores.BLOCK) as spool:
        digesting = DigestingStream(spool, f"{path} (on its way, in {tempfile.gettempdir()})")
        yield digesting
        with _writing(path):
            fs.makedirs(fs._parent(inner), exist_ok=True)
            fs.upload(spool, inner)


@dataclass(frozen=True)
class Entry:
    """A file as a listing shows it: length in bytes, time of its last change (0.0 where the store is not local)."""

    size: int
    changed: float


def list_files(folder: str) -> dict[str, Entry]:
    """All files below a folder by path relative to it, sorted; none where it does not exist."""
    fs, inner = filesystem(folder)
    root, local = fs._strip_protocol(inner).rstrip("/"), isinstance(fs, LocalFileSystem)
    try:
        found = fs.find(root, detail=True)
    except FileNotFoundError:
        return {}
    return {
        path[len(root) + 1 :]: Entry(int(about["size"]), float(about["mtime"]) if local else 0.0)
        for path, about in sorted(found.items())
        if about["type"] != "directory" and path != root
    }


def names_in(folder: str) -> set[str]:
    """Names of the files and folders in a folder; none where it does not exist."""
    fs, inner = filesystem(folder)
    try:
        return {path.rstrip("/").rsplit("/", 1)[-1] for path in fs.ls(inner, detail=False)}
    except FileNotFoundError:
        return set()


def remove(folder: str, names: Iterable[str]) -> None:
    """Remove files below a folder, in order where they are local; one that is gone is no error. Raises OutputError."""
    fs, inner = filesystem(folder)

    def one(name: str) -> None:
        with _writing(join(folder, name)), suppress(FileNotFoundError):
            fs.rm_file(f"{inner.rstrip('/')}/{name}")

    if isinstance(fs, LocalFileSystem):
        for name in sorted(names):
            one(name)
    elif names := sorted(names):
        with ThreadPoolExecutor(min(_THREADS, len(names))) as pool:
            list(pool.map(one, names))


def digest_of(value: Any) -> str:
    """xxh3-128 of a JSON-able value, 32 hex digits."""
    text = _FOR_DIGESTS.encode(value)
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def _jsonable(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else list(value)


_FOR_DIGESTS = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=_jsonable)
"""Made once, as it is used several times a task."""


def json_bytes(value: Any, indent: int | None = 1) -> bytes:
    """A value as `write_json` writes it: sorted keys, UTF-8; without `indent` on one line, which is much faster."""
    try:
        data = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent).encode()
    except UnicodeEncodeError:  # half a surrogate pair, as names of files have that are not UTF-8
        data = json.dumps(value, sort_keys=True, indent=indent).encode()
    return data + b"\n"


def write_json(path: str, value: Any, indent: int | None = 1) -> None:
    """Write a value as JSON with sorted keys, whole or not at all; see `json_bytes`."""
    with create(path) as stream:
        stream.write(json_bytes(value, indent))


def write_text(path: str, text: str) -> None:
    """Write a text as UTF-8, whole or not at all; half a surrogate pair, as names of files may hold, as `?`."""
    with create(path) as stream:
        stream.write(text.encode("utf-8", "replace"))


def read_bytes(path: str) -> bytes:
    """A whole file; for small ones. Raises OSError."""
    fs, inner = filesystem(path)
    return bytes(fs.cat_file(inner))


def read_each(paths: Sequence[str]) -> Iterator[bytes]:
    """Whole small files in order, some requests at a time where they are not local. Raises OSError."""
    if not paths or is_local(paths[0]):
        yield from map(read_bytes, paths)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(paths), READ_AHEAD):
            yield from pool.map(read_bytes, paths[start : start + READ_AHEAD])


READ_AHEAD = 1000
"""Files of a shard that are held at a time, each some ten kilobytes."""


def read_json(path: str) -> Any:
    """Read a JSON file; raises FileNotFoundError where there is none, ValueError where it is damaged."""
    fs, inner = filesystem(path)
    return from_json(fs.cat_file(inner))


def from_json(data: bytes) -> Any:
    """What JSON says, read several times as fast as by `json`; raises ValueError where it is damaged."""
    try:
        return loads(data)
    except ValueError:  # it knows no half of a surrogate pair, as `json_bytes` may have to write
        return json.loads(data)


def read_json_as_written(path: str) -> Any:
    """Read what `write_json` wrote; raises FileNotFoundError, or ValueError where a single byte differs."""
    fs, inner = filesystem(path)
    data = fs.cat_file(inner)
    value = json.loads(data)
    if json_bytes(value) != data:
        raise ValueError("it is not as it was written")
    return value


def hash_file(path: str, digest: Any) -> int:
    """Feed a file's bytes to a digest, such as `hashlib.sha256()`; returns how many they are. Raises OSError."""
    fs, inner = filesystem(path)
    size = 0
    with fs.open(inner, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size


def file_digest(path: str) -> str:
    """xxh3-128 of a file's bytes, 32 hex digits. Raises OSError."""
    digest = xxhash.xxh3_128()
    hash_file(path, digest)
    return digest.hexdigest()


def size_of(path: str) -> int:
    """Bytes of a file. Raises FileNotFoundError."""
    fs, inner = filesystem(path)
    return int(fs.size(inner))


def exists(path: str) -> bool:
    """Whether a file or folder is there."""
    fs, inner = filesystem(path)
    return bool(fs.exists(inner))


def remove_tree(path: str) -> None:
    """Remove a folder with all that is in it, if it is there."""
    fs, inner = filesystem(path)
    if isinstance(fs, LocalFileSystem):
        if fs.exists(inner):
            shutil.rmtree(inner)
    else:
        remove(path, list_files(path))


def forget_other(path: str, size: int) -> None:
    """Forget what this process recalls of a file of a store that has `size` bytes, if it recalls another length."""
    fs, inner = filesystem(path)
    if not isinstance(fs, LocalFileSystem):
        fs.forget_other(inner, size)


def bring(path: str) -> None:
    """Fetch a large file of a store to this machine's disk, before it is read more than once. Raises OSError."""
    fs, inner = filesystem(path)
    if not isinstance(fs, LocalFileSystem):
        fs.bring(inner)


@contextmanager
def open_stream(
    path: str, *, mapped: bool = True, span: Span | None = None, columns: Sequence[str] | None = None
) -> Iterator["Streams"]:
    """Open a file of one or several Arrow IPC streams, one after the other; with `span`, one of them alone.

    With `columns` the batches have only these, in the order of the file: a batch of many columns takes time to make.

    A local file is memory-mapped, so that columns that are not looked at cost nothing. Not so with `mapped` false, for
    who reads large files whole: pages of a mapping stay in memory until the file is closed. Of a large file in a store
    only the span is fetched.
    """
    fs, inner = filesystem(path)
    if isinstance(fs, LocalFileSystem):
        source = pa.memory_map(inner) if mapped else pa.OSFile(inner)
    else:
        source = fs.open(inner, "rb", span=span)
    with source:
        source.seek(span.at if span else 0)
        yield Streams(source, alone=span is not None, columns=columns)


class Streams:
    """The batches of the Arrow IPC streams that an open file holds from where it stands, or of the first `alone`."""

    def __init__(self, source: Any, *, alone: bool = False, columns: Sequence[str] | None = None) -> None:
        self._source, self._alone, self._options = source, alone, None
        start = source.tell()
        self._reader = pa.ipc.open_stream(source)
        self.schema: pa.Schema = self._reader.schema
        if columns is not None:
            wanted = [place for place, name in enumerate(self.schema.names) if name in columns]
            self._options = pa.ipc.IpcReadOptions(included_fields=wanted)
            self.schema = pa.schema([self.schema.field(place) for place in wanted], self.schema.metadata)
            source.seek(start)
            self._reader = pa.ipc.open_stream(source, options=self._options)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while (batch := self.next()) is not None:
            yield batch

    def next(self) -> pa.RecordBatch | None:
        """The next batch, or None behind the last."""
        while True:
            try:
                return self._reader.read_next_batch()
            except StopIteration:
                if self._alone or not self._has_more():
                    return None
                self._reader = pa.ipc.open_stream(self._source, options=self._options)

    def read_all(self) -> pa.Table:
        """All batches as a table."""
        return pa.Table.from_batches(self, self.schema)

    def _has_more(self) -> bool:
        place = self._source.tell()
        more = len(self._source.read(1)) > 0
        self._source.seek(place)
        return more
