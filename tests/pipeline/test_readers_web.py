"""WARC and WET: one odd record costs no other, and each record gives a document or is told once, with its cause."""

import bz2
import gzip
import io
import lzma
import time
import zlib

import brotli
import pytest
import zstandard
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from configs.errors import NoTextError
from pipeline.readers import streams
from tests.pipeline.readers_help import make_source, read, texts
from tests.pipeline.warc_help import answer, good, page, record


def text_of(number: int) -> str:
    return (
        f"Page {number}\nA page of some length, number {number}, that says something that can be told from the text of \
all the others."
    )


def read_warc(tmp_path, data: bytes, reader: str = "warc"):
    (tmp_path / ("a.warc" if reader == "warc" else "a.warc.wet")).write_bytes(data)
    return read(make_source(reader, str(tmp_path)))


def between(tmp_path, odd: bytes) -> str:
    """The text of an odd record between two good ones, which are there as ever."""
    rows, problems = read_warc(tmp_path, good(1) + odd + good(3))
    assert not problems
    assert [rows[0]["text"], rows[-1]["text"]] == [text_of(1), text_of(3)]
    assert len(rows) == 3
    return rows[1]["text"]


def cause_between(tmp_path, odd: bytes, kind: type = object) -> str:
    """What is told of an odd record between two good ones; it is told once."""
    rows, problems = read_warc(tmp_path, good(1) + odd + good(3))
    assert texts(rows) == [text_of(1), text_of(3)]
    assert len(problems) == 1
    assert isinstance(problems[0], kind)
    assert ", record 2" in problems[0].file or "behind record" in problems[0].cause
    return problems[0].cause


def test_warcio_and_we_read_the_same_records(tmp_path):
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True)
    for number in range(5):
        head = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        uri = f"https://x.example/ü{number}"
        writer.write_record(writer.create_warc_record(uri, "response", io.BytesIO(page(number)), http_headers=head))
    rows, problems = read_warc(tmp_path, out.getvalue())
    theirs = [entry.rec_headers.get_header("WARC-Target-URI") for entry in ArchiveIterator(io.BytesIO(out.getvalue()))]
    assert (texts(rows), problems) == ([text_of(number) for number in range(5)], [])
    assert [row["uri"] for row in rows] == theirs


