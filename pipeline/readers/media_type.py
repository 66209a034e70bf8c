"""What a payload is when nobody says: the WHATWG MIME Sniffing standard, as far as text depends on it."""

import codecs

import re2

from pipeline.readers.charset import codec_by_zeros

RESOURCE_HEADER_BYTES = 1445

_HTML = re2.compile(
    rb"(?i)^[\t\n\x0c\r ]*<(?:(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)"
    rb"[ \t\n\x0c\r>]|!--)"
)
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
}


def sniff(payload: bytes) -> str:
    """The media type of a payload by its first bytes; `text/plain` where nothing in them is binary."""
    head = payload[:RESOURCE_HEADER_BYTES]
    if _HTML.match(head):
        return "text/html"
    if _XML.match(head):
        return "text/xml"
    for magic, media_type in _MAGIC.items():
        if head.startswith(magic):
            return media_type
    return "application/octet-stream" if is_binary(payload) else "text/plain"


def is_binary(payload: bytes) -> bool:
    """Whether a payload begins with bytes that no text has; UTF-16 and UTF-32 are text."""
    head = payload[:RESOURCE_HEADER_BYTES]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
        return False
    return len(head.translate(None, _BINARY)) != len(head) and codec_by_zeros(payload) is None


def is_xhtml(payload: bytes) -> bool:
    """Whether a document that is declared as XML is a page."""
    return _XHTML.search(payload[:4096]) is not None
