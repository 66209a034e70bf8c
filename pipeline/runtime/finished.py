"""What finished tasks have left: records, and whether the files that they name are still as they were written.

A file is trusted where its size and time of change are those of its record; where the time differs, or the engine is
told to check, its digest decides. A record vouches for itself by a digest of its own. What is damaged counts as
missing.
"""

import gc
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import xxhash

from pipeline.runtime import storage
from pipeline.runtime.storage import Entry, digest_of

BEING_REBUILT = """# Being rebuilt

Until the build that is under way finishes, these files belong to two builds. If it was stopped, the same command
resumes it.
"""
CORPUS_VOUCHERS = ("seal.json", "manifest.json", "croissant.json", "README.md")
"""Files at the root of a corpus that tell readers what it holds; in this order they are taken away."""
_TEMPORARY = r"(?:\.[0-9a-f]{8}\.tmp)?"
_THREADS = 4


@dataclass(frozen=True)
class OutputFile:
    """A finished file: path relative to the phase's place, xxh3-128 of its bytes, and what it holds.

    `size` is its length in bytes, `changed` when it was written (seconds since 1970; 0 where the store does not tell);
    `bytes` counts text.
    """

    path: str
    digest: str
    documents: int
    bytes: int
    extra: dict[str, Any] = field(default_factory=dict)
    size: int = -1
    changed: float = 0.0


@dataclass(frozen=True)
class Record:
    """What a finished task leaves: its key, its files and any further data (JSON)."""

    task: str
    key: str
    files: tuple[OutputFile, ...]
    data: dict[str, Any]
    seconds: float = 0.0

    def file(self, ending: str = ".arrow") -> OutputFile:
        """The file TASK+ending; without one that with a row for each document."""
        return next(file for file in self.files if file.path == f"{self.task}{ending}")


@contextmanager
def without_collection() -> Iterator[None]:
    """Without looking for cycles among objects: records have none, and where millions are made, Python looks often."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def write_record(path: str, record: Record) -> None:
    """Write a record with a digest of itself."""
    value = _as_read([record])[0]
    storage.write_json(path, {**value, "digest": digest_of(value)}, indent=None)


def read_record(path: str) -> Record:
    """Read a record. Raises FileNotFoundError, or ValueError where it is damaged."""
    value = storage.read_json(path)
    try:
        if digest_of({name: entry for name, entry in value.items() if name != "digest"}) != value["digest"]:
            raise ValueError(f"{path} is damaged")
        return _record(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged") from error


MANIFEST_RECORDS = 1000
"""Records in a file of a phase's manifest."""


@without_collection()
def write_manifest(folder: str, phase: str, records: Sequence[Record], *, sweep: bool = True) -> None:
    """Gather the records of a finished phase, in their order: `manifest.json`, and files of MANIFEST_RECORDS each,
    whose names hold the digest of their bytes.

    Nothing is written where they are gathered already; with `sweep` parts of earlier manifests are removed.
    """
    place = storage.join(folder, phase)
    parts = {}
    for number, at in enumerate(range(0, len(records), MANIFEST_RECORDS)):
        content = storage.json_bytes(_as_read(records[at : at + MANIFEST_RECORDS]), indent=None)
        parts[f"{number:05d}-{xxhash.xxh3_128_hexdigest(content)}.json"] = content
    names = list(parts)
    if names and names == _parts(place) and manifest_records(folder, phase):
        return
    for name, content in parts.items():
        with storage.create(storage.join(place, "manifest", name)) as stream:
            stream.write(content)
    if sweep:
        listed = storage.list_files(storage.join(place, "manifest"))
        storage.remove(storage.join(place, "manifest"), set(listed) - set(names))
    storage.write_json(storage.join(place, "manifest.json"), {"parts": names, "digest": digest_of(names)})


