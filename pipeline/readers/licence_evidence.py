"""The licence files around what is read: found in a pass of their own, before the documents.

A COPYING may come behind the code in a tar, so an archive is walked twice; the first time only files whose names tell
of licences are read, and no more than some of each. What is wrong with an archive is reported by the second pass. What
the first one unpacks is kept for the second (`streams.Kept`).
"""

import functools
import json
import posixpath
from collections.abc import Callable
from dataclasses import replace

from configs.errors import InputError
from configs.models import Package
from governance.licence_detection import pack
from governance.licence_tree import EVIDENCE_BYTES_MAX, EVIDENCE_FILES_MAX, LicenceTree, is_evidence
from pipeline.readers.containers import Member, is_archive, members, without_compression
from pipeline.readers.names import visible
from pipeline.readers.streams import Kept, Stream, open_file
from pipeline.readers.units import Unit, wanted

_TABLES = ("jsonl", "datatrove", "dolma", "parquet", "arrow", "csv", "tsv", "warc", "wet", "dictd")
"""Readers whose files are archives only where their names say so."""


def surroundings_of(unit: Unit, package: Package, reader: str) -> "Surroundings":
    """What lies around the files of a unit; parts of one file, which a worker reads one after the other, share it."""
    whole = replace(unit, parts=())
    return _surroundings(whole, package.model_dump_json(include={"include", "exclude"}), reader)


@functools.lru_cache(maxsize=4)
def _surroundings(unit: Unit, patterns: str, reader: str) -> "Surroundings":
    return Surroundings(unit, Package(name=unit.name, **json.loads(patterns)), reader)


class Surroundings:
    """What lies around the files of a unit and tells of their licence."""

    def __init__(self, unit: Unit, package: Package, reader: str) -> None:
        self._unit, self._tree, self._left = unit, LicenceTree(), EVIDENCE_FILES_MAX
        self.unpacked: Kept | None = None
        """What the one archive of the unit gave, where it is compressed and not too large."""
        for path in unit.evidence:
            self._file(path)
        archives = [path for path in unit.members or (posixpath.basename(unit.uri),) if _may_be_archive(path, reader)]
        for path in archives:
            whole = f"{unit.uri.rstrip('/')}/{path}" if unit.members else unit.uri
            kept = Kept() if len(archives) == 1 else None
            self._look_into(whole, path, lambda inner: wanted(package, reader, inner), kept)
            if kept and kept.is_whole:
                self.unpacked = kept
            elif kept:
                kept.close()

    def close(self) -> None:
        """Keep nothing of what was unpacked."""
        if self.unpacked:
            self.unpacked.close()
        self.unpacked = None

    def of(self, member: Member) -> str | None:
        """What lies around a file says, packed for a column; None where nothing does."""
        path = self._path(member.name)
        nearby = self._tree.of(path)
        return pack(nearby) if nearby else None

    def _path(self, name: str) -> str:
        """The path of a member below the unit's folder, archives being folders."""
        shown = name.removeprefix(f"{self._unit.name}/") if self._unit.members else name
        if not self._unit.members:
            first, mark, rest = shown.partition("!")
            shown = rest if mark else posixpath.basename(first)
        return shown.replace("!", "/")

    def _file(self, path: str) -> None:
        folder = self._unit.uri if self._unit.members else posixpath.dirname(self._unit.uri)
        try:
            with open_file(f"{folder.rstrip('/')}/{path}", path) as stream:
                self._add(visible(path), stream, self._tree.add)
        except InputError:
            self._tree.add(visible(path), b"\0")

    def _look_into(self, uri: str, path: str, opened: Callable[[str], bool], kept: Kept | None) -> None:
        self._archive(uri, path, opened, self._is_evidence, self._tree.add, kept)
        if self._tree.names_texts:  # under names that say nothing, so that nobody has looked at them yet
            self._archive(uri, path, opened, self._is_named, self._tree.add_named, kept)

    def _is_evidence(self, inner: str, name: str) -> bool:
        return is_evidence(without_compression(inner))

    def _is_named(self, inner: str, name: str) -> bool:
        return self._tree.is_named(without_compression(self._path(f"{name}!{inner}")))

    def _archive(
        self,
        uri: str,
        path: str,
        opened: Callable[[str], bool],
        tells: Callable[[str, str], bool],
        add: Callable[[str, bytes], None],
        kept: Kept | None,
    ) -> None:
        name = f"{self._unit.name}/{visible(path)}" if self._unit.members else self._unit.name

        def chosen(inner: str) -> bool:
            if inner.endswith("!"):
                return opened(inner)
            return self._left > 0 and tells(inner, name)

        try:
            with open_file(uri, name) as stream:
                stream.kept = kept
                for member in members(stream, name, path, chosen, lambda _: None):
                    if member.name != name:
                        self._add(without_compression(self._path(member.name)), member.stream, add)
        except InputError:
            return  # the walk that reads documents comes to the same place, and tells

    def _add(self, path: str, stream: Stream, add: Callable[[str, bytes], None]) -> None:
        self._left -= 1
        try:
            data = stream.read(EVIDENCE_BYTES_MAX)
        except InputError:
            data = b"\0"
        add(path, data)


def _may_be_archive(path: str, reader: str) -> bool:
    return is_archive(path) or reader not in _TABLES
