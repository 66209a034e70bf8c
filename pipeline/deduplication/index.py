"""The index of a finished build: ids, exact keys and signatures of the documents it kept.

A later build reads it to leave out what is there already (`deduplication.against`). Bands follow from signatures, so
one index serves any number of bands.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ConfigurationError, InputError
from configs.models import Deduplication
from pipeline.deduplication.minhash import WORDS
from pipeline.deduplication.near import Signed, write_signatures
from pipeline.deduplication.records import DOCUMENT, Shard, id_bytes, id_numbers, read_records, validity
from pipeline.runtime import storage
from pipeline.runtime.phases import Task, TaskFolder

FORMAT = 1
FOLDER = "index"
_METADATA = b"openroots"
_BATCH_ROWS = 4096


def index_schema(settings: Deduplication) -> pa.Schema:
    """Columns of an index; its metadata says how signatures were made. A null signature: a text without words."""
    made = {name: getattr(settings, name) for name in ("permutations", "seed", "ngram")}
    metadata = {_METADATA: json.dumps({"format": FORMAT, **made}, sort_keys=True)}
    width = 4 * settings.permutations
    fields = [("id", pa.binary(16)), ("exact", pa.binary(16)), ("signature", pa.binary(width))]
    return pa.schema(fields, metadata)


@dataclass
class WriteIndex:
    """The task that writes a shard's part of the index: its payload is the shard's signatures and its result."""

    settings: Deduplication

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow` for the documents of the shard that deduplication kept."""
        signed, result = task.payload
        documents = read_records(signed.shard.documents, DOCUMENT)
        with storage.open_stream(result) as reader:
            reasons = pa.chunked_array([batch["reason"] for batch in reader], pa.string())
        kept = np.flatnonzero(pc.is_null(reasons).to_numpy() & (documents["alive"] == 1))
        rows, values = read_records(signed.rows, np.dtype("<u4")), None
        if len(rows):
            values = read_records(signed.signatures, np.dtype("<u4")).reshape(len(rows), -1)
        with folder.arrow(".arrow", index_schema(self.settings)) as shard:
            for start in range(0, len(kept), _BATCH_ROWS):
                shard.write(self._batch(documents, kept[start : start + _BATCH_ROWS], rows, values))

    def _batch(
        self, documents: np.ndarray, kept: np.ndarray, rows: np.ndarray, values: np.ndarray | None
    ) -> pa.RecordBatch:
        mine = documents[kept]
        ids, exact = (_halves(mine[f"{key}_high"], mine[f"{key}_low"]) for key in ("id", "exact"))
        signature = np.zeros((len(kept), self.settings.permutations), "<u4")
        at = np.searchsorted(rows, kept)
        has = np.zeros(len(kept), bool)
        if values is not None:
            has = (at < len(rows)) & (rows[np.minimum(at, len(rows) - 1)] == kept)
            signature[has] = values[at[has]]
        column = pa.Array.from_buffers(
            pa.binary(4 * self.settings.permutations), len(kept), [validity(has), pa.py_buffer(signature)]
        )
        return pa.RecordBatch.from_arrays([ids, exact, column], schema=index_schema(self.settings))


def _halves(high: np.ndarray, low: np.ndarray) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(16), len(high), [None, pa.py_buffer(id_bytes(high, low))])


def signatures_in(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Signatures of a batch of an index, uint32 (n, permutations), and which documents have one, bool (n,).

    What stands in place of a signature that is not there says nothing.
    """
    column = batch["signature"]
    width = column.type.byte_width // 4
    values = np.frombuffer(column.buffers()[1], "<u4").reshape(-1, width)
    return values[column.offset : column.offset + len(column)], pc.is_valid(column).to_numpy(zero_copy_only=False)


def index_files(builds: Sequence[str]) -> list[tuple[str, str]]:
    """Finished builds with the paths of their index files, sorted within each; raises InputError without any."""
    found = []
    for build in builds:
        folder = storage.join(build, FOLDER)
        names = [name for name in storage.list_files(folder) if name.endswith(".arrow")]
        if not names:
            raise InputError(
                build, "it has no index to deduplicate against", "Name the folder of a finished build, as built here"
            )
        found += [(build, storage.join(folder, name)) for name in names]
    return found


@dataclass
class AdoptIndex:
    """The task that turns an index file (its payload: build, path) into a shard whose documents always win."""

    settings: Deduplication

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `.documents`, and signatures if near-duplicates are asked for."""
        parts = []
        signed, rows = [], []
        row = 0
        build, path = task.payload
        with storage.open_stream(path) as reader:
            self._check(path, reader.schema)
            for batch in reader:
                records = np.zeros(batch.num_rows, DOCUMENT)
                records["alive"], records["mode"] = 1, WORDS
                records["id_high"], records["id_low"] = id_numbers(batch["id"])
                records["exact_high"], records["exact_low"] = id_numbers(batch["exact"])
                parts.append(records)
                values, has = signatures_in(batch)
                signed.append(values[has])
                rows.append(row + np.flatnonzero(has))
                row += batch.num_rows
        documents = np.concatenate([*parts, np.zeros(0, DOCUMENT)])
        with folder.binary(".documents", len(documents)) as stream:
            stream.write(documents.tobytes())
        with folder.binary(".cuts"):
            pass
        if self.settings.near:
            write_signatures(folder, np.concatenate([*rows, np.zeros(0, np.int64)]), signed, self.settings)
        folder.data["count"] = folder.data["alive"] = len(documents)
        folder.data["sources"] = [build]

    def _check(self, path: str, schema: pa.Schema) -> None:
        wanted = index_schema(self.settings)
        if not schema.equals(wanted, check_metadata=True):
            found = (schema.metadata or {}).get(_METADATA, b"nothing").decode()
            assert wanted.metadata is not None
            raise ConfigurationError(
                f"{path}: this index was made with {found}, the recipe asks for {wanted.metadata[_METADATA].decode()}; "
                "set permutations, seed and ngram of [deduplication] alike, or take the build out of `against`"
            )


def signed_files(base: str, shard: Shard) -> Signed:
    """The files of signatures that a task wrote; `base` is their path without its ending."""
    return Signed(shard, f"{base}.rows", f"{base}.signatures", f"{base}.bands")
