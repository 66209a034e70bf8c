"""What the columns of the ledger say in words."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reasons import Verdict, details, first_verdict, outward_ids
from pipeline.text.schema import LEDGER

KEPT = bytes(range(16))


def said(**row: Any) -> str:
    kept = {"language": "sw", "reason": "x", **row}
    blank = {field.name: None for field in LEDGER}
    batch = pa.RecordBatch.from_pylist([{**blank, **kept}], pa.schema([field.with_nullable(True) for field in LEDGER]))
    [detail] = details(batch).to_pylist()
    return detail


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({}, ""),
        ({"note": "nothing but white space"}, "nothing but white space"),
        ({"measure": "words", "value": 3, "threshold": 20}, "words 3 < 20"),
        ({"measure": "words", "value": 100_001, "threshold": 100_000}, "words 100001 > 100000"),
        ({"measure": "special_characters", "value": 0.61, "threshold": 0.4}, "special_characters 0.61 > 0.4"),
        ({"measure": "closed_class_words", "value": 0.123456, "threshold": 0.3}, "closed_class_words 0.1235 < 0.3"),
        ({"measure": "closed_class_words", "value": 0.29999, "threshold": 0.3}, "closed_class_words 0.29999 < 0.3"),
        ({"measure": "item_score", "value": 0.8, "threshold": 0.8, "note": "a b"}, "a b; item_score 0.8 = 0.8"),
        ({"measure": "findings", "value": 3, "note": "EMAIL 2, PHONE 1"}, "3 findings: EMAIL 2, PHONE 1"),
        ({"measure": "findings", "value": 3, "threshold": 2, "note": "EMAIL 3"}, "3 findings > 2: EMAIL 3"),
        ({"measure": "epochs", "value": 0.25}, "0.25 epochs of sw"),
        (
            {"reason": "language_mismatch", "measure": "language_score", "value": 0.07, "threshold": 0.2,
             "language_identified": "en"},
            "declared sw, identified en with 0.93",
        ),
        ({"kept_id": KEPT, "kept_source": "one"}, f"kept {KEPT.hex()} of one"),
        (
            {"kept_id": KEPT, "kept_source": "one", "similarity": 0.876},
            f"kept {KEPT.hex()} of one, similarity 0.88",
        ),
    ],
)  # fmt: skip
def test_columns_in_words(row, detail):
    assert said(**row) == detail


def test_the_first_stage_that_drops_a_row_decides():
    rows = pa.array([True, False, True])
    one = Verdict.passed("one", 3).dropping(rows, "a", note="first")
    two = Verdict.passed("two", 3).dropping(pa.array([True, True, False]), "b", note="second")
    found = first_verdict([one, two]).to_pylist()
    assert [(row["stage"], row["reason"], row["note"]) for row in found] == [
        ("one", "a", "first"), ("two", "b", "second"), ("one", "a", "first")
    ]  # fmt: skip


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(0.001, 1000))
def test_what_failed_in_float32_fails_in_the_ledger(value, threshold):
    values, border = pa.array([value], pa.float32()), pa.array([threshold]).cast(pa.float32(), safe=False)
    verdict = Verdict.passed("quality", 1).dropping(pa.array([True]), "x", value=values, threshold=threshold)
    there, limit = verdict.value[0].as_py(), verdict.threshold[0].as_py()
    assert (values[0].as_py() < border[0].as_py()) <= (there < limit)
    assert (values[0].as_py() > border[0].as_py()) <= (there > limit)


def test_ids_of_which_some_are_missing():
    assert outward_ids(pa.array([KEPT, None], pa.binary(16))).to_pylist() == [KEPT.hex(), None]
