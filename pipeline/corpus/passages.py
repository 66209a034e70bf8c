"""Passages of text, whatever their case, spaces and punctuation: found at once through sketches, or by reading.

Text is compared as deduplication compares it: case-folded, letters, marks and digits only, as UTF-8. A *gram* is 8
bytes of that; of every 4 grams in a row the one with the smallest hash is *chosen*, so that any text which holds a
passage of at least 11 bytes has the passage's chosen grams. The *sketch* of a shard says, for each value of a hash,
which blocks of it (some MB of documents) chose a gram of that value: one row of bits a value, so that a search reads
a few bytes for each gram of the passage and then only the blocks that have them all. Work shards have sketches of what
the corpus does not have of them. A sketch holds no text, but whoever has it and a passage can tell that the passage is
there: it stands beside what it was made of, and goes with it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.corpus.reading import open_arrow
from pipeline.deduplication.characters import ONE, tables
from pipeline.deduplication.exact import FOLDED_MAX, folded
from pipeline.runtime import storage
from pipeline.runtime.phases import OutputFile, Phase, Task, TaskFolder
from pipeline.runtime.shards import Rows
from pipeline.text.columns import text_buffers

VERSION = 2
ENDING = ".passages"
GRAM, WINDOW = 8, 4
SHORTEST = GRAM + WINDOW - 1
"""Bytes of a normalised passage that sketches can answer for; shorter ones are looked for in all text."""

BLOCK_BYTES = 4 << 20
BITS_MIN, BITS_MAX = 1 << 10, 1 << 22
"""Rows of a sketch, about one a byte of the largest block: a fifth of the bits is set where a block is full, at an
eighth of the size of the text."""

_GRAMS_ASKED = 64
_MAGIC = b"openroots passages 1\n"
_SEPARATOR = 10  # a line break, which is in no normalised text
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def normal(text: str) -> bytes:
    """A passage as it is compared: case-folded letters, marks and digits, as UTF-8."""
    from pipeline.text.normal_form import to_nfc

    data, _ = fold(to_nfc(pa.array([text], pa.large_string())))
    return bytes(data[:-1])


def fold(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Texts as they are compared, uint8, each closed by a line break; and where each begins, int64 (n + 1,)."""
    offsets, data = text_buffers(texts.cast(pa.large_string()))
    known = tables()
    out = np.empty(3 * int(offsets[-1] - offsets[0]) + len(offsets) + FOLDED_MAX, np.uint8)  # U+0390: three characters
    starts = np.zeros(len(offsets), np.int64)
    size = _fold(offsets, data, known.utf8, known.fold, known.several, out, starts)
    return out[:size], starts


@njit(cache=True, nogil=True)
def _fold(
    offsets: np.ndarray,
    data: np.ndarray,
    utf8: np.ndarray,
    fold: np.ndarray,
    several: np.ndarray,
    out: np.ndarray,
    starts: np.ndarray,
) -> Any:
    to, room = np.uint64(0), np.uint64(len(out))
    for row in range(len(offsets) - 1):
        begin, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        _, to = folded(data, begin, end, utf8, fold, several, out, to, room)
        out[to] = _SEPARATOR
        to += ONE
        starts[row + 1] = to
    return to


def rows_with(texts: pa.Array, needles: Sequence[bytes]) -> np.ndarray:
    """Rows whose text holds one of the normalised passages, sorted, int64."""
    buffer, starts = fold(texts)
    data, found = buffer.tobytes(), set()
    for needle in needles:
        place = data.find(needle) if needle else -1
        while place >= 0:
            row = int(np.searchsorted(starts, place, "right")) - 1
            found.add(row)
            place = data.find(needle, int(starts[row + 1]))
    return np.array(sorted(found), np.int64)


_PIECE = 1 << 13
"""Bytes of folded text that are sketched at a time: they and their hashes stay in the processor's nearest cache."""
_GRAM_STATE = 4
"""Numbers carried from piece to piece: the gram, its hash, the smaller of the last two, and of the two before."""


