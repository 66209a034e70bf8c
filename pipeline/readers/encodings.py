"""Bytes as text: byte order marks win, then the encoding that the source's entry names, then what the bytes show.

UTF-16 and UTF-32 without a byte order mark are recognised by their zero bytes: text in UTF-8 has none. What a library
could guess beyond that (one 8-bit encoding from another) is left to the user, who knows.
"""

import codecs
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress

from configs.errors import InputError
from pipeline.readers.containers import Member
from pipeline.readers.streams import CHUNK, Stream, input_errors, lines

HEAD_BYTES = 4096
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_BY_ORDER = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_UNDECODED = "openroots.undecoded"


def encoding_of(head: bytes, encoding: str) -> tuple[str, int]:
    """The encoding of text that begins with `head`, and the length of its byte order mark.

    `encoding` is the source's. UTF-16 and UTF-32 without a mark are taken for little endian unless they look big.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    name = codecs.lookup(encoding).name.removesuffix("-sig")
    if name in ("utf-8", *_BY_ORDER):
        return _by_zeros(head[:HEAD_BYTES], name) or _BY_ORDER.get(name, name), 0
    return name, 0


def _by_zeros(head: bytes, declared: str) -> str | None:
    """UTF-16 or UTF-32 where `head` has zero bytes and is text in it: that in which most characters are ASCII."""
    if b"\0" not in head or _is_utf8(head):
        return None
    found = {name: _ascii_share(head, name) for name in _WIDE if declared in ("utf-8", name[:6])}
    best = max(found, key=lambda name: found[name])
    return best if found[best] > 0 else None


def _is_utf8(head: bytes) -> bool:
    """Whether bytes are UTF-8 that a stray zero byte got into: UTF-16 would show control characters everywhere."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return sum(character < " " and character not in "\r\n" for character in text) * 4 < len(text)


def _ascii_share(head: bytes, name: str) -> float:
    """Share of ASCII in `head` decoded; 0 where it does not decode, or to what is no text."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return 0.0
    odd = sum(
        unicodedata.category(character) in ("Cc", "Cn", "Co") and character not in "\t\n\r\f" for character in text
    )
    if not text or "\0" in text or odd * 50 > len(text):
        return 0.0
    return sum(character < "\x80" for character in text) / len(text)


def decode(data: bytes, encoding: str, name: str) -> str:
    """Bytes as text without byte order mark; raises InputError at the first byte that is wrong."""
    actual, mark = encoding_of(data[:HEAD_BYTES], encoding)
    with suppress(UnicodeDecodeError):
        return data[mark:].decode(actual)
    guessed = not mark and codecs.lookup(encoding).name == "utf-8"
    with input_errors(name):  # zero bytes looked like UTF-16 and are not: the source's encoding stands
        return data[mark:].decode("utf-8" if guessed else actual)


def split_lines(text: str) -> list[str]:
    """Lines that end in LF, CR LF or CR; `str.splitlines` also cuts at characters that stand within lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def utf8_head(head: bytes, encoding: str) -> bytes:
    """The first bytes of a text as UTF-8; what does not decode is replaced."""
    actual, mark = encoding_of(head, encoding)
    return head if actual == "utf-8" else head[mark:].decode(actual, "replace").encode()


def utf8(stream: Stream, encoding: str) -> Stream:
    """The stream as UTF-8 without byte order mark; bytes that do not decode become bytes that are no UTF-8 either."""
    actual, mark = encoding_of(stream.peek(HEAD_BYTES), encoding)
    stream.read(mark)
    if actual == "utf-8":
        return stream
    decoder = codecs.getincrementaldecoder(actual)(_UNDECODED)

    def read_some(size: int) -> bytes:
        while True:
            data = stream.read(size)
            text = decoder.decode(data, final=not data)
            if text or not data:
                return text.encode("utf-8", "surrogateescape")

    return Stream(read_some, stream.name)


def _mark_undecoded(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end  # "surrogateescape" writes it as the byte FF


codecs.register_error(_UNDECODED, _mark_undecoded)


def line_feeds(text: Stream) -> Stream:
    """Text whose lines end in line feeds: it itself, or with LF for CR where it begins as old Macs wrote it."""
    head = text.peek(CHUNK)
    if b"\n" in head or b"\r" not in head:
        return text
    return Stream(lambda size: text.read(size).replace(b"\r", b"\n"), text.name)


def text_lines(member: Member, encoding: str, on_problem: Callable[[InputError], None]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines in UTF-8, without their ends: LF, CR LF, or CR alone where the file begins with such lines."""
    stream = member.stream if member.before else line_feeds(utf8(member.stream, encoding))
    for number, line in lines(stream, on_problem, before=member.before):
        yield number, line.removesuffix(b"\r")
