"""Search the ledger of a finished corpus: the one way, of `why`, `find` and takedowns."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import reading
from pipeline.text.schema import CHARACTERS_MAX

ID_DIGITS_MIN = 4
"""Of an id so many digits say which is meant."""


def rows_where(corpus: str, fits: Callable[[pa.RecordBatch], np.ndarray]) -> Iterator[dict[str, Any]]:
    """Rows of a ledger for which `fits` says so: it gets a batch with plain columns, and returns a mask of its rows.

    Columns are those of `pipeline.text.schema.LEDGER_WRITTEN`. Raises InputError where there is no ledger.
    """
    for batch in reading.ledger_batches(corpus):
        mask = fits(batch)
        if mask.any():
            yield from batch.filter(pa.array(mask)).to_pylist()


def look_up(output: str, identifier: str) -> list[dict[str, Any]]:
    """The ledger rows of a document: by its id (32 hex digits), its own key in its source, else the start of an id (at
    least 4 digits) or a part of its uri.

    A document dropped as a duplicate names, in `detail`, the id of the one kept, its source and how similar they are.
    Raises InputError where `output` holds no ledger.
    """
    whole = identifier.lower()
    if re.fullmatch("[0-9a-f]{32}", whole) and (
        rows := list(rows_where(output, lambda batch: mask_of(pc.equal(batch["id"], whole))))
    ):
        return rows
    return list(rows_where(output, lambda batch: has_key(batch, identifier))) or list(
        rows_where(output, lambda batch: has_id(batch, identifier) | _has_place(batch, identifier))
    )


def has_id(batch: pa.RecordBatch, start: str) -> np.ndarray:
    """Which rows have an id that begins like this; none where it is too short to mean one."""
    if len(start) < ID_DIGITS_MIN:
        return np.zeros(batch.num_rows, bool)
    return mask_of(pc.starts_with(batch["id"], start.lower()))


def has_key(batch: pa.RecordBatch, key: str) -> np.ndarray:
    """Which rows have this key, or one that ends in it behind its file's name."""
    if len(key) > CHARACTERS_MAX or "key" not in batch.schema.names:
        return np.zeros(batch.num_rows, bool)
    return mask_of(pc.match_substring_regex(batch["key"], f"(^|#){re.escape(key)}(~[0-9]+)?$"))


def _has_place(batch: pa.RecordBatch, part: str) -> np.ndarray:
    return mask_of(pc.match_substring(batch["uri"], part))


def mask_of(array: pa.BooleanArray) -> np.ndarray:
    """A boolean column as a mask; null is no."""
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False), bool)
