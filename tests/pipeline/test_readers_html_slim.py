"""What is left out of a page before it is parsed changes nothing of its tree that anybody looks at."""

import random

import pytest
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.readers.html import FURNITURE, MAIN
from pipeline.readers.html_slim import ALL, BITS, HIDDEN, ROLE, STYLE, slim

ATTRIBUTES = [
    "", " href='/a?b=1&amp;c'", " class=toc", ' class="x  nav-header navheader"', " class='x' class=toc", " hidden",
    " hidden id=default1", " ID=DisplayArea", " style='display:none'", ' style="color:red;DISPLAY: none"', " role=main",
    " role = 'navigation'", "class=debug", " /class=noteicon", " a='>'", ' a="', " a=b'c", " =x", " class=to&#99;",
    " type=hidden", " a\tb\n=\fc", " class", " class=''id=x", " x/",
]  # fmt: skip
NAMES = [
    *("p", "div", "span", "a", "b", "i", "font", "nav", "table", "tr", "td", "th", "ul", "li", "ol", "pre", "select"),
    *("option", "form", "main", "article", "section", "h1", "br", "img", "input", "script", "style", "title", "button"),
    *(
        "textarea",
        "svg",
        "math",
        "template",
        "noscript",
        "header",
        "footer",
        "iframe",
        "object",
        "html",
        "body",
        "ruby",
    ),
]
PIECES = [
    "text ", "zwei Wörter\n", "日本", " ", "&amp;", "&lt;p&gt;", "<", "< a", "</", "</>", "<!-- note -->", "<!-->",
    "<!--->", "<!-- --!>", "<!-- <p> -- > -->", "<!doctype html>", "<?php ?>", "<![CDATA[ <p> > ]]>",
    "<script>a<b, '<p>'</script>",
    "<script><!-- <script> </script> text --></script>", "<script>a<!-- b</script>", "<style>p > a {}</style>", "--> ",
    "<title>a <b> c</title>", "<svg><style><p>in</style></svg>", "<svg/>", "</svg>", "<select><style><p>x</style>",
    "]]>", "<textarea><nav></textarea>", "<foreignObject>", "<annotation-xml encoding='text/html'>", "<font color=red>",
]  # fmt: skip
SELECTORS = [*FURNITURE, *MAIN, "form"]


def page(seed: int) -> str:
    """Tags, text and rubbish in any order."""
    dice = random.Random(seed)
    parts = []
    for _ in range(dice.randrange(1, 30)):
        kind = dice.random()
        if kind < 0.45:
            parts.append(f"<{dice.choice(NAMES)}{''.join(dice.choices(ATTRIBUTES, k=dice.randrange(3)))}>")
        elif kind < 0.7:
            parts.append(f"</{dice.choice(NAMES)}>")
        else:
            parts.append(dice.choice(PIECES))
    return "".join(parts)


def seen_by_a_parser(text: str) -> tuple[str, list[list[str]]]:
    """The text of a page, and the text of what each selector finds in it."""
    tree = HTMLTree.parse(text)
    body = tree.body
    found = [[one.text or "" for one in body.query_selector_all(selector)] for selector in SELECTORS] if body else []
    return extract_plain_text(tree, alt_texts=False), found


def looked_at(text: str) -> tuple[str, list[list[str]]]:
    """The same without scripts and styles, whose content is nobody's text."""
    shown, found = seen_by_a_parser(text)
    return shown, [
        [""] * len(one) if name in ("script", "style") else one for name, one in zip(SELECTORS, found, strict=False)
    ]


@pytest.mark.parametrize("seed", range(0, 3000, 100))
def test_a_parser_finds_the_same(seed):
    for number in range(seed, seed + 100):
        whole = page(number)
        left, seen = slim(whole.encode())
        (shown, found), (shown_then, found_then) = looked_at(whole), looked_at(left.decode())
        assert shown_then == shown, whole
        for selector, before, after in zip(SELECTORS, found, found_then, strict=False):
            assert len(before) == len(after), (selector, whole)
            assert not before or seen >> {**FURNITURE, **MAIN, "form": BITS["form"]}[selector] & 1, (selector, whole)


def test_addresses_comments_and_scripts_are_left_out():
    left, seen = slim(
        b"<body><!-- a note --><a href='/x' class=k id=i>y</a><script src=z>a()</script><p class='x toc'>b</p>"
    )
    assert left == b"<body><!----><a>y</a><script></script><p class='x toc'>b</p>"
    assert seen == 1 << BITS["script"] | 1 << BITS["toc"]


@pytest.mark.parametrize(
    ("given", "bit"),
    [("<p hidden>", HIDDEN), ("<p role=x>", ROLE), ("<p style='DISPLAY:none'>", STYLE), ("<NAV>", BITS["nav"])],
)
def test_what_a_page_has_is_told(given, bit):
    assert slim(given.encode())[1] == 1 << bit


@pytest.mark.parametrize(
    "rest", ["<plaintext>", "<frameset>", "<p a='", "<script><!-- <script></script>", "<select><title>"]
)
def test_where_tags_do_not_tell_all_stays(rest):
    given = f"{rest}<a href=x><!-- note -->".encode()
    assert slim(given) == (given, ALL)


def test_nothing_gives_nothing():
    assert slim(b"") == (b"", 0)
