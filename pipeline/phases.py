"""Restartable phases: many small tasks, each of which writes its files and then a record that it is done.

A task's record holds the key under which it was made: a digest of the phase's configuration and of the task's inputs.
A rerun runs the tasks whose record is missing or has another key, and nothing else. Records are written last and
appear whole or not at all, so a build may be killed at any moment.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import apache_beam as beam
import pyarrow as pa
import xxhash

from configs.errors import OpenRootsError
from pipeline import storage
from pipeline.engine import Engine, carry


@dataclass(frozen=True)
class OutputFile:
    """A finished file: path relative to the phase's place, xxh3-128 of its bytes, and what it holds."""

    path: str
    digest: str
    documents: int
    bytes: int
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A unit of work. `name` is unique in its phase; `inputs` are digests of all it reads; `payload` is for `work`."""

    name: str
    inputs: tuple[str, ...]
    payload: Any
    size: int = 0


@dataclass(frozen=True)
class Record:
    """What a finished task leaves: its key, its files and any further data (JSON)."""

    task: str
    key: str
    files: tuple[OutputFile, ...]
    data: dict[str, Any]
    seconds: float = 0.0


class TaskFolder:
    """Where one task writes. Collects the files for its record."""

    def __init__(self, place: str, task: str) -> None:
        self._place, self._task = place, task
        self.files: list[OutputFile] = []
        self.data: dict[str, Any] = {}

    @contextmanager
    def arrow(self, suffix: str, schema: pa.Schema, **extra: Any) -> Iterator["ArrowShard"]:
        """Write an Arrow IPC stream TASK+suffix; the file joins the record when the block ends well."""
        relative = f"{self._task}{suffix}"
        target = storage.join(self._place, relative)
        with storage.create(target) as stream, pa.ipc.new_stream(stream, schema) as writer:
            shard = ArrowShard(writer)
            yield shard
        self.files.append(OutputFile(relative, stream.digest, shard.documents, shard.bytes, {**extra, **shard.extra}))

    @contextmanager
    def binary(self, suffix: str, documents: int = 0) -> Iterator[storage.DigestingStream]:
        """Write any other file TASK+suffix."""
        relative = f"{self._task}{suffix}"
        with storage.create(storage.join(self._place, relative)) as stream:
            yield stream
        self.files.append(OutputFile(relative, stream.digest, documents, stream.size))


class ArrowShard:
    """An open Arrow stream that counts documents and bytes of text."""

    def __init__(self, writer: pa.RecordBatchStreamWriter) -> None:
        self._writer = writer
        self.documents = self.bytes = 0
        self.extra: dict[str, Any] = {}

    def write(self, batch: pa.RecordBatch, text_bytes: int = 0) -> None:
        """Append a batch; `text_bytes` are the UTF-8 bytes of its documents."""
        self._writer.write_batch(batch)
        self.documents += batch.num_rows
        self.bytes += text_bytes


Work = Callable[[Task, TaskFolder], None]


def digest_of(value: Any) -> str:
    """xxh3-128 of a JSON-able value, 32 hex digits."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=_jsonable)
    return xxhash.xxh3_128_hexdigest(text.encode())


