"""Restartable phases: many small tasks, each of which writes its files and then a record that it is done.

A task's record holds the key under which it was made: a digest of the phase's configuration and of the task's inputs.
A rerun runs the tasks whose record is missing or has another key, or whose files are damaged, and nothing else. Records
are written last and appear whole or not at all, so a build may be killed at any moment. `flow` runs phases as steps of
Beam pipelines; once all tasks of one are done, its records are gathered in a manifest of a few files.
"""

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.runtime import storage
from pipeline.runtime.finished import (
    Names,
    OutputFile,
    Record,
    damaged,
    manifest_records,
    read_record,
    retract,
    write_manifest,
    write_record,
)
from pipeline.runtime.ownership import remove_half_written
from pipeline.runtime.storage import digest_of

if TYPE_CHECKING:
    from pipeline.runtime.engine import Engine

__all__ = [
    "ArrowShard",
    "OutputFile",
    "Phase",
    "Record",
    "Task",
    "TaskFolder",
    "Watch",
    "digest_of",
]

_OWN_FILES = ["names.json", "manifest.json", "progress.json", "summary.json"]
"""In the folder of a phase, beside its records and what its tasks write."""


@dataclass(frozen=True)
class Task:
    """A unit of work. `name` is unique in its phase; `inputs` are digests of all it reads; `payload` is for `work`.

    One that `is_brief` leaves no record of its own: the phase's manifest has it, once all are done.
    """

    name: str
    inputs: tuple[str, ...]
    payload: Any
    size: int = 0
    is_brief: bool = False


BUFFER_BYTES = 1 << 20


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
        with storage.create(target) as stream, _buffered(stream) as buffered, writer(buffered, schema) as opened:
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


@contextmanager
def _buffered(stream: storage.DigestingStream) -> Iterator[io.BufferedIOBase]:
    """Arrow writes a batch in a hundred pieces, most of them small, and each that reaches Python costs microseconds."""
    pieces = _Pieces(stream)
    buffered = io.BufferedWriter(pieces, BUFFER_BYTES)
    try:
        yield buffered
        buffered.flush()
    except BaseException:
        pieces.is_lost = True
        raise
    finally:
        buffered.detach()


class _Pieces(io.RawIOBase):
    """What leaves a buffer on its way to a stream; once the file is lost, what is left goes nowhere.

    A buffer tries to empty itself until it is collected, and would print each failure.
    """

    def __init__(self, stream: storage.DigestingStream) -> None:
        self._stream, self.is_lost = stream, False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def write(self, data: Any) -> int:
        """Hand over a bytes-like object; returns its length in bytes. Raises OutputError."""
        return len(data) if self.is_lost else self._stream.write(data)


