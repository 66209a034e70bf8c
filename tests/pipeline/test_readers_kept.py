"""An archive is unpacked once for its licences and its documents."""

import gzip
import lzma
import random

import pytest

from configs.load import load_languages
from pipeline.readers import list_units, read_unit, streams
from pipeline.readers.licence_evidence import surroundings_of
from tests.pipeline.readers_help import deb_bytes, make_source, tar_bytes

FILES = {
    "pkg/a.txt": b"A first text.",
    "pkg/b.txt": b"Another text, and longer. " * 5000,
    "pkg/COPYING": b"GNU GENERAL PUBLIC LICENSE\n\nVersion 3, 29 June 2007\n",
}
AR_MEMBER = f"{'_gpgorigin':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{4:<10}`\nsign".encode()
TAR = gzip.decompress(tar_bytes(FILES))


def written(tmp_path, name: str, data: bytes):
    (tmp_path / name).write_bytes(data)
    source = make_source("text", str(tmp_path / name))
    return source, list_units(source, {})[0]


def rows(source, unit, licences: bool = True) -> tuple[list[dict], list[str]]:
    problems: list[str] = []
    batches = read_unit(
        unit,
        source,
        load_languages(),
        batch_documents=100,
        batch_bytes=1 << 20,
        on_problem=lambda problem: problems.append(str(problem)),
        licences=licences,
    )
    found = [row for batch in batches for row in batch.to_pylist()]
    return [{name: value for name, value in row.items() if name != "licence_nearby"} for row in found], problems


@pytest.mark.parametrize("data", [lzma.compress(TAR), gzip.compress(TAR), gzip.compress(lzma.compress(TAR))])
def test_what_is_unpacked_for_the_licences_serves_the_documents(tmp_path, data):
    source, unit = written(tmp_path, "a.tar.x", data)
    around = surroundings_of(unit, source.packages[0], "text")
    assert around.unpacked and around.unpacked.is_whole
    assert [len(row["text"]) for row in rows(source, unit)[0]] == [13, 130_000]
    assert around.unpacked is None
    assert rows(source, unit) == rows(source, unit, licences=False)


@pytest.mark.parametrize("more", [b"", random.Random(1).randbytes(800_001)])
def test_a_debian_package_is_unpacked_once(tmp_path, more):
    source, unit = written(tmp_path, "a.deb", deb_bytes({**FILES, "pkg/picture": more}) + AR_MEMBER)
    kept = surroundings_of(unit, source.packages[0], "text").unpacked
    assert kept and b"A first text." in kept.again()(-1)
    found, problems = rows(source, unit)
    assert (len(found), problems) == (2, [])
    assert (found, problems) == rows(source, unit, licences=False)


def test_an_archive_that_is_too_large_to_be_kept_is_unpacked_again(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "KEPT_BYTES_MAX", 50_000)
    source, unit = written(tmp_path, "a.tar.xz", lzma.compress(TAR))
    assert surroundings_of(unit, source.packages[0], "text").unpacked is None
    assert rows(source, unit) == rows(source, unit, licences=False)


@pytest.mark.parametrize("cut", [100, -40])
def test_damage_is_told_once_and_nothing_is_kept_of_it(tmp_path, cut):
    source, unit = written(tmp_path, "a.tar.gz", gzip.compress(TAR)[:cut])
    assert surroundings_of(unit, source.packages[0], "text").unpacked is None
    found, problems = rows(source, unit)
    assert len(problems) == 1
    assert (found, problems) == rows(source, unit, licences=False)


def test_a_file_that_is_no_archive_is_not_kept(tmp_path):
    source, unit = written(tmp_path, "a.txt.gz", gzip.compress(b"words " * 100_000))
    assert surroundings_of(unit, source.packages[0], "text").unpacked is None
    assert len(rows(source, unit)[0]) == 1
