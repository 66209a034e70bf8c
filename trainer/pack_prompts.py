"""From prompts to what fine-tuning reads: whole examples side by side in sequences, and a weight beside each token.

    OUTPUT/data/LANGUAGE/{train,held_out}-tokens.npy    uint32, input, target and eos of each example
                                         -weights.npy   float32, what the loss of each token counts for as a label
                                         -starts.npy    int64, where each example, and what fills a sequence up, begins
                                         -ids.npy       uint8 (…, 16), ids of the examples; zeros for what fills up
    OUTPUT/tokenizer/, OUTPUT/manifest.json
Files and sequences are those of `trainer.pack`, so that the same loop trains on both, but no example crosses the border
of a sequence. Inputs have weight 0, and each of the n tokens of a target 1 / n: every example counts once, however long
its target is (Muennighoff et al. 2023, "Crosslingual generalization through multitask finetuning", section 3).
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from configs.errors import ConfigurationError, InputError
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import Phase, Record, Task, TaskFolder, Watch, digest_of
from pipeline.runtime.shards import open_shard
from tokenizer.load import Backend, Tokenizer, known_backend
from trainer.order import PARTS
from trainer.pack import FORMAT, ids_of, pack_languages, write_header

Counting = Literal["example", "token"]
"""What counts alike in the loss: every example, or every token of a target."""
KIND = "prompts"
_VERSION = 1
_WINDOW_TOKENS = 1 << 24
"""Examples are fitted into sequences a window at a time: memory follows it, and how full sequences are hardly does."""
_BATCH_ROWS = 1000
_REMEDY = "Mix again: `openroots mix-prompts` redoes what is damaged or missing"


@dataclass(frozen=True)
class PromptPacking:
    """Settings of packing prompts.

    sequence_length   L; examples of more than L tokens are left out, and counted
    counting          "example": targets have weight 1 in all; "token": each of their tokens has
    """

    sequence_length: int
    counting: Counting = "example"


@dataclass(frozen=True)
class Examples:
    """Examples by tokens: flat `tokens` uint32 and `weights` float32, `lengths` int64 (n,), `ids` uint8 (n, 16)."""

    tokens: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray
    ids: np.ndarray


def joined(prompt: str, target: str) -> tuple[str, str]:
    """The two texts of an example as they are encoded, one after the other: a space stands between two words.

    As in BLOOMZ's data, where targets begin with one.
    """
    return prompt, target if prompt[-1:].isspace() or target[:1].isspace() else f" {target}"


def encode_examples(
    tokenizer: Tokenizer, prompts: Sequence[str], targets: Sequence[str], ids: np.ndarray, counting: Counting
) -> Examples:
    """Tokens and weights of prompts and their targets; `ids` uint8 (n, 16). Raises ConfigurationError without eos."""
    eos = tokenizer.eos_id
    if eos is None:
        raise ConfigurationError("the tokenizer names no token that ends a text; give one that does")
    pairs = [joined(*pair) for pair in zip(prompts, targets, strict=True)]
    (inputs, input_lengths), (outputs, output_lengths) = (
        _flat(tokenizer.encode_batch([pair[side] for pair in pairs])) for side in (0, 1)
    )
    lengths = input_lengths + output_lengths + 1
    tokens = np.full(int(lengths.sum()), eos, np.uint32)
    is_target = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths) >= np.repeat(
        input_lengths, lengths
    )
    is_eos = np.zeros(len(tokens), bool)
    is_eos[np.cumsum(lengths) - 1] = True
    tokens[~is_target] = inputs
    tokens[is_target & ~is_eos] = outputs
    each = 1.0 / (output_lengths + 1) if counting == "example" else np.ones(len(lengths))
    weights = np.where(is_target, np.repeat(each, lengths), 0.0).astype(np.float32)
    return Examples(tokens, weights, lengths, ids)


@dataclass(frozen=True)
class PackPromptsWork:
    """Encodes and packs the prompts of a language."""

    prompts: str
    tokenizer: str
    backend: Backend
    packing: PromptPacking

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write the four files of each part; the record says how much they hold."""
        tokenizer = _loaded(self.tokenizer, self.backend)
        for part in PARTS:
            shards = [shard for shard in task.payload if shard["part"] == part]
            folder.data[part] = self._pack(tokenizer, shards, part, folder)

    def _pack(
        self, tokenizer: Tokenizer, shards: Sequence[dict[str, Any]], part: str, folder: TaskFolder
    ) -> dict[str, int]:
        length = self.packing.sequence_length
        pad = tokenizer.eos_id if tokenizer.pad_id is None else tokenizer.pad_id
        filler = Sequences(length, int(pad or 0))
        starts, ids, figures = [np.zeros(0, np.int64)], [np.zeros((0, 16), np.uint8)], _Figures()
        with tempfile.TemporaryFile() as tokens, tempfile.TemporaryFile() as weights:
            for window in self._windows(tokenizer, shards, figures):
                packed = filler.fill(window)
                tokens.write(packed.tokens.astype("<u4").data)
                weights.write(packed.weights.astype("<f4").data)
                starts.append(packed.starts + figures.sequences * length)
                ids.append(packed.ids)
                figures.sequences += len(packed.tokens)
            # Labels are the tokens one further on: the last sequence's end, too, with one that counts for nothing.
            last = int(figures.sequences > 0)
            tokens.write(np.full(last, filler.pad, "<u4").data)
            weights.write(np.zeros(last, "<f4").data)
            total = figures.sequences * length + last
            for name, stream, dtype in (("tokens", tokens, "<u4"), ("weights", weights, "<f4")):
                with folder.binary(f"/{part}-{name}.npy") as target:
                    write_header(target, (total,), dtype)
                    _copy(stream, target)
        for name, array in (("starts", np.concatenate(starts)), ("ids", np.concatenate(ids))):
            with folder.binary(f"/{part}-{name}.npy") as target:
                write_header(target, array.shape, array.dtype.str)
                target.write(np.ascontiguousarray(array).data)
        documents = sum(map(len, starts))
        return {**vars(figures), "documents": documents, "tokens": total}

    def _windows(
        self, tokenizer: Tokenizer, shards: Sequence[dict[str, Any]], figures: "_Figures"
    ) -> Iterator[Examples]:
        held: list[Examples] = []
        for path, batch in self._batches(shards):
            found = encode_examples(
                tokenizer,
                batch["input"].to_pylist(),
                batch["target"].to_pylist(),
                ids_of(batch["id"], path),
                self.packing.counting,
            )
            fits = found.lengths <= self.packing.sequence_length
            figures.examples += int(fits.sum())
            figures.too_long += int((~fits).sum())
            kept = _select(found, fits)
            figures.example_tokens += len(kept.tokens)
            figures.target_tokens += int((kept.weights > 0).sum())
            held.append(kept)
            if sum(len(one.tokens) for one in held) >= _WINDOW_TOKENS:
                yield _concatenated(held)
                held = []
        if any(len(one.lengths) for one in held):
            yield _concatenated(held)

    def _batches(self, shards: Sequence[dict[str, Any]]) -> Iterator[tuple[str, pa.RecordBatch]]:
        for shard in shards:
            path = storage.join(self.prompts, shard["path"])
            try:
                if storage.file_digest(path) != shard["digest"]:
                    raise InputError(path, "is damaged: its digest is not that of the manifest", _REMEDY)
                with open_shard(path) as batches:
                    for batch in batches:
                        for begin in range(0, batch.num_rows, _BATCH_ROWS):
                            yield path, _texts(batch.slice(begin, _BATCH_ROWS), path)
            except (OSError, pa.ArrowInvalid, KeyError) as error:
                raise InputError(path, f"cannot be read ({error})", _REMEDY) from error


