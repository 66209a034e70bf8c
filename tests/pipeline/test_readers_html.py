"""HTML as browsers show it, and in linear time whatever it holds."""

import time

import pytest

from configs.errors import NoTextError
from pipeline.readers.html import html_to_text
from pipeline.readers.html_scan import is_costly, without_tags
from tests.pipeline.readers_help import make_source, read, texts


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("plain words", "plain words"),
        ("<title>t</title><p>a<p>b", "a\nb"),
        ("<form><p>All of an old page stands in one form.</form>", "All of an old page stands in one form."),
        ("<p>Long enough to be a page.<form>Search: <input></form>", "Long enough to be a page."),
        ("<p>Row, row<br>Row, row<br>gently", "Row, row\nRow, row\ngently"),
        ("<table><tr><td>1<td>1<tr><td>1<td>1</table>", "1 1\n1 1"),
        ("<p>x<pre>if x:\n\n    return  1\n</pre>y", "x\nif x:\n\n    return  1\ny"),
        ("<PRE class='a\nb'>\n  one\n\ttwo</PRE>", "  one\n\ttwo"),
        ("<pre>\r\n  one\r\n  <b>two</b></pre>", "  one\n  two"),
        ("<pre>never closed\n  more", "never closed\n  more"),
        ("<plaintext>a <b> c", "a <b> c"),
        ("<frameset><frame src=a></frameset><noframes><p>for <b>old</b> browsers</noframes>", "for old browsers"),
        ("<noscript><p>Only here.</noscript>", "Only here."),
        ("<body><noscript>Switch it on!</noscript><p>Text.", "Text."),
        ("<nav>All there is</nav>", "All there is"),
        ("<p hidden>no</p><p style='display:none'>no</p><p style='color:red;display: none'>no</p><p>yes", "yes"),
        ("Donau&shy;dampf\u00adschiff &amp; &#8364; &#x97; &copy", "Donaudampfschiff & € — ©"),
        ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</ruby>です", "漢字です"),
        ("<svg><text>drawn</text></svg><p>text", "text"),
        ("<template><p>no</template><script>no</script><style>no</style><p>yes", "yes"),
        ("n\0ul", "nul"),
        ("<p>in</p></body></html><p>behind", "in\nbehind"),
        ("<ul><li>a<li>a</ul><ol><li>b<li>c</ol>", "a\na\n1. b\n2. c"),
    ],
)  # fmt: skip
def test_pages_read_as_they_are_shown(page, text):
    assert html_to_text(page) == text


@pytest.mark.parametrize(
    "page",
    [
        "",
        " \n",
        "<svg><template>",
        "<img src=x>",
        "<!-- x -->",
        "<frameset><frame></frameset>",
        "<noframes></noframes>",
    ],
)
def test_a_page_without_text_is_told(tmp_path, page):
    (tmp_path / "a.html").write_text(page)
    rows, problems = read(make_source("html", str(tmp_path)))
    assert (rows, [type(problem) for problem in problems]) == ([], [NoTextError])


@pytest.mark.parametrize(
    "data", [b"%PDF-1.4\n%\xe2\xe3\xcf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x7fELF\2\1\1" + b"\0\xff" * 99]
)
def test_what_is_no_page_is_unreadable_whatever_its_name_says(tmp_path, data):
    (tmp_path / "a.html").write_bytes(data)
    (tmp_path / "b.html").write_bytes("<p>漢字".encode("utf-16-be"))
    rows, problems = read(make_source("html", str(tmp_path), encoding="utf-8"))
    assert texts(rows) == ["漢字"] and "whatever its name says" in problems[0].cause
    rows, problems = read(make_source("html", str(tmp_path), encoding="utf-16-be"))
    assert "漢字" in texts(rows)


def test_preformatted_text_is_kept_in_web_pages_too():
    assert html_to_text("<p>x</p><pre>a\n  b</pre>", web=True) == "x\na\n  b"


def test_a_web_page_that_looks_like_boilerplate_only_is_kept_whole():
    assert html_to_text("<nav><p>All there is</p></nav>", web=True) == "All there is"


@pytest.mark.parametrize(
    ("encoding", "page", "text"),
    [
        ("utf-8", "<meta charset=iso-2022-jp><p>日本語の文章".encode("iso2022_jp"), "日本語の文章"),
        ("utf-8", "<meta charset=utf-16><p>é".encode(), "é"),
        ("utf-8", "<p>UTF-16 é 日".encode("utf-16"), "UTF-16 é 日"),
        ("utf-8", "<html><p>UTF-16 é".encode("utf-16-le"), "UTF-16 é"),
        ("utf-8", b"<meta charset=latin1><p>\x93x\x94", "“x”"),
        ("cp1251", "<meta charset=koi8-r><p>Привет".encode("cp1251"), "Привет"),
        ("cp037", "<p>EBCDIC</p>".encode("cp037"), "EBCDIC"),
    ],
)
def test_pages_are_decoded(tmp_path, encoding, page, text):
    (tmp_path / "a.html").write_bytes(page)
    assert texts(read(make_source("html", str(tmp_path), encoding=encoding))[0]) == [text]


