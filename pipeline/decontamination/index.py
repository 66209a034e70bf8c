"""The index of evaluation items: their distinct texts as weighted tokens, and where each seed of them occurs.

A *seed* is the shortest run of tokens, of at least two, that is as long as 2.7
English words. A token weighs as much as it says: its size times the inverse document frequency of the seeds around it,
so that a phrase that many items share ("Which of the following is true?") counts for little.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.decontamination.items import Item
from pipeline.decontamination.tokens import folding, letters, tokenize
from pipeline.text.columns import text_buffers
from pipeline.text.hashing import M1

SEED_SIZE = 270
"""Hundredths of an English word. Longer seeds are lost to typing mistakes, shorter ones are in any text."""
SEED_TOKENS = 2
POSTINGS_MAX = 128
"""A seed of more texts than this is a template's, and starts nothing."""
TOKEN_LETTERS = 24
"""Letters of a token that are compared where it is mistyped."""
BASE = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
POWERS = np.array([pow(int(BASE), exponent, 1 << 64) for exponent in range(64)], np.uint64)
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class Texts:
    """Distinct texts as tokens: `offsets` int64 (texts + 1,) into `hashes` (uint64) and `weights` (float32);
    `letter_offsets` int64 (tokens + 1,) into `letters` (uint32); `words` float32 (texts,): their weights added up, in
    English words.
    """

    offsets: np.ndarray
    hashes: np.ndarray
    weights: np.ndarray
    letter_offsets: np.ndarray
    letters: np.ndarray
    words: np.ndarray


@dataclass(frozen=True)
class Seeds:
    """Where seeds occur: `bits` (uint64) says fast that one is in no item; `keys` and `places` are a hash table with
    open addressing; postings of place p are offsets[p] to offsets[p + 1] of `texts`, `ends` (the seed's last token) and
    `lengths` (tokens).
    """

    bits: np.ndarray
    keys: np.ndarray
    places: np.ndarray
    offsets: np.ndarray
    texts: np.ndarray
    ends: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Watched:
    """An item by the numbers of its texts; −1: it has none. `record` is for people."""

    set: str
    id: str
    question: int
    answers: tuple[int, ...]
    passage: int
    is_mark: bool
    record: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Index:
    """All that the search for items needs."""

    texts: Texts
    seeds: Seeds
    items: tuple[Watched, ...]

    @cached_property
    def items_of(self) -> dict[int, list[int]]:
        """Text → items that it is a part of."""
        found: dict[int, list[int]] = {}
        for number, item in enumerate(self.items):
            for text in {item.question, *item.answers, item.passage} - {-1}:
                found.setdefault(text, []).append(number)
        return found

    def save(self, stream: Any) -> None:
        """Write it to a binary stream."""
        arrays = {f"texts.{name}": value for name, value in vars(self.texts).items()}
        arrays |= {f"seeds.{name}": value for name, value in vars(self.seeds).items()}
        lines = "\n".join(json.dumps(vars(item), ensure_ascii=False) for item in self.items)
        arrays["items"] = np.frombuffer(lines.encode("utf-8", "surrogatepass"), np.uint8)
        for name in sorted(arrays):
            value = np.ascontiguousarray(arrays[name])
            head = json.dumps([name, value.dtype.str, len(value)]).encode() + b"\n"
            stream.write(head)
            stream.write(value.tobytes())

    @classmethod
    def load(cls, content: bytes) -> "Index":
        """Read what `save` wrote."""
        arrays: dict[str, np.ndarray] = {}
        at = 0
        while at < len(content):
            end = content.index(b"\n", at)
            name, kind, count = json.loads(content[at:end])
            arrays[name] = np.frombuffer(content, np.dtype(kind), count, end + 1)
            at = end + 1 + arrays[name].nbytes
        items = []
        for line in arrays["items"].tobytes().decode("utf-8", "surrogatepass").split("\n"):
            if line:
                entry = json.loads(line)
                items.append(Watched(**entry | {"answers": tuple(entry["answers"])}))
        parts = {
            group: {name.split(".")[1]: value for name, value in arrays.items() if name.startswith(f"{group}.")}
            for group in ("texts", "seeds")
        }
        return cls(Texts(**parts["texts"]), Seeds(**parts["seeds"]), tuple(items))


