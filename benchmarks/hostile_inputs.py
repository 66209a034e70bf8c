"""Hostile inputs, one function a kind: each writes what it stands for below a folder, and says what reads it.

    @hostile("jsonl")
    def deep_nesting(folder: Path) -> None:
        \"\"\"A document of a million open brackets.\"\"\"
        (folder / "deep.jsonl").write_text('{"text": ' + "[" * 1_000_000)

`python -m benchmarks.hostile` builds a corpus from each beside a good file: the build ends, quickly and in little
memory, the good file is in the corpus, and what was lost is in the ledger or the message. Inputs are 1 MB or less.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

MEGABYTE = 1_000_000
SENTENCE = "All human beings are born free and equal in dignity and rights, and should act in a spirit of brotherhood. "


@dataclass(frozen=True)
class Hostile:
    """A kind of hostile input: its name, the reader of its source, what writes it."""

    name: str
    reader: str
    write: Callable[[Path], None]

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return (self.write.__doc__ or "").strip().rstrip(".")


KINDS: list[Hostile] = []


def hostile(reader: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a function that writes an input for a reader."""

    def register(write: Callable[[Path], None]) -> Callable[[Path], None]:
        KINDS.append(Hostile(write.__name__.replace("_", "-"), reader, write))
        return write

    return register