def _parts(place: str) -> list[str]:
    """Names of the files of a manifest; none where there is no manifest, or it is damaged."""
    try:
        manifest = storage.read_json(storage.join(place, "manifest.json"))
        names: list[str] = manifest["parts"]
        return names if manifest["digest"] == digest_of(names) else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _as_read(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Records as they are read from a file: keys are strings, tuples are lists."""
    plain = [{**vars(record), "files": [vars(file) for file in record.files]} for record in records]
    read: list[dict[str, Any]] = storage.from_json(json.dumps(plain).encode())
    return read


@without_collection()
def manifest_records(folder: str, phase: str) -> dict[str, Record]:
    """Records of a finished phase by task, in the order of its tasks; none where it is not finished or damaged."""
    place = storage.join(folder, phase)
    names = _parts(place)
    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            parts = list(pool.map(storage.read_bytes, [storage.join(place, "manifest", name) for name in names]))
        if [name.split("-")[1] for name in names] != [f"{xxhash.xxh3_128_hexdigest(part)}.json" for part in parts]:
            return {}
        records = [_record(value) for part in parts for value in storage.from_json(part)]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}
    return {record.task: record for record in records}


def _record(value: Mapping[str, Any]) -> Record:
    files = tuple(OutputFile(**file) for file in value["files"])
    return Record(value["task"], value["key"], files, value["data"], value["seconds"])


def damaged(place: str, files: Iterable[OutputFile], found: Mapping[str, Entry], check: bool) -> set[str]:
    """Paths of those files below `place` that are gone or are not as they were written.

    `found` is what lies there; with `check` every file is read.
    """
    bad, doubtful = set(), []
    for file in files:
        entry = found.get(file.path)
        if entry is None or entry.size != file.size:
            bad.add(file.path)
        elif check or entry.changed != file.changed:
            doubtful.append(file)

    def differs(file: OutputFile) -> bool:
        try:
            return storage.file_digest(storage.join(place, file.path)) != file.digest
        except OSError:
            return True

    with ThreadPoolExecutor(_THREADS) as pool:
        bad |= {file.path for file, is_bad in zip(doubtful, pool.map(differs, doubtful), strict=True) if is_bad}
    return bad


def retract(paths: Iterable[str]) -> None:
    """Remove the files that tell readers what an output holds, since it is about to change; its README says why."""
    for folder, group in groupby(paths, lambda path: path.rsplit("/", 1)[0]):
        names = [path.rsplit("/", 1)[1] for path in group]
        there = storage.names_in(folder)
        storage.remove(folder, [name for name in names if name in there and name != "README.md"])
        if "README.md" in names and "README.md" in there:
            with storage.create(storage.join(folder, "README.md")) as stream:
                stream.write(BEING_REBUILT.encode())


class Names:
    """The names that files of a phase may have: those of its tasks, ended as its tasks end them. Others are not ours.

    They are noted in a file before the tasks start, so that what a killed one left is known for ours later.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.is_noted, self._begun = True, 0
        try:
            noted = storage.read_json(path)
            self.tasks, self._endings = set(map(str, noted["tasks"])), set(map(str, noted["endings"]))
            self._begun = int(noted.get("begun", 0))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.tasks, self._endings = set(), set()
            self.is_noted = not isinstance(error, FileNotFoundError)
        self._noted = self._begun

    @property
    def is_first(self) -> bool:
        """Whether its tasks were begun once only, and counted: nothing else can have left files."""
        return self._begun == 1

    def count(self) -> None:
        """Count, with the next note, that tasks are begun."""
        self._begun = self._begun + 1 if self._begun or not self.is_noted else 2

    def add(self, tasks: Iterable[str], records: Iterable[Record]) -> None:
        """Note tasks that are about to run, and the names that finished ones chose."""
        before = len(self.tasks), len(self._endings), self._noted
        self.tasks |= set(tasks)
        for record in records:
            self.tasks.add(record.task)
            self._endings |= {
                re.sub("[0-9]+", "0", file.path.removeprefix(record.task))
                for file in record.files
                if file.path.startswith(record.task)
            }
        if (len(self.tasks), len(self._endings), self._begun) != before:
            self._write()

    def keep(self, tasks: Sequence[str]) -> None:
        """Forget all tasks but these."""
        if self.tasks != set(tasks):
            self.tasks = set(tasks)
            self._write()

    def _write(self) -> None:
        counted = {"begun": self._begun} if self._begun else {}
        storage.write_json(self._path, {"tasks": sorted(self.tasks), "endings": sorted(self._endings), **counted}, None)

    def ours(self, names: Iterable[str], endings: Iterable[str] | None = None) -> set[str]:
        """Those of the names that are ours, temporary ones among them."""
        shapes = [
            re.compile("(.*?)" + re.escape(ending).replace("0", "[0-9]+") + _TEMPORARY, re.DOTALL)
            for ending in (self._endings if endings is None else endings)
        ]
        return {
            name
            for name in names
            if any((match := shape.fullmatch(name)) and match.group(1) in self.tasks for shape in shapes)
        }
