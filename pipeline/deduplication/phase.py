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
from functools import partial
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
    losers_by_shard,
    shard_file,
)
from pipeline.deduplication.near import ReadBands, SignaturePayload, SignDocuments, Signed
from pipeline.deduplication.pairs import FindPairs
from pipeline.deduplication.records import (
    EDGE,
    KEYED,
    PAIR,
    RANKED,
    EdgeFile,
    Shard,
    content_digest,
    distinct,
    rows_of,
)
from pipeline.deduplication.recurring import PACKED_BYTES, CountLines, FindRecurring, ReadLines, sort_hashes
from pipeline.deduplication.resolve import ResultPayload, cluster_statistics, merge_members, write_result
from pipeline.deduplication.sieve import (
    BITS_MAX,
    FORM,
    FindFrequent,
    ReadFingerprints,
    ReadFrequent,
    ReadGroup,
    by_group,
    count_passing,
    fingerprint_bits,
    group_count,
    group_file,
    grouped,
    in_order,
    is_one,
    packed_bytes,
    records_bytes,
)
from pipeline.runtime import storage
from pipeline.runtime.done import Done, WorkShard
from pipeline.runtime.engine import Engine
from pipeline.runtime.finished import CORPUS_VOUCHERS
from pipeline.runtime.flow import Link, ShardStep, Step, run_steps
from pipeline.runtime.phases import Phase, Record, Task, Watch, digest_of

VERSION = 3

HASH, AGAINST, LINES, SIGN, RESULT, INDEX = (
    f"deduplicate-{name}" for name in ("hash", "against", "lines", "sign", "result", "index")
)
IDS, EXACT, RECURRING, PAIRS, KEPT = (f"deduplicate-{name}" for name in ("ids", "exacts", "recurring", "pairs", "kept"))
SIEVE_BYTES = 16 << 20
"""A partition of a sieve at most: it unpacks to ten times as much and more."""
BESIDE_KEY = {IDS: 9.5, EXACT: 15.5, RECURRING: 0.5, PAIRS: 2.5}
"""Bytes of a record, as it is shuffled, beside the 64 bits that it is sorted by; bands are sorted by 56."""


def sieve_of(exchange: str) -> str:
    """Name of the sieve of an exchange."""
    return f"{exchange}-sieve"


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
class Compared:
    """A shard in its place among all: ours, or one that a finished build left as its index.

    `hashing` and `signing` are the phases that left its keys and its signatures; for a finished build's it is one.
    """

    position: int
    left: WorkShard
    hashing: str
    signing: str

    @property
    def hashed(self) -> Record:
        """What hashing left."""
        return self.left.record(self.hashing)

    @property
    def signed(self) -> Record:
        """What signing left."""
        return self.left.record(self.signing)

    @property
    def shard(self) -> Shard:
        """The shard as tasks see it."""
        return Shard(self.position, self.left.path(self.hashing, ".documents"), self.hashed.data["count"])

    @property
    def cuts(self) -> str:
        """Its file of records CUT."""
        return self.left.path(self.signing, ".cuts")

    @property
    def signatures(self) -> Signed:
        """Its files of signatures, if there are any."""
        return signed_files(storage.join(self.left.left[self.signing][1], self.left.name), self.shard)