def _rows(*rows: dict[str, object]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


# -- JSON lines ---------------------------------------------------------------------------------------------------


@hostile("jsonl")
def deep_nesting(folder: Path) -> None:
    """Half a million open brackets."""
    (folder / "deep.jsonl").write_text('{"text": ' + "[" * 500_000 + "\n")


@hostile("jsonl")
def many_distinct_keys(folder: Path) -> None:
    """Forty thousand rows, each with a different key and no text."""
    (folder / "keys.jsonl").write_bytes(_rows(*({f"key-{number}": SENTENCE[:4]} for number in range(40_000))))


@hostile("jsonl")
def language_is_a_path(folder: Path) -> None:
    """Languages that are paths, absolute and relative, and one with a line break."""
    names = ["../../escaped", "/tmp/escaped", "en/../..", "en\nsw", "\x1b[2J", "a" * 10_000, ""]
    (folder / "paths.jsonl").write_bytes(_rows(*({"text": SENTENCE * 3, "language": name} for name in names)))


@hostile("jsonl")
def numbers_out_of_range(folder: Path) -> None:
    """Integers of a hundred thousand digits, NaN and Infinity next to the text."""
    rows = f'{{"text": "{SENTENCE}", "n": {"9" * 100_000}}}\n{{"text": "{SENTENCE}", "n": NaN}}\n'
    (folder / "numbers.jsonl").write_text(rows + f'{{"text": "{SENTENCE}", "n": Infinity}}\n')


@hostile("jsonl")
def broken_unicode(folder: Path) -> None:
    """Lone surrogates, invalid UTF-8, NUL, a byte order mark in the middle."""
    data = b'{"text": "\\ud800 \\udfff"}\n{"text": "\xff\xfe"}\n{"text": "a\\u0000b"}\n\xef\xbb\xbf{"text": "x"}\n'
    (folder / "unicode.jsonl").write_bytes(data)


@hostile("jsonl")
def one_line_of_a_megabyte(folder: Path) -> None:
    """A line that never ends."""
    (folder / "line.jsonl").write_text('{"text": "' + "a" * MEGABYTE)


# -- Text ---------------------------------------------------------------------------------------------------------


@hostile("text")
def combining_marks(folder: Path) -> None:
    """A letter and half a million combining marks in the wrong order."""
    (folder / "marks.txt").write_text("a" + "\u0301\u0323" * 250_000)


@hostile("text")
def nothing_but_line_breaks(folder: Path) -> None:
    """A megabyte of line breaks."""
    (folder / "breaks.txt").write_bytes(b"\r\n" * (MEGABYTE // 2))


@hostile("text")
def personal_data_that_is_almost_some(folder: Path) -> None:
    """A megabyte of beginnings of email addresses, account and card numbers, IP addresses."""
    pieces = ("a.b-c" * 40 + "@", "DE89 3704 0044 0532 0130 0", "4111-1111-1111-111", "1.2.3.", "+49 30 ", "::ffff:")
    for number, piece in enumerate(pieces):
        (folder / f"{number}.txt").write_text(piece * (MEGABYTE // 6 // len(piece)))


@hostile("text")
def digits_without_end(folder: Path) -> None:
    """A megabyte of digits."""
    (folder / "digits.txt").write_text("1234567890" * (MEGABYTE // 10))


@hostile("text")
def odd_names(folder: Path) -> None:
    """Names with markup, escape sequences, line breaks, glob characters, 255 bytes, invalid UTF-8."""
    names = [
        "[b]bold[",
        "\x1b[2J\x07.txt",
        "a\nerror: all is well.txt",
        "[a-z]*?.txt",
        "n" * 251 + ".txt",
        "\u202etxt.exe",
    ]
    for name in names:
        (folder / name).write_text(SENTENCE * 3)
    (Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt"))).write_text(SENTENCE * 3)


@hostile("text")
def pipe_loop_and_socket(folder: Path) -> None:
    """A named pipe, a loop of symbolic links, a dangling link, a file without read permission."""
    os.mkfifo(folder / "pipe.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.txt").symlink_to("/nonexistent")
    (folder / "closed.txt").write_text(SENTENCE)
    (folder / "closed.txt").chmod(0)


# -- HTML, messages -----------------------------------------------------------------------------------------------


@hostile("html")
def many_attributes(folder: Path) -> None:
    """Ninety thousand attributes on one element."""
    attributes = " ".join(f"a{number}=b" for number in range(90_000))
    (folder / "attributes.html").write_text(f"<html><body><p {attributes}>{SENTENCE * 5}</p></body></html>")


@hostile("html")
def elements_in_elements(folder: Path) -> None:
    """A hundred thousand nested elements."""
    (folder / "deep.html").write_text("<div><b>" * 100_000 + SENTENCE)


@hostile("html")
def entities_of_entities(folder: Path) -> None:
    """A document type with exponential entities, and one that refers to a local file."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    doctype = f'<!DOCTYPE html [<!ENTITY e0 "lol">{levels}<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    (folder / "entities.html").write_text(f"{doctype}<html><body><p>&e11; &x; {SENTENCE * 5}</p></body></html>")


@hostile("properties")
def one_continued_line(folder: Path) -> None:
    """A property continued over half a million lines."""
    (folder / "continued.properties").write_text("key = " + "\\\n" * 500_000 + "end")


@hostile("gettext")
def content_is_a_path(folder: Path) -> None:
    """A catalogue whose entire content is the path of a local file."""
    (folder / "path.po").write_text("/etc/passwd")


# -- Tables -------------------------------------------------------------------------------------------------------


@hostile("csv")
def unclosed_quote(folder: Path) -> None:
    """A quote in the second row that is never closed."""
    (folder / "quote.csv").write_text('text,n\n"' + f"{SENTENCE},1\n" * 8_000)


@hostile("csv")
def many_columns(folder: Path) -> None:
    """A hundred thousand columns."""
    (folder / "columns.csv").write_text("text," + ",".join(f"c{n}" for n in range(100_000)) + f"\n{SENTENCE}\n")


@hostile("parquet")
def expanding_dictionary(folder: Path) -> None:
    """A Parquet file whose one dictionary value of a megabyte is repeated in ten thousand rows."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), pa.array(["a" * MEGABYTE]))
    pq.write_table(pa.table({"text": column}), folder / "dictionary.parquet", compression="zstd")


@hostile("parquet")
def torn_table(folder: Path) -> None:
    """Parquet files cut in the middle, with bytes changed, and with a footer that claims gigabytes."""
    whole = io.BytesIO()
    pq.write_table(pa.table({"text": [SENTENCE * 3] * 100}), whole)
    data = whole.getvalue()
    (folder / "cut.parquet").write_bytes(data[: len(data) // 2])
    (folder / "flipped.parquet").write_bytes(bytes(b ^ 0x10 if n % 97 == 5 else b for n, b in enumerate(data)))
    (folder / "footer.parquet").write_bytes(data[:-8] + struct.pack("<I", 0x7FFFFFFF) + b"PAR1")


@hostile("arrow")
def indices_beyond_the_dictionary(folder: Path) -> None:
    """An Arrow stream whose offsets and indices point out of their buffers."""
    whole = io.BytesIO()
    table = pa.table({"text": pa.array([SENTENCE, SENTENCE]).dictionary_encode()})
    with pa.ipc.new_stream(whole, table.schema) as writer:
        writer.write_table(table)
    data = bytearray(whole.getvalue())
    at = data.rfind(struct.pack("<ii", 0, len(SENTENCE)))
    data[at + 4 : at + 8] = struct.pack("<i", 0x7FFFFFF0)
    (folder / "offsets.arrow").write_bytes(data)


# -- Archives and compressed files --------------------------------------------------------------------------------


@hostile("jsonl")
def gzip_bomb(folder: Path) -> None:
    """A megabyte that unpacks to a gigabyte."""
    (folder / "bomb.jsonl.gz").write_bytes(gzip.compress(b'{"text": "' + b"0" * MEGABYTE) * 1000)


@hostile("jsonl")
def zip_bomb_beside_a_good_file(folder: Path) -> None:
    """An archive with a quarter of a gigabyte of zeros in one member, and a document in another."""
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("bomb.jsonl", "w", force_zip64=True) as member:
            for _ in range(64):
                member.write(b"\0" * (4 << 20))
        archive.writestr("fine.jsonl", _rows({"text": SENTENCE * 3}))


@hostile("jsonl")
def members_that_lie(folder: Path) -> None:
    """A tar archive with members outside of it, links, devices, and one that claims eight terabytes."""
    with tarfile.open(folder / "lies.tar", "w") as archive:
        for name, kind in (("../escaped.jsonl", tarfile.REGTYPE), ("/tmp/escaped.jsonl", tarfile.REGTYPE)):
            archive.addfile(_member(name, kind, 2), io.BytesIO(b"{}"))
        for name, kind in (("link.jsonl", tarfile.SYMTYPE), ("device.jsonl", tarfile.CHRTYPE)):
            archive.addfile(_member(name, kind, 0))
        data = _rows({"text": SENTENCE * 3})
        archive.addfile(_member("fine.jsonl", tarfile.REGTYPE, len(data)), io.BytesIO(data))
        archive.fileobj.write(_member("huge.jsonl", tarfile.REGTYPE, 8 << 40).tobuf(tarfile.GNU_FORMAT))  # type: ignore[union-attr]


def _member(name: str, kind: bytes, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, "/etc/passwd"
    return member


@hostile("jsonl")
def torn_streams(folder: Path) -> None:
    """gzip, bzip2, xz and zstd cut short, with garbage after the end, and files that are none of these."""
    data = _rows(*({"text": f"{number} {SENTENCE}"} for number in range(2000)))
    packed = {"gz": gzip.compress(data), "bz2": bz2.compress(data), "xz": lzma.compress(data)}
    packed["zst"] = zstandard.ZstdCompressor().compress(data)
    for ending, whole in packed.items():
        (folder / f"cut.jsonl.{ending}").write_bytes(whole[: len(whole) // 2])
        (folder / f"rubbish.jsonl.{ending}").write_bytes(whole + b"rubbish" * 10)
        (folder / f"none.jsonl.{ending}").write_bytes(data)
        (folder / f"empty.jsonl.{ending}").touch()


# -- Crawls -------------------------------------------------------------------------------------------------------


@hostile("warc")
def lengths_that_lie(folder: Path) -> None:
    """WARC records with negative, absurd and missing lengths, between two good pages."""
    page = f"<html><body><p>{SENTENCE * 5}</p></body></html>".encode()
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page

    def record(length: bytes | None) -> bytes:
        head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://example.org/\r\n"
        head += b"Content-Type: application/http; msgtype=response\r\n"
        return head + (b"Content-Length: " + length + b"\r\n" if length else b"") + b"\r\n" + http + b"\r\n\r\n"

    good = record(str(len(http)).encode())
    lies = b"".join(record(length) for length in (b"-1", b"9" * 30, b"0x10", None))
    (folder / "lies.warc").write_bytes(good + lies + good)
