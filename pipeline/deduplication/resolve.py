"""The end of deduplication: which document of each cluster is kept, and what became of every row."""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.deduplication.keys import ranked, shard_file
from pipeline.deduplication.records import (
    CUT,
    DOCUMENT,
    EDGE,
    MEMBER,
    RANKED,
    Shard,
    best_first,
    id_bytes,
    partition_of,
    read_all,
    read_records,
    rows_of,
    split,
    spread,
)
from pipeline.phases import Task, TaskFolder

RESULT = pa.schema(
    [
        pa.field("reason", pa.string()),  # null: it stays
        pa.field("kept_id", pa.binary(16)),  # the document kept in its stead
        pa.field("cluster_size", pa.int32(), nullable=False),  # with itself; 0: it had left before
        pa.field("bytes_cut", pa.int64(), nullable=False),  # UTF-8 bytes of its recurring lines
    ]
)
"""One row for every document of a shard, in its order."""

DUPLICATE_ID, EXACT_DUPLICATE, NEAR_DUPLICATE = "duplicate_id", "exact_duplicate", "near_duplicate"
RECURRING_LINES_ONLY = "recurring_lines_only"
REASONS = (None, DUPLICATE_ID, EXACT_DUPLICATE, NEAR_DUPLICATE, RECURRING_LINES_ONLY)

RESULT_BATCH_ROWS = 1 << 16
LARGEST = 20
STATISTICS = "statistics"
_COUNTED = np.dtype([("size", "<u4"), ("count", "<u8"), ("id_high", "<u8"), ("id_low", "<u8")])


