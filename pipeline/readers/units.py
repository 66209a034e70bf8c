"""What to read of a source, cut into units that workers take: an archive, a file, or some files of a folder."""

import fnmatch
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import fsspec
import xxhash

from configs import CONFIGS
from configs.errors import InputError
from configs.models import Package, Source
from governance.figures import counted
from governance.licence_tree import EVIDENCE_FILES_MAX, is_evidence, speaks_for
from pipeline.readers.containers import is_archive, without_compression
from pipeline.readers.dolma_layout import attribute_files, is_attributes
from pipeline.readers.folders import FoundFile, LocalFolder, below, file_state, list_remote, local_path, match
from pipeline.readers.names import visible
from pipeline.readers.parts import Part
from pipeline.readers.streams import input_errors
from pipeline.runtime import storage

FILES_PER_UNIT = 1000
BYTES_PER_UNIT = 64 << 20

SUFFIXES: dict[str, tuple[str, ...]] = {
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "datatrove": (".jsonl", ".ndjson", ".json"),
    "dolma": (".jsonl", ".ndjson", ".json"),
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


def reader_by_name(name: str) -> str | None:
    """The reader of a file that is named so, compressed or not; None where the name does not tell."""
    plain = without_compression(name.lower())
    found = (reader for reader, suffixes in SUFFIXES.items() if plain.endswith(suffixes))
    return "wet" if plain.endswith(".warc.wet") else next(found, None)


_MAN_PAGE = re.compile(r".*\.[1-9][a-z]{0,4}")


@dataclass(frozen=True)
class Unit:
    """A piece of a source for one task. `uri` is a file or archive, or a folder of which `members` are read.

    `state` changes when one of the files does. `lost` (file, cause, remedy) is what could not be listed: a unit with
    some reads nothing else. `name` stands for `uri` in keys: the same on every machine and, where it can be, in every
    version. `parts` are those of the file that are read, all if there are none.
    """

    source: str
    uri: str
    package: int
    size: int
    name: str
    members: tuple[str, ...] = ()
    state: str = ""
    lost: tuple[tuple[str, str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def pieces(self) -> tuple["Unit", ...]:
        """A unit for each part, to be read one after the other; it itself where it has none."""
        return tuple(replace(self, parts=(part,)) for part in self.parts) or (self,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(self.members))  # JSON gives lists
        object.__setattr__(self, "evidence", tuple(self.evidence))
        object.__setattr__(self, "lost", tuple((file, cause, remedy) for file, cause, remedy in self.lost))
        object.__setattr__(self, "parts", tuple(Part(*part) for part in self.parts))


class UnitFile(NamedTuple):
    """A file of a unit: where it lies, what messages call it, and its path as patterns match it."""

    uri: str
    name: str
    path: str


def files_of(unit: Unit, source: Source) -> list[UnitFile]:
    """The files that a unit reads, in order."""
    if not unit.members:
        path = posixpath.basename(unit.uri)
        return [UnitFile(unit.uri, path if source.client != "path" else unit.name, path)]
    folder = unit.uri.rstrip("/")
    return [UnitFile(f"{folder}/{path}", f"{unit.name}/{visible(path)}", path) for path in unit.members]


PassedOver = dict[str, Counter[str]]
"""Source → endings of the names for which files in its folders were skipped, and how many there are of each."""
OTHER_ENDINGS = "others"
ENDINGS_NAMED = 5
"""Most endings that a message names."""
_ENDING = re.compile(r"\.[a-z][a-z0-9]{0,5}")


def list_units(
    source: Source,
    located: Mapping[int, Sequence[str]],
    skip: Sequence[str] = (),
    passed_over: PassedOver | None = None,
) -> list[Unit]:
    """Units of a source in a fixed order. `located` maps the number of a package to its downloaded archives.

    A package that was not located gives none. What lies below the folders `skip` (the output of the build, its cache)
    is left out, unless the package itself lies there. `passed_over` collects files in folders that the reader does
    not take by their names. Raises InputError where a path or pattern matches no file.
    """
    passed_over = {} if passed_over is None else passed_over
    units: list[Unit] = []
    for number, package in enumerate(source.packages):
        if source.reader == "datasets" and source.client == "path":
            units.append(Unit(source.id, package.name, number, 0, package.name, state=_folder_state(package.name)))
        elif source.client == "path":
            units += _path_units(source, number, package, skip, passed_over)
        else:
            archives = sorted(located.get(number, ()))
            for path in archives:
                name = package.name if len(archives) == 1 else f"{package.name}/{posixpath.basename(path)}"
                with input_errors(path):
                    file = file_state(path)
                units.append(Unit(source.id, path, number, file.size, name, state=file.state))
    return _distinct(units)


def passed_over_line(source: str, endings: Mapping[str, int]) -> str:
    """What to know of files that a source's reader does not take: their number by ending, and the key that says so."""
    most = sorted(endings.items(), key=lambda entry: -entry[1])[:ENDINGS_NAMED]
    files = counted(sum(endings.values()), "file")
    return (
        f"not read: {files} of source `{source}`, whose names do not end as its reader expects "
        f"({', '.join(f'{ending} {count:,}' for ending, count in most)}{', …' if len(endings) > len(most) else ''}); "
        "convert them, or name them in the package's `include` if they are of that format"
    )


def wanted(package: Package, reader: str, path: str) -> bool:
    """Whether a member is read: by `include` and `exclude`, else by the reader's suffixes.

    Patterns match the whole path, with or without the suffix of its compression. A path that ends in `!` is an
    archive, which is opened unless it is excluded.
    """
    plain = path.removesuffix("!")
    if _matches(plain, package.exclude):
        return False
    if reader == "dolma" and is_attributes(plain):
        return False
    if path.endswith("!"):
        return True
    if package.include:
        return _matches(plain, package.include)
    if reader == "man":
        return bool(_MAN_PAGE.fullmatch(without_compression(plain)))
    lower = without_compression(plain.lower())
    return reader not in SUFFIXES or lower.endswith(SUFFIXES[reader])


def _matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path, with or without the suffix of its compression, is what any of the patterns names."""
    names = {path, without_compression(path)}
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def language_of(package: Package, path: str) -> str | None:
    """The language that the source's entry declares for a member."""
    for pattern, language in package.languages_by_path.items():
        if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(without_compression(path), pattern):
            return language
    return package.language


PACKAGED = "configs:"
"""Prefix of paths to data that comes with OpenRoots: wherever a machine has it installed."""


def resolve(path: str) -> str:
    """Where packaged data lies on this machine; any other path as it is."""
    return str(CONFIGS / path.removeprefix(PACKAGED)) if path.startswith(PACKAGED) else path


def _portable(path: str) -> str:
    """The inverse of `resolve`: a unit is listed on one machine and read on another."""
    folder = f"{CONFIGS}/"
    return f"{PACKAGED}{path.removeprefix(folder)}" if path.startswith(folder) else f"file://{path}"


def _path_units(
    source: Source, number: int, package: Package, skip: Sequence[str], passed_over: PassedOver
) -> list[Unit]:
    pattern = resolve(package.name)
    with input_errors(package.name):
        base, found = match(pattern, skip)
        if not (found.files or found.folders or found.lost):
            raise InputError(package.name, "no such file or folder", f"check the packages of source `{source.id}`")
        fs = None if local_path(pattern) is not None else storage.filesystem(pattern)[0]
        units: list[Unit] = []
        listed: dict[str, list[FoundFile]] = {}
        for file in found.files:
            label = below(file.path, base)
            uri = fs.unstrip_protocol(file.path) if fs else _portable(file.path)
            beside = _beside(file.path, listed) if fs is None and not is_archive(file.path) else []
            names = tuple(posixpath.basename(near.path) for near in beside)
            state = _state(file, [*beside, *_attributes(source, uri)])
            units.append(Unit(source.id, uri, number, file.size, label, state=state, evidence=names))
        for folder in found.folders:
            units += _folder_units(fs, folder, source, number, package, skip, passed_over)
        units.sort(key=lambda unit: (unit.uri, unit.members))
        if found.lost:
            units.append(_lost_unit(source, number, package.name, found.lost))
        return units


def _lost_unit(source: Source, number: int, name: str, lost: Sequence[InputError]) -> Unit:
    told = tuple((problem.file, problem.cause, problem.remedy) for problem in lost)
    return Unit(source.id, visible(name), number, 0, visible(name), lost=told)


def _folder_units(
    fs: fsspec.AbstractFileSystem | None,
    folder: str,
    source: Source,
    number: int,
    package: Package,
    skip: Sequence[str],
    passed_over: PassedOver,
) -> Iterator[Unit]:
    """Files of a folder: archives and large files alone, others in order, up to FILES_PER_UNIT and BYTES_PER_UNIT."""

    def is_wanted(path: str) -> bool:
        if wanted(package, source.reader, f"{path}!" if is_archive(path) else path):
            return True
        hidden = posixpath.basename(path).startswith(".") or is_evidence(path) or is_attributes(path)
        if not (hidden or package.include or _matches(path, package.exclude)):
            ending = posixpath.splitext(without_compression(path.lower()))[1]
            endings = passed_over.setdefault(source.id, Counter())
            endings[ending if _ENDING.fullmatch(ending) else OTHER_ENDINGS] += 1
        return False

    found = list_remote(fs, folder, is_wanted) if fs else LocalFolder(folder, is_wanted, skip).walk()
    uri = fs.unstrip_protocol(folder) if fs else _portable(folder)
    label = visible(posixpath.basename(folder.rstrip("/")))

    evidence = _evidence(fs, folder, skip)

    def unit() -> Unit:
        about = evidence_for(evidence, [file.path for file in held])
        attributes = [near for file in held for near in _attributes(source, f"{uri}/{file.path}")]
        lines = "\n".join(f"{file.path}\0{file.state}" for file in [*held, *about, *attributes])
        state = xxhash.xxh3_128_hexdigest(lines.encode(*_ANY))
        paths, names = (tuple(file.path for file in files) for files in (held, about))
        return Unit(source.id, uri, number, total, label, paths, state, evidence=names)

    held: list[FoundFile] = []
    total = 0
    for file in found.files:
        alone = source.reader != "dictd" and (is_archive(file.path) or file.size >= BYTES_PER_UNIT)
        full = len(held) >= FILES_PER_UNIT or total + file.size > BYTES_PER_UNIT
        if held and (alone or full) and source.reader != "dictd":
            yield unit()
            held, total = [], 0
        held.append(file)
        total += file.size
        if alone:
            yield unit()
            held, total = [], 0
    if held:
        yield unit()
    if package.include and not (found.files or found.lost):
        remedy = "they are matched against paths within the folder, such as `sub/*.txt`"
        found.lost.append(InputError(label, "no file in it matches the package's `include`", remedy))
    if found.lost:
        yield _lost_unit(source, number, label, found.lost)


_ANY = ("utf-8", "surrogateescape")


def _evidence(fs: fsspec.AbstractFileSystem | None, folder: str, skip: Sequence[str]) -> list[FoundFile]:
    """Files below a folder that tell of licences; what cannot be looked at is told where the others are listed."""
    found = list_remote(fs, folder, is_evidence) if fs else LocalFolder(folder, is_evidence, skip).walk()
    return found.files[:EVIDENCE_FILES_MAX]


def _beside(path: str, known: dict[str, list[FoundFile]]) -> list[FoundFile]:
    """Files that tell of licences in the folder of a local file, without those below it."""
    folder = posixpath.dirname(path)
    if folder not in known:
        known[folder] = []
        with suppress(OSError), os.scandir(folder or "/") as entries:
            names = sorted(entry.name for entry in entries if is_evidence(entry.name) and entry.is_file())
            known[folder] = [file_state(f"file://{folder}/{name}") for name in names[:EVIDENCE_FILES_MAX]]
    return [file for file in known[folder] if file.path != path]


def _attributes(source: Source, uri: str) -> list[FoundFile]:
    """The files of Dolma's attributes that are read beside a file of documents."""
    return [file_state(path) for path in attribute_files(uri)] if source.reader == "dolma" else []


def _state(file: FoundFile, beside: Sequence[FoundFile]) -> str:
    """The state of a file, and of those beside it that are read with it."""
    if not beside:
        return file.state
    lines = "\n".join(f"{near.path}\0{near.state}" for near in beside)
    return f"{file.state} {xxhash.xxh3_128_hexdigest(lines.encode(*_ANY))}"


def evidence_for(evidence: Sequence[FoundFile], paths: Sequence[str]) -> list[FoundFile]:
    """Those of the files that tell of licences that may tell of one of `paths`."""
    folders = {""}
    for path in paths:
        while path := posixpath.dirname(path):
            folders.add(path)
    names = set(paths)
    return [
        file
        for file in evidence
        if speaks_for(file.path) in folders or (file.path.endswith(".license") and file.path[:-8] in names)
    ]


def _folder_state(path: str) -> str:
    """The state of a local data set, file or folder; "" for a name on the Hub."""
    if not Path(path).is_dir():
        return file_state(path).state if Path(path).is_file() else ""
    files = LocalFolder(path, lambda _: True).walk().files
    return xxhash.xxh3_128_hexdigest("\n".join(f"{file.path}\0{file.state}" for file in files).encode(*_ANY))


def _distinct(units: list[Unit]) -> list[Unit]:
    """Units of different packages under one name get the number of their package into it."""
    packages: dict[str, set[int]] = {}
    for unit in units:
        packages.setdefault(unit.name, set()).add(unit.package)
    return [
        unit if len(packages[unit.name]) == 1 else replace(unit, name=f"{unit.package}/{unit.name}") for unit in units
    ]