class ArrowShard:
    """An open file of record batches that counts documents and bytes of text."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self.documents = self.bytes = 0
        self.extra: dict[str, Any] = {}

    def begin(self) -> int:
        """Where a writer of sections begins one, in bytes; see `shards.Sections`."""
        return int(self._writer.begin())

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
    _last: Names | None = field(default=None, init=False, repr=False, compare=False)

    def files(self, folder: str) -> str:
        """Where the files of this phase lie, given the work folder."""
        return self.place or files_of(folder, self.name)

    def run(self, engine: "Engine", folder: str, tasks: Sequence[Task], watch: "Watch | None" = None) -> list[Record]:
        """Do what is missing or damaged and return all records in the order of `tasks`.

        Raises the OpenRootsError of a task that failed; what other tasks finished stays.
        """
        from pipeline.runtime.flow import fixed_step, run_steps

        return run_steps(engine, folder, [fixed_step(self, tasks)], watch).records(self.name)

    def key_maker(self) -> Callable[[Task], str]:
        """Gives a task's key."""
        configuration = digest_of({"configuration": self.configuration, "phase": self.name})
        return lambda task: digest_of([configuration, task.inputs])

    def found(self, folder: str, check: bool) -> tuple[dict[str, Record], dict[str, Record]]:
        """Records by task, whatever their keys: those whose files are as they were written, and those with damage.

        With `check` every file is read, and no manifest is trusted. The records of damaged files are removed.
        """
        if not storage.is_local(folder) and not self._noted(folder).is_noted:  # nothing was ever begun here
            return {}, {}
        place, records = self.files(folder), {} if check else manifest_records(folder, self.name)
        if not records:
            records = self._read(folder)
        if not records and check and not storage.is_local(folder):  # tasks may have left no records of their own
            records = manifest_records(folder, self.name)
        if not records:
            return {}, {}
        bad = damaged(place, [file for r in records.values() for file in r.files], storage.list_files(place), check)
        whole = {name: record for name, record in records.items() if not any(file.path in bad for file in record.files)}
        if len(whole) < len(records):
            storage.remove(storage.join(folder, self.name), ["manifest.json"])
            storage.remove(records_of(folder, self.name), [f"{name}.json" for name in records.keys() - whole.keys()])
        return whole, {name: record for name, record in records.items() if name not in whole}

    def begin(self, folder: str, names: Sequence[str], before: Mapping[str, Record]) -> None:
        """Note, before any work is done, that files of the tasks `names` may appear; what they replace is retracted."""
        noted, self._last = self._last or Names(self._names(folder)), None
        was_noted = noted.is_noted
        if not storage.is_local(folder):
            noted.count()
        noted.add(names, before.values())
        if was_noted:  # only now: `end` may have left the endings to the manifest
            storage.remove(storage.join(folder, self.name), ["manifest.json"])
        retract(self.vouchers)

    def end(self, folder: str, records: Sequence[Record]) -> list[str]:
        """Gather the records of all tasks in the manifest, and remove files that no record names: of tasks that are
        gone, or of a killed build. Returns files in `place` that are not ours.
        """
        names = Names(self._names(folder))
        is_first = names.is_first and not storage.is_local(folder)
        if is_first and self.place is None:  # nothing of another run can lie there, and the manifest tells the names
            foreign = []
        else:
            names.add([record.task for record in records], records)
            foreign = self._sweep(folder, records, names)
        write_manifest(folder, self.name, records, sweep=not is_first)
        return foreign

    def do(self, folder: str, task: Task, key: str) -> Record:
        """Do a task and write its record, unless a twin of this worker or another attempt has done it meanwhile."""
        path = storage.join(records_of(folder, self.name), f"{task.name}.json")
        earlier = None if task.is_brief else _read_if_there(path)
        if earlier is not None:
            if earlier.key == key:
                return earlier
            storage.remove(records_of(folder, self.name), [f"{task.name}.json"])
        started = time.perf_counter()
        place = TaskFolder(self.files(folder), task.name)
        self.work(task, place)
        seconds = round(time.perf_counter() - started, 3)
        record = Record(task.name, key, tuple(place.files), place.data, seconds)
        if not task.is_brief:
            write_record(path, record)
        return record

    def _noted(self, folder: str) -> Names:
        self._last = Names(self._names(folder))
        return self._last

    def _names(self, folder: str) -> str:
        return storage.join(folder, self.name, "names.json")

    def _read(self, folder: str) -> dict[str, Record]:
        """All records that can be read, by task; damaged ones count as missing."""
        place, records = records_of(folder, self.name), {}
        for name in storage.list_files(place):
            if name.endswith(".json"):
                with suppress(ValueError, FileNotFoundError):
                    records[name.removesuffix(".json")] = read_record(storage.join(place, name))
        return records

    def _sweep(self, folder: str, records: Sequence[Record], names: Names) -> list[str]:
        place, found = self.files(folder), storage.list_files(self.files(folder))
        others = set(found) - {file.path for record in records for file in record.files}
        stale = names.ours(others)
        if stale:
            retract(self.vouchers)
            storage.remove(place, stale)
        tasks = [record.task for record in records]
        written = set(storage.list_files(records_of(folder, self.name))) - {f"{task}.json" for task in tasks}
        storage.remove(records_of(folder, self.name), names.ours(written, [".json"]))
        names.keep(tasks)
        remove_half_written(storage.join(folder, self.name), _OWN_FILES)
        return sorted(others - stale) if self.place else []


def files_of(folder: str, phase: str) -> str:
    """Where the files of a phase lie that has no place of its own."""
    return storage.join(folder, phase, "files")


def records_of(folder: str, phase: str) -> str:
    """Where the records of a phase lie."""
    return storage.join(folder, phase, "records")


def _read_if_there(path: str) -> Record | None:
    try:
        return read_record(path)
    except (FileNotFoundError, ValueError):
        return None


class Watch:
    """Told of the phases as they begin and end; the progress display derives from it."""

    def fetched(self, package: str, done: int, total: int) -> None:
        """A package has been fetched, or could not be: `done` of `total` are through."""

    def fetching(self, packages: Sequence[str], done: int, total: int) -> None:
        """For some time no package has arrived; these are waited for."""

    def begin(self, phase: str, sizes: Mapping[str, int], done: set[str], records: str) -> None:
        """A phase begins: sizes of its tasks, those that are done, the folder where records of finished ones appear."""

    def unchanged(self, output: str) -> None:
        """An output was finished before, and nothing has changed since."""

    def damaged(self, phase: str, paths: Sequence[str]) -> None:
        """Files of an earlier run are gone or are not as they were written; they are made again."""

    def foreign(self, place: str, paths: Sequence[str]) -> None:
        """Files lie in a folder of the output that are not of this build; they are left alone."""

    def end(self, phase: str, records: Sequence[Record], seconds: float) -> None:
        """A phase has ended."""
