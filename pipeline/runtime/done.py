"""What finished steps left in a work folder, as later steps plan by it: records, phase by phase or shard by shard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from configs.errors import OpenRootsError
from pipeline.runtime import storage
from pipeline.runtime.finished import OutputFile, Record, manifest_records
from pipeline.runtime.phases import files_of


@dataclass(frozen=True)
class WorkShard:
    """A work shard by what finished phases left of it: for each phase a record, and the folder its files lie in."""

    left: Mapping[str, tuple[Record, str]]

    @property
    def name(self) -> str:
        """The shard's, which is that of its task in each of the phases."""
        return next(record.task for record, _ in self.left.values())

    def record(self, phase: str) -> Record:
        """What the phase's task left."""
        return self.left[phase][0]

    def file(self, phase: str, ending: str = ".arrow") -> OutputFile:
        """The file NAME+ending of a phase; without one that with a row for each document."""
        return self.left[phase][0].file(ending)

    def path(self, phase: str, ending: str = ".arrow") -> str:
        """Where that file lies."""
        return storage.join(self.left[phase][1], self.file(phase, ending).path)

    def find(self, phase: str, ending: str = ".arrow") -> str:
        """The same; empty where the phase has not run, or left no such file."""
        record, place = self.left.get(phase, (None, ""))
        names = [file.path for file in record.files if file.path == f"{self.name}{ending}"] if record else []
        return storage.join(place, names[0]) if names else ""


@dataclass
class Done:
    """What finished steps left in a work folder, read when it is asked for; valid for one run of the pipeline."""

    folder: str
    memory: dict[Any, Any] = field(default_factory=dict)

    def records(self, phase: str) -> list[Record]:
        """Records of a finished phase in the order of its tasks."""
        records: list[Record] = self.once(("records", phase), lambda: self._records(phase))
        return records

    def shards(self, *phases: str) -> list[WorkShard]:
        """Work shards in their order, by what finished phases that have a task a shard left of each."""
        shards = []
        for records in zip(*(self.records(phase) for phase in phases), strict=True):
            if len({record.task for record in records}) > 1:
                raise OpenRootsError(
                    f"{', '.join(phases)} in {self.folder} are of different shards; please report this"
                )
            places = (self.files(phase) for phase in phases)
            shards.append(WorkShard(dict(zip(phases, zip(records, places, strict=True), strict=True))))
        return shards

    def summary(self, phase: str) -> Any:
        """What the step's `summarise` made of the records of a finished phase."""
        path = storage.join(self.folder, phase, "summary.json")
        return self.once(("summary", phase), lambda: storage.read_json(path))

    def files(self, phase: str) -> str:
        """Where the files of a phase lie that has no place of its own."""
        return files_of(self.folder, phase)

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once under this key."""
        if key not in self.memory:
            self.memory[key] = make()
        return self.memory[key]

    def _records(self, phase: str) -> list[Record]:
        records = manifest_records(self.folder, phase)
        if not records and not storage.exists(storage.join(self.folder, phase, "manifest.json")):
            raise OpenRootsError(f"{phase} left no manifest in {self.folder}; start again: it resumes")
        return list(records.values())
