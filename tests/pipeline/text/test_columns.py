"""Columns: what is written of a dictionary column does not depend on how it was cut before."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.text.columns import Trimmed

VALUES = ["b", None, "a", "a", "c", "b", None, "c", "c", "a"]
ORDER = np.array([9, 0, 1, 2, 6, 3, 4, 7, 8, 5])


@pytest.mark.parametrize(
    "dictionary", [["a", "b", "c"], ["c", "unused", "b", "a"], ["b", "a", "c", "a"], ["a", "b", "c", None]]
)
@pytest.mark.parametrize(("start", "stop"), [(0, 10), (2, 3), (6, 9), (2, 5), (1, 6)])
def test_rows_cut_out_have_just_the_values_present_in_order_of_appearance(
    dictionary: list[str | None], start: int, stop: int
) -> None:
    indices = [None if value is None else dictionary.index(value) for value in VALUES]
    column = pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(dictionary, pa.string()))
    expected = pa.array([VALUES[row] for row in ORDER[start:stop]], pa.string()).dictionary_encode()

    cut = Trimmed(column, ORDER)(start, stop)

    assert cut.equals(expected)
    assert cut.dictionary.equals(expected.dictionary)
