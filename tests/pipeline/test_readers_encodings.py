"""Encodings: what a source names, what files show, and what does not decode."""

import codecs
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.readers import streams
from pipeline.readers.encodings import decode
from tests.pipeline.readers_help import make_source, read, texts

SENTENCES = {
    "en": "All human beings are born free and equal.\nIn dignity and rights.\n",
    "ru": "Все люди рождаются свободными и равными.\nВ своём достоинстве и правах.\n",
    "hi": "सभी मनुष्य जन्म से स्वतन्त्र हैं।\nऔर समान हैं।\n",
    "ar": "يولد جميع الناس أحراراً.\nومتساوين في الكرامة والحقوق.\n",
    "zh": "人人生而自由，在尊严和权利上一律平等。\n他们赋有理性和良心。\n",
    "emoji": "One 😀 smile.\nTwo 😀😀.\n",
}


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("marked", [True, False])
def test_unicode_in_any_form_is_recognised(language, encoding, marked):
    text = SENTENCES[language]
    assert decode((("\ufeff" if marked else "") + text).encode(encoding), "utf-8", "a.txt") == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_declared_utf_16_too(encoding):
    for data in ("ab\u6f22\n".encode(encoding), "漢字".encode(encoding)):
        assert decode(data, encoding, "a.txt") in ("ab\u6f22\n", "漢字")


@settings(deadline=None)
@given(st.text(min_size=1))
def test_text_in_utf_8_is_never_taken_for_another(text):
    assert decode(text.encode(), "utf-8", "a.txt") == text.removeprefix("\ufeff") or "\0" in text


def test_a_stray_zero_byte_leaves_text_utf_8():
    text = "A line of text with one zero\0byte.\n" * 3
    assert decode(text.encode(), "utf-8", "a.txt") == text


