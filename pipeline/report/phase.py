"""The phase that counts the shards and ledger parts of the finished corpus, some small ones a task, in any engine."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.report.tally import BINS, Tally, merge, tally_file
from pipeline.runtime import storage
from pipeline.runtime.done import Done
from pipeline.runtime.finished import manifest_records
from pipeline.runtime.phases import OutputFile, Phase, Record, Task, TaskFolder, files_of

VERSION = 4
ENDING = ".tally"
GROUP_FILES, GROUP_BYTES = 16, 8 << 20
"""A task counts so many files, or so many bytes of text, or one file: small languages leave small ones."""


@dataclass
class TallyWork:
    """Counts files of the corpus in the folder `output`."""

    output: str

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.tally`, a JSON list of tallies: in the record they would be in everybody's memory.

        Leave the `paths` of the files counted.
        """
        counted = [tally_file(self.output, path).as_json() for path in task.payload]
        folder.data["paths"] = list(task.payload)
        with folder.binary(ENDING) as stream:
            stream.write(json.dumps(counted, sort_keys=True).encode())


def tally_phase(output: str) -> Phase:
    """The phase over all shards and ledger parts of `output`."""
    bins = {name: [scale.low, scale.high, scale.count, scale.log] for name, scale in BINS.items()}
    return Phase("tally", {"version": VERSION, "bins": bins}, TallyWork(output))


def tally_tasks(records: Mapping[str, Sequence[Record]]) -> list[Task]:
    """Tasks for the files of finished phases; `records` maps `data` and `ledger` to those phases' records."""
    files: list[tuple[str, OutputFile]] = [
        (f"{folder}/{file.path}", file)
        for folder, finished in records.items()
        for record in finished
        for file in record.files
    ]
    groups: list[list[tuple[str, OutputFile]]] = []
    for entry in files:
        size = sum(file.bytes for _, file in groups[-1]) if groups else 0
        if not groups or len(groups[-1]) == GROUP_FILES or size + entry[1].bytes > GROUP_BYTES:
            groups.append([])
        groups[-1].append(entry)
    return [
        Task(
            f"part-{number:05d}",
            tuple(digest for path, file in group for digest in (path, file.digest)),
            tuple(path for path, _ in group),
            sum(file.bytes for _, file in group),
        )
        for number, group in enumerate(groups)
    ]


def tallies(place: str, records: Sequence[Record]) -> Iterator[Tally]:
    """What the tasks of the phase left in the folder `place`."""
    paths = [storage.join(place, record.files[0].path) for record in records]
    return (Tally.from_json(one) for content in storage.read_each(paths) for one in json.loads(content))


class KnownTallies:
    """The tallies of a finished build, by the path of the file counted; none where its work files are gone."""

    def __init__(self, work: str) -> None:
        self._place, self._files = files_of(work, "tally"), dict[str, str]()
        self._read: tuple[str, dict[str, Tally]] = ("", {})
        with suppress(OSError, ValueError, KeyError, TypeError):
            for record in manifest_records(work, "tally").values():
                self._files |= dict.fromkeys(record.data["paths"], record.files[0].path)

    def get(self, path: str) -> Tally | None:
        """The tally of one file, if it is known; asked for in order, each file of tallies is read once."""
        name = self._files.get(path, "")
        if name and name != self._read[0]:
            content = storage.read_json(storage.join(self._place, name))
            found = [Tally.from_json(one) for one in content]
            self._read = name, {next(iter(tally.files)): tally for tally in found}
        return self._read[1].get(path) if name else None


def sum_tallies(done: Done, records: Sequence[Record]) -> dict[str, Any]:
    """The tally of the corpus, as JSON."""
    return merge(tallies(done.files("tally"), records)).as_json()
