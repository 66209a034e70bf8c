"""HTML to text with resiliparse: headings, paragraphs and list items one a line, without menus and page furniture.

Measured on LibreOffice's help, the Debian Reference and the Universal Declaration: resiliparse 26 MB/s, trafilatura
0.5 MB/s, which also moved articles of the Declaration and dropped words in bold. Resiliparse's own search for the main
content loses a third of the Debian Reference (headings, lists), so it serves for web pages only.
"""

from collections.abc import Iterable

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree
from resiliparse.parse.html.node import ElementNode

_FURNITURE = (
    "script, style, template, nav, form, button, select, noscript, [role=navigation], [role=search], [hidden], "
    "body > header, body > footer, .navheader, .navfooter, .toc, .list-of-tables, .list-of-figures, .list-of-examples, "
    ".headerlink, .breadcrumbs, .sphinxsidebar, .debug, .relatedtopics, .noteicon, .skip-link"
)
_MAIN = ("main", "[role=main]", "article", "#DisplayArea")
_MAIN_SHARE_MIN = 0.5
"""A page's main element is trusted if it holds this share of the text."""


def html_to_text(data: bytes | str, encoding: str = "utf-8", web: bool = False) -> str:
    """The text of a page; "" where there is none. `web` drops what looks like boilerplate, at some loss.

    Bytes that are not in `encoding` are decoded as the page or its bytes suggest.
    """
    page = data if isinstance(data, str) else _decode(data, encoding)
    if not page.strip():
        return ""
    tree = HTMLTree.parse(page.replace("\0", ""))
    if tree.body is None:
        return ""
    if web:
        return _tidy(extract_plain_text(tree, main_content=True, alt_texts=False).split("\n"))
    # LibreOffice's help: of `Command` and `Ctrl` a script shows one, the latter by default.
    for element in _all(tree.body, "[hidden][id^=default]"):
        element.delattr("hidden")
    for element in _all(tree.body, _FURNITURE):
        if element.parent is not None:
            element.parent.remove_child(element)
    for selector in _MAIN:
        found = tree.body.query_selector_all(selector)
        if len(found) == 1 and len(found[0].text or "") >= _MAIN_SHARE_MIN * len(tree.body.text or ""):
            return _extract(found[0].html)
    return _extract(tree.body.html)


def _all(body: ElementNode, selector: str) -> list[ElementNode]:
    """What a selector finds, as a list: to iterate over resiliparse's own node list takes quadratic time."""
    return list(body.query_selector_all(selector).values())


def _extract(page: str) -> str:
    return _tidy(extract_plain_text(page, main_content=False, alt_texts=False).split("\n"))


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return str(bytes_to_str(data, detect_encoding(data, from_html_meta=True) or "utf-8"))


def _tidy(lines: Iterable[str]) -> str:
    """One space between words, no bullets, no empty lines, no line twice in a row."""
    kept: list[str] = []
    for line in lines:
        words = " ".join(line.split()).removeprefix("• ").removesuffix("¶").strip()
        if words and words != "•" and (not kept or kept[-1] != words):
            kept.append(words)
    return "\n".join(kept)
