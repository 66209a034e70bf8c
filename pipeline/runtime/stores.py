"""File systems that are not this machine's: object stores, HDFS, the web. What fails for a while is tried again.

A store that is away for some minutes costs these minutes and nothing else. One that stays away, or refuses, ends what
is done with a StorageError: it is never taken for a missing or damaged file. All answers come from the store itself,
none from a listing kept in memory, since others write to it as well.
"""

import difflib
import errno
import io
import json
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

import fsspec
from fsspec.core import split_protocol
from fsspec.implementations.local import LocalFileSystem

from configs.errors import ConfigurationError, StorageError
from configs.shown import shown
from pipeline.runtime import recall
from pipeline.runtime.spool import Spool

T = TypeVar("T")

PATIENCE_SECONDS = 300.0
"""How long a store may be away; `OPENROOTS_STORE_PATIENCE` in the environment says otherwise."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0
_SPEAK_AFTER = 10.0
BLOCK = 8 << 20
"""Bytes asked for at a time where a file is read in order; a smaller file costs one request."""
_PIECE = 1 << 18
"""The same where it is read here and there."""

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci"})
"""Protocols of stores that have buckets, and no folders to be made."""
_PACKAGES = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure"}
"""By protocol, our extra that installs what it needs."""
SUPPORTED = "give a folder of this machine, or a URL of s3://, gs://, abfs:// or hdfs://"
_ANSWERS = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
"""What a store says that is no fault of its own."""
_CLIENTS = ("aiohttp", "aiobotocore", "azure", "botocore", "fsspec", "gcsfs", "google", "httpx", "requests", "urllib3")
"""Packages whose errors come from a network, where they are no OSError."""
_HOPELESS = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENAMETOOLONG, errno.EPERM, errno.EROFS, errno.ENOSPC})
_AWAY_NAMES = (
    *("EIO", "ESTALE", "ETIMEDOUT", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "EHOSTDOWN", "EHOSTUNREACH"),
    *("ENETDOWN", "ENETUNREACH", "ENETRESET", "ENOTCONN", "EREMOTEIO", "ESHUTDOWN", "EPIPE"),
)
_AWAY = frozenset(getattr(errno, name) for name in _AWAY_NAMES if hasattr(errno, name))
"""What the system answers where a mounted network file system is away."""
_NO_CREDENTIALS = ("NoCredentials", "PartialCredentials", "ProfileNotFound", "DefaultCredentials", "TokenRetrieval")
_SETTINGS = "AWS_ENDPOINT_URL (http://host:port), AWS_DEFAULT_REGION, AWS_PROFILE or whatever its client reads"
_WRONG_SETTINGS = ("ParamValidation", "Invalid", "Unsupported", "Unknown", "Config", "NoRegion", "Missing")
"""How the names of errors of S3's client begin that come from what it was told, not from a network."""
_HADOOP = (
    "hdfs:// needs Java and Hadoop's client on every machine: set JAVA_HOME, HADOOP_HOME, and CLASSPATH to what "
    "`hadoop classpath --glob` prints"
)
_PRECONDITIONS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_LOGGER = logging.getLogger("openroots")
_short: list[float] = []
_LOCAL = LocalFileSystem()


