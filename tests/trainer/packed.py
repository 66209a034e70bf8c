"""Small token shards and packed text, as the tests of the trainer want them."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.runtime import storage
from pipeline.text.columns import hex_ids
from tokenizer.encode import TOKENS
from trainer.pack import Packing, pack

EOS = 2


def write_tokens(folder: Path, documents: dict[str, list[list[int]]], vocabulary_size: int = 300) -> Path:
    """Token shards of the given documents by language, in the form of `openroots encode`."""
    shards, languages = [], {}
    for language, texts in documents.items():
        path = f"data/{language}/a.arrow"
        keys = [f"{language}{number:0>14}"[:16].encode() for number in range(len(texts))]
        column = pa.array([language] * len(texts)).dictionary_encode()
        batch = pa.record_batch(
            [hex_ids(pa.array(keys, pa.binary(16))), column, pa.array(texts, TOKENS.field("input_ids").type)],
            schema=TOKENS,
        )
        with storage.create(str(folder / path)) as stream, pa.ipc.new_stream(stream, TOKENS) as writer:
            for begin in range(0, len(texts), 3):
                writer.write_batch(batch.slice(begin, 3))
        tokens = sum(map(len, texts))
        shards.append({"path": path, "language": language, "tokens": tokens, "digest": stream.digest})
        languages[language] = {"documents": len(texts), "tokens": tokens, "bytes": tokens}
    tokenizer = {"digest": "0" * 32, "vocabulary_size": vocabulary_size, "eos_id": EOS, "pad_id": 3}
    manifest = {"format": 1, "digest": "1" * 32, "tokenizer": tokenizer, "corpus": None}
    storage.write_json(str(folder / "manifest.json"), {**manifest, "languages": languages, "shards": shards})
    return folder


def some_documents(vocabulary_size: int = 300, count: int = 40, seed: int = 0) -> dict[str, list[list[int]]]:
    """Documents in three languages of unequal size, with regularities to learn."""
    random = np.random.default_rng(seed)
    documents: dict[str, list[list[int]]] = {}
    for language, share in (("en", 1.0), ("sw", 0.5), ("yo", 0.25)):
        low = 10 + 60 * len(documents)
        documents[language] = [
            (low + np.cumsum(random.integers(0, 3, random.integers(20, 200))) % 50).tolist()
            for _ in range(int(count * share))
        ]
    assert max(max(d) for ds in documents.values() for d in ds) < vocabulary_size
    return documents


def packed_text(folder: Path, sequence_length: int = 32, **settings: int) -> Path:
    """A packed corpus of `some_documents`."""
    write_tokens(folder / "tokens", some_documents(**settings))
    pack(str(folder / "tokens"), str(folder / "packed"), Packing(sequence_length, held_out=0.1))
    return folder / "packed"
