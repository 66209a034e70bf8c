"""Learn BPE merges from a word table: the merges and ids of Hugging Face `tokenizers`' `BpeTrainer`, in numba.

Byte pair encoding (Sennrich et al. 2016) over bytes: the most frequent pair of neighbouring symbols becomes a symbol,
again and again. Counts of pairs are kept up to date from the words a merge touches; a heap with lazy deletion gives
the next pair; ties go to the smaller pair of ids. Two quirks of the library are kept, since ids must be equal: a merge
that spells a token which is already there takes that token's id (a special token's too), and the pair's own count
stays as it was, so such a pair may be merged again later; the library then keeps the later rank.

Memory follows the number of distinct words and their bytes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from configs.errors import ConfigurationError
from pipeline.runtime import storage
from pipeline.text.columns import text_buffers
from tokenizer import merge_kernels as kernels
from tokenizer.merge_kernels import Scratch, State
from tokenizer.settings import SPECIAL_TOKENS, VOCABULARY_SIZE

STEP_WORDS = 2_000_000
"""Words looked at between two reports of progress."""
CHECKPOINT_SECONDS = 120.0


@dataclass(frozen=True)
class Progress:
    """How far learning is: merges made, tokens there, tokens wanted, seconds of this run."""

    merges: int
    tokens: int
    wanted: int
    seconds: float
    rate: float
    """Merges a second, in this run."""


@dataclass(frozen=True)
class Merges:
    """What has been learnt.

    tokens          bytes of each token by id; of a special token the UTF-8 of its name
    merges          int32 (m, 3): first id, second id, id made; by rank, each pair once
    special_tokens  names; they have the first ids
    wanted          tokens asked for; `len(tokens)` are fewer where the words yield no more
    rarest          0, or the `count_min` below which all pairs are that were left
    """

    tokens: list[bytes]
    merges: np.ndarray
    special_tokens: tuple[str, ...]
    wanted: int
    rarest: int = 0

    @property
    def is_full(self) -> bool:
        """Whether there are as many tokens as were asked for."""
        return len(self.tokens) >= self.wanted

    def shortage(self) -> str:
        """What to tell a user whose text yields too few tokens; empty where it does not."""
        if self.is_full:
            return ""
        cause = (
            f"no pair is left that occurs {self.rarest:,} times" if self.rarest else "every word is one token by then"
        )
        return (
            f"the text yields {len(self.merges):,} merges, a vocabulary of {len(self.tokens):,} tokens instead of "
            f"{self.wanted:,}: {cause}. Train on more text, {'lower count_min, ' if self.rarest else ''}or ask for "
            f"--vocab-size {len(self.tokens)}"
        )


@lru_cache(1)
def byte_characters() -> tuple[str, ...]:
    """The character that stands for each byte in byte-level BPE (GPT-2's mapping): printable bytes for themselves."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte) if byte in plain else chr(next(others)) for byte in range(256))


def learn_merges(
    words: pa.RecordBatch,
    vocabulary_size: int = VOCABULARY_SIZE,
    special_tokens: Sequence[str] = SPECIAL_TOKENS,
    count_min: int = 0,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: str | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Merges:
    """Learn byte-level BPE from a word table (schema `count.WORDS`) of distinct words.

    `vocabulary_size` includes special tokens and the 256 bytes. Pairs rarer than `count_min` are not merged. The file
    `checkpoint` gets the state every `checkpoint_seconds`; where it is there and belongs to these words and settings,
    learning resumes from it, to the same result; the file stays. Raises ConfigurationError, OutputError.
    """
    smallest = len(set(special_tokens)) + 256
    if vocabulary_size < smallest:
        raise ConfigurationError(
            f"vocabulary size {vocabulary_size}: it holds the 256 bytes and {smallest - 256} special tokens; "
            f"ask for {smallest} or more"
        )
    if (pc.min(words["count"]).as_py() or 0) <= 0:
        words = words.filter(pc.greater(words["count"], 0))
    fingerprint = _fingerprint(words, special_tokens)
    # States are passed on without a name here: what learning has replaced must not be kept by this frame.
    saved = _read_checkpoint(checkpoint, fingerprint, vocabulary_size) if checkpoint else None
    states = [saved or _first_state(words, special_tokens, vocabulary_size)]
    del words, saved
    state = _learn(states.pop(), vocabulary_size, count_min, progress, checkpoint, checkpoint_seconds, fingerprint)
    return _result(state, tuple(dict.fromkeys(special_tokens)), vocabulary_size, count_min)


def _learn(
    state: State,
    vocabulary_size: int,
    count_min: int,
    progress: Callable[[Progress], None] | None,
    checkpoint: str | None,
    checkpoint_seconds: float,
    fingerprint: str,
) -> State:
    scratch = kernels.scratch_for(vocabulary_size)
    started = saved = time.perf_counter()
    before = int(state.scalars[kernels.MERGES])
    while True:
        code = kernels.learn(state, scratch, vocabulary_size, count_min, STEP_WORDS)
        if code > kernels.EXHAUSTED:
            state, scratch = _grown(state, scratch, code)
            continue
        now = time.perf_counter()
        if progress:
            merges, tokens = int(state.scalars[kernels.MERGES]), int(state.scalars[kernels.TOKENS])
            seconds = now - started
            progress(Progress(merges, tokens, vocabulary_size, seconds, (merges - before) / max(seconds, 1e-9)))
        if code != kernels.PAUSED:
            return state
        if checkpoint and now - saved >= checkpoint_seconds:
            _write_checkpoint(checkpoint, state, fingerprint)
            saved = time.perf_counter()


def _first_state(words: pa.RecordBatch, special_tokens: Sequence[str], vocabulary_size: int) -> State:
    offsets, data = text_buffers(words["word"])
    counts = words["count"].to_numpy().astype(np.int64)
    text, text_offsets, slots, byte_ids = _alphabet(special_tokens, vocabulary_size)
    totals, sizes = np.zeros(1 << 16, np.int64), np.zeros(1 << 16, np.int64)
    kernels.count_first_pairs(data, offsets, counts, totals, sizes)
    begins = np.concatenate([[0], np.cumsum(sizes)])
    places = _room(int(begins[-1]), 2)
    kernels.place_first_pairs(data, offsets, begins[:-1].copy(), places)
    present = np.flatnonzero(sizes)
    keys = byte_ids[present >> 8] << 32 | byte_ids[present & 0xFF]
    # As many pairs as will ever be waiting, on real text; memory that is never written to costs nothing.
    room = 4 * len(present) + int(offsets[-1] - offsets[0]) // 4 + 4096
    scalars = np.zeros(kernels.SCALARS, np.int64)
    scalars[kernels.PLACES] = begins[-1]
    scalars[kernels.TOKENS] = int(byte_ids.max()) + 1 if len(byte_ids) else 0
    state = State(
        byte_ids.astype(np.int32)[data[offsets[0] : offsets[-1]]],
        offsets - offsets[0],
        np.diff(offsets).astype(np.int32),
        counts,
        _empty_pairs(8 * len(present) + 4096),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int32),
        places,
        text,
        text_offsets,
        slots,
        np.empty((vocabulary_size, 3), np.int32),
        scalars,
    )
    kernels.queue_first_pairs(state, keys, totals[present], begins[:-1][present], sizes[present])
    return state


def _alphabet(
    special_tokens: Sequence[str], vocabulary_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Text, offsets and slots of the first tokens, and the id of each byte: special tokens, then bytes by character."""
    characters = byte_characters()
    byte_of = {character: byte for byte, character in enumerate(characters)}
    names = list(dict.fromkeys([*special_tokens, *sorted(characters)]))
    # A special token that is not written in the alphabet can never be spelt by a merge.
    spelt = [all(character in byte_of for character in name) for name in names]
    texts = [bytes(map(byte_of.__getitem__, n)) if ok else n.encode() for n, ok in zip(names, spelt, strict=True)]
    text = np.zeros(64 * vocabulary_size + sum(map(len, texts)), np.uint8)
    joined = np.frombuffer(b"".join(texts), np.uint8)
    text[: len(joined)] = joined
    offsets = np.zeros(vocabulary_size + 1, np.int64)
    offsets[1 : len(texts) + 1] = np.cumsum([len(one) for one in texts])
    slots = np.full(1 << (2 * vocabulary_size).bit_length(), -1, np.int32)
    for number in np.flatnonzero(spelt):
        kernels.add_token(text, offsets, slots, number)
    ids = {name: number for number, name in enumerate(names)}
    byte_ids = np.array([ids[character] for character in characters], np.int64)
    return text, offsets, slots, byte_ids


def _result(state: State, special_tokens: tuple[str, ...], wanted: int, count_min: int) -> Merges:
    scalars = state.scalars
    offsets = state.text_offsets[: scalars[kernels.TOKENS] + 1].tolist()
    text = state.text[: offsets[-1]].tobytes()
    tokens = [text[begin:end] for begin, end in pairwise(offsets)]
    merges = state.merges[: scalars[kernels.MERGES]]
    keys = merges[:, 0].astype(np.int64) << 32 | merges[:, 1]
    last = len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]
    rarest = count_min if len(tokens) < wanted and scalars[kernels.QUEUE] else 0
    return Merges(tokens, merges[np.sort(last)].copy(), special_tokens, wanted, rarest)


def _empty_pairs(at_least: int) -> np.ndarray:
    pairs = np.zeros((1 << (at_least - 1).bit_length(), 2), np.int64)
    pairs[:, 0] = -1
    return pairs


def _grown(state: State, scratch: Scratch, code: int) -> tuple[State, Scratch]:
    """State and scratch with more room in what `code` says is short."""
    scalars = state.scalars
    found = int(scalars[kernels.GROUPS])
    if code == kernels.NEED_CHANGES:
        longest = int(state.lengths.max())
        return state, scratch._replace(changes=_resized(scratch.changes, 2 * len(scratch.changes) + longest))
    if code == kernels.NEED_PAIRS:
        changed = found + int(scalars[kernels.LEFT] + scalars[kernels.RIGHT])
        pairs = _empty_pairs((int(np.count_nonzero(state.pairs[:, 1])) + changed) * 3 // 2)
        scalars[kernels.PAIRS] = kernels.rehash(state.pairs, pairs)
        return state._replace(pairs=pairs), scratch
    if code == kernels.NEED_QUEUE:
        names = ("queue_counts", "queue_keys", "queue_starts", "queue_sizes")
        room = len(state.queue_counts) * 3 // 2 + found
        return state._replace(**{name: _resized(getattr(state, name), room) for name in names}), scratch
    if code == kernels.NEED_PLACES:
        return _more_places(state), scratch
    if code == kernels.NEED_MERGES:
        return state._replace(merges=_resized(state.merges, 2 * len(state.merges) + 4096)), scratch
    longest = int(np.diff(state.text_offsets[: scalars[kernels.TOKENS] + 1]).max())
    return state._replace(text=_resized(state.text, 2 * len(state.text) + 2 * longest)), scratch


def _more_places(state: State) -> State:
    """Close the gaps that merges left in `places`, and in `symbols` once a quarter is gone; then take more room."""
    scalars, size = state.scalars, state.scalars[kernels.QUEUE]
    live = int(state.lengths.sum())
    if 4 * live < 3 * len(state.symbols):
        symbols = kernels.live_symbols(state.symbols, state.starts, state.lengths)
        state = state._replace(symbols=symbols, starts=_starts(state.lengths))
    order = np.argsort(state.queue_starts[:size], kind="stable")
    scalars[kernels.PLACES] = kernels.compact(state.places, state.queue_starts, state.queue_sizes, order)
    wanted = int(scalars[kernels.PLACES] + scalars[kernels.CHANGES])
    reserved = state.places if state.places.base is None else state.places.base
    if _with_slack(wanted) > len(reserved):
        places = _room(wanted, 2)
        places[:wanted] = reserved[:wanted]
        return state._replace(places=places)
    return state._replace(places=reserved[: _with_slack(wanted)])


def _room(used: int, times: int) -> np.ndarray:
    """Places for a quarter more than are used, of an array that reserves several times as many.

    What is reserved and never written to takes no memory, and room can be added later without a copy.
    """
    return np.empty(times * _with_slack(used), np.int32)[: _with_slack(used)]


def _with_slack(used: int) -> int:
    return used * 5 // 4 + 1024


def _starts(lengths: np.ndarray) -> np.ndarray:
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _resized(array: np.ndarray, rows: int) -> np.ndarray:
    larger = np.empty((rows, *array.shape[1:]), array.dtype)
    larger[: min(rows, len(array))] = array[:rows]
    return larger


def _fingerprint(words: pa.RecordBatch, special_tokens: Sequence[str]) -> str:
    digest = xxhash.xxh3_128(repr(list(special_tokens)).encode())
    offsets, data = text_buffers(words["word"])
    for array in (offsets - offsets[0], data[offsets[0] : offsets[-1]], words["count"].to_numpy()):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _write_checkpoint(path: str, state: State, fingerprint: str) -> None:
    """Write what is alive of the state, compressed: a few bytes for each symbol that is left."""
    tokens = int(state.scalars[kernels.TOKENS])
    order = np.argsort(state.queue_starts[: state.scalars[kernels.QUEUE]], kind="stable")
    state.scalars[kernels.PLACES] = kernels.compact(state.places, state.queue_starts, state.queue_sizes, order)
    used = {"queue": kernels.QUEUE, "places": kernels.PLACES, "merges": kernels.MERGES}
    arrays = {}
    for name, array in state._asdict().items():
        rows = next((int(state.scalars[at]) for prefix, at in used.items() if name.startswith(prefix)), len(array))
        arrays[name] = array[:rows]
    arrays["symbols"] = kernels.live_symbols(state.symbols, state.starts, state.lengths)
    arrays["starts"] = np.empty(0, np.int64)  # sums of the lengths
    arrays["pairs"] = state.pairs[state.pairs[:, 0] >= 0]
    arrays["text"] = state.text[: state.text_offsets[tokens]]
    arrays["text_offsets"] = state.text_offsets[: tokens + 1]
    arrays["slots"] = state.slots[state.slots >= 0]
    fields = [pa.field(name, pa.large_binary(), metadata={"dtype": a.dtype.str}) for name, a in arrays.items()]
    schema = pa.schema(fields, metadata={"fingerprint": fingerprint})
    columns = [_bytes_of(array) for array in arrays.values()]
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with storage.create(path) as stream, pa.ipc.new_stream(stream, schema, options=options) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))


def _bytes_of(array: np.ndarray) -> pa.LargeBinaryArray:
    """An array's bytes as one Arrow value, not copied."""
    data = np.ascontiguousarray(array)
    borders = pa.py_buffer(np.array([0, data.nbytes], np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, borders, pa.py_buffer(data)])


def _read_checkpoint(path: str, fingerprint: str, vocabulary_size: int) -> State | None:
    """The state in a checkpoint; None where there is none, or it is damaged, of other words, or too far."""
    if not storage.exists(path):
        return None
    try:
        with storage.open_stream(path) as reader:
            if (reader.schema.metadata or {}).get(b"fingerprint") != fingerprint.encode():
                return None
            [batch] = reader
        arrays = {}
        for name, field in zip(batch.schema.names, batch.schema, strict=True):
            dtype = np.dtype(field.metadata[b"dtype"].decode())
            arrays[name] = np.frombuffer(batch[name].buffers()[2], dtype).copy()
        state = State(**arrays)
    except (ValueError, KeyError, TypeError, OSError):
        return None
    if state.scalars[kernels.TOKENS] > vocabulary_size:
        return None
    return _with_room_for(state, vocabulary_size)


def _with_room_for(state: State, vocabulary_size: int) -> State:
    """A state from a checkpoint, its vocabulary free to grow to this size, perhaps another than it was made for."""
    tokens = int(state.scalars[kernels.TOKENS])
    pairs = state.pairs.reshape(-1, 2)
    offsets = np.zeros(vocabulary_size + 1, np.int64)
    offsets[: tokens + 1] = state.text_offsets
    slots = np.full(1 << (2 * vocabulary_size).bit_length(), -1, np.int32)
    for number in state.slots:
        kernels.add_token(state.text, offsets, slots, number)
    table = _empty_pairs(2 * len(pairs) + 4096)
    kernels.rehash(pairs, table)
    merges = state.merges.reshape(-1, 3)
    return state._replace(starts=_starts(state.lengths), pairs=table, text_offsets=offsets, slots=slots, merges=merges)
