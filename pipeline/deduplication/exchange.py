"""The one shape of all shuffles here: shards → partitions → files, as packed records.

    Read   each shard gives, for each partition, one buffer of records
    Reduce each partition sorts its records and gives, for each file, one buffer
    Write  each file's buffers are merged and written

What a round shuffles is bounded, so memory follows the bound and not the corpus: more keys make more rounds over ranges
of partitions. Buffers arrive in any order; `reduce` and `merge` sort by total orders, so the files do not depend on it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import apache_beam as beam
import numpy as np
import xxhash

from configs.errors import OpenRootsError
from pipeline.deduplication.records import read_all
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine, carry
from pipeline.runtime.finished import OutputFile, Record, damaged, kept_file, read_record, write_record
from pipeline.runtime.ownership import remove_half_written
from pipeline.runtime.storage import digest_of

_FILE = re.compile(r"[^/]+\.[0-9a-f]{32}(\.[0-9a-f]{8}\.tmp)?")
PARTITION_BYTES = 8 << 20
PARTITIONS_MAX = 1 << 16

Read = Callable[[Any, int, range], Iterator[tuple[int, bytes]]]
"""(shard, number of partitions, those of the round) → partition, records."""
Reduce = Callable[[int, bytes], Iterator[tuple[str, bytes]]]
"""(partition, its records) → name of a file, records."""
Merge = Callable[[str, bytes], bytes]
"""(name of a file, all its records) → its content."""


@dataclass(frozen=True)
class Exchange:
    """A shuffle with a name; `configuration` is all that changes its files beside its inputs."""

    name: str
    configuration: Any
    read: Read
    reduce: Reduce
    merge: Merge

    def run(
        self,
        engine: Engine,
        folder: str,
        shards: Sequence[Any],
        inputs: Sequence[str],
        total_bytes: int,
        round_bytes: int,
    ) -> "Exchanged":
        """Do the rounds that are missing; `inputs` are digests of all that is read, `total_bytes` what is shuffled."""
        place = storage.join(folder, self.name)
        rounds = max(1, -(-total_bytes // round_bytes))
        partitions = _partitions(total_bytes, rounds)
        key = digest_of([self.name, self.configuration, list(inputs), partitions, rounds])
        records = []
        for number in range(rounds):
            target = storage.join(place, f"round-{number:05d}")
            record = _whole(target, key, engine.check)
            if record is None:
                chosen = range(number * partitions // rounds, (number + 1) * partitions // rounds)
                storage.remove(place, [f"round-{number:05d}.json"])
                storage.remove(target, [name for name in storage.list_files(target) if _FILE.fullmatch(name)])
                label = f"{self.name} {number + 1} of {rounds}"
                transform = _Shuffle(self, shards, partitions, chosen, target)
                if total_bytes:
                    engine.run(label, transform.apply_to, total_bytes // rounds)
                record = Record(f"round-{number:05d}", key, _written(target), {})
                write_record(f"{target}.json", record)
            records.append(record)
        _sweep(place, rounds)
        names = tuple(tuple(file.path for file in record.files) for record in records)
        return Exchanged(place, key, names, engine.check)


@dataclass(frozen=True)
class Exchanged:
    """The files of a finished exchange, by round; a file is called NAME.DIGEST."""

    place: str
    key: str
    names: tuple[tuple[str, ...], ...]
    check: bool = False

    def files(self, name: str) -> list[str]:
        """Paths of a file's parts, one a round, in the order of rounds."""
        return list(self._by_name.get(name, ()))

    def joined(self, name: str, merge: Merge) -> str:
        """Path of a file with all its parts merged; written where there are several."""
        parts = self.files(name)
        if len(parts) == 1:
            return parts[0]

        def merged() -> bytes:
            return merge(name, read_all(parts, np.dtype("u1")).tobytes())

        return kept_file(storage.join(self.place, "joined"), name, self.key, merged, self.check)

    @property
    def all_files(self) -> list[str]:
        """Paths of all files, in order."""
        rounds = enumerate(self.names)
        return [storage.join(self.place, f"round-{number:05d}", name) for number, names in rounds for name in names]

    @property
    def all_names(self) -> list[str]:
        """Names of all files, sorted."""
        return sorted(self._by_name)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Paths by name: looked up several times a shard, so not searched for."""
        found: dict[str, list[str]] = {}
        for path in self.all_files:
            found.setdefault(path.rsplit("/", 1)[-1].rsplit(".", 1)[0], []).append(path)
        return found


def _partitions(total_bytes: int, rounds: int) -> int:
    wanted = min(PARTITIONS_MAX, max(1, -(-total_bytes // PARTITION_BYTES)))
    return -(-wanted // rounds) * rounds


def _whole(target: str, key: str, check: bool) -> Record | None:
    """The record of a round that was done under `key`, if its files are as they were written."""
    try:
        record = read_record(f"{target}.json")
    except (FileNotFoundError, ValueError):
        return None
    is_whole = record.key == key and not damaged(target, record.files, storage.list_files(target), check)
    return record if is_whole else None


def _written(target: str) -> tuple[OutputFile, ...]:
    """The files that a round has just written; their names hold their digests."""
    return tuple(
        OutputFile(name, name.rsplit(".", 1)[1], 0, 0, {}, entry.size, entry.changed)
        for name, entry in storage.list_files(target).items()
        if _FILE.fullmatch(name) and not name.endswith(".tmp")
    )


def _sweep(place: str, rounds: int) -> None:
    """Remove what an earlier exchange with more rounds left, and records half-written."""
    remove_half_written(place, [f"round-{number:05d}.json" for number in range(rounds)])
    for name in storage.list_files(place):
        match = re.fullmatch(r"round-([0-9]{5})(/(.*)|\.json)", name)
        if match and int(match[1]) >= rounds and (match[3] is None or _FILE.fullmatch(match[3])):
            storage.remove(place, [name])


class _Shuffle(beam.PTransform):
    def __init__(self, exchange: Exchange, shards: Sequence[Any], partitions: int, chosen: range, place: str) -> None:
        super().__init__()
        self._exchange, self._shards, self._partitions = exchange, shards, partitions
        self._chosen, self._place = chosen, place

    def apply_to(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Make this the whole of a pipeline, under the name of the exchange."""
        return pipeline | self._exchange.name >> self

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        exchange = self._exchange
        return (
            pipeline
            | "Shards" >> beam.Create(list(enumerate(self._shards)), reshuffle=False)
            | "Spread" >> beam.GroupByKey()
            | "Read" >> beam.ParDo(_ReadShards(exchange.read, self._partitions, self._chosen))
            | "By partition" >> beam.GroupByKey()
            | "Reduce" >> beam.ParDo(_ReducePartition(exchange.reduce))
            | "By file" >> beam.GroupByKey()
            | "Write" >> beam.ParDo(_WriteFile(exchange.merge, self._place))
        )


