"""One document a file: plain text, HTML, source code, man pages."""

from collections.abc import Iterator

import re2

from configs.errors import InputError, NoTextError
from configs.text_encodings import text_encoding
from pipeline.code_language import HEAD_BYTES, identify_code
from pipeline.readers.containers import Member
from pipeline.readers.encodings import decode, encoding_of, text_lines, utf8_head
from pipeline.readers.html import html_to_text
from pipeline.readers.man import man_to_text
from pipeline.readers.media_type import no_text
from pipeline.readers.rows import Context, Row

_CODING = re2.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


def read_text(member: Member, context: Context) -> Iterator[Row]:
    """Plain text, a file a document or, as the source's `documents` says, a line. Empty ones give nothing."""
    if context.source.documents == "line":
        yield from _lines(member, context)
        return
    data = member.stream.document()
    if data:
        yield Row(decode(data, context.source.encoding, member.name))


def _lines(member: Member, context: Context) -> Iterator[Row]:
    encoding = encoding_of(member.stream.peek(HEAD_BYTES), context.source.encoding)[0]
    for number, line in text_lines(member, context.source.encoding, context.on_problem):
        if line and not line.isspace():
            try:
                yield Row(line.decode(), f"#{number}")
            except UnicodeDecodeError:
                cause = f"bytes that are not in the encoding {encoding}"
                context.on_problem(InputError(f"{member.name}, line {number}", cause, "set the source's `encoding`"))


def read_html(member: Member, context: Context) -> Iterator[Row]:
    """The main text of an HTML page. Raises NoTextError where it has none, InputError for images, PDFs and the like."""
    data = member.stream.document()
    if context.source.encoding == "utf-8" and (binary := no_text(data)):  # another encoding may look like anything
        raise InputError(member.name, f"{binary}, whatever its name says", "convert it, or exclude it")
    text = html_to_text(data, context.source.encoding, name=member.name)
    if not text:
        raise NoTextError(member.name, "a page without text", "it is skipped")
    yield Row(text)


def read_man(member: Member, context: Context) -> Iterator[Row]:
    """A manual page (roff with `man` or `mdoc` macros) as text; one that only includes another gives nothing."""
    text = man_to_text(decode(member.stream.document(), context.source.encoding, member.name))
    if text:
        yield Row(text)


def read_code(member: Member, context: Context) -> Iterator[Row]:
    """A source file as it is, in the language that its name and content show; others are skipped.

    A Python file that is not in the source's encoding is read in the one that its first lines declare (PEP 263).
    """
    head = utf8_head(member.stream.peek(HEAD_BYTES), context.source.encoding)
    language = identify_code(member.path, head)
    if language is None and not (b"\0" in head and identify_code(member.path, b"")):
        return
    if language is None:
        cause = "a binary file with the name of source code"
        raise InputError(member.name, cause, "it is skipped; exclude it to silence this message")
    data = member.stream.document()
    if data:
        yield Row(_code(data, context.source.encoding, member.name), language=language)


def _code(data: bytes, encoding: str, name: str) -> str:
    try:
        return decode(data, encoding, name)
    except InputError:
        declared = _declared(data) if name.endswith((".py", ".pyi", ".pyw")) else None
        if declared is None:
            raise
        return decode(data, declared, name)


def _declared(data: bytes) -> str | None:
    for line in data[:HEAD_BYTES].split(b"\n", 2)[:2]:
        match = _CODING.match(line)
        if match:
            return text_encoding(match.group(1).decode())
    return None
