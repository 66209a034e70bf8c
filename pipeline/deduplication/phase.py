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
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xxhash

from configs.models import Deduplication
from pipeline.deduplication.clusters import ReadComponents, star_components
from pipeline.deduplication.exchange import Exchange, Exchanged
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
    read_all,
    rows_of,
)
from pipeline.deduplication.recurring import CountLines, FindRecurring, ReadLines, sort_hashes
from pipeline.deduplication.resolve import ResultPayload, cluster_statistics, merge_members, write_result
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.finished import CORPUS_VOUCHERS
from pipeline.runtime.phases import Phase, Record, Task, Watch, digest_of

VERSION = 2


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
    return _Run(engine, list(shards), settings, context, work, watch).result(index)


@dataclass
class _Run:
    """One deduplication; the steps in the order in which `result` takes them."""

    engine: Engine
    inputs: list[ShardInput]
    settings: Deduplication
    context: DeduplicationContext
    work: str
    watch: Watch | None

    def result(self, index: str | None) -> DeduplicationResult:
        shards, hashed = self._hash()
        ids = self._losers("id", shards, hashed, None)
        exact = self._losers("exact", shards, hashed, ids) if self.settings.exact else None
        losers = [self._losers_of(shard, ids, exact) for shard in shards]
        recurring, lines = self._recurring(shards, losers)
        signed = self._sign(shards, losers, recurring, lines)
        pairs = self._pairs(shards, signed) if self.settings.near else None
        sources = sorted({source for record in hashed for source in record.data["sources"]})
        members = self._members(shards, hashed, signed, (ids, exact, pairs), sources)
        results, place = self._results(shards, (ids, exact, members), signed, tuple(sources))
        files = [storage.join(place, record.files[0].path) for record in results]
        if index is not None:
            self._index(shards, signed, results, files, index)
        statistics = _statistics(results, recurring)
        statistics |= cluster_statistics(members.files(STATISTICS) if members else [])
        return DeduplicationResult(files, [record.files[0].digest for record in results], recurring, statistics)

    def _phase(self, name: str, configuration: Any, work: Any, tasks: list[Task]) -> tuple[list[Record], str]:
        phase = Phase(f"deduplicate-{name}", {"version": VERSION, "settings": configuration}, work)
        return phase.run(self.engine, self.work, tasks, self.watch), phase.files(self.work)

    def _exchange(
        self, name: str, configuration: Any, functions: tuple[Any, Any, Any], shards: Sequence[Any],
        inputs: Sequence[str], total_bytes: int,
    ) -> Exchanged:  # fmt: skip
        exchange = Exchange(f"deduplicate-{name}", {"version": VERSION, "settings": configuration}, *functions)
        return exchange.run(self.engine, self.work, shards, inputs, total_bytes, self.settings.shuffle_bytes)

    def _hash(self) -> tuple[list[Shard], list[Record]]:
        """Keys of all documents: of our shards, then of the finished builds that we are compared with."""
        tasks = [Task(shard.name, (shard.digest,), shard, _size(shard.path)) for shard in self.inputs]
        records, place = self._phase("hash", self.context.as_dict(), HashDocuments(self.context), tasks)
        adopted, adopted_place = self._adopt()
        shards = [
            Shard(position, storage.join(folder, record.files[0].path), record.data["count"])
            for position, (record, folder) in enumerate(
                [*((record, place) for record in records), *((record, adopted_place) for record in adopted)]
            )
        ]
        self._adopted = [(record, adopted_place) for record in adopted]
        return shards, [*records, *adopted]

    def _adopt(self) -> tuple[list[Record], str]:
        paths = index_files(self.settings.against)
        if not paths:
            return [], ""
        tasks = [
            Task(f"against-{number:06d}", (build, content_digest([path])), (build, path), _size(path))
            for number, (build, path) in enumerate(paths)
        ]
        return self._phase("against", self._signature_settings, AdoptIndex(self.settings), tasks)

    @property
    def _signature_settings(self) -> dict[str, Any]:
        names = {"near", "permutations", "bands", "ngram", "seed"}
        return self.settings.model_dump(mode="json", include=names)

    def _losers(self, key: str, shards: list[Shard], hashed: list[Record], before: Exchanged | None) -> Exchanged:
        """Documents that are dropped for an equal one, by shard."""
        payloads = [(shard, tuple(before.files(shard_file(shard.position)) if before else ())) for shard in shards]
        inputs = [record.files[0].digest for record in hashed] + ([before.key] if before else [])
        total = sum(record.data["alive"] for record in hashed) * RANKED.itemsize
        return self._exchange(f"{key}s", None, (ReadKeys(key), find_losers, sort_edges), payloads, inputs, total)

    @staticmethod
    def _losers_of(shard: Shard, ids: Exchanged, exact: Exchanged | None) -> tuple[str, ...]:
        name = shard_file(shard.position)
        return (*ids.files(name), *(exact.files(name) if exact else ()))

    def _recurring(self, shards: list[Shard], losers: list[tuple[str, ...]]) -> tuple[dict[str, str], list[Record]]:
        """Files of recurring lines by source."""
        documents_min = self.settings.recurring_lines_documents_min
        if documents_min is None:
            return {}, []
        tasks = [
            Task(shard.name, (shard.digest, _loser_digest(lost)), (shard, known, lost), _size(shard.path))
            for shard, known, lost in zip(self.inputs, shards, losers, strict=False)
        ]
        characters_min = self.settings.recurring_lines_characters_min
        configuration = {"code": sorted(self.context.code), "characters_min": characters_min}
        records, place = self._phase("lines", configuration, CountLines(characters_min), tasks)
        sources = sorted({source for record in records for source in record.data["sources"]})
        numbers = {source: number for number, source in enumerate(sources)}
        payloads = [(storage.join(place, record.files[0].path), record.data["sources"]) for record in records]
        done = self._exchange(
            "recurring",
            documents_min,
            (ReadLines(numbers), FindRecurring(documents_min), sort_hashes),
            payloads,
            [record.files[0].digest for record in records] + [digest_of(sources)],
            sum(record.files[0].documents for record in records) * LINE.itemsize,
        )
        names = {source: f"source-{number:05d}" for source, number in numbers.items()}
        return {source: done.joined(name, sort_hashes) for source, name in names.items() if done.files(name)}, records

    def _sign(
        self, shards: list[Shard], losers: list[tuple[str, ...]], recurring: dict[str, str], lines: list[Record]
    ) -> list[tuple[Record, str]]:
        """Line cuts, signatures and bands of all shards, with the folders they lie in."""
        digests = {source: content_digest([path]) for source, path in recurring.items()}
        tasks = []
        for number, (shard, known, lost) in enumerate(zip(self.inputs, shards, losers, strict=False)):
            sources = lines[number].data["sources"] if lines else []
            cut = {source: recurring[source] for source in sources if source in recurring}
            inputs = (shard.digest, _loser_digest(lost), digest_of({source: digests[source] for source in cut}))
            tasks.append(Task(shard.name, inputs, SignaturePayload(shard, known, lost, cut), _size(shard.path)))
        context = self.context.as_dict() | {"priorities": None}
        records, place = self._phase(
            "sign", {**self._signature_settings, **context}, SignDocuments(self.settings), tasks
        )
        return [*((record, place) for record in records), *self._adopted]

    @staticmethod
    def _signed(shards: list[Shard], signed: list[tuple[Record, str]]) -> tuple[Signed, ...]:
        pairs = zip(shards, signed, strict=True)
        return tuple(signed_files(place, record.task, shard) for shard, (record, place) in pairs)

    def _pairs(self, shards: list[Shard], signed: list[tuple[Record, str]]) -> Exchanged:
        files = self._signed(shards, signed)
        return self._exchange(
            "pairs",
            self.settings.verify_jaccard_min,
            (read_bands, FindPairs(files, self.settings.permutations, self._matches_min), sort_pairs),
            files,
            [file.digest for record, _ in signed for file in record.files],
            sum(record.data["bands"] for record, _ in signed) * KEYED.itemsize,
        )

    @property
    def _matches_min(self) -> int:
        """Equal values of signatures that make two documents similar enough; those that share a band have some."""
        least = self.settings.verify_jaccard_min
        return 1 if least is None else max(1, math.ceil(least * self.settings.permutations - 1e-9))

    def _members(
        self,
        shards: list[Shard],
        hashed: list[Record],
        signed: list[tuple[Record, str]],
        steps: tuple[Exchanged | None, ...],
        sources: list[str],
    ) -> Exchanged | None:
        """What becomes of each document that has duplicates."""
        edges = [EdgeFile(path, step is steps[2]) for step in steps if step for path in step.all_files]
        total = sum(_size(file.path) for file in edges)
        if not total:
            return None
        numbers = {source: number for number, source in enumerate(sources)}
        choose = ChooseKept(
            own=len(self.inputs),
            documents=tuple(shard.documents for shard in shards),
            cuts=tuple(storage.join(place, f"{record.task}.cuts") for record, place in signed),
            signed=self._signed(shards, signed) if self.settings.near else (),
            sources=tuple(tuple(numbers[source] for source in record.data["sources"]) for record in hashed),
            permutations=self.settings.permutations,
            bands=self.settings.bands,
            matches_min=self._matches_min,
        )
        key = digest_of([step.key for step in steps if step])
        configuration = {"own": len(self.inputs), "sources": sources, "jaccard_min": self.settings.verify_jaccard_min}
        inputs = [key, *(file.digest for record in hashed for file in record.files)]
        inputs += [file.digest for record, _ in signed for file in record.files]
        if total // PAIR.itemsize <= self.settings.in_memory_edges_max:
            at_once = replace(choose, files=tuple(edges))
            configured = {"version": VERSION, "settings": configuration}
            exchange = Exchange("deduplicate-kept", configured, read_nothing, at_once, merge_members)
            return exchange.run(self.engine, self.work, [None], inputs, total, total)
        clusters = tuple(star_components(self.engine, self.work, edges, key, self.settings.shuffle_bytes))
        return self._exchange(
            "kept", configuration, (ReadComponents(clusters), choose, merge_members), edges, inputs, total
        )

    def _results(
        self,
        shards: list[Shard],
        steps: tuple[Exchanged | None, ...],
        signed: list[tuple[Record, str]],
        sources: tuple[str, ...],
    ) -> tuple[list[Record], str]:
        tasks = []
        for shard_input, shard, (record, place) in zip(self.inputs, shards, signed, strict=False):
            name = shard_file(shard.position)
            ids, exact, members = (tuple(step.files(name)) if step else () for step in steps)
            cuts = storage.join(place, f"{record.task}.cuts")
            inputs = (shard_input.digest, *(content_digest(part) for part in (ids, exact, members, (cuts,))))
            payload = ResultPayload(shard, ids, exact, cuts, members, sources)
            tasks.append(Task(shard_input.name, inputs, payload, shard.count))
        return self._phase("result", {**self.context.as_dict(), "sources": sources}, write_result, tasks)

    def _index(
        self,
        shards: list[Shard],
        signed: list[tuple[Record, str]],
        results: list[Record],
        files: list[str],
        place: str,
    ) -> None:
        tasks = []
        for shard, (record, folder), result, path in zip(shards, signed, results, files, strict=False):
            inputs = (*(file.digest for file in record.files), result.files[0].digest)
            payload = (signed_files(folder, record.task, shard), path)
            tasks.append(Task(result.task, inputs, payload, shard.count))
        configuration = {"version": VERSION, "settings": self._signature_settings}
        phase = Phase("deduplicate-index", configuration, WriteIndex(self.settings), place)
        output = place.rsplit("/", 1)[0]
        phase = replace(phase, vouchers=tuple(storage.join(output, name) for name in CORPUS_VOUCHERS))
        phase.run(self.engine, self.work, tasks, self.watch)


def read_nothing(_: None, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    """One partition, for a step that reads all files itself."""
    if chosen.start == 0:
        yield 0, b""


def sort_pairs(_: str, buffer: bytes) -> bytes:
    """Distinct records PAIR, sorted."""
    return distinct(np.frombuffer(buffer, PAIR)).tobytes()


def _size(path: str) -> int:
    fs, inner = storage.filesystem(path)
    return int(fs.size(inner))


def _loser_digest(losers: Sequence[str]) -> str:
    """Digest of the rows that are out, wherever the shard stands."""
    return xxhash.xxh3_128_hexdigest(rows_of(read_all(losers, EDGE)["left"]).tobytes())


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
        "recurring_lines": {source: _size(path) // 8 for source, path in sorted(recurring.items())},
    }
