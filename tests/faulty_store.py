"""A store in memory, `faulty://`, with buckets and no folders, that fails when it is told to and counts requests."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

Fault = Callable[[str, str], BaseException | None]
"""What goes wrong with a call (`get`, `put`, `list`, `head`, `delete`) for a path; None if it goes well."""


class FaultyStore(MemoryFileSystem):
    """Objects of `faulty://`."""

    protocol = ("faulty", "gs")  # as a store of buckets
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fault: ClassVar[Fault | None] = None
    requests: ClassVar[Counter[str]] = Counter()
    bytes_sent: ClassVar[int] = 0
    depth: ClassVar[int] = 0

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(entry) for entry in path]
        return "/" + path.removeprefix("faulty://").strip("/")

    def unstrip_protocol(self, name: str) -> str:
        return f"faulty://{name.lstrip('/')}"

    @contextmanager
    def _request(self, kind: str, path: str) -> Iterator[None]:
        cls = type(self)
        if cls.depth == 0:
            cls.requests[kind] += 1
            error = cls.fault(kind, path) if cls.fault else None
            if error is not None:
                raise error
        cls.depth += 1
        try:
            yield
        finally:
            cls.depth -= 1

    def info(self, path: str, **kwargs: Any) -> Any:
        with self._request("head", path):
            return super().info(path, **kwargs)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        with self._request("list", path):
            return super().ls(path, detail=detail, **kwargs)

    def find(self, path: str, prefix: str = "", **kwargs: Any) -> Any:
        with self._request("list", path):
            start = f"{self._strip_protocol(path)}/{prefix}"
            return {name: super(FaultyStore, self).info(name) for name in sorted(self.store) if name.startswith(start)}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        with self._request("get", path):
            data = super().cat_file(path, start, end)
            type(self).bytes_sent += len(data)
            return bytes(data)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        with self._request("put", path):
            super().pipe_file(path, value, mode=mode)

    def put_file(self, lpath: str, rpath: str, *args: Any, **kwargs: Any) -> None:
        with self._request("put", rpath), open(lpath, "rb") as stream:
            super().pipe_file(rpath, stream.read())

    def rm_file(self, path: str) -> None:
        with self._request("delete", path):
            super().rm_file(path)


fsspec.register_implementation("faulty", FaultyStore, clobber=True)


@contextmanager
def faults(fault: Fault) -> Iterator[None]:
    """Within this block calls fail as `fault` says."""
    FaultyStore.fault = staticmethod(fault)  # type: ignore[assignment]
    try:
        yield
    finally:
        FaultyStore.fault = None


def times(count: int, error: BaseException, kind: str = "") -> Fault:
    """The first `count` calls of a kind, or of all kinds, fail."""
    left = count

    def fault(called: str, _: str) -> BaseException | None:
        nonlocal left
        if left > 0 and kind in ("", called):
            left -= 1
            return error
        return None

    return fault


AWAY = ConnectionResetError("Connection reset by peer")
