"""From token shards to what training reads: a stream of tokens a language, memory-mapped, documents end to end.

    OUTPUT/{train,held_out}/LANGUAGE/tokens.npy   uint32, documents in the order of the shards, each ended by eos
                                    /starts.npy   int64, where each document begins in tokens
                                    /ids.npy      uint8 (documents, 16), their ids in the corpus
    OUTPUT/tokenizer/, OUTPUT/manifest.json
Sequence i of length L is tokens[i·L : i·L + L + 1]: inputs and labels overlap by one. Nothing is padded; what is left
over at a language's end is less than a sequence.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.lib import format as npy

from configs.errors import ConfigurationError, InputError
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.ownership import WORK, mark_work
from pipeline.runtime.phases import Phase, Record, Task, TaskFolder, Watch, digest_of
from pipeline.runtime.shards import open_shard
from pipeline.text.columns import binary_ids
from trainer.order import PARTS

FORMAT = 1
PASSED_OVER_MAX = 10_000
"""Documents looked at for one that still fits into the held-out part."""
_VERSION = 2
_REMEDY = "Encode again: `openroots encode` redoes what is damaged or missing"


@dataclass(frozen=True)
class Packing:
    """Settings of packing.

    sequence_length   L; only the manifest depends on it
    held_out          share of a language's tokens kept out of training, in whole documents; see `choose_held_out`
    """

    sequence_length: int
    held_out: float = 0.005
    seed: int = 0
    eos_id: int | None = None


@dataclass(frozen=True)
class PackWork:
    """Packs the shards of a language."""

    tokens: str
    packing: Packing
    vocabulary_size: int

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write the three files of each part; the record says how much they hold."""
        shards: list[dict[str, Any]] = task.payload
        for shard in shards:
            self._check(shard)
        ids = [ids_of(batch["id"], path) for path, batch in self._batches(shards)]
        keys = np.concatenate(ids) if ids else np.zeros((0, 16), np.uint8)
        lengths = np.concatenate([np.diff(_flat(batch)[1]) for _, batch in self._batches(shards)] or [np.zeros(0, int)])
        is_held_out = choose_held_out(keys, lengths + 1, self.packing)
        for part, chosen in zip(PARTS, (~is_held_out, is_held_out), strict=True):
            starts = np.concatenate([[0], np.cumsum(lengths[chosen] + 1)]).astype(np.int64)
            total = int(starts[-1])
            folder.data[part] = {"documents": int(chosen.sum()), "tokens": total}
            with folder.binary(f"/{part}-tokens.npy", int(chosen.sum())) as stream:
                write_header(stream, (total,), "<u4")
                self._write_tokens(shards, chosen, stream)
            for name, array in (("starts", starts[:-1]), ("ids", keys[chosen])):
                with folder.binary(f"/{part}-{name}.npy") as stream:
                    write_header(stream, array.shape, array.dtype.str)
                    stream.write(np.ascontiguousarray(array).data)

    def _check(self, shard: dict[str, Any]) -> None:
        path = storage.join(self.tokens, shard["path"])
        try:
            found = storage.file_digest(path)
        except OSError as error:
            raise InputError(path, f"cannot be read ({error})", _REMEDY) from error
        if found != shard["digest"]:
            raise InputError(path, "is damaged: its digest is not that of the manifest", _REMEDY)

    def _write_tokens(
        self, shards: Sequence[dict[str, Any]], chosen: np.ndarray, stream: storage.DigestingStream
    ) -> None:
        row = 0
        for path, batch in self._batches(shards):
            flat, borders = _flat(batch)
            if len(flat) and int(flat.max()) >= self.vocabulary_size:
                raise InputError(path, f"holds the id {int(flat.max())}, beyond the vocabulary", _REMEDY)
            keep = chosen[row : row + batch.num_rows]
            row += batch.num_rows
            stream.write(np.ascontiguousarray(_with_eos(flat, borders, keep, self.packing.eos_id or 0)).data)

    def _batches(self, shards: Sequence[dict[str, Any]]) -> Iterator[tuple[str, pa.RecordBatch]]:
        for shard in shards:
            path = storage.join(self.tokens, shard["path"])
            try:
                with open_shard(path) as batches:
                    for batch in batches:
                        yield path, batch
            except (OSError, pa.ArrowInvalid, KeyError) as error:
                raise InputError(path, f"cannot be read ({error})", _REMEDY) from error