@pytest.mark.parametrize(
    "odd",
    [
        record(answer(page(2), end="\n"), 2),
        record(answer(page(2)), 2, end="\n"),
        record(answer(page(2), end="\n"), 2, end="\n"),
        record(answer(page(2)), 2, uri="https://x.example/päge"),
        record(answer(page(2)), 2, uri="https://x.example/p\udce4ge"),
        record(answer(page(2), "X-Odd: \udcff\udcfe", "no colon here", ": no name"), 2),
        record(answer(page(2), "X-Folded: one", "  two"), 2, extra=("X-Folded: a", "\tb")),
        record(answer(page(2), status="HTTP/2 200"), 2),
        record(answer(page(2), status="HTTP/1.0  200"), 2),
        record(answer(page(2), status="ICY 200 OK"), 2),
        record(answer(page(2), status="HTTP/1.1 203 Non-Authoritative Information"), 2),
        record(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(page(2)), 2),
        record(answer(page(2)), 2).replace(b"Content-Length: ", b"content-length:"),
        record(answer(page(2)), 2).replace(b"WARC/1.0", b"WARC/1.1"),
        record(answer(page(2)), 2).rstrip(b"\r\n"),
        b"\r\n\n\r\n" + record(answer(page(2)), 2),
        record(answer(page(2)), 2, content_type=""),
        record(answer(page(2), "Content-Type: text/html; charset=x-unknown"), 2),
        record(answer(page(2), "Content-Type: text/html; charset=utf-8; charset=gbk"), 2),
        record(answer(page(2), "Content-Type: text/html;charset=,utf-8"), 2),
        record(answer(page(2), 'Content-Type: TEXT/HTML ; Charset="UTF-8'), 2),
        record(answer(page(2), "Content-Type: text/plain, text/html"), 2),
        record(answer(page(2), "Content-Type: application/xhtml+xml"), 2),
        record(answer(page(2), "Content-Type: application/xml"), 2),
        record(answer(page(2), "-"), 2),
        record(answer(b" \n" + page(2), "Content-Type: html"), 2),
        record(answer(page(2), "Content-Type: unknown/unknown"), 2),
        record(page(2), 2, kind="resource", content_type="text/html"),
        record(page(2), 2, kind="RESOURCE", content_type=""),
        record(answer(page(2), "Content-Type: text/plain"), 2),
        record(answer(page(2), "Content-Type: image/png", "Content-Type: text/html"), 2),
        record(answer(b"\xef\xbb\xbf" + page(2), "-"), 2),
        record(answer(b"<article>" + page(2).partition(b"<main>")[2], "-"), 2),
        record(answer(page(2), status="http/1.1 200 ok"), 2),
        record(b"\r\n\r\n" + answer(page(2)), 2),
        record(text_of(2).encode(), 2, kind="conversion", content_type="text/plain"),
        record(text_of(2).encode(), 2, kind="resource", content_type="text/plain; charset=us-ascii"),
    ],
)
def test_odd_but_whole_records_are_read(tmp_path, odd):
    assert between(tmp_path, odd) == text_of(2)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def chunked(data: bytes, size: int = 40, line: str = "{:x}\r\n", end: str = "\r\n") -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)] + [b""]
    return b"".join(line.format(len(part)).encode() + part + end.encode() for part in parts)


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]) + b"trailing"),
        ("deflate", zlib.compress),
        ("deflate", deflated),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
        ("deflate,gzip,zstd", lambda data: zstandard.compress(gzip.compress(zlib.compress(data)))),
        ("gzip", bytes),
        ("br", bytes),
        ("zstd", bytes),
        ("deflate", bytes),
        ("none", bytes),
        ("UTF-8", bytes),
    ],
)
def test_content_codings_are_undone(tmp_path, coding, pack):
    odd = record(answer(pack(page(2)), f"Content-Encoding: {coding}"), 2)
    assert between(tmp_path, odd) == text_of(2)


def test_transfer_codings_are_undone(tmp_path):
    for coding, body in (("gzip", bytes), ("gzip, chunked", chunked)):
        odd = record(answer(body(gzip.compress(page(2))), f"Transfer-Encoding: {coding}"), 2)
        assert between(tmp_path, odd) == text_of(2)


def test_codings_may_stand_on_several_lines(tmp_path):
    body = gzip.compress(brotli.compress(page(2)))
    odd = record(answer(body, "Content-Encoding: br", "Content-Encoding: gzip"), 2)
    assert between(tmp_path, odd) == text_of(2)


def test_a_page_packed_without_a_word_is_unpacked(tmp_path):
    assert between(tmp_path, record(answer(gzip.compress(page(2))), 2)) == text_of(2)


@pytest.mark.parametrize("data", [bz2.compress(page(2)), lzma.compress(page(2)), b"%PDF-1.4", bytes(range(256)) * 9])
def test_what_is_no_text_is_no_page_whatever_its_head_says(tmp_path, data):
    cause = cause_between(tmp_path, record(answer(data, "Content-Encoding: unheard-of"), 2), NoTextError)
    assert cause.startswith("application/")


def test_a_stray_zero_byte_makes_no_page_binary(tmp_path):
    assert between(tmp_path, record(answer(page(2).replace(b"Page", b"Pa\0ge")), 2)) == text_of(2)


def test_a_mark_before_the_first_record_is_passed_over(tmp_path):
    rows, problems = read_warc(tmp_path, b"\xef\xbb\xbf" + good(1))
    assert (texts(rows), problems) == ([text_of(1)], [])


