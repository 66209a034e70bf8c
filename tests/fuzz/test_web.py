"""Damaged web archives and pages: no crash, no hang, and no record lost without a word."""

import gzip
import io
from collections.abc import Callable

import brotli
import pytest

from configs.errors import InputError
from configs.load import load_languages
from pipeline.readers.containers import Member
from pipeline.readers.html import html_to_text
from pipeline.readers.rows import Context, Row
from pipeline.readers.streams import Stream, unpack
from pipeline.readers.web import read_warc, read_wet
from tests.fuzz.mutate import MANY, fuzz
from tests.pipeline.readers_help import make_source
from tests.pipeline.warc_help import answer, gzipped, page, record

LANGUAGES = load_languages()

RESPONSES = [
    record(answer(page(1)), 1),
    record(answer(gzip.compress(page(2), mtime=0), "Content-Encoding: gzip"), 2),
    record(answer(brotli.compress(page(3)), "Content-Encoding: br"), 3),
    record(answer(b"40\r\n" + page(4)[:64] + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 4),
    record(answer("“Déjà vu” in plain text".encode("cp1252"), "Content-Type: text/plain; charset=latin1"), 5),
    record(answer(page(6), "-", end="\n"), 6, end="\n"),
    record(answer(b"", status="HTTP/1.1 404 Not Found"), 7),
    record(page(8), 8, kind="resource", content_type="text/html"),
]
CONVERSIONS = [
    record(f"Text of record {number}, as long as a sentence is: ü, 日本.".encode(), number, "conversion", "text/plain")
    for number in range(8)
]

PAGES = [
    page(1) + b"<form><pre>a\n b</pre><select><option>x</select></form><svg><path d=M0 /></svg><!-- c --><p hidden>h",
    "<?xml version='1.0' encoding='koi8-r'?><html><body><p>Привет<ruby>漢<rt>かん</ruby><table><td><b><i>x".encode(),
    b"<meta http-equiv=Content-Type content='text/html; charset=shift_jis'><p>\x82\xa0\x82\xa2<script>if(a<b)</script>",
    "<!DOCTYPE html><html><head><title>t</title><body><ul><li>ü<li>日本<nav>m</nav><main>&amp;&shy;x".encode("utf-16"),
    b"<frameset><frame src=a></frameset><noframes><p>a<br>b</noframes>",
    b'<div class=\'a\' id="b" style="display:none">' * 40 + b"<font size=1><a href=x>text</a><p>" * 40,
]


def rows_of(reader: Callable, data: bytes) -> tuple[list[Row], list[InputError]]:
    problems: list[InputError] = []
    stream = unpack(Stream(io.BytesIO(data).read, "a.warc"))
    context = Context(make_source("warc"), LANGUAGES, problems.append, 100)
    rows: list[Row] = []
    try:
        rows.extend(reader(Member("a.warc", "a.warc", stream), context))
    except InputError as error:
        problems.append(error)
    return rows, problems


def check_archive(reader: Callable, parts: list[bytes]) -> Callable[[bytes], None]:
    """A check that all records whose bytes are unharmed give the text they gave before, or that something is told."""
    texts = {part: [row.text for row in rows_of(reader, part)[0]] for part in parts}

    def check(data: bytes) -> None:
        rows, problems = rows_of(reader, data)
        for row in rows:
            (row.text + (row.uri or "") + (row.key or "")).encode()
        found = {row.text for row in rows}
        lost = [part for part in parts if part in data and not found.issuperset(texts[part])]
        assert problems or not lost, f"lost without a word: {lost[0][:200]!r}"
        assert rows or problems or not data.strip()

    return check


def check_page(data: bytes) -> None:
    for web in (False, True):
        html_to_text(data, web=web).encode()


def archive(parts: list[bytes]) -> list[bytes]:
    return [b"".join(parts), b"".join(parts[::-1]), b"".join(parts[:3])]


TARGETS: dict[str, tuple[list[bytes], Callable[[bytes], None]]] = {
    "warc": (archive(RESPONSES), check_archive(read_warc, RESPONSES)),
    "warc.gz": (archive(gzipped(*RESPONSES)), check_archive(read_warc, gzipped(*RESPONSES))),
    "wet": (archive(CONVERSIONS), check_archive(read_wet, CONVERSIONS)),
    "html": (PAGES, check_page),
}


@pytest.mark.parametrize("target", TARGETS)
def test_damage_is_survived_and_told(target):
    samples, check = TARGETS[target]
    fuzz(samples, check, count=300)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_any_damage_is_survived_and_told(target):
    samples, check = TARGETS[target]
    fuzz(samples, check, count=MANY, seed=1)
