"""Small helpers over Arrow columns that several stages need."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline.text.schema import DICTIONARY


def constant_column(value: str, rows: int) -> pa.DictionaryArray:
    """A dictionary column that holds one value in every row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value], pa.string()))


def document_ids(source: str, keys: pa.StringArray) -> pa.Array:
    """Ids of documents: xxh3-128 of source id, a zero byte and the document's key. Returns binary(16)."""
    prefix = source.encode() + b"\0"
    return pa.array([xxhash.xxh3_128_digest(prefix + key.encode()) for key in keys.to_pylist()], pa.binary(16))


def encode(values: Sequence[str | None] | pa.Array) -> pa.DictionaryArray:
    """Strings as a dictionary column (int32 indices)."""
    array = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array.cast(pa.string()))


def decode(column: pa.Array) -> pa.StringArray:
    """A string or dictionary column as plain strings."""
    return column.cast(pa.string())


def string_bytes(texts: pa.Array) -> pa.Int64Array:
    """UTF-8 bytes of each string."""
    return pc.binary_length(texts).cast(pa.int64())


def filter_batch(batch: pa.RecordBatch, mask: pa.BooleanArray) -> pa.RecordBatch:
    """Rows of a batch where `mask` is true; the batch itself where all are."""
    return batch if mask.true_count == batch.num_rows else batch.filter(mask)


def text_buffers(texts: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (int64, rows + 1) and data (uint8) of texts without a copy; offsets count from the start of data."""
    _, offsets, data = texts.buffers()
    if offsets is None or len(texts) == 0:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return starts, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def unify(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """Re-encode dictionary columns so that their dictionaries hold just the values present, in order of appearance.

    Which values a dictionary holds depends on how batches were cut; the bytes that are written must not.
    """
    for name in columns:
        index = batch.schema.get_field_index(name)
        field = batch.schema.field(index)
        batch = batch.set_column(index, field, pc.dictionary_encode(decode(batch[name])).cast(DICTIONARY))
    return batch
