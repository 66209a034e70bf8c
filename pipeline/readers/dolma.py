"""Documents as Dolma and datatrove keep them: JSON lines of `text`, `id` and `metadata`, Dolma's attributes beside.

    ROOT/documents/a/0.jsonl.gz          {"id": …, "text": …, "source": …, "metadata": {"url": …}}
    ROOT/attributes/NAME/a/0.jsonl.gz    {"id": …, "attributes": {"NAME__tagger__measure": [[0, 120, 0.8]]}}

Line n of the one is of the document of line n of the other. Keys of `metadata` count as keys of the document, so that
`columns` may name them; attributes come into its metadata as `attributes`.
"""

import posixpath
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import orjson

from configs.errors import InputError
from pipeline.readers.containers import Member
from pipeline.readers.dolma_layout import ATTRIBUTES, attribute_files
from pipeline.readers.json_lines import read_jsonl
from pipeline.readers.rows import Context, Row
from pipeline.readers.streams import lines, open_file, unpack


def read_datatrove(member: Member, context: Context) -> Iterator[Row]:
    """One document a line, as datatrove's `JsonlWriter` writes them; its `media` are left out."""
    yield from read_jsonl(member, context, lambda record, _: _flat(record))


def read_dolma(member: Member, context: Context) -> Iterator[Row]:
    """One document a line, with what lies of it in files of attributes. What does not fit there is a problem."""
    with ExitStack() as stack:
        found = [_Attributes(path, context.on_problem, stack) for path in attribute_files(member.uri)]

        def adapt(record: dict[str, Any], number: int) -> dict[str, Any]:
            record = _flat(record)
            attributes: dict[str, Any] = {}
            for file in found:
                attributes |= file.of(record.get("id"), number)
            return {**record, ATTRIBUTES: attributes} if attributes else record

        yield from read_jsonl(member, context, adapt)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A document with the keys of its metadata beside its own, which win."""
    metadata = record.get("metadata")
    record = {name: value for name, value in record.items() if name not in ("metadata", "media")}
    return {**metadata, **record} if isinstance(metadata, dict) else record


class _Attributes:
    """A file of attributes, read line by line beside the documents; after its first fault it is left out."""

    def __init__(self, path: str, on_problem: Callable[[InputError], None], stack: ExitStack) -> None:
        self._path, self._on_problem = path, on_problem
        name = posixpath.basename(path)
        stream = stack.enter_context(open_file(path, name))
        self._lines = iter(lines(unpack(stream, name), on_problem, blank=False))
        self._number, self._broken = 0, False

    def of(self, key: Any, number: int) -> dict[str, Any]:
        """Attributes of the document with an id, in line `number`; none where they are not its own."""
        if self._broken:
            return {}
        try:
            line = b""
            while self._number < number:
                self._number, line = next(self._lines)
            record = orjson.loads(line)
            if record["id"] != key:
                raise ValueError(f"they are of another document, {str(record['id'])[:60]!r}")
            return dict(record["attributes"])
        except (InputError, StopIteration, ValueError, KeyError, TypeError) as error:
            cause = "it ends before the documents do" if isinstance(error, StopIteration) else str(error)
            self._on_problem(
                InputError(self._path, f"line {number}: {cause}", "the rest of its attributes are left out")
            )
            self._broken = True
            return {}