@pytest.mark.parametrize(
    "body",
    [
        chunked(page(2)),
        chunked(page(2), line="{:X};name=value\r\n"),
        chunked(page(2), line="000{:x} \r\n"),
        chunked(page(2), line="{:x}\n", end="\n"),
        chunked(page(2))[:-5],
        chunked(page(2))[:-2] + b"Trailer: x\r\n\r\n",
        page(2),
    ],
)
def test_chunks_are_joined(tmp_path, body):
    assert between(tmp_path, record(answer(body, "Transfer-Encoding: chunked"), 2)) == text_of(2)


def test_what_came_before_a_damaged_chunk_is_kept_and_the_loss_is_told(tmp_path):
    body = chunked(page(2) + b"<p>lost</p>" * 20, size=100).replace(b"\r\n64\r\n", b"\r\n?!\r\n")
    odd = record(answer(body, "Transfer-Encoding: chunked"), 2)
    rows, problems = read_warc(tmp_path, odd + good(3))
    assert len(rows) == 2
    assert rows[0]["text"].startswith("Page 2")
    assert [problem.cause for problem in problems] == [f"lost: {len(body) - 104 - 2} bytes behind a damaged chunk"]


@pytest.mark.parametrize(
    ("content_type", "codec"),
    [
        ("text/html; charset=iso-8859-1", "cp1252"),
        ("text/html; charset=Windows-1252", "cp1252"),
        ("text/plain; charset=iso-8859-1", "cp1252"),
        ("text/html", "utf-16"),
        ("text/html; charset=gb2312", "utf-8"),
    ],
)
def test_text_is_decoded_as_browsers_do(tmp_path, content_type, codec):
    text = "“Déjà vu” – l’œuvre coûte 5 € en été, où l’élève fête Noël à la plage."
    body = text if "plain" in content_type else f"<html><body><p>{text}</p></body></html>"
    odd = record(answer(body.encode(codec), f"Content-Type: {content_type}"), 2)
    assert between(tmp_path, odd) == text


@pytest.mark.parametrize(
    ("odd", "cause"),
    [
        (record(answer(page(2), status="HTTP/1.1 404 Not Found"), 2), "answered with status 404"),
        (record(answer(b"", "Location: /y", status="HTTP/1.1 301 Moved"), 2), "answered with status 301"),
        (record(answer(b"\x89PNG\r\n\x1a\n", "Content-Type: image/png"), 2), "media type image/png"),
        (record(answer(b"\x89PNG\r\n\x1a\n", "-"), 2), "media type image/png"),
        (record(answer(b"%PDF-1.4", "-"), 2), "media type application/pdf"),
        (record(answer(b"a\0\1\2", "-"), 2), "media type application/octet-stream"),
        (record(answer(b"a\0\1\2", "Content-Type: text/plain"), 2), "binary data under media type text/plain"),
        (record(answer(b""), 2), "an empty page"),
        (record(b"HTTP/1.1 200 OK", 2), "an empty page"),
        (record(answer(b"<html><body><img src=x></body></html>"), 2), "a page without text"),
        (record(b"x", 2, kind="mystery"), "a record of type mystery"),
        (record(b"", 2, kind="revisit"), "a revisit: the page was the same as before"),
        (record(b"93.184.216.34", 2, content_type="text/dns", uri="dns:x.example"), "media type text/dns"),
        (record(b" \n", 2, kind="conversion", content_type="text/plain"), "an empty record"),
        (
            record(b"--x", 2, kind="resource", content_type="text/plain", uri="metadata://gnu.org/wget.log"),
            "a record about the crawl",
        ),
    ],
)
def test_records_without_text_are_told_once_with_their_cause(tmp_path, odd, cause):
    assert cause_between(tmp_path, odd, NoTextError) == cause


