"""HTTP answers as web archives hold them (RFC 9112, RFC 9110): head, chunks, content codings, media type.

Archives hold what servers sent and what crawlers made of it: heads with bare line feeds, bodies that are unpacked
already although their head says otherwise, chunks with damage. What browsers accept is accepted.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import brotli
import pyarrow as pa
import re2

from configs.errors import InputError, NoTextError
from pipeline.readers import streams
from pipeline.readers.charset import known
from pipeline.readers.media_type import is_binary, is_whole_page, sniff
from pipeline.readers.streams import too_large
from pipeline.readers.warc import head_end, parse_fields

_LISTS = (
    "content-encoding", "transfer-encoding", "content-type", "x-robots-tag", "content-signal", "content-usage", "link",
)  # fmt: skip
_GZIP = b"\x1f\x8b\x08"
_CODINGS_MAX = 5
_HEADS_MAX = 10
_STATUS = re2.compile(rb"(?i)^(?:HTTP(?:/[0-9.]*)?|ICY)[ \t]+([0-9]{3})(?:[^0-9]|$)")
_CHARSET = re2.compile(r"""(?i);[ \t]*charset[ \t]*=[ \t]*["']?([^"';, \t]+)""")
_ESSENCE = re2.compile(r"^[ \t]*([A-Za-z0-9!#$&^_.+*-]+/[A-Za-z0-9!#$&^_.+*-]+)[ \t]*(?:;|$)")
_CHUNK_SIZE = re2.compile(rb"^[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?$")
_CHUNK_LINE_MAX = 4096
_UNSUPPORTED = ("compress", "x-compress", "sdch", "dcb", "dcz", "aes128gcm", "exi", "pack200-gzip")


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its media type and encoding as declared ("" and None: not said), and its payload."""

    status: int
    media_type: str
    charset: str | None
    payload: bytes
    damage: str = ""
    """What of the payload was lost, in words; "" if nothing was."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of its head, names in lower case."""


def parse_answer(data: bytes, name: str, cut: bool) -> Answer:
    """An answer as its record holds it. `cut` says that the crawler kept only its start, which is then no damage.

    Raises NoTextError where the status is not 200 or 203, InputError where the payload cannot be unpacked.
    """
    data = data[:_CHUNK_LINE_MAX].lstrip(b"\r\n") + data[_CHUNK_LINE_MAX:]
    for _ in range(_HEADS_MAX):
        status = _STATUS.match(data[:64])
        if status is None:
            raise InputError(name, "an HTTP answer without a status line", "it is skipped")
        end = head_end(data, 0, len(data))
        head, data = (data, b"") if end < 0 else (data[:end], data[end:])
        if status.group(1)[:1] != b"1" or not data.startswith(b"HTTP"):
            break  # "100 Continue" comes before the answer
    else:
        raise InputError(name, f"more than {_HEADS_MAX} heads before its answer", "it is skipped")
    number = int(status.group(1))
    if number not in (200, 203):
        raise NoTextError(name, f"answered with status {number}", "it holds no page")
    fields = parse_fields(head, _LISTS)
    damage = ""
    transfer = fields.get("transfer-encoding", "").lower()
    if "chunked" in transfer:
        data, damage = joined_chunks(data)
        damage = "" if cut else damage
    data = decoded(data, transfer, name, cut)
    data = decoded(data, fields.get("content-encoding", ""), name, cut)
    media_type, charset = parse_content_type(fields.get("content-type", ""))
    if data.startswith(_GZIP) and ("html" in media_type or media_type.startswith("text/")):
        data = decoded(data, "gzip", name, cut)  # packed, and nobody says so
    return Answer(number, media_type, charset, data, damage, fields)


def parse_content_type(value: str) -> tuple[str, str | None]:
    """Media type, "" if there is none, and the label of the encoding, of a `Content-Type` field.

    Where several were joined by commas, the last that is valid counts, and an earlier encoding if it names none.
    """
    media_type, charset = "", None
    for part in value[: 1 << 14].split(","):
        essence = _ESSENCE.match(part)
        if essence is None or essence.group(1) == "*/*":
            continue
        if essence.group(1).lower() != media_type:
            media_type, charset = essence.group(1).lower(), None
        labels = [match.group(1) for match in _CHARSET.finditer(part)]
        charset = next((label for label in labels if known(label)), labels[0] if labels else charset)
    return media_type, charset


def joined_chunks(data: bytes) -> tuple[bytes, str]:
    """The body whose chunks `data` holds (RFC 9112, section 7.1), and what was lost of it in words.

    What does not begin with a chunk's size has been joined already and is given back as it is.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        line_end = data.find(b"\n", at, at + _CHUNK_LINE_MAX)
        line = data[at:line_end] if line_end >= 0 else data[at : at + _CHUNK_LINE_MAX]
        size = _CHUNK_SIZE.match(line)
        if size is None or line_end < 0:
            if not parts:
                return data, ""
            return b"".join(parts), f"{len(data) - at:,} bytes behind a damaged chunk"
        length = int(size.group(1), 16)
        if not length:
            return b"".join(parts), ""
        begin = line_end + 1
        parts.append(data[begin : begin + length])
        at = begin + length
        if at > len(data):
            return (b"".join(parts), "the end of its last chunk") if len(parts) > 1 or _is_chunk(line) else (data, "")
        at += 2 if data[at : at + 2] == b"\r\n" else 1 if data[at : at + 1] == b"\n" else 0
    return b"".join(parts), ""


def _is_chunk(line: bytes) -> bool:
    """Whether a first line that reads as a size is one: text may begin with a number, or a word such as "add"."""
    return line.endswith(b"\r") or line.strip().isdigit()


def decoded(data: bytes, codings: str, name: str, cut: bool) -> bytes:
    """A payload without its content codings, listed in the order they were applied.

    A payload that is text although a coding is declared was unpacked when it was stored. Raises InputError
    where one is damaged, unknown here, or unpacks to more than a document may have.
    """
    names = [coding.strip().lower() for coding in codings.split(",") if coding.strip()]
    if len(names) > _CODINGS_MAX:
        raise InputError(name, f"packed {len(names)} times", "it is skipped: it looks like an attack")
    for coding in reversed(names):
        if coding in _UNSUPPORTED and is_binary(data):
            raise InputError(name, f"content coding {coding}, which cannot be read", "it is skipped")
        unpack = _CODINGS.get(coding)
        if unpack is None or not data:
            continue  # browsers ignore what they do not know: `none`, `utf-8`
        try:
            data = unpack(data, cut)
        except (zlib.error, brotli.error, EOFError):
            if not is_binary(data) and not data.startswith(b"\x1f\x8b"):
                continue
            raise InputError(name, f"its content coding {coding} is damaged", "it is skipped") from None
        if len(data) > streams.DOCUMENT_BYTES_MAX:
            raise too_large(name)
    return data


def _inflated(data: bytes, bits: int, cut: bool) -> bytes:
    """All members of a zlib, raw deflate or gzip payload; what follows the last one is left out."""
    parts: list[bytes] = []
    left = streams.DOCUMENT_BYTES_MAX + 1
    while left > 0:
        stream = zlib.decompressobj(bits)
        part = stream.decompress(data, left)
        parts.append(part)
        left -= len(part)
        if not stream.eof and left > 0 and not cut:
            raise EOFError
        data = stream.unused_data
        if bits != zlib.MAX_WBITS | 16 or not data.startswith(_GZIP):
            break
    return b"".join(parts)


def _gunzip(data: bytes, cut: bool) -> bytes:
    return _inflated(data, zlib.MAX_WBITS | 16, cut)


def _deflate(data: bytes, cut: bool) -> bytes:
    """With zlib's head, as the standard says, or without, as some servers do."""
    try:
        return _inflated(data, zlib.MAX_WBITS, cut)
    except (zlib.error, EOFError):
        return _inflated(data, -zlib.MAX_WBITS, cut)


def _brotli(data: bytes, cut: bool) -> bytes:
    stream = brotli.Decompressor()
    parts = [stream.process(data, output_buffer_limit=1 << 20)]
    size = len(parts[0])
    while size <= streams.DOCUMENT_BYTES_MAX and not stream.is_finished():
        part = stream.process(b"", output_buffer_limit=1 << 20)
        if not part:
            break
        parts.append(part)
        size += len(part)
    if not stream.is_finished() and size <= streams.DOCUMENT_BYTES_MAX and not cut:
        raise EOFError
    return b"".join(parts)


def _zstd(data: bytes, cut: bool) -> bytes:
    parts: list[bytes] = []
    size = 0
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        while size <= streams.DOCUMENT_BYTES_MAX:
            try:
                part = stream.read(1 << 20)
            except (OSError, pa.ArrowInvalid):
                if not cut:
                    raise EOFError from None
                break
            if not part:
                break
            parts.append(part)
            size += len(part)
    return b"".join(parts)


_CODINGS: dict[str, Callable[[bytes, bool], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "x-deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}


def media_type_of(declared: str, payload: bytes) -> str:
    """The media type to go by: as declared, but sniffed where none is, or where it says nothing.

    A page that is declared as plain text is a page: browsers show its markup, which nobody wants to read.
    """
    if declared in ("", "unknown/unknown", "application/unknown", "*/*"):
        return sniff(payload)
    return "text/html" if declared == "text/plain" and is_whole_page(payload) else declared
