"""Split: large files of the sources are cut into parts, so that one of 100 GB is not one task.

A part gives the documents it has in the whole, so what is written is the same however many parts a task reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from configs.load import Plan
from pipeline.readers import Unit, parts
from pipeline.readers.names import visible
from pipeline.readers.split import Split, is_large, join_parts, split_file
from pipeline.runtime.phases import Phase, Record, Task, TaskFolder, digest_of

VERSION = 1


@dataclass
class SplitWork:
    """Finds where the file of one unit is cut."""

    plan: Plan

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write nothing; the record holds the parts, and why there are no more."""
        unit: Unit = task.payload
        split = split_file(unit, self.plan.source(unit.source), self.plan.languages)
        folder.data["parts"] = split.parts
        folder.data["why"] = split.why


def split_phase(plan: Plan) -> Phase:
    """The phase that looks where large files are cut."""
    return Phase("split", {"version": VERSION, "part_bytes": parts.PART_BYTES}, SplitWork(plan))


def split_tasks(plan: Plan, units: Sequence[Unit]) -> list[Task]:
    """A task for each unit that is one large file, named by its number among all."""
    return [
        Task(f"{unit.source}-{number:05d}", (source_digest(plan, unit.source), repr(unit)), unit, unit.size)
        for number, unit in enumerate(units)
        if is_large(unit, plan.source(unit.source))
    ]


def split_units(
    units: Sequence[Unit], tasks: Sequence[Task], records: Sequence[Record], task_bytes: int = 0
) -> tuple[list[Unit], list[dict[str, Any]]]:
    """The units with large ones cut into several, and what was not cut: file, bytes, parts and cause.

    A task gets one part, or as many as come to about `task_bytes`.
    """
    splits = {
        task.payload: Split(tuple(record.data["parts"]), record.data["why"])
        for task, record in zip(tasks, records, strict=True)
    }
    found, whole = [], []
    for unit in units:
        split = splits.get(unit)
        if split is not None and split.why:
            name = "/".join([unit.name, *map(visible, unit.members)])
            whole.append({"file": name, "bytes": unit.size, "parts": len(split.parts), "cause": split.why})
        if split is None or not split.parts:
            found.append(unit)
            continue
        tasks_parts = join_parts(split, unit.size, task_bytes)
        size = unit.size // len(tasks_parts)
        found += [replace(unit, parts=few, size=size) for few in tasks_parts]
    return found, whole


def source_digest(plan: Plan, source: str) -> str:
    """What a source's entry says, except its priority, which changes no document."""
    return digest_of(plan.source(source).model_dump(mode="json", exclude={"priority"}))
