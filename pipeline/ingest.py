"""Ingest: read a unit of a source, give each document its id, make its text NFC, and hold its licence at the gate.

Unreadable files become problems (file, cause, remedy) and ledger rows; what could be read of them stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from configs.errors import InputError, NoTextError
from configs.load import Plan
from configs.models import Source
from governance.licences import LicenceGate
from pipeline import storage
from pipeline.columns import constant_column, filter_batch, string_bytes
from pipeline.normal_form import to_nfc
from pipeline.phases import ArrowShard, Phase, Task, TaskFolder, digest_of
from pipeline.readers import Unit, read_unit
from pipeline.readers.units import resolve
from pipeline.schema import DICTIONARY, DOCUMENT, LEDGER, UNDETERMINED

VERSION = 2
"""Raised when the same input would give other bytes than before, so that older work is done again."""


def document_ids(source: str, keys: pa.StringArray) -> pa.Array:
    """Ids of documents: xxh3-128 of source id, a zero byte and the document's key. Returns binary(16)."""
    prefix = source.encode() + b"\0"
    return pa.array([xxhash.xxh3_128_digest(prefix + key.encode()) for key in keys.to_pylist()], pa.binary(16))


def to_documents(batch: pa.RecordBatch, source: Source) -> pa.RecordBatch:
    """A reader's batch (schema RAW) as documents (schema DOCUMENT)."""
    texts = batch["text"] if source.kind == "code" else to_nfc(batch["text"])
    languages = pc.fill_null(batch["language"], UNDETERMINED)
    licences = pc.fill_null(batch["licence"], source.licence)
    columns = [
        document_ids(source.id, batch["key"]),
        texts,
        constant_column(source.id, batch.num_rows),
        languages.cast(DICTIONARY) if pa.types.is_dictionary(languages.type) else pc.dictionary_encode(languages),
        pc.dictionary_encode(licences),
        batch["uri"],
        batch["metadata"],
        string_bytes(texts),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=DOCUMENT)


def dropped_rows(batch: pa.RecordBatch, stage: str, reason: str, details: pa.Array) -> pa.RecordBatch:
    """Ledger rows of documents that leave all for the same reason."""
    rows = batch.num_rows
    columns = [
        batch["id"],
        batch["source"],
        batch["language"],
        batch["bytes_in"],
        pa.array([0] * rows, pa.int64()),
        constant_column("dropped", rows),
        constant_column(stage, rows),
        constant_column(reason, rows),
        details,
        batch["uri"],
    ]
    return pa.RecordBatch.from_arrays(columns, schema=LEDGER)


def problem_row(source: str, problem: InputError) -> pa.RecordBatch:
    """The ledger row of a file, or a part of it, that gave no document: no bytes, but cause and remedy."""
    row = {
        "id": xxhash.xxh3_128_digest(f"{source}\0{problem.file}\0{problem.cause}".encode(errors="replace")),
        "source": source,
        "language": UNDETERMINED,
        "bytes": 0,
        "bytes_kept": 0,
        "decision": "dropped",
        "stage": "ingest",
        "reason": problem.reason,
        "detail": f"{problem.cause}. {problem.remedy}",
        "uri": problem.file,
    }
    return pa.RecordBatch.from_pylist([row], schema=LEDGER)


