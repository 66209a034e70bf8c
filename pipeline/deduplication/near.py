"""Near-duplicates: signatures of what is left, bands to partitions, candidate pairs verified, edges out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from configs.models import Deduplication
from pipeline import storage
from pipeline.columns import decode
from pipeline.deduplication.keys import ShardInput, still_in
from pipeline.deduplication.lines import cut_lines
from pipeline.deduplication.minhash import CODE, band_hashes, signatures
from pipeline.deduplication.records import (
    BAND,
    CUT,
    DOCUMENT,
    EDGE,
    KEYED,
    Shard,
    nodes,
    partition_of,
    read_records,
    rows_of,
    split,
)
from pipeline.phases import Task, TaskFolder

BUCKET_ALL_PAIRS_MAX = 50
"""In a bucket of more documents each is compared with leaders only: a bucket of n costs n × LEADERS_MAX, not n²."""
LEADERS_MAX = 64
GATHERED_ROWS = 1 << 16
"""Signatures held at once while pairs are verified: 29 MB at 112 permutations."""


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

    The cut texts are not kept: whoever writes documents cuts again. Writes `.cuts` (records CUT, for documents that
    lost lines), and, if `near`, `.rows` (uint32), `.signatures` (uint32, a signature for each of these rows) and
    `.bands` (records BAND, sorted).
    """

    settings: Deduplication

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Leaves the numbers of signatures and of bands."""
        payload: SignaturePayload = task.payload
        recurring = {name: read_records(path, np.dtype("<u8")) for name, path in payload.recurring.items()}
        taken = still_in(payload.shard, payload.losers)
        modes = read_records(payload.shard.documents, DOCUMENT)["mode"]
        cuts, rows, signed = [], [], []
        row = 0
        with storage.open_stream(payload.shard_input.path) as reader:
            for batch in reader:
                here = row + np.flatnonzero(taken[row : row + batch.num_rows])
                texts = batch["text"].take(pa.array(here - row))
                sources = batch["source"].take(pa.array(here - row))
                left = _without_lines(texts, decode(sources), modes[here], recurring)
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
        (".bands", bands[np.lexsort([bands["row"], bands["hash"]])]),
    ):
        with folder.binary(suffix) as stream:
            stream.write(content.tobytes())
    folder.data["signatures"], folder.data["bands"] = len(rows), len(bands)


def _without_lines(
    texts: pa.LargeStringArray, sources: pa.StringArray, modes: np.ndarray, recurring: dict[str, np.ndarray]
) -> pa.LargeStringArray:
    for source in pc.unique(sources).to_pylist():
        if source in recurring:
            mine = pc.and_(pc.equal(sources, source), pa.array(modes != CODE))
            texts = pc.replace_with_mask(texts, mine, cut_lines(texts.filter(mine), recurring[source]))
    return texts


def _cuts(before: pa.LargeStringArray, after: pa.LargeStringArray, rows: np.ndarray) -> np.ndarray:
    lost = (pc.binary_length(before).to_numpy() - pc.binary_length(after).to_numpy()).astype(np.int64)
    changed = np.flatnonzero(lost)
    cuts = np.zeros(len(changed), CUT)
    cuts["row"], cuts["bytes"] = rows[changed], lost[changed]
    left = pc.binary_length(pc.utf8_trim_whitespace(after.take(pa.array(changed)))).to_numpy()
    cuts["nothing_left"] = left == 0
    return cuts


@dataclass(frozen=True)
class Signed:
    """A shard's files of signatures."""

    shard: Shard
    rows: str
    signatures: str
    bands: str


