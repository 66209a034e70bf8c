"""Ingest: read a unit of a source, give each document its id, make its text NFC, and hold its licence at the gate.

What could not be read becomes a problem (file, cause, remedy) and a ledger row a document; what could be read stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from configs.errors import InputError, NoTextError
from configs.language_codes import DECLARED_CHARACTERS_MAX, UNDETERMINED, LanguageCodes
from configs.load import Plan
from configs.models import Source
from governance.consent import block_list_digests
from governance.licence_detection import Judged, LicenceJudge, own_notices
from governance.licence_rows import row_licence
from governance.licences import EXPRESSION_CHARACTERS_MAX, LicenceGate
from pipeline.pii.outward import Outward, redactor_of
from pipeline.readers import Unit, read_unit
from pipeline.readers.names import visible
from pipeline.reasons import ledger_batch
from pipeline.runtime.phases import ArrowShard, Phase, Task, TaskFolder
from pipeline.split import source_digest
from pipeline.text.columns import constant_column, decode, document_ids, encode, filter_batch, string_bytes
from pipeline.text.normal_form import to_nfc
from pipeline.text.schema import DOCUMENT, LEDGER

VERSION = 16
"""Raised when the same input would give other bytes than before, so that older work is done again."""

NAMED_PER_TASK_MAX = 1000
"""Problems that a task's record, and so the manifest, names; all are in the ledger."""

LICENCES_COUNTED_MAX = 2000
"""Combinations of licences that a task counts apart; a hostile file may give every document its own."""

PROBLEM_ROWS = 10_000
"""Ledger rows of problems written at a time."""


def to_documents(
    batch: pa.RecordBatch, source: Source, codes: LanguageCodes, outward: Outward, licences: "Licences"
) -> tuple[pa.RecordBatch, pa.StringArray, list[Judged]]:
    """A reader's batch (schema RAW) as documents (schema DOCUMENT), why a row's language is refused, else null, and
    what is to be said of each row's licence.

    Languages are codes of ours or BCP-47, licences SPDX where what the row says can be told; see `LanguageCodes` and
    `row_licence`. A language that is refused is `und`. Ids are made of the keys that documents have; what is written
    beside the texts is without personal data.
    """
    texts = batch["text"] if source.kind == "code" else to_nfc(batch["text"])
    languages, refused = _languages(batch["language"], codes, outward)
    declared = _licences(batch["licence"], source, outward)
    judged = licences(texts, source, languages, declared, batch["licence_nearby"])
    columns = [
        document_ids(source.id, batch["key"]),
        texts,
        constant_column(source.id, batch.num_rows),
        languages,
        encode([row.effective for row in judged]),
        declared,
        encode([row.detected for row in judged]),
        outward.names(batch["uri"]),
        outward.names(_keys(batch["key"])),
        outward.metadata(batch["metadata"]),
        string_bytes(texts),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=DOCUMENT), refused, judged


@dataclass
class Licences:
    """Settles the licences of batches: what is declared, what is detected, and the verdict."""

    judge: LicenceJudge
    detect: bool

    def __call__(
        self,
        texts: pa.LargeStringArray,
        source: Source,
        languages: pa.DictionaryArray,
        declared: pa.DictionaryArray,
        nearby: pa.StringArray,
    ) -> list[Judged]:
        """A row's licences each; code is looked into, prose is not: it talks about licences."""
        code = self.judge.gate.code_languages
        of_code = [language if language in code else None for language in decode(languages).to_pylist()]
        own = own_notices(texts, of_code) if self.detect else [None] * len(of_code)
        rows = zip(decode(declared).to_pylist(), own, nearby.to_pylist(), of_code, strict=True)
        return [
            self.judge.judge(said, found, around if self.detect else None, language is not None)
            for said, found, around, language in rows
        ]


def _keys(keys: pa.StringArray) -> pa.StringArray:
    """Keys as they are shown: what tells apart those that come twice stands behind a tilde."""
    return pc.replace_substring(keys, "\0", "~")


