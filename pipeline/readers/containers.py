"""Walk archives in order, nested ones too, without unpacking them to disk: tar, zip (whl, xpi, jar), deb.

Refused as `UnsafeArchiveError`, member by member: absolute paths and `..`, links that lead out of the archive,
devices, archives nested deeper than `DEPTH_MAX`, bombs (see `streams`). Links that stay inside are passed over in
silence: what they point to is read where it lies. In a Debian package `/` is the package's own root.
"""

import posixpath
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from configs.errors import InputError, UnsafeArchiveError
from pipeline.readers import streams
from pipeline.readers.compression import COMPRESSION_SUFFIXES
from pipeline.readers.names import visible
from pipeline.readers.parts import Part
from pipeline.readers.streams import Stream, input_errors, is_bomb, limited, seekable, unpack
from pipeline.readers.tar import TarEntry, TarReader

DEPTH_MAX = 3
ZIP_SUFFIXES = (".zip", ".whl", ".xpi", ".jar", ".egg", ".epub")
UNREADABLE_SUFFIXES = (".7z", ".rar")
"""Opened all the same: what they are is then told."""

ZIP_DIRECTORY_MAX = 48 << 20
"""Bytes of a zip's list of members: about a million. All of it is held."""

TAR_SUFFIXES = (".tar", ".tgz", ".txz", ".tbz2", ".tbz", ".tb2", ".tzst", ".crate", ".gem")

OnProblem = Callable[[InputError], None]


@dataclass
class Member:
    """A file to read: `name` with all that leads to it, `path` inside the innermost archive, and its bytes.

    Of a part of a file `stream` holds its own bytes only; a part of a table counts in row groups of the whole stream.
    `uri` is where the file lies that it is, or that it is a member of.
    """

    name: str
    path: str
    stream: Stream
    part: Part | None = None
    uri: str = ""

    @property
    def before(self) -> int:
        """Lines, records or rows of the file before those to read."""
        return self.part.before if self.part else 0


def without_compression(path: str) -> str:
    """The path without a compression's ending, such as `.gz`."""
    for suffix in COMPRESSION_SUFFIXES:
        if path.endswith(suffix):
            return path.removesuffix(suffix)
    return path


def is_archive(path: str) -> bool:
    """Whether a name is that of an archive."""
    return without_compression(path.lower()).endswith((*TAR_SUFFIXES, *ZIP_SUFFIXES, *UNREADABLE_SUFFIXES, ".deb"))


def safe_path(name: str) -> str | None:
    """A member's path without `.` parts; None where it leads out of the archive."""
    name = name.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or name[1:2] == ":":
        return None
    return "/".join(part for part in parts if part not in ("", "."))


def members(
    stream: Stream, name: str, path: str, chosen: Callable[[str], bool], on_problem: OnProblem, depth: int = 0
) -> Iterator[Member]:
    """The files of `stream` that `chosen(path)` wants, in the archive's order; `stream` itself where it is no archive.

    Each member must be read before the next is asked for. Problems of a member go to `on_problem` and the walk goes
    on; raises InputError where the archive itself cannot be read further.
    """
    stream = unpack(stream, path)
    walk = _walker(stream, path, depth)
    if walk is None:
        if is_archive(path) and stream.peek(1):
            raise InputError(name, "no archive, whatever its name says", "it may be damaged: fetch or make it again")
        yield Member(name, path, stream)
        return
    stream.passing = True
    if depth == DEPTH_MAX:
        cause = f"archives nested deeper than {DEPTH_MAX}"
        raise UnsafeArchiveError(name, cause, "unpack the outer ones, or exclude it")
    for inner_path, inner in walk(stream, name, on_problem):
        if is_archive(inner_path):
            if chosen(inner_path + "!"):
                try:
                    yield from members(inner, inner.name, inner_path, chosen, on_problem, depth + 1)
                except InputError as error:
                    on_problem(error)
        elif chosen(inner_path):
            try:
                yield Member(inner.name, visible(inner_path), unpack(inner, inner_path))
            except InputError as error:
                on_problem(error)


Walk = Callable[[Stream, str, OnProblem], Iterator[tuple[str, Stream]]]


def _walker(stream: Stream, path: str, depth: int) -> Walk | None:
    head = stream.peek(512)
    if head[257:262] == b"ustar":
        return _walk_tar
    if head.startswith(b"!<arch>\ndebian-binary"):
        return _walk_deb
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and (depth == 0 or path.lower().endswith(ZIP_SUFFIXES)):
        return _walk_zip
    if head and without_compression(path.lower()).endswith((".tar", ".tgz", ".txz")):
        return _walk_tar  # an old one without a mark, or a damaged one, which then says so
    return None


