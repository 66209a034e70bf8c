"""Reading, by the core and format: the same pages as files, in archives and in web archives."""

import functools
import gzip
import io
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from benchmarks import Settings, Table, rates
from benchmarks.ingest import SOURCES, make_inputs, source_of
from configs.load import load_recipe
from configs.models import Languages
from pipeline.readers import list_units, read_unit

_WET = (
    "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:uuid:{number:032x}>\r\nWARC-Target-URI: "
    "https://example.org/{number}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nContent-Type: text/plain\r\n"
    "Content-Length: {size}\r\n\r\n"
)
LICENCE = b"Creative Commons Legal Code\n\nCC0 1.0 Universal\n"
"""Lies in the archives, so that what reads it is measured too."""


def measure(settings: Settings) -> list[Table]:
    """The table of formats, with and without a look at the licences that lie in archives."""
    folder = settings.work / "ingest"
    make_inputs(folder, settings)
    pages = sorted((folder / "pages").iterdir())
    texts = _texts(folder, "html", "pages")
    _make(folder, pages, texts)
    sizes = sum(path.stat().st_size for path in pages), sum(len(text.encode()) for text in texts)
    rows = []
    for name, reader, path in (
        ("HTML, a folder of files", "html", "pages"),
        ("HTML in .tar", "html", "formats/a.tar"),
        ("HTML in .tar.gz", "html", "formats/a.tar.gz"),
        ("HTML in .tar.xz", "html", "formats/a.tar.xz"),
        ("HTML in .tar.zst", "html", "formats/a.tar.zst"),
        ("HTML in .zip", "html", "formats/a.zip"),
        ("HTML in a Debian package (xz)", "html", "formats/a.deb"),
        ("HTML in .warc.gz", "warc", "warc"),
        ("text in .wet.gz", "wet", "formats/a.warc.wet.gz"),
        ("text in .tar.gz", "text", "formats/text.tar.gz"),
        ("text in .tar.xz", "text", "formats/text.tar.xz"),
    ):
        size = sizes[reader in ("wet", "text")]
        plain = rates(size / 1e6, _seconds(folder / path, reader, settings.repeats, licences=False))
        asked = rates(size / 1e6, _seconds(folder / path, reader, settings.repeats, licences=True))
        rows.append([name, f"{size / 1e6:.1f}", str(plain), str(asked)])
    notes = [
        f"Pages of {', '.join(SOURCES)} of the recipe `sample`, and their text. MB/s are of unpacked pages or text, "
        "before columns are written, by seconds of processor time.",
        "Pages in web archives are reduced to their main content; those in files and archives only lose navigation and "
        "the like.",
    ]
    columns = ["input", "MB", "MB/s", "MB/s, with licence detection"]
    return [Table("Reading, by format", columns, rows, notes)]


def _seconds(path: Path, reader: str, repeats: int, licences: bool) -> list[float]:
    found = []
    for _ in range(repeats + 1):  # the first loads kernels
        started = time.process_time()
        _read(path, reader, licences)
        found.append(time.process_time() - started)
    return found[1:]


def _read(path: Path, reader: str, licences: bool) -> list[pa.RecordBatch]:
    source = source_of(path, reader)
    limits: dict[str, Any] = {"batch_documents": 1000, "batch_bytes": 8 << 20, "on_problem": _stop}
    units = list_units(source, {})
    return [batch for unit in units for batch in read_unit(unit, source, _languages(), licences=licences, **limits)]


@functools.cache
def _languages() -> Languages:
    return load_recipe("sample").languages


def _stop(problem: Exception) -> None:
    raise problem


def _texts(folder: Path, reader: str, name: str) -> list[str]:
    return [text for batch in _read(folder / name, reader, licences=False) for text in batch["text"].to_pylist()]


def _make(folder: Path, pages: Sequence[Path], texts: Sequence[str]) -> None:
    """Pack pages and texts in each format, once."""
    if (folder / "formats").exists():
        return
    making = folder / "making-formats"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    files = [(f"help/{path.name}", path.read_bytes()) for path in pages] + [("help/LICENSE", LICENCE)]
    plain = _tar(files, "w")
    (making / "a.tar").write_bytes(plain)
    (making / "a.tar.gz").write_bytes(gzip.compress(plain))
    (making / "a.tar.zst").write_bytes(zstandard.ZstdCompressor().compress(plain))
    packed = _tar(files, "w:xz")
    (making / "a.tar.xz").write_bytes(packed)
    (making / "a.deb").write_bytes(_deb(packed))
    with zipfile.ZipFile(making / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    written = [(f"help/{number:05d}.txt", text.encode()) for number, text in enumerate(texts)]
    for mode in ("gz", "xz"):
        (making / f"text.tar.{mode}").write_bytes(_tar([*written, ("help/LICENSE", LICENCE)], f"w:{mode}"))
    with open(making / "a.warc.wet.gz", "wb") as stream:
        for number, (_, data) in enumerate(written):
            head = _WET.format(number=number, size=len(data)).encode()
            stream.write(gzip.compress(head + data + b"\r\n\r\n"))
    making.rename(folder / "formats")


def _tar(files: Sequence[tuple[str, bytes]], mode: str) -> bytes:
    out = io.BytesIO()
    opened: Callable[..., tarfile.TarFile] = tarfile.open
    with opened(fileobj=out, mode=mode) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _deb(packed: bytes) -> bytes:
    out = b"!<arch>\n"
    for name, data in (("debian-binary", b"2.0\n"), ("data.tar.xz", packed)):
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        out += head.encode() + data + b"\n" * (len(data) % 2)
    return out
