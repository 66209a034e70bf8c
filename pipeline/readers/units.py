"""What to read of a source, cut into units that workers take: an archive, a file, or some files of a folder."""

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import fsspec
from fsspec.implementations.local import LocalFileSystem

from configs import CONFIGS
from configs.errors import InputError
from configs.models import Package, Source
from pipeline.readers.containers import is_archive, without_compression
from pipeline.readers.streams import input_errors

FILES_PER_UNIT = 1000
BYTES_PER_UNIT = 64 << 20

SUFFIXES: dict[str, tuple[str, ...]] = {
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet",),
    "arrow": (".arrow", ".feather", ".ipc"),
    "csv": (".csv",),
    "tsv": (".tsv", ".tab"),
    "text": (".txt", ".text", ".md", ".rst"),
    "html": (".html", ".htm", ".xhtml"),
    "gettext": (".mo", ".po", ".gmo"),
    "fluent": (".ftl",),
    "properties": (".properties",),
    "json": (".json",),
    "warc": (".warc",),
    "wet": (".wet",),
    "dictd": (".index", ".dict"),
}
"""What members of archives and folders a reader takes where the source's entry says nothing (`include`)."""

_MAN_PAGE = re.compile(r".*\.[1-9][a-z]{0,4}")


@dataclass(frozen=True)
class Unit:
    """A piece of a source for one task. `uri` is a file or archive, or a folder of which `members` are read.

    `name` stands for `uri` in keys: the same on every machine and, where it can be, in every version.
    """

    source: str
    uri: str
    package: int
    size: int
    name: str
    members: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(self.members))  # JSON gives a list


def list_units(source: Source, located: Mapping[int, Sequence[str]]) -> list[Unit]:
    """Units of a source in a fixed order. `located` maps the number of a package to its downloaded archives.

    A package that was not located gives none. Raises InputError where a path or pattern matches no file.
    """
    units: list[Unit] = []
    for number, package in enumerate(source.packages):
        if source.reader == "datasets" and source.client == "path":
            units.append(Unit(source.id, package.name, number, 0, package.name))
        elif source.client == "path":
            units += _path_units(source, number, package)
        else:
            archives = sorted(located.get(number, ()))
            for path in archives:
                name = package.name if len(archives) == 1 else f"{package.name}/{posixpath.basename(path)}"
                units.append(Unit(source.id, path, number, _size(path), name))
    return _distinct(units)


def wanted(package: Package, reader: str, path: str) -> bool:
    """Whether a member is read: by `include` and `exclude`, else by the reader's suffixes.

    Patterns match the whole path, with or without the suffix of its compression. A path that ends in `!` is an
    archive, which is opened unless it is excluded.
    """
    plain = path.removesuffix("!")
    names = {plain, without_compression(plain)}
    if any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in package.exclude):
        return False
    if path.endswith("!"):
        return True
    if package.include:
        return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in package.include)
    if reader == "man":
        return bool(_MAN_PAGE.fullmatch(without_compression(plain)))
    lower = without_compression(plain.lower())
    return reader not in SUFFIXES or lower.endswith(SUFFIXES[reader])


def language_of(package: Package, path: str) -> str | None:
    """The language that the source's entry declares for a member."""
    for pattern, language in package.languages_by_path.items():
        if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(without_compression(path), pattern):
            return language
    return package.language


def _size(path: str) -> int:
    with input_errors(path):
        fs, inner = fsspec.url_to_fs(path)
        return int(fs.size(inner) or 0)


PACKAGED = "configs:"
"""Prefix of paths to data that comes with OpenRoots: wherever a machine has it installed."""


def resolve(path: str) -> str:
    """Where packaged data lies on this machine; any other path as it is."""
    return str(CONFIGS / path.removeprefix(PACKAGED)) if path.startswith(PACKAGED) else path


def _portable(path: str) -> str:
    """The inverse of `resolve`: a unit is listed on one machine and read on another."""
    inner = fsspec.url_to_fs(path)[1]
    folder = f"{CONFIGS}/"
    return f"{PACKAGED}{inner.removeprefix(folder)}" if inner.startswith(folder) else path


def _path_units(source: Source, number: int, package: Package) -> list[Unit]:
    pattern = resolve(package.name)
    with input_errors(pattern):
        fs, inner = fsspec.url_to_fs(pattern)
        special = any(character in inner for character in "*?[")
        matches = sorted(fs.glob(inner)) if special and not fs.exists(inner) else [inner]
        if not matches or not fs.exists(matches[0]):
            raise InputError(package.name, "no such file or folder", f"check the packages of source `{source.id}`")
        fixed = inner[: re.search(r"[*?\[]|$", inner).start()] if len(matches) > 1 or matches != [inner] else inner  # type: ignore[union-attr]
        base = posixpath.dirname(fixed)
        units: list[Unit] = []
        for match in matches:
            if fs.isdir(match):
                units += _folder_units(fs, match, source, number, package)
            else:
                label = posixpath.join(posixpath.basename(base), posixpath.relpath(match, base or "/"))
                units.append(
                    Unit(source.id, _portable(fs.unstrip_protocol(match)), number, int(fs.size(match) or 0), label)
                )
    return units


def _folder_units(
    fs: fsspec.AbstractFileSystem, folder: str, source: Source, number: int, package: Package
) -> Iterator[Unit]:
    """Files of a folder: archives and large files alone, others in order, up to FILES_PER_UNIT and BYTES_PER_UNIT."""
    uri, label = _portable(fs.unstrip_protocol(folder)), posixpath.basename(folder.rstrip("/"))
    held: list[str] = []
    total = 0
    for path, size in _files(fs, folder, package, source.reader):
        alone = source.reader != "dictd" and (is_archive(path) or size >= BYTES_PER_UNIT)
        full = len(held) >= FILES_PER_UNIT or total + size > BYTES_PER_UNIT
        if held and (alone or full) and source.reader != "dictd":
            yield Unit(source.id, uri, number, total, label, tuple(held))
            held, total = [], 0
        held.append(path)
        total += size
        if alone:
            yield Unit(source.id, uri, number, total, label, tuple(held))
            held, total = [], 0
    if held:
        yield Unit(source.id, uri, number, total, label, tuple(held))


def _files(fs: fsspec.AbstractFileSystem, folder: str, package: Package, reader: str) -> Iterator[tuple[str, int]]:
    details = fs.find(folder, detail=True)
    for full in sorted(details):
        path = posixpath.relpath(full, folder)
        if wanted(package, reader, f"{path}!" if is_archive(path) else path):
            yield path, int(details[full].get("size") or 0)


def link_target_outside(uri: str, member: str) -> bool | None:
    """Whether a file of a local folder is a link out of it; None where it is no link."""
    fs, folder = fsspec.url_to_fs(uri)
    path = posixpath.join(folder, member)
    if not isinstance(fs, LocalFileSystem) or not fs.islink(path):
        return None
    import os

    root = os.path.realpath(folder)
    return os.path.commonpath([root, os.path.realpath(path)]) != root


def _distinct(units: list[Unit]) -> list[Unit]:
    """Units of different packages under one name get the number of their package into it."""
    packages: dict[str, set[int]] = {}
    for unit in units:
        packages.setdefault(unit.name, set()).add(unit.package)
    return [
        unit
        if len(packages[unit.name]) == 1
        else Unit(unit.source, unit.uri, unit.package, unit.size, f"{unit.package}/{unit.name}", unit.members)
        for unit in units
    ]
