"""The steps of a build of a corpus, in four jobs, and how often they read text.

read     units → shards → annotated, decided, hashed; equal ids, equal texts, recurring lines     twice
compare  signatures of what is left, pairs of near-duplicates                                     once
choose   which documents are kept                                                                 never
write    sample, settle, shards of the corpus, ledger, sketches, counts                    twice, or three times

`settle` reads the texts that were dropped, and `write` the others; both are sketched for `find`. Where evaluation sets
are looked for, all is read once more. The report, which needs the counts alone, is the driver's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from configs.load import Plan
from configs.models import Deduplication
from pipeline.annotate import annotate_phase
from pipeline.corpus.passages import DROPPED, sketch_dropped_phase, sketch_phase, sketch_task
from pipeline.corpus.tombstones import FOLDER as TAKEDOWNS
from pipeline.decide import decide_phase, shard_task
from pipeline.decontamination.stage import INDEX, find_phase, index_phase, index_tasks
from pipeline.deduplication.keys import DeduplicationContext, ShardInput
from pipeline.deduplication.phase import Deduplicator, hash_task
from pipeline.deduplication.records import KEYED, RANKED
from pipeline.ingest import ingest_phase, ingest_tasks
from pipeline.readers import Unit
from pipeline.report import sum_tallies, tally_phase, tally_tasks
from pipeline.runtime import storage
from pipeline.runtime.done import Done, WorkShard
from pipeline.runtime.engine import Engine
from pipeline.runtime.finished import CORPUS_VOUCHERS
from pipeline.runtime.flow import Link, ShardStep, Step
from pipeline.runtime.phases import OutputFile, Phase, Record, Task
from pipeline.sampling import LanguageSample, plan_samples
from pipeline.settle import (
    DECONTAMINATE,
    DEDUPLICATED,
    LEDGER_ENDING,
    count_phase,
    fate_task,
    histograms_of,
    settle_phase,
    sum_examples,
    sum_histograms,
)
from pipeline.write import Part, ledger_phase, ledger_tasks, plan_shards, write_phase

SMALL_ROUNDS = 8
"""As many rounds as one exchange may need for all to be small: each pipeline more takes some 0.2 s, in which workers
have nothing to do."""
TEXT_PER_LINE_KEY = 2
"""Bytes of text to a byte of keys of lines: the shortest that count have 15 characters, and their keys 7 bytes."""


@dataclass(frozen=True)
class CorpusJobs:
    """The steps of one build. It travels to workers with them, so it holds nothing large.

    `is_small`: so little is shuffled that it needs neither rounds nor sieves even where memory is short.
    """

    plan: Plan
    output: str
    work: str
    strict: bool = False
    is_small: bool = False

    def sized(self, done: Done) -> "CorpusJobs":
        """These jobs, small where a few rounds hold the keys of the largest exchange, beside no finished build."""
        files = [file for record in done.records("ingest") for file in record.files]
        settings = self.deduplicator.settings
        documents = sum(file.documents for file in files) * max(RANKED.itemsize, settings.bands * KEYED.itemsize)
        lines = sum(file.bytes for file in files) // TEXT_PER_LINE_KEY
        is_small = max(documents, lines) <= SMALL_ROUNDS * settings.shuffle_bytes
        return replace(self, is_small=is_small and not self.deduplicator.adopted)

    def read_steps(self, units: list[Unit]) -> list[Step]:
        """From files to keys of documents, and what equal keys tell."""
        return [self.ingest_step(units), *self.annotate_steps()]

    def ingest_step(self, units: list[Unit]) -> Step:
        """From files to work shards."""
        tasks = ingest_tasks(self.plan, units)
        return ShardStep(lambda _: tasks, (Link("ingest", self.ingest_phase),))

    def annotate_steps(self) -> list[Step]:
        """From work shards to keys of documents, and what equal keys tell."""
        annotate = Link("annotate", self.annotate_phase)
        decide = Link("decide", self.decide_phase, self.decide_task)
        return [
            ShardStep(self.annotate_tasks, (annotate, decide, self.deduplicator.hash_link(self.hash_task))),
            *self.deduplicator.find_steps(),
        ]

    def compare_steps(self) -> list[Step]:
        """What is left is compared with one another."""
        return self.deduplicator.compare_steps()

    def decide_steps(self, engine: Engine, done: Done) -> list[Step]:
        """Which documents are kept."""
        return self.deduplicator.decide_steps(engine, done)

    def write_steps(self) -> list[Step]:
        """What becomes of every document, and the corpus."""
        write = Link("write", self.write_phase)
        return [
            *self.decontaminate_steps(),
            ShardStep(self.fate_tasks, (Link("count", self.count_phase),), sum_histograms),
            ShardStep(self.fate_tasks, self.settle_links, sum_examples),
            ShardStep(self.write_tasks, (write, Link("passages", self.sketch_phase, self.sketch_task))),
            ShardStep(self.ledger_tasks, (Link("ledger", self.ledger_phase),)),
            ShardStep(self.tally_tasks, (Link("tally", self.tally_phase),), sum_tallies),
        ]

    @property
    def _decontaminates(self) -> bool:
        return self.plan.recipe.decontamination.is_on

    def decontaminate_steps(self) -> list[Step]:
        """What of evaluation sets documents hold; nothing where the recipe names none."""
        if not self._decontaminates:
            return []
        settings = self.plan.recipe.decontamination
        phase = index_phase(settings)
        return [
            ShardStep(lambda _: index_tasks(settings), (Link(phase.name, lambda _: phase),)),
            ShardStep(self.find_tasks, (Link(DECONTAMINATE, self.find_phase),)),
        ]

    def find_phase(self, done: Done) -> Phase:
        """Looks for items of evaluation sets."""
        recurring, code = self.deduplicator.recurring_lines(done), frozenset(self.plan.languages.programming)
        index = done.records(INDEX)[0].files[0]
        path = storage.join(done.files(INDEX), index.path)
        return find_phase(self.plan.recipe.decontamination, recurring, code, path, index.digest)

    def find_tasks(self, done: Done) -> list[Task]:
        """A task a work shard that was deduplicated."""
        shards = done.shards(*DEDUPLICATED)
        return [replace(fate_task(shard), size=shard.file("annotate").bytes) for shard in shards]

    @cached_property
    def deduplicator(self) -> Deduplicator:
        """The steps of deduplication."""
        plan = self.plan
        context = DeduplicationContext(
            priorities={source.id: source.priority for source in plan.sources},
            unspaced=frozenset(code for code, language in plan.languages.natural.items() if language.unspaced),
            code=frozenset(plan.languages.programming),
        )
        index = storage.join(self.output, "index") if plan.recipe.deduplication.near else None
        return Deduplicator(self._deduplication, context, self.shard_inputs, index, self.is_small)

    @property
    def _deduplication(self) -> Deduplication:
        """The recipe's settings; documents taken down from what is in the output win over those of the build."""
        settings, folder = self.plan.recipe.deduplication, storage.join(self.output, TAKEDOWNS)
        if not storage.list_files(storage.join(folder, "index")):
            return settings
        return settings.model_copy(update={"against": (*settings.against, folder)})

    @property
    def _vouchers(self) -> tuple[str, ...]:
        """Files that tell readers what the corpus holds, and are removed before its files change."""
        return tuple(storage.join(self.output, name) for name in CORPUS_VOUCHERS)

    def ingest_phase(self, _: Done) -> Phase:
        """Reads units."""
        return ingest_phase(self.plan, self.strict)

    def annotate_phase(self, _: Done) -> Phase:
        """Adds language, measures, redaction."""
        return annotate_phase(self.plan)

    def annotate_tasks(self, done: Done) -> list[Task]:
        """A task a work shard that was read."""
        shards = [file for record in done.records("ingest") for file in record.files if not file.extra.get("dropped")]
        return [shard_task(done.files("ingest"), shard) for shard in shards]

    def decide_phase(self, _: Done) -> Phase:
        """Decides by columns."""
        return decide_phase(self.plan)

    def decide_task(self, done: Done, task: Task, records: list[Record]) -> Task:
        """The same shard, annotated."""
        return shard_task(done.files("annotate"), records[0].files[0], text=False)

    def hash_task(self, done: Done, task: Task, records: list[Record]) -> Task:
        """The same shard, with what was decided."""
        return hash_task(_shard_input(done, records[0].files[0], records[1].file()))

    def shard_inputs(self, done: Done) -> list[ShardInput]:
        """All annotated shards."""
        return [
            _shard_input(done, shard.file("annotate"), shard.file("decide"))
            for shard in done.shards("annotate", "decide")
        ]

    def settled_phases(self) -> tuple[str, ...]:
        """Phases that say what happens to the documents of a work shard, until they are settled."""
        return (*DEDUPLICATED, *([DECONTAMINATE] if self._decontaminates else []))

    def fate_tasks(self, done: Done) -> list[Task]:
        """A task a work shard, with all that was found out about it."""
        return [fate_task(shard) for shard in done.shards(*self.settled_phases())]

    def count_phase(self, _: Done) -> Phase:
        """Counts what is there of each language."""
        return count_phase(self.plan.recipe.seed)

    def samples(self, done: Done) -> dict[str, LanguageSample]:
        """What is taken of each language."""
        histograms = histograms_of(done.summary("count"))
        return plan_samples(histograms, self.plan.recipe.sampling, self.plan.languages)

    @property
    def settle_links(self) -> tuple[Link, ...]:
        """Settles fates, and sketches the texts that the corpus will not have, for `find`."""
        sketch = Link(DROPPED, lambda _: sketch_dropped_phase(), self.dropped_task)
        return Link("settle", self.settle_phase), sketch

    def dropped_task(self, done: Done, task: Task, records: list[Record]) -> Task:
        """The same work shard, with the ledger rows of its documents."""
        ledger, annotated = records[0].file(LEDGER_ENDING), task.payload.annotated
        payload = annotated, storage.join(done.files("settle"), ledger.path), task.inputs[0]
        return Task(task.name, (task.inputs[0], ledger.digest), payload, task.size)

    def settle_phase(self, done: Done) -> Phase:
        """Settles the fate of every document."""
        return settle_phase(self.samples(done), self.plan.recipe.seed)

    def write_phase(self, done: Done) -> Phase:
        """Writes the shards of the corpus."""
        recurring = self.deduplicator.recurring_lines(done)
        code, form = frozenset(self.plan.languages.programming), self.plan.recipe.output.format
        phase = write_phase(self.output, recurring, code, form)
        return replace(phase, vouchers=self._vouchers)

    def write_tasks(self, done: Done) -> list[Task]:
        """A task a shard of the corpus."""
        parts: dict[str, list[Part]] = {}
        for shard in done.shards(*self.settled_phases(), "settle"):
            for language, part in _parts(shard).items():
                parts.setdefault(language, []).append(part)
        return plan_shards(parts, self.plan.recipe.output.shard_bytes)

    def ledger_phase(self, _: Done) -> Phase:
        """Writes the ledger."""
        return replace(ledger_phase(self.output), vouchers=self._vouchers)

    def ledger_tasks(self, done: Done) -> list[Task]:
        """A task a part of the ledger."""
        entries: list[tuple[str, OutputFile]] = []
        for phase in ("ingest", "settle"):
            files = [file for record in done.records(phase) for file in record.files if _is_ledger(file)]
            entries += [(storage.join(done.files(phase), file.path), file) for file in files]
        return ledger_tasks(entries)

    def sketch_phase(self, _: Done) -> Phase:
        """Sketches the passages of the corpus, for `find`."""
        return sketch_phase(self.output, self._vouchers)

    def sketch_task(self, done: Done, task: Task, records: list[Record]) -> Task:
        """The shard that was written."""
        return sketch_task(task.name, records[0].files[0])

    def tally_phase(self, _: Done) -> Phase:
        """Counts what the report shows."""
        return tally_phase(self.output)

    def tally_tasks(self, done: Done) -> list[Task]:
        """A task a file of the corpus."""
        return tally_tasks({"data": done.records("write"), "ledger": done.records("ledger")})