def _unsafe(name: str, member: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(f"{name}!{visible(member)}", why, "it is skipped; check where the archive comes from")


def _walk_tar(stream: Stream, name: str, on_problem: OnProblem, rooted: bool = False) -> Iterator[tuple[str, Stream]]:
    for entry, inner in TarReader(stream, name, on_problem):
        path = safe_path(entry.path.lstrip("/") if rooted else entry.path)
        if path is None:
            on_problem(_unsafe(name, entry.path, "a path that leads out of the archive"))
        elif entry.is_file:
            inner.name = f"{name}!{visible(path)}"
            yield path, inner
        elif why := _wrong_link(entry, path, rooted):
            on_problem(_unsafe(name, entry.path, why))


def _wrong_link(entry: TarEntry, path: str, rooted: bool) -> str:
    """Why a tar member that is neither file nor folder is refused; "" where it may be skipped."""
    if entry.is_link:
        target = entry.link.lstrip("/") if rooted and entry.link.startswith("/") else entry.link
        base = "" if entry.kind == b"1" or target != entry.link else posixpath.dirname(path)
        return "a link that leads out of the archive" if _leads_out(base, target) else ""
    return "a device or pipe" if entry.is_device else ""


def _leads_out(folder: str, target: str) -> bool:
    joined = posixpath.normpath(posixpath.join(folder, target))
    return joined.startswith("/") or joined == ".." or joined.startswith("../")


def _walk_zip(stream: Stream, name: str, on_problem: OnProblem) -> Iterator[tuple[str, Stream]]:
    with seekable(stream) as file, input_errors(name):
        size = file.seek(0, 2)
        _check_directory(file, size, name)
        with zipfile.ZipFile(file) as archive:
            total = 0
            entries = archive.infolist()
            for number, info in enumerate(entries):
                if is_bomb(total, size):
                    cause = f"its members unpack to more than {streams.BOMB_RATIO} times its size: they overlap"
                    remedy = f"{len(entries) - number:,} are skipped; check where the archive comes from"
                    on_problem(UnsafeArchiveError(name, cause, remedy, len(entries) - number))
                    return
                try:
                    path = _zip_path(archive, info, name, size)
                except InputError as error:
                    on_problem(error)
                    continue
                if path is not None:
                    member = _zip_member(archive, info, f"{name}!{visible(path)}", total, size)
                    yield path, member
                    total += member.given


def _check_directory(file: BinaryIO, size: int, name: str) -> None:
    """Refuse a directory of members too large to be held, before it is read."""
    start = max(0, size - (1 << 16) - 22)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    listed = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if listed == 0xFFFFFFFF and tail[at - 20 : at - 16] == b"PK\x06\x07":
        file.seek(min(size, int.from_bytes(tail[at - 12 : at - 4], "little")))
        listed = int.from_bytes(file.read(48)[40:48], "little")
    if listed > ZIP_DIRECTORY_MAX:
        cause = f"a directory of {listed >> 20:,} MiB, more than {ZIP_DIRECTORY_MAX >> 20}"
        raise UnsafeArchiveError(name, cause, "pack it as several archives, or as tar")


def _zip_path(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, size: int) -> str | None:
    """The path of a member that may be read; None for folders and links. Raises InputError where it is refused."""
    path = safe_path(info.filename)
    if path is None:
        raise _unsafe(name, info.filename, "a path that leads out of the archive")
    shown = f"{name}!{visible(path)}"
    if info.flag_bits & 1:
        raise InputError(shown, "encrypted", "decrypt it, or exclude it")
    if info.is_dir():
        return None
    if info.compress_size > size:
        raise _unsafe(name, info.filename, "more bytes than the archive has")
    if is_bomb(info.file_size, info.compress_size):
        raise _unsafe(
            name,
            info.filename,
            f"{info.file_size:,} bytes packed in {info.compress_size:,}: it looks like a decompression bomb",
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        with input_errors(shown):
            target = archive.read(info)[:4096].decode("utf-8", "replace") if info.file_size <= 4096 else ".."
        if _leads_out(posixpath.dirname(path), target):
            raise _unsafe(name, info.filename, "a link that leads out of the archive")
        return None
    return path


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, before: int, size: int) -> Stream:
    """A member as a stream, opened at its first read, which gives no more than its declared size. What all members
    give is watched, because those of a hostile archive overlap."""
    opened: list[zipfile.ZipExtFile] = []

    def read(wanted: int) -> bytes:
        if not opened:
            opened.append(cast(zipfile.ZipExtFile, archive.open(info)))
        return opened[0].read1(wanted)

    return Stream(read, name, refuse=lambda given: is_bomb(before + given, size))


def _walk_deb(stream: Stream, name: str, on_problem: OnProblem) -> Iterator[tuple[str, Stream]]:
    """The files of a Debian package: an `ar` archive whose member `data.tar.*` holds them."""
    with input_errors(name):
        stream.read(8)
        found = False
        while header := stream.read(60):
            digits = header[48:58].strip()
            if len(header) < 60 or header[58:] != b"`\n" or not digits.isdigit():
                raise InputError(name, "the header of a member is damaged", "fetch or make the package again")
            size = int(digits)
            packed = limited(stream, size, name, "it ends before its last member")
            if header.startswith(b"data.tar"):
                found = True
                packed.kept, stream.kept = stream.kept, None
                inner = unpack(packed)
                inner.passing = True
                yield from _walk_tar(inner, name, on_problem, rooted=True)
                while inner.read(streams.CHUNK):
                    pass
            while packed.read(streams.CHUNK):  # all of it, where what is in it was kept
                pass
            stream.read(size % 2)
        if not found:
            raise InputError(name, "no member data.tar", "fetch or make the package again")
