"""Compressed files are read as far as they are whole; what is behind a fault is told, never passed over in silence."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import struct
import zlib

import brotli
import pyarrow as pa
import pytest
import xxhash
import zstandard

from configs.errors import InputError
from pipeline.readers import compression, lz4_brotli, streams
from tests.pipeline.readers_help import make_source, read, texts


def line(text: str) -> bytes:
    return json.dumps({"text": text}).encode() + b"\n"


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def skippable(data: bytes) -> bytes:
    return struct.pack("<II", 0x184D2A50, len(data)) + data


def read_file(tmp_path, name: str, data: bytes):
    (tmp_path / name).write_bytes(data)
    rows, problems = read(make_source("jsonl", str(tmp_path / name)))
    return texts(rows), problems


MEMBERS = {
    "gz": (gzip.compress, [b"", b"\0" * 512]),
    "xz": (lzma.compress, [b"", b"\0" * 4, b"\0" * 4096]),
    "bz2": (bz2.compress, [b"", b"\0"]),
    "zst": (zstd, [b"", skippable(b"size table"), skippable(b"") * 2, skippable(bytes(100_000))]),
}
CASES = [(kind, pack, padding) for kind, (pack, paddings) in MEMBERS.items() for padding in paddings]


@pytest.mark.parametrize(("kind", "pack", "padding"), CASES)
def test_members_are_read_one_behind_the_other_with_padding_between(tmp_path, kind, pack, padding):
    data = padding.join([b"", pack(line("one")), pack(line("two")), pack(b""), pack(line("three")), b""])
    data = data.lstrip(b"\0")
    found, problems = read_file(tmp_path, f"a.jsonl.{kind}", data)
    assert found == ["one", "two", "three"]
    assert not problems


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_damaged_later_member_is_a_problem_and_those_before_are_read(tmp_path, kind):
    pack = MEMBERS[kind][0]
    second = bytearray(pack(b"".join(line(f"row {number}") for number in range(2000))))
    second[len(second) // 3] ^= 255
    second[len(second) // 3 + 1] ^= 255
    found, problems = read_file(tmp_path, f"a.jsonl.{kind}", pack(line("one")) + bytes(second) + pack(line("last")))
    assert found[0] == "one"
    assert len(problems) >= 1 and any("damaged" in problem.cause for problem in problems)


@pytest.mark.parametrize("kind", MEMBERS)
def test_what_stands_behind_the_end_is_told(tmp_path, kind):
    found, problems = read_file(tmp_path, f"a.jsonl.{kind}", MEMBERS[kind][0](line("one")) + b"trailing rubbish")
    assert found == ["one"]
    assert [problem.cause.startswith("what stands behind") for problem in problems] == [True]


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_member_cut_short_is_told(tmp_path, kind):
    pack = MEMBERS[kind][0]
    found, problems = read_file(tmp_path, f"a.jsonl.{kind}", pack(line("one")) + pack(line("two"))[:-3])
    assert found[0] == "one"
    assert len(problems) == 1 and "truncated" in problems[0].cause


def test_a_wrong_checksum_is_told(tmp_path):
    data = bytearray(gzip.compress(line("one")) + gzip.compress(line("two")))
    data[-8] ^= 1
    found, problems = read_file(tmp_path, "a.jsonl.gz", bytes(data))
    assert found == ["one"]
    assert len(problems) == 1 and "incorrect data check" in problems[0].cause


def test_a_skippable_frame_cut_short_is_told(tmp_path):
    found, problems = read_file(tmp_path, "a.jsonl.zst", zstd(line("one")) + skippable(b"x" * 100)[:50])
    assert found == ["one"]
    assert "skippable" in problems[0].cause


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.jsonl.lz4", lambda data: pa.compress(data, "lz4", asbytes=True)),
        ("a.jsonl.br", brotli.compress),
        ("a.jsonl.lzma", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
        ("a.jsonl.zstd", zstd),
        ("a.jsonl", gzip.compress),  # told by its bytes
        ("a.jsonl.gz", lambda data: data),  # and not by its name
        ("a.jsonl.gz", lzma.compress),
        ("a.jsonl.gz", lambda data: gzip.compress(gzip.compress(data))),
        ("a.jsonl.gz", lambda data: ("\ufeff" + data.decode()).encode("utf-16-le")),
    ],
)
def test_other_kinds_and_wrong_names_are_read(tmp_path, name, pack):
    found, problems = read_file(tmp_path, name, pack(line("one") + line("two")))
    assert found == ["one", "two"]
    assert not problems


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.jsonl.lz4", lambda data: pa.compress(data, "lz4", asbytes=True)), ("a.jsonl.br", brotli.compress)],
)
def test_other_kinds_cut_short_are_told(tmp_path, name, pack):
    whole = pack(b"".join(line(f"{number} {number**9}") for number in range(9000)))
    found, problems = read_file(tmp_path, name, whole[: len(whole) // 2])
    assert found[:2] == ["0 0", "1 1"]
    assert problems


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.jsonl.lz4", lambda data: pa.compress(data, "lz4", asbytes=True)), ("a.jsonl.br", brotli.compress)],
)
@pytest.mark.parametrize(("tail", "stray"), [(b"", False), (b"\0" * 700, False), (b"\n", True), (b"behind" * 99, True)])
def test_what_stands_behind_lz4_and_brotli_takes_nothing_with_it(tmp_path, name, pack, tail, stray):
    whole = pack(line("one") + line("two")) + pack(b"") + pack(line("three"))
    found, problems = read_file(tmp_path, name, whole + tail)
    assert found == ["one", "two", "three"]
    assert [problem.file.endswith(name) and "behind the end" in problem.cause for problem in problems] == [True] * stray


@pytest.mark.parametrize("flags", [{}, {"block": True}, {"content": True}, {"block": True, "content": True}])
def test_frames_of_lz4_with_checksums_are_read_to_their_end(tmp_path, flags):
    """The frame's own head, its block uncompressed, as `lz4_Frame_format.md` has them."""
    xxh32 = lambda data: struct.pack("<I", xxhash.xxh32_intdigest(data))  # noqa: E731
    said = line("one")
    head = bytes([0x60 | 16 * flags.get("block", False) | 8 | 4 * flags.get("content", False), 0x40])
    head += struct.pack("<Q", len(said))
    frame = b"\x04\x22\x4d\x18" + head + bytes([xxh32(head)[1]]) + struct.pack("<I", len(said) | 1 << 31) + said
    frame += (xxh32(said) if "block" in flags else b"") + bytes(4) + (xxh32(said) if "content" in flags else b"")
    assert read_file(tmp_path, "a.jsonl.lz4", frame + skippable(b"x") + frame) == (["one", "one"], [])


