"""Restartable phases: many small tasks, each of which writes its files and then a record that it is done.

A task's record holds the key under which it was made: a digest of the phase's configuration and of the task's inputs.
A rerun runs the tasks whose record is missing or has another key, or whose files are damaged, and nothing else. Records
are written last and appear whole or not at all, so a build may be killed at any moment.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from configs.errors import OpenRootsError
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine, carry
from pipeline.runtime.finished import Names, OutputFile, Record, damaged, read_record, retract, write_record
from pipeline.runtime.ownership import remove_half_written
from pipeline.runtime.storage import digest_of

__all__ = [
    "ArrowShard",
    "OutputFile",
    "Phase",
    "Record",
    "RunTask",
    "RunTasks",
    "Task",
    "TaskFolder",
    "Watch",
    "digest_of",
]


@dataclass(frozen=True)
class Task:
    """A unit of work. `name` is unique in its phase; `inputs` are digests of all it reads; `payload` is for `work`."""

    name: str
    inputs: tuple[str, ...]
    payload: Any
    size: int = 0


class TaskFolder:
    """Where one task writes. Collects the files for its record."""

    def __init__(self, place: str, task: str) -> None:
        self._place, self._task = place, task
        self.files: list[OutputFile] = []
        self.data: dict[str, Any] = {}

    @contextmanager
    def arrow(
        self, suffix: str, schema: pa.Schema, *, writer: Callable[..., Any] = pa.ipc.new_stream, **extra: Any
    ) -> Iterator["ArrowShard"]:
        """Write TASK+suffix, an Arrow IPC stream or what `writer` makes; it joins the record at the end."""
        relative = f"{self._task}{suffix}"
        target = storage.join(self._place, relative)
        with storage.create(target) as stream, writer(stream, schema) as opened:
            shard = ArrowShard(opened)
            yield shard
        about = {**extra, **shard.extra}
        self._add(relative, stream, shard.documents, shard.bytes, about)

    @contextmanager
    def binary(self, suffix: str, documents: int = 0) -> Iterator[storage.DigestingStream]:
        """Write any other file TASK+suffix."""
        relative = f"{self._task}{suffix}"
        with storage.create(storage.join(self._place, relative)) as stream:
            yield stream
        self._add(relative, stream, documents, stream.size, {})

    def _add(
        self, path: str, stream: storage.DigestingStream, documents: int, size: int, extra: dict[str, Any]
    ) -> None:
        file = OutputFile(path, stream.digest, documents, size, extra, stream.size, stream.changed)
        self.files.append(file)


class ArrowShard:
    """An open file of record batches that counts documents and bytes of text."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self.documents = self.bytes = 0
        self.extra: dict[str, Any] = {}

    def write(self, batch: pa.RecordBatch, text_bytes: int = 0) -> None:
        """Append a batch; `text_bytes` are the UTF-8 bytes of its documents."""
        self._writer.write_batch(batch)
        self.documents += batch.num_rows
        self.bytes += text_bytes


Work = Callable[[Task, TaskFolder], None]


