"""Parts of a large file, each of which is read by itself and gives the documents, keys and line numbers it has in the
whole.

Where a file is cut follows from the file alone (`pipeline.readers.split`), so what is written does not depend on how
many parts a task reads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from pipeline.readers.compression import HEAD_BYTES, decompress
from pipeline.readers.streams import Stream, limited, open_file

PART_BYTES = 64 << 20
"""Bytes of a part, unpacked; a larger file is cut where its format allows it."""

TO_END = -1


class Part(NamedTuple):
    """A piece of a file. Of a table `start` and `length` count row groups or record batches.

    kind    what it is cut from: bytes as they are stored, compressed members, a tar archive, or a table
    start   place in the file as it is stored where its first line, or the compressed member that holds it, begins
    skip    unpacked bytes of that member before the first line
    length  unpacked bytes; TO_END for the last part, which also meets whatever is wrong with the end of the file
    before  lines, records or rows of the file before it
    """

    kind: Literal["bytes", "members", "tar", "table"]
    start: int = 0
    skip: int = 0
    length: int = TO_END
    before: int = 0

    @property
    def is_first(self) -> bool:
        """Whether the file begins with it."""
        return self.start == 0 and self.skip == 0


@contextmanager
def open_part(path: str, name: str, part: Part | None) -> Iterator[Stream]:
    """Open a part as a stream of its bytes, unpacked; only its own are asked for. Raises InputError.

    A part of a table is found by its reader: the stream is the whole file, as it is without a part.
    """
    if part is None or part.kind == "table":
        with open_file(path, name) as file:
            yield file
        return
    with open_file(path, name, part.start) as file:
        read_some = decompress(file, file.peek(HEAD_BYTES), "") if part.kind == "members" else None
        stream = Stream(read_some, name, compressed=file) if read_some else file
        stream.skip(part.skip)
        if part.length != TO_END:
            stream = limited(stream, part.length, name, "it is shorter than it was")
            stream.is_part = True
        yield stream
