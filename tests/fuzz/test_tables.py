"""Tables, catalogues, dictionaries and manual pages with damage: no crash, no hang, no file that vanishes."""

import codecs
import io
import json
import struct

import polib
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from configs.load import load_languages
from pipeline.readers.containers import Member
from pipeline.readers.dictionaries import Dictionaries
from pipeline.readers.reading import READERS
from pipeline.readers.rows import Batcher, Context, Origin
from pipeline.readers.streams import Stream
from pipeline.text.schema import RAW
from tests.fuzz.mutate import MANY, fuzz
from tests.pipeline.readers_help import make_source

RECORDS = [
    {"text": f"Sentence {number} é 漢\n" * (number + 1), "id": f"d{number}", "n": 2**62 + number, "m": [1.5, None, {}]}
    for number in range(6)
]
COLUMNS = {"id": "id", "metadata": ["n", "m"]}


def arrow(kind: pa.DataType, stream: bool, compression: str | None = None) -> bytes:
    table = pa.Table.from_pylist([record | {"m": [1.5, None]} for record in RECORDS])
    table = table.set_column(0, "text", table["text"].combine_chunks().cast(kind))
    sink = pa.BufferOutputStream()
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=4)
    return sink.getvalue().to_pybytes()


def parquet(**options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([record | {"m": [1.5, None]} for record in RECORDS]), sink, 4, **options)
    return sink.getvalue()


def csv_bytes(separator: str, encoding: str = "utf-8") -> bytes:
    rows = [f'"{record["text"]}"{separator}{record["id"]}{separator}1{separator}2' for record in RECORDS]
    return "\r\n".join((separator.join(("text", "id", "n", "m")), *rows)).encode(encoding)


def catalogue() -> polib.POFile:
    file = polib.POFile()
    file.metadata = {"Content-Type": "text/plain; charset=utf-8"}
    file.extend(
        polib.POEntry(msgid=record["id"], msgstr=record["text"], msgctxt="menu", flags=["fuzzy"] * (number == 3))
        for number, record in enumerate(RECORDS)
    )
    file.append(polib.POEntry(msgid="one", msgid_plural="many", msgstr_plural={0: "un mot", 1: "des mots"}))
    return file


JSONL = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS)
STRINGS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
MAN = b"""
.TH X 1
.SH NAME
x \\- a \\fBtool\\fR
.TP
.B \\-a
text \\[u00E9] \\(co
.nf
code
.fi
.BR y (1)
.Nm tool
.Op Fl x Ar file
.UR http://x
.UE .
.de XX
skipped
..
.Dq quoted text .
"""
FLUENT = b"# c\n-brand = Moto\ntitle = Hello { -brand }\n    .tip = A tip\n"
FLUENT += b"n =\n    { $c ->\n  [one] One\n *[other] { $c }\n }\n"
SAMPLES = {
    "jsonl": [JSONL.encode(), JSONL.encode("utf-16"), json.dumps(RECORDS, indent=1).encode()],
    "csv": [csv_bytes(","), csv_bytes(";", "utf-16")],
    "tsv": [csv_bytes("\t").replace(b'"', b"")],
    "text": [JSONL.encode(), JSONL.encode("utf-16-be")],
    "json": [json.dumps([record["text"] for record in RECORDS]).encode(), json.dumps(RECORDS).encode()],
    "gettext": [str(catalogue()).encode(), catalogue().to_binary()],
    "fluent": [FLUENT],
    "properties": [b"# c\na.b=caf\\u00e9 \\\n   noir\n! no\nc : smile \\ud83d\\ude00\nd e\n"],
    "man": [MAN],
    "code": [b"import os\n\nprint('\xc3\xa9')\n" * 9, "x = 1  # é\n".encode("utf-16")],
    "arrow": [arrow(kind, stream) for kind in STRINGS for stream in (True, False)] + [arrow(STRINGS[0], True, "zstd")],
    "parquet": [parquet(), parquet(compression="none", use_dictionary=False), parquet(data_page_version="2.0")],
}  # fmt: skip
NAMES = {"gettext": "a.po", "code": "a.py"}


def check(reader: str, data: bytes, **package) -> None:
    """Only InputErrors come out, and all that comes out is valid; a file that is not blank does not vanish."""
    columns = COLUMNS if reader in ("jsonl", "csv", "tsv", "arrow", "parquet") else {}
    problems: list[InputError] = []
    context = Context(make_source(reader, columns=columns, **package), load_languages(), problems.append, 3)
    batcher = Batcher(3, 200, problems.append)
    name = NAMES.get(reader, "a")
    count, origin = 0, Origin("a", "a", None, None)
    try:
        for row in READERS[reader](Member(name, name, Stream(io.BytesIO(data).read, name)), context):
            batch = batcher.add(row, origin)
            if batch is not None:
                batch.validate(full=True)
            json.loads(row.metadata, parse_constant=pytest.fail)
            count += 1
    except InputError as problem:
        problems.append(problem)
    last = batcher.flush()
    assert last is None or last.schema == RAW
    if reader in ("jsonl", "csv", "tsv"):
        text = data.decode(
            "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8", "replace"
        )
        assert count or problems or text.count("\n") < 2 or not text.strip()


@pytest.mark.parametrize("reader", SAMPLES)
def test_damage_is_a_problem_at_most(reader):
    fuzz(SAMPLES[reader], lambda data: check(reader, data), count=40 if reader in ("arrow", "parquet") else 300)


@pytest.mark.slow
@pytest.mark.parametrize("reader", SAMPLES)
def test_much_damage_is_a_problem_at_most(reader):
    fuzz(SAMPLES[reader], lambda data: check(reader, data), count=MANY, seed=1)


def test_plain_text_by_lines_with_damage():
    fuzz(SAMPLES["text"], lambda data: check("text", data, documents="line"), count=300)


INDEX = b"00-database-info\tA\tA\nhaba\tA\tP\nhabari\tP\tO\nhabary\tP\tO\n" + b"x\t/////w\t/////w\n"
ENTRIES = b"haba /x/\n  few\nhabari\n  news\n"


def check_dictionary(data: bytes) -> None:
    length = struct.unpack("<I", data[:4].ljust(4, b"\0"))[0] % (len(data) + 1)
    problems: list[InputError] = []
    context = Context(make_source("dictd"), load_languages(), problems.append, 3)
    dictionaries = Dictionaries()
    try:
        for name, part in (("a.index", data[4 : 4 + length]), ("a.dict", data[4 + length :])):
            list(dictionaries.read(Member(name, name, Stream(io.BytesIO(part).read, name)), context))
    except InputError as problem:
        problems.append(problem)
    problems += dictionaries.incomplete()


@pytest.mark.parametrize("count", [300, pytest.param(MANY, marks=pytest.mark.slow)])
def test_dictionaries_with_damage(count):
    fuzz([struct.pack("<I", len(INDEX)) + INDEX + ENTRIES], check_dictionary, count=count)
