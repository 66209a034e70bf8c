"""From documents to batches of `pipeline.text.schema.RAW`."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import xxhash

from configs.errors import InputError
from configs.models import Languages, Source
from governance.consent import Consent
from pipeline.readers import streams
from pipeline.readers.streams import too_large
from pipeline.text.schema import RAW

KEYS_HELD_MAX = 2_000_000
"""Own keys of one file that are compared (200 MB); a later row that repeats one is dropped as `duplicate_id`."""


class Row(NamedTuple):
    """A document as a format reader gives it. `key` is its own in its file, in place of `suffix`; None: not said."""

    text: str
    suffix: str = ""
    key: str | None = None
    language: str | None = None
    licence: str | None = None
    uri: str | None = None
    metadata: str = "{}"


@dataclass(frozen=True)
class Context:
    """What a format reader needs to know beside the bytes."""

    source: Source
    languages: Languages
    on_problem: Callable[[InputError], None]
    batch_documents: int
    licences: bool = False
    """Whether the files around each file are asked for its licence."""
    consent: Consent | None = None
    """What sites say of the use of their pages; None: nobody is asked."""


@dataclass(frozen=True)
class Origin:
    """What all documents of a file have in common: key and URI, and language and licence where a row says none.

    `nearby` is what lies around the file and tells of its licence (`governance.licence_detection.pack`).
    """

    key: str
    uri: str
    language: str | None
    licence: str | None
    nearby: str | None = None


_Raw = tuple[str, str, str | None, str | None, str, str, str | None]


class Batcher:
    """Gathers rows into batches of at most `documents` rows and about `size` bytes of text."""

    def __init__(self, documents: int, size: int, on_problem: Callable[[InputError], None]) -> None:
        self._documents, self._size, self._on_problem = documents, size, on_problem
        self._rows: list[_Raw] = []
        self._bytes = 0
        self._origin: Origin | None = None
        self._seen: dict[int, int] = {}  # hashes of the own keys of this file's rows, and how often they came

    def add(self, row: Row, origin: Origin) -> pa.RecordBatch | None:
        """Take a document; returns a batch when one is full. Text that is no Unicode, or too large, is a problem.

        U+0000 is taken out of text: it means nothing in prose, and many consumers cut strings there.
        """
        text, suffix, key, language, licence, uri, metadata = row
        length = len(text) + len(metadata) + (len(uri) if uri else 0) + (len(key) if key else 0)
        if length * 4 > streams.DOCUMENT_BYTES_MAX and any(map(_is_too_large, (text, metadata, uri or "", key or ""))):
            self._on_problem(too_large(origin.uri + suffix))
            return None
        size = len(metadata) + (len(text) if text.isascii() else len(text) * 2)  # about its bytes
        if "\0" in text:
            text = text.replace("\0", "")
        batch = self.flush() if self._rows and self._bytes + size > self._size else None
        self._rows.append(
            (
                self._own_key(key, origin) if key else origin.key + suffix,
                text,
                language or origin.language,
                licence or origin.licence,
                uri or origin.uri,
                metadata,
                None if licence else origin.nearby,  # a row that names its licence knows better than a folder
            )
        )
        self._bytes += size
        return batch or (self.flush() if len(self._rows) >= self._documents else None)

    def _own_key(self, key: str, origin: Origin) -> str:
        """A row's own key within its file; the second row with the same one is numbered, so that both are kept.

        Whatever lies in other files, and in whichever order they come, a document has the same key.
        """
        if origin is not self._origin:
            self._origin, self._seen = origin, {}
        hashed = xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"))
        count = self._seen.get(hashed, 0) + 1
        if count > 1 or len(self._seen) < KEYS_HELD_MAX:
            self._seen[hashed] = count
        key = key.replace("\0", "\0\0")  # a number behind one zero is ours
        return f"{origin.key}#{key}" + (f"\0{count}" if count > 1 else "")

    def flush(self) -> pa.RecordBatch | None:
        """The rows gathered so far as a batch; None if there are none."""
        rows, self._rows, self._bytes = self._rows, [], 0
        try:
            return _batch(rows)
        except UnicodeEncodeError:
            return _batch([_with_names_spelt(row) for row in rows if self._is_unicode(row)])

    def _is_unicode(self, row: _Raw) -> bool:
        """Whether the text is; if not, that is a problem."""
        try:
            row[1].encode()
        except UnicodeEncodeError:
            cause = "text that is not Unicode (a lone surrogate, or bytes that are not in the encoding)"
            shown = str(row[0]).encode("utf-8", "replace").decode()
            self._on_problem(InputError(shown, cause, "the document is skipped; repair it"))
            return False
        return True


def _with_names_spelt(row: _Raw) -> _Raw:
    """A row whose key, address and names are Unicode: what of them is none is spelled out, as `\\udce9`."""
    key, text, language, licence, uri, metadata, nearby = row
    return (
        _spelt(key),
        text,
        language and _spelt(language),
        licence and _spelt(licence),
        _spelt(uri),
        metadata,
        nearby,
    )


def _spelt(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()


def _is_too_large(text: str) -> bool:
    """Whether a text has more than DOCUMENT_BYTES_MAX bytes in UTF-8."""
    limit = streams.DOCUMENT_BYTES_MAX
    if len(text) * 4 <= limit:
        return False
    return len(text) > limit or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > limit)


def _batch(rows: list[_Raw]) -> pa.RecordBatch | None:
    if not rows:
        return None
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, RAW, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=RAW)


def metadata_json(values: dict[str, Any]) -> str:
    """Metadata as JSON with sorted keys; what JSON lacks (dates, bytes, NaN, lone surrogates) as text."""
    if not values:
        return "{}"
    try:
        text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str, allow_nan=False)
    except (ValueError, TypeError):
        text = json.dumps(_plain(values), ensure_ascii=False, sort_keys=True, default=str)
    return text if text.isascii() or not _SURROGATE.search(text) else _SURROGATE.sub("\ufffd", text)


def _plain(value: Any) -> Any:
    """A value with text for fractions that are no numbers, and for keys."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


_SURROGATE = re.compile("[\ud800-\udfff]")


def join_messages(messages: Iterator[str], size: int) -> Iterator[Row]:
    """Short messages as documents of up to `size` bytes, one message a line, numbered in their suffix."""
    held: list[str] = []
    total = number = 0
    for message in messages:
        length = len(message.encode("utf-8", "replace")) + 1
        if held and total + length > size:
            yield Row("\n".join(held), f"#{number}")
            held, total, number = [], 0, number + 1
        held.append(message)
        total += length
    if held:
        yield Row("\n".join(held), f"#{number}")