def _languages(
    column: pa.StringArray, codes: LanguageCodes, outward: Outward
) -> tuple[pa.DictionaryArray, pa.StringArray]:
    said = pc.dictionary_encode(pc.fill_null(column, UNDETERMINED))
    values = said.dictionary.to_pylist()
    resolved = [codes.resolve(value) for value in values]
    why = [
        None if code else outward.name(_no_language(value, codes)) for value, code in zip(values, resolved, strict=True)
    ]
    found = pa.array([code or UNDETERMINED for code in resolved], pa.string()).take(said.indices)
    return encode(found), pa.array(why, pa.string()).take(said.indices)


def _no_language(value: str, codes: LanguageCodes) -> str:
    near = codes.nearest(value)
    shown = value if len(value) <= DECLARED_CHARACTERS_MAX else f"{value[:DECLARED_CHARACTERS_MAX]}…"
    return f"declared `{shown}`, which is no language code" + (f"; did you mean `{near}`?" if near else "")


def _licences(column: pa.StringArray, source: Source, outward: Outward) -> pa.DictionaryArray:
    said = pc.dictionary_encode(pc.fill_null(column, source.licence))
    trusted = trusted_licences(source)
    spdx = [
        value
        if value in trusted
        else (row_licence(value) if len(value) <= EXPRESSION_CHARACTERS_MAX else None) or outward.name(value)
        for value in said.dictionary.to_pylist()
    ]
    return encode(pa.array(spdx, pa.string()).take(said.indices))


def trusted_licences(source: Source) -> frozenset[str]:
    """Licences that the source's entry names; they were compared with the SPDX list when the recipe was read."""
    return frozenset((source.licence, *(package.licence for package in source.packages if package.licence)))


def dropped_rows(batch: pa.RecordBatch, stage: str, reason: str, notes: pa.Array) -> pa.RecordBatch:
    """Ledger rows of documents that leave all for the same reason."""
    rows = batch.num_rows
    return ledger_batch(
        rows,
        **{name: batch[name] for name in ("id", "source", "language", "uri", "key")},
        bytes=batch["bytes_in"],
        bytes_kept=pa.array(np.zeros(rows, np.int64)),
        decision=constant_column("dropped", rows),
        stage=constant_column(stage, rows),
        reason=constant_column(reason, rows),
        note=notes,
        language_declared=batch["language"],
    )


def problem_rows(source: str, problems: Sequence[InputError], first: int = 0) -> pa.RecordBatch:
    """Ledger rows of what gave no document, one a document that is lost: no bytes, but cause and remedy.

    All problems are of one reason. `first` numbers the first row among those of its task, so that no id comes twice.
    """
    counts = pa.array(np.repeat(np.arange(len(problems)), [problem.documents for problem in problems]))
    rows = len(counts)
    names = [visible(problem.file) for problem in problems]
    prefixes = [f"{source}\0{name}\0".encode() for name in names]
    ids = [
        xxhash.xxh3_128_digest(b"%s%d" % (prefixes[problem], number))
        for number, problem in enumerate(counts.to_pylist(), first)
    ]
    notes = pa.array([visible(f"{problem.cause}. {problem.remedy}") for problem in problems], pa.string())
    files = pa.array(names, pa.string()).take(counts)
    zeros = pa.array(np.zeros(rows, np.int64))
    return ledger_batch(
        rows,
        id=pa.array(ids, pa.binary(16)),
        source=constant_column(source, rows),
        language=constant_column(UNDETERMINED, rows),
        bytes=zeros,
        bytes_kept=zeros,
        decision=constant_column("dropped", rows),
        stage=constant_column("ingest", rows),
        reason=constant_column(problems[0].reason, rows),
        note=notes.take(counts),
        uri=files,
        key=files,
    )