@pytest.mark.parametrize(
    ("odd", "cause"),
    [
        (record(answer(page(2)), 2, length="-"), "no Content-Length"),
        (record(answer(page(2)), 2).replace(b"WARC-Type", b"WARC-Tyqe"), "no WARC-Type"),
        (record(answer(page(2)), 2, length="-5"), "its Content-Length is no number of bytes"),
        (record(answer(page(2)), 2, length="9" * 30), "its Content-Length is no number of bytes"),
        (record(answer(page(2)), 2, length="٣"), "its Content-Length is no number of bytes"),
        (record(answer(page(2)), 2, length="500"), "shorter than its Content-Length says"),
        (record(answer(page(2)), 2, length="999999"), "shorter than its Content-Length says"),
        (record(answer(page(2)), 2, length="999999999999"), "bytes shorter than its Content-Length says"),
        (record(b"<p>no head</p>", 2), "an HTTP answer without a status line"),
        (
            record(answer(gzip.compress(page(2))[:-20], "Content-Encoding: gzip"), 2),
            "its content coding gzip is damaged",
        ),
        (record(answer(b"\x1f\x8b\x08\0garbage", "Content-Encoding: gzip"), 2), "its content coding gzip is damaged"),
        (record(answer(b"\1\2\3garbage\xff", "Content-Encoding: br"), 2), "its content coding br is damaged"),
        (
            record(answer(b"\x1f\x9d\x90\1\2", "Content-Encoding: compress"), 2),
            "content coding compress, which cannot be read",
        ),
        (record(answer(page(2), "Content-Encoding: " + ", ".join(["gzip"] * 6)), 2), "packed 6 times"),
        (
            record(answer(page(2), "Content-Type: text/html; charset=iso-2022-kr"), 2),
            "in an encoding that browsers refuse, iso-2022-kr",
        ),
        (record(b"\xff\xfe\xfd", 2, kind="conversion", content_type="text/plain"), "not valid UTF-8 at byte 0"),
        (record(b"x", 2, kind="continuation"), "a later part of a record in parts"),
        (record(answer(page(2)), 2)[:90] + b"\r\n", "its header is truncated"),
        (b"\0" * 1000, "1,000 bytes behind record 1 that belong to no record"),
        (b"\0" * 1000 + b"garbage\r\n\r\n", "1,011 bytes behind record 1 that belong to no record"),
        (b"WARC/1.0\r\n" + b"x" * 300_000 + b"\r\n", "its header is truncated"),
    ],
)
def test_damaged_records_are_told_once_and_reading_goes_on(tmp_path, odd, cause):
    assert cause_between(tmp_path, odd).endswith(cause)


def test_what_a_crawler_cut_short_is_read_as_far_as_it_goes(tmp_path):
    body = gzip.compress(page(2) + bytes(str(list(range(3_000))), "ascii"))[:-300]
    odd = record(answer(body, "Content-Encoding: gzip"), 2, extra=("WARC-Truncated: length",))
    assert between(tmp_path, odd).startswith(text_of(2))


def test_a_length_that_is_too_short_loses_what_is_behind_it_and_says_so(tmp_path):
    rows, problems = read_warc(tmp_path, record(answer(page(2)), 2, length="250") + good(3))
    assert texts(rows)[-1] == text_of(3)
    assert [problem.cause.endswith("behind record 1 that belong to no record") for problem in problems] == [True]


def test_a_page_may_hold_what_looks_like_a_record(tmp_path):
    body = answer(b"see:\r\n\r\n" + good(7), "Content-Type: text/plain")
    assert between(tmp_path, record(body, 2)).startswith("see:")


def test_a_record_above_the_limit_is_told_and_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "DOCUMENT_BYTES_MAX", 1 << 16)
    monkeypatch.setattr(streams, "CHUNK", 1 << 12)
    large = record(answer(b"<p>" + b"x" * 100_000), 2)
    assert "a document or line of more than" in cause_between(tmp_path, large)
    bomb = record(answer(gzip.compress(b"x" * 100_000), "Content-Encoding: gzip"), 2)
    assert "a document or line of more than" in cause_between(tmp_path, bomb)


