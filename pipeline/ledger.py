"""Look a document up in the ledger of a finished build."""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from configs.errors import InputError
from pipeline.pii.outward import CHARACTERS_MAX
from pipeline.runtime import storage
from pipeline.text.columns import decode, document_ids, hex_ids


def look_up(output: str, identifier: str) -> list[dict[str, Any]]:
    """The ledger rows of a document: by its id (32 hex digits), its own key in its source, else the start of an id (at
    least 4 digits) or a part of its uri.

    Columns as in `pipeline.text.schema.LEDGER_WRITTEN`, also of ledgers of earlier versions, whose ids are bytes. A
    document dropped as a duplicate names, in `detail`, the id of the one kept, its source and how similar they are.
    Raises InputError where `output` holds no ledger.
    """
    folder = storage.join(output, "ledger")
    fs, inner = storage.filesystem(folder)
    if not fs.exists(inner):
        raise InputError(folder, "there is no ledger", "Give the folder of a finished build with --corpus")
    dataset = ds.dataset(inner, filesystem=fs, format="parquet")
    try:
        prefix = bytes.fromhex(identifier[: len(identifier) // 2 * 2])
    except ValueError:
        prefix = b""
    rows: list[dict[str, Any]] = []
    if len(identifier) == 32 and len(prefix) == 16:
        rows = _with_ids(dataset, [prefix])
    if not rows:
        rows = _with_key(dataset, identifier)
    if not rows:
        for batch in dataset.to_batches():
            ids = hex_ids(batch["id"]).to_pylist()
            uris = batch["uri"].to_pylist()
            found = [
                row
                for row, (name, uri) in enumerate(zip(ids, uris, strict=True))
                if (len(identifier) >= 4 and name.startswith(identifier.lower())) or identifier in uri
            ]
            rows += _rows(pa.Table.from_batches([batch]).take(pa.array(found, pa.int64())))
    return rows


def is_key(column: pa.Array, key: str) -> pa.BooleanArray:
    """Which keys of a ledger are this one, or end in it behind their file's name."""
    if len(key) > CHARACTERS_MAX:
        return pc.is_null(column)
    return pc.match_substring_regex(column, f"(^|#){re.escape(key)}(~[0-9]+)?$")


def _with_key(dataset: ds.Dataset, key: str) -> list[dict[str, Any]]:
    """Rows with this key of their own; ledgers of earlier versions have no keys, but the ids made of them."""
    if "key" not in dataset.schema.names:
        return _with_ids(dataset, _own_ids(dataset, key))
    batches = (batch.filter(is_key(batch["key"], key)) for batch in dataset.to_batches())
    return [row for batch in batches if batch.num_rows for row in _rows(pa.Table.from_batches([batch]))]


def _own_ids(dataset: ds.Dataset, key: str) -> list[bytes]:
    """Ids that a document with this key of its own has in each file of each source; so too where the key names it."""
    files: set[tuple[str, str]] = set()
    for batch in dataset.to_batches(columns=["source", "uri"]):
        groups = pa.table({name: decode(batch[name]) for name in ("source", "uri")}).group_by(["source", "uri"])
        files |= {(row["source"], row["uri"]) for row in groups.aggregate([]).to_pylist()}
    keys: dict[str, list[str]] = {}
    for source, uri in files:
        keys.setdefault(source, [key]).append(f"{uri}#{key}")
    return [found for source, own in keys.items() for found in document_ids(source, pa.array(own)).to_pylist()]


def _with_ids(dataset: ds.Dataset, ids: list[bytes]) -> list[dict[str, Any]]:
    wanted = pa.array(ids, pa.binary(16))
    is_earlier = dataset.schema.field("id").type == pa.binary(16)
    return _rows(dataset.to_table(filter=ds.field("id").isin(wanted if is_earlier else hex_ids(wanted))))


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    ids = pa.chunked_array([hex_ids(chunk) for chunk in table["id"].chunks], pa.string())
    rows: list[dict[str, Any]] = table.set_column(table.schema.get_field_index("id"), "id", ids).to_pylist()
    return rows