def build_index(items: Iterable[Item]) -> Index:
    """The index of items; two whose texts are the same are one, under the first one's name."""
    numbers: dict[str, int] = {}
    watched: list[Watched] = []
    seen: set[tuple[Any, ...]] = set()
    for item in items:
        texts = [item.question, *item.answers, item.passage]
        places = tuple(numbers.setdefault(text, len(numbers)) if text.strip() else -1 for text in texts)
        if places in seen:
            continue
        seen.add(places)
        record = {"question": item.question, "answers": list(item.answers), "passage": item.passage}
        watched.append(Watched(item.set, item.id, places[0], places[1:-1], places[-1], item.is_mark, record))
    clean = [text.encode("utf-8", "replace").decode() for text in numbers]
    found, sizes = _tokens(clean)
    seeds, weights = _seeds(found, sizes)
    borders = zip(found.offsets[:-1], found.offsets[1:], strict=True)
    words = np.array([weights[start:stop].sum() for start, stop in borders], np.float32)
    whole = Texts(found.offsets, found.hashes, weights, found.letter_offsets, found.letters, words)
    return Index(whole, seeds, tuple(watched))


def words_of(texts: Sequence[str]) -> np.ndarray:
    """How long texts are in English words, float64 (n,)."""
    found, sizes = _tokens([text.encode("utf-8", "replace").decode() for text in texts])
    summed = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    words: np.ndarray = np.diff(summed[found.offsets]) / 100
    return words


def _tokens(texts: Sequence[str]) -> tuple[Texts, np.ndarray]:
    """Texts as tokens, not yet weighed; and the sizes of these."""
    known = folding()
    parts: list[tuple[np.ndarray, ...]] = []
    chunk: list[str] = []
    held = 0
    for number, text in enumerate(texts):
        chunk.append(text)
        held += 4 * len(text)
        if held > _CHUNK_BYTES or number == len(texts) - 1:
            offsets, data = text_buffers(pa.array(chunk, pa.large_string()))
            parts.append(_token_columns(offsets, data, known.fold, known.several, known.single, known.size))
            chunk, held = [], 0
    if not parts:
        empty = np.zeros(0, np.uint64)
        parts = [(np.zeros(0, np.int64), empty, np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.uint32))]
    counts, hashes, sizes, lengths, folded = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    letter_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    none = np.zeros(0, np.float32)
    return Texts(offsets, hashes, none, letter_offsets, folded, none), sizes


