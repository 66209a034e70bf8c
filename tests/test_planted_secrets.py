"""No personal data of an input stands in clear beside the text: in no file of a build, and not on the terminal."""

import gzip
import io
import itertools
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

GOOD = "All human beings are born free and equal in dignity and rights. They are endowed with reason. " * 3


def mailbox(place: str) -> str:
    """An address that stands in one place only, so that a leak tells where it came from."""
    return f"amina.{place}@acme-corp.com"


COLUMNS = {"id": "id", "language": "language", "licence": "licence", "uri": "url"}
METADATA = ["note", "phone", "card", "account"]
_number = itertools.count()


def row(**more: str) -> bytes:
    number = next(_number)
    filled = {"id": f"row-{number}", "language": "en", "licence": "CC0-1.0", "url": "https://host.org/"}
    return json.dumps({"text": f"{GOOD} {number}", **filled, **dict.fromkeys(METADATA, ""), **more}).encode() + b"\n"


def archive() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, data in (
            (f"box/{mailbox('member')}.jsonl", row()),
            (f"box/{mailbox('badmember')}.jsonl", b"{ broken\n" + row()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def web() -> bytes:
    records = []
    for target, title in (
        (f"https://host.org/{mailbox('weburi')}/a", "plain"),
        ("https://host.org/?mail=" + mailbox("encoded").replace("@", "%40"), "plain"),
        ("https://host.org/b", mailbox("title")),
    ):
        page = f"<html><head><title>{title}</title></head><body><p>{GOOD}</p><p>{GOOD}</p></body></html>"
        body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page.encode()
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {target}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
            f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{len(records):012d}>\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        records.append(gzip.compress(head.encode() + body + b"\r\n\r\n"))
    return b"".join(records)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a build over inputs with secrets in every other place than text, and what it printed."""
    folder = tmp_path_factory.mktemp("planted")
    data = folder / "in"
    data.mkdir()
    (data / f"{mailbox('file')}.jsonl").write_bytes(row())
    (data / f"{mailbox('badfile')}.jsonl.gz").write_bytes(b"no gzip")
    (data / "rows.jsonl").write_bytes(
        row(note=mailbox("value"))
        + row(**{mailbox("key"): "1"})
        + row(language=mailbox("language"))
        + row(licence=mailbox("licence"))
        + row(id=mailbox("id"))
        + row(url=f"https://host.org/?u={mailbox('url')}")
        + row(phone="+44 20 7946 0958", card="4111 1111 1111 1111", account="DE89370400440532013000")
        + b'{"text": 17, "'
        + mailbox("wrongrow").encode()
        + b'": 1}\n'
    )
    (data / "box.tar.gz").write_bytes(archive())
    table = pa.table({"text": [GOOD + "csv"], mailbox("header"): ["x"], "author": [mailbox("cell")]})
    (data / "table.csv").write_text(
        ",".join(table.column_names) + "\n" + ",".join(f'"{column[0].as_py()}"' for column in table.columns) + "\n"
    )
    pq.write_table(table, data / "table.parquet")
    (data / "crawl.warc.gz").write_bytes(web())
    sources = {
        "lines": ("jsonl", "*.jsonl*"), "boxes": ("jsonl", "*.tar.gz"), "tables": ("csv", "*.csv"),
        "columns": ("parquet", "*.parquet"), "pages": ("warc", "*.warc.gz"),
    }  # fmt: skip
    mapped = ", ".join(f'{key} = "{column}"' for key, column in COLUMNS.items())
    columns = dict.fromkeys(sources, "") | dict.fromkeys(("tables", "columns"), 'columns = { metadata = ["author"] }\n')
    columns["lines"] = f"columns = {{ {mapped}, metadata = {METADATA} }}\n"
    recipe = folder / "recipe.toml"
    recipe.write_text(
        'name = "planted"\ntitle = "Planted"\nkeep_other_languages = true\nlanguages = ["en"]\n'
        f"sources = {list(sources)}\n"
        "[quality]\nenabled = false\n[deduplication]\nexact = false\nnear = false\n"
        + "".join(
            f'[source.{name}]\ntitle = "T"\nreader = "{reader}"\nlicence = "CC0-1.0"\ncustodian = "C"\n'
            f'provenance = "made for a test"\npackages = [{{ name = "{data}/{pattern}" }}]\n'
            + columns[name]
            for name, (reader, pattern) in sources.items()
        )
    )  # fmt: skip
    output = folder / "out"
    command = [sys.executable, "-m", "openroots.cli", "build-corpus", "--recipe", str(recipe), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    why = [sys.executable, "-m", "openroots.cli", "why", "--corpus", str(output), "PI:EMAIL"]
    told = subprocess.run(why, capture_output=True, text=True, timeout=300, check=False)
    return output, done.stdout + done.stderr + told.stdout + told.stderr


SECRETS = [b"amina.", b"acme-corp.com", b"7946", b"4111 1111", b"DE8937040044"]


def test_no_file_of_a_build_holds_a_secret_of_its_inputs(built: tuple[Path, str]) -> None:
    output, _ = built
    leaks = []
    for path in sorted(output.rglob("*")):
        assert not any(secret.decode() in str(path.relative_to(output)) for secret in SECRETS)
        if path.is_file() and ".work" not in path.relative_to(output).parts:
            held = path.read_bytes()
            if path.suffix == ".parquet":
                held += str(pq.read_table(path).to_pylist()).encode()
            for secret in SECRETS:
                at = held.find(secret)
                if at >= 0:
                    leaks.append((str(path.relative_to(output)), held[max(0, at - 60) : at + 60]))
    assert leaks == []


def test_the_terminal_shows_no_secret_of_the_inputs(built: tuple[Path, str]) -> None:
    _, printed = built
    assert [secret for secret in SECRETS if secret.decode() in printed] == []
    assert "PI:EMAIL" in printed


def test_documents_keep_where_they_come_from_without_the_secret(built: tuple[Path, str]) -> None:
    output, _ = built
    ledger = ds.dataset(output / "ledger").to_table()
    uris = ledger["uri"].to_pylist()
    assert any(uri.endswith("PI:EMAIL.jsonl") or "PI:EMAIL.jsonl" in uri for uri in uris)
    assert any(uri.startswith("https://host.org/PI:EMAIL/a") for uri in uris)
    assert len(set(ledger["id"].to_pylist())) == ledger.num_rows
    assert ledger["reason"].to_pylist().count("licence_unknown") == 1
    assert ledger["reason"].to_pylist().count("language_unknown") == 1
