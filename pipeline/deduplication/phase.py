"""Deduplication of a corpus in shards, step by step; each step is restartable and writes files of packed records.

hash       shard → keys of its documents                                    task a shard
ids        documents with equal ids: the best stays                         exchange
exact      documents with equal normalised text: the best stays             exchange
lines      shard → how many documents hold each line, by source             task a shard
recurring  lines seen in many documents of a source                         exchange
sign       shard → signatures and bands of what is left after line cuts     task a shard
pairs      documents that share a band and are similar enough               exchange
kept       which documents are kept, and for which one others are dropped   one worker; if too many edges, exchanges
result     shard → a row a document: reason, id kept, cluster size, cut     task a shard
index      shard → ids, keys and signatures of what is kept                 task a shard

They make three jobs: up to `recurring`, up to `pairs`, and the rest, for which the number of edges must be known.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xxhash

from configs.models import Deduplication
from pipeline.deduplication.clusters import ReadComponents, star_components, star_parts
from pipeline.deduplication.exchange import Exchange, Exchanged, ExchangeStep, exchanged
from pipeline.deduplication.greedy import STATISTICS, ChooseKept
from pipeline.deduplication.index import AdoptIndex, WriteIndex, index_files, signed_files
from pipeline.deduplication.keys import (
    DeduplicationContext,
    HashDocuments,
    ReadKeys,
    ShardInput,
    find_losers,
    shard_file,
    sort_edges,
)
from pipeline.deduplication.near import SignaturePayload, SignDocuments, Signed, read_bands
from pipeline.deduplication.pairs import FindPairs
from pipeline.deduplication.records import (
    EDGE,
    KEYED,
    LINE,
    PAIR,
    RANKED,
    EdgeFile,
    Shard,
    content_digest,
    distinct,
    rows_of,
)
from pipeline.deduplication.recurring import CountLines, FindRecurring, ReadLines, sort_hashes
from pipeline.deduplication.resolve import ResultPayload, cluster_statistics, merge_members, write_result
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.finished import CORPUS_VOUCHERS
from pipeline.runtime.flow import Done, Link, ShardStep, Step, run_steps
from pipeline.runtime.phases import Phase, Record, Task, Watch, digest_of

VERSION = 3

HASH, AGAINST, LINES, SIGN, RESULT, INDEX = (
    f"deduplicate-{name}" for name in ("hash", "against", "lines", "sign", "result", "index")
)
IDS, EXACT, RECURRING, PAIRS, KEPT = (f"deduplicate-{name}" for name in ("ids", "exacts", "recurring", "pairs", "kept"))


@dataclass(frozen=True)
class DeduplicationResult:
    """What deduplication leaves.

    results          a file a shard, in their order: Arrow IPC stream in schema `resolve.RESULT`
    digests          digests of these files
    recurring_lines  source → file of the hashes of its recurring lines (uint64, little-endian, sorted)
    statistics       JSON-able counts: documents and bytes by reason, clusters by size, the largest clusters
    """

    results: list[str]
    digests: list[str]
    recurring_lines: dict[str, str]
    statistics: dict[str, Any]


def deduplicate(
    engine: Engine,
    shards: Sequence[ShardInput],
    settings: Deduplication,
    context: DeduplicationContext,
    work: str,
    *,
    index: str | None = None,
    watch: Watch | None = None,
) -> DeduplicationResult:
    """Find duplicate ids, exact duplicates, recurring lines and near-duplicates among the documents of `shards`.

    `work` is a folder (any fsspec path) for what a rerun resumes from; `index`, if given, gets the index of the
    documents kept, which a later build can be deduplicated against. The result depends on the order of shards only
    where documents are equal in priority, length and id. Raises OpenRootsError.
    """
    given = list(shards)
    whole = Deduplicator(settings, context, lambda _: given, index)
    tasks = [hash_task(shard) for shard in given]
    hashing = ShardStep(lambda _: tasks, (whole.hash_link(None),))
    run_steps(engine, work, [hashing, *whole.find_steps()], watch, label="deduplicate find")
    run_steps(engine, work, whole.compare_steps(), watch, label="deduplicate compare")
    done = run_steps(engine, work, whole.decide_steps(engine, Done(work)), watch, label="deduplicate decide")
    return whole.result(done)


def hash_task(shard: ShardInput) -> Task:
    """The task that hashes a shard."""
    return Task(shard.name, (shard.digest,), shard, shard.size)


@dataclass(frozen=True)
class Deduplicator:
    """The steps of one deduplication. `inputs` tells the shards once they are there; `index` is a folder."""

    settings: Deduplication
    context: DeduplicationContext
    inputs: Callable[[Done], Sequence[ShardInput]]
    index: str | None = None
    adopted: tuple[tuple[str, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adopted", tuple(index_files(self.settings.against)))

    def hash_link(self, task: Callable[[Done, Task, list[Record]], Task] | None) -> Link:
        """The phase that hashes documents, for the step that makes the shards."""
        phase = Phase(HASH, self._configured(self.context.as_dict()), HashDocuments(self.context))
        return Link(HASH, lambda _: phase, task)

    def find_steps(self) -> list[Step]:
        """Equal ids, equal texts, recurring lines."""
        steps: list[Step] = []
        if self.adopted:
            phase = Phase(AGAINST, self._configured(self._signature_settings), AdoptIndex(self.settings))
            steps.append(ShardStep(self._adopt_tasks, (Link(AGAINST, lambda _: phase),)))
        keys = [(IDS, "id"), *([(EXACT, "exact")] if self.settings.exact else [])]
        for name, key in keys:
            plan = _Losers(self, name, key)
            steps.append(ExchangeStep(name, plan, self._keys_bytes, self._round_bytes, (HASH, AGAINST)))
        if self._counts_lines:
            least = self.settings.recurring_lines_characters_min
            configuration = {"code": sorted(self.context.code), "characters_min": least}
            lines = Phase(LINES, self._configured(configuration), CountLines(least))
            steps.append(ShardStep(self._line_tasks, (Link(LINES, lambda _: lines),)))
            steps.append(
                ExchangeStep(RECURRING, self._recurring, self._lines_bytes, self._round_bytes, (LINES,), joins=True)
            )
        return steps

    def compare_steps(self) -> list[Step]:
        """Signatures and pairs."""
        context = self.context.as_dict() | {"priorities": None}
        phase = Phase(SIGN, self._configured({**self._signature_settings, **context}), SignDocuments(self.settings))
        steps: list[Step] = [ShardStep(self._sign_tasks, (Link(SIGN, lambda _: phase),))]
        if self.settings.near:
            steps.append(ExchangeStep(PAIRS, self._pairs, self._bands_bytes, self._round_bytes, (SIGN, AGAINST)))
        return steps

    def decide_steps(self, engine: Engine, done: Done) -> list[Step]:
        """What becomes of each document, once all pairs are known."""
        steps: list[Step] = []
        total = sum(step.total_bytes for step in self._found(done))
        if total:
            components: ReadComponents | None = None
            if total // PAIR.itemsize > self.settings.in_memory_edges_max:
                edges, key = self._edges(done), self._found_key(done)
                parts = star_parts(edges)
                files = star_components(engine, done.folder, edges, key, self._round_bytes, parts)
                components = ReadComponents(tuple(files), parts)
            round_bytes = total if components is None else self._round_bytes
            steps.append(ExchangeStep(KEPT, _Kept(self, components), lambda _: total, round_bytes))
        result = _Result(self, has_members=bool(total))
        steps.append(ShardStep(result.tasks, (Link(RESULT, result.phase),)))
        if self.index is not None:
            steps.append(ShardStep(self._index_tasks, (Link(INDEX, self._index_phase),)))
        return steps

    def result(self, done: Done) -> DeduplicationResult:
        """What it left, once all steps are done."""
        records, recurring = done.records(RESULT), self.recurring_lines(done)
        files = self.result_files(done)
        has_members = sum(step.total_bytes for step in self._found(done)) > 0
        statistics = _statistics(records, recurring)
        statistics |= cluster_statistics(exchanged(done, KEPT).files(STATISTICS) if has_members else [])
        return DeduplicationResult(files, [record.files[0].digest for record in records], recurring, statistics)

    def result_files(self, done: Done) -> list[str]:
        """Files in schema `resolve.RESULT`, one a shard in their order."""
        return [storage.join(done.files(RESULT), record.files[0].path) for record in done.records(RESULT)]

    def recurring_lines(self, done: Done) -> dict[str, str]:
        """Source → file of the hashes of its recurring lines."""
        if not self._counts_lines:
            return {}
        found = exchanged(done, RECURRING)
        names = {source: f"source-{number:05d}" for number, source in enumerate(self._line_sources(done))}
        return {source: files[0] for source, name in names.items() if (files := found.files(name))}

    # What is known of shards

    @property
    def _counts_lines(self) -> bool:
        return self.settings.recurring_lines_documents_min is not None

    @property
    def _round_bytes(self) -> int:
        return self.settings.shuffle_bytes

    @property
    def _signature_settings(self) -> dict[str, Any]:
        names = {"near", "permutations", "bands", "ngram", "seed"}
        return self.settings.model_dump(mode="json", include=names)

    @staticmethod
    def _configured(configuration: Any) -> dict[str, Any]:
        return {"version": VERSION, "settings": configuration}

    def _hashed(self, done: Done) -> list[Record]:
        return [*done.records(HASH), *self._adopted(done)]

    def _adopted(self, done: Done) -> list[Record]:
        return done.records(AGAINST) if self.adopted else []

    def shards(self, done: Done) -> list[Shard]:
        """Our shards, then those of the finished builds that we are compared with."""

        def make() -> list[Shard]:
            places = [*([done.files(HASH)] * len(done.records(HASH))), *([done.files(AGAINST)] * len(self.adopted))]
            return [
                Shard(position, storage.join(place, record.files[0].path), record.data["count"])
                for position, (record, place) in enumerate(zip(self._hashed(done), places, strict=True))
            ]

        shards: list[Shard] = done.once("shards", make)
        return shards

    def _losers(self, done: Done) -> list[Exchanged]:
        return [exchanged(done, name) for name in (IDS, *([EXACT] if self.settings.exact else []))]

    def _losers_of(self, done: Done, shard: Shard) -> tuple[tuple[str, ...], str]:
        """Files of the documents of a shard that are dropped for an equal one; a digest of which rows these are."""
        name = shard_file(shard.position)
        losers = self._losers(done)
        files = tuple(path for step in losers for path in step.files(name))
        return files, digest_of([about for step in losers for about in step.about(name)])

    # Tasks and exchanges, in their order

    def _adopt_tasks(self, done: Done) -> list[Task]:
        return [
            Task(f"against-{number:06d}", (build, content_digest([path])), (build, path), storage.size_of(path))
            for number, (build, path) in enumerate(self.adopted)
        ]

    def _keys_bytes(self, done: Done) -> int:
        return sum(record.data["alive"] for record in self._hashed(done)) * RANKED.itemsize

    def _line_tasks(self, done: Done) -> list[Task]:
        tasks = []
        for shard, known in zip(self.inputs(done), self.shards(done), strict=False):
            lost, digest = self._losers_of(done, known)
            tasks.append(Task(shard.name, (shard.digest, digest), (shard, known, lost), shard.size))
        return tasks

    def _line_sources(self, done: Done) -> list[str]:
        return sorted({source for record in done.records(LINES) for source in record.data["sources"]})

    def _lines_bytes(self, done: Done) -> int:
        return sum(record.files[0].documents for record in done.records(LINES)) * LINE.itemsize

    def _recurring(self, done: Done) -> Exchange:
        least = self.settings.recurring_lines_documents_min
        assert least is not None
        records, sources = done.records(LINES), self._line_sources(done)
        numbers = {source: number for number, source in enumerate(sources)}
        place = done.files(LINES)
        return Exchange(
            RECURRING,
            self._configured(least),
            ReadLines(numbers),
            FindRecurring(least),
            sort_hashes,
            [(storage.join(place, record.files[0].path), record.data["sources"]) for record in records],
            [record.files[0].digest for record in records] + [digest_of(sources)],
        )

    def _sign_tasks(self, done: Done) -> list[Task]:
        recurring = self.recurring_lines(done)
        digests = {source: content_digest([path]) for source, path in recurring.items()}
        lines = done.records(LINES) if self._counts_lines else []
        tasks = []
        for number, (shard, known) in enumerate(zip(self.inputs(done), self.shards(done), strict=False)):
            lost, digest = self._losers_of(done, known)
            sources = lines[number].data["sources"] if lines else []
            cut = {source: recurring[source] for source in sources if source in recurring}
            inputs = (shard.digest, digest, digest_of({source: digests[source] for source in cut}))
            tasks.append(Task(shard.name, inputs, SignaturePayload(shard, known, lost, cut), shard.size))
        return tasks

    def signed(self, done: Done) -> list[tuple[Record, str]]:
        """Records of signatures, with the folders their files lie in."""
        own = [(record, done.files(SIGN)) for record in done.records(SIGN)]
        return [*own, *((record, done.files(AGAINST)) for record in self._adopted(done))]

    def signed_files(self, done: Done) -> tuple[Signed, ...]:
        """Files of signatures, of all shards."""
        pairs = zip(self.shards(done), self.signed(done), strict=True)
        return tuple(signed_files(place, record.task, shard) for shard, (record, place) in pairs)

    def _bands_bytes(self, done: Done) -> int:
        return sum(record.data["bands"] for record, _ in self.signed(done)) * KEYED.itemsize

    @property
    def matches_min(self) -> int:
        """Equal values of signatures that make two documents similar enough; those that share a band have some."""
        least = self.settings.verify_jaccard_min
        return 1 if least is None else max(1, math.ceil(least * self.settings.permutations - 1e-9))

    def _pairs(self, done: Done) -> Exchange:
        files = self.signed_files(done)
        return Exchange(
            PAIRS,
            self._configured(self.settings.verify_jaccard_min),
            read_bands,
            FindPairs(files, self.settings.permutations, self.matches_min),
            sort_pairs,
            files,
            [file.digest for record, _ in self.signed(done) for file in record.files],
        )

    def _found(self, done: Done) -> list[Exchanged]:
        """All exchanges that found duplicates."""
        return [*self._losers(done), *([exchanged(done, PAIRS)] if self.settings.near else [])]

    def _found_key(self, done: Done) -> str:
        return digest_of([step.key for step in self._found(done)])

    def _edges(self, done: Done) -> list[EdgeFile]:
        found, near = self._found(done), self.settings.near
        return [
            EdgeFile(path, near and place == len(found) - 1)
            for place, step in enumerate(found)
            for path in step.all_files
        ]

    def _index_phase(self, _: Done) -> Phase:
        assert self.index is not None
        output = self.index.rsplit("/", 1)[0]
        vouchers = tuple(storage.join(output, name) for name in CORPUS_VOUCHERS)
        configuration = self._configured(self._signature_settings)
        return Phase(INDEX, configuration, WriteIndex(self.settings), self.index, vouchers)

    def _index_tasks(self, done: Done) -> list[Task]:
        signed, results = self.signed(done), done.records(RESULT)
        everything = zip(self.shards(done), signed, results, self.result_files(done), strict=False)
        return [
            Task(
                result.task,
                (*(file.digest for file in record.files), result.files[0].digest),
                (signed_files(folder, record.task, shard), path),
                shard.count,
            )
            for shard, (record, folder), result, path in everything
        ]


@dataclass(frozen=True)
class _Losers:
    """Documents that are dropped for one of equal `key`, by shard; those that are out by an earlier key don't count."""

    whole: Deduplicator
    name: str
    key: str

    def __call__(self, done: Done) -> Exchange:
        before = exchanged(done, IDS) if self.name == EXACT else None
        shards, hashed = self.whole.shards(done), self.whole._hashed(done)
        return Exchange(
            self.name,
            {"version": VERSION, "settings": None},
            ReadKeys(self.key),
            find_losers,
            sort_edges,
            [(shard, tuple(before.files(shard_file(shard.position)) if before else ())) for shard in shards],
            [record.files[0].digest for record in hashed] + ([before.key] if before else []),
            rows_digest,
        )


