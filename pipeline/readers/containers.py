"""Walk archives in order, nested ones too, without unpacking them to disk: tar, zip (whl, xpi, jar), deb.

Refused as `UnsafeArchiveError`, member by member: absolute paths and `..`, links that lead out of the archive,
devices, archives nested deeper than `DEPTH_MAX`, bombs (see `streams`). Links that stay inside are passed over in
silence: what they point to is read where it lies. In a Debian package `/` is the package's own root.
"""

import posixpath
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from configs.errors import InputError, UnsafeArchiveError
from pipeline.readers import streams
from pipeline.readers.compression import COMPRESSION_SUFFIXES
from pipeline.readers.streams import Stream, input_errors, seekable, unpack

DEPTH_MAX = 3
ZIP_SUFFIXES = (".zip", ".whl", ".xpi", ".jar", ".egg")
TAR_SUFFIXES = (".tar", ".tgz", ".txz", ".tbz2", ".tzst", ".crate", ".gem")

OnProblem = Callable[[InputError], None]


@dataclass
class Member:
    """A file to read: `name` with all that leads to it, `path` inside the innermost archive, and its bytes."""

    name: str
    path: str
    stream: Stream


def without_compression(path: str) -> str:
    """The path without a compression's ending, such as `.gz`."""
    for suffix in COMPRESSION_SUFFIXES:
        if path.endswith(suffix):
            return path.removesuffix(suffix)
    return path


def is_archive(path: str) -> bool:
    """Whether a name is that of an archive."""
    return without_compression(path.lower()).endswith((*TAR_SUFFIXES, *ZIP_SUFFIXES, ".deb"))


def safe_path(name: str) -> str | None:
    """A member's path without `.` parts; None where it leads out of the archive."""
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\\", "/")
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
        yield Member(name, path, stream)
        return
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
            yield Member(inner.name, inner_path, unpack(inner))


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
    shown = member.encode("utf-8", "replace").decode()
    return UnsafeArchiveError(f"{name}!{shown}", why, "the member is skipped; look where the archive comes from")


def _walk_tar(stream: Stream, name: str, on_problem: OnProblem, rooted: bool = False) -> Iterator[tuple[str, Stream]]:
    with (
        input_errors(name),
        tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 16, errors="surrogateescape") as archive,
    ):
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would keep every header
            path = safe_path(info.name.lstrip("/") if rooted else info.name)
            if path is None:
                on_problem(_unsafe(name, info.name, "a path out of the archive"))
            elif info.isfile():
                reader = archive.extractfile(info)
                assert reader is not None
                yield path, Stream(reader.read, f"{name}!{path}")
            elif not info.isdir() and (why := _wrong_link(info, path, rooted)):
                on_problem(_unsafe(name, info.name, why))


def _wrong_link(info: tarfile.TarInfo, path: str, rooted: bool) -> str:
    """Why a tar member that is neither file nor folder is refused; "" where it may be passed over."""
    if info.issym() or info.islnk():
        target = info.linkname.lstrip("/") if rooted and info.linkname.startswith("/") else info.linkname
        base = "" if info.islnk() or target != info.linkname else posixpath.dirname(path)
        return "a link that leads out of the archive" if _leads_out(base, target) else ""
    return "a device or pipe" if info.isdev() else ""


def _leads_out(folder: str, target: str) -> bool:
    joined = posixpath.normpath(posixpath.join(folder, target))
    return joined.startswith("/") or joined == ".." or joined.startswith("../")


def _walk_zip(stream: Stream, name: str, on_problem: OnProblem) -> Iterator[tuple[str, Stream]]:
    with seekable(stream) as file, input_errors(name), zipfile.ZipFile(file) as archive:
        size = file.seek(0, 2)
        total = 0
        for info in archive.infolist():
            path = safe_path(info.filename)
            mode = info.external_attr >> 16
            if path is None:
                on_problem(_unsafe(name, info.filename, "a path out of the archive"))
            elif stat.S_ISLNK(mode):
                target = archive.read(info)[:4096].decode("utf-8", "replace") if info.file_size <= 4096 else ".."
                if _leads_out(posixpath.dirname(path), target):
                    on_problem(_unsafe(name, info.filename, "a link that leads out of the archive"))
            elif info.flag_bits & 1:
                on_problem(InputError(f"{name}!{path}", "encrypted", "decrypt it, or exclude it"))
            elif not info.is_dir():
                stream = _zip_member(archive, info, f"{name}!{path}", total, size)
                yield path, stream
                total += stream.given


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, before: int, size: int) -> Stream:
    """A member as a stream, opened at its first read. Its size and that of all read so far are watched, because
    members of a hostile archive overlap and their declared sizes lie."""
    opened: list[zipfile.ZipExtFile] = []

    def read(wanted: int) -> bytes:
        if not opened:
            opened.append(cast(zipfile.ZipExtFile, archive.open(info)))
        return opened[0].read1(wanted)

    def refuse(given: int) -> bool:
        one = given > streams.BOMB_BYTES and given > streams.BOMB_RATIO * max(info.compress_size, 1)
        return one or (before + given > streams.BOMB_BYTES and before + given > streams.BOMB_RATIO * size)

    return Stream(read, name, refuse=refuse)


def _walk_deb(stream: Stream, name: str, on_problem: OnProblem) -> Iterator[tuple[str, Stream]]:
    """The files of a Debian package: an `ar` archive whose member `data.tar.*` holds them."""
    with input_errors(name):
        stream.read(8)
        while header := stream.read(60):
            member, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
            inner = _part(stream, size, name)
            if member.startswith("data.tar"):
                yield from _walk_tar(unpack(inner), name, on_problem, rooted=True)
            while inner.read(streams.CHUNK):
                pass
            stream.read(size % 2)


def _part(stream: Stream, size: int, name: str) -> Stream:
    """The next `size` bytes of `stream`, as a stream of their own."""
    left = size

    def read(wanted: int) -> bytes:
        nonlocal left
        data = stream.read(min(wanted, left))
        if left and wanted and not data:
            raise EOFError("it ends before its last member")
        left -= len(data)
        return data

    return Stream(read, name)
