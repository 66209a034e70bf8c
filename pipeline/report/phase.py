"""The phase that counts: one task for each shard and ledger part of the finished corpus, in any engine."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.tally import BINS, Tally, merge, tally_file
from pipeline.runtime import storage
from pipeline.runtime.flow import Done
from pipeline.runtime.phases import OutputFile, Phase, Record, Task, TaskFolder

VERSION = 3
ENDING = ".tally"


@dataclass
class TallyWork:
    """Counts one file of the corpus in the folder `output`."""

    output: str

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.tally`, the tally as JSON: in the record it would be in everybody's memory."""
        with folder.binary(ENDING) as stream:
            stream.write(json.dumps(tally_file(self.output, task.payload).as_json(), sort_keys=True).encode())


def tally_phase(output: str) -> Phase:
    """The phase over all shards and ledger parts of `output`."""
    bins = {name: [scale.low, scale.high, scale.count, scale.log] for name, scale in BINS.items()}
    return Phase("tally", {"version": VERSION, "bins": bins}, TallyWork(output))


def tally_tasks(records: Mapping[str, Sequence[Record]]) -> list[Task]:
    """A task for each file of finished phases; `records` maps `data` and `ledger` to those phases' records."""
    files: list[tuple[str, OutputFile]] = [
        (f"{folder}/{file.path}", file)
        for folder, finished in records.items()
        for record in finished
        for file in record.files
    ]
    return [Task(path, (file.digest,), path, file.bytes) for path, file in files]


def tallies(place: str, records: Sequence[Record]) -> Iterator[Tally]:
    """What the tasks of the phase left in the folder `place`."""
    paths = [storage.join(place, record.files[0].path) for record in records]
    return (Tally.from_json(json.loads(content)) for content in storage.read_each(paths))


def sum_tallies(done: Done, records: Sequence[Record]) -> dict[str, Any]:
    """The tally of the corpus, as JSON."""
    return merge(tallies(done.files("tally"), records)).as_json()