@dataclass
class Phase:
    """One phase of a build.

    name           folder under the work folder, for records and files
    configuration  all settings that change what the tasks write; part of every task's key
    work           the function that does a task: pure but for the files it writes through its TaskFolder
    place          folder for the files, where it is not WORK/name/files
    vouchers       paths of files that tell readers what `place` holds: removed before anything in it changes
    """

    name: str
    configuration: Any
    work: Work
    place: str | None = None
    vouchers: tuple[str, ...] = ()

    def files(self, folder: str) -> str:
        """Where the files of this phase lie, given the work folder."""
        return self.place or storage.join(folder, self.name, "files")

    def run(self, engine: Engine, folder: str, tasks: Sequence[Task], watch: "Watch | None" = None) -> list[Record]:
        """Do what is missing or damaged and return all records in the order of `tasks`.

        Raises the OpenRootsError of a task that failed; what other tasks finished stays.
        """
        started = time.perf_counter()
        watch = watch or Watch()
        configuration = digest_of({"configuration": self.configuration, "phase": self.name})
        keys = {task.name: digest_of([configuration, task.inputs]) for task in tasks}
        before = self._read(folder)
        records = self._whole(folder, before, keys, engine.check, watch)
        pending = sorted((task for task in tasks if task.name not in records), key=lambda task: (-task.size, task.name))
        watch.begin(self.name, tasks, records, self._records(folder))
        names = Names(storage.join(folder, self.name, "names.json"))
        if pending:
            names.add(keys, before.values())
            retract(self.vouchers)
            storage.remove(self._records(folder), [f"{task.name}.json" for task in pending if task.name in before])
            do = RunTask(self, folder, {task.name: keys[task.name] for task in pending})
            size = sum(task.size for task in pending)
            engine.run(self.name, lambda pipeline: pipeline | RunTasks(pending, do), input_bytes=size)
            records = {name: record for name, record in self._read(folder).items() if record.key == keys.get(name)}
        ordered = [records[task.name] for task in tasks]
        names.add(keys, [*before.values(), *ordered])
        self._sweep(folder, ordered, names, watch)
        watch.end(self.name, ordered, time.perf_counter() - started)
        return ordered

    def _records(self, folder: str) -> str:
        return storage.join(folder, self.name, "records")

    def _read(self, folder: str) -> dict[str, Record]:
        """All records that can be read, by task; damaged ones are as good as missing."""
        place = self._records(folder)
        records = {}
        for name in storage.list_files(place):
            if name.endswith(".json"):
                with suppress(ValueError, FileNotFoundError):
                    records[name.removesuffix(".json")] = read_record(storage.join(place, name))
        return records

    def _whole(
        self, folder: str, records: Mapping[str, Record], keys: Mapping[str, str], check: bool, watch: "Watch"
    ) -> dict[str, Record]:
        """Those of the records that have their task's present key, and whose files are as they were written."""
        records = {name: record for name, record in records.items() if record.key == keys.get(name)}
        place = self.files(folder)
        files = (file for record in records.values() for file in record.files)
        bad = damaged(place, files, storage.list_files(place), check) if records else set()
        if bad:
            watch.damaged(self.name, sorted(bad))
        return {name: record for name, record in records.items() if not any(file.path in bad for file in record.files)}

    def _sweep(self, folder: str, records: Sequence[Record], names: Names, watch: "Watch") -> None:
        """Remove files of ours that no record names: of tasks that are gone, or of a killed build."""
        place, found = self.files(folder), storage.list_files(self.files(folder))
        others = set(found) - {file.path for record in records for file in record.files}
        stale = names.ours(others)
        if stale:
            retract(self.vouchers)
            storage.remove(place, stale)
        if self.place and others - stale:
            watch.foreign(place, sorted(others - stale))
        tasks = [record.task for record in records]
        written = set(storage.list_files(self._records(folder))) - {f"{task}.json" for task in tasks}
        storage.remove(self._records(folder), names.ours(written, [".json"]))
        names.keep(tasks)
        remove_half_written(storage.join(folder, self.name), ["names.json"])


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
            files = self._phase.files(self._folder)
            path = storage.join(self._folder, self._phase.name, "records", f"{task.name}.json")
            if _is_done(path, self._keys[task.name]):
                continue
            place = TaskFolder(files, task.name)
            try:
                self._phase.work(task, place)
                seconds = round(time.perf_counter() - started, 3)
                write_record(path, Record(task.name, self._keys[task.name], tuple(place.files), place.data, seconds))
            except OpenRootsError as error:
                raise carry(error) from error
        yield from ()


def _is_done(path: str, key: str) -> bool:
    """Whether another attempt at this pipeline, or a twin of this worker, has done the task meanwhile."""
    try:
        return read_record(path).key == key
    except (FileNotFoundError, ValueError):
        return False


class Watch:
    """Told of the phases as they begin and end; the progress display derives from it."""

    def fetched(self, package: str, done: int, total: int) -> None:
        """A package has been fetched, or could not be: `done` of `total` are through."""

    def begin(self, phase: str, tasks: Sequence[Task], done: Mapping[str, Record], records: str) -> None:
        """A phase begins; `records` is the folder where records of finished tasks appear."""

    def damaged(self, phase: str, paths: Sequence[str]) -> None:
        """Files of an earlier run are gone or are not as they were written; they are made again."""

    def foreign(self, place: str, paths: Sequence[str]) -> None:
        """Files lie in a folder of the output that are not of this build; they are left alone."""

    def end(self, phase: str, records: Sequence[Record], seconds: float) -> None:
        """A phase has ended."""
