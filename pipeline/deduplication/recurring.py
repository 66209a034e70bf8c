"""Which lines recur: counted in each shard, added up by source, kept where seen in enough documents.

These counts are most of what a build shuffles, so `pack_lines` gives them a form of their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pipeline.deduplication.keys import ShardInput, still_in
from pipeline.deduplication.lines import KnownLines, count_hashes, cut_lines_of, line_hashes
from pipeline.deduplication.minhash import CODE
from pipeline.deduplication.packing import pack_sorted, unpack_sorted
from pipeline.deduplication.records import DOCUMENT, LINE, Shard, Span, read_records, read_span, split
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
        parts, distinct = [], {}
        for number, source in enumerate(sources):
            hashes, counts = count_hashes(np.concatenate(found[source]))
            records = np.zeros(len(hashes), LINE)
            records["source"], records["hash"], records["count"] = number, hashes, counts
            parts.append(records)
            distinct[source] = len(records)
        lines = np.concatenate(parts) if parts else np.zeros(0, LINE)
        with folder.binary(".lines", len(lines)) as stream:
            stream.write(lines.tobytes())
        folder.data["sources"] = sources
        folder.data["lines"] = distinct

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


_FRAME = np.dtype([("source", "<u4"), ("lines", "<u4"), ("repeated", "<u4")])
_REPEATED = np.dtype([("place", "<u4"), ("count", "<u4")])
PACKED_BYTES = 7
"""A line takes no more when it is shuffled, where there are many."""


def pack_lines(source: int, hashes: np.ndarray, counts: np.ndarray) -> bytes:
    """Distinct lines of a source as they are shuffled: 5 or 6 bytes each, where a record LINE has 16.

    `hashes` (uint64) are sorted. `counts` are sent only if above 1, which is rare.
    """
    repeated = np.flatnonzero(counts > 1)
    more = np.empty(len(repeated), _REPEATED)
    more["place"], more["count"] = repeated, counts[repeated]
    frame = np.array([(source, len(hashes), len(repeated))], _FRAME)
    return frame.tobytes() + pack_sorted(hashes) + more.tobytes()


def unpack_lines(buffer: bytes) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Source, hashes (uint64) and counts (int64) of all that was packed, one behind the other, in `buffer`."""
    at = 0
    while at < len(buffer):
        frame = np.frombuffer(buffer, _FRAME, 1, at)[0]
        hashes, at = unpack_sorted(buffer, int(frame["lines"]), at + _FRAME.itemsize)
        more = np.frombuffer(buffer, _REPEATED, int(frame["repeated"]), at)
        at += more.nbytes
        counts = np.ones(len(hashes), np.int64)
        counts[more["place"]] = more["count"]
        yield int(frame["source"]), hashes, counts


@dataclass(frozen=True)
class ReadLines:
    """The counted lines of a shard (`sieve.Keys`): its payload is a file and how many lines it has of each source.

    numbers        the corpus's numbers of sources
    documents_min  a line counts as often as this at most
    """

    numbers: Mapping[str, int]
    documents_min: int

    field: ClassVar[str] = "hash"

    def load(self, payload: tuple[str, Mapping[str, int]], span: Span) -> np.ndarray:
        """Records LINE, with the corpus's numbers of sources."""
        path, lines = payload
        parts, start = [np.zeros(0, LINE)], 0
        for source, count in lines.items():
            part = np.array(read_span(path, LINE, range(start, start + count), span))
            part["source"] = self.numbers[source]
            parts.append(part)
            start += count
        return np.concatenate(parts)

    def hashes(self, loaded: np.ndarray) -> np.ndarray:
        """Lines, whatever their source, each as often as it was counted."""
        found: np.ndarray = np.repeat(loaded["hash"], np.minimum(loaded["count"], self.documents_min))
        return found

    def records(self, loaded: np.ndarray, passing: Passing) -> np.ndarray:
        """Records LINE."""
        return loaded[passing(loaded["hash"])]

    def pack(self, records: np.ndarray) -> bytes:
        """Source by source, each line with what all shards of the group counted."""
        parts = split(records, records["source"].astype(np.int64))
        return b"".join(pack_lines(number, *count_hashes(part["hash"], part["count"])) for number, part in parts)


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


def sort_hashes(name: str, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """Hashes, sorted."""
    yield name, np.sort(np.frombuffer(buffer, "<u8")).tobytes()


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
