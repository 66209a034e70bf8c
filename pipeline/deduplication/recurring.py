"""Which lines recur: counted in each shard, added up by source, kept where seen in enough documents.

Most of what a build shuffles are these counts, hence their own form in `pack_lines`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.deduplication.keys import ShardInput, still_in
from pipeline.deduplication.lines import KnownLines, count_hashes, cut_lines_of, line_hashes
from pipeline.deduplication.minhash import CODE
from pipeline.deduplication.records import DOCUMENT, LINE, Shard, partition_of, read_records, split
from pipeline.deduplication.sieve import Passing
from pipeline.runtime import storage
from pipeline.runtime.phases import Task, TaskFolder
from pipeline.text.columns import distinct_values, filter_batch


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
        with storage.open_stream(shard_input.path, columns=("text", "source")) as reader:
            for batch in reader:
                rows = filter_batch(batch, pa.array(counted[row : row + batch.num_rows]))
                row += batch.num_rows
                names, places = distinct_values(rows["source"])
                for number, source in enumerate(names):
                    texts = rows["text"] if len(names) == 1 else rows["text"].filter(pa.array(places == number))
                    found.setdefault(str(source), []).append(line_hashes(texts, self.characters_min)[0])
        return found


_FRAME = np.dtype([("source", "<u4"), ("lines", "<u4"), ("repeated", "<u4"), ("first", "<u8"), ("width", "u1")])
_REPEATED = np.dtype([("place", "<u4"), ("count", "<u4")])
PACKED_BYTES = 7
"""About what a line takes when it is shuffled."""


def pack_lines(source: int, hashes: np.ndarray, counts: np.ndarray) -> bytes:
    """Distinct lines of a source as they are shuffled: 6 or 7 bytes each, where a record LINE has 16.

    `hashes` (uint64) are sorted; they go as steps from one to the next, in as many bytes as the largest step takes.
    `counts` go only where they are above 1, as seldom they are.
    """
    steps = np.diff(hashes)
    width = (int(steps.max()).bit_length() + 7) // 8 if len(steps) else 0
    repeated = np.flatnonzero(counts > 1)
    more = np.empty(len(repeated), _REPEATED)
    more["place"], more["count"] = repeated, counts[repeated]
    frame = np.array([(source, len(hashes), len(repeated), hashes[0], width)], _FRAME)
    few = steps.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width]
    return frame.tobytes() + few.tobytes() + more.tobytes()


def unpack_lines(buffer: bytes) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Source, hashes (uint64) and counts (int64) of all that was packed, one behind the other, in `buffer`."""
    at = 0
    while at < len(buffer):
        frame = np.frombuffer(buffer, _FRAME, 1, at)[0]
        lines, width = int(frame["lines"]), int(frame["width"])
        at += _FRAME.itemsize
        steps = np.zeros((lines, 8), np.uint8)
        steps[1:, :width] = np.frombuffer(buffer, np.uint8, (lines - 1) * width, at).reshape(lines - 1, width)
        at += (lines - 1) * width
        hashes = steps.view("<u8")[:, 0]
        hashes[0] = frame["first"]
        more = np.frombuffer(buffer, _REPEATED, int(frame["repeated"]), at)
        at += more.nbytes
        counts = np.ones(lines, np.int64)
        counts[more["place"]] = more["count"]
        yield int(frame["source"]), np.cumsum(hashes, dtype=np.uint64), counts


@dataclass(frozen=True)
class ReadLines:
    """The counted lines of a shard (`sieve.Keys`): its payload is a file of lines and the sources that it numbers.

    numbers        the corpus's numbers of sources
    documents_min  a line counts as often as this at most
    """

    numbers: Mapping[str, int]
    documents_min: int

    def load(self, payload: tuple[str, Sequence[str]]) -> tuple[np.ndarray, Sequence[str]]:
        """Records LINE, and sources."""
        path, sources = payload
        return read_records(path, LINE), sources

    def hashes(self, loaded: tuple[np.ndarray, Sequence[str]]) -> np.ndarray:
        """Lines, whatever their source, each as often as it was counted."""
        records, _ = loaded
        found: np.ndarray = np.repeat(records["hash"], np.minimum(records["count"], self.documents_min))
        return found

    def records(
        self, loaded: tuple[np.ndarray, Sequence[str]], partitions: int, chosen: range, passing: Passing
    ) -> Iterator[tuple[int, bytes]]:
        """Lines, packed, by partition of their hash."""
        records, sources = loaded
        if passing.fingerprints is not None:
            records = records[passing(records["hash"])]
        for number, lines in split(records, records["source"].astype(np.int64)):
            where = partition_of(lines["hash"], partitions)  # sorted, as hashes are
            start, stop = np.searchsorted(where, [chosen.start, chosen.stop])
            for partition, mine in split(lines[start:stop], where[start:stop]):
                yield partition, pack_lines(self.numbers[sources[number]], mine["hash"], mine["count"])


@dataclass(frozen=True)
class FindRecurring:
    """Adds up counts and keeps the lines that stand in `documents_min` documents of a source or more."""

    documents_min: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Hashes (uint64) by source."""
        found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        for source, hashes, counts in unpack_lines(buffer):
            found.setdefault(source, []).append((hashes, counts))
        for source, parts in sorted(found.items()):
            hashes, counts = count_hashes(*(np.concatenate(column) for column in zip(*parts, strict=True)))
            recurring = hashes[counts >= self.documents_min]
            if len(recurring):
                yield f"source-{source:05d}", recurring.astype("<u8").tobytes()


def sort_hashes(_: str, buffer: bytes) -> bytes:
    """Hashes, sorted."""
    return np.sort(np.frombuffer(buffer, "<u8")).tobytes()


class RecurringLines:
    """The recurring lines of sources, from files of their sorted hashes, each read when it is first asked for."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files, self._known = files, dict[str, KnownLines]()

    def cut(
        self, texts: pa.LargeStringArray, sources: pa.Array, but_not: np.ndarray | None = None
    ) -> pa.LargeStringArray:
        """Texts without their sources' recurring lines; those of the rows `but_not`, bool (n,), as they are.

        Where nothing is cut, the same array.
        """
        names, places = distinct_values(sources)
        for number, source in enumerate(names):
            if source in self._files:
                mine = places == number
                if but_not is not None:
                    mine &= ~but_not
                if mine.any():
                    texts = cut_lines_of(texts, pa.array(mine), self._lines(str(source)))
        return texts

    def _lines(self, source: str) -> KnownLines:
        if source not in self._known:
            self._known[source] = KnownLines.of(read_records(self._files[source], np.dtype("<u8")))
        return self._known[source]
