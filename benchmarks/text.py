"""Real multilingual text for the benchmarks, from what a build of the recipe `sample` has ingested.

Documents of natural languages are cut or joined, by source and language, to 2–4 kB. Large languages are cut back so
that the many small ones count; the order is a hash of the id, so that any part is a fair sample of the whole.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from benchmarks import ROOT, Settings
from benchmarks.end_to_end import build_sample, manifest
from configs.load import load_languages
from pipeline.text.columns import constant_column, decode, encode
from pipeline.text.schema import DOCUMENT

SMALLEST, LARGEST = 2000, 4000
"""Bytes a document; the last piece of a source's text in a language may be shorter and is left out."""

CODE_SHARE = 0.35
"""Of the bytes that enter a build of `sample`, those of programming languages."""
CODE_LARGEST = 64_000

BATCH = 1000

RECIPE = """
name = "{name}"
title = "{title}"
sources = ["{name}"]

[source.{name}]
title = "{title}"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "benchmarks/{name}.py"
provenance = "made by benchmarks/{name}.py"
columns = {{ id = "id", text = "text", language = "language" }}
packages = [{{ name = "{folder}/*.jsonl" }}]
"""
"""Reads the JSON lines that a part of the benchmarks has written to a folder."""

Row = tuple[bytes, str, str, str, str]
"""Id, language, source, licence, text."""


def real_text(settings: Settings) -> list[pa.RecordBatch]:
    """About `settings.megabytes` of natural languages as batches of 1 000 documents (schema DOCUMENT); kept."""
    size = settings.megabytes
    return _kept(settings, f"text-{size}", lambda folder: _natural(folder, size * 1_000_000))


def mixed_text(settings: Settings, size: int) -> list[pa.RecordBatch]:
    """About `size` MB as batches of 1 000 documents (schema DOCUMENT): natural languages, and source files as they are
    in the share they have in `sample`. Kept."""
    code = int(size * CODE_SHARE * 1_000_000)

    def make(folder: Path) -> list[Row]:
        return [*_natural(folder, size * 1_000_000 - code), *_code(folder, code)]

    return _kept(settings, f"mixed-{size}", make)


def _kept(settings: Settings, name: str, make: Callable[[Path], list[Row]]) -> list[pa.RecordBatch]:
    """Batches of documents, in the order of their ids; made once from what `sample` has ingested."""
    path = settings.work / f"{name}.arrow"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        batch = _batch(sorted(make(ingested(settings)), key=lambda row: row[0]))
        temporary = path.with_suffix(".tmp")
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, DOCUMENT) as writer:
            writer.write_table(pa.Table.from_batches([batch]), max_chunksize=BATCH)
        temporary.rename(path)
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
        return list(reader)


def batch_of(texts: list[tuple[str, str]]) -> pa.RecordBatch:
    """A batch (schema DOCUMENT) of pairs of language and text."""
    return _batch([(xxhash.xxh3_128_digest(text.encode()), code, "benchmark", "CC0-1.0", text) for code, text in texts])


def megabytes(batches: list[pa.RecordBatch]) -> float:
    """UTF-8 megabytes (10⁶) of text."""
    return sum(pc.sum(pc.binary_length(batch["text"])).as_py() for batch in batches) / 1e6


def json_lines(batch: pa.RecordBatch, keys: Iterable[str]) -> Iterator[str]:
    """A batch of documents (schema DOCUMENT) as RECIPE reads them: a line for each, under the key given."""
    columns = keys, decode(batch["language"]).to_pylist(), batch["text"].to_pylist()
    for key, language, text in zip(*columns, strict=True):
        yield json.dumps({"id": key, "language": language, "text": text}, ensure_ascii=False) + "\n"


def ingested(settings: Settings) -> Path:
    """Folder of the shards that a build of `sample` has ingested: `make build-corpus`'s, else one of its own."""
    made = ROOT / "build" / "corpus"
    if (made / "manifest.json").exists() and manifest(made)["recipe"]["name"] == "sample":
        return made / ".work" / "ingest" / "files"
    return build_sample(settings) / ".work" / "ingest" / "files"