@njit(cache=True, nogil=True)
def _sketch(
    offsets: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    utf8: np.ndarray,
    fold: np.ndarray,
    several: np.ndarray,
    marks: np.ndarray,
) -> None:
    """Set the bits of the chosen grams of some rows' texts in the marks of a block, uint8 (BITS_MAX / 8,)."""
    piece, hashes = np.empty(_PIECE + FOLDED_MAX, np.uint8), np.empty(_PIECE + FOLDED_MAX, np.uint64)
    state, none, room = np.empty(_GRAM_STATE, np.uint64), np.uint64(0), np.uint64(_PIECE)
    for number in range(len(rows)):
        row = rows[number]
        at, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        is_first = True
        while at < end:
            at, size = folded(data, at, end, utf8, fold, several, piece, none, room)
            _mark(hashes, _choose(piece, size, state, is_first, hashes), marks)
            is_first = False


@njit(cache=True, nogil=True)
def _choose(text: np.ndarray, size: Any, state: np.ndarray, is_first: bool, hashes: np.ndarray) -> Any:
    """Hashes of the chosen grams of text[:size], as often as they are chosen anew; returns their number.

    A long text comes in pieces, of which none but the last has fewer than SHORTEST bytes.
    """
    begin = np.uint64(0)
    gram, before, pair, earlier = state[0], state[1], state[2], state[3]
    if is_first:
        if size < SHORTEST:
            return np.uint64(0)
        gram = np.uint64(0)
        before = pair = earlier = np.uint64(0xFFFFFFFFFFFFFFFF)
        begin = np.uint64(SHORTEST - 1)
        for at in range(begin):
            gram = (gram << np.uint64(8)) | np.uint64(text[at])
            if at >= GRAM - 1:
                hashed = gram * _FACTOR
                hashed ^= hashed >> np.uint64(32)
                earlier, pair, before = pair, min(before, hashed), hashed
    count, last = np.uint64(0), np.uint64(0)
    for at in range(begin, size):
        gram = (gram << np.uint64(8)) | np.uint64(text[at])
        hashed = gram * _FACTOR
        hashed ^= hashed >> np.uint64(32)
        least = min(min(before, hashed), earlier)
        earlier, pair, before = pair, min(before, hashed), hashed
        hashes[count] = least
        # No branch: it would be mispredicted every other time
        count += np.uint64((least != last) | (at == begin))
        last = least
    state[0], state[1], state[2], state[3] = gram, before, pair, earlier
    return count


@njit(cache=True, nogil=True)
def _mark(hashes: np.ndarray, count: Any, marks: np.ndarray) -> None:
    """Set the bits of some hashes in the marks of a block."""
    for number in range(count):
        bit = (hashes[number] >> np.uint64(8)) & np.uint64(BITS_MAX - 1)
        marks[bit >> np.uint64(3)] |= np.uint8(np.uint64(1) << (bit & np.uint64(7)))