@pytest.mark.parametrize("tail", [b"", b"behind"])
def test_brotli_unpacks_in_bounded_steps(tail):
    reader = lz4_brotli.Brotli(streams.Stream(io.BytesIO(brotli.compress(bytes(9_000_000)) + tail).read, "a"))
    sizes = []
    with pytest.raises(InputError) if tail else contextlib.nullcontext():
        while part := reader(1 << 20):
            sizes.append(len(part))
    assert sum(sizes) == 9_000_000 and max(sizes) < 1 << 20


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("a.jsonl.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50), "7-Zip"),
        ("a.jsonl.rar", b"Rar!\x1a\x07\x01\x00" + bytes(50), "RAR"),
        ("a.jsonl.Z", b"\x1f\x9d\x90" + bytes(50), "Unix compress"),
        ("a.jsonl.lz4", b"\x02\x21\x4c\x18" + bytes(50), "legacy"),
        ("a.jsonl.gz", b"\x1f\x8c" + gzip.compress(line("one"))[2:], "nor text"),
        ("a.jsonl.gz", gzip.compress(gzip.compress(gzip.compress(gzip.compress(line("one"))))), "more than 3 times"),
        ("a.jsonl.gz", gzip.compress(b"Rar!\x1a\x07\x01\x00" + bytes(50)), "RAR"),
    ],
)
def test_what_cannot_be_unpacked_is_told_with_its_kind(tmp_path, name, data, cause):
    found, problems = read_file(tmp_path, name, data)
    assert not found
    assert len(problems) == 1 and cause in problems[0].cause


def test_a_window_beyond_the_bound_is_told_and_one_within_it_is_read(tmp_path):
    def long(log: int) -> bytes:
        parameters = zstandard.ZstdCompressionParameters(window_log=log, write_content_size=False)
        stream = io.BytesIO()
        with zstandard.ZstdCompressor(compression_params=parameters).stream_writer(stream, closefd=False) as writer:
            writer.write(line("one"))
        return stream.getvalue()

    assert read_file(tmp_path, "a.jsonl.zst", long(compression.ZSTD_WINDOW_LOG_MAX - 1))[0] == ["one"]
    found, problems = read_file(tmp_path, "b.jsonl.zst", long(compression.ZSTD_WINDOW_LOG_MAX + 1))
    assert not found
    assert "window" in problems[0].cause and "--long" in problems[0].remedy


def test_one_step_of_a_bomb_is_bounded():
    bomb = b"\x28\xb5\x2f\xfd\x00\x58" + b"\x02\x00\x10\x20" * 200_000  # RLE blocks of 128 KiB
    stream = streams.unpack(streams.Stream(io.BytesIO(bomb).read, "bomb"))
    assert len(stream.read(1)) == 1
    assert stream.given <= compression._ZSTD_PIECE // 4 * (128 << 10)


def test_gzip_gives_what_zlib_gives():
    data = b"".join(line(f"{number}") for number in range(100_000))
    packed = b"".join(gzip.compress(data[start : start + 99_999]) for start in range(0, len(data), 99_999))
    stream = streams.unpack(streams.Stream(io.BytesIO(packed).read, "a"))
    parts = []
    while part := stream.read(777):
        parts.append(part)
    assert zlib.crc32(b"".join(parts)) == zlib.crc32(data)


def test_a_skippable_frame_may_come_before_lz4(tmp_path):
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "lz4") as stream:
        stream.write(line("one"))
    data = skippable(b"of lz4") + packed.getvalue().to_pybytes()
    assert read_file(tmp_path, "a.jsonl.lz4", data) == (["one"], [])


def test_a_folder_tells_of_files_of_unix_compress(tmp_path):
    (tmp_path / "a.jsonl.Z").write_bytes(b"\x1f\x9d\x90" + bytes(range(200)))
    _, problems = read(make_source("jsonl", str(tmp_path)))
    assert ["Unix compress" in problem.cause for problem in problems] == [True]
