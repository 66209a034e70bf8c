"""JSON lines as people have them: what other parsers take is read, exactly; what is broken costs itself only."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readers import streams
from tests.pipeline.readers_help import make_source, read, texts

COLUMNS = {"id": "id", "metadata": ["id", "score"]}
value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
records = st.lists(st.dictionaries(st.text(max_size=3), value, max_size=3), max_size=6)


def read_text(folder, text: str | bytes, **package):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    (folder / "a.jsonl").write_bytes(data)
    return read(make_source("jsonl", str(folder / "a.jsonl"), **package))


@settings(deadline=None, max_examples=60)
@given(records, st.sampled_from(["lines", "array", "pretty", "several", "cr", "spread"]))
def test_every_layout_gives_the_same_documents(tmp_path_factory, others, layout):
    rows = [other | {"text": f"document {number}"} for number, other in enumerate(others)]
    pieces = [json.dumps(row, indent=1 if layout == "spread" else None) for row in rows]
    text = {"array": json.dumps(rows), "pretty": json.dumps(rows, indent=2), "several": " ".join(pieces)}.get(layout)
    if text is None:
        text = ("\r" if layout == "cr" else "\n").join(pieces)
    read_rows, problems = read_text(tmp_path_factory.mktemp("j"), text)
    assert texts(read_rows) == [row["text"] for row in rows]
    assert not problems


def own_keys(rows):
    """Keys without the name of the file that they count within."""
    return [row["key"].split("#", 1)[1] for row in rows]


def test_numbers_beyond_64_bits_stay_exact(tmp_path):
    big = [2**64 + 1, 2**64 + 2, -(2**63) - 1, 10**30]
    lines = "".join(f'{{"text": "t{number}", "id": {number}, "score": [{number}]}}\n' for number in big)
    rows, problems = read_text(tmp_path, lines, columns=COLUMNS)
    assert own_keys(rows) == [str(number) for number in big]
    assert [json.loads(row["metadata"])["score"] for row in rows] == [[number] for number in big]
    assert not problems


def test_keys_are_as_they_are_written(tmp_path):
    rows, _ = read_text(
        tmp_path, '{"text":"a","id":1.10}\n{"text":"b","id":1.1}\n{"text":"c","id":1e400}\n', columns={"id": "id"}
    )
    assert own_keys(rows) == ["1.10", "1.1", "1e400"]


def test_what_json_lacks_elsewhere_costs_no_text_and_metadata_is_json(tmp_path):
    lines = '{"text":"a","score":NaN}\n{"text":"b","score":-Infinity}\n{"text":"c","score":[1e999]}\n'
    lines += '{"text":"d","score":"\\ud800"}\n{"text":"e","score":' + "9" * 5000 + "}\n"
    rows, problems = read_text(tmp_path, lines, columns={"metadata": ["score"]})
    assert texts(rows) == ["a", "b", "c", "d", "e"]
    assert [json.loads(row["metadata"])["score"] for row in rows][:3] == ["NaN", "-Infinity", ["1e999"]]
    for row in rows:
        json.loads(row["metadata"], parse_constant=pytest.fail)
    assert not problems


def test_bad_bytes_elsewhere_cost_no_text(tmp_path):
    rows, problems = read_text(tmp_path, b'{"text":"a","n":"\xff"}\n{"text":"\xff"}\n{"text":"b"}\n')
    assert texts(rows) == ["a", "b"]
    assert len(problems) == 1


@pytest.mark.parametrize("depth", [600, 100_000])
def test_deep_nesting_is_a_problem_or_none(tmp_path, depth):
    rows, problems = read_text(tmp_path, '{"text":"a","n":' + "[" * depth + "]" * depth + '}\n{"text":"b"}\n')
    assert texts(rows)[-1] == "b"
    assert len(rows) + len(problems) == 2


def test_a_missing_column_lists_ten_others(tmp_path):
    keys = {f"key {number}" * 50: number for number in range(100_000)}
    _, problems = read_text(tmp_path, json.dumps(keys))
    assert len(problems[0].cause) < 1000
    assert problems[0].cause.endswith("and 99,990 more")


def test_null_and_other_texts_are_problems_each(tmp_path):
    rows, problems = read_text(tmp_path, '{"text":null}\n{"text":3}\n[1]\n"s"\nnull\n{"text":"good"}\n{"text":null}\n')
    assert texts(rows) == ["good"]
    assert [problem.cause for problem in problems].count("column `text` is null") == 2
    assert len(problems) == 6


def test_an_array_goes_on_behind_broken_elements(tmp_path):
    text = '[{"text": "a"}, 5, {"text": "b",}, [1], "s", {"text": "open\n}, {"text": "c"}, {"text": "d", "x": [1, 2'
    rows, problems = read_text(tmp_path, text)
    assert texts(rows) == ["a", "c"]
    assert "not closed" in problems[-1].cause
    assert "bytes to the end" in problems[-1].cause


@pytest.mark.parametrize(
    "text", ['[{"text": "a"}, {"text": "b"}', '[{"text": "a"}, {"text": "b"},\n', '[\n{"text": "a"}, {"text": "b"}\n']
)
def test_an_array_cut_off_between_elements_is_a_problem(tmp_path, text):
    rows, problems = read_text(tmp_path, text)
    assert texts(rows) == ["a", "b"]
    assert [problem.cause for problem in problems] == [
        "not valid JSON: its array is not closed after 2 values; there may have been more"
    ]


def test_an_array_that_holds_nothing_and_is_not_closed_is_a_problem(tmp_path):
    _, problems = read_text(tmp_path, "[\n\n")
    assert len(problems) == 1
    assert read_text(tmp_path, "[]\n") == ([], [])


def test_a_large_element_is_skipped_unheld(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "DOCUMENT_BYTES_MAX", 1 << 20)
    rows, problems = read_text(tmp_path, json.dumps([{"text": "a"}, {"text": "x" * (3 << 20)}, {"text": "b"}]))
    assert texts(rows) == ["a", "b"]
    assert [problem.cause for problem in problems] == ["a document or line of more than 1 MiB"]


@pytest.mark.parametrize("text", ["[" * 10**6, '{"text":"a"}' * 80_000, "{" * 10**6, '"' * 10**6, "[1," * 300_000])
def test_a_megabyte_takes_seconds(tmp_path, text):
    start = time.process_time()
    rows, problems = read_text(tmp_path, text)
    assert time.process_time() - start < 10
    assert rows or problems


def test_what_stands_before_a_value_costs_nothing(tmp_path):
    stray = [b"", b"\xef\xbb\xbf", b"\0" * 600, b"\x1e", b"\x0c"]  # files put together, a hole, RFC 7464, a form feed
    rows, problems = read_text(tmp_path, b"".join(mark + b'{"text": "a"}\n' for mark in stray))
    assert (texts(rows), problems) == (["a"] * len(stray), [])


def test_a_fault_within_a_line_of_objects_costs_itself(tmp_path):
    rows, problems = read_text(tmp_path, '{"text":"a"}{"txt":"b"} {"text":"c"}')
    assert texts(rows) == ["a", "c"]
    assert len(problems) == 1


def test_a_key_that_is_no_unicode_costs_no_text(tmp_path):
    lines = '{"text":"a","id":"\\ud800"}\n{"text":"b","id":"\\udfff"}\n{"text":"\\ud800","id":"x"}\n'
    rows, problems = read_text(tmp_path, lines, columns={"id": "id"})
    assert own_keys(rows) == ["\\ud800", "\\udfff"]
    assert len(problems) == 1


def test_a_row_without_a_key_never_has_that_of_another(tmp_path):
    keys = ["1", None, 2, "", 4, 4, "4\0002"]
    lines = "".join(json.dumps({"text": f"t{number}", "id": key}) + "\n" for number, key in enumerate(keys))
    rows, _ = read_text(tmp_path, lines, columns={"id": "id"})
    assert len({row["key"] for row in rows}) == len(keys)
