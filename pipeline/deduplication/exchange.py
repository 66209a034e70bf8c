"""The one shape of all shuffles here: shards → partitions → files, as packed records.

    Read   each shard gives, for each partition, one buffer of records
    Reduce each partition sorts its records and gives, for each bundle of files, one buffer
    Write  each bundle's buffers are merged and its files written

A bundle is one file, except where each shard gets a file: each partition would give each shard a buffer, and of both
there are as many as there is text, so that shards are bundled (`keys.by_bundle`).

On runners that spill, an exchange is one shuffle. Where Beam keeps in memory what it shuffles, more keys make more
rounds over ranges of partitions, so that memory follows the bound of a round and not the corpus. Buffers arrive in any
order; `reduce` and `merge` sort by total orders, so the files do not depend on it.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import apache_beam as beam
import numpy as np
import xxhash

from pipeline.deduplication.records import read_all
from pipeline.runtime import storage
from pipeline.runtime.done import Done
from pipeline.runtime.engine import Engine
from pipeline.runtime.finished import OutputFile, Record, damaged, read_record, without_collection, write_record
from pipeline.runtime.flow import Begun, Site, SiteDoFn, Step, carried, run_steps
from pipeline.runtime.ownership import remove_half_written
from pipeline.runtime.storage import digest_of

_FILE = re.compile(r"[^/]+\.[0-9a-f]{32}(\.[0-9a-f]{8}\.tmp)?")
PARTITION_BYTES, PARTITION_BYTES_MAX = 8 << 20, 64 << 20
"""A partition grows with the root of what is shuffled, up to what a worker sorts in memory: each group of shards sends
each partition a buffer, so that as many of both as there is text would make its square of buffers."""
PARTITIONS_MAX = 1 << 16

Read = Callable[[Any, int, range], Iterator[tuple[int, bytes]]]
"""(shard, number of partitions, those of the round) → partition, records."""
Reduce = Callable[[int, bytes], Iterator[tuple[str, bytes]]]
"""(partition, its records) → name of a bundle of files, records."""
Merge = Callable[[str, bytes], Iterator[tuple[str, bytes]]]
"""(name of a bundle, all its records) → name of each file, its content."""
About = Callable[[bytes], str]
"""(content of a file) → what later steps are to know of it."""


@dataclass(frozen=True)
class Exchange:
    """A shuffle with a name; `configuration` is all that changes its files beside its inputs.

    shards  what is read, a work item each
    inputs  digests of all that is read
    about   what later steps are to know of a file without reading it, if anything
    """

    name: str
    configuration: Any
    read: Read
    reduce: Reduce
    merge: Merge
    shards: Sequence[Any]
    inputs: Sequence[str]
    about: About | None = None

    def run(self, engine: Engine, folder: str, total_bytes: int, round_bytes: int) -> "Exchanged":
        """Shuffle `total_bytes`, where that has not been done; for rounds of which the number is not known before.

        Its files are joined.
        """
        step = ExchangeStep(self.name, lambda _: self, lambda _: total_bytes, round_bytes, joins=True)
        return exchanged(run_steps(engine, folder, [step]), self.name)


@dataclass(frozen=True)
class ExchangeStep(Step):
    """An exchange as a step of a build.

    plan         the exchange, from what the steps before it left
    size         bytes that are shuffled, from what the phases `sized_by` left
    round_bytes  what a round shuffles at most where memory is short
    joins        whether the parts that rounds leave of a file are to be joined to one
    needed       whether it is to be done at all; always if not given
    is_small     all that is shuffled fits in a round, whatever the steps before it leave
    partition    bytes of a partition at most
    is_whole     a partition gives its bundles whole, so that what it gives is not shuffled again
    """

    name: str
    plan: Callable[[Done], Exchange]
    size: Callable[[Done], int]
    round_bytes: int
    sized_by: tuple[str, ...] = ()
    joins: bool = False
    needed: Callable[[Done], bool] | None = None
    is_small: bool = False
    is_whole: bool = False
    partition: int = PARTITION_BYTES_MAX
    round: int = 0
    rounds: int = 1

    def is_idle(self, done: Done) -> bool:
        """Whether it is not needed."""
        return self.needed is not None and not self.needed(done)

    def cut(self, done: Done) -> list[Step]:
        """Rounds that shuffle `round_bytes` each."""
        if self.is_small or self.rounds > 1 or self.is_idle(done):
            return [self]
        rounds = max(1, -(-self.size(done) // self.round_bytes))
        return [replace(self, round=number, rounds=rounds) for number in range(rounds)]

    def can_follow(self, before: Sequence[Step]) -> bool:
        """Its size must be known before the pipeline starts."""
        return self.is_small or not any(phase in self.sized_by for step in before for phase in step.phases)

    @property
    def phases(self) -> tuple[str, ...]:
        """Itself."""
        return (self.name,)

    @without_collection()
    def begin(self, done: Done, check: bool) -> Begun:
        """Elements are places of shards, which workers plan; none where nothing is to be done or shuffled."""
        if self.is_idle(done):
            return Begun([], True)
        exchange, key = self.exchange(done), self._key(done)
        whole = _whole(self.target(done), key, check) is not None
        if whole and self._is_joined:
            whole = _whole(storage.join(done.folder, self.name, "joined"), key, check) is not None
        if whole:
            return Begun([], True)
        place = storage.join(done.folder, self.name)
        storage.remove(place, {f"{self._round_name}.json", "joined.json"} & storage.names_in(place))
        numbers = range(len(exchange.shards)) if self.size(done) else ()
        return Begun([(number, number) for number in numbers], False)

    def expand(self, elements: beam.PCollection, site: Site) -> beam.PCollection:
        """Two shuffles: by partition, by bundle of files."""
        reduced = (
            elements
            | "Spread" >> beam.GroupByKey()
            | "Read" >> beam.ParDo(_ReadShards(site))
            | "By partition" >> beam.GroupByKey()
            | "Reduce" >> beam.ParDo(_ReducePartition(site))
        )
        bundles = reduced | "Alone" >> beam.Map(_alone) if self.is_whole else reduced | "By file" >> beam.GroupByKey()
        return bundles | "Write" >> beam.ParDo(_WriteFiles(site))

    def end(self, done: Done, results: list[Any]) -> dict[str, Any]:
        """Write the round's record; after the last round join parts, and remove what earlier exchanges left."""
        if self.is_idle(done):
            return {}
        place, target, key = storage.join(done.folder, self.name), self.target(done), self._key(done)
        record = _whole(target, key, check=False)
        if record is None:
            files = tuple(sorted((file for _, file in results), key=lambda file: file.path))
            record = Record(self._round_name, key, files, {"rounds": self.rounds})
            _remove_others(target, files)
            write_record(f"{target}.json", record)
        if self.round == self.rounds - 1:
            if self._is_joined:
                self._join(done, key)
            _sweep(place, self.rounds)
        return {}

    @property
    def _is_joined(self) -> bool:
        return self.joins and self.rounds > 1 and self.round == self.rounds - 1

    @property
    def _round_name(self) -> str:
        return f"round-{self.round:05d}"

    def target(self, done: Done) -> str:
        """The folder of the files of this round."""
        return storage.join(done.folder, self.name, self._round_name)

    def exchange(self, done: Done) -> Exchange:
        """The exchange, planned once."""
        exchange: Exchange = done.once(("exchange", self.name), lambda: self.plan(done))
        return exchange

    def _key(self, done: Done) -> str:
        exchange = self.exchange(done)
        return digest_of([self.name, exchange.configuration, list(exchange.inputs), self.partitions(done), self.rounds])

    def partitions(self, done: Done) -> int:
        """Partitions of all rounds."""
        total = self.size(done)
        size = min(self.partition, max(PARTITION_BYTES, math.isqrt(total * (PARTITION_BYTES >> 10))))
        wanted = min(PARTITIONS_MAX, max(1, -(-total // size)))
        return -(-wanted // self.rounds) * self.rounds

    def chosen(self, done: Done) -> range:
        """Partitions of this round."""
        partitions = self.partitions(done)
        return range(self.round * partitions // self.rounds, (self.round + 1) * partitions // self.rounds)

    def _join(self, done: Done, key: str) -> None:
        """Merge the parts that rounds left of each file."""
        merge, parts = self.exchange(done).merge, _rounds(done, self.name)
        target = storage.join(done.folder, self.name, "joined")
        if _whole(target, key, check=False) is not None:
            return
        files = tuple(
            _write(target, name, content, None)
            for part in parts.all_names
            for name, content in merge(part, read_all(parts.files(part), np.dtype("u1")).tobytes())
        )
        _remove_others(target, files)
        write_record(f"{target}.json", Record("joined", key, files, {}))


@dataclass(frozen=True)
class Exchanged:
    """The files of a finished exchange, by folder: a round's, or of all rounds joined. A file is called NAME.DIGEST."""

    key: str
    parts: tuple[tuple[str, tuple[OutputFile, ...]], ...]

    def files(self, name: str) -> list[str]:
        """Paths of a file's parts, one a round, in the order of rounds."""
        return [path for path, _ in self._by_name.get(name, ())]

    def digests(self, name: str) -> list[str]:
        """Digests of a file's parts."""
        return [file.digest for _, file in self._by_name.get(name, ())]

    def about(self, name: str) -> list[str]:
        """What the exchange's `about` says of a file's parts."""
        return [file.extra["about"] for _, file in self._by_name.get(name, ())]

    @property
    def total_bytes(self) -> int:
        """Length of all files in bytes."""
        return sum(file.size for _, files in self.parts for file in files)

    @property
    def all_files(self) -> list[str]:
        """Paths of all files, in order."""
        return [storage.join(place, file.path) for place, files in self.parts for file in files]

    @property
    def all_names(self) -> list[str]:
        """Names of all files, sorted."""
        return sorted(self._by_name)

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[str, OutputFile]]]:
        """Files by name: looked up several times a shard, so not searched for."""
        found: dict[str, list[tuple[str, OutputFile]]] = {}
        for place, files in self.parts:
            for file in files:
                found.setdefault(file.path.rsplit(".", 1)[0], []).append((storage.join(place, file.path), file))
        return found


def exchanged(done: Done, name: str) -> Exchanged:
    """The files of a finished exchange."""

    def read() -> Exchanged:
        rounds = _rounds(done, name)
        joined = storage.join(done.folder, name, "joined")
        if len(rounds.parts) > 1 and storage.exists(f"{joined}.json"):
            record = read_record(f"{joined}.json")
            return Exchanged(record.key, ((joined, record.files),))
        return rounds

    found: Exchanged = done.once(("exchanged", name), read)
    return found


def _rounds(done: Done, name: str) -> Exchanged:
    place = storage.join(done.folder, name)
    first = read_record(storage.join(place, "round-00000.json"))
    paths = [storage.join(place, f"round-{number:05d}") for number in range(first.data["rounds"])]
    records = [first, *(read_record(f"{path}.json") for path in paths[1:])]
    return Exchanged(first.key, tuple((path, record.files) for path, record in zip(paths, records, strict=True)))


def _whole(target: str, key: str, check: bool) -> Record | None:
    """The record of a folder of files that was made under `key`, if they are as they were written."""
    try:
        record = read_record(f"{target}.json")
    except (FileNotFoundError, ValueError):
        return None
    is_whole = record.key == key and not damaged(target, record.files, storage.list_files(target), check)
    return record if is_whole else None


def _write(target: str, name: str, content: bytes, about: About | None) -> OutputFile:
    path = f"{name}.{xxhash.xxh3_128_hexdigest(content)}"
    with storage.create(storage.join(target, path)) as stream:
        stream.write(content)
    extra = {"about": about(content)} if about else {}
    return OutputFile(path, stream.digest, 0, 0, extra, stream.size, stream.changed)


def _remove_others(target: str, files: Sequence[OutputFile]) -> None:
    """Remove files of ours that an earlier exchange, or a killed one, left in a folder."""
    others = set(storage.list_files(target)) - {file.path for file in files}
    storage.remove(target, [name for name in others if _FILE.fullmatch(name)])


def _sweep(place: str, rounds: int) -> None:
    """Remove what an earlier exchange with more rounds left, and records half-written."""
    names = [f"round-{number:05d}.json" for number in range(rounds)]
    remove_half_written(place, [*names, "joined.json", "progress.json"])
    for name in storage.list_files(place):
        match = re.fullmatch(r"round-([0-9]{5})(/(.*)|\.json)", name)
        if match and int(match[1]) >= rounds and (match[3] is None or _FILE.fullmatch(match[3])):
            storage.remove(place, [name])


def _alone(bundle: tuple[str, bytes]) -> tuple[str, list[bytes]]:
    return bundle[0], [bundle[1]]


class _ReadShards(SiteDoFn):
    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[tuple[int, bytes]]:
        number, shards = element
        step, done = self.site.step, self.site.done
        assert isinstance(step, ExchangeStep)
        if number < 0:
            yield -1, b""
            return
        with carried():
            exchange = step.exchange(done)
            for shard in shards:
                yield from exchange.read(exchange.shards[shard], step.partitions(done), step.chosen(done))


class _ReducePartition(SiteDoFn):
    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[str, bytes]]:
        partition, buffers = element
        step = self.site.step
        assert isinstance(step, ExchangeStep)
        if partition < 0:
            yield "", b""
            return
        with carried():
            yield from step.exchange(self.site.done).reduce(partition, b"".join(buffers))


class _WriteFiles(SiteDoFn):
    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[tuple[int, Any]]:
        name, buffers = element
        step, done = self.site.step, self.site.done
        assert isinstance(step, ExchangeStep)
        if not name:
            yield 0, None
            return
        with carried():
            exchange = step.exchange(done)
            for file, content in exchange.merge(name, b"".join(buffers)):
                yield 0, (file, _write(step.target(done), file, content, exchange.about))