def choose_held_out(ids: np.ndarray, lengths: np.ndarray, packing: Packing) -> np.ndarray:
    """Documents kept out of training, bool of shape (documents,).

    Documents are taken in the order of the keyed hashes of their ids, uint8 (documents, 16), until their tokens (int64
    `lengths`) reach the share; one that would exceed it is skipped. Of a language with two documents or more at
    least one is held out: the shortest, where each alone is more than the share.
    """
    chosen = np.zeros(len(ids), bool)
    if not packing.held_out or len(ids) < 2:
        return chosen
    hashes = np.array([xxhash.xxh3_64_intdigest(key.tobytes(), packing.seed) for key in ids], np.uint64)
    order = np.argsort(hashes, kind="stable")
    left = int(packing.held_out * int(lengths.sum()))
    taken = int(np.searchsorted(np.cumsum(lengths[order]), left, "right"))
    chosen[order[:taken]] = True
    left -= int(lengths[order[:taken]].sum())
    for document in order[taken : taken + PASSED_OVER_MAX].tolist():
        if lengths[document] <= left:
            chosen[document] = True
            left -= int(lengths[document])
    if not chosen.any():
        chosen[order[np.argmin(lengths[order])]] = True
    if chosen.all():
        chosen[order[-1]] = False
    return chosen


def pack(
    tokens: str, output: str, packing: Packing, *, engine: Engine | None = None, watch: Watch | None = None
) -> dict[str, Any]:
    """Pack the token shards of a folder and return the manifest; a rerun does what is missing. Raises InputError."""
    source = read_tokens_manifest(tokens)
    eos = source["tokenizer"]["eos_id"] if packing.eos_id is None else packing.eos_id
    vocabulary = source["tokenizer"]["vocabulary_size"]
    if eos is None:
        raise ConfigurationError("the tokenizer names no token that ends a document; give its id with --eos-id")
    if not 0 <= eos < vocabulary:
        raise ConfigurationError(f"eos id {eos}: the tokenizer has {vocabulary:,} entries, ids 0 to {vocabulary - 1}")
    packing = Packing(packing.sequence_length, packing.held_out, packing.seed, eos)
    records = pack_languages(
        Phase(
            "pack", [_VERSION, packing.held_out, packing.seed, eos, vocabulary], PackWork(tokens, packing, vocabulary)
        ),
        source["shards"],
        output,
        mark=lambda shard: shard["digest"],
        size=lambda shard: 4 * shard["tokens"],
        engine=engine,
        watch=watch,
    )
    _copy_tokenizer(storage.join(tokens, "tokenizer"), storage.join(output, "tokenizer"))
    manifest = _manifest(source, packing, records)
    storage.write_json(storage.join(output, "manifest.json"), manifest)
    return manifest