@pytest.mark.parametrize(
    ("reader", "name", "text"),
    [
        ("text", "a.txt", "Déjà vu.\n"),
        ("json", "a.json", '["Déjà vu."]'),
        ("jsonl", "a.jsonl", '{"text": "Déjà vu."}\n'),
        ("csv", "a.csv", "text,id\nDéjà vu.,1\n"),
        ("tsv", "a.tsv", "text\tid\nDéjà vu.\t1\n"),
        ("properties", "a.properties", "a = Déjà vu.\n"),
        ("fluent", "a.ftl", "a = Déjà vu.\n"),
        ("gettext", "a.po", 'msgid "a"\nmsgstr "Déjà vu."\n'),
        ("man", "a.1", "Déjà vu.\n"),
        ("code", "a.py", "# Déjà vu.\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8", "cp037"])
def test_every_reader_heeds_the_encoding_of_the_source(tmp_path, reader, name, text, encoding):
    (tmp_path / name).write_bytes(text.encode(encoding))
    rows, problems = read(make_source(reader, str(tmp_path), encoding=encoding))
    assert "Déjà vu." in "".join(texts(rows))
    assert not problems


@pytest.mark.parametrize("reader", ["parquet", "arrow", "datasets", "warc", "wet"])
def test_an_encoding_that_would_not_be_heeded_is_refused(reader):
    with pytest.raises(ValidationError, match="leave it out"):
        make_source(reader, encoding="latin-1")


@pytest.mark.parametrize("encoding", ["latin-9000", "hex", "rot13", "idna", "unicode_escape", "", "x\0"])
def test_what_is_no_encoding_is_refused(encoding):
    with pytest.raises(ValidationError, match="not a character encoding"):
        make_source("text", encoding=encoding)


def test_code_in_utf_16_is_read_and_a_binary_file_is_a_problem(tmp_path):
    (tmp_path / "a.py").write_bytes("import os\nprint(os.name)\n".encode("utf-16"))
    (tmp_path / "b.py").write_bytes(b"\x7fELF\0\0\1\2\3" * 50)
    rows, problems = read(make_source("code", str(tmp_path)))
    assert [(row["language"], row["text"]) for row in rows] == [("python", "import os\nprint(os.name)\n")]
    assert [problem.cause for problem in problems] == ["a binary file with the name of source code"]


def test_python_declares_its_own_encoding(tmp_path):
    text = "#!/usr/bin/python\n# -*- coding: latin-1 -*-\nname = 'Zoë'\n"
    (tmp_path / "a.py").write_bytes(text.encode("latin-1"))
    assert texts(read(make_source("code", str(tmp_path)))[0]) == [text]


def test_properties_that_are_not_utf_8_are_latin_1_as_java_has_it(tmp_path):
    (tmp_path / "a.properties").write_bytes("a = Déjà vu\n".encode("latin-1"))
    assert texts(read(make_source("properties", str(tmp_path)))[0]) == ["Déjà vu"]


def test_a_line_that_does_not_decode_costs_only_itself(tmp_path):
    (tmp_path / "a.txt").write_bytes("eins\nzw\x81ei\ndrei\n".encode("latin-1"))
    rows, problems = read(make_source("text", str(tmp_path), documents="line", encoding="cp1252"))
    assert texts(rows) == ["eins", "drei"]
    assert [problem.file for problem in problems] == [f"{tmp_path.name}/a.txt, line 2"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_plain_text_may_be_a_document_a_line(tmp_path, end, encoding):
    (tmp_path / "a.txt").write_bytes(end.join(("one\u2028more", "", "  ", "two")).encode(encoding))
    rows, _ = read(make_source("text", str(tmp_path), documents="line"))
    assert [(row["key"].partition("#")[2], row["text"]) for row in rows] == [("1", "one\u2028more"), ("4", "two")]
    assert len(read(make_source("text", str(tmp_path)))[0]) == 1


def test_documents_are_a_matter_of_plain_text():
    with pytest.raises(ValidationError, match="only `text` can take a line for a document"):
        make_source("jsonl", documents="line")


@pytest.mark.parametrize(("characters", "kept"), [("a", True), ("é", False)])
def test_the_limit_of_a_document_counts_its_bytes(tmp_path, monkeypatch, characters, kept):
    monkeypatch.setattr(streams, "DOCUMENT_BYTES_MAX", 1 << 20)
    text = characters * ((1 << 20) - 200) + "é"
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False))
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": text[: 1 << 18]}, ensure_ascii=False))
    rows, problems = read(make_source("jsonl", str(tmp_path)))
    assert [len(row["text"]) for row in rows] == [len(text)] * kept + [1 << 18]
    assert len(problems) == (0 if kept else 1)


def test_continued_properties_take_linear_time(tmp_path):
    (tmp_path / "a.properties").write_text("key = " + "more \\\n" * 200_000 + "end\n")
    start = time.process_time()
    rows, _ = read(make_source("properties", str(tmp_path)))
    assert time.process_time() - start < 10
    assert texts(rows)[0].startswith("more more")


def test_only_line_feeds_and_returns_end_lines_of_messages(tmp_path):
    (tmp_path / "a.properties").write_text("a = one\u2028two\x85three\rb = four\\\r\n  five\n", newline="")
    (tmp_path / "b.ftl").write_text("a = one\u2028two\n")
    assert [line for text in texts(read(make_source("properties", str(tmp_path)))[0]) for line in text.split("\n")] == [
        "one two three",
        "fourfive",
    ]
    assert texts(read(make_source("fluent", str(tmp_path)))[0]) == ["one two"]


def test_marks_win_over_the_sources_encoding(tmp_path):
    (tmp_path / "a.txt").write_bytes(codecs.BOM_UTF8 + "é".encode())
    assert texts(read(make_source("text", str(tmp_path), encoding="latin-1"))[0]) == ["é"]


def test_a_short_text_with_a_zero_byte_is_no_utf_16():
    assert decode(b"x='a\0b'\n", "utf-8", "a.py") == "x='a\0b'\n"
