"""One small job before the first real one: can the workers do this build? Says so in one line where they cannot."""

import os
import platform
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

import apache_beam as beam

from configs.errors import ConfigurationError, OpenRootsError, StorageError
from configs.shown import shown
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine, carry
from pipeline.runtime.stores import impatient

MUST_AGREE = ("openroots", "apache-beam", "protobuf")
"""Packages of which the workers must have this machine's version."""
PROBES = 8
_probed: set[tuple[Engine, str]] = set()


def versions() -> dict[str, str]:
    """What this process has: Python, and the packages that must agree."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in MUST_AGREE:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def probe(engine: Engine, folder: str) -> None:
    """Let workers say once whether they have our versions, and can read, write and delete in `folder`.

    The local runner is not probed. Raises OpenRootsError, which names the worker and what to do.
    """
    if engine.is_local or (engine, folder) in _probed:
        return
    place, token = storage.join(folder, f"probe-{uuid4().hex[:8]}"), uuid4().hex
    try:
        storage.write_json(storage.join(place, "driver.json"), token)
        look = _Look(versions(), folder, place, token)
        engine.run("probe", lambda pipeline: pipeline | _Probe(look))
    finally:
        with suppress(Exception):
            storage.remove_tree(place)
    _probed.add((engine, folder))


class _Probe(beam.PTransform):
    def __init__(self, look: "_Look") -> None:
        super().__init__()
        self._look = look

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        numbers = pipeline | "Probes" >> beam.Create([(n, n) for n in range(PROBES)], reshuffle=False)
        return numbers | "Spread" >> beam.GroupByKey() | "Look" >> beam.ParDo(self._look)


@dataclass
class _Look(beam.DoFn):
    """What a worker looks at. `place` is a folder for this probe, in which the driver has left its `token`."""

    expected: dict[str, str]
    folder: str
    place: str
    token: str

    def process(self, element: Any) -> Iterator[int]:
        try:
            self._versions()
            with impatient():  # a person waits
                self._store()
        except OpenRootsError as error:
            raise carry(error) from error
        yield 0

    def _versions(self) -> None:
        here = versions()
        others = [
            f"{name} {here.get(name, 'none')} (here {wanted})"
            for name, wanted in self.expected.items()
            if _compared(name, here.get(name, "none")) != _compared(name, wanted)
        ]
        if others:
            raise OpenRootsError(
                f"the worker on {_host()} has {', '.join(others)}; "
                "install there what this machine has, or ship it; docs/clusters.md says how"
            )

    def _store(self) -> None:
        folder, mine = shown(self.folder), f"{_host()}-{os.getpid()}-{uuid4().hex[:8]}.json"
        with _able("read", folder):
            try:
                seen = storage.read_json(storage.join(self.place, "driver.json"))
            except FileNotFoundError:
                seen = None
            if seen != self.token:
                raise OpenRootsError(
                    f"the worker on {_host()} does not see what this machine wrote to {folder}; give an --output that "
                    "all machines share: a store (s3://, gs://, hdfs://) or a folder of a shared file system"
                )
        with _able("write to", folder):
            storage.write_json(storage.join(self.place, mine), 0)
        with _able("delete from", folder):
            storage.remove(self.place, [mine])


def _compared(name: str, number: str) -> str:
    """What of a version must agree: of protobuf the first part."""
    return number.partition(".")[0] if name == "protobuf" else number


class _able:  # noqa: N801 - reads as a part of the sentence
    """Turns any failure into one line that says what the worker cannot do."""

    def __init__(self, what: str, folder: str) -> None:
        self._what, self._folder = what, folder

    def __enter__(self) -> None: ...

    def __exit__(self, _: Any, failure: BaseException | None, __: Any) -> None:
        if isinstance(failure, StorageError | ConfigurationError):  # or a package that the store needs is missing there
            told = f"the worker on {_host()} cannot {self._what} {self._folder}: {failure}"
            raise type(failure)(told) from failure
        if failure is None or isinstance(failure, OpenRootsError) or not isinstance(failure, Exception):
            return
        cause = shown(f"{type(failure).__name__}: {failure}", 300)
        raise OpenRootsError(
            f"the worker on {_host()} cannot {self._what} {self._folder} ({cause}); "
            "give it the rights, credentials and packages that this machine has"
        ) from failure


def _host() -> str:
    return shown(socket.gethostname(), 100)
