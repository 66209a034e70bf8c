"""From text to token shards: each task reads a file of text and writes one Arrow IPC file of ids.

    OUTPUT/data/LANGUAGE/NAME.arrow   columns id, language, input_ids; a row a document, nothing between documents
    OUTPUT/tokenizer/                 the tokenizer's files
    OUTPUT/manifest.json              digests, counts, who encoded; written last
    OUTPUT/README.md                  so that `datasets.load_dataset(OUTPUT, LANGUAGE)` opens the shards
The bytes of a shard depend on its text and the tokenizer alone, not on workers, runner or restarts.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import xxhash

from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.ownership import WORK, mark_work
from pipeline.runtime.phases import Phase, Record, Task, TaskFolder, Watch, digest_of
from pipeline.text.columns import hex_ids
from tokenizer.load import IDS, Backend, Tokenizer, known_backend, text_bytes
from tokenizer.texts import Skipped, TextFile, read_shard, read_texts

FORMAT = 1
TOKENS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("language", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("input_ids", IDS, nullable=False),
    ]
)
_VERSION = 4
_ROWS = 1000
_BYTES = 4 << 20
"""Texts handed to the encoder at once, at most: enough to keep its threads busy, little enough for memory."""


@dataclass(frozen=True)
class EncodeWork:
    """Encodes the file of a task with the tokenizer at a path."""

    tokenizer: str
    backend: Backend
    special_tokens: bool
    threads: int | None = None

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `LANGUAGE/NAME.arrow`."""
        if self.threads:
            os.environ.setdefault("RAYON_NUM_THREADS", str(self.threads))
        file: TextFile = task.payload
        language, skipped = file.language, Skipped()
        tokenizer = _loaded(self.tokenizer, self.backend)
        languages = pa.array([language])
        tokens = 0
        with folder.arrow(".arrow", TOKENS, writer=pa.ipc.new_file, language=language) as shard:
            for ids, texts in read_documents(file, task.name, skipped):
                lists = tokenizer.encode_batch(texts, special_tokens=self.special_tokens)
                column = pa.DictionaryArray.from_arrays(pa.array([0] * len(ids), pa.int32()), languages)
                shard.write(pa.record_batch([hex_ids(ids), column, lists], schema=TOKENS), text_bytes(texts))
                tokens += lists.offsets[-1].as_py() - lists.offsets[0].as_py()
            shard.extra["tokens"] = tokens
        folder.data.update(skipped.as_dict())


@lru_cache(1)
def _loaded(path: str, backend: Backend) -> Tokenizer:
    return Tokenizer.reopen(path, backend)


def read_documents(file: TextFile, name: str, skipped: Skipped) -> Iterator[tuple[pa.Array, pa.Array]]:
    """(ids, texts) of a file, in batches: `fixed_size_binary[16]` and strings of equal length.

    A shard of a corpus has ids; documents of any other file get the xxh3-128 of `name`, which does not depend on where
    the file lies, and their number. Raises InputError.
    """
    row = 0
    batches = read_shard(file.path) if file.is_shard else ((None, texts) for texts in read_texts(file, skipped))
    for ids, texts in batches:
        if ids is None:
            keys = [xxhash.xxh3_128_digest(f"{name}:{number}".encode()) for number in range(row, row + len(texts))]
            ids = pa.array(keys, pa.binary(16))
        row += len(texts)
        yield from _cut(ids, texts)


def _cut(ids: pa.Array, texts: pa.Array) -> Iterator[tuple[pa.Array, pa.Array]]:
    """Slices of at most `_ROWS` rows and, but for a single larger row, `_BYTES` bytes."""
    begin = 0
    while begin < len(ids):
        rows = min(_ROWS, len(ids) - begin)
        while rows > 1 and text_bytes(texts.slice(begin, rows)) > _BYTES:
            rows //= 2
        yield ids.slice(begin, rows), texts.slice(begin, rows)
        begin += rows


