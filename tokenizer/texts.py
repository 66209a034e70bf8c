"""Text from any file that the pipeline reads, for training, encoding or measuring without building a corpus."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from configs.errors import InputError, NoTextError
from configs.load import load_languages
from configs.models import Package, Source
from pipeline.readers import read_unit
from pipeline.readers.containers import is_archive
from pipeline.readers.encodings import utf8
from pipeline.readers.streams import input_errors, open_file, unpack
from pipeline.readers.units import Unit, reader_by_name
from pipeline.runtime import storage
from pipeline.runtime.shards import open_shard
from pipeline.text.columns import binary_ids
from tokenizer.settings import Documents

_ROWS, _BYTES = 1000, 8 << 20


@dataclass(frozen=True)
class TextFile:
    """A file of text.

    path       its name tells the format: JSON lines or a JSON array, Parquet, Arrow, CSV, TSV, HTML and others of
               `pipeline.readers`, compressed or not; tables have a column `text`. Any other name is plain text
    digest     stands for its content; without one the file system's mark of this version of the file does
    documents  of plain text: a line a document, or the file
    """

    path: str
    language: str = "und"
    digest: str | None = None
    documents: Documents = "line"
    is_shard: bool = False  # of a built corpus


@dataclass
class Skipped:
    """What a file held that is no document: how many rows have no text, how many cannot be read, the first of these."""

    empty: int = 0
    unreadable: int = 0
    first: str = ""
    _error: InputError | None = field(default=None, repr=False, compare=False)

    def __call__(self, problem: InputError) -> None:
        """Count a problem of a reader."""
        if isinstance(problem, NoTextError) or "is null" in problem.cause:
            self.empty += problem.documents
            return
        self.unreadable += problem.documents
        if self._error is None:
            self._error, self.first = problem, str(problem)

    def as_dict(self) -> dict[str, Any]:
        """For a record; empty where nothing was skipped."""
        values = {"empty": self.empty, "unreadable": self.unreadable, "first": self.first}
        return {"skipped": values} if self.empty or self.unreadable else {}

    @classmethod
    def total(cls, records: Iterable[Mapping[str, Any]]) -> "Skipped":
        """The sum of what `as_dict` left in records."""
        total = cls()
        for values in (record["skipped"] for record in records if "skipped" in record):
            total.empty += values["empty"]
            total.unreadable += values["unreadable"]
            total.first = total.first or values["first"]
        return total

    def __str__(self) -> str:
        """What to tell the user; empty where nothing was skipped."""
        parts = []
        if self.empty:
            parts.append(f"{self.empty:,} without text")
        if self.unreadable:
            parts.append(f"{self.unreadable:,} that cannot be read, the first: {self.first}")
        return f"skipped      {'; '.join(parts)}" if parts else ""

    def check(self, documents: int) -> None:
        """Raise the first problem of a file of which no document could be read."""
        if not documents and self._error is not None:
            raise self._error


def read_texts(file: TextFile, skipped: Skipped | None = None) -> Iterator[pa.LargeStringArray]:
    """Texts of a file, batch by batch, without nulls. What is skipped is counted.

    Raises InputError where the file cannot be opened, or nothing in it can be read.
    """
    if file.is_shard:
        for _, texts in read_shard(file.path):
            yield texts
        return
    skipped = Skipped() if skipped is None else skipped
    for _, texts in read_numbered(file, skipped):
        yield texts


def read_shard(path: str) -> Iterator[tuple[pa.Array | None, pa.LargeStringArray]]:
    """Batches of (ids, texts) of a corpus's shard, ids `fixed_size_binary[16]`; None without any. Raises InputError."""
    try:
        with open_shard(path) as batches:
            for batch in batches:
                ids = binary_ids(batch["id"]) if "id" in batch.schema.names else None
                yield ids, batch["text"].cast(pa.large_string())
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        raise InputError(path, f"cannot be read ({error})", "Build the corpus again") from error


def read_blocks(file: TextFile, skipped: Skipped) -> Iterator[pa.LargeStringArray]:
    """As `read_texts`, but a file of plain text comes in blocks that end where a line does. Raises InputError."""
    name = posixpath.basename(storage.filesystem(file.path)[1])
    if file.is_shard or file.documents == "line" or reader_by_name(name) not in (None, "text") or is_archive(name):
        yield from read_texts(file, skipped)
        return
    with open_file(file.path, name) as stream:
        text = utf8(unpack(stream, name), "utf-8")
        rest = b""
        with input_errors(file.path):
            while block := text.read(_BYTES):
                whole, end, behind = (rest + block).rpartition(b"\n")
                rest = behind
                if end:
                    yield _decoded(whole + end, file.path)
        if rest:
            yield _decoded(rest, file.path)


def _decoded(block: bytes, path: str) -> pa.LargeStringArray:
    try:
        return pa.array([block], pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise InputError(path, "cannot be read as text: it is not UTF-8", "Give it in UTF-8") from error


def read_numbered(file: TextFile, skipped: Skipped) -> Iterator[tuple[Sequence[str], pa.LargeStringArray]]:
    """Batches of (keys, texts) of a file: a key ends in `#` and the number of the line or row."""
    fs, inner = storage.filesystem(file.path)
    name = posixpath.basename(inner)
    if is_archive(name):
        raise InputError(file.path, "is an archive", "Unpack it, or build a corpus from it with a recipe")
    reader = reader_by_name(name) or "text"
    source = Source(
        id="files",
        title=name,
        packages=(Package(name=file.path, include=("*",)),),
        reader=reader,  # type: ignore[arg-type]
        documents=file.documents if reader == "text" else "file",
        licence="NOASSERTION",
        custodian="the user",
        provenance=name,
    )
    unit = Unit(source.id, file.path, 0, int(fs.size(inner) or 0) if fs.exists(inner) else 0, name)
    count = 0
    batches = read_unit(unit, source, load_languages(), batch_documents=_ROWS, batch_bytes=_BYTES, on_problem=skipped)
    for batch in batches:
        count += batch.num_rows
        yield batch["key"].to_pylist(), batch["text"]
    skipped.check(count)
