"""The one shape of all shuffles here: shards → partitions → files, as packed records.

    Read   each shard gives, for each partition, one buffer of records
    Reduce each partition sorts its records and gives, for each file, one buffer
    Write  each file's buffers are merged and written

What a round shuffles is bounded, so memory follows the bound and not the corpus: more keys make more rounds over ranges
of partitions. Buffers arrive in any order; `reduce` and `merge` sort by total orders, so the files do not depend on it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np

from configs.errors import OpenRootsError
from pipeline import storage
from pipeline.deduplication.records import read_all
from pipeline.engine import Engine, carry
from pipeline.phases import digest_of

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
        files: list[list[str]] = []
        if _record(storage.join(place, "key.json")) != {"key": key}:
            storage.remove_tree(place)
            storage.write_json(storage.join(place, "key.json"), {"key": key})
        for number in range(rounds):
            done = storage.join(place, f"round-{number:05d}.json")
            record = _record(done)
            target = storage.join(place, f"round-{number:05d}")
            if record is None or record != _names(target):
                chosen = range(number * partitions // rounds, (number + 1) * partitions // rounds)
                storage.remove_tree(target)
                label = f"{self.name} {number + 1} of {rounds}"
                transform = _Shuffle(self, shards, partitions, chosen, target)
                if total_bytes:
                    engine.run(label, transform.apply_to, total_bytes // rounds)
                record = _names(target)
                storage.write_json(done, record)
            files.append(record)
        return Exchanged(place, key, tuple(tuple(names) for names in files))


@dataclass(frozen=True)
class Exchanged:
    """The files of a finished exchange, by round."""

    place: str
    key: str
    names: tuple[tuple[str, ...], ...]

    def files(self, name: str) -> list[str]:
        """Paths of a file's parts, one a round, in the order of rounds."""
        return [
            storage.join(self.place, f"round-{number:05d}", name)
            for number, names in enumerate(self.names)
            if name in names
        ]

    def joined(self, name: str, merge: Merge) -> str:
        """Path of a file with all its parts merged; written where there are several."""
        parts = self.files(name)
        if len(parts) == 1:
            return parts[0]
        path = storage.join(self.place, "joined", name)
        if not storage.exists(path):
            with storage.create(path) as stream:
                stream.write(merge(name, read_all(parts, np.dtype("u1")).tobytes()))
        return path

    @property
    def all_files(self) -> list[str]:
        """Paths of all files, in order."""
        rounds = enumerate(self.names)
        return [storage.join(self.place, f"round-{number:05d}", name) for number, names in rounds for name in names]

    @property
    def all_names(self) -> list[str]:
        """Names of all files, sorted."""
        return sorted({name for names in self.names for name in names})


def _partitions(total_bytes: int, rounds: int) -> int:
    wanted = min(PARTITIONS_MAX, max(1, -(-total_bytes // PARTITION_BYTES)))
    return -(-wanted // rounds) * rounds


def _record(path: str) -> Any:
    try:
        return storage.read_json(path)
    except (FileNotFoundError, ValueError):
        return None


def _names(folder: str) -> list[str]:
    fs, inner = storage.filesystem(folder)
    fs.invalidate_cache()
    names = [path.rsplit("/", 1)[-1] for path in fs.find(inner)] if fs.exists(inner) else []
    return sorted(name for name in names if not name.endswith(".tmp"))


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
            with storage.create(storage.join(self._place, name)) as stream:
                stream.write(self._merge(name, b"".join(buffers)))
        except OpenRootsError as error:
            raise carry(error) from error
        yield from ()
