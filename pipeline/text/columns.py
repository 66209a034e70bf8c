"""Small helpers over Arrow columns that several stages need.

They import `pyarrow.compute` where they use it: that takes a fifth of a second, which commands on one line are spared.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import xxhash


def constant_column(value: str, rows: int) -> pa.DictionaryArray:
    """A dictionary column that holds one value in every row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value], pa.string()))


def document_ids(source: str, keys: pa.StringArray) -> pa.Array:
    """Ids of documents: xxh3-128 of source id, a zero byte and the document's key. Returns binary(16)."""
    prefix = source.encode() + b"\0"
    return pa.array([xxhash.xxh3_128_digest(prefix + key.encode()) for key in keys.to_pylist()], pa.binary(16))


_DIGITS = np.frombuffer(b"".join(f"{value:02x}".encode() for value in range(256)), np.uint16)
_VALUES = np.full(256, 255, np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_HEX_DIGITS = 32


def hex_ids(ids: pa.Array) -> pa.StringArray:
    """Ids (binary(16)) as all that leaves us has them: strings of 32 hexadecimal digits, or such as they are.

    No id may be null.
    """
    if pa.types.is_string(ids.type):
        return ids
    data = np.frombuffer(ids.buffers()[1], np.uint8)[16 * ids.offset : 16 * (ids.offset + len(ids))]
    offsets = np.arange(0, _HEX_DIGITS * (len(ids) + 1), _HEX_DIGITS, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(_DIGITS[data]))


def binary_ids(ids: pa.Array) -> pa.FixedSizeBinaryArray | None:
    """Undo `hex_ids`; ids that are binary(16), of earlier versions, as they are; None where they are neither."""
    import pyarrow.compute as pc

    if ids.type == pa.binary(16):
        return ids
    if not pa.types.is_string(ids.type) or ids.null_count:
        return None
    if not pc.all(pc.equal(pc.binary_length(ids), _HEX_DIGITS)).as_py():
        return pa.array([], pa.binary(16)) if not len(ids) else None
    offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
    digits = _VALUES[np.frombuffer(ids.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]]
    if (digits > 15).any():
        return None
    return pa.Array.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(digits[0::2] << 4 | digits[1::2])])


def encode(values: Sequence[str | None] | pa.Array) -> pa.DictionaryArray:
    """Strings as a dictionary column (int32 indices)."""
    import pyarrow.compute as pc

    array = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array.cast(pa.string()))


def decode(column: pa.Array) -> pa.StringArray:
    """A string or dictionary column as plain strings."""
    return column.cast(pa.string())


def string_bytes(texts: pa.Array) -> pa.Int64Array:
    """UTF-8 bytes of each string."""
    import pyarrow.compute as pc

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


def distinct_values(column: pa.Array) -> tuple[list[str | None], np.ndarray]:
    """The values of a string or dictionary column in order of appearance, and each row's place among them, int64 (n,).

    A dictionary may hold values that no row has. Those of a batch are few: this costs less than Arrow's own way.
    """
    column = encode(column)
    indices = column.indices
    values = indices.to_numpy(zero_copy_only=False)
    if indices.null_count:
        values = indices.fill_null(len(column.dictionary)).to_numpy()
    names = [*column.dictionary.to_pylist(), None]
    if len(names) == 2 and len(values) and not indices.null_count:
        return names[:1], np.zeros(len(values), np.int64)
    first = np.full(len(names), len(values))
    first[values[::-1]] = np.arange(len(values))[::-1]  # of a value's rows the first is set last
    used = np.flatnonzero(first < len(values))
    used = used[np.argsort(first[used])]
    places = np.zeros(len(names), np.int64)
    places[used] = np.arange(len(used))
    return [names[value] for value in used.tolist()], places[values]


_GROUPS_MAX = 1 << 31


def grouped(
    keys: Sequence[pa.Array], amounts: Sequence[np.ndarray] = ()
) -> list[tuple[tuple[str | None, ...], list[int]]]:
    """Rows by their keys (columns of few different strings): how many there are, and the sums of amounts, int64 (n,).

    In the order of keys' appearance. For a thousand rows in a few groups; Arrow's own takes a plan and threads.
    """
    rows = len(keys[0])
    if not rows:
        return []
    values = [distinct_values(key) for key in keys]
    group = np.zeros(rows, np.int64)
    for names, places in values:
        group = group * len(names) + places
        if group.max() >= _GROUPS_MAX:  # before the next could be too large
            group = np.unique(group, return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    ranked = group[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    columns = [np.diff(np.r_[starts, rows]), *(np.add.reduceat(np.asarray(each)[order], starts) for each in amounts)]
    sums, first = np.stack(columns, axis=1), order[starts]  # the sort is stable: a group's first row is its earliest
    by_first = np.argsort(first)
    keyed = zip(
        *([names[place] for place in places[first[by_first]].tolist()] for names, places in values), strict=True
    )
    return list(zip(keyed, sums[by_first].tolist(), strict=True))


class Trimmed:
    """Cuts rows out of a reordered dictionary column so that their dictionary holds just the values present, in
    order of appearance.

    Which values a dictionary holds depends on how batches were cut; the bytes that are written must not.
    """

    def __init__(self, column: pa.DictionaryArray, order: np.ndarray) -> None:
        import pyarrow.compute as pc

        if column.dictionary.null_count or len(column.dictionary.unique()) < len(column.dictionary):
            column = pc.dictionary_encode(decode(column))
        self._values = column.dictionary
        self._indices = pc.fill_null(column.indices, -1).to_numpy()[order]
        self._changes = np.concatenate([[0], np.cumsum(np.diff(self._indices) != 0)])
        self._alone: dict[int, pa.StringArray] = {}

    def __call__(self, start: int, stop: int) -> pa.DictionaryArray:
        """Rows from `start` to before `stop` of the new order, at least one."""
        indices = self._indices[start:stop]
        if self._changes[start] == self._changes[stop - 1] and indices[0] >= 0:
            # Most often: a language, a source, a licence has many rows.
            return pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(stop - start, np.int32)), self._one(int(indices[0]))
            )
        ordered, firsts, places = np.unique(indices, return_index=True, return_inverse=True)
        turns = np.argsort(firsts)
        present, ranks = ordered[turns], np.empty(len(turns), np.int32)
        ranks[turns] = np.cumsum(present >= 0) - 1  # a missing value has no place in the dictionary
        missing = indices < 0
        places = np.where(missing, np.int32(0), ranks[places])
        values = self._values.take(pa.array(present[present >= 0]))
        return pa.DictionaryArray.from_arrays(pa.array(places, mask=missing if missing.any() else None), values)

    def _one(self, index: int) -> pa.StringArray:
        if index not in self._alone:
            self._alone[index] = self._values.slice(index, 1)
        return self._alone[index]