def test_a_truncated_file_keeps_what_came_before(tmp_path):
    rows, problems = read_warc(tmp_path, good(1) + good(2)[:-100])
    assert texts(rows) == [text_of(1)]
    assert [problem.cause for problem in problems] == ["shorter than its Content-Length says"]


PACKERS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("damage", ["flip", "cut", "garbage", "magic"])
def test_a_damaged_member_costs_its_record_only(tmp_path, damage, packer):
    first, second, third = (PACKERS[packer](good(number)) for number in (1, 2, 3))
    middle = len(second) // 2
    second = {
        "flip": second[:middle] + bytes([second[middle] ^ 0x55]) + second[middle + 1 :],
        "cut": second[:middle],
        "garbage": b"\xaa" * 300_000,
        "magic": first[:4] * 50,
    }[damage]
    rows, problems = read_warc(tmp_path, first + second + third)
    assert texts(rows)[0] == text_of(1)
    assert texts(rows)[-1] == text_of(3)
    assert len(problems) == 1


def test_records_without_an_id_are_documents_of_their_own(tmp_path):
    nameless = [good(number).replace(b"WARC-Record-ID", b"X-Record") for number in (1, 2)]
    rows, _ = read_warc(tmp_path, b"".join(nameless))
    assert len({row["key"] for row in rows}) == 2


def test_each_of_many_records_without_text_is_told(tmp_path):
    rows, problems = read_warc(tmp_path, record(answer(b"x", "Content-Type: image/gif")) * 500 + good(3))
    assert (len(rows), sum(problem.documents for problem in problems)) == (1, 500)


def test_other_files_are_told_for_what_they_are(tmp_path):
    assert read_warc(tmp_path, b"filedesc://x.arc 0.0.0.0 2006 text/plain 1\n")[1][0].cause.startswith("an ARC file")
    assert "belong to no record" in read_warc(tmp_path, b"nothing of the kind")[1][0].cause
    assert read_warc(tmp_path, good(1), "wet")[1][0].cause == "1 records of pages as crawled, none of text"


def test_wet_reads_on_behind_an_odd_record(tmp_path):
    records = [
        record(b"one", 1, kind="conversion", content_type="text/plain"),
        record(b"\xff\xfe\xfd", 2, kind="conversion", content_type="text/plain"),
        record("zwei – ü".encode("cp1252"), 3, kind="conversion", content_type="text/plain; charset=latin1"),
        record(b"", 4, kind="conversion", content_type="text/plain"),
        record(b"five", 5, kind="conversion", content_type="", length="-"),
        record(b"six", 6, kind="conversion", content_type="", end="\n"),
    ]
    rows, problems = read_warc(tmp_path, b"".join(records), "wet")
    assert texts(rows) == ["one", "zwei – ü", "six"]
    assert [problem.cause for problem in problems] == [
        "not valid UTF-8 at byte 0",
        "an empty record",
        "no Content-Length",
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"WARC/1.0\n" * 20_000,
        b"WARC/1.0\r\n\r\n" * 20_000,
        b"\x1f\x8b\x08\0" * 50_000,
        record(b"HTTP/1.1 100 C\r\n\r\n" * 20_000),
        record(answer(b"1\r\nx\r\n" * 40_000, "Transfer-Encoding: chunked", "Content-Type: text/plain")),
        record(answer(b"x", "Content-Encoding: " + "br," * 50_000)),
        record(answer(b"x", "Content-Type: " + "text/html," * 20_000)),
        b"WARC/1.0\r\n" + b"a: b\r\n c\r\n" * 20_000,
    ],
)
def test_time_is_linear_in_what_is_damaged(tmp_path, data):
    started = time.process_time()
    rows, problems = read_warc(tmp_path, data)
    assert rows or problems
    assert time.process_time() - started < 10