@dataclass(frozen=True)
class _Kept:
    """What becomes of each document that has duplicates; by components where the graph does not fit in memory."""

    whole: Deduplicator
    components: ReadComponents | None

    def __call__(self, done: Done) -> Exchange:
        whole, hashed, signed = self.whole, self.whole._hashed(done), self.whole.signed(done)
        sources = _sources(hashed)
        numbers = {source: number for number, source in enumerate(sources)}
        own = len(done.records(HASH))
        choose = ChooseKept(
            own=own,
            documents=tuple(shard.documents for shard in whole.shards(done)),
            cuts=tuple(storage.join(place, f"{record.task}.cuts") for record, place in signed),
            signed=whole.signed_files(done) if whole.settings.near else (),
            sources=tuple(tuple(numbers[source] for source in record.data["sources"]) for record in hashed),
            permutations=whole.settings.permutations,
            bands=whole.settings.bands,
            matches_min=whole.matches_min,
        )
        configuration = {"own": own, "sources": sources, "jaccard_min": whole.settings.verify_jaccard_min}
        inputs = [whole._found_key(done), *(file.digest for record in hashed for file in record.files)]
        inputs += [file.digest for record, _ in signed for file in record.files]
        edges: list[Any] = whole._edges(done)
        read: Any = read_nothing
        if self.components is None:
            choose, edges = replace(choose, files=tuple(edges)), [None]
        else:
            read = self.components
        return Exchange(
            KEPT, {"version": VERSION, "settings": configuration}, read, choose, merge_members, edges, inputs
        )  # fmt: skip


