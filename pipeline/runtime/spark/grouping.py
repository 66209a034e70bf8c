"""Group by key as Beam means it: keys are equal where the bytes of their coder are.

Elements travel packed: a shuffled row is the number of a partition, and a list of many (key, element). What a partition
receives is sorted by key, on disk where it is much, so that one key at a time is in memory.
"""

import heapq
import marshal
import os
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import IO, Any, NamedTuple

import xxhash
from apache_beam.coders.coder_impl import create_InputStream
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners import pipeline_context
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer

ROW_BYTES = 1 << 20
"""A shuffled row is about so long."""
HELD_BYTES = 64 << 20
"""What is held back of a partition's output for rows that are not full."""
SORTED_BYTES = 256 << 20
"""What is sorted in memory; more goes to files."""
CHUNK_BYTES = 64 << 10

Keyed = tuple[bytes, bytes]
"""(key, the whole element), both encoded."""


class Grouping(NamedTuple):
    """Coders and windowing of one grouping, by their ids in the pipeline's `components`."""

    components: bytes
    ungrouped: str
    grouped: str
    windowing: str

    def open(self) -> "OpenGrouping":
        """Ready to use in this process."""
        return OpenGrouping(self)


class OpenGrouping:
    """Splits elements by key, and makes of the elements of a key what the grouping gives."""

    def __init__(self, grouping: Grouping) -> None:
        self._ids = grouping

    @cached_property
    def _context(self) -> Any:
        components = beam_runner_api_pb2.Components.FromString(self._ids.components)
        return pipeline_context.PipelineContext(components)

    @cached_property
    def _buffer(self) -> Any:
        context, ids = self._context, self._ids
        return GroupingBuffer(
            context.coders[ids.ungrouped], context.coders[ids.grouped], context.windowing_strategies[ids.windowing]
        )

    def keyed(self, chunks: Iterable[bytes]) -> Iterator[Keyed]:
        """Each element of the chunks with its key."""
        coder = self._context.coders[self._ids.ungrouped]
        decode, encode = coder.get_impl().decode_from_stream, coder.key_coder().get_impl().encode
        for chunk in chunks:
            stream, length = create_InputStream(chunk), len(chunk)
            end = 0
            while end < length:
                key, _ = decode(stream, True).value
                start, end = end, length - stream.size()
                yield encode(key), chunk[start:end]

    def rows(self, chunks: Iterable[bytes], partitions: int) -> Iterator[tuple[int, bytes]]:
        """(partition, elements): which partition, the key alone decides, so that a repeated task gives the same."""
        waiting: dict[int, list[Keyed]] = {}
        sizes: dict[int, int] = {}
        held = 0
        for key, element in self.keyed(chunks):
            place = xxhash.xxh3_64_intdigest(key) % partitions
            waiting.setdefault(place, []).append((key, element))
            size = sizes[place] = sizes.get(place, 0) + len(element)
            held += len(element)
            if size >= ROW_BYTES:
                yield place, marshal.dumps(waiting.pop(place))
                held -= sizes.pop(place)
            elif held >= HELD_BYTES:
                yield from ((place, marshal.dumps(elements)) for place, elements in waiting.items())
                waiting, sizes, held = {}, {}, 0
        yield from ((place, marshal.dumps(elements)) for place, elements in waiting.items())

    def groups(self, rows: Iterable[bytes]) -> Iterator[bytes]:
        """What the grouping gives for the rows of a partition, as chunks of whole elements; sorted by key."""
        size = 0
        for _, elements in groupby(_sorted(rows), itemgetter(0)):
            whole = b"".join(element for _, element in elements)
            self._buffer.append(whole)
            size += len(whole)
            if size >= CHUNK_BYTES:
                yield self._taken()
                size = 0
        if size:
            yield self._taken()

    def group(self, elements: Iterable[bytes]) -> bytes:
        """What the grouping gives for the elements of one key."""
        self._buffer.append(b"".join(elements))
        return self._taken()

    def _taken(self) -> bytes:
        (chunk,) = self._buffer.partition(1)[0]
        del self._buffer
        return bytes(chunk)


def _sorted(rows: Iterable[bytes]) -> Iterator[Keyed]:
    runs: list[Iterator[Keyed]] = []
    elements: list[Keyed] = []
    size = 0
    for row in rows:
        elements += marshal.loads(row)
        size += len(row)
        if size >= SORTED_BYTES:
            elements.sort(key=itemgetter(0))
            runs.append(_read(_spilled(elements)))
            elements, size = [], 0
    elements.sort(key=itemgetter(0))
    return heapq.merge(*runs, elements, key=itemgetter(0)) if runs else iter(elements)


def _spilled(elements: list[Keyed]) -> IO[bytes]:
    folder = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    file = tempfile.TemporaryFile(dir=folder if os.path.isdir(folder) else None)  # noqa: SIM115, PTH112
    for start in range(0, len(elements), 256):
        marshal.dump(elements[start : start + 256], file)
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> Iterator[Keyed]:
    with file:
        while True:
            try:
                yield from marshal.load(file)
            except EOFError:
                return