def _natural(folder: Path, size: int) -> list[Row]:
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for language, source, licence, text in _rows(folder, set(load_languages().natural)):
        groups.setdefault(language, []).append((source, licence, text))
    return _capped({language: _pieces(rows) for language, rows in groups.items()}, size)


def _code(folder: Path, size: int) -> list[Row]:
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for language, source, licence, text in _rows(folder, set(load_languages().programming)):
        if len(text.encode()) <= CODE_LARGEST:
            groups.setdefault(language, []).append((source, licence, text))
    return _capped(groups, size)


def _capped(groups: dict[str, list[tuple[str, str, str]]], size: int) -> list[Row]:
    """Documents (source, licence, text) by language, large languages cut back so that all have about `size` bytes."""
    cap = _cap([sum(len(text.encode()) for _, _, text in rows) for rows in groups.values()], size)
    return [row for language, part in sorted(groups.items()) for row in _first(language, part, cap)]


def _rows(folder: Path, languages: set[str]) -> Iterator[tuple[str, str, str, str]]:
    """Language, source, licence and text of ingested documents in natural languages."""
    for path in sorted(folder.glob("**/*.arrow")):
        with pa.OSFile(str(path), "rb") as stream, pa.ipc.open_stream(stream) as reader:
            for batch in reader:
                if "text" not in batch.schema.names:
                    break
                columns = [batch[name].to_pylist() for name in ("language", "source", "licence", "text")]
                for language, source, licence, text in zip(*columns, strict=True):
                    if language in languages:
                        yield language, source, licence, text


def _pieces(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The texts of one language as documents of 2–4 kB, cut at line ends, at spaces where a line is too long."""
    pieces = []
    held: list[str] = []
    at, size = ("", ""), 0
    for source, licence, text in rows:
        if (source, licence) != at:
            at, held, size = (source, licence), [], 0
        for line in _lines(text):
            length = len(line.encode()) + 1
            if size + length > LARGEST:
                if size >= SMALLEST:
                    pieces.append((source, licence, "\n".join(held)))
                held, size = [], 0
            held.append(line)
            size += length
    return pieces


def _lines(text: str) -> Iterator[str]:
    """Lines of a text, none longer than half a document."""
    width = SMALLEST // 4  # characters; a character is at most four bytes
    for line in text.split("\n"):
        while len(line) > width:
            cut = line.rfind(" ", 0, width) + 1 or width
            yield line[:cut].rstrip()
            line = line[cut:]
        yield line


def _cap(sizes: list[int], total: int) -> int:
    """The most bytes a language may give so that all together give `total`."""
    left, cap = total, 0
    for index, size in enumerate(sorted(sizes)):
        cap = left // (len(sizes) - index)
        if size > cap:
            return cap
        left -= size
    return max(sizes, default=0)


def _first(language: str, pieces: list[tuple[str, str, str]], cap: int) -> Iterator[Row]:
    keyed = sorted((xxhash.xxh3_128_digest(f"{language} {piece[2]}".encode()), piece) for piece in pieces)
    size = 0
    for key, (source, licence, text) in keyed:
        size += len(text.encode())
        if size > cap:
            return
        yield key, language, source, licence, text


def _batch(rows: list[Row]) -> pa.RecordBatch:
    """Documents, each a file of its own."""
    keys, languages, sources, licences, texts = (list(column) for column in zip(*rows, strict=True))
    text, names = pa.array(texts, pa.large_string()), pa.array([key.hex() for key in keys])
    columns = {
        "id": pa.array(keys, pa.binary(16)),
        "text": text,
        "source": encode(sources),
        "language": encode(languages),
        "licence": encode(licences),
        "licence_declared": encode(licences),
        "licence_detected": pa.nulls(len(rows), DOCUMENT.field("licence_detected").type),
        "uri": names,
        "key": names,
        "metadata": constant_column("{}", len(rows)).cast(pa.string()),
        "bytes_in": pc.binary_length(text).cast(pa.int64()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in DOCUMENT.names], schema=DOCUMENT)
