"""Every format gives its documents, with stable keys."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from dataclasses import asdict

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError, InputError
from pipeline.readers import Unit, list_units, read_files
from pipeline.readers.messages import clean_message
from tests.pipeline.readers_help import deb_bytes, make_source, mo_bytes, read, tar_bytes, texts

ROWS = [{"text": f"line {number} é 漢", "id": f"d{number}", "n": number} for number in range(25)]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
COMPRESS = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_json_lines_are_read_under_every_compression(tmp_path, suffix):
    (tmp_path / f"a.jsonl{suffix}").write_bytes(COMPRESS[suffix](JSONL))
    rows, problems = read(make_source("jsonl", str(tmp_path / f"a.jsonl{suffix}")))
    assert texts(rows) == [row["text"] for row in ROWS]
    assert not problems


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst", ".xz"])
def test_concatenated_compressed_files_are_one(tmp_path, suffix):
    whole = COMPRESS[suffix](JSONL[:300]) + COMPRESS[suffix](JSONL[300:])
    (tmp_path / "a.jsonl").write_bytes(whole)
    assert len(read(make_source("jsonl", str(tmp_path / "a.jsonl")))[0]) == 25


def test_columns_are_mapped(tmp_path):
    record = {"body": "Habari", "key": 7, "lang": "sw", "lic": "MIT", "url": "https://x.example", "z": [1], "a": "ü"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    columns = {"text": "body", "id": "key", "language": "lang", "licence": "lic", "uri": "url", "metadata": ["z", "a"]}
    rows, _ = read(make_source("jsonl", str(tmp_path / "a.jsonl"), columns=columns))
    assert rows == [
        {
            "key": f"{tmp_path.name}/a.jsonl#7",
            "text": "Habari",
            "language": "sw",
            "licence": "MIT",
            "uri": "https://x.example",
            "metadata": '{"a": "ü", "z": [1]}',
            "licence_nearby": None,
        }
    ]


def test_keys_name_folder_file_and_line_but_no_absolute_path(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place / "in").mkdir(parents=True)
        (tmp_path / place / "in" / "a.jsonl").write_bytes(JSONL)
    keys = [
        [row["key"] for row in read(make_source("jsonl", str(tmp_path / place / "in/*.jsonl")))[0]]
        for place in ("one", "two")
    ]
    assert keys[0] == keys[1]
    assert keys[0][0] == "in/a.jsonl#1"
    assert len(set(keys[0])) == 25


@settings(max_examples=20, deadline=None)
@given(documents=st.integers(1, 30), size=st.integers(1, 500))
def test_batches_keep_within_limits_and_lose_nothing(tmp_path_factory, documents, size):
    path = tmp_path_factory.mktemp("b") / "a.jsonl"
    path.write_bytes(JSONL)
    rows, _ = read(make_source("jsonl", str(path)), batch_documents=documents, batch_bytes=size)
    assert texts(rows) == [row["text"] for row in ROWS]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_and_arrow_give_what_json_lines_give(tmp_path, kind):
    table = pa.Table.from_pylist(ROWS)
    table = table.set_column(0, "text", pa.chunked_array(table["text"]).cast(kind))
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    with pa.OSFile(str(tmp_path / "s.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    with pa.OSFile(str(tmp_path / "f.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    for reader, name in (("parquet", "a.parquet"), ("arrow", "s.arrow"), ("arrow", "f.arrow")):
        rows, problems = read(make_source(reader, str(tmp_path / name), columns={"id": "id", "metadata": ["n"]}))
        assert [(row["key"].split("#")[1], row["text"], row["metadata"]) for row in rows] == [
            (row["id"], row["text"], json.dumps({"n": row["n"]})) for row in ROWS
        ]
        assert not problems


def test_csv_keeps_line_feeds_in_quotes(tmp_path):
    (tmp_path / "a.csv").write_text('\ufeffid,text\n1,"two\nlines, ""quoted"""\n2,plain\n')
    assert texts(read(make_source("csv", str(tmp_path / "a.csv")))[0]) == ['two\nlines, "quoted"', "plain"]


def test_tsv_takes_quotes_as_they_are(tmp_path):
    (tmp_path / "a.tsv").write_text('text\tid\n"open\t1\n')
    assert texts(read(make_source("tsv", str(tmp_path / "a.tsv")))[0]) == ['"open']