@dataclass(frozen=True)
class _Result:
    """The end: a row a document. `has_members`: there are documents with duplicates."""

    whole: Deduplicator
    has_members: bool

    def phase(self, done: Done) -> Phase:
        sources = _sources(self.whole._hashed(done))
        configuration = {**self.whole.context.as_dict(), "sources": sources}
        return Phase(RESULT, {"version": VERSION, "settings": configuration}, write_result)

    def tasks(self, done: Done) -> list[Task]:
        whole, hashed = self.whole, self.whole._hashed(done)
        steps = [
            exchanged(done, IDS),
            exchanged(done, EXACT) if whole.settings.exact else None,
            exchanged(done, KEPT) if self.has_members else None,
        ]
        sources = tuple(_sources(hashed))
        tasks = []
        for given, shard, record in zip(whole.inputs(done), whole.shards(done), done.records(SIGN), strict=False):
            name = shard_file(shard.position)
            ids, exact, members = (tuple(step.files(name)) if step else () for step in steps)
            cuts = next(file for file in record.files if file.path.endswith(".cuts"))
            digests = [step.digests(name) if step else [] for step in steps]
            payload = ResultPayload(
                shard, ids, exact, storage.join(done.files(SIGN), cuts.path), members, sources
            )  # fmt: skip
            tasks.append(Task(given.name, (given.digest, digest_of(digests), cuts.digest), payload, shard.count))
        return tasks