def _jsonable(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else list(value)


@dataclass
class Phase:
    """One phase of a build.

    name           folder under the work folder, for records and files
    configuration  all settings that change what the tasks write; part of every task's key
    work           the function that does a task: pure but for the files it writes through its TaskFolder
    place          folder for the files, where it is not WORK/name/files
    """

    name: str
    configuration: Any
    work: Work
    place: str | None = None

    def files(self, folder: str) -> str:
        """Where the files of this phase lie, given the work folder."""
        return self.place or storage.join(folder, self.name, "files")

    def run(self, engine: Engine, folder: str, tasks: Sequence[Task], watch: "Watch | None" = None) -> list[Record]:
        """Do what is missing and return all records in the order of `tasks`.

        Raises the OpenRootsError of a task that failed; what other tasks finished stays.
        """
        started = time.perf_counter()
        configuration = digest_of({"configuration": self.configuration, "phase": self.name})
        keys = {task.name: digest_of([configuration, task.inputs]) for task in tasks}
        records = self._finished(folder, keys)
        pending = sorted((task for task in tasks if task.name not in records), key=lambda task: (-task.size, task.name))
        if watch:
            watch.begin(self.name, tasks, records, storage.join(folder, self.name, "records"))
        if pending:
            do = RunTask(self, folder, {task.name: keys[task.name] for task in pending})
            size = sum(task.size for task in pending)
            engine.run(self.name, lambda pipeline: pipeline | RunTasks(pending, do), input_bytes=size)
            records = self._finished(folder, keys)
        ordered = [records[task.name] for task in tasks]
        self._sweep(folder, ordered)
        if watch:
            watch.end(self.name, ordered, time.perf_counter() - started)
        return ordered

    def _finished(self, folder: str, keys: Mapping[str, str]) -> dict[str, Record]:
        """Records of tasks that are done under their present key and whose files are all there."""
        names = set(_list(self.files(folder)))
        records = {}
        for name in _list(storage.join(folder, self.name, "records")):
            task = name.removesuffix(".json")
            if task not in keys:
                continue
            try:
                record = _read_record(storage.join(folder, self.name, "records", name))
            except (ValueError, KeyError, TypeError):
                continue  # damaged: as good as missing
            if record.key == keys[task] and all(file.path in names for file in record.files):
                records[task] = record
        return records

    def _sweep(self, folder: str, records: Sequence[Record]) -> None:
        """Remove files that no record names: of tasks that are gone, or of a killed build."""
        wanted = {file.path for record in records for file in record.files}
        _remove(self.files(folder), set(_list(self.files(folder))) - wanted)
        place = storage.join(folder, self.name, "records")
        _remove(place, set(_list(place)) - {f"{record.task}.json" for record in records})


class RunTasks(beam.PTransform):
    """Spread tasks over the workers, largest first, and do each."""

    def __init__(self, tasks: Sequence[Task], do: "RunTask") -> None:
        super().__init__()
        self._tasks, self._do = tasks, do

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """One key a task: the grouping breaks fusion, so that a runner may place each task anywhere."""
        return (
            pipeline
            | "Tasks" >> beam.Create(list(enumerate(self._tasks)), reshuffle=False)
            | "Spread" >> beam.GroupByKey()
            | "Run" >> beam.ParDo(self._do)
        )


class RunTask(beam.DoFn):
    """Do a task, then write its record."""

    def __init__(self, phase: Phase, folder: str, keys: Mapping[str, str]) -> None:
        self._phase, self._folder, self._keys = phase, folder, keys

    def process(self, element: tuple[int, Any]) -> Iterator[None]:
        """Tasks write files; nothing flows on."""
        for task in element[1]:
            started = time.perf_counter()
            place = TaskFolder(self._phase.files(self._folder), task.name)
            try:
                self._phase.work(task, place)
                record = {
                    "task": task.name,
                    "key": self._keys[task.name],
                    "files": [asdict(file) for file in place.files],
                    "data": place.data,
                    "seconds": round(time.perf_counter() - started, 3),
                }
                storage.write_json(storage.join(self._folder, self._phase.name, "records", f"{task.name}.json"), record)
            except OpenRootsError as error:
                raise carry(error) from error
        yield from ()


def _read_record(path: str) -> Record:
    value = storage.read_json(path)
    files = tuple(OutputFile(**file) for file in value["files"])
    return Record(value["task"], value["key"], files, value["data"], value["seconds"])


def _list(folder: str) -> list[str]:
    """Paths of all files below a folder, relative to it, sorted; none where it does not exist."""
    fs, inner = storage.filesystem(folder)
    fs.invalidate_cache()
    root = fs._strip_protocol(inner).rstrip("/")
    return sorted(path[len(root) + 1 :] for path in fs.find(root)) if fs.exists(inner) else []


def _remove(folder: str, names: set[str]) -> None:
    fs, inner = storage.filesystem(folder)
    for name in sorted(names):
        fs.rm(f"{inner}/{name}")


class Watch:
    """Told of the phases as they begin and end; the progress display derives from it."""

    def fetched(self, package: str, done: int, total: int) -> None:
        """A package has been fetched, or could not be: `done` of `total` are through."""

    def begin(self, phase: str, tasks: Sequence[Task], done: Mapping[str, Record], records: str) -> None:
        """A phase begins; `records` is the folder where records of finished tasks appear."""

    def end(self, phase: str, records: Sequence[Record], seconds: float) -> None:
        """A phase has ended."""
