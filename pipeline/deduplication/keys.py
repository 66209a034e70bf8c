"""Duplicate ids and exact duplicates: hash every document once, group equal keys, keep the best of each group."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.deduplication.characters import is_unspaced
from pipeline.deduplication.exact import exact_hashes
from pipeline.deduplication.minhash import CHARACTERS, CODE, WORDS
from pipeline.deduplication.packing import pack_records, unpack_records
from pipeline.deduplication.records import (
    DOCUMENT,
    EDGE,
    LOSER,
    RANKED,
    Shard,
    Span,
    best_first,
    distinct,
    id_numbers,
    nodes,
    read_all,
    read_records,
    rows_of,
    shards_of,
    split,
)
from pipeline.deduplication.sieve import Passing
from pipeline.runtime import storage
from pipeline.runtime.phases import Task, TaskFolder
from pipeline.text.columns import distinct_values, text_buffers


@dataclass(frozen=True)
class ShardInput:
    """A shard of documents to deduplicate.

    name       unique among the shards; names the files made of it
    path       Arrow IPC stream with columns `id` (binary(16)), `text` (large_string), `source` and `language`
               (string or dictionary); text is NFC
    decisions  Arrow IPC stream with a column `reason`, null where the document survives so far; "" if all do
    digest     changes when either file does
    size       bytes to read, about
    """

    name: str
    path: str
    decisions: str
    digest: str
    size: int = 0


@dataclass(frozen=True)
class DeduplicationContext:
    """What deduplication must know of sources and languages.

    priorities  source → priority, of near-duplicates the lowest number is kept; sources not named have 100
    unspaced    languages written without spaces between words: shingles of characters, as for every document that is
                mostly in such a script, whatever its language is said to be
    code        programming languages: shingles of tokens, no line is cut
    """

    priorities: Mapping[str, int] = field(default_factory=dict)
    unspaced: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()

    def modes(self, languages: pa.Array, texts: pa.LargeStringArray) -> np.ndarray:
        """How documents are cut into tokens, uint8 (n,), by language and by the script of the text."""
        names, places = distinct_values(languages)
        by_language = [CODE if name in self.code else CHARACTERS if name in self.unspaced else WORDS for name in names]
        modes = np.array(by_language, np.uint8)[places]
        modes[(modes == WORDS) & is_unspaced(texts)] = CHARACTERS
        return modes

    def rank(self, source: str | None) -> int:
        """Rank of a source: 1 + priority; 0 is for documents of finished builds."""
        return 1 + self.priorities.get(source or "", 100)

    def as_dict(self) -> dict[str, Any]:
        """For digests."""
        return {"unspaced": sorted(self.unspaced), "code": sorted(self.code), "priorities": dict(self.priorities)}


@dataclass
class HashDocuments:
    """The task that reads a shard once and writes its documents' keys (records DOCUMENT)."""

    context: DeduplicationContext

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.documents`; leave their number and how many are alive."""
        shard: ShardInput = task.payload
        parts = []
        row = 0
        alive = survivors(shard.decisions)
        sources: dict[str, int] = {}
        with storage.open_stream(shard.path, columns=("id", "text", "source", "language")) as reader:
            for batch in reader:
                mask = np.ones(batch.num_rows, bool) if alive is None else alive[row : row + batch.num_rows]
                parts.append(self._documents(batch, mask, sources))
                row += batch.num_rows
        records = np.concatenate(parts) if parts else np.zeros(0, DOCUMENT)
        with folder.binary(".documents", len(records)) as stream:
            stream.write(records.tobytes())
        folder.data["count"] = len(records)
        folder.data["alive"] = int(records["alive"].sum())
        folder.data["sources"] = list(sources)

    def _documents(self, batch: pa.RecordBatch, alive: np.ndarray, sources: dict[str, int]) -> np.ndarray:
        records = np.zeros(batch.num_rows, DOCUMENT)
        records["alive"] = alive
        records["mode"] = self.context.modes(batch["language"], batch["text"])
        names, places = distinct_values(batch["source"])
        records["priority"] = np.array([self.context.rank(name) for name in names], np.uint32)[places]
        numbers = [sources.setdefault(str(name), len(sources)) for name in names]
        records["source"] = np.array(numbers, np.uint32)[places]
        records["length"] = np.diff(text_buffers(batch["text"])[0])
        records["id_high"], records["id_low"] = id_numbers(batch["id"])
        if alive.any():
            texts = batch["text"] if alive.all() else batch["text"].filter(pa.array(alive))
            keys = exact_hashes(texts, records["mode"][alive] == CODE, is_nfc=True)
            records["exact_high"][alive], records["exact_low"][alive] = keys[:, 0], keys[:, 1]
        return records


def survivors(decisions: str) -> np.ndarray | None:
    """Which rows of a shard survive so far, bool; None where all do."""
    if not decisions:
        return None
    with storage.open_stream(decisions) as reader:
        parts = [pc.is_null(batch["reason"]).to_numpy(zero_copy_only=False) for batch in reader]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def still_in(shard: Shard, losers: tuple[str, ...]) -> np.ndarray:
    """Which rows of a shard are alive and among no losers (files of records EDGE), bool."""
    alive = read_records(shard.documents, DOCUMENT)["alive"].astype(bool)
    alive[rows_of(read_all(losers, EDGE)["left"])] = False
    return alive


_UNSENT_BITS = np.uint64(32)
"""Of a key of 128 bits: 96 tell ids and texts apart."""
_UNSENT_ID_BITS = np.uint64(16)
"""Of the upper half of an id: 48 bits tell which of two documents with equal texts has the smaller one."""


@dataclass(frozen=True)
class ReadKeys:
    """The keys of a shard's documents (`sieve.Keys`): its payload is the shard and the files of its losers so far."""

    key: str  # `id` or `exact`
    field: ClassVar[str] = "key_high"

    def load(self, payload: tuple[Shard, tuple[str, ...]], _: Span) -> tuple[int, np.ndarray, np.ndarray]:
        """Position of the shard, its documents, and the rows that are still in."""
        shard, losers = payload
        return shard.position, read_records(shard.documents, DOCUMENT), np.flatnonzero(still_in(shard, losers))

    def hashes(self, loaded: tuple[int, np.ndarray, np.ndarray]) -> np.ndarray:
        """The upper halves of keys."""
        _, documents, rows = loaded
        found: np.ndarray = documents[f"{self.key}_high"][rows]
        return found

    def records(self, loaded: tuple[int, np.ndarray, np.ndarray], passing: Passing) -> np.ndarray:
        """Records RANKED."""
        position, documents, rows = loaded
        rows = rows[passing(self.hashes(loaded))]
        records = ranked(documents[rows], nodes(position, rows))
        records["key_high"] = documents[f"{self.key}_high"][rows]
        records["key_low"] = documents[f"{self.key}_low"][rows]
        records["key_low"] >>= _UNSENT_BITS
        if self.key == "id":
            records["id_low"] >>= _UNSENT_BITS  # is sent as the key
        else:
            records["id_high"] >>= _UNSENT_ID_BITS
            records["id_low"] = 0
        return records

    def pack(self, records: np.ndarray) -> bytes:
        """See `packing`."""
        return pack_records(records)


def ranked(documents: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Records RANKED, keys still 0, of documents and their numbers."""
    records = np.zeros(len(documents), RANKED)
    for name in ("priority", "length", "id_high", "id_low"):
        records[name] = documents[name]
    records["node"] = numbers
    return records


def find_losers(_: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """Of documents with equal keys, all but the best, by bundle of shards: records EDGE (loser, winner), packed."""
    records = best_first(unpack_records(buffer, RANKED), "key_high", "key_low")
    same = (np.diff(records["key_high"]) == 0) & (np.diff(records["key_low"]) == 0)
    is_loser = np.r_[False, same]
    winner = np.maximum.accumulate(np.where(is_loser, 0, np.arange(len(records))))
    losers = np.zeros(int(is_loser.sum()), EDGE)
    losers["left"] = records["node"][is_loser]
    losers["right"] = records["node"][winner[is_loser]]
    for bundle, part in by_bundle(losers, losers["left"]):
        yield bundle, pack_losers(part)


def pack_losers(losers: np.ndarray) -> bytes:
    """Records EDGE, n ≥ 1, of a bundle as they are shuffled: in 7 to 8 bytes, where a partition has many."""
    records = np.empty(len(losers), LOSER)
    records["row"], records["shard"] = rows_of(losers["left"]), losers["left"] >> np.uint64(32)
    records["winner"] = losers["right"]
    return pack_records(records)


def losers_by_shard(_: str, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """By shard, its distinct records EDGE, sorted."""
    records = unpack_records(buffer, LOSER)
    losers = np.empty(len(records), EDGE)
    losers["left"] = nodes(records["shard"].astype(np.uint64), records["row"])
    losers["right"] = records["winner"]
    losers = distinct(losers)
    for position, mine in shards_of(losers["left"]):
        yield shard_file(position), losers[mine].tobytes()


BUNDLES_MAX = 512
"""Bundles of shards, at most: among 10¹¹ documents, one has 20 million of those that are dropped, 0.3 GB."""


def by_bundle(records: np.ndarray, numbers: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Records by bundle of shards, from the numbers of their documents; names of bundles.

    Neighbouring shards, which resemble each other, are in different bundles.
    """
    bundles = ((numbers >> np.uint64(32)) % np.uint64(BUNDLES_MAX)).astype(np.int64)
    for bundle, part in split(records, bundles):
        yield f"bundle-{bundle:03d}", part


def shard_file(position: int) -> str:
    """Name of the file that an exchange writes for a shard."""
    return f"shard-{position:06d}"


def sort_edges(name: str, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """Distinct records EDGE, sorted."""
    yield name, distinct(np.frombuffer(buffer, EDGE)).tobytes()