def pack_languages(
    phase: Phase,
    shards: Sequence[dict[str, Any]],
    output: str,
    *,
    mark: Callable[[dict[str, Any]], str],
    size: Callable[[dict[str, Any]], int],
    engine: Engine | None,
    watch: Watch | None,
) -> list[Record]:
    """Run a phase over shards, a task for each language, into OUTPUT/data; `mark` tells when a shard has changed."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for shard in shards:
        groups.setdefault(shard["language"], []).append(shard)
    tasks = [
        Task(language, tuple(map(mark, some)), some, sum(map(size, some))) for language, some in sorted(groups.items())
    ]
    vouchers = (storage.join(output, "manifest.json"),)
    phase = replace(phase, place=storage.join(output, "data"), vouchers=vouchers)
    mark_work(storage.join(output, WORK))
    return phase.run(engine or Engine(), storage.join(output, WORK), tasks, watch)


def read_tokens_manifest(tokens: str) -> dict[str, Any]:
    """The manifest of token shards. Raises InputError."""
    path = storage.join(tokens, "manifest.json")
    try:
        manifest: dict[str, Any] = storage.read_json(path)
        if manifest["format"] != 1 or not manifest["shards"]:
            raise ValueError("it is of another format, or lists no shard")
        manifest["digest"], manifest["tokenizer"]["vocabulary_size"], manifest["tokenizer"]["eos_id"]
        for shard in manifest["shards"]:
            shard["path"], shard["language"], shard["digest"], shard["tokens"]
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(path, "no such file", "Give the output folder of `openroots encode`") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"is not a manifest of token shards ({error})", _REMEDY) from error
    return manifest


def _manifest(source: dict[str, Any], packing: Packing, records: Sequence[Record]) -> dict[str, Any]:
    length = packing.sequence_length
    languages = {}
    for record in records:
        languages[record.task] = {
            part: {**record.data[part], "sequences": max(0, record.data[part]["tokens"] - 1) // length}
            for part in PARTS
        }
    files = sorted([f"data/{file.path}", file.digest] for record in records for file in record.files)
    return {
        "format": FORMAT,
        "digest": digest_of([files, length]),
        "sequence_length": length,
        "vocabulary_size": source["tokenizer"]["vocabulary_size"],
        "eos_id": packing.eos_id,
        "tokenizer": source["tokenizer"],
        "tokens_digest": source["digest"],
        "corpus": source.get("corpus"),
        "languages": languages,
        "files": files,
    }


def _copy_tokenizer(source: str, target: str) -> None:
    fs, inner = storage.filesystem(source)
    root = fs._strip_protocol(inner).rstrip("/")
    for path in fs.find(root) if fs.exists(inner) else []:
        with storage.create(storage.join(target, path[len(root) + 1 :])) as stream:
            stream.write(fs.cat_file(path))


def far_off(manifest: dict[str, Any], held_out: float) -> list[str]:
    """Languages whose held-out part is less than half or more than twice the share asked for, told for the user."""
    lines = []
    for language, figures in manifest["languages"].items():
        held, trained = (figures[part]["tokens"] for part in ("held_out", "train"))
        share = held / max(1, held + trained)
        if held_out and not held_out / 2 <= share <= 2 * held_out:
            documents = sum(figures[part]["documents"] for part in PARTS)
            lines.append(
                f"{language}: {share:.1%} of its tokens are held out, not {held_out:.1%}: it has {documents:,} "
                f"document{'s' * (documents != 1)}, and a document is held out whole or not at all"
            )
    return lines


def ids_of(column: pa.Array, path: str) -> np.ndarray:
    """uint8 of shape (rows, 16) of ids. Raises InputError."""
    ids = binary_ids(column)
    if ids is None:
        raise InputError(path, "holds an id that is not 32 hexadecimal digits", _REMEDY)
    whole = np.frombuffer(ids.buffers()[1], np.uint8)
    return whole[16 * ids.offset : 16 * (ids.offset + len(ids))].reshape(-1, 16)


def _flat(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """(ids uint32, borders int64 of shape (rows + 1,)) of a batch's documents, borders counted from the first id."""
    column = batch["input_ids"]
    borders = column.offsets.to_numpy()
    return column.flatten().to_numpy(), borders - borders[0]


def _with_eos(flat: np.ndarray, borders: np.ndarray, keep: np.ndarray, eos: int) -> np.ndarray:
    """Ids of the documents to keep, each followed by eos."""
    rows = np.repeat(keep, np.diff(borders))
    ends = np.cumsum(np.diff(borders)[keep])
    return np.insert(flat[rows], ends, eos)


def write_header(stream: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Begin a `.npy` file."""
    npy.write_array_header_2_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})  # type: ignore[no-untyped-call]
