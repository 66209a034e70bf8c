"""Web archives: WARC (pages as crawled) and WET (their text), ISO 28500.

The record grammar is read here, in order and bounded: FastWARC 2.0 wants to seek, and its native code panics, beyond
what Python can catch as an error, where a stream reports damage.
"""

import zlib
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from io import BytesIO

from configs.errors import InputError
from pipeline.readers import streams
from pipeline.readers.containers import Member
from pipeline.readers.html import html_to_text
from pipeline.readers.rows import Context, Row, limited, metadata_json
from pipeline.readers.streams import Stream, input_errors, too_large, unpack

_PAGES = ("text/html", "application/xhtml+xml")
_HEADER_BYTES_MAX = 1 << 18


def read_warc(member: Member, context: Context) -> Iterator[Row]:
    """The main text of each HTML page that was answered with status 200; plain text as it is."""
    for headers, body in _records(member, context, "response"):
        head, _, payload = body.partition(b"\r\n\r\n")
        status, _, fields = head.partition(b"\r\n")
        if status.split(b" ")[1:2] != [b"200"]:
            continue
        http = BytesHeaderParser().parsebytes(fields)
        kind, charset = http.get_content_type(), http.get_content_charset() or "utf-8"
        if kind not in (*_PAGES, "text/plain"):
            continue
        page = _payload(http, payload, member.name)
        text = html_to_text(page, charset, web=True) if kind in _PAGES else page.decode("utf-8", "replace")
        if text:
            yield _row(headers, text)


def read_wet(member: Member, context: Context) -> Iterator[Row]:
    """The text of each `conversion` record; one that is not UTF-8 is a problem."""
    on_problem = limited(context.on_problem, member.name)
    for headers, body in _records(member, context, "conversion"):
        try:
            with input_errors(f"{member.name}, record {headers.get('WARC-Record-ID', '')}"):
                text = body.decode()
        except InputError as error:
            on_problem(error)
            continue
        yield _row(headers, text)


def _records(member: Member, context: Context, kind: str) -> Iterator[tuple[Message, bytes]]:
    """Headers and body of the records of a type. A body above the limit is a problem and is passed over."""
    stream = member.stream
    on_problem = limited(context.on_problem, member.name)
    while True:
        while stream.peek(2) == b"\r\n":
            stream.read(2)
        if not stream.peek(1):
            stream.read(1)  # a fault shows now
            return
        end = stream.peek(_HEADER_BYTES_MAX).find(b"\r\n\r\n")
        if end < 0 or not stream.peek(5).startswith(b"WARC/"):
            raise InputError(member.name, "not a WARC record, or a damaged one", "repair the file, or exclude it")
        headers = BytesHeaderParser().parsebytes(stream.read(end + 4).partition(b"\r\n")[2])
        with input_errors(member.name):
            left = int(headers.get("Content-Length", ""))
        if headers.get("WARC-Type") == kind and left <= streams.DOCUMENT_BYTES_MAX:
            body = stream.read(left)
            if len(body) < left:
                raise InputError(member.name, "truncated within a record", "fetch the file again")
            yield headers, body
            continue
        if headers.get("WARC-Type") == kind:
            on_problem(too_large(f"{member.name}, record {headers.get('WARC-Record-ID', '')}"))
        while left:
            data = stream.read(min(left, streams.CHUNK))
            if not data:
                raise InputError(member.name, "truncated within a record", "fetch the file again")
            left -= len(data)


def _payload(http: Message, data: bytes, name: str) -> bytes:
    """The page of an HTTP answer: chunks joined, gzip or deflate undone."""
    if "chunked" in http.get("Transfer-Encoding", "").lower():
        data = _joined_chunks(data)
    encoding = http.get("Content-Encoding", "").lower()
    with input_errors(name):
        if encoding == "deflate":
            return zlib.decompressobj().decompress(data, streams.DOCUMENT_BYTES_MAX)
        if encoding == "gzip":
            return unpack(Stream(BytesIO(data).read, name)).document()
    return data


def _joined_chunks(data: bytes) -> bytes:
    """Bodies in chunks (RFC 9112, section 7.1); what does not look so is left as it is."""
    parts: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at, at + 40)) >= 0:
        try:
            size = int(data[at:end].partition(b";")[0], 16)
        except ValueError:
            return b"".join(parts) or data
        if size <= 0:
            break
        parts.append(data[end + 2 : end + 2 + size])
        at = end + 4 + size
    return b"".join(parts) or data


def _row(headers: Message, text: str) -> Row:
    uri = headers.get("WARC-Target-URI", "").strip("<>")
    key = headers.get("WARC-Record-ID", "").strip("<>")
    date = headers.get("WARC-Date", "")
    return Row(text, key=key or None, uri=uri or None, metadata=metadata_json({"date": date} if date else {}))
