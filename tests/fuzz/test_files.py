"""Damaged archives and compressed files: no crash, no hang, bounded output, and what is damaged is told."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
from collections.abc import Callable

import pyarrow as pa
import pytest
import zstandard

from configs.errors import InputError
from pipeline.readers import streams
from pipeline.readers.containers import members
from pipeline.readers.streams import Stream
from tests.fuzz.mutate import MANY, fuzz
from tests.pipeline.readers_help import deb_bytes
from tests.pipeline.test_readers_archives import zip_bytes

RANDOM = random.Random(5)
FILES = {
    "a.txt": b"one",
    "folder/" * 20 + "b.txt": b"two " * 400,
    "c/d.txt": RANDOM.randbytes(1500),
    "e.txt": b"",
}
TEXT = b"".join(b'{"text": "line %d %d"}\n' % (number, RANDOM.randrange(1 << 60)) for number in range(60))
OUTPUT_MAX = 64 << 20


def in_dialect(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
        archive.addfile(link)
    return buffer.getvalue()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


TARS = [in_dialect(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": zstd}
SAMPLES: dict[str, list[bytes]] = {
    "a.tar": TARS,
    "a.tar.gz": [gzip.compress(tar) for tar in TARS],
    "a.zip": [zip_bytes(FILES, {"link.txt": "a.txt"}), zip_bytes({"in.zip": zip_bytes(FILES), "b.tar": TARS[0]})],
    "a.deb": [deb_bytes({f"./{name}": data for name, data in FILES.items()})],
    **{f"a.{kind}": [pack(TEXT), pack(TEXT) + pack(TEXT), pack(b"") + pack(TEXT)] for kind, pack in PACK.items()},
    "a.lz4": [pa.compress(TEXT, "lz4", asbytes=True)],
    "a.br": [pa.compress(TEXT, "brotli", asbytes=True)],
}


def read_all(data: bytes, name: str) -> tuple[list[bytes], list[InputError]]:
    """What is read of each member, and what is told."""
    found: list[bytes] = []
    problems: list[InputError] = []
    stream = Stream(io.BytesIO(data).read, name, seekable_file=io.BytesIO(data))
    try:
        for member in members(stream, name, name, lambda _: True, problems.append):
            parts = []
            try:
                while part := member.stream.read(streams.CHUNK):
                    parts.append(part)
            except InputError as error:
                problems.append(error)
            found.append(b"".join(parts))
    except InputError as error:
        problems.append(error)
    return found, problems


def check(name: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        found, problems = read_all(data, name)
        assert sum(map(len, found)) < OUTPUT_MAX
        assert all(problem.file and problem.cause and problem.remedy for problem in problems)

    return run


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_whole(name: str) -> None:
    for sample in SAMPLES[name]:
        found, problems = read_all(sample, name)
        assert found and not problems
        assert any(text in (*FILES.values(), TEXT, TEXT * 2) for text in found)


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_are_survived(name: str) -> None:
    fuzz(SAMPLES[name], check(name), count=150)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_many_damaged_files_are_survived(name: str) -> None:
    fuzz(SAMPLES[name], check(name), count=MANY, seed=1)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in ("a.br", "a.lz4")])
def test_a_flipped_byte_is_told_or_does_no_harm(name: str) -> None:
    rng = random.Random(3)
    sample = SAMPLES[name][0]
    whole, _ = read_all(sample, name)
    for _ in range(100):
        at = rng.randrange(sample.find(b"PK\x01\x02") if name == "a.zip" else len(sample))  # its list has no checksum
        found, problems = read_all(sample[:at] + bytes([sample[at] ^ rng.randrange(1, 256)]) + sample[at + 1 :], name)
        assert problems or len(found) == len(whole)
        if "." + name.rsplit(".", 1)[1] != ".tar":  # the others have checksums of what they hold
            assert problems or found == whole, at
