"""Web archives: WARC (pages as crawled) and WET (their text), ISO 28500.

Each record gives a document, or is reported to `on_problem` once, with its cause: as NoTextError where nothing is wrong
with it (another status than 200, an image, a page without text), else as InputError.
"""

from collections.abc import Iterator
from contextlib import suppress

from configs.errors import InputError, NoTextError, OptedOutError
from governance.consent import HEAD_BYTES, RULE_FILES, Consent
from pipeline.readers.charset import decode
from pipeline.readers.containers import Member
from pipeline.readers.html import html_to_text
from pipeline.readers.http_message import Answer, media_type_of, parse_answer, parse_content_type
from pipeline.readers.media_type import is_binary, is_xhtml, no_text
from pipeline.readers.rows import Context, Row, metadata_json
from pipeline.readers.streams import input_errors
from pipeline.readers.warc import Record, read_records

_PAGES = ("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml")
_XML = ("text/xml", "application/xml")
_WARC_KINDS = ("response", "resource", "conversion", "revisit", "continuation")
_WET_KINDS = ("conversion", "response", "resource")


def read_warc(member: Member, context: Context) -> Iterator[Row]:
    """The main text of each HTML page that was answered with status 200; plain text as it is."""
    for record in read_records(member.stream, _WARC_KINDS, context.on_problem, member.before):
        try:
            with input_errors(record.name):
                text, damage = _text_of(record, context.consent)
        except InputError as error:
            context.on_problem(error.with_traceback(None))
            continue
        if damage:
            context.on_problem(InputError(record.name, f"lost: {damage}", "what came before has been read"))
        yield _row(record, text)


def read_wet(member: Member, context: Context) -> Iterator[Row]:
    """The text of each `conversion` record; one that is not in UTF-8, nor in what it declares, is a problem."""
    texts, others = 0, 0
    for record in read_records(member.stream, _WET_KINDS, context.on_problem, member.before):
        if record.kind != "conversion":
            others += 1
            continue
        texts += 1
        try:
            with input_errors(record.name):
                _ask(record, context.consent)
                text = _converted(record)
        except InputError as error:
            context.on_problem(error.with_traceback(None))
            continue
        yield _row(record, text)
    if others and not texts:
        cause = f"{others:,} records of pages as crawled, none of text"
        context.on_problem(InputError(member.name, cause, 'set the source\'s reader = "warc"'))


def read_rules(member: Member, consent: Consent) -> None:
    """Take what sites say of the use of their pages (`robots.txt` and the like) out of a web archive."""
    for record in read_records(member.stream, ("response", "resource"), lambda _: None):
        if not record.uri.endswith(RULE_FILES):
            continue
        with suppress(InputError), input_errors(record.name):
            payload = record.body
            if record.kind == "response":
                payload = parse_answer(payload, record.name, cut="warc-truncated" in record.fields).payload
            consent.add(record.uri, payload, record.fields.get("warc-date", "")[:10])


def _ask(record: Record, consent: Consent | None, answer: Answer | None = None) -> None:
    """Raise OptedOutError where a page's site does not consent to its use."""
    if consent is None:
        return
    date = record.fields.get("warc-date", "")[:10]
    page = answer.payload[:HEAD_BYTES] if answer else b""
    if refusal := consent.refusal(record.uri, date, answer.fields if answer else None, page):
        raise OptedOutError(record.name, refusal.detail, "it is skipped; see `consent` in the recipe")


def _text_of(record: Record, consent: Consent | None) -> tuple[str, str]:
    """The text of a record, and what was lost of it in words. Raises NoTextError, OptedOutError and InputError."""
    if record.kind == "conversion":
        _ask(record, consent)
        return _converted(record), ""
    if record.kind == "revisit":
        raise NoTextError(record.name, "a revisit: the page was the same as before", "its text is in an earlier record")
    if record.kind == "continuation":
        raise InputError(record.name, "a later part of a record in parts", "it is skipped; join them first")
    if record.uri.startswith("metadata:"):
        raise NoTextError(record.name, "a record about the crawl", "it holds no page")
    media_type, charset = parse_content_type(record.fields.get("content-type", ""))
    payload, damage = record.body, ""
    answer = None
    if record.kind == "response" and (media_type == "application/http" or payload.startswith(b"HTTP")):
        answer = parse_answer(payload, record.name, cut="warc-truncated" in record.fields)
        media_type, charset, payload, damage = answer.media_type, answer.charset, answer.payload, answer.damage
    _ask(record, consent, answer)
    text = _text(payload, media_type_of(media_type, payload), charset, record.name)
    return text, damage


def _text(payload: bytes, media_type: str, charset: str | None, name: str) -> str:
    if not payload.strip():
        raise NoTextError(name, "an empty page", "it holds no text")
    if media_type in _PAGES or (media_type in _XML and is_xhtml(payload)):
        if binary := no_text(payload):
            raise NoTextError(name, f"{binary} under media type {media_type}", "it holds no text")
        text = html_to_text(decode(payload, charset, name=name, html=True), web=True)
    elif media_type == "text/plain":
        if is_binary(payload):
            raise NoTextError(name, "binary data under media type text/plain", "it holds no text")
        text = decode(payload, charset, name=name)
    else:
        raise NoTextError(name, f"media type {media_type[:100]}", "pages and plain text are read")
    if not text.strip():
        raise NoTextError(name, "a page without text", "it holds no text")
    return text


def _converted(record: Record) -> str:
    """The text of a conversion record. Raises InputError where it is not in the encoding it declares, or UTF-8."""
    media_type, charset = parse_content_type(record.fields.get("content-type", ""))
    if media_type not in ("", "text/plain"):
        raise NoTextError(record.name, f"media type {media_type[:100]}", "plain text is read")
    text = decode(record.body, charset, name=record.name) if charset else record.body.decode().removeprefix("\ufeff")
    if not text.strip():
        raise NoTextError(record.name, "an empty record", "it holds no text")
    return text


def _row(record: Record, text: str) -> Row:
    key = record.fields.get("warc-record-id", "").strip("<>")
    date = record.fields.get("warc-date", "")
    metadata = metadata_json({"date": date} if date else {})
    return Row(text, suffix=f":{record.number}", key=key or None, uri=record.uri or None, metadata=metadata)