def test_tables_inside_archives_are_read(tmp_path):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["inside"]}), buffer)
    (tmp_path / "a.tar.gz").write_bytes(tar_bytes({"d/x.parquet": buffer.getvalue(), "d/readme": b"no"}))
    rows, _ = read(make_source("parquet", str(tmp_path / "a.tar.gz")))
    assert texts(rows) == ["inside"]
    assert rows[0]["key"].endswith("a.tar.gz!d/x.parquet#1")


def test_texts_of_a_folder_come_sorted_and_in_bounded_units(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.readers.units.FILES_PER_UNIT", 2)
    for name in ("b/2.txt", "a/1.txt", "c.txt", "c.bin"):
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).write_text(name)
    source = make_source("text", str(tmp_path / "t"), languages_by_path={"a/*": "sw"}, language="fr")
    assert [unit.members for unit in list_units(source, {})] == [("a/1.txt", "b/2.txt"), ("c.txt",)]
    rows, _ = read(source)
    assert [(row["key"], row["language"]) for row in rows] == [
        ("t/a/1.txt", "sw"),
        ("t/b/2.txt", "fr"),
        ("t/c.txt", "fr"),
    ]


def test_files_that_are_passed_over_for_their_names_are_counted(tmp_path):
    for name in ("a.txt", "b.srt", "b.SRT", "c.rtf.gz", "maria@acme.com", "LICENSE", ".hidden", "d.log"):
        (tmp_path / name).write_text(name)
    counted = {}
    list_units(make_source("text", str(tmp_path), exclude=["*.log"]), {}, passed_over=counted)
    assert {source: dict(endings) for source, endings in counted.items()} == {
        "made-up": {".srt": 2, ".rtf": 1, ".com": 1},
    }
    list_units(make_source("text", str(tmp_path), include=["*.srt"]), {}, passed_over=(named := {}))
    assert not named


