"""Which lines recur: counted in each shard, added up by source, kept where seen in enough documents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.deduplication.keys import ShardInput, still_in
from pipeline.deduplication.lines import count_hashes, cut_lines, line_hashes
from pipeline.deduplication.minhash import CODE
from pipeline.deduplication.records import DOCUMENT, LINE, Shard, partition_of, read_records, split
from pipeline.runtime import storage
from pipeline.runtime.phases import Task, TaskFolder
from pipeline.text.columns import decode


@dataclass
class CountLines:
    """The task that counts in how many documents of a shard each line stands, by source. Code is left out."""

    characters_min: int

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.lines` (records LINE, sources numbered as in the record's `sources`)."""
        shard_input, shard, losers = task.payload
        found = self._hashes(shard_input, shard, losers)
        sources = sorted(found)
        parts = []
        for number, source in enumerate(sources):
            hashes, counts = count_hashes(np.concatenate(found[source]))
            records = np.zeros(len(hashes), LINE)
            records["source"], records["hash"], records["count"] = number, hashes, counts
            parts.append(records)
        lines = np.concatenate(parts) if parts else np.zeros(0, LINE)
        with folder.binary(".lines", len(lines)) as stream:
            stream.write(lines.tobytes())
        folder.data["sources"] = sources

    def _hashes(self, shard_input: ShardInput, shard: Shard, losers: tuple[str, ...]) -> dict[str, list[np.ndarray]]:
        counted = still_in(shard, losers) & (read_records(shard.documents, DOCUMENT)["mode"] != CODE)
        found: dict[str, list[np.ndarray]] = {}
        row = 0
        with storage.open_stream(shard_input.path) as reader:
            for batch in reader:
                rows = batch.select(["text", "source"]).filter(pa.array(counted[row : row + batch.num_rows]))
                row += batch.num_rows
                names = decode(rows["source"])
                for source in pc.unique(names).to_pylist():
                    texts = rows["text"].filter(pc.equal(names, source))
                    found.setdefault(source, []).append(line_hashes(texts, self.characters_min)[0])
        return found


@dataclass(frozen=True)
class ReadLines:
    """Gives the counted lines of a shard; `numbers` are the corpus's numbers of sources."""

    numbers: Mapping[str, int]

    def __call__(
        self, payload: tuple[str, Sequence[str]], partitions: int, chosen: range
    ) -> Iterator[tuple[int, bytes]]:
        """Records LINE by partition of their hash; the payload is a file of lines and the sources it numbers."""
        path, sources = payload
        lines = read_records(path, LINE)
        where = partition_of(lines["hash"], partitions)
        mine = (where >= chosen.start) & (where < chosen.stop)
        lines, where = np.array(lines[mine]), where[mine]
        numbers = np.array([self.numbers[source] for source in sources], np.uint32)
        lines["source"] = numbers[lines["source"]] if len(lines) else 0
        for partition, part in split(lines, where):
            yield partition, part.tobytes()


@dataclass(frozen=True)
class FindRecurring:
    """Adds up counts and keeps the lines that stand in `documents_min` documents of a source or more."""

    documents_min: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Hashes (uint64) by source."""
        lines = np.frombuffer(buffer, LINE)
        for source, part in split(lines, lines["source"].astype(np.int64)):
            hashes, counts = count_hashes(part["hash"], part["count"])
            recurring = hashes[counts >= self.documents_min]
            if len(recurring):
                yield f"source-{source:05d}", recurring.astype("<u8").tobytes()


def sort_hashes(_: str, buffer: bytes) -> bytes:
    """Hashes, sorted."""
    return np.sort(np.frombuffer(buffer, "<u8")).tobytes()


def cut_recurring(
    texts: pa.LargeStringArray, sources: pa.StringArray, recurring: Mapping[str, str]
) -> pa.LargeStringArray:
    """Texts without their sources' recurring lines. `recurring`: source → file of the sorted hashes of its lines."""
    for source in pc.unique(sources).to_pylist():
        if source in recurring:
            mine = pc.equal(sources, source)
            lines = np.frombuffer(storage.read_bytes(recurring[source]), "<u8")
            texts = pc.replace_with_mask(texts, mine, cut_lines(texts.filter(mine), lines))
    return texts