@njit(cache=True, nogil=True)
def _token_columns(
    offsets: np.ndarray,
    data: np.ndarray,
    fold: np.ndarray,
    several: np.ndarray,
    single: np.ndarray,
    size: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    room = max(offsets[-1] - offsets[0], 1)
    hashes, starts, ends = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
    sizes = np.empty(room, np.int32)
    counts = np.zeros(len(offsets) - 1, np.int64)
    to = 0
    for row in range(len(offsets) - 1):
        counts[row] = tokenize(
            data, offsets[row], offsets[row + 1], fold, several, single, size,
            hashes[to:], starts[to:], ends[to:], sizes[to:],
        )  # fmt: skip
        to += counts[row]
    lengths, folded = np.zeros(to, np.int64), np.empty(3 * room, np.uint32)
    scratch = np.empty(TOKEN_LETTERS, np.uint32)
    at = 0
    for token in range(to):
        lengths[token] = letters(data, starts[token], ends[token], fold, several, scratch)
        for place in range(lengths[token]):
            folded[at] = scratch[place]
            at += 1
    return counts, hashes[:to].copy(), sizes[:to].copy(), lengths, folded[:at].copy()


@njit(cache=True, nogil=True)
def windows(
    hashes: np.ndarray, sizes: np.ndarray, count: int, powers: np.ndarray, prefix: np.ndarray, keys: np.ndarray,
    lengths: np.ndarray,
) -> None:  # fmt: skip
    """The seed that ends at each token: its hash, and its length in tokens; 0 where there is none.

    `prefix` is scratch, uint64 (count + 1,).
    """
    total: Any = np.int64(0)
    begin = 0
    prefix[0] = 0
    for end in range(count):
        prefix[end + 1] = prefix[end] * BASE + hashes[end]
        total += sizes[end]
        while total - sizes[begin] >= SEED_SIZE and end - begin >= SEED_TOKENS:
            total -= sizes[begin]
            begin += 1
        length = end + 1 - begin
        if total >= SEED_SIZE and length >= SEED_TOKENS:
            value = prefix[end + 1] - prefix[begin] * powers[length]
            value = (value ^ (value >> np.uint64(33))) * M1
            keys[end] = value ^ (value >> np.uint64(32))
            lengths[end] = length
        else:
            lengths[end] = 0


def _seeds(texts: Texts, sizes: np.ndarray) -> tuple[Seeds, np.ndarray]:
    """Where seeds occur, and the weights of tokens, float32."""
    count = len(texts.offsets) - 1
    keys, lengths = np.zeros(len(texts.hashes), np.uint64), np.zeros(len(texts.hashes), np.int64)
    for row in range(count):
        part = slice(texts.offsets[row], texts.offsets[row + 1])
        length = int(texts.offsets[row + 1] - texts.offsets[row])
        scratch = np.empty(length + 1, np.uint64)
        windows(texts.hashes[part], sizes[part], length, POWERS, scratch, keys[part], lengths[part])
    places = np.flatnonzero(lengths)
    owner = np.repeat(np.arange(count), np.diff(texts.offsets))
    ends = np.arange(len(keys)) - np.repeat(texts.offsets[:-1], np.diff(texts.offsets))
    order = places[np.lexsort([places, keys[places]])]
    unique, first, inverse = np.unique(keys[order], return_index=True, return_inverse=True)
    borders = np.append(first, len(order))
    frequency = _frequencies(owner[order], inverse, len(unique))
    weights = _weights(len(keys), order, lengths, frequency[inverse], count, sizes)
    kept = frequency <= POSTINGS_MAX
    order = order[kept[inverse]]
    offsets = np.concatenate([[0], np.cumsum(np.diff(borders)[kept])]).astype(np.int64)
    table_keys, table_places, bits = _table(unique[kept])
    return (
        Seeds(bits, table_keys, table_places, offsets, owner[order].astype(np.int32), ends[order].astype(np.int32),
              lengths[order].astype(np.int32)),
        weights,
    )  # fmt: skip


def _frequencies(owners: np.ndarray, seeds: np.ndarray, count: int) -> np.ndarray:
    """In how many texts each seed occurs, int64."""
    pairs = np.unique(np.stack([seeds, owners], axis=1), axis=0) if len(seeds) else np.zeros((0, 2), np.int64)
    return np.bincount(pairs[:, 0], minlength=count)


def _weights(
    tokens: int, ends: np.ndarray, lengths: np.ndarray, frequency: np.ndarray, texts: int, sizes: np.ndarray
) -> np.ndarray:
    """Size of each token times the mean inverse document frequency of the seeds that hold it, 1 for a seed of one text;
    in English words.
    """
    rarity = np.log((texts + 1) / np.maximum(frequency, 1)) / np.log(texts + 1)
    sums, counts = np.zeros(tokens + 1), np.zeros(tokens + 1)
    begins = ends + 1 - lengths[ends]
    for target, value in ((sums, rarity), (counts, np.ones(len(ends)))):
        np.add.at(target, begins, value)
        np.add.at(target, ends + 1, -value)
    sums, counts = np.cumsum(sums)[:-1], np.cumsum(counts)[:-1]
    mean = np.where(counts > 0.5, sums / np.maximum(counts, 1), 1.0)
    return (np.clip(mean, 0.02, 1.0) * sizes / 100).astype(np.float32)


def _table(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bits = max(4, int(2 * len(keys)).bit_length())
    table_keys, places = np.zeros(1 << bits, np.uint64), np.full(1 << bits, -1, np.int64)
    filter_bits = max(10, min(int(16 * len(keys)).bit_length(), 31))
    filled = np.zeros(1 << (filter_bits - 6), np.uint64)
    _fill(keys, table_keys, places, filled, bits, filter_bits)
    return table_keys, places, filled


@njit(cache=True, nogil=True)
def _fill(
    keys: np.ndarray, table: np.ndarray, places: np.ndarray, filled: np.ndarray, bits: int, filter_bits: int
) -> None:
    mask = len(table) - 1
    for number in range(len(keys)):
        key = keys[number]
        bit = key >> np.uint64(64 - filter_bits)
        filled[bit >> np.uint64(6)] |= _ONE << (bit & np.uint64(63))
        slot = np.int64(key & np.uint64(mask))
        while places[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = key
        places[slot] = number