@dataclass
class IngestWork:
    """Does the ingest task of one unit."""

    plan: Plan
    strict: bool = False
    licences: Licences = field(init=False)
    outward: Outward = field(init=False)

    def __post_init__(self) -> None:
        self.outward = Outward(redactor_of(self.plan))
        trusted = frozenset(licence for source in self.plan.sources for licence in trusted_licences(source))
        policy = self.plan.recipe.licences
        gate = LicenceGate(policy, frozenset(self.plan.languages.programming), trusted)
        self.licences = Licences(LicenceJudge(gate), policy.detect)

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Read the unit, write shards `TASK-00000.arrow` … and the dropped rows `TASK.dropped.arrow`."""
        unit: Unit = task.payload
        source = self.plan.source(unit.source)
        codes = LanguageCodes(self.plan.languages)
        shards = _Shards(folder, self.plan.recipe.output.work_shard_bytes)
        licences: dict[LicenceKey, list[int]] = {}
        with folder.arrow(".dropped.arrow", LEDGER, dropped=True) as shard:
            dropped = _Dropped(shard)
            problems = _Problems(source.id, dropped, self.outward, strict=self.strict)
            for piece in unit.pieces:  # each as if it were read by itself
                for raw in self._read(piece, source, problems):
                    documents, no_language, judged = to_documents(raw, source, codes, self.outward, self.licences)
                    _count_licences(licences, documents, judged)
                    kept = self._admit(documents, no_language, judged, dropped)
                    if kept.num_rows:
                        shards.write(kept)
                shards.close()
                problems.flush()
        folder.data["dropped"] = [[*key, *total] for key, total in sorted(dropped.totals.items())]
        folder.data["licences"] = [[*key, *total] for key, total in sorted(licences.items())]
        folder.data["problems"] = problems.named
        folder.data["problems_unnamed"] = problems.unnamed

    def _read(self, unit: Unit, source: Source, problems: "_Problems") -> Iterator[pa.RecordBatch]:
        output = self.plan.recipe.output
        return read_unit(
            unit,
            source,
            self.plan.languages,
            batch_documents=output.batch_documents,
            batch_bytes=output.batch_bytes,
            on_problem=problems,
            licences=self.plan.recipe.licences.detect,
            consent=self.plan.recipe.consent,
        )

    def _admit(
        self, batch: pa.RecordBatch, no_language: pa.StringArray, judged: list[Judged], dropped: "_Dropped"
    ) -> pa.RecordBatch:
        """The documents that may enter; the rest goes to `dropped`."""
        wrong = no_language.is_valid()
        if wrong.true_count:
            rows = filter_batch(batch, wrong)
            why = no_language.filter(wrong)
            dropped.write(dropped_rows(rows, "language", "language_unknown", why), "language", "language_unknown")
        left = np.array([row.verdict.admitted for row in judged], bool) & ~wrong.to_numpy(zero_copy_only=False)
        refused = [number for number in np.flatnonzero(~left).tolist() if not wrong[number].as_py()]
        for reason in sorted({judged[number].verdict.reason for number in refused}):
            mine = [number for number in refused if judged[number].verdict.reason == reason]
            rows = batch.take(pa.array(mine))
            notes = pa.array([self.outward.name(judged[number].verdict.detail) for number in mine], pa.string())
            dropped.write(dropped_rows(rows, "licence", reason, notes), "licence", reason)
        batch = filter_batch(batch, pa.array(left))
        empty = pc.or_(pc.utf8_is_space(batch["text"]), pc.equal(batch["bytes_in"], 0))
        if empty.true_count:
            rows = filter_batch(batch, empty)
            why = pa.array(["nothing but white space"] * rows.num_rows, pa.string())
            dropped.write(dropped_rows(rows, "ingest", "empty", why), "ingest", "empty")
            batch = filter_batch(batch, pc.invert(empty))
        return batch


LicenceKey = tuple[str, str, str, str]
"""Declared licence, detected (empty: none), effective, and what became of it: `admitted`, or the ledger's reason, with
`!` behind where declared and detected contradict each other."""


def _count_licences(counts: dict[LicenceKey, list[int]], batch: pa.RecordBatch, judged: list[Judged]) -> None:
    """Count documents and bytes on entering, by what their licences were found to be."""
    declared, sizes = decode(batch["licence_declared"]).to_pylist(), batch["bytes_in"].to_pylist()
    for said, row, size in zip(declared, judged, sizes, strict=True):
        fate = "admitted" if row.verdict.admitted else row.verdict.reason
        key = (said, row.detected or "", row.effective or "", fate + ("!" if row.conflict else ""))
        if key not in counts and len(counts) >= LICENCES_COUNTED_MAX:
            key = ("other", "", "other", fate)
        total = counts.setdefault(key, [0, 0])
        total[0] += 1
        total[1] += size


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


class _Problems:
    """Ledger rows of what could not be read, and the problems that are named in the task's record."""

    def __init__(self, source: str, dropped: _Dropped, outward: Outward, *, strict: bool) -> None:
        self._source, self._dropped, self._outward, self._strict = source, dropped, outward, strict
        self._held: dict[str, list[InputError]] = {}
        self._documents = self._written = 0
        self.named: list[dict[str, str]] = []
        self.unnamed = 0

    def __call__(self, problem: InputError) -> None:
        file, cause, remedy = map(self._outward.name, map(visible, (problem.file, problem.cause, problem.remedy)))
        problem = type(problem)(file, cause, remedy, problem.documents)
        if isinstance(problem, NoTextError):
            self._hold(problem)
            return
        if self._strict:
            raise problem
        if len(self.named) < NAMED_PER_TASK_MAX:
            self.named.append({"source": self._source, "file": file, "cause": cause, "remedy": remedy})
        else:
            self.unnamed += 1
        self._hold(problem)

    def _hold(self, problem: InputError) -> None:
        left = problem.documents
        while left > 0:  # one may count many
            documents = min(left, PROBLEM_ROWS)
            part = type(problem)(problem.file, problem.cause, problem.remedy, documents)
            self._held.setdefault(problem.reason, []).append(part)
            self._documents += documents
            left -= documents
            if self._documents >= PROBLEM_ROWS:
                self.flush()

    def flush(self) -> None:
        """Write the rows held."""
        for reason, problems in sorted(self._held.items()):
            rows = problem_rows(self._source, problems, self._written)
            self._dropped.write(rows, "ingest", reason)
            self._written += rows.num_rows
        self._held, self._documents = {}, 0


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


