"""CSV and TSV as people have them."""

import csv
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.readers_help import make_source, read, texts

cell = st.text(st.sampled_from('ab",;\n\r é'), max_size=8)


def read_csv(folder, text: str | bytes, reader: str = "csv", **package):
    (folder / f"a.{reader}").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(make_source(reader, str(folder / f"a.{reader}"), **package))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=6), st.sampled_from([",", ";", "\t", "|"]))
def test_what_python_writes_is_read_whatever_separates_it(tmp_path_factory, rows, delimiter):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerows([("text", "id"), *rows])
    found, problems = read_csv(tmp_path_factory.mktemp("c"), "\n\ufeff".removeprefix("\n") + buffer.getvalue())
    assert texts(found) == [text for text, _ in rows]
    assert not problems


def test_a_quote_that_is_not_closed_costs_its_line(tmp_path):
    lines = [f'{number},"Line {number}, as it is."' for number in range(50)]
    lines[9] = '9,"opened and not closed'
    for last in (50, 10):  # others with quotes follow, or none
        rows, problems = read_csv(tmp_path, "id,text\n" + "\n".join(lines[:last]) + "\n")
        assert len(rows) == last - 1
        assert len(problems) == 1
        assert "a quote may not be closed" in problems[0].cause or last == 10


def test_a_quote_that_is_not_closed_before_plain_lines(tmp_path):
    lines = [f"{number},Line {number} without quotes" for number in range(50)]
    lines[9] = '9,"opened and not closed'
    rows, problems = read_csv(tmp_path, "id,text\n" + "\n".join(lines))
    assert len(rows) == 49
    assert "the 40 behind it are read again" in problems[0].cause


def test_blank_lines_sep_hints_and_marks_before_the_header(tmp_path):
    for head in ("\n\n", "sep=;\n", "\ufeff", "\r\n"):
        assert texts(read_csv(tmp_path, head + '"text";"id"\n"a;b";1\n')[0]) == ["a;b"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-8-sig"])
def test_line_ends_and_encodings(tmp_path, end, encoding):
    rows, problems = read_csv(tmp_path, end.join(("text,id", '"one, é",1', "two,2", "")).encode(encoding))
    assert texts(rows) == ["one, é", "two"]
    assert not problems


def test_commas_under_the_name_of_tabs(tmp_path):
    assert texts(read_csv(tmp_path, 'text,id\n"a, b",1\n', "tsv")[0]) == ["a, b"]


def test_two_columns_of_one_name_are_a_problem_if_wanted(tmp_path):
    assert texts(read_csv(tmp_path, "text,n,n\na,1,2\n")[0]) == ["a"]
    rows, problems = read_csv(tmp_path, "text,text\na,b\n")
    assert not rows
    assert problems[0].cause == "there are 2 columns named `text`"


def test_a_missing_column_lists_ten_others(tmp_path):
    _, problems = read_csv(tmp_path, ",".join(f"column{number}" for number in range(100_000)) + "\n")
    assert len(problems[0].cause) < 1000
    assert problems[0].cause.endswith("and 99,990 more")


def test_bytes_that_do_not_decode_cost_their_row(tmp_path):
    rows, problems = read_csv(tmp_path, b"text,id\na,1\n\xff\xfe,2\nb,3\n")
    assert texts(rows) == ["a", "b"]
    assert len(problems) == 1


@pytest.mark.parametrize("line", ['"', '""', '"x\n', '"""', 'a,"b\n', '"a","b\n', "\n", ",", '",'])
def test_hostile_quotes_take_linear_time(tmp_path, line):
    start = time.process_time()
    read_csv(tmp_path, "text,id\n" + line * (10**5 // len(line)))
    read_csv(tmp_path, "text,id\n" + f"{line}\n" * (10**5 // (len(line) + 1)))
    assert time.process_time() - start < 5  # half a second; a quadratic reader takes minutes


def test_spaces_around_names_and_commas_behind_all_fields_cost_nothing(tmp_path):
    rows, problems = read_csv(tmp_path, "id , text\n1,one,\n2,two,,\n3,three\n4,four,more\n")
    assert texts(rows) == ["one", "two", "three"]
    assert [problem.cause for problem in problems] == ["3 fields, the header has 2"]
