"""HTML to text with resiliparse: headings, paragraphs and list items one a line, without menus and page furniture.

Measured on LibreOffice's help, the Debian Reference and the Universal Declaration: resiliparse 26 MB/s, trafilatura
0.5 MB/s, which also moved articles of the Declaration and dropped words in bold. Resiliparse's own search for the main
content loses a third of the Debian Reference (headings, lists), so it serves for web pages only.
"""

import html
from collections.abc import Iterable
from typing import Any

import re2
import webencodings
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree
from resiliparse.parse.html.node import ElementNode

from pipeline.readers.charset import decode
from pipeline.readers.html_scan import is_costly, without_tags
from pipeline.readers.html_slim import ALL, AREA, BITS, CLASSES, HIDDEN, ROLE, STYLE, slim

FURNITURE = {
    **{name: BITS[name] for name in ("script", "style", "template", "nav", "button", "select", "noscript")},
    "[role=navigation]": ROLE,
    "[role=search]": ROLE,
    "body > header": BITS["header"],
    "body > footer": BITS["footer"],
    # LibreOffice's help: of `Command` and `Ctrl` a script shows one, the latter by default.
    "[hidden]:not([id^=default])": HIDDEN,
    "[style*='display:none']": STYLE,
    "[style*='display: none']": STYLE,
    **{f".{name}": BITS[name] for name in CLASSES},
}
"""What is no text of its page, and by which bit of `slim` a page is known that may have it."""

MAIN = {"main": BITS["main"], "[role=main]": ROLE, "article": BITS["article"], "#DisplayArea": AREA}
_SHARE_MIN = 0.5
"""A main element is trusted if it holds this share of the page's text; forms are furniture if the rest holds it."""

_REMOVED_MAX = 2000
"""Elements taken out of the tree one by one; resiliparse is slower to pass over them, but in linear time."""

_XHTML_HEAD = 1 << 12
_CHEAP_BYTES = 1 << 14
"""Smaller pages are cheap, whatever they hold."""

_PRE = "\ufdd0"
"""Marks a line of preformatted text while a page is taken apart: a noncharacter, which no page can hold."""

_RUBY = re2.compile(r"(?i)<r[tp](?:[\s/][^>]*)?>[^<]*(?:</r[tp]\s*>)?|</?(?:ruby|rb|rtc)(?:[\s/][^>]*)?>")
"""What is taken out of ruby: readings, which would break into the text, and tags, which resiliparse stumbles over."""

_ALONE = re2.compile(
    r"(?i)<(script|style|title|textarea|iframe|noframes|noscript|xmp|template|nav|button|select)((?:[\s/][^<>]*)?)/>"
)
"""Elements that XHTML closes at once, and that swallow what follows where HTML is read."""

_RARE_SPACES = "\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""White space except the space, tabs and line feeds."""

_MARKED_TAG = re2.compile(f"<[^<>]*{_PRE}[^<>]*>")


def html_to_text(data: bytes | str, encoding: str = "utf-8", web: bool = False, name: str = "") -> str:
    """The text of a page; "" where there is none. `web` drops what looks like boilerplate, at some loss.

    `encoding` is what a recipe says of the page; UTF-8 stands for nothing said, then the page and its bytes tell.
    Raises InputError, in the name of `name`, for encodings that browsers refuse. Time is linear in the page: one that
    would cost a parser more (see `html_scan`) loses its tags, and keeps its menus.
    """
    page = data if isinstance(data, str) else _decoded(data, encoding, name)
    page = page.replace("\0", "").replace(_PRE, "").replace("\u00ad", "").replace("&shy;", "")
    if "http://www.w3.org/1999/xhtml" in page[:_XHTML_HEAD]:
        page = _ALONE.sub(r"<\1\2></\1>", page)
    if not page or page.isspace():
        return ""
    plain = page.encode("utf-8", "replace") if len(page) > _CHEAP_BYTES or not web else b""
    if len(page) > _CHEAP_BYTES and is_costly(plain):
        return _tidy(html.unescape(without_tags(plain).decode("utf-8", "replace")))
    seen = ALL
    if not web:  # the search for the main content looks at more than is left
        slimmed, seen = slim(plain)
        page = slimmed.decode()
    if seen >> BITS["pre"] & 1:
        page = _with_marks(_with_marks(page, "<pre", "</pre"), "<PRE", "</PRE")
    if seen >> BITS["ruby"] & 1 and ("<ruby" in page or "<RUBY" in page):
        page = _RUBY.sub("", page)
    tree = HTMLTree.parse(page)
    body = tree.body
    if body is None or body.tag != "body":  # a page of frames
        frames = tree.document.query_selector("noframes") if tree.document is not None else None
        return html_to_text(frames.text or "", web=web) if frames is not None else ""
    text = _extract(tree, main_content=True) if web else ""
    # Where a page is all furniture, it is not.
    return text or _text_of(tree, body, web, seen) or _extract(HTMLTree.parse(page), noscript=True)