@dataclass(frozen=True)
class Deduplicator:
    """The steps of one deduplication. `inputs` tells the shards once they are there; `index` is a folder.

    `is_small`: what is shuffled needs neither rounds nor sieves, so that all steps fit in one pipeline.
    """

    settings: Deduplication
    context: DeduplicationContext
    inputs: Callable[[Done], Sequence[ShardInput]]
    index: str | None = None
    is_small: bool = False
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
            plan = partial(self._equal, name, key)
            steps += self._sieved(name, plan, 2, self._key_count, RANKED.itemsize, (HASH, AGAINST), is_sorted=False)
        if self._counts_lines:
            shortest = self.settings.recurring_lines_characters_min
            configuration = {"code": sorted(self.context.code), "characters_min": shortest, "form": 3}
            lines = Phase(LINES, self._configured(configuration), CountLines(shortest))
            steps.append(ShardStep(self._line_tasks, (Link(LINES, lambda _: lines),)))
            least = self.settings.recurring_lines_documents_min or 0
            steps += self._sieved(RECURRING, self._recurring, least, self._line_count, PACKED_BYTES, (LINES,))
        return steps

    def compare_steps(self) -> list[Step]:
        """Signatures and pairs."""
        context = self.context.as_dict() | {"priorities": None}
        phase = Phase(SIGN, self._configured({**self._signature_settings, **context}), SignDocuments(self.settings))
        steps: list[Step] = [ShardStep(self._sign_tasks, (Link(SIGN, lambda _: phase),))]
        if self.settings.near:
            steps += self._sieved(PAIRS, self._pairs, 2, self._band_count, KEYED.itemsize, (SIGN, AGAINST))
        return steps

    def _sieved(
        self,
        name: str,
        plan: Callable[[Done], Exchange],
        least: int,
        count: Callable[[Done], int],
        size: int,
        sized_by: tuple[str, ...],
        is_sorted: bool = True,
    ) -> list[Step]:
        """An exchange of so many records of so many bytes; before it, where these are many, the sieve of their keys.

        Sought are keys that come `least` times.
        """

        def is_many(done: Done) -> bool:
            return count(done) * size > self._round_bytes

        def fingerprint(done: Done, whole: Exchange) -> int:
            return BITS_MAX if is_one(whole.shards) else fingerprint_bits(count(done), least)

        def sieve(done: Done) -> Exchange:
            whole = plan(done)
            assert isinstance(whole.read, ReadGroup)
            keys, bits = whole.read.keys, fingerprint(done, whole)
            answers = is_one(whole.shards)
            return Exchange(
                sieve_of(name),
                [FORM, whole.configuration, bits, least, len(whole.shards)],
                ReadFrequent(keys, least) if answers else ReadFingerprints(keys, bits),
                by_group if answers else FindFrequent(least),
                in_order,
                whole.shards,
                whole.inputs,
                count_passing,
            )

        def sieved(done: Done) -> Exchange:
            whole = plan(done)
            if not is_many(done):
                return whole
            assert isinstance(whole.read, ReadGroup)
            found = exchanged(done, sieve_of(name))
            groups = [replace(group, passed=tuple(found.files(group_file(group.number)))) for group in whole.shards]
            read = replace(whole.read, bits=fingerprint(done, whole))
            return replace(whole, read=read, shards=groups)

        def groups(done: Done) -> int:
            return group_count(len(self.shards(done)), count(done), is_sorted)

        def packed(done: Done) -> int:
            return packed_bytes(count(done), groups(done), least)

        def left(done: Done) -> int:
            if not is_many(done):
                return count(done) * size
            found = exchanged(done, sieve_of(name))
            passing = sum(int(about) for file in found.all_names for about in found.about(file))
            return records_bytes(passing, groups(done), BESIDE_KEY[name])

        joins, is_whole = name == RECURRING, name == PAIRS
        if self.is_small:
            whole = ExchangeStep(name, plan, lambda done: count(done) * size, self._round_bytes, is_small=True)
            return [replace(whole, is_whole=is_whole)]
        return [
            ExchangeStep(
                sieve_of(name), sieve, packed, self._round_bytes, sized_by, needed=is_many, partition=SIEVE_BYTES
            ),
            ExchangeStep(
                name, sieved, left, self._round_bytes, (*sized_by, sieve_of(name)), joins=joins, is_whole=is_whole
            ),
        ]

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
            steps.append(ExchangeStep(KEPT, partial(self._kept, components), lambda _: total, round_bytes))
        steps.append(ShardStep(partial(self._result_tasks, bool(total)), (Link(RESULT, self._result_phase),)))
        if self.index is not None:
            steps.append(ShardStep(self._index_tasks, (Link(INDEX, self._index_phase),)))
        return steps

    def result(self, done: Done) -> DeduplicationResult:
        """What it left, once all steps are done."""
        results, recurring = done.shards(RESULT), self.recurring_lines(done)
        files = [shard.path(RESULT) for shard in results]
        has_members = sum(step.total_bytes for step in self._found(done)) > 0
        statistics = _statistics([shard.record(RESULT) for shard in results], recurring)
        statistics |= cluster_statistics(exchanged(done, KEPT).files(STATISTICS) if has_members else [])
        return DeduplicationResult(files, [shard.file(RESULT).digest for shard in results], recurring, statistics)

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

    def ours(self, done: Done, *phases: str) -> list[Compared]:
        """Our shards, once hashing and these phases have ended."""
        return [Compared(position, left, HASH, SIGN) for position, left in enumerate(done.shards(HASH, *phases))]

    def shards(self, done: Done, *phases: str) -> list[Compared]:
        """Our shards, then those of the finished builds that we are compared with."""

        def make() -> list[Compared]:
            ours, adopted = self.ours(done, *phases), done.shards(AGAINST) if self.adopted else []
            return [*ours, *(Compared(at, left, AGAINST, AGAINST) for at, left in enumerate(adopted, len(ours)))]

        shards: list[Compared] = done.once(("shards", phases), make)
        return shards

    def _given(self, done: Done, *phases: str) -> Iterator[tuple[ShardInput, Compared]]:
        """Our shards with the inputs that they are of."""
        return zip(self.inputs(done), self.ours(done, *phases), strict=True)

    def _losers(self, done: Done) -> list[Exchanged]:
        return [exchanged(done, name) for name in (IDS, *([EXACT] if self.settings.exact else []))]

    def _losers_of(self, done: Done, shard: Compared) -> tuple[tuple[str, ...], str]:
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

    def _key_count(self, done: Done) -> int:
        return sum(shard.hashed.data["alive"] for shard in self.shards(done))

    def _equal(self, name: str, key: str, done: Done) -> Exchange:
        """Documents that are dropped for one of equal `key`, by shard; those out by an earlier key don't count."""
        before = exchanged(done, IDS) if name == EXACT else None
        shards = self.shards(done)
        return Exchange(
            name,
            self._configured(None),
            ReadGroup(ReadKeys(key)),
            find_losers,
            losers_by_shard,
            grouped(
                [(one.shard, tuple(before.files(shard_file(one.position)) if before else ())) for one in shards],
                self._key_count(done),
                is_sorted=False,
            ),
            [each.hashed.files[0].digest for each in shards] + ([before.key] if before else []),
            rows_digest,
        )

    def _line_tasks(self, done: Done) -> list[Task]:
        tasks = []
        for given, mine in self._given(done):
            lost, digest = self._losers_of(done, mine)
            tasks.append(Task(given.name, (given.digest, digest), (given, mine.shard, lost), given.size))
        return tasks

    def _line_sources(self, done: Done) -> list[str]:
        return sorted({source for record in done.records(LINES) for source in record.data["sources"]})

    def _line_count(self, done: Done) -> int:
        return sum(record.files[0].documents for record in done.records(LINES))

    def _recurring(self, done: Done) -> Exchange:
        least = self.settings.recurring_lines_documents_min
        assert least is not None
        shards, sources = done.shards(LINES), self._line_sources(done)
        numbers = {source: number for number, source in enumerate(sources)}
        return Exchange(
            RECURRING,
            self._configured(least),
            ReadGroup(ReadLines(numbers, least)),
            FindRecurring(least),
            sort_hashes,
            grouped(
                [(shard.path(LINES, ".lines"), shard.record(LINES).data["lines"]) for shard in shards],
                self._line_count(done),
                is_sorted=True,
            ),
            [shard.file(LINES, ".lines").digest for shard in shards] + [digest_of(sources)],
        )

    def _sign_tasks(self, done: Done) -> list[Task]:
        recurring = self.recurring_lines(done)
        digests = {source: content_digest([path]) for source, path in recurring.items()}
        tasks = []
        for given, mine in self._given(done, *([LINES] if self._counts_lines else [])):
            lost, digest = self._losers_of(done, mine)
            sources = mine.left.record(LINES).data["sources"] if self._counts_lines else []
            cut = {source: recurring[source] for source in sources if source in recurring}
            inputs = (given.digest, digest, digest_of({source: digests[source] for source in cut}))
            tasks.append(Task(given.name, inputs, SignaturePayload(given, mine.shard, lost, cut), given.size))
        return tasks

    def _band_count(self, done: Done) -> int:
        return sum(shard.signed.data["bands"] for shard in self.shards(done, SIGN))

    @property
    def matches_min(self) -> int:
        """Equal values of signatures that make two documents similar enough; those that share a band have some."""
        least = self.settings.verify_jaccard_min
        return 1 if least is None else max(1, math.ceil(least * self.settings.permutations - 1e-9))

    def _pairs(self, done: Done) -> Exchange:
        shards = self.shards(done, SIGN)
        files = tuple(shard.signatures for shard in shards)
        return Exchange(
            PAIRS,
            self._configured(self.settings.verify_jaccard_min),
            ReadGroup(ReadBands()),
            FindPairs(files, self.settings.permutations, self.matches_min),
            sort_pairs,
            grouped(
                [(file, shard.signed.data["bands"]) for file, shard in zip(files, shards, strict=True)],
                self._band_count(done),
                is_sorted=True,
            ),
            [file.digest for shard in shards for file in shard.signed.files],
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
        return [
            Task(
                shard.left.name,
                (*(file.digest for file in shard.signed.files), shard.left.file(RESULT).digest),
                (shard.signatures, shard.left.path(RESULT)),
                shard.shard.count,
            )
            for shard in self.ours(done, SIGN, RESULT)
        ]

    def _kept(self, components: ReadComponents | None, done: Done) -> Exchange:
        """What becomes of each document that has duplicates; by components where the graph does not fit in memory."""
        shards, settings = self.shards(done, SIGN), self.settings
        sources = _sources(shards)
        numbers = {source: number for number, source in enumerate(sources)}
        own = len(done.records(HASH))
        choose = ChooseKept(
            own=own,
            documents=tuple(shard.shard.documents for shard in shards),
            cuts=tuple(shard.cuts for shard in shards),
            signed=tuple(shard.signatures for shard in shards) if settings.near else (),
            sources=tuple(tuple(numbers[source] for source in shard.hashed.data["sources"]) for shard in shards),
            permutations=settings.permutations,
            bands=settings.bands,
            matches_min=self.matches_min,
        )
        configuration = {"own": own, "sources": sources, "jaccard_min": settings.verify_jaccard_min}
        inputs = [self._found_key(done), *(file.digest for shard in shards for file in shard.hashed.files)]
        inputs += [file.digest for shard in shards for file in shard.signed.files]
        edges: list[Any] = self._edges(done)
        read: Any = read_nothing
        if components is None:
            choose, edges = replace(choose, files=tuple(edges)), [None]
        else:
            read = components
        return Exchange(KEPT, self._configured(configuration), read, choose, merge_members, edges, inputs)

    def _result_phase(self, done: Done) -> Phase:
        configuration = {**self.context.as_dict(), "sources": _sources(self.shards(done))}
        return Phase(RESULT, self._configured(configuration), write_result)

    def _result_tasks(self, has_members: bool, done: Done) -> list[Task]:
        """A row a document. `has_members`: there are documents with duplicates."""
        steps = [
            exchanged(done, IDS),
            exchanged(done, EXACT) if self.settings.exact else None,
            exchanged(done, KEPT) if has_members else None,
        ]
        sources = tuple(_sources(self.shards(done)))
        tasks = []
        for given, mine in self._given(done, SIGN):
            name = shard_file(mine.position)
            ids, exact, members = (tuple(step.files(name)) if step else () for step in steps)
            digests = digest_of([step.digests(name) if step else [] for step in steps])
            payload = ResultPayload(mine.shard, ids, exact, mine.cuts, members, sources)
            inputs = (given.digest, digests, mine.left.file(SIGN, ".cuts").digest)
            tasks.append(Task(given.name, inputs, payload, mine.shard.count))
        return tasks


def _sources(shards: Sequence[Compared]) -> list[str]:
    return sorted({source for shard in shards for source in shard.hashed.data["sources"]})


def rows_digest(content: bytes) -> str:
    """Digest of the rows that are out, wherever their shard stands."""
    return xxhash.xxh3_128_hexdigest(rows_of(np.frombuffer(content, EDGE)["left"]).tobytes())


def read_nothing(_: None, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    """One partition, for a step that reads all files itself."""
    if chosen.start == 0:
        yield 0, b""


def sort_pairs(name: str, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """Distinct records PAIR, sorted."""
    yield name, distinct(np.frombuffer(buffer, PAIR)).tobytes()


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