@dataclass
class _Figures:
    sequences: int = 0
    examples: int = 0
    too_long: int = 0
    example_tokens: int = 0
    target_tokens: int = 0


@dataclass(frozen=True)
class Packed:
    """Sequences: `tokens` uint32 and `weights` float32 (rows, L); `starts` int64 (n,), `ids` uint8 (n, 16)."""

    tokens: np.ndarray
    weights: np.ndarray
    starts: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True)
class Sequences:
    """Fits whole examples into sequences of `length` tokens; what is left over of each is filled up with `pad`."""

    length: int
    pad: int

    def fill(self, examples: Examples) -> Packed:
        """Longest first, each into the sequence that it leaves the least room in (best fit decreasing)."""
        order = np.argsort(-examples.lengths, kind="stable")
        places, count = best_fit(examples.lengths[order], self.length)
        tokens = np.full(count * self.length, self.pad, np.uint32)
        weights = np.zeros(count * self.length, np.float32)
        begins = (np.cumsum(examples.lengths) - examples.lengths)[order]
        _place(examples.tokens, examples.weights, begins, examples.lengths[order], places, tokens, weights)
        ends = places + examples.lengths[order]
        # Where the last example of a sequence ends and there is room, what fills it up begins.
        last = np.zeros(count, np.int64)
        np.maximum.at(last, places // self.length, ends)
        fillers = last[last < (np.arange(count) + 1) * self.length]
        starts = np.concatenate([places, fillers])
        ids = np.concatenate([examples.ids[order], np.zeros((len(fillers), 16), np.uint8)])
        sorting = np.argsort(starts, kind="stable")
        shape = (count, self.length)
        return Packed(tokens.reshape(shape), weights.reshape(shape), starts[sorting], ids[sorting])


@njit(cache=True)
def best_fit(lengths: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """(where each item begins, int64; bins used): items of falling `lengths` in bins of `size`, bin i from i · size."""
    newest = np.full(size + 1, -1, np.int64)  # of the bins with so much room
    before = np.full(len(lengths), -1, np.int64)  # it, another one with as much
    places = np.empty(len(lengths), np.int64)
    count = 0
    for i in range(len(lengths)):
        room = lengths[i]
        while room <= size and newest[room] < 0:
            room += 1
        if room > size:
            room, chosen = size, count
            count += 1
        else:
            chosen = newest[room]
            newest[room] = before[chosen]
        places[i] = chosen * size + size - room
        left = room - lengths[i]
        before[chosen] = newest[left]
        newest[left] = chosen
    return places, count


@njit(cache=True)
def _place(
    tokens: np.ndarray,
    weights: np.ndarray,
    begins: np.ndarray,
    lengths: np.ndarray,
    places: np.ndarray,
    to_tokens: np.ndarray,
    to_weights: np.ndarray,
) -> None:
    for i in range(len(lengths)):
        for j in range(lengths[i]):
            to_tokens[places[i] + j] = tokens[begins[i] + j]
            to_weights[places[i] + j] = weights[begins[i] + j]


def pack_prompts(
    prompts: str,
    tokenizer: str,
    output: str,
    packing: PromptPacking,
    *,
    engine: Engine | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Pack the prompts of a folder and return the manifest; a rerun does what is missing.

    `tokenizer` is a folder, such as a model's, or a tokenizer.json. Raises InputError, ConfigurationError.
    """
    source = read_prompts_manifest(prompts)
    own = storage.join(output, "tokenizer")
    loaded = Tokenizer.load(tokenizer, known_backend(own, tokenizer))
    if loaded.eos_id is None:
        raise ConfigurationError(f"{tokenizer} names no token that ends a text; give a tokenizer that does")
    loaded.save(own)
    settings = [_VERSION, packing.sequence_length, packing.counting, loaded.digest]
    records = pack_languages(
        Phase("pack-prompts", settings, PackPromptsWork(prompts, own, loaded.backend, packing)),
        source["shards"],
        output,
        mark=lambda shard: f"{shard['part']}:{shard['digest']}",
        size=lambda shard: shard["bytes"],
        engine=engine,
        watch=watch,
    )
    manifest = _manifest(source, loaded, packing, records)
    storage.write_json(storage.join(output, "manifest.json"), manifest)
    return manifest


def read_prompts_manifest(prompts: str) -> dict[str, Any]:
    """The manifest of mixed prompts. Raises InputError."""
    path = storage.join(prompts, "manifest.json")
    try:
        manifest: dict[str, Any] = storage.read_json(path)
        if manifest["kind"] != KIND or not manifest["shards"]:
            raise ValueError("it is of another kind, or lists no shard")
        manifest["digest"], manifest["weights"]
        for shard in manifest["shards"]:
            shard["path"], shard["language"], shard["digest"], shard["bytes"]
            PARTS.index(shard["part"])
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(path, "no such file", "Give the output folder of `openroots mix-prompts`") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"is not a manifest of prompts ({error})", _REMEDY) from error
    return manifest


def _manifest(
    source: dict[str, Any], tokenizer: Tokenizer, packing: PromptPacking, records: Sequence[Record]
) -> dict[str, Any]:
    files = sorted([f"data/{file.path}", file.digest] for record in records for file in record.files)
    languages = {record.task: {part: record.data[part] for part in PARTS} for record in records}
    weights = {name: share for name, share in source["weights"].items() if languages[name]["train"]["sequences"]}
    return {
        "format": FORMAT,
        "kind": KIND,
        "digest": digest_of([files, packing.sequence_length]),
        "sequence_length": packing.sequence_length,
        "counting": packing.counting,
        "vocabulary_size": tokenizer.vocabulary_size,
        "eos_id": tokenizer.eos_id,
        "tokenizer": {"digest": tokenizer.digest, "eos_id": tokenizer.eos_id, "pad_id": tokenizer.pad_id},
        "prompts_digest": source["digest"],
        "weights": weights,
        "languages": languages,
        "files": files,
    }


@lru_cache(1)
def _loaded(path: str, backend: Backend) -> Tokenizer:
    return Tokenizer.reopen(path, backend)


def _texts(batch: pa.RecordBatch, path: str) -> pa.RecordBatch:
    """Its rows, of which none may lack an input or a target. Raises InputError."""
    for name in ("input", "target"):
        if batch[name].null_count or pc.any(pc.equal(pc.utf8_length(batch[name]), 0)).as_py():
            raise InputError(path, f"holds an example without {name}", _REMEDY)
    return batch


def _flat(lists: pa.LargeListArray) -> tuple[np.ndarray, np.ndarray]:
    """(ids uint32, lengths int64) of encoded texts."""
    return lists.flatten().to_numpy(), np.diff(lists.offsets.to_numpy())


def _select(examples: Examples, chosen: np.ndarray) -> Examples:
    if chosen.all():
        return examples
    tokens = np.repeat(chosen, examples.lengths)
    return Examples(examples.tokens[tokens], examples.weights[tokens], examples.lengths[chosen], examples.ids[chosen])


def _concatenated(parts: Sequence[Examples]) -> Examples:
    return Examples(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("tokens", "weights", "lengths", "ids"))
    )


def _copy(source: BinaryIO, target: storage.DigestingStream) -> None:
    source.seek(0)
    while block := source.read(1 << 22):
        target.write(block)