def test_work_files_of_a_build_in_a_folder_are_left_out(tmp_path):
    for name in ("a.txt", "old/.openroots.json", "old/b.txt", "old/.work/c.txt", ".work/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    memory = fsspec.filesystem("memory")
    memory.put(f"{tmp_path}/", "/work-files/", recursive=True)
    for place in (str(tmp_path), f"{tmp_path}/**/*.txt", "memory://work-files"):
        rows, _ = read(make_source("text", place))
        assert sorted(row["text"] for row in rows) == [".work/d.txt", "a.txt", "old/b.txt"]
    assert len(read(make_source("text", f"{tmp_path}/old/.work"))[0]) == 1


def test_an_archive_of_other_files_is_a_problem(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar_bytes({"a.srt": b"one", "b.rtf": b"two"}))
    (tmp_path / "b.tar.gz").write_bytes(tar_bytes({"a.srt": b"one", "b.txt": b"two"}))
    rows, problems = read(make_source("text", str(tmp_path)))
    assert [row["text"] for row in rows] == ["two"]
    assert [(problem.file.split("/")[-1], problem.cause) for problem in problems] == [
        ("a.tar.gz", "an archive of 2 files, none with a name that the reader `text` takes")
    ]
    assert not read(make_source("text", str(tmp_path), include=["*.md"]))[1]


def test_a_unit_survives_json(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    for unit in list_units(make_source("text", str(tmp_path)), {}):
        assert Unit(**json.loads(json.dumps(asdict(unit)))) == unit


def test_packages_are_read_as_downloaded_and_keys_leave_out_versions(tmp_path):
    archive = tmp_path / "nice-1.2.tar.gz"
    archive.write_bytes(tar_bytes({"nice-1.2/docs/a.txt": b"text", "nice-1.2/b.dat": b"\xff"}))
    source = make_source("text", "nice", client="pip", licence="MIT")
    rows, problems = read(source, {0: [str(archive)]})
    assert [(row["key"], row["uri"], row["licence"]) for row in rows] == [
        ("nice!nice/docs/a.txt", "nice-1.2.tar.gz!nice-1.2/docs/a.txt", "MIT")
    ]
    assert not problems


def test_a_package_that_was_not_fetched_gives_no_unit():
    assert list_units(make_source("text", "nice", client="pip"), {}) == []


def test_a_path_that_matches_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list_units(make_source("text", str(tmp_path / "*.txt")), {})


def test_other_file_systems_are_read():
    fsspec.filesystem("memory").pipe("/place/in/a.txt", b"from memory")
    for path in ("memory://place/in", "memory://place/in/*.txt", "memory://place/in/a.txt"):
        rows, _ = read(make_source("text", path))
        assert [(row["key"], row["text"]) for row in rows] == [("in/a.txt", "from memory")]


def test_debian_packages_and_nested_archives_are_walked(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xh/a.ftl", "hello = Molo, mhlaba\nbye = Usale kakuhle\n")
    (tmp_path / "p_1_all.deb").write_bytes(deb_bytes({"./usr/lib/x.xpi": inner.getvalue(), "./usr/doc": b"no"}))
    rows, problems = read(make_source("fluent", "p", client="apt"), {0: [str(tmp_path / "p_1_all.deb")]})
    assert texts(rows) == ["Molo, mhlaba\nUsale kakuhle"]
    assert rows[0]["key"] == "p!usr/lib/x.xpi!xh/a.ftl#0"
    assert not problems


def test_html_gives_headings_and_paragraphs_without_menus(tmp_path):
    page = """<html><head><title>T</title><style>p{}</style></head><body><nav><a href=x>Menu</a></nav>
    <div class="navheader">Next</div><h1>Heading</h1><p>One <b>bold</b> sentence.<p>Two &amp; three.</p>
    <ul><li>item</li></ul><script>var x</script></body></html>"""
    (tmp_path / "a.html").write_text(page)
    assert texts(read(make_source("html", str(tmp_path)))[0]) == ["Heading\nOne bold sentence.\nTwo & three.\nitem"]


def test_html_in_another_encoding_is_decoded_as_it_says(tmp_path):
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Élève à côté</p></body></html>'
    (tmp_path / "a.html").write_bytes(page.encode("latin-1"))
    assert texts(read(make_source("html", str(tmp_path)))[0]) == ["Élève à côté"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_catalogues_give_translations_only(tmp_path, order):
    messages = {
        "Open": "Vula",
        "OK": "OK",
        "menu\4~File": "I~fayile",
        "%d file\0%d files": "Ifayile e-%d\0Iifayile ezi-%d",
        "Save": "<b>Gcina</b>",
    }
    (tmp_path / "a.mo").write_bytes(mo_bytes(messages, order))
    rows, _ = read(make_source("gettext", str(tmp_path)))
    assert rows[0]["text"].split("\n") == ["Ifayile e-%d", "Iifayile ezi-%d", "Vula", "Gcina", "Ifayile"]


@pytest.mark.parametrize(
    ("message", "clean"),
    [
        ("~Vala & Ubuyisele", "Vala & Ubuyisele"),
        ("Save &As", "Save As"),
        ("_File", "File"),
        ("文件(~F)", "文件"),
        ("snake_case", "snake_case"),
        ("a & b", "a & b"),
        ("<b>Two</b>\nlines", "Two lines"),
        ("1 < 2 > 0 x", "1 < 2 > 0 x"),
        ("%d: 12", "%d: 12"),
        ("--", ""),
    ],
)
def test_messages_lose_tags_and_accelerators_only(message, clean):
    assert clean_message(message) == clean


def test_plain_catalogues_skip_fuzzy_and_untranslated(tmp_path):
    text = 'msgid ""\nmsgstr "Language: fr\\n"\n\nmsgid "a"\nmsgstr "un mot"\n\n#, fuzzy\nmsgid "b"\nmsgstr "faux"\n'
    (tmp_path / "a.po").write_text(text + '\nmsgid "c"\nmsgstr ""\n\nmsgid "d"\nmsgstr "d"\n')
    assert texts(read(make_source("gettext", str(tmp_path)))[0]) == ["un mot"]


def test_messages_are_joined_up_to_the_size(tmp_path):
    (tmp_path / "a.properties").write_text("".join(f"k{number} = message {number}\n" for number in range(100)))
    rows, _ = read(make_source("properties", str(tmp_path), document_bytes=200))
    assert all(len(row["text"]) <= 200 for row in rows)
    assert [row["key"] for row in rows][:2] == [f"{tmp_path.name}/a.properties#0", f"{tmp_path.name}/a.properties#1"]
    assert len("\n".join(texts(rows)).split("\n")) == 100


def test_properties_know_escapes_and_continued_lines(tmp_path):
    (tmp_path / "a.properties").write_text("# no\na.b=caf\\u00e9 \\\n   noir\n! no\nc : smile \\ud83d\\ude00\n")
    assert texts(read(make_source("properties", str(tmp_path)))[0]) == ["café noir\nsmile 😀"]


def test_fluent_gives_values_attributes_and_variants(tmp_path):
    text = """# a comment
-brand = Moto
title = Hello { -brand } and { $user }
    .tooltip = A tip
    .accesskey = H
emails =
    { $count ->
        [one] One message
       *[other] { $count } messages
    }
long = First line
    and second
"""
    (tmp_path / "a.ftl").write_text(text)
    assert texts(read(make_source("fluent", str(tmp_path)))[0])[0].split("\n") == [
        "Moto",
        "Hello {brand} and {user}",
        "A tip",
        "One message",
        "{count} messages",
        "First line and second",
    ]


def test_dictionaries_join_index_and_entries(tmp_path):
    entries = b"haba /x/\n  few\nhabari\n  news\n"
    index = "00-database-info\tA\tA\nhaba\tA\tP\nhabari\tP\tO\nhabary\tP\tO\n"
    (tmp_path / "d.dict.dz").write_bytes(gzip.compress(entries))
    (tmp_path / "d.index").write_text(index)
    assert texts(read(make_source("dictd", str(tmp_path)))[0]) == ["haba /x/\nfew\nhabari\nnews"]


def warc_record(kind: str, body: bytes, number: int) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: https://x.example/{number}\r\n"
    head += f"WARC-Record-ID: <urn:uuid:{number}>\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
    return gzip.compress(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n")


def test_web_archives_give_pages_and_texts(tmp_path):
    page = b"<html><body><p>Un paragraphe assez long pour compter comme du texte.</p></body></html>"
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
    missing = http.replace(b"200 OK", b"404 No")
    (tmp_path / "a.warc.gz").write_bytes(warc_record("response", http, 1) + warc_record("response", missing, 2))
    rows, _ = read(make_source("warc", str(tmp_path)))
    assert [(row["key"].split("#")[1], row["uri"], row["text"]) for row in rows] == [
        ("urn:uuid:1", "https://x.example/1", "Un paragraphe assez long pour compter comme du texte.")
    ]
    (tmp_path / "b.wet.gz").write_bytes(warc_record("conversion", "du texte é".encode(), 3))
    assert texts(read(make_source("wet", str(tmp_path)))[0]) == ["du texte é"]


def test_code_is_read_in_the_language_of_its_name(tmp_path):
    (tmp_path / "a.py").write_text("import os\n\nprint(os.name)\n")
    (tmp_path / "b.unknown").write_text("what")
    rows, problems = read(make_source("code", str(tmp_path)))
    assert [(row["language"], row["text"]) for row in rows] == [("python", "import os\n\nprint(os.name)\n")]
    assert not problems


def test_datasets_are_read_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    (tmp_path / "train.jsonl").write_bytes(JSONL)
    rows, problems = read(make_source("datasets", str(tmp_path), columns={"id": "id"}))
    assert texts(rows) == [row["text"] for row in ROWS]
    assert not problems


def test_the_format_of_files_is_told_by_their_names():
    assert read_files(["in/*.jsonl.gz"]).reader == "jsonl"
    assert read_files(["in/*.warc.wet.gz"]).reader == "wet"
    with pytest.raises(ConfigurationError, match="does not tell the format"):
        read_files(["in/*"])
    with pytest.raises(ConfigurationError, match="several formats"):
        read_files(["a.jsonl", "b.csv"])


def test_where_a_pattern_does_not_tell_the_format_its_files_do(tmp_path):
    for name in ("a.jsonl", "b.jsonl.gz"):
        (tmp_path / name).write_bytes(b"")
    assert read_files([f"{tmp_path}/*.jsonl*"]).reader == read_files([f"{tmp_path}/*"]).reader == "jsonl"
    (tmp_path / "c.csv").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="several formats"):
        read_files([f"{tmp_path}/*"])
    (tmp_path / "d.pdf").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="does not tell the format"):
        read_files([f"{tmp_path}/*"])


def test_links_within_a_folder_are_passed_over_and_links_out_of_it_are_problems(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.txt").write_text("a")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "t" / "b.txt").symlink_to("a.txt")
    (tmp_path / "t" / "c.txt").symlink_to("../secret.txt")
    rows, problems = read(make_source("text", str(tmp_path / "t")))
    assert texts(rows) == ["a"]
    assert [problem.file for problem in problems] == ["t/c.txt"]