@njit(cache=True, nogil=True)
def _spread(marks: np.ndarray, matrix: np.ndarray, column: int) -> None:
    """Write the marks of eight blocks, uint8 (8, rows / 8), as one byte of each row of the matrix, uint8 (rows, ·)."""
    for number in range(marks.shape[1]):
        word = np.uint64(0)
        for block in range(8):
            word |= np.uint64(marks[block, number]) << np.uint64(8 * block)
        # The 8 by 8 bits, transposed: Warren, "Hacker's Delight", 7-3
        swapped = (word ^ (word >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
        word ^= swapped ^ (swapped << np.uint64(7))
        swapped = (word ^ (word >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
        word ^= swapped ^ (swapped << np.uint64(14))
        swapped = (word ^ (word >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
        word ^= swapped ^ (swapped << np.uint64(28))
        for place in range(8):
            matrix[8 * number + place, column] = (word >> np.uint64(8 * place)) & np.uint64(0xFF)


def _stride(blocks: int) -> int:
    """Bits of a row: whole bytes, or a part of one, so that the sketch of a small shard is small."""
    return next((bits for bits in (1, 2, 4) if blocks <= bits), (blocks + 7) // 8 * 8)


class _Sketcher:
    """Puts a sketch together from batches: blocks (first and stop of their batches), and the marks of each."""

    def __init__(self) -> None:
        self._blocks: list[list[int]] = []
        self._marks: list[np.ndarray] = []
        self._held = self._sketched = self._largest = 0

    def add(self, texts: pa.Array, rows: np.ndarray | None = None) -> None:
        """Add a batch of texts, of which all are sketched, or some `rows`, int64."""
        offsets, data = text_buffers(texts.cast(pa.large_string()))
        if not self._blocks or self._held >= BLOCK_BYTES:
            first = self._blocks[-1][1] if self._blocks else 0
            self._blocks.append([first, first])
            self._marks.append(np.zeros(BITS_MAX // 8, np.uint8))
            self._held = self._sketched = 0
        self._blocks[-1][1] += 1
        self._held += int(offsets[-1] - offsets[0])
        chosen = np.arange(len(offsets) - 1) if rows is None else rows
        known = tables()
        _sketch(offsets, data, chosen, known.utf8, known.fold, known.several, self._marks[-1])
        self._sketched += int((offsets[chosen + 1] - offsets[chosen]).sum())
        self._largest = max(self._largest, self._sketched)

    def finish(self, digest: str) -> bytes:
        """The sketch of the shard of this digest."""
        bits = min(BITS_MAX, max(BITS_MIN, 1 << round(math.log2(max(self._largest, 1)))))
        stride = _stride(len(self._blocks))
        head = {"bits": bits, "stride": stride, "blocks": self._blocks, "shard": digest}
        start = _MAGIC + json.dumps(head, separators=(",", ":")).encode() + b"\n"
        return start + self._matrix(bits, stride).tobytes()

    def _matrix(self, bits: int, stride: int) -> np.ndarray:
        """A row of `stride` bits for each of `bits` values of the hash, a column a block; uint8."""
        folded_marks = [np.bitwise_or.reduce(marks.reshape(-1, bits // 8)) for marks in self._marks]
        if stride == 1 and folded_marks:
            return folded_marks[0]
        matrix = np.zeros((bits, max(1, stride // 8)), np.uint8)
        for column in range(matrix.shape[1]):
            eight = np.zeros((8, bits // 8), np.uint8)
            for place, marks in enumerate(folded_marks[8 * column : 8 * column + 8]):
                eight[place] = marks
            _spread(eight, matrix, column)
        if stride < 8:
            rows = matrix.reshape(-1, 8 // stride)  # those that share a byte
            return np.bitwise_or.reduce([rows[:, place] << np.uint8(place * stride) for place in range(8 // stride)])
        return matrix


def sketch(path: str, digest: str) -> bytes:
    """The sketch of a shard; `digest` is the shard's, by which the two are known to belong together."""
    sketcher = _Sketcher()
    with open_arrow(path) as (_, batches):
        for batch in batches:
            sketcher.add(batch["text"])
    return sketcher.finish(digest)


def sketch_dropped(annotated: str, ledger: str, digest: str) -> bytes:
    """The sketch of those texts of a work shard that the corpus doesn't have as they are there: of documents that were
    dropped, and of those that lines were cut from. `ledger` has a row for each of its documents (schema LEDGER)."""
    sketcher = _Sketcher()
    columns = ("text", "bytes"), ("bytes_kept",)
    with (
        storage.open_stream(annotated, columns=columns[0]) as shard,
        storage.open_stream(ledger, columns=columns[1]) as entries,
    ):
        rows = Rows(entries)
        for batch in shard:
            kept = rows.take(batch.num_rows)["bytes_kept"]
            sketcher.add(batch["text"], np.flatnonzero(kept.to_numpy() < batch["bytes"].to_numpy()))
    return sketcher.finish(digest)


def candidates(path: str, digest: str, needles: Sequence[bytes]) -> set[int] | None:
    """Batches of a shard that may hold one of the passages, by its sketch; None where that cannot tell."""
    if any(len(needle) < SHORTEST for needle in needles) or not storage.exists(path):
        return None
    fs, inner = storage.filesystem(path)
    with fs.open(inner, "rb") as stream:
        start = stream.read(1 << 16)
        while b"\n" not in start[len(_MAGIC) :] and (more := stream.read(1 << 16)):
            start += more
        try:
            line = start[len(_MAGIC) : start.index(b"\n", len(_MAGIC))]
            head = json.loads(line)
            bits, blocks = int(head["bits"]), head["blocks"]
            stride = int(head.get("stride", (len(blocks) + 7) // 8 * 8))
            belongs = start.startswith(_MAGIC) and head["shard"] == digest and bits & (bits - 1) == 0
        except (ValueError, KeyError, TypeError):
            return None
        if not belongs:
            return None
        width, origin = (stride + 7) // 8, len(_MAGIC) + len(line) + 1
        found: set[int] = set()
        for needle in needles:
            row = np.ones(len(blocks), np.uint8)
            for hashed in _asked(needle):
                at = (hashed >> 8 & (bits - 1)) * stride
                stream.seek(origin + at // 8)
                read = np.unpackbits(np.frombuffer(stream.read(width), np.uint8), bitorder="little")
                row &= read[at % 8 : at % 8 + len(blocks)]
                if not row.any():
                    break
            places = np.flatnonzero(row)
            found |= {batch for place in places.tolist() for batch in range(*blocks[place])}
        return found


def _asked(needle: bytes) -> list[int]:
    """The chosen grams of a passage, a few of many."""
    data = np.frombuffer(needle, np.uint8)
    hashes, state = np.empty(len(data), np.uint64), np.empty(_GRAM_STATE, np.uint64)
    chosen = np.unique(hashes[: _choose(data, np.uint64(len(data)), state, True, hashes)]).tolist()
    return [int(value) for value in chosen[:: max(1, len(chosen) // _GRAMS_ASKED)]]


@dataclass
class SketchWork:
    """Sketches one shard of the corpus in the folder `output`."""

    output: str

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.passages`."""
        path, digest = task.payload
        storage.bring(storage.join(self.output, path))
        with folder.binary(ENDING) as stream:
            stream.write(sketch(storage.join(self.output, path), digest))


def sketch_phase(output: str, vouchers: tuple[str, ...] = ()) -> Phase:
    """The phase that sketches the shards of `output`, into `index/passages`."""
    place = storage.join(output, "index", "passages")
    return Phase("passages", {"version": VERSION}, SketchWork(output), place, vouchers)


def sketch_task(name: str, shard: OutputFile) -> Task:
    """The task that sketches a shard, under the name of the task that wrote it."""
    return Task(name, (shard.digest,), (f"data/{shard.path}", shard.digest), shard.bytes)


DROPPED = "dropped-passages"
"""Phase, and so folder of the work folder, with the sketches of what the corpus does not have."""


@dataclass
class SketchDroppedWork:
    """Sketches what the corpus doesn't have of a work shard."""

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.passages`."""
        with folder.binary(ENDING) as stream:
            stream.write(sketch_dropped(*task.payload))


def sketch_dropped_phase() -> Phase:
    """The phase that sketches what was dropped, into the work folder: with it go the sketches."""
    return Phase(DROPPED, {"version": VERSION}, SketchDroppedWork())


def sketch_path(corpus: str, shard: str) -> str:
    """Where the sketch of a shard (`data/sw/shard-….arrow`) lies."""
    folder, _, name = shard.removeprefix("data/").rpartition("/")
    return storage.join(corpus, "index", "passages", folder, name.partition(".")[0] + ENDING)


def dropped_path(work: str, shard: str) -> str:
    """Where the sketch of what was dropped of a work shard (`…/annotate/files/NAME.arrow`) lies."""
    name = shard.rpartition("annotate/files/")[2].removesuffix(".arrow")
    return storage.join(work, DROPPED, "files", name + ENDING)


def holds(texts: Any, needles: Sequence[bytes]) -> bool:
    """Whether any text of a column holds one of the passages."""
    return bool(len(rows_with(texts, needles)))