@dataclass
class IngestWork:
    """Does the ingest task of one unit."""

    plan: Plan
    strict: bool = False
    gate: LicenceGate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = LicenceGate(self.plan.recipe.licences, frozenset(self.plan.languages.programming))

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Read the unit, write shards `TASK-00000.arrow` … and the dropped rows `TASK.dropped.arrow`."""
        unit: Unit = task.payload
        source = self.plan.source(unit.source)
        problems: list[InputError] = []
        shards = _Shards(folder, self.plan.recipe.output.work_shard_bytes)
        with folder.arrow(".dropped.arrow", LEDGER, dropped=True) as shard:
            dropped = _Dropped(shard)
            for raw in self._read(unit, source, problems):
                kept = self._admit(to_documents(raw, source), dropped)
                if kept.num_rows:
                    shards.write(kept)
            shards.close()
            for problem in problems:
                dropped.write(problem_row(source.id, problem), "ingest", problem.reason)
        folder.data["dropped"] = [[*key, *total] for key, total in sorted(dropped.totals.items())]
        folder.data["problems"] = [
            {"source": source.id, "file": problem.file, "cause": problem.cause, "remedy": problem.remedy}
            for problem in problems
            if not isinstance(problem, NoTextError)
        ]

    def _read(self, unit: Unit, source: Source, problems: list[InputError]) -> Iterator[pa.RecordBatch]:
        def on_problem(problem: InputError) -> None:
            if self.strict and not isinstance(problem, NoTextError):
                raise problem
            problems.append(problem)

        output = self.plan.recipe.output
        return read_unit(
            unit,
            source,
            self.plan.languages,
            batch_documents=output.batch_documents,
            batch_bytes=output.batch_bytes,
            on_problem=on_problem,
        )

    def _admit(self, batch: pa.RecordBatch, dropped: "_Dropped") -> pa.RecordBatch:
        """The documents that may enter; the rest goes to `dropped`."""
        admitted, details = self.gate.admit(batch["licence"], batch["language"])
        refused = pc.invert(admitted)
        if refused.true_count:
            rows = filter_batch(batch, refused)
            why = details.filter(refused).cast(pa.string())
            dropped.write(dropped_rows(rows, "licence", "licence_denied", why), "licence", "licence_denied")
            batch = filter_batch(batch, admitted)
        empty = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(batch["text"])), 0)
        if empty.true_count:
            rows = filter_batch(batch, empty)
            why = pa.array(["nothing but white space"] * rows.num_rows, pa.string())
            dropped.write(dropped_rows(rows, "ingest", "empty", why), "ingest", "empty")
            batch = filter_batch(batch, pc.invert(empty))
        return batch


class _Dropped:
    """Ledger rows of what does not enter, counted by stage and reason: [documents, bytes]."""

    def __init__(self, shard: ArrowShard) -> None:
        self._shard = shard
        self.totals: dict[tuple[str, str], list[int]] = {}

    def write(self, rows: pa.RecordBatch, stage: str, reason: str) -> None:
        size = pc.sum(rows["bytes"]).as_py()
        self._shard.write(rows, size)
        total = self.totals.setdefault((stage, reason), [0, 0])
        total[0] += rows.num_rows
        total[1] += size


class _Shards:
    """Rolls over to a new shard file when one is full."""

    def __init__(self, folder: TaskFolder, shard_bytes: int) -> None:
        self._folder, self._limit, self._count = folder, shard_bytes, 0
        self._context: Any = None
        self._shard: ArrowShard | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        size = pc.sum(batch["bytes_in"]).as_py() or 0
        if self._shard and self._shard.bytes + size > self._limit:
            self.close()
        if self._shard is None:
            self._context = self._folder.arrow(f"-{self._count:05d}.arrow", DOCUMENT)
            self._shard = self._context.__enter__()
            self._count += 1
        self._shard.write(batch, size)

    def close(self) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
        self._context = self._shard = None


def ingest_phase(plan: Plan, strict: bool) -> Phase:
    """The phase that reads every unit."""
    recipe = plan.recipe
    configuration = {
        "version": VERSION,
        "licences": recipe.licences,
        "output": recipe.output,
        "strict": strict,
        "extensions": {code: language.extensions for code, language in plan.languages.programming.items()},
    }
    return Phase("ingest", configuration, IngestWork(plan, strict))


def ingest_tasks(plan: Plan, units: list[Unit]) -> list[Task]:
    """A task a unit, named by source and place."""
    counts: dict[str, int] = {}
    tasks = []
    for unit in units:
        number = counts.get(unit.source, 0)
        counts[unit.source] = number + 1
        entry = digest_of(plan.source(unit.source).model_dump(mode="json", exclude={"priority"}))
        tasks.append(Task(f"{unit.source}-{number:05d}", (entry, _token(unit)), unit, unit.size))
    return tasks


def _token(unit: Unit) -> str:
    """What changes when the file does: its size and time of change, or an object store's etag."""
    fs, inner = storage.filesystem(resolve(unit.uri))
    try:
        return f"{unit!r} {fs.ukey(inner)}"
    except (FileNotFoundError, NotImplementedError):
        return repr(unit)
