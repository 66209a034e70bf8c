"""The measures of source code equal a plain reference."""

import re
import statistics

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.quality.code import CODE_MEASURES, measure_code

SOURCE = "int main(void)\r\n{\r\n\treturn f(1, naïve);\r\n}\r\n"


def reference(text):
    lines = re.split(r"\r\n|\n", text)
    lengths = [len(token) for token in text.split()]
    return (
        len(text),
        max(map(len, lines)),
        sum(not re.match(r"[A-Za-z0-9_]", c) for c in text) / len(text) if text else 0.0,
        statistics.pstdev(lengths) if lengths else 0.0,
    )


def measured(text):
    columns = measure_code(pa.array([text], pa.large_string()), pa.array(["c"]), frozenset({"c"}))
    return tuple(columns[name][0].as_py() for name in CODE_MEASURES)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.text("ab_1 \n\r\t;é中", max_size=200)))
def test_measures_equal_the_reference_on_any_text(text):
    assert measured(text) == pytest.approx(reference(text), abs=1e-5)


def test_measures_equal_the_reference_on_code():
    assert measured(SOURCE) == pytest.approx(reference(SOURCE), abs=1e-6)


def test_natural_language_is_null():
    columns = measure_code(pa.array(["a", "b"], pa.large_string()), pa.array(["en", "c"]), frozenset({"c"}))
    assert [column.is_null().to_pylist() for column in columns.values()] == [[True, False]] * 4
