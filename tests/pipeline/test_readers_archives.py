"""Hostile archives harm nothing: the member is refused, named, and the rest is read."""

import gzip
import io
import tarfile
import zipfile

import pytest

from configs.errors import UnsafeArchiveError
from pipeline.readers import streams
from tests.pipeline.readers_help import deb_bytes, make_source, read, tar_bytes, texts


def tar_info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def zip_bytes(files: dict, links: dict | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
    return buffer.getvalue()


def read_bytes(tmp_path, name: str, data: bytes, reader: str = "text"):
    (tmp_path / name).write_bytes(data)
    return read(make_source(reader, str(tmp_path / name)))


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "C:\\out.txt", "..\\out.txt"])
def test_paths_out_of_a_tar_are_refused(tmp_path, name):
    rows, problems = read_bytes(tmp_path, "a.tar.gz", tar_bytes({name: b"evil", "in.txt": b"good"}))
    assert texts(rows) == ["good"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt"])
def test_paths_out_of_a_zip_are_refused(tmp_path, name):
    rows, problems = read_bytes(tmp_path, "a.zip", zip_bytes({name: b"evil", "in.txt": b"good"}))
    assert texts(rows) == ["good"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]


@pytest.mark.parametrize(
    ("kind", "target", "refused"),
    [
        (tarfile.SYMTYPE, "../../etc/passwd", True),
        (tarfile.SYMTYPE, "/etc/passwd", True),
        (tarfile.LNKTYPE, "../passwd", True),
        (tarfile.CHRTYPE, "", True),
        (tarfile.FIFOTYPE, "", True),
        (tarfile.SYMTYPE, "../in.txt", False),
        (tarfile.LNKTYPE, "in.txt", False),
    ],
)
def test_links_and_devices_are_refused_where_they_lead_out(tmp_path, kind, target, refused):
    data = tar_bytes({"in.txt": b"good"}, extra=[tar_info("d/l.txt", kind, target)])
    rows, problems = read_bytes(tmp_path, "a.tar.gz", data)
    assert texts(rows) == ["good"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError] * refused


def test_links_in_a_zip_are_refused_where_they_lead_out(tmp_path):
    links = {"d/out.txt": "../../secret", "d/in.txt": "../good.txt"}
    rows, problems = read_bytes(tmp_path, "a.zip", zip_bytes({"good.txt": b"good"}, links))
    assert texts(rows) == ["good"]
    assert [problem.file for problem in problems] == [f"{tmp_path.name}/a.zip!d/out.txt"]


def test_absolute_links_of_a_debian_package_stay_in_it(tmp_path):
    extra = [
        tar_info("./usr/a.txt", tarfile.SYMTYPE, "/usr/share/b.txt"),
        tar_info("./usr/c.txt", tarfile.SYMTYPE, "../../../../b.txt"),
    ]
    rows, problems = read_bytes(tmp_path, "a.deb", deb_bytes({"./usr/share/b.txt": b"good"}, extra))
    assert texts(rows) == ["good"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]


@pytest.fixture
def small_bombs(monkeypatch):
    monkeypatch.setattr(streams, "BOMB_BYTES", 1 << 20)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.xz", "a.jsonl.zst", "a.jsonl.bz2"])
def test_a_compression_bomb_stops(tmp_path, small_bombs, name):
    from tests.pipeline.test_readers import COMPRESS

    data = COMPRESS[name.removeprefix("a.jsonl")](b'{"text": "first"}\n' + b" " * (30 << 20))
    rows, problems = read_bytes(tmp_path, name, data, "jsonl")
    assert texts(rows) == ["first"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]


def test_a_zip_bomb_stops_and_other_members_are_read(tmp_path, small_bombs):
    data = zip_bytes({"a.txt": b"before", "b.txt": b"\n" * (30 << 20), "c.txt": b"after"})
    rows, problems = read_bytes(tmp_path, "a.zip", data)
    assert texts(rows)[0] == "before"
    assert problems
    assert all(isinstance(problem, UnsafeArchiveError) for problem in problems)


def test_a_zip_of_overlapping_members_stops(tmp_path, small_bombs):
    data = zip_bytes({"a.txt": b"x" * (900 << 10)})
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        first = archive.infolist()[0]
        archive.filelist += [first] * 2000  # every entry points to the same bytes
        archive._didModify = True
    rows, problems = read_bytes(tmp_path, "a.zip", buffer.getvalue())
    assert len(rows) < 100
    assert any(isinstance(problem, UnsafeArchiveError) for problem in problems)


def test_a_tar_bomb_stops(tmp_path, small_bombs):
    data = tar_bytes({"a.txt": b"before", "b.bin": b"\0" * (30 << 20), "c.txt": b"after"})
    rows, problems = read_bytes(tmp_path, "a.tar.gz", data)
    assert texts(rows) == ["before"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]


def test_archives_nested_too_deep_are_refused(tmp_path):
    data = tar_bytes({"deep.txt": b"deep"})
    for level in range(4):
        data = tar_bytes({f"{level}.tar.gz": data, f"{level}.txt": b"%d" % level})
    rows, problems = read_bytes(tmp_path, "a.tar.gz", data)
    assert set(texts(rows)) == {"3", "2", "1"}
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]


def test_an_encrypted_member_is_a_problem(tmp_path):
    data = bytearray(zip_bytes({"a.txt": b"secret"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    rows, problems = read_bytes(tmp_path, "a.zip", bytes(data))
    assert not rows
    assert problems[0].cause == "encrypted"


def test_nothing_is_written_while_archives_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows, _ = read_bytes(
        tmp_path, "a.tar.gz", tar_bytes({"x.zip": zip_bytes({"b.txt": b"b"}), "c.txt.gz": gzip.compress(b"c")})
    )
    assert texts(rows) == ["b", "c"]
    assert [path.name for path in tmp_path.rglob("*")] == ["a.tar.gz"]