class _ReadShards(beam.DoFn):
    def __init__(self, read: Read, partitions: int, chosen: range) -> None:
        self._read, self._partitions, self._chosen = read, partitions, chosen

    def process(self, element: tuple[int, Any]) -> Iterator[tuple[int, bytes]]:
        try:
            for shard in element[1]:
                yield from self._read(shard, self._partitions, self._chosen)
        except OpenRootsError as error:
            raise carry(error) from error


class _ReducePartition(beam.DoFn):
    def __init__(self, reduce: Reduce) -> None:
        self._reduce = reduce

    def process(self, element: tuple[int, Any]) -> Iterator[tuple[str, bytes]]:
        partition, buffers = element
        try:
            yield from self._reduce(partition, b"".join(buffers))
        except OpenRootsError as error:
            raise carry(error) from error


class _WriteFile(beam.DoFn):
    def __init__(self, merge: Merge, place: str) -> None:
        self._merge, self._place = merge, place

    def process(self, element: tuple[str, Any]) -> Iterator[None]:
        name, buffers = element
        try:
            content = self._merge(name, b"".join(buffers))
            digest = xxhash.xxh3_128_hexdigest(content)
            with storage.create(storage.join(self._place, f"{name}.{digest}")) as stream:
                stream.write(content)
        except OpenRootsError as error:
            raise carry(error) from error
        yield from ()