def _text_of(tree: HTMLTree, body: ElementNode, web: bool, seen: int) -> str:
    """The text without furniture, which is taken out of the tree; of the main element alone if most of it is there.

    `seen` says which elements and attributes the page may have; see `slim`.
    """
    furniture = [selector for selector, bit in FURNITURE.items() if seen >> bit & 1]
    doomed = body.query_selector_all(", ".join(furniture)).values() if furniture else []
    if len(doomed) > _REMOVED_MAX:
        return _extract(tree, skipped=FURNITURE)
    _remove(doomed)
    main = [selector for selector, bit in MAIN.items() if seen >> bit & 1 and not web]
    has_forms = seen >> BITS["form"] & 1
    if not main and not has_forms:
        return _extract(tree)
    size = len(body.text or "")
    forms = body.query_selector_all("form").values() if has_forms else []
    if forms and len(forms) <= _REMOVED_MAX and sum(len(form.text or "") for form in forms) <= _SHARE_MIN * size:
        _remove(forms)
        size = len(body.text or "")
    for selector in main:
        found = body.query_selector_all(selector)
        if len(found) == 1 and len(found[0].text or "") >= _SHARE_MIN * size:
            body.replace_children(found[0])
            break
    return _extract(tree)


def _remove(elements: Iterable[ElementNode]) -> None:
    for element in elements:
        element.remove()


def _with_marks(page: str, start: str, end: str) -> str:
    """The page with a mark at the start of each line of `pre` elements, so that `_tidy` leaves them as they are."""
    at = page.find(start)
    if at < 0:
        return page
    parts: list[str] = []
    done = 0
    while at >= 0:
        begin = page.find(">", at) + 1
        if not begin:
            break
        stop = page.find(end, begin)
        stop = len(page) if stop < 0 else stop
        content = page[begin:stop].replace("\n", "\n" + _PRE).removesuffix("\n" + _PRE)
        first = "" if content.startswith(("\n", "\r\n")) else _PRE
        parts += [page[done:begin], first, content]
        done = stop
        at = page.find(start, stop)
    marked = "".join((*parts, page[done:]))
    return _MARKED_TAG.sub(_unmarked, marked) if _MARKED_TAG.search(marked) else marked


def _unmarked(tag: Any) -> str:
    return str(tag.group().replace(_PRE, ""))


def _extract(tree: HTMLTree, main_content: bool = False, noscript: bool = False, skipped: Iterable[str] = ()) -> str:
    text = extract_plain_text(
        tree, main_content=main_content, alt_texts=False, noscript=noscript, skip_elements=list(skipped)
    )
    return _tidy(text)


def _decoded(data: bytes, encoding: str, name: str) -> str:
    if webencodings.lookup(encoding) is None:  # one that Python knows and the web does not
        return data.decode(encoding, "replace")
    return decode(data, None if encoding.lower() in ("utf-8", "utf8") else encoding, name=name, html=True)


def _tidy(text: str) -> str:
    """One space between words, no bullets, no empty lines; preformatted lines as they are."""
    rare = any(space in text for space in _RARE_SPACES)
    kept: list[str] = []
    for line in text.split("\n"):
        if _PRE in line:
            kept.append(line.replace(_PRE, "").rstrip())
            continue
        words = line.strip()
        if rare or "  " in words or "\t" in words:
            words = " ".join(words.split())
        if not words:
            continue
        if words[0] == "•":
            words = words[1:].lstrip()
        if words and words[-1] == "¶":
            words = words[:-1].rstrip()
        if words:
            kept.append(words)
    return "\n".join(kept).strip("\n")
