"""Normalisation form C: what `unicodedata` gives, in linear time."""

import sys
import time
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.normal_form import RUN_MAX, to_nfc

MARKS = "\u0301\u0323\u0308\u0344\u0f71\u0f72\u0f73\u0f81\u3099\u0653\u0655\u05b0\u1dc0\u20d0\U0001d165\u09bc"
BASES = "aeÅåAK\u00e1\u1e69\u0627\u0f40かㄱ\uac00\u1100\u1161\u11a8क\u0958\u212b\u09c7\u09be \n\U0001d157"
texts = st.lists(st.one_of(st.text(alphabet=BASES + MARKS, max_size=80), st.text(max_size=20)), max_size=5)


def nfc(*values: str) -> list[str]:
    return to_nfc(pa.array(values, pa.large_string())).to_pylist()


@settings(deadline=None)
@given(texts)
def test_texts_become_what_unicodedata_makes_of_them(values):
    assert nfc(*values) == [unicodedata.normalize("NFC", value) for value in values]


@settings(deadline=None)
@given(st.text(alphabet=MARKS, min_size=RUN_MAX, max_size=200), st.sampled_from(BASES), st.text(alphabet=BASES))
def test_long_runs_of_marks_too(run, base, tail):
    for value in (run, base + run + tail, f"{base}{run[:20]}{base}{run}{run}{tail}"):
        assert nfc(value) == [unicodedata.normalize("NFC", value)]


def test_every_character_alone_and_behind_a_base():
    for plane in range(0, sys.maxunicode + 1, 0x10000):
        codes = [code for code in range(plane, plane + 0x10000) if not 0xD800 <= code < 0xE000]
        text = "".join(f"{chr(code)} a{chr(code)}\u0323{chr(code)}\u0301{chr(code)}" for code in codes)
        assert nfc(*text.split(" ")) == [unicodedata.normalize("NFC", value) for value in text.split(" ")]


def test_normal_text_comes_back_as_the_same_array():
    array = pa.array(["ascii", "é", "", "がぎ", "한국어"], pa.large_string())
    assert to_nfc(array) is array
    assert to_nfc(array.slice(1, 3)).to_pylist() == ["é", "", "がぎ"]


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0f81", "\u0344\u0323", "\u0323" + "\u0301" * 9])
def test_a_megabyte_of_marks_takes_seconds(marks):
    text = "á" + marks * (1_000_000 // len(marks.encode()))
    start = time.process_time()
    (normal,) = nfc(text)
    assert time.process_time() - start < 10
    assert unicodedata.is_normalized("NFC", normal[:1000])