def numbered(pattern: str, size: int) -> str:
    return "".join(pattern.format(number) for number in range(size // len(pattern)))


COSTLY = {
    "attributes": lambda size: "<p" + numbered(" a{}", size) + ">text",
    "attributes of the body": lambda size: numbered("<body a{}>", size) + "text",
    "deep": lambda size: "<div>" * (size // 5) + "text",
    "formatting opened again": lambda size: numbered("<font a{}><p>x", size) + "text",
    "torn": lambda size: "<a><b><i><div></a></b></i>" * (size // 26) + "text",
    "adopted": lambda size: "<b>" * (size // 9) + "<div>" * (size // 9) + "</b>" * (size // 9) + "text",
    "end tags of nothing": lambda size: "<y>" * (size // 6) + "</x>" * (size // 6) + "text",
    "options": lambda size: "<p>text<select>" + "<option>a" * (size // 9) + "</select>",
    "lists": lambda size: "<ul><li>a" * (size // 9) + "text",
    "tables": lambda size: "<table><tr><td>" * (size // 15) + "text",
    "hidden in boundaries": lambda size: "<div><table><td></div></td></table>" * (size // 34) + "text",
    "hidden behind a comment": lambda size: "<!-- --!>" + "<div>" * (size // 5) + "text",
    "hidden in a drawing": lambda size: "<svg><style>" + "<div>" * (size // 5) + "text",
    "closed alone": lambda size: "<div/>" * (size // 6) + "text",
}
CHEAP = {
    "paragraphs": lambda size: "<p>x" * (size // 4) + "text",
    "rows": lambda size: "<table>" + "<tr><td>x" * (size // 9) + "</table>text",
    "items": lambda size: "<ul>" + "<li>a" * (size // 5) + "</ul>text",
    "cells of old pages": lambda size: "<table>" + "<tr><td><font size=1>x" * (size // 22) + "</table>text",
    "drawings": lambda size: "<svg>" + "<path d='M0'/>" * (size // 14) + "</svg>text",
    "spans": lambda size: "<pre>" + "<span class=k>x</span>\n" * (size // 22) + "</pre>text",
    "scripts": lambda size: "<script>if (a<b) x='<div>'</script>" * (size // 35) + "text",
    "hidden": lambda size: "<p hidden>x</p>" * (size // 15) + "text",
    "forms": lambda size: "<form>x</form>" * (size // 14) + "text",
    "entities": lambda size: "<p>" + "&amp;&notin;&#1;" * (size // 16) + "text",
    "spaces": lambda size: "<p>" + " " * size + "text",
    "no end": lambda size: "text<a " + "x" * size,
    "comments": lambda size: "<!-->" * (size // 5) + "text",
    "comments without end": lambda size: "text" + "<!-- " * (size // 5),
    "titles of drawings": lambda size: "<svg><title>x</title></svg>" * (size // 27) + "text",
    "scripts with comments": lambda size: "<script><!-- x</script>" * (size // 23) + "text",
    "a giant entity": lambda size: "<p>text &" + "a" * size,
    "many classes": lambda size: "<p class='" + "toc- " * (size // 5) + "'>text",
}


@pytest.mark.parametrize("kind", COSTLY)
def test_what_takes_quadratic_time_is_known_before(kind):
    assert is_costly(COSTLY[kind](300_000).encode())


@pytest.mark.parametrize("kind", CHEAP)
def test_what_is_large_but_plain_is_parsed(kind):
    assert not is_costly(CHEAP[kind](1_000_000).encode())


@pytest.mark.parametrize("web", [False, True])
@pytest.mark.parametrize("kind", [*COSTLY, *CHEAP])
def test_time_is_linear_and_the_text_is_kept(kind, web):
    page = {**COSTLY, **CHEAP}[kind](1_000_000 if kind in COSTLY else 300_000)
    started = time.process_time()
    assert "text" in html_to_text(page, web=web)
    assert time.process_time() - started < 10


def test_text_without_a_parser():
    page = (
        b"<!-- no --><p class='a>b'>one <b>two</b><script>no<p></script> <title>no</title>three<br>4 < 5</x y=1>6<?no>7"
    )
    assert b" ".join(without_tags(page).split()) == b"one two three 4 < 5 67"


@pytest.mark.parametrize("name", ["select", "template", "nav", "button", "noscript", "textarea"])
def test_an_element_that_xhtml_closes_at_once_hides_nothing_behind_it(name):
    head = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>'
    assert html_to_text(f"{head}<p>one</p><{name} id='a'/><p>two</p></body></html>".encode()) == "one\ntwo"


def test_an_element_that_xhtml_closes_at_once_swallows_nothing():
    head = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>'
    page = f'{head}<p>One</p><script src="x.js"/><p>Two</p><iframe/><p>Three</p></body></html>'
    assert html_to_text(page.encode()) == "One\nTwo\nThree"
