"""Near-duplicates: signatures of what is left, and the bands that send them to partitions; see `pairs` for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.models import Deduplication
from pipeline.deduplication.keys import ShardInput, still_in
from pipeline.deduplication.lines import have_words
from pipeline.deduplication.minhash import CODE, band_hashes, signatures
from pipeline.deduplication.packing import pack_records
from pipeline.deduplication.records import (
    BAND,
    CUT,
    DOCUMENT,
    KEYED,
    Shard,
    Span,
    nodes,
    read_records,
    read_span,
    rows_of,
    shards_of,
)
from pipeline.deduplication.recurring import RecurringLines
from pipeline.deduplication.sieve import Passing
from pipeline.deduplication.sorting import sorted_order
from pipeline.runtime import storage
from pipeline.runtime.phases import Task, TaskFolder
from pipeline.text.columns import text_buffers


@dataclass(frozen=True)
class SignaturePayload:
    """What `SignDocuments` reads: recurring lines are files of sorted hashes by source."""

    shard_input: ShardInput
    shard: Shard
    losers: tuple[str, ...]
    recurring: dict[str, str]


@dataclass
class SignDocuments:
    """The task that cuts recurring lines from a shard's texts and signs what is left.

    The cut texts are not kept: the stage that writes documents cuts again. Writes `.cuts` (records CUT, for documents
    that lost lines), and, if `near`, `.rows` (uint32), `.signatures` (uint32, a signature for each of these rows) and
    `.bands` (records BAND, sorted).
    """

    settings: Deduplication

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Leaves the numbers of signatures and of bands."""
        payload: SignaturePayload = task.payload
        recurring = RecurringLines(payload.recurring)
        taken = still_in(payload.shard, payload.losers)
        modes = read_records(payload.shard.documents, DOCUMENT)["mode"]
        cuts, rows, signed = [], [], []
        row = 0
        with storage.open_stream(payload.shard_input.path, columns=("text", "source")) as reader:
            for batch in reader:
                here = row + np.flatnonzero(taken[row : row + batch.num_rows])
                texts, sources = batch["text"], batch["source"]
                if len(here) < batch.num_rows:
                    texts, sources = (column.take(pa.array(here - row)) for column in (texts, sources))
                left = recurring.cut(texts, sources, modes[here] == CODE)
                cuts.append(_cuts(texts, left, here))
                if self.settings.near:
                    values, shingles = self._signatures(left, modes[here])
                    rows.append(here[shingles > 0])
                    signed.append(values[shingles > 0])
                row += batch.num_rows
        with folder.binary(".cuts") as stream:
            stream.write(np.concatenate([*cuts, np.zeros(0, CUT)]).tobytes())
        if self.settings.near:
            write_signatures(folder, np.concatenate([*rows, np.zeros(0, np.int64)]), signed, self.settings)

    def _signatures(self, texts: pa.LargeStringArray, modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        settings = self.settings
        return signatures(texts, modes, count=settings.permutations, seed=settings.seed, ngram=settings.ngram)


def write_signatures(
    folder: TaskFolder, rows: np.ndarray, signed: Sequence[np.ndarray], settings: Deduplication
) -> None:
    """Write the files of a shard's signatures: `rows`, and the signatures of these rows in parts."""
    values = np.concatenate([*signed, np.zeros((0, settings.permutations), np.uint32)])
    bands = np.empty(values.shape[0] * settings.bands, BAND)
    bands["hash"] = band_hashes(values, settings.bands).ravel()
    bands["row"] = np.repeat(rows, settings.bands)
    for suffix, content in (
        (".rows", rows.astype("<u4")),
        (".signatures", values.astype("<u4", copy=False)),
        (".bands", bands[sorted_order([bands["hash"], bands["row"]])]),
    ):
        with folder.binary(suffix) as stream:
            stream.write(content.tobytes())
    folder.data["signatures"], folder.data["bands"] = len(rows), len(bands)


def _cuts(before: pa.LargeStringArray, after: pa.LargeStringArray, rows: np.ndarray) -> np.ndarray:
    if after is before:
        return np.zeros(0, CUT)
    sizes = np.diff(text_buffers(after)[0])
    lost = np.diff(text_buffers(before)[0]) - sizes
    changed = np.flatnonzero(lost)
    cuts = np.zeros(len(changed), CUT)
    cuts["row"], cuts["bytes"] = rows[changed], lost[changed]
    doubtful = np.flatnonzero(~have_words(after)[changed])  # the others need not be copied to be trimmed
    left = pc.binary_length(pc.utf8_trim_whitespace(after.take(pa.array(changed[doubtful])))).to_numpy()
    cuts["nothing_left"][doubtful] = left == 0
    return cuts


@dataclass(frozen=True)
class Signed:
    """A shard's files of signatures."""

    shard: Shard
    rows: str
    signatures: str
    bands: str


_UNSENT_BITS = np.uint64(8)
"""Of a band's hash: documents whose bands agree by chance are told apart by their signatures."""


class ReadBands:
    """The bands of a shard (`sieve.Keys`): its payload is its files of signatures and the number of its bands."""

    field: ClassVar[str] = "hash"

    def load(self, payload: tuple[Signed, int], span: Span) -> tuple[int, np.ndarray]:
        """Position of the shard, and records BAND, sorted."""
        signed, bands = payload
        return signed.shard.position, read_span(signed.bands, BAND, range(bands), span)

    def hashes(self, loaded: tuple[int, np.ndarray]) -> np.ndarray:
        """Those of bands."""
        return np.ascontiguousarray(loaded[1]["hash"])

    def records(self, loaded: tuple[int, np.ndarray], passing: Passing) -> np.ndarray:
        """Records KEYED."""
        position, bands = loaded
        part = bands[passing(self.hashes(loaded))]
        records = np.empty(len(part), KEYED)
        records["hash"], records["node"] = part["hash"], nodes(position, part["row"])
        return records

    def pack(self, records: np.ndarray) -> bytes:
        """The upper 56 bits of hashes; see `packing`."""
        records["hash"] >>= _UNSENT_BITS
        return pack_records(records)


def gather_signatures(signed: Sequence[Signed], numbers: np.ndarray, permutations: int) -> np.ndarray:
    """Signatures, uint32 (n, permutations), of documents by their sorted numbers; all of them have one."""
    out = np.empty((len(numbers), permutations), np.uint32)
    for position, mine in shards_of(numbers):
        rows = read_records(signed[position].rows, np.dtype("<u4"))
        values = read_records(signed[position].signatures, np.dtype("<u4")).reshape(len(rows), -1)
        out[mine] = values[np.searchsorted(rows, rows_of(numbers[mine]))]
    return out
