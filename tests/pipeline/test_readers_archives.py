"""Hostile archives harm nothing: the member is refused, named, and the rest is read."""

import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile

import pytest

from configs.errors import UnsafeArchiveError
from pipeline.readers import streams
from pipeline.readers.streams import Stream
from pipeline.readers.tar import TarReader
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
    assert texts(rows) == ["before", "after"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]


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


def test_files_beside_a_tar_bomb_are_read(tmp_path, small_bombs):
    bomb = b"\0" * (30 << 20)
    data = tar_bytes({"a.txt": b"before", "b.bin": bomb, "b.txt": bomb, "c.txt": b"after"})
    rows, problems = read_bytes(tmp_path, "a.tar.gz", data)
    assert texts(rows) == ["before", "after"]
    assert [type(problem) for problem in problems] == [UnsafeArchiveError]
    assert problems[0].file.endswith("a.tar.gz!b.txt")


def test_a_tar_that_unpacks_beyond_deflate_stops(tmp_path, small_bombs):
    data = tar_bytes({"a.txt": b"before", "b.bin": b"\0" * (30 << 20), "c.txt": b"after"}, "w:bz2")
    rows, problems = read_bytes(tmp_path, "a.tar.bz2", data)
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


def header(name: str, size: int | bytes, kind: bytes = b"0", link: str = "", tail: bytes = b"") -> bytes:
    """A ustar header; `size` as bytes is put in as it is, `tail` from byte 345 on."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + field.ljust(12, b"\0"))
    block += b"00000000000\0" + b" " * 8 + kind + link.encode().ljust(100, b"\0") + b"ustar\x0000"
    block = bytearray(bytes(block).ljust(345, b"\0") + tail).ljust(512, b"\0")
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: str, data: bytes, kind: bytes = b"0") -> bytes:
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_dialect_gives_what_tarfile_gives(tmp_path, form):
    long = "/".join(["folder-of-a-long-name"] * (9 if form == tarfile.USTAR_FORMAT else 40))
    files = {
        "a.txt": b"a",
        f"{long}/b.txt": b"b" * 1000,
        "ch\u00e9.txt": b"",
        "e.txt": b"e" * 512,
        "z/f.txt": b"f" * 513,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5 if form == tarfile.PAX_FORMAT else 1
            archive.addfile(info, io.BytesIO(data))
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        expected = [(info.name, archive.extractfile(info).read()) for info in archive if info.isfile()]
    found = []
    for entry, stream in TarReader(Stream(io.BytesIO(buffer.getvalue()).read, "a"), "a", pytest.fail):
        found.append((entry.path, stream.read()))
    assert found == expected == list(files.items())


def test_archives_one_behind_the_other_are_read(tmp_path):
    data = tar_bytes({"a.txt": b"one"}, "w") + tar_bytes({"b.txt": b"two"}, "w")
    rows, problems = read_bytes(tmp_path, "a.tar", data)
    assert texts(rows) == ["one", "two"] and not problems


def test_behind_a_damaged_header_the_next_member_is_read(tmp_path):
    data = bytearray(member("a.txt", b"one") + member("b.txt", b"two") + member("c.txt", b"three") + bytes(1024))
    data[1024 + 130] ^= 7  # its size
    rows, problems = read_bytes(tmp_path, "a.tar", bytes(data))
    assert texts(rows) == ["one", "three"]
    assert [problem.cause for problem in problems] == ["the header of a member is damaged"]


@pytest.mark.parametrize("size", [b"-0000000100", b"\xff" * 12, b"zzzzzzzzzzz\0"])
def test_a_size_that_is_none_damages_its_header_only(tmp_path, size):
    data = member("a.txt", b"one") + header("b.txt", size) + member("c.txt", b"three") + bytes(1024)
    rows, problems = read_bytes(tmp_path, "a.tar", data)
    assert texts(rows) == ["one", "three"] and len(problems) == 1


@pytest.mark.parametrize("size", [b"\x80" + b"\x7f" * 11, b"77777777777\0"])
def test_a_huge_size_is_told_once(tmp_path, size):
    rows, problems = read_bytes(tmp_path, "a.tar", member("a.txt", b"one") + header("b.txt", size) + b"two".ljust(512))
    assert texts(rows)[0] == "one"
    assert len(problems) == 1 and "ends within this member" in problems[0].cause


def test_sparse_members_are_refused_and_those_behind_them_read(tmp_path):
    eight_terabytes = b"\x80" + (8 << 40).to_bytes(11, "big")
    old = header("s.txt", 512, b"S", tail=bytes(41) + b"00000000000\0" * 8 + b"\1" + eight_terabytes)
    old = old[:482] + b"\1" + old[483:]
    old = bytearray(old)
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old)
    extension = bytes(504) + b"\1" + bytes(7) + bytes(512)
    records = b"".join(b"%d %s" % (len(r) + 3, r) for r in (b"GNU.sparse.major=1\n", b"GNU.sparse.size=9999999\n"))
    new = member("x", records, b"x") + member("GNUSparseFile.0/t.txt", b"1\n0\n512\n".ljust(512))
    data = member("a.txt", b"one") + bytes(old) + extension + bytes(512) + new + member("c.txt", b"two") + bytes(1024)
    rows, problems = read_bytes(tmp_path, "a.tar", data)
    assert texts(rows) == ["one", "two"]
    assert ["sparse" in problem.cause for problem in problems] == [True, True]


def test_a_header_of_gigabytes_is_not_held(tmp_path):
    length = 60 << 20
    bomb = b"%d comment=" % length + b"a" * (length - 20)
    data = gzip.compress(member("x", bomb, b"x") + member("a.txt", b"one") + bytes(1024), 1)
    tracemalloc.start()
    rows, problems = read_bytes(tmp_path, "a.tar.gz", data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert texts(rows) == ["one"]
    assert "header of" in problems[0].cause
    assert peak < 20 << 20


def test_a_pax_record_of_nonsense_is_no_harm(tmp_path):
    for record in (b"9999999999999999999 path=x\n", b"0 path=x\n", b"5\n", b"\xff" * 100, b"1 " * 200_000):
        rows, problems = read_bytes(
            tmp_path, "a.tar", member("x", record, b"x") + member("a.txt", b"one") + bytes(1024)
        )
        assert texts(rows) == ["one"] and not problems


def test_a_link_within_a_zip_that_cannot_be_read_costs_itself_only(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "in.txt")
        archive.writestr("a.txt", "fine")
    data = buffer.getvalue().replace(b"in.txt", b"un.txt")  # its checksum is wrong
    rows, problems = read_bytes(tmp_path, "a.zip", data)
    assert texts(rows) == ["fine"] and len(problems) == 1


def test_a_zip_whose_list_of_members_is_too_large_is_refused_unread(tmp_path):
    data = bytearray(zip_bytes({"a.txt": b"x"}))
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = (0x7FFFFFFF).to_bytes(4, "little")
    rows, problems = read_bytes(tmp_path, "a.zip", bytes(data))
    assert not rows and "directory" in problems[0].cause


def test_a_declared_bomb_in_a_zip_is_refused_unread_and_the_rest_is_read(tmp_path):
    data = bytearray(zip_bytes({"a.txt": b"before", "b.txt": b"bomb", "c.txt": b"after"}))
    at = data.index(b"b.txt", data.index(b"PK\x01\x02"))
    data[at - 22 : at - 18] = (0xFFFFFFF0).to_bytes(4, "little")
    rows, problems = read_bytes(tmp_path, "a.zip", bytes(data))
    assert texts(rows) == ["before", "after"]
    assert "like a decompression bomb" in problems[0].cause


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.deb", "a.tar.gz"])
def test_a_name_that_promises_an_archive_is_held_to_it(tmp_path, name):
    rows, problems = read_bytes(tmp_path, name, b"plain words, and no archive at all, " * 30)
    assert not rows and len(problems) == 1


@pytest.mark.parametrize(
    "damage", [(b"data.tar.xz     ", b"date.tar.xz     "), (b"100644  ", b"100644  -"), (b"`\n", b"``")]
)
def test_a_damaged_package_is_told(tmp_path, damage):
    data = deb_bytes({"./a.txt": b"text"})
    at = data.rindex(b"data.tar")
    rows, problems = read_bytes(tmp_path, "a.deb", data[:at] + data[at:].replace(*damage, 1))
    assert not rows and len(problems) == 1


def test_names_that_are_not_utf_8_stay_apart(tmp_path):
    block = bytearray(tar_bytes({"caf\u00e9.txt": b"one", "caf\u00e8.txt": b"two"}, "w:"))
    data = bytes(block).replace("\u00e9".encode(), b"\xe9\xe9").replace("\u00e8".encode(), b"\xe8\xe8")
    for start in (0, 1024):
        fixed = bytearray(data)
        fixed[start + 148 : start + 156] = b" " * 8
        fixed[start + 148 : start + 156] = b"%06o\0 " % sum(fixed[start : start + 512])
        data = bytes(fixed)
    rows, problems = read_bytes(tmp_path, "a.tar", data)
    assert texts(rows) == ["one", "two"] and not problems
    assert [row["uri"].split("!")[1] for row in rows] == ["caf\\xe9\\xe9.txt", "caf\\xe8\\xe8.txt"]


def test_an_archive_cut_short_behind_a_member_is_told(tmp_path):
    whole = member("a.txt", b"one") + member("b.txt", b"two")
    for cut in (whole, whole[:-100]):  # at the end of a block, within what fills the last one up
        rows, problems = read_bytes(tmp_path, "a.tar", cut)
        assert texts(rows) == ["one", "two"]
        assert ["cut short" in problem.cause for problem in problems] == [True]
