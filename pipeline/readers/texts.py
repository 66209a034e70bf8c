"""One document a file: plain text, HTML, source code, man pages."""

from collections.abc import Iterator

from configs.errors import InputError
from pipeline.code_language import HEAD_BYTES, identify_code
from pipeline.readers.containers import Member
from pipeline.readers.html import html_to_text
from pipeline.readers.man import man_to_text
from pipeline.readers.rows import Context, Row
from pipeline.readers.streams import input_errors


def decode(data: bytes, encoding: str, name: str) -> str:
    """Bytes as text without byte order mark; raises InputError at the first byte that is wrong."""
    with input_errors(name):
        return data.decode(encoding).removeprefix("\ufeff")


def read_text(member: Member, context: Context) -> Iterator[Row]:
    """Plain text. An empty file gives nothing."""
    data = member.stream.document()
    if data:
        yield Row(decode(data, context.source.encoding, member.name))


def read_html(member: Member, context: Context) -> Iterator[Row]:
    """The main text of an HTML page; a page without any gives nothing."""
    text = html_to_text(member.stream.document(), context.source.encoding)
    if text:
        yield Row(text)


def read_man(member: Member, context: Context) -> Iterator[Row]:
    """A manual page (roff with `man` or `mdoc` macros) as text; one that only includes another gives nothing."""
    text = man_to_text(decode(member.stream.document(), context.source.encoding, member.name))
    if text:
        yield Row(text)


def read_code(member: Member, context: Context) -> Iterator[Row]:
    """A source file as it is, in the language that its name and content show; others are passed over."""
    language = identify_code(member.path, member.stream.peek(HEAD_BYTES))
    if language is None:
        return
    data = member.stream.document()
    if b"\0" in data[:8192]:
        cause = "a binary file with the name of source code"
        raise InputError(member.name, cause, "it is skipped; exclude it to hear no more of it")
    if data:
        yield Row(decode(data, "utf-8", member.name), language=language)
