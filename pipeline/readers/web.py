"""Web archives: WARC (pages as crawled) and WET (their text), by FastWARC."""

import json
from collections.abc import Iterator

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from configs.errors import InputError
from pipeline.readers.containers import Member
from pipeline.readers.html import html_to_text
from pipeline.readers.rows import Context, Row, limited, metadata_json
from pipeline.readers.streams import DOCUMENT_BYTES_MAX, input_errors, too_large

_PAGES = ("text/html", "application/xhtml+xml")


def read_warc(member: Member, context: Context) -> Iterator[Row]:
    """The main text of each HTML page with status 200; plain text as it is."""
    for record, name, on_problem in _records(member, context, WarcRecordType.response, parse_http=True):
        kind = (record.http_content_type or "").lower()
        if record.http_headers is None or record.http_headers.status_code != 200:
            continue
        data = _body(record, name, on_problem)
        if kind in _PAGES and data:
            text = html_to_text(data, record.http_charset or "utf-8", web=True)
        else:
            text = data.decode("utf-8", "replace") if kind == "text/plain" else ""
        if text:
            yield _row(record, text)


def read_wet(member: Member, context: Context) -> Iterator[Row]:
    """The text of each `conversion` record."""
    for record, name, on_problem in _records(member, context, WarcRecordType.conversion, parse_http=False):
        data = _body(record, name, on_problem)
        try:
            if data:
                with input_errors(name):
                    yield _row(record, data.decode())
        except InputError as error:
            on_problem(error)


def _records(member: Member, context: Context, kind: WarcRecordType, parse_http: bool) -> Iterator[tuple]:  # type: ignore[type-arg]
    on_problem = limited(context.on_problem, member.name)
    with input_errors(member.name):
        if not member.stream.peek(1):
            return
        if not member.stream.peek(5).startswith(b"WARC/"):
            raise InputError(member.name, "not a WARC file", "exclude it, or choose another reader")
        for record in ArchiveIterator(member.stream, record_types=kind, parse_http=parse_http):
            yield record, f"{member.name}, record {record.record_id}", on_problem
        member.stream.read(1)  # a stashed fault shows now


def _body(record: WarcRecord, name: str, on_problem) -> bytes:  # type: ignore[no-untyped-def]  # noqa: ANN001
    data = bytes(record.reader.read(DOCUMENT_BYTES_MAX + 1))
    if len(data) > DOCUMENT_BYTES_MAX:
        on_problem(too_large(name))
        return b""
    return data


def _row(record: WarcRecord, text: str) -> Row:
    uri = record.headers.get("WARC-Target-URI", "").strip("<>")
    date = record.headers.get("WARC-Date", "")
    key = record.headers.get("WARC-Record-ID", "").strip("<>")
    return Row(
        text, key=key or None, uri=uri or None, metadata=metadata_json({"date": date}) if date else json.dumps({})
    )