def recipe_languages(plan: Plan) -> dict[str, list[str]]:
    """What declared languages are compared with: code → the names that mean it."""
    natural = {code: [e.iso639_3, e.name, e.script, *e.lid_labels] for code, e in plan.languages.natural.items()}
    return natural | {code: [entry.name] for code, entry in plan.languages.programming.items()}


def ingest_phase(plan: Plan, strict: bool) -> Phase:
    """The phase that reads every unit."""
    recipe = plan.recipe
    configuration = {
        "version": VERSION,
        "licences": recipe.licences,
        "consent": [recipe.consent, block_list_digests(recipe.consent)],
        "output": recipe.output,
        "strict": strict,
        "languages": recipe_languages(plan),
        "personal_data": [recipe.personal_data.kinds, recipe.personal_data.obfuscated_email],
        "extensions": {code: language.extensions for code, language in plan.languages.programming.items()},
    }
    return Phase("ingest", configuration, IngestWork(plan, strict))


def ingest_tasks(plan: Plan, units: list[Unit]) -> list[Task]:
    """A task a unit, named by source and place; the unit's `state` changes when its files do."""
    counts: dict[str, int] = {}
    tasks = []
    for unit in units:
        number = counts.get(unit.source, 0)
        counts[unit.source] = number + 1
        key = (source_digest(plan, unit.source), repr(unit))
        tasks.append(Task(f"{unit.source}-{number:05d}", key, unit, unit.size))
    return tasks