def read_members(payload: tuple[Shard, Sequence[str]], partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
    """A shard's clustered documents as records RANKED, their key the smallest number of the cluster.

    The payload is the shard and the files of all clusters (records EDGE, sorted).
    """
    shard, files = payload
    parts = [_slice(read_records(path, EDGE), shard.position) for path in files]
    members = np.concatenate([*parts, np.zeros(0, EDGE)])
    where = partition_of(spread(members["right"]), partitions)
    mine = (where >= chosen.start) & (where < chosen.stop)
    members, where = members[mine], where[mine]
    documents = read_records(shard.documents, DOCUMENT)
    records = ranked(documents[rows_of(members["left"])], members["left"])
    records["key_high"] = members["right"]
    for partition, part in split(records, where):
        yield partition, part.tobytes()


def _slice(edges: np.ndarray, position: int) -> np.ndarray:
    """Records of one shard among sorted ones, found without reading the file through."""
    first, behind = position << 32, (position + 1) << 32
    start = bisect.bisect_left(edges, first, key=lambda edge: int(edge["left"]))
    stop = bisect.bisect_left(edges, behind, lo=start, key=lambda edge: int(edge["left"]))
    return np.array(edges[start:stop])


@dataclass(frozen=True)
class ChooseKept:
    """Chooses the document kept of each cluster; shards from `shards` on are finished builds', which get no result."""

    shards: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Records MEMBER by shard, and counts of clusters."""
        records = best_first(np.frombuffer(buffer, RANKED), "key_high")
        is_first = np.r_[True, np.diff(records["key_high"]) != 0]
        group = np.cumsum(is_first) - 1
        kept = records[is_first]
        sizes = np.bincount(group)
        members = np.zeros(len(records), MEMBER)
        members["node"], members["size"], members["is_kept"] = records["node"], sizes[group], is_first
        members["kept_high"], members["kept_low"] = kept["id_high"][group], kept["id_low"][group]
        position = (records["node"] >> np.uint64(32)).astype(np.int64)
        own = position < self.shards
        for number, part in split(members[own], position[own]):
            yield shard_file(number), part.tobytes()
        touched = np.unique(group[own])
        if len(touched):
            yield STATISTICS, _counted(sizes[touched], kept[touched]).tobytes()


def _counted(sizes: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """How many clusters of each size (id 0), and the largest with the id of the document kept (count 0)."""
    distinct, count = np.unique(sizes, return_counts=True)
    histogram, examples = np.zeros(len(distinct), _COUNTED), np.zeros(len(sizes), _COUNTED)
    histogram["size"], histogram["count"] = distinct, count
    examples["size"], examples["id_high"], examples["id_low"] = sizes, kept["id_high"], kept["id_low"]
    return np.concatenate([histogram, _largest(examples)])


def _largest(examples: np.ndarray) -> np.ndarray:
    order = np.lexsort([examples["id_low"], examples["id_high"], -examples["size"].astype(np.int64)])
    return examples[order[:LARGEST]]


def merge_members(name: str, buffer: bytes) -> bytes:
    """A shard's records MEMBER in the order of rows; records of counts as they are, sorted."""
    if name == STATISTICS:
        return np.sort(np.frombuffer(buffer, _COUNTED)).tobytes()
    return np.sort(np.frombuffer(buffer, MEMBER), order="node").tobytes()


def cluster_statistics(paths: Sequence[str]) -> dict[str, Any]:
    """Clusters by size and the largest ones, from the counts of all partitions."""
    counted = read_all(paths, _COUNTED)
    histogram = counted[counted["count"] > 0]
    sizes = np.unique(histogram["size"])
    return {
        "clusters": int(histogram["count"].sum()),
        "cluster_sizes": {str(size): int(histogram["count"][histogram["size"] == size].sum()) for size in sizes},
        "largest_clusters": [
            {"kept_id": id_bytes(example["id_high"], example["id_low"]).hex(), "documents": int(example["size"])}
            for example in _largest(counted[counted["count"] == 0])
        ],
    }


@dataclass(frozen=True)
class ResultPayload:
    """All that was found out about a shard: files of losers (EDGE), cuts (CUT), members (MEMBER)."""

    shard: Shard
    duplicate_ids: tuple[str, ...]
    exact: tuple[str, ...]
    cuts: str
    members: tuple[str, ...]


def write_result(task: Task, folder: TaskFolder) -> None:
    """The task that writes `TASK.arrow` (schema RESULT); leaves counts by reason: [documents, bytes]."""
    payload: ResultPayload = task.payload
    documents = read_records(payload.shard.documents, DOCUMENT)
    table = _result(payload, documents)
    with folder.arrow(".arrow", RESULT) as shard:
        for batch in table.to_batches(max_chunksize=RESULT_BATCH_ROWS):
            shard.write(batch)
    reasons = np.array(table["reason"].to_pylist(), object)
    lengths = documents["length"]
    found = sorted({reason for reason in reasons.tolist() if reason})
    folder.data["reasons"] = {
        reason: [int((reasons == reason).sum()), int(lengths[reasons == reason].sum())] for reason in found
    }
    kept = (reasons == None) & (documents["alive"] == 1)  # noqa: E711 - element by element
    folder.data["alive"] = [int((documents["alive"] == 1).sum()), int(lengths[documents["alive"] == 1].sum())]
    folder.data["kept"] = [int(kept.sum()), int(lengths[kept].sum())]
    folder.data["bytes_cut"] = int(table["bytes_cut"].to_numpy()[kept].sum())


def _result(payload: ResultPayload, documents: np.ndarray) -> pa.Table:
    count = len(documents)
    reason = np.zeros(count, np.int8)
    members = read_all(payload.members, MEMBER)
    rows = rows_of(members["node"])
    lost = members["is_kept"] == 0
    reason[rows[lost]] = REASONS.index(NEAR_DUPLICATE)
    cuts = read_records(payload.cuts, CUT)
    empty = cuts["row"][cuts["nothing_left"] == 1]
    reason[empty] = REASONS.index(RECURRING_LINES_ONLY)
    reason[rows_of(read_all(payload.exact, EDGE)["left"])] = REASONS.index(EXACT_DUPLICATE)
    reason[rows_of(read_all(payload.duplicate_ids, EDGE)["left"])] = REASONS.index(DUPLICATE_ID)
    kept_ids = np.zeros((count, 2), np.uint64)
    kept_ids[rows, 0], kept_ids[rows, 1] = members["kept_high"], members["kept_low"]
    has_kept = np.zeros(count, bool)
    has_kept[rows[lost]] = True
    has_kept[empty] = False
    sizes = documents["alive"].astype(np.int32)
    sizes[rows] = members["size"]
    bytes_cut = np.zeros(count, np.int64)
    bytes_cut[cuts["row"]] = cuts["bytes"]
    ids = pa.Array.from_buffers(
        pa.binary(16), count, [_validity(has_kept), pa.py_buffer(id_bytes(kept_ids[:, 0], kept_ids[:, 1]))]
    )
    names = pa.array(REASONS, pa.string()).take(pa.array(reason))
    return pa.table([names, ids, pa.array(sizes), pa.array(bytes_cut)], schema=RESULT)


def _validity(valid: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
