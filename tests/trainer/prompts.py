"""A tokenizer of bytes, and folders of prompts, as the tests of fine-tuning want them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
import xxhash
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from pipeline.runtime import storage
from pipeline.text.columns import hex_ids
from tokenizer.load import Tokenizer as Loaded
from trainer.config import ModelConfig
from trainer.data import Batch

Example = tuple[str, str]
SCHEMA = pa.schema([("id", pa.string()), ("input", pa.string()), ("target", pa.string())])


def byte_tokenizer(folder: Path) -> Path:
    """A folder with a tokenizer of 256 bytes and BLOOM's special tokens, 260 entries."""
    names = ["<unk>", "<s>", "</s>", "<pad>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(names + alphabet)}
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(names)
    folder.mkdir(parents=True)
    made.save(str(folder / "tokenizer.json"))
    roles = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))
    Loaded.load(str(folder), "tokenizers").remember_backend(str(folder))  # so that nobody checks who may encode
    return folder


def tuning(model: ModelConfig, packed: Path, *, start: Path | None, length: int, batch: int) -> dict[str, Any]:
    """Settings of a fine-tuning of a small model on packed prompts: a step has `batch` sequences of `length` tokens."""
    return {
        "name": "tuned",
        "model": model.model_dump(),
        "start": str(start) if start else None,
        "sequence_length": length,
        "data": {"packed": str(packed), "document_mask": True, "mixture_weights": True},
        "batch": {"size": batch, "micro": batch},
        "precision": {"compute": "fp32"},
        "logging": {"tensorboard": False},
    }


def examples_of(batch: Batch) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(ids, labels with -100 for the input), int64, of each example of a batch by itself."""
    assert batch.loss_weights is not None
    weights = torch.cat([torch.zeros(len(batch), 1), batch.loss_weights[:, :-1]], 1)  # beside the tokens themselves
    found = []
    for row in range(len(batch)):
        for number in batch.documents[row].unique():
            mine = batch.documents[row] == number
            if weights[row][mine].any():
                ids = batch.input_ids[row][mine]
                found.append((ids, ids.masked_fill(weights[row][mine] == 0, -100)))
    return found


def id_of(example: Example) -> bytes:
    """The 16 bytes that stand for an example."""
    return xxhash.xxh3_128_digest("\0".join(example).encode())


def write_prompts(folder: Path, parts: dict[str, dict[str, Sequence[Example]]]) -> Path:
    """Prompts by language and part, in the form of `openroots mix-prompts`."""
    shards, counts = [], {}
    for language, of_language in parts.items():
        for part, examples in of_language.items():
            path = f"data/{language}/{part}.arrow"
            ids = hex_ids(pa.array([id_of(example) for example in examples], pa.binary(16)))
            columns = [ids, pa.array([i for i, _ in examples]), pa.array([t for _, t in examples])]
            batch = pa.record_batch(columns, schema=SCHEMA)
            with storage.create(str(folder / path)) as stream, pa.ipc.new_file(stream, SCHEMA) as writer:
                writer.write_batch(batch)
            shard = {"path": path, "language": language, "part": part, "bytes": stream.size, "digest": stream.digest}
            shards.append(shard)
            counts[language] = counts.get(language, 0) + len(examples)
    weights = {language: count / sum(counts.values()) for language, count in counts.items()}
    manifest = {"format": 1, "kind": "prompts", "digest": "2" * 32, "weights": weights, "shards": shards}
    storage.write_json(str(folder / "manifest.json"), manifest)
    return folder


def some_prompts(count: int = 60) -> dict[str, dict[str, list[Example]]]:
    """Prompts in three languages that a small model can learn: the target is in the input."""
    words = {
        "en": ["bread", "water", "house", "tree", "a very long answer indeed", "sun"],
        "sw": ["mkate", "maji", "nyumba", "mti", "jua", "rafiki yangu mzuri sana"],
        "yo": ["búrẹ́dì", "omi", "ilé", "igi", "oòrùn"],
    }
    made: dict[str, dict[str, list[Example]]] = {}
    for language, known in words.items():
        examples = [
            (
                f"{'Say' if number % 2 else 'Please repeat the word'} {number}: {known[number % len(known)]}.",
                known[number % len(known)],
            )
            for number in range(count)
        ]
        made[language] = {"train": examples[: count - 8], "held_out": examples[count - 8 :]}
    return made