def encode_files(
    files: Sequence[TextFile],
    tokenizer: str,
    output: str,
    *,
    engine: Engine | None = None,
    watch: Watch | None = None,
    special_tokens: bool = False,
    corpus: str | None = None,
) -> dict[str, Any]:
    """Encode files into token shards under the folder `output` and return the manifest; a rerun does what is missing.

    `tokenizer` is a folder or a tokenizer.json; `corpus` the digest of the corpus that the files are of, for the
    manifest. Raises InputError for a file that cannot be read; what other tasks wrote stays.
    """
    engine = engine or Engine()
    own = storage.join(output, "tokenizer")
    loaded = Tokenizer.load(tokenizer, known_backend(own, tokenizer))
    loaded.save(own)
    threads = max(1, (os.cpu_count() or 1) // engine.workers) if engine.workers > 1 else None
    configuration = {
        "version": _VERSION,
        "tokenizer": loaded.digest,
        "backend": [loaded.backend, version(loaded.backend)],
        "special_tokens": special_tokens,
    }
    work = EncodeWork(own, loaded.backend, special_tokens, threads)
    vouchers = tuple(storage.join(output, name) for name in ("manifest.json", "README.md"))
    phase = Phase("encode", configuration, work, place=storage.join(output, "data"), vouchers=vouchers)
    mark_work(storage.join(output, WORK))
    records = phase.run(engine, storage.join(output, WORK), _tasks(files), watch)
    manifest = _manifest(loaded, records, corpus)
    _write_card(output, manifest)
    storage.write_json(storage.join(output, "manifest.json"), manifest)
    return manifest


def corpus_manifest_digest(corpus: str) -> str | None:
    """Digest of a built corpus; None where its manifest is missing or damaged."""
    try:
        return str(storage.read_json(storage.join(corpus, "manifest.json"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tasks(files: Sequence[TextFile]) -> list[Task]:
    tasks: list[Task] = []
    taken: set[str] = set()
    for file in files:
        fs, inner = storage.filesystem(file.path)
        stem = f"{file.language}/{PurePosixPath(inner).name.split('.')[0]}"
        name, number = stem, 1
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        tasks.append(Task(name, (fs.ukey(inner), file.documents), file, int(fs.size(inner) or 0)))
    return tasks


def _manifest(tokenizer: Tokenizer, records: Sequence[Record], corpus: str | None) -> dict[str, Any]:
    languages: dict[str, dict[str, int]] = {}
    shards = []
    for record in records:
        [file] = record.files
        language, tokens = file.extra["language"], file.extra["tokens"]
        sums = languages.setdefault(language, {"documents": 0, "tokens": 0, "bytes": 0})
        sums["documents"] += file.documents
        sums["tokens"] += tokens
        sums["bytes"] += file.bytes
        shard = {"path": f"data/{file.path}", "language": language, "documents": file.documents}
        shards.append({**shard, "tokens": tokens, "digest": file.digest})
    shards.sort(key=lambda shard: shard["path"])
    return {
        "format": FORMAT,
        "digest": digest_of([[shard["path"], shard["digest"]] for shard in shards]),
        "tokenizer": {
            "digest": tokenizer.digest,
            "vocabulary_size": tokenizer.vocabulary_size,
            "eos_id": tokenizer.eos_id,
            "pad_id": tokenizer.pad_id,
        },
        "corpus": corpus,
        "backend": tokenizer.backend,
        "versions": {name: version(name) for name in ("openroots", "fastokens", "tokenizers", "pyarrow")},
        "languages": dict(sorted(languages.items())),
        **Skipped.total(record.data for record in records).as_dict(),
        "shards": shards,
    }


def _write_card(output: str, manifest: dict[str, Any]) -> None:
    lines = ["---", "configs:"]
    if manifest["languages"]:
        lines += ["- config_name: default", "  default: true", '  data_files: "data/*/*.arrow"']
    for language in manifest["languages"]:
        name = json.dumps(language, ensure_ascii=False)
        lines += [f"- config_name: {name}", f"  data_files: {json.dumps(f'data/{language}/*.arrow')}"]
    total = sum(figures["tokens"] for figures in manifest["languages"].values())
    lines += ["---", "", "# Token shards", "", f"{total:,} tokens by the tokenizer in `tokenizer/`; a row a document:"]
    lines += ["its `id` in the corpus, its `language` and its `input_ids`, with nothing added at either end.", ""]
    lines += ["| language | documents | tokens | bytes per token |", "|---|---:|---:|---:|"]
    for language, figures in manifest["languages"].items():
        ratio = figures["bytes"] / max(1, figures["tokens"])
        lines.append(f"| {language} | {figures['documents']:,} | {figures['tokens']:,} | {ratio:.2f} |")
    with storage.create(storage.join(output, "README.md")) as stream:
        stream.write(("\n".join(lines) + "\n").encode())
