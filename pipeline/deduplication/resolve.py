"""The end of deduplication: what became of every row, and how large clusters are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.deduplication.greedy import STATISTICS, largest
from pipeline.deduplication.keys import shard_file
from pipeline.deduplication.packing import unpack_records
from pipeline.deduplication.records import (
    CLUSTERS,
    CUT,
    DOCUMENT,
    DROPPED,
    EDGE,
    EMPTIED,
    MEMBER,
    Shard,
    id_bytes,
    read_all,
    read_records,
    rows_of,
    shards_of,
    validity,
)
from pipeline.deduplication.sorting import sorted_order
from pipeline.runtime.phases import Task, TaskFolder

RESULT = pa.schema(
    [
        pa.field("reason", pa.string()),  # null: it stays
        pa.field("kept_id", pa.binary(16)),  # the document kept instead
        pa.field("kept_source", pa.string()),  # the source of that document; of a finished build, the build
        pa.field("similarity", pa.float32()),  # estimated Jaccard with it, of near-duplicates
        pa.field("cluster_size", pa.int32(), nullable=False),  # the one kept and all dropped for it; 0: left before
        pa.field("bytes_cut", pa.int64(), nullable=False),  # UTF-8 bytes of its recurring lines
    ]
)
"""One row for every document of a shard, in its order."""

DUPLICATE_ID, EXACT_DUPLICATE, NEAR_DUPLICATE = "duplicate_id", "exact_duplicate", "near_duplicate"
RECURRING_LINES_ONLY = "recurring_lines_only"
REASONS = (None, DUPLICATE_ID, EXACT_DUPLICATE, NEAR_DUPLICATE, RECURRING_LINES_ONLY)

RESULT_BATCH_ROWS = 1 << 16


def merge_members(name: str, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """By shard, its records MEMBER in the order of rows; records of counts as they are, sorted."""
    if name == STATISTICS:
        yield name, np.sort(np.frombuffer(buffer, CLUSTERS)).tobytes()
        return
    members = unpack_records(buffer, MEMBER)
    members = members.take(sorted_order([members["node"]]))
    for position, mine in shards_of(members["node"]):
        yield shard_file(position), members[mine].tobytes()


def cluster_statistics(paths: Sequence[str]) -> dict[str, Any]:
    """Clusters by size and the largest ones, from the counts of all partitions."""
    counted = read_all(paths, CLUSTERS)
    histogram = counted[counted["count"] > 0]
    sizes = np.unique(histogram["size"])
    return {
        "clusters": int(histogram["count"].sum()),
        "cluster_sizes": {str(size): int(histogram["count"][histogram["size"] == size].sum()) for size in sizes},
        "largest_clusters": [
            {"kept_id": id_bytes(example["id_high"], example["id_low"]).hex(), "documents": int(example["size"])}
            for example in largest(counted[counted["count"] == 0])
        ],
    }


@dataclass(frozen=True)
class ResultPayload:
    """All that was found out about a shard: files of losers (EDGE), cuts (CUT), members (MEMBER); all sources."""

    shard: Shard
    duplicate_ids: tuple[str, ...]
    exact: tuple[str, ...]
    cuts: str
    members: tuple[str, ...]
    sources: tuple[str, ...]


def write_result(task: Task, folder: TaskFolder) -> None:
    """The task that writes `TASK.arrow` (schema RESULT); leaves counts by reason: [documents, bytes]."""
    payload: ResultPayload = task.payload
    documents = read_records(payload.shard.documents, DOCUMENT)
    table, reasons = _result(payload, documents)
    with folder.arrow(".arrow", RESULT) as shard:
        for batch in table.to_batches(max_chunksize=RESULT_BATCH_ROWS):
            shard.write(batch)
    lengths, alive = documents["length"], documents["alive"] == 1

    def counted(rows: np.ndarray) -> list[int]:
        return [int(rows.sum()), int(lengths[rows].sum())]

    found = sorted((reason, code) for code, reason in enumerate(REASONS) if reason and (reasons == code).any())
    folder.data["reasons"] = {reason: counted(reasons == code) for reason, code in found}
    kept = (reasons == REASONS.index(None)) & alive
    folder.data["alive"], folder.data["kept"] = counted(alive), counted(kept)
    folder.data["bytes_cut"] = int(table["bytes_cut"].to_numpy()[kept].sum())


def _result(payload: ResultPayload, documents: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """The rows of a shard, in schema RESULT, and their reasons as places in REASONS, int8 (n,)."""
    count = len(documents)
    members = read_all(payload.members, MEMBER)
    rows = rows_of(members["node"])
    is_dropped, is_near = np.zeros(count, bool), np.zeros(count, bool)
    is_dropped[rows] = members["fate"] == DROPPED
    is_near[rows] = members["similarity"] > 0
    equal_ids, equal_texts = np.zeros(count, bool), np.zeros(count, bool)
    equal_ids[rows_of(read_all(payload.duplicate_ids, EDGE)["left"])] = True
    equal_texts[rows_of(read_all(payload.exact, EDGE)["left"])] = True
    cuts = read_records(payload.cuts, CUT)
    reason = np.zeros(count, np.int8)
    reason[is_dropped & is_near] = REASONS.index(NEAR_DUPLICATE)
    # Where the document of equal text was dropped itself, this one is as similar to the one kept as that was.
    reason[is_dropped & equal_texts & ~is_near] = REASONS.index(EXACT_DUPLICATE)
    reason[is_dropped & equal_ids] = REASONS.index(DUPLICATE_ID)
    reason[cuts["row"][cuts["nothing_left"] == 1]] = REASONS.index(RECURRING_LINES_ONLY)
    reason[rows[members["fate"] == EMPTIED]] = REASONS.index(RECURRING_LINES_ONLY)
    kept_ids = np.zeros((count, 2), np.uint64)
    kept_ids[rows, 0], kept_ids[rows, 1] = members["kept_high"], members["kept_low"]
    sources, similarity = np.zeros(count, np.uint32), np.zeros(count, np.float32)
    sources[rows], similarity[rows] = members["kept_source"], members["similarity"]
    sizes = documents["alive"].astype(np.int32)
    sizes[rows] = members["size"]
    bytes_cut = np.zeros(count, np.int64)
    bytes_cut[cuts["row"]] = cuts["bytes"]
    id_column = pa.py_buffer(id_bytes(kept_ids[:, 0], kept_ids[:, 1]))
    columns = [
        pa.array(REASONS, pa.string()).take(pa.array(reason)),
        pa.Array.from_buffers(pa.binary(16), count, [validity(is_dropped), id_column]),
        pa.array(payload.sources, pa.string()).take(pa.array(sources, mask=~is_dropped)),
        pa.array(similarity, mask=reason != REASONS.index(NEAR_DUPLICATE)),
        pa.array(sizes),
        pa.array(bytes_cut),
    ]
    return pa.table(columns, schema=RESULT), reason