def open_filesystem(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or URL, and the path as that file system knows it.

    Raises ConfigurationError where the kind of URL is unknown, needs a package that is not installed, names no bucket,
    or cannot be opened.
    """
    protocol = _checked(path)
    if protocol is None and "::" not in path:  # nearly all; fsspec's general way takes several times as long
        return _LOCAL, LocalFileSystem._strip_protocol(path)
    try:
        fs, inner = fsspec.url_to_fs(path, **_options(protocol))
    except ImportError as error:
        extra = _PACKAGES.get(protocol or "")
        lacks = f"needs a package that is not installed: pip install 'openroots[{extra}]'" if extra else f"{error}"
        raise ConfigurationError(f"{shown(path)}: {lacks}, here and on every worker") from error
    except ValueError as error:
        near = difflib.get_close_matches((protocol or "").lower(), [*_PACKAGES, "hdfs", "https", "http"], 1, 0.5)
        hint = f"did you mean {near[0]}://?" if near else "give a path, or a URL that fsspec can open"
        raise ConfigurationError(f"{shown(path)}: {error}; {hint}") from error
    except Exception as error:
        if protocol == "hdfs" and isinstance(error, OSError):
            cause = shown(str(error).partition("\n")[0], 200)
            raise ConfigurationError(f"{shown(path)}: {cause}; {_HADOOP}") from error
        if is_outage(error) or _lacks_credentials(error):
            raise _refused(path, error) from error
        cause = shown(str(error).partition("\n")[0], 200) or type(error).__name__  # whatever a client of fsspec raises
        raise ConfigurationError(f"{shown(path)} cannot be opened: {cause}; {SUPPORTED}") from error
    return (fs if isinstance(fs, LocalFileSystem) else _remote(fs)), inner


def _checked(path: str) -> str | None:
    """The protocol of a path. Refuses what looks like a URL of a store and would be taken for something else."""
    protocol, rest = split_protocol(path)
    scheme, colon, after = path.partition(":")
    if colon and scheme in OBJECT_STORES and protocol is None and not after.startswith("//"):
        raise ConfigurationError(f"{shown(path)}: did you mean {scheme}://{shown(after.lstrip('/'))}?")
    if protocol in OBJECT_STORES and not str(rest).split("/")[0]:
        raise ConfigurationError(f"{shown(path)} names no bucket; give {protocol}://BUCKET/FOLDER")
    return protocol


def _options(protocol: str | None) -> dict[str, Any]:
    """Of S3's client: few attempts of its own, since ours are patient, and nothing kept in memory."""
    if protocol not in ("s3", "s3a"):
        return {}
    said = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    patience = {"retries": {"mode": "standard", "total_max_attempts": 2}, "read_timeout": 60, "connect_timeout": 10}
    return {"config_kwargs": {**patience, **said}, "use_listings_cache": False}


@lru_cache(64)
def _remote(fs: fsspec.AbstractFileSystem) -> "Remote":
    return Remote(fs)


@contextmanager
def impatient(seconds: float = 15.0) -> Iterator[None]:
    """Within this block a store that does not answer is given up early: a person waits for the first answer."""
    _short.append(seconds)
    try:
        yield
    finally:
        _short.pop()


def _patience() -> float:
    try:
        said = float(os.environ.get("OPENROOTS_STORE_PATIENCE", PATIENCE_SECONDS))
    except ValueError:
        said = PATIENCE_SECONDS
    return min([said, *_short])


def is_outage(error: BaseException) -> bool:
    """Whether an error tells of a network or a store, and nothing of what is read or written."""
    if isinstance(error, StorageError):
        return True
    if isinstance(error, (*_ANSWERS, PermissionError)):
        return False
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in _AWAY:
        return True
    return type(error).__module__.split(".")[0] in _CLIENTS and not isinstance(error, ValueError)


def _lacks_credentials(error: BaseException) -> bool:
    return any(sign in type(error).__name__ for sign in _NO_CREDENTIALS)


def _is_wrong_setting(error: BaseException) -> bool:
    """Whether a client refuses what it was told: a name of a bucket, an endpoint, a region."""
    name, package = type(error).__name__, type(error).__module__.split(".")[0]
    if package == "botocore" and name.startswith(_WRONG_SETTINGS):
        return True
    return isinstance(error, ValueError) and not isinstance(error, UnicodeError | json.JSONDecodeError)


def _code(error: BaseException) -> str:
    """What a store calls an error, such as `SlowDown`; "" where it does not say."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict) and response.get("Error", {}).get("Code"):
            return str(response["Error"]["Code"])
        error = error.__cause__  # type: ignore[assignment]
    return ""


def _refused(path: str, error: BaseException) -> StorageError:
    """One line of what is wrong, where, and what to do."""
    where, what = shown(path), " ".join(str(error).split()) or type(error).__name__
    if _lacks_credentials(error):
        return StorageError(
            f"{where}: no credentials are known on {socket.gethostname()} ({what}); set them there, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if isinstance(error, PermissionError):
        return StorageError(
            f"{where}: the store refuses it ({what}); check the key on {socket.gethostname()}, and its rights to list, "
            "read, write and delete there"
        )
    if _is_wrong_setting(error):
        return StorageError(f"{where}: {what}; correct the name, or what is set on {socket.gethostname()}: {_SETTINGS}")
    return StorageError(f"{where}: the store refuses it ({what})")


def attempt(call: Callable[[], T], path: str) -> T:
    """What `call` returns; where a store is away, it is called again, ever less often, until patience is at its end.

    What the store answers (no such file, it exists already) is raised as it is; anything else as StorageError.
    """
    began, wait, spoken = time.monotonic(), _FIRST_WAIT, False
    while True:
        try:
            return call()
        except _ANSWERS as error:
            if _code(error) == "NoSuchBucket" or "bucket does not exist" in str(error):
                raise StorageError(f"{shown(path)}: there is no such bucket; create it, or correct the name") from error
            raise
        except Exception as error:
            if not isinstance(error, OSError) and not is_outage(error):
                if _lacks_credentials(error) or _is_wrong_setting(error):
                    raise _refused(path, error) from error
                raise
            hopeless = isinstance(error, OSError) and error.errno in _HOPELESS
            hopeless |= _lacks_credentials(error) or _is_wrong_setting(error)
            if isinstance(error, PermissionError | StorageError) or hopeless:
                raise _refused(path, error) from error
            cause, gone = " ".join(str(error).split()) or type(error).__name__, time.monotonic() - began
            if gone + wait > _patience():
                raise StorageError(
                    f"{shown(path)}: the store does not answer ({cause}), tried for {gone:.0f} s on "
                    f"{socket.gethostname()}; check the network, the endpoint and the store, then start again"
                ) from error
        if gone > _SPEAK_AFTER and not spoken:
            spoken = True
            left = _patience() - gone
            _LOGGER.warning("%s: the store does not answer (%s); tried again for %.0f s", shown(path), cause, left)
        time.sleep(wait * random.uniform(0.5, 1.0))
        wait = min(2 * wait, _LONGEST_WAIT)


class Span(NamedTuple):
    """One of several streams in a file: its first byte, the one behind its last, and how many bytes the file has."""

    at: int
    end: int
    size: int


class Remote(fsspec.AbstractFileSystem):
    """A file system of fsspec, each of whose calls is an `attempt`. Files are opened to read; see `upload` to write.

    No path is a pattern but in `glob`.
    """

    cachable = False

    def __init__(self, fs: fsspec.AbstractFileSystem) -> None:
        super().__init__()
        self.fs = fs
        self.protocol = fs.protocol
        names = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
        self.has_buckets = bool(names & OBJECT_STORES)
        self._is_web = bool(names & {"http", "https"})

    def _strip_protocol(self, path: str) -> str:  # type: ignore[override]
        return str(self.fs._strip_protocol(path))

    def _parent(self, path: str) -> str:  # type: ignore[override]
        return str(self.fs._parent(path))

    def unstrip_protocol(self, name: str) -> str:
        return str(self.fs.unstrip_protocol(name))

    def invalidate_cache(self, path: str | None = None) -> None:
        self.fs.invalidate_cache(path)

    def _try(self, name: str, path: str, *args: Any, **kwargs: Any) -> Any:
        self.fs.invalidate_cache()
        return attempt(lambda: getattr(self.fs, name)(path, *args, **kwargs), self._url(path))

    def _url(self, path: str) -> str:
        return path if "://" in path else self.unstrip_protocol(path)

    def info(self, path: str, **kwargs: Any) -> Any:
        size = recall.size_of(self._url(path))
        if size is not None:
            return {"name": self._strip_protocol(path), "size": size, "type": "file"}
        return self._try("info", path, **kwargs)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        return self._try("ls", path, detail=detail, **kwargs)

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any) -> Any:
        """Files below a folder; in a store of buckets with one request a thousand, also where there are none."""
        if self.has_buckets and maxdepth is None and not withdirs and "/" in path.strip("/"):
            folder = path.rstrip("/")
            parent, name = folder.rsplit("/", 1)
            return self._try("find", parent, prefix=f"{name}/", **kwargs)
        return self._try("find", path, maxdepth=maxdepth, withdirs=withdirs, **kwargs)

    def glob(self, path: str, maxdepth: int | None = None, **kwargs: Any) -> Any:
        return self._try("glob", path, maxdepth=maxdepth, **kwargs)

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether a file or folder is there; of a store that does not answer, that is not known."""
        try:
            self.info(path)
            return True
        except FileNotFoundError:
            return False

    def isdir(self, path: str) -> bool:
        try:
            return bool(self.info(path)["type"] == "directory")
        except (FileNotFoundError, NotADirectoryError):
            return False

    def isfile(self, path: str) -> bool:
        try:
            return bool(self.info(path)["type"] == "file")
        except FileNotFoundError:
            return False

    def size(self, path: str) -> Any:
        return self.info(path)["size"]

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Bytes of a file. One request, where S3's client makes two of its own; none where they are recalled."""
        url = self._url(path)
        known = recall.get(url, start, end)
        if known is not None:
            return known
        data = self._bytes(path, start, end, **kwargs)
        if not start and (end is None or len(data) < end):
            recall.keep(url, data)
        return data

    def _bytes(self, path: str, start: int | None, end: int | None, **kwargs: Any) -> bytes:
        if start is None and end is None:
            if not self.has_buckets:
                return bytes(self._try("cat_file", path))
            start = 0
        try:
            return bytes(self._try("cat_file", path, start=start, end=end, **kwargs))
        except StorageError:
            if start == 0 and self.size(path) == 0:  # no range of an empty file can be had
                return b""
            raise

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> Any:
        """Write a file; with mode "create" only where there is none, else FileExistsError.

        With `IfMatch`, for S3, only over the version of that ETag, else FileExistsError.
        """
        if mode != "overwrite":
            kwargs["mode"] = mode
        recall.drop(self._url(path))
        try:
            answer = self._try("pipe_file", path, value, **kwargs)
            recall.keep(self._url(path), bytes(value))
            return answer
        except StorageError as error:
            if _code(error) in _PRECONDITIONS and (mode == "create" or "IfMatch" in kwargs):
                raise FileExistsError(path) from error
            raise

    def rm_file(self, path: str) -> Any:
        recall.drop(self._url(path))
        return self._try("rm_file", path)

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove a file, or with `recursive` all files below a folder; `path` is taken as it is written."""
        for name in sorted(self.find(path)) if recursive else [path]:
            self.rm_file(name)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder, where there are such things: no bucket is ever made."""
        if not self.has_buckets:
            self._try("makedirs", path, exist_ok=exist_ok)

    def forget_other(self, path: str, size: int) -> None:
        """Forget what is recalled of a file, if it has another length: another process has written it since."""
        if recall.size_of(self._url(path)) not in (None, size):
            recall.drop(self._url(path))

    def bring(self, path: str) -> None:
        """Fetch a large file once, to be recalled from this machine's disk: for who reads it more than once.

        Nothing happens if that is not allowed, or does not fit; readers then ask the store.
        """
        url = self._url(path)
        if not self.has_buckets or not recall.may_keep(url) or recall.size_of(url) is not None:
            return
        start = self.cat_file(path, 0, BLOCK)
        if len(start) < BLOCK:  # recalled from memory now
            return
        size = int(self.size(path))
        if size > recall.DISK_BYTES:
            return
        with Spool(BLOCK) as spool, suppress(OSError):  # the disk may be full
            spool.write(start)
            for at in range(BLOCK, size, BLOCK):
                spool.write(self.cat_file(path, at, min(at + BLOCK, size)))
            if os.fstat(spool.fileno()).st_size == size:
                recall.keep_file(url, spool.fileno())

    def open(self, path: str, mode: str = "rb", *, span: Span | None = None, **kwargs: Any) -> Any:
        """Open a file to read its bytes; with a span, those alone are asked for where the file is large."""
        if mode != "rb":
            raise NotImplementedError("files of a store are written by storage.create")
        if self._is_web:
            return _Stream(self._try("open", path, "rb"), path)
        if span is None or span.size <= BLOCK:  # small files are asked for whole, and recalled
            return RangedFile(self, path)
        return RangedFile(self, path, span.at, span.end)

    def upload(self, source: Spool, path: str) -> None:
        """Write a file so that it appears whole or not at all.

        In a store of buckets by one request, or in parts that are thrown away if one fails; elsewhere under another
        name, which is changed at the end.
        """
        if self.has_buckets:
            self._put(source, path)
            if source.is_on_disk:
                recall.keep_file(self._url(path), source.fileno())
            return
        temporary = f"{path}.{uuid4().hex[:8]}.tmp"
        try:
            self._put(source, temporary)
            with suppress(FileNotFoundError):
                self.rm_file(path)
            self._try("mv", temporary, path)
            recall.drop(self._url(temporary))
        except BaseException:
            with suppress(Exception):
                self.fs.rm_file(temporary)
            raise

    def _put(self, source: Spool, path: str) -> None:
        if not source.is_on_disk:
            self.pipe_file(path, source.value())
            return
        recall.drop(self._url(path))
        options = {"chunksize": 2 * BLOCK, "max_concurrency": 4} if self.is_s3 else {}
        attempt(lambda: self.fs.put_file(source.path(), path, **options), self.unstrip_protocol(path))

    def abandon_uploads(self, folder: str, names: Iterable[str]) -> int:
        """Give up uploads in parts that ended processes left below these folders of a folder; how many there were.

        S3 alone keeps such parts, unseen and paid for. Where the key may not list or end them, they stay.
        """
        if not self.is_s3:
            return 0
        bucket, _, inner = self._strip_protocol(folder).partition("/")
        wanted = tuple(f"{inner}/{name}".strip("/") + "/" for name in names)
        try:
            with impatient(5.0):
                uploads = list(self._uploads(bucket, f"{inner}/".lstrip("/")))
                left = [upload for upload in uploads if upload[0].startswith(wanted)]
                for key, upload in left:
                    with suppress(FileNotFoundError):  # it has ended meanwhile
                        self._call("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload)
                return len(left)
        except (StorageError, NotImplementedError) as error:
            _LOGGER.warning("uploads that were left half done are not looked for: %s", shown(str(error)))
            return 0

    def _uploads(self, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
        """(key, id) of uploads in parts that are under way."""
        after: dict[str, str] = {}
        while True:
            page = self._call("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **after)
            for upload in page.get("Uploads", ()):
                yield upload["Key"], upload["UploadId"]
            if not page.get("IsTruncated"):
                return
            after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _call(self, method: str, **arguments: Any) -> Any:
        """A call of S3's own interface."""
        return attempt(lambda: self.fs.call_s3(method, **arguments), f"s3://{arguments['Bucket']}")

    @property
    def is_s3(self) -> bool:
        return "s3" in ([self.protocol] if isinstance(self.protocol, str) else self.protocol)


class RangedFile(io.BufferedIOBase):
    """A file of a store, read by ranges, from the byte `start`, as if it ended before the byte `end`.

    Its first block is asked for at once, its length only if need be.
    """

    def __init__(self, fs: Remote, path: str, start: int = 0, end: int | None = None) -> None:
        self._fs, self._path = fs, path
        self._place = self._start = start
        self._block = b""
        self._size = end
        self._fetch(start, BLOCK)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place}.get(whence)
        self._place = max(0, (self.size if base is None else base) + place)
        return self._place

    @property
    def size(self) -> int:
        """Bytes of the file, or up to the end that was given."""
        if self._size is None:
            self._size = int(self._fs.size(self._path))
        return self._size

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer only at the end; all that are left if negative. Raises StorageError."""
        if size is None or size < 0:
            size = max(0, self.size - self._place)
        parts = []
        while size:
            inside = self._place - self._start
            if not 0 <= inside < len(self._block):
                if self._place >= self.size:
                    break
                in_order = inside == len(self._block)
                self._fetch(self._place, max(size, BLOCK if in_order else _PIECE))
                inside = 0
            part = self._block[inside : inside + size]
            parts.append(part)
            size -= len(part)
            self._place += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, size: int = -1) -> bytes:
        return self.read(size)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, start: int, length: int) -> None:
        end = start + length if self._size is None else min(start + length, self._size)
        data = self._fs.cat_file(self._path, start=start, end=end)
        if self._size is None and start == 0 and len(data) < length:
            self._size = len(data)
        elif len(data) != end - start:
            raise StorageError(
                f"{shown(self._fs.unstrip_protocol(self._path))}: {len(data):,} bytes came for {end - start:,}; it has "
                "changed while it was read: start again"
            )
        self._start, self._block = start, data


class _Stream(io.BufferedIOBase):
    """A file of the web: in order, or by ranges where its server knows them."""

    def __init__(self, file: Any, path: str) -> None:
        self._file, self._path = file, path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(place, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def read(self, size: int | None = -1) -> bytes:
        return bytes(attempt(lambda: self._file.read(-1 if size is None else size), self._path))

    def close(self) -> None:
        self._file.close()
        super().close()
