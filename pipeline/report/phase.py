"""The phase that counts: one task for each shard and ledger part of the finished corpus, in any engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.report.tally import BINS, Tally, tally_file
from pipeline.runtime.phases import OutputFile, Phase, Record, Task, TaskFolder

VERSION = 2


@dataclass
class TallyWork:
    """Counts one file of the corpus in the folder `output`."""

    output: str

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Leave the tally in the record; no file is written."""
        folder.data["tally"] = tally_file(self.output, task.payload).as_json()


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


def tallies(records: Sequence[Record]) -> list[Tally]:
    """What the tasks of the phase left."""
    return [Tally.from_json(record.data["tally"]) for record in records]
