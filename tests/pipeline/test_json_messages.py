"""Strings of JSON files as running text."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from configs.load import load_languages, parse_sources
from pipeline.readers.containers import Member
from pipeline.readers.json_messages import read_json, strings
from pipeline.readers.rows import Context
from pipeline.readers.streams import Stream


def read(data, size=3000):
    entry = {"title": "t", "reader": "json", "licence": "MIT", "custodian": "c", "provenance": "p"}
    entry |= {"document_bytes": size, "packages": [{"name": "x"}]}
    source = parse_sources({"x": entry}, "test")["x"]
    member = Member("x.json", "x.json", Stream(io.BytesIO(data).read, "x.json"))
    return [row.text for row in read_json(member, Context(source, load_languages(), lambda problem: None, 100))]


def test_catalogue_without_the_notes_to_translators():
    catalogue = {"@metadata": {"authors": ["Ada"]}, "sunday": "Kiumia", "menu": {"move": "Thie"}, "n": 3}
    assert read(json.dumps(catalogue).encode()) == ["Kiumia\nThie"]


def test_list_of_verses():
    assert read(b'["Pachiyambi Mulungu", "Dziko lapansi"]') == ["Pachiyambi Mulungu\nDziko lapansi"]


def test_a_message_counts_once_and_blank_ones_not():
    assert read(b'["a word", "a word", " ", "$1"]') == ["a word"]


def test_long_files_are_cut_into_documents():
    texts = read(json.dumps([f"message {number}" for number in range(1000)]).encode(), size=500)
    assert "\n".join(texts).split("\n") == [f"message {number}" for number in range(1000)]
    assert max(map(len, texts)) <= 500


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[" * 200_000])
def test_what_is_no_json_is_named(data):
    with pytest.raises(InputError, match=r"x\.json"):
        read(data)


values = st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(values)
def test_strings_come_in_the_order_of_the_file(value):
    def plain(inner):
        if isinstance(inner, str):
            return [inner]
        items = inner if isinstance(inner, list) else []
        if isinstance(inner, dict):
            items = [item for key, item in inner.items() if not key.startswith("@")]
        return [text for item in items for text in plain(item)]

    assert list(strings(value)) == plain(value)
