"""What a payload is when nobody says: the WHATWG MIME Sniffing standard, as far as text depends on it."""

import codecs

import re2

from pipeline.readers.charset import codec_by_zeros

RESOURCE_HEADER_BYTES = 1445

_HTML = re2.compile(
    rb"(?i)^[\t\n\x0c\r ]*<(?:(?:!doctype html|html|head|script|iframe|h[1-6]|div|font|table|a|style|title|b|body|br|p"
    # Beyond the standard, which fears for text that only looks like a page: what else pages begin with.
    rb"|article|aside|blockquote|center|dl|em|figure|footer|form|header|hr|i|img|li|link|main|meta|nav|noscript|ol|pre"
    rb"|section|span|strong|td|tr|u|ul)[ \t\n\x0c\r/>]|!--)"
)
_PAGE = re2.compile(rb"(?is)^[\t\n\x0c\r ]*(?:<!--.{0,1000}?-->[\t\n\x0c\r ]*)*<(?:!doctype html|html)[ \t\n\x0c\r>]")
_XML = re2.compile(rb"^[\t\n\x0c\r ]*<\?xml")
_XHTML = re2.compile(rb"(?i)<(?:html|!doctype html)[ \t\n\x0c\r>]")
_BINARY = bytes((*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)))
_MAGIC = {
    b"%PDF-": "application/pdf",
    b"%!PS-Adobe-": "application/postscript",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "application/octet-stream",
    b"\x1f\x8b\x08": "application/x-gzip",
    b"PK\x03\x04": "application/zip",
    b"Rar!\x1a\x07": "application/x-rar-compressed",
    b"\xfd7zXZ\0": "application/x-xz",
    b"BZh": "application/x-bzip2",
    b"\x28\xb5\x2f\xfd": "application/zstd",
    b"7z\xbc\xaf\x27\x1c": "application/x-7z-compressed",
}
_DENSE = 20
"""A payload is no text where more than one byte in so many is one that no text has."""


def sniff(payload: bytes) -> str:
    """The media type of a payload by its first bytes; `text/plain` where nothing in them is binary."""
    head = payload[:RESOURCE_HEADER_BYTES].removeprefix(codecs.BOM_UTF8)
    if _HTML.match(head):
        return "text/html"
    if _XML.match(head):
        return "text/xml"
    return _by_magic(head) or ("application/octet-stream" if is_binary(payload) else "text/plain")


def no_text(payload: bytes) -> str:
    """The media type of what is no text, whatever is declared; "" of what may be."""
    head = payload[:RESOURCE_HEADER_BYTES]
    odd = len(head) - len(head.translate(None, _BINARY))
    if found := _by_magic(head):
        return found if odd or head.startswith(b"%") else ""
    return "application/octet-stream" if odd * _DENSE > len(head) and is_binary(payload) and not _is_utf8(head) else ""


def is_whole_page(payload: bytes) -> bool:
    """Whether a payload begins as a page from `<html>` on does."""
    return _PAGE.search(payload[: 2 * RESOURCE_HEADER_BYTES].removeprefix(codecs.BOM_UTF8)) is not None


def _by_magic(head: bytes) -> str:
    return next((media_type for magic, media_type in _MAGIC.items() if head.startswith(magic)), "")


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def is_binary(payload: bytes) -> bool:
    """Whether a payload begins with bytes that no text has; UTF-16 and UTF-32 are text."""
    head = payload[:RESOURCE_HEADER_BYTES]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
        return False
    return len(head.translate(None, _BINARY)) != len(head) and codec_by_zeros(payload) is None


def is_xhtml(payload: bytes) -> bool:
    """Whether a document that is declared as XML is a page."""
    return _XHTML.search(payload[:4096]) is not None