def read_bands(signed: Signed, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    """A shard's bands as records KEYED by partition: slices of its sorted file."""
    bands = read_records(signed.bands, BAND)
    hashes = np.ascontiguousarray(bands["hash"])
    where = partition_of(hashes, partitions)
    start, stop = np.searchsorted(where, [chosen.start, chosen.stop])
    part = bands[start:stop]
    records = np.empty(len(part), KEYED)
    records["hash"], records["node"] = part["hash"], nodes(signed.shard.position, part["row"])
    for partition, mine in split(records, where[start:stop]):
        yield partition, mine.tobytes()


@dataclass(frozen=True)
class FindPairs:
    """Finds the edges of one partition: documents that share a band and, if asked, an estimated Jaccard.

    In a bucket (documents that share a band) of up to BUCKET_ALL_PAIRS_MAX all pairs are candidates. In a larger one
    documents come in the order of their numbers; each is compared with the bucket's leaders, the first that is similar
    enough gives an edge, and a document similar to none becomes a leader itself, while there are fewer than
    LEADERS_MAX. Without verification a bucket is a chain: the same components with fewer edges.
    """

    signed: tuple[Signed, ...]
    jaccard_min: float | None

    def __call__(self, partition: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Records EDGE (smaller number, larger number)."""
        records = np.unique(np.frombuffer(buffer, KEYED))
        starts = np.flatnonzero(np.r_[True, np.diff(records["hash"]) != 0])
        sizes = np.diff(np.r_[starts, len(records)])
        starts, sizes = starts[sizes > 1], sizes[sizes > 1]
        numbers = np.ascontiguousarray(records["node"])
        if self.jaccard_min is None:
            found = [_chains(numbers, starts, sizes)]
        else:
            small = sizes <= BUCKET_ALL_PAIRS_MAX
            found = [self._verified(_all_pairs(numbers, starts[small], sizes[small]))]
            large = zip(starts[~small].tolist(), sizes[~small].tolist(), strict=True)
            found += [self._led(numbers[start : start + size]) for start, size in large]
        edges = np.unique(np.concatenate(found))
        if len(edges):
            yield f"partition-{partition:06d}", edges.tobytes()

    @property
    def _matches_min(self) -> int:
        """Equal values of a signature that make the least similarity."""
        assert self.jaccard_min is not None
        count = self._permutations
        return int(np.ceil(self.jaccard_min * count - 1e-9))

    @property
    def _permutations(self) -> int:
        for signed in self.signed:
            rows = storage.filesystem(signed.rows)[0].size(storage.filesystem(signed.rows)[1])
            if rows:
                return storage.filesystem(signed.signatures)[0].size(storage.filesystem(signed.signatures)[1]) // rows
        return 1

    def _verified(self, pairs: np.ndarray) -> np.ndarray:
        kept = [np.zeros(0, EDGE)]
        matches_min = self._matches_min if len(pairs) else 0
        for start in range(0, len(pairs), GATHERED_ROWS // 2):
            part = pairs[start : start + GATHERED_ROWS // 2]
            numbers, where = np.unique(np.concatenate([part["left"], part["right"]]), return_inverse=True)
            same = _matches(self._gather(numbers), where[: len(part)], where[len(part) :])
            kept.append(part[same >= matches_min])
        return np.concatenate(kept)

    def _led(self, numbers: np.ndarray) -> np.ndarray:
        edges = [np.zeros(0, EDGE)]
        leaders = np.zeros((LEADERS_MAX, self._permutations), np.uint32)
        leading = np.zeros(LEADERS_MAX, np.uint64)
        count = 0
        for start in range(0, len(numbers), GATHERED_ROWS):
            part = numbers[start : start + GATHERED_ROWS]
            found, size, count = _follow(self._gather(part), part, leaders, leading, count, self._matches_min)
            edges.append(found[:size].view(EDGE).reshape(-1))
        return np.concatenate(edges)

    def _gather(self, numbers: np.ndarray) -> np.ndarray:
        """Signatures, uint32 (n, permutations), of documents by their sorted numbers."""
        positions = (numbers >> np.uint64(32)).astype(np.int64)
        out = np.empty((len(numbers), self._permutations), np.uint32)
        for position in np.unique(positions).tolist():
            start, stop = np.searchsorted(positions, [position, position + 1])
            signed = self.signed[position]
            rows = read_records(signed.rows, np.dtype("<u4"))
            values = read_records(signed.signatures, np.dtype("<u4")).reshape(len(rows), -1)
            out[start:stop] = values[np.searchsorted(rows, rows_of(numbers[start:stop]))]
        return out


@njit(cache=True, nogil=True)
def _pairs(numbers: np.ndarray, starts: np.ndarray, sizes: np.ndarray, out: np.ndarray) -> None:
    to = 0
    for bucket in range(len(starts)):
        end = starts[bucket] + sizes[bucket]
        for left in range(starts[bucket], end):
            for right in range(left + 1, end):
                out[to, 0], out[to, 1] = numbers[left], numbers[right]
                to += 1


def _all_pairs(numbers: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distinct pairs (records EDGE) within buckets of sorted document numbers."""
    out = np.empty((int((sizes * (sizes - 1) // 2).sum()), 2), np.uint64)
    _pairs(numbers, starts, sizes, out)
    return np.unique(out.view(EDGE).reshape(-1))


def _chains(numbers: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    follows = np.zeros(len(numbers) + 1, bool)
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        follows[start + 1 : start + size] = True
    at = np.flatnonzero(follows)
    edges = np.empty(len(at), EDGE)
    edges["left"], edges["right"] = numbers[at - 1], numbers[at]
    return edges


@njit(cache=True, nogil=True)
def _matches(signature: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Number of equal values of pairs of signatures."""
    out = np.zeros(len(left), np.int64)
    for pair in range(len(left)):
        a, b = signature[left[pair]], signature[right[pair]]
        same = 0
        for at in range(signature.shape[1]):
            same += a[at] == b[at]
        out[pair] = same
    return out


@njit(cache=True, nogil=True)
def _follow(
    signature: np.ndarray, numbers: np.ndarray, leaders: np.ndarray, leading: np.ndarray, count: int, matches_min: int
) -> tuple[np.ndarray, int, int]:
    """Edges from leaders to those that follow them, how many, and how many leaders there are now."""
    edges = np.empty((len(numbers), 2), np.uint64)
    to = 0
    for row in range(len(numbers)):
        found = False
        for leader in range(count):
            same = 0
            for at in range(signature.shape[1]):
                same += signature[row, at] == leaders[leader, at]
            if same >= matches_min:
                edges[to, 0], edges[to, 1] = leading[leader], numbers[row]
                to += 1
                found = True
                break
        if not found and count < len(leaders):
            leaders[count] = signature[row]
            leading[count] = numbers[row]
            count += 1
    return edges, to, count