def _shard_input(done: Done, annotated: OutputFile, decided: OutputFile) -> ShardInput:
    task = shard_task(done.files("annotate"), annotated)
    decisions = storage.join(done.files("decide"), decided.path)
    return ShardInput(task.name, task.payload, decisions, f"{annotated.digest} {decided.digest}", annotated.size)


def _parts(shard: WorkShard) -> dict[str, Part]:
    """What a settled shard gives to the corpus, by language."""
    annotated, settled = shard.file("annotate"), shard.record("settle")
    found = shard.find(DECONTAMINATE)
    cuts = [shard.file(DECONTAMINATE).digest] if found else []
    digests = (annotated.digest, shard.file("settle").digest, *cuts)
    places = _places(annotated)
    return {
        language: Part(
            annotated=shard.path("annotate"),
            settled=shard.path("settle"),
            digests=digests,
            bytes=size,
            span=places[language][0],
            row=places[language][1],
            values=settled.data["values"].get(language, {}),
            decontaminated=found,
        )
        for language, size in _kept_bytes(settled).items()
    }


def _places(annotated: OutputFile) -> dict[str, tuple[storage.Span, int]]:
    """Where each language stands in an annotated shard: its bytes, and its first row."""
    languages, row = annotated.extra["languages"], 0
    ends = [*(about["at"] for about in languages[1:]), annotated.size]
    places = {}
    for about, end in zip(languages, ends, strict=True):
        places[about["language"]] = (storage.Span(about["at"], end, annotated.size), row)
        row += about["documents"]
    return places


def _kept_bytes(settled: Record) -> Mapping[str, int]:
    """Bytes that a shard gives to the corpus, by language."""
    kept: dict[str, int] = {}
    for language, _, stage, _, _, _, size in settled.data["counts"]:
        if stage == "write":
            kept[language] = kept.get(language, 0) + size
    return kept


def _is_ledger(file: OutputFile) -> bool:
    return bool(file.extra.get("dropped") and file.documents) or file.path.endswith(LEDGER_ENDING)
