"""Web archives made by code, whole and damaged."""

import gzip

PAGE = (
    "<html><head><title>t</title></head><body><main><h1>Page {0}</h1><p>A page of some length, number {0}, that says \
something that can be told from the text of all the others.</p></main></body></html>"
)


def page(number: int) -> bytes:
    return PAGE.format(number).encode()


def answer(body: bytes, *fields: str, status: str = "HTTP/1.1 200 OK", end: str = "\r\n") -> bytes:
    """An HTTP answer; `fields` has `Content-Type: text/html; charset=utf-8` where it names no type, "-" for none."""
    if not any(field.startswith(("Content-Type", "-")) for field in fields):
        fields = ("Content-Type: text/html; charset=utf-8", *fields)
    lines = [status, *(field for field in fields if field != "-")]
    return end.join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def record(
    body: bytes,
    number: int = 1,
    kind: str = "response",
    content_type: str = "application/http; msgtype=response",
    length: str | None = None,
    end: str = "\r\n",
    uri: str | None = None,
    extra: tuple[str, ...] = (),
) -> bytes:
    """A record; `length` in place of the true one, "-" for none."""
    lines = ["WARC/1.0", f"WARC-Type: {kind}", f"WARC-Record-ID: <urn:uuid:{number:08}>"]
    lines += [f"WARC-Target-URI: {uri or f'https://x.example/{number}'}", "WARC-Date: 2024-01-01T00:00:00Z", *extra]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    if length != "-":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return end.join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body + (end * 2).encode()


def good(number: int) -> bytes:
    return record(answer(page(number)), number)


def gzipped(*records: bytes) -> list[bytes]:
    """Each record as a gzip member of its own."""
    return [gzip.compress(data, mtime=0) for data in records]