def _sources(hashed: Sequence[Record]) -> list[str]:
    return sorted({source for record in hashed for source in record.data["sources"]})


def rows_digest(content: bytes) -> str:
    """Digest of the rows that are out, wherever their shard stands."""
    return xxhash.xxh3_128_hexdigest(rows_of(np.frombuffer(content, EDGE)["left"]).tobytes())


def read_nothing(_: None, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    """One partition, for a step that reads all files itself."""
    if chosen.start == 0:
        yield 0, b""


def sort_pairs(_: str, buffer: bytes) -> bytes:
    """Distinct records PAIR, sorted."""
    return distinct(np.frombuffer(buffer, PAIR)).tobytes()


def _statistics(results: Sequence[Record], recurring: dict[str, str]) -> dict[str, Any]:
    reasons: dict[str, list[int]] = {}
    for record in results:
        for reason, (documents, size) in record.data["reasons"].items():
            total = reasons.setdefault(reason, [0, 0])
            total[0] += documents
            total[1] += size
    return {
        "documents_in": sum(record.data["alive"][0] for record in results),
        "bytes_in": sum(record.data["alive"][1] for record in results),
        "documents_kept": sum(record.data["kept"][0] for record in results),
        "bytes_kept": sum(record.data["kept"][1] for record in results),
        "bytes_cut": sum(record.data["bytes_cut"] for record in results),
        "dropped": {reason: {"documents": n, "bytes": size} for reason, (n, size) in sorted(reasons.items())},
        "recurring_lines": {source: storage.size_of(path) // 8 for source, path in sorted(recurring.items())},
    }
