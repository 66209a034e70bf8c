"""Files that a path, a pattern or a folder names, found without opening any, with what changes when they change.

On a local disk no link to a folder is followed, nothing but files is taken (a pipe would be waited for, a device never
ends), and what cannot be listed is reported. The work files of a build hold text before redaction and what it dropped:
they are left out of the folders around them. Names that exist are taken as they are, though they hold `*`, `?` or `[`.
"""

import errno
import fnmatch
import glob
import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import fsspec

from configs.errors import InputError, UnsafeArchiveError
from pipeline.readers.names import visible
from pipeline.runtime import storage
from pipeline.runtime.ownership import MARKER, WORK

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_STATE_KEYS = ("etag", "ETag", "md5Hash", "generation", "checksum", "mtime", "LastModified", "last_modified", "updated")


@dataclass(frozen=True)
class FoundFile:
    """A file: its path (relative to its folder, or whole), its size in bytes, and what changes when its bytes do."""

    path: str
    size: int
    state: str


@dataclass
class Found:
    """What was found, in the order of names, and what could not be looked at."""

    files: list[FoundFile] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    lost: list[InputError] = field(default_factory=list)


def local_path(path: str) -> str | None:
    """The path of a local file or folder as the system knows it; None for a URL of another kind."""
    if path.startswith("file://"):
        return path.removeprefix("file://")
    plain = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - bytes that are not UTF-8 stay
    if ("://" not in path and "::" not in path) or os.path.lexists(plain):
        return plain
    return None


def file_state(path: str) -> FoundFile:
    """Size and state of one file, local or not. Raises OSError, InputError where it is none."""
    local = local_path(path)
    if local is None:
        fs, inner = storage.filesystem(path)
        return _remote_file(inner, fs.info(inner))
    status = os.stat(local)  # noqa: PTH116
    if not stat.S_ISREG(status.st_mode):
        raise _special(visible(path), status)
    return FoundFile(local, status.st_size, _local_state(status))


def _local_state(status: os.stat_result) -> str:
    # A copy laid over a file may keep its size and time of change: the inode and its own time tell.
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _remote_file(path: str, info: dict[str, Any]) -> FoundFile:
    size = int(info.get("size") or 0)
    return FoundFile(path, size, " ".join([str(size), *(str(info[key]) for key in _STATE_KEYS if info.get(key))]))


def _special(name: str, status: os.stat_result) -> InputError:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
    return InputError(name, f"{kind}, which is not read", "name files, or exclude it")


def open_local(path: str, name: str) -> Any:
    """Open a local file to read bytes, without waiting for a pipe that took its place. Raises OSError, InputError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(path)
            raise _special(name, status)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


class LocalFolder:
    """The files below a local folder. `wanted(path)` says of a relative path whether it would be read."""

    def __init__(self, root: str, wanted: Callable[[str], bool], skip: Sequence[str] = ()) -> None:
        self._root, self._wanted = root.rstrip("/") or "/", wanted
        self._real = os.path.realpath(root)
        self._skip = [path for path in map(os.path.realpath, skip) if not _within(self._real, path)]
        self.found = Found()

    def walk(self) -> Found:
        """Walk it all; see `Found`."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            for entry in self._entries(folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                try:
                    if entry.is_symlink():
                        self._link(path)
                    elif entry.is_dir(follow_symlinks=False):
                        if f"{self._real}/{path}" not in self._skip:
                            waiting.append(path)
                    elif self._wanted(path):
                        self._file(path, entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # it has gone since
        self.found.files.sort(key=lambda file: file.path)
        return self.found

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self._root}/{folder}") as entries:
                return _without_work(list(entries))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._lose(folder, f"a folder that cannot be listed ({error.strerror})", "make it readable, or exclude it")
            return []

    def _file(self, path: str, status: os.stat_result) -> None:
        if stat.S_ISREG(status.st_mode):
            self.found.files.append(FoundFile(path, status.st_size, _local_state(status)))
        else:
            self.found.lost.append(_special(self._shown(path), status))

    def _link(self, path: str) -> None:
        """Take a link to a file that nothing else here would read; tell of one that leads out, or nowhere."""
        whole = f"{self._root}/{path}"
        try:
            status = os.stat(whole)  # noqa: PTH116
        except OSError as error:
            if self._wanted(path):
                loop = error.errno == errno.ELOOP
                self._lose(path, "a link that leads to itself" if loop else "a link to nothing", "repair or remove it")
            return
        target = os.path.realpath(whole)
        if not _within(target, self._real):
            if stat.S_ISDIR(status.st_mode) or self._wanted(path):
                cause = "a link that leads out of its folder"
                remedy = "it is skipped; name its target as a package of its own"
                self.found.lost.append(UnsafeArchiveError(self._shown(path), cause, remedy))
        elif stat.S_ISREG(status.st_mode) and self._wanted(path) and not self._wanted(target[len(self._real) + 1 :]):
            self._file(path, status)  # what it points to is not read where it lies

    def _shown(self, path: str) -> str:
        return visible(f"{posixpath.basename(self._root)}/{path}".rstrip("/"))

    def _lose(self, path: str, cause: str, remedy: str) -> None:
        self.found.lost.append(InputError(self._shown(path), cause, remedy))


def _without_work(entries: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    """What lies in a folder, without the work files where it is the output of a build."""
    is_output = any(entry.name == MARKER for entry in entries)
    return [entry for entry in entries if entry.name != WORK] if is_output else entries


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def list_remote(fs: fsspec.AbstractFileSystem, folder: str, wanted: Callable[[str], bool]) -> Found:
    """The files below a folder of another file system, whose listing tells their state."""
    found = Found()
    listed = sorted(fs.find(folder, detail=True).items())
    work = tuple(f"{posixpath.dirname(whole)}/{WORK}/" for whole, _ in listed if posixpath.basename(whole) == MARKER)
    for whole, info in listed:
        path = posixpath.relpath(whole, folder)
        if not whole.startswith(work) and wanted(path):
            found.files.append(_remote_file(path, info))
    return found


def match(pattern: str, skip: Sequence[str] = ()) -> tuple[str, Found]:
    """Files and folders that a path or pattern matches, none below another, and the folder that names are relative to.

    `*` and `?` stand for characters of one name, `[…]` for one of some, `**` for folders at any depth.
    """
    local = local_path(pattern)
    if local is None:
        return _match_remote(pattern)
    names = [name for name in local.split("/") if name]
    here, found = "", Found()
    while names and os.path.lexists(f"{here}/{names[0]}"):
        here = f"{here}/{names.pop(0)}"
    base = here if names else posixpath.dirname(here)
    matches = sorted(set(_expand(here, names, found, base))) if names else [here]
    skipped = [path for path in map(os.path.realpath, skip) if not _within(os.path.realpath(base), path)]
    last = None
    for path in matches:
        if (last and _within(path, last)) or any(_within(os.path.realpath(path), other) for other in skipped):
            continue
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError as error:
            cause = f"cannot be looked at ({error.strerror})"
            found.lost.append(InputError(below(path, base), cause, "repair the link"))
            continue
        if stat.S_ISDIR(status.st_mode):
            found.folders.append(path)
            last = path
        elif stat.S_ISREG(status.st_mode):
            found.files.append(FoundFile(path, status.st_size, _local_state(status)))
        else:
            found.lost.append(_special(below(path, base), status))
    return base, found


def below(path: str, base: str) -> str:
    """What messages call a file: its path from the folder `base` on, the same wherever that folder lies."""
    return visible(posixpath.join(posixpath.basename(base), posixpath.relpath(path, base or "/")))


def _expand(folder: str, names: Sequence[str], found: Found, base: str) -> Iterator[str]:
    """Paths below `folder` that a pattern of the given parts matches."""
    if not names:
        yield folder
        return
    first, rest = names[0], names[1:]
    if not glob.has_magic(first):
        if os.path.lexists(f"{folder}/{first}"):
            yield from _expand(f"{folder}/{first}", rest, found, base)
        return
    try:
        with os.scandir(folder or "/") as listed:
            entries = _without_work(list(listed))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        cause = f"a folder that cannot be listed ({error.strerror})"
        found.lost.append(InputError(below(folder, base), cause, "make it readable, or exclude it"))
        return
    if first == "**":
        yield from _expand(folder, rest, found, base) if rest else ()
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _expand(f"{folder}/{entry.name}", names, found, base)
            elif not rest and not _leads_back(entry):
                yield f"{folder}/{entry.name}"
        return
    for entry in entries:
        if not fnmatch.fnmatchcase(entry.name, first) or (rest and not _is_folder(entry)):
            continue
        if not _leads_back(entry):
            yield from _expand(f"{folder}/{entry.name}", rest, found, base)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _leads_back(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to a folder around it: what lies there is met without it."""
    if not entry.is_symlink() or not _is_folder(entry):
        return False
    return _within(os.path.realpath(posixpath.dirname(entry.path)), os.path.realpath(entry.path))


def _match_remote(pattern: str) -> tuple[str, Found]:
    fs, inner = storage.filesystem(pattern)
    found = Found()
    if fs.exists(inner):
        base, matches = posixpath.dirname(inner), [inner]
    elif glob.has_magic(inner):
        names = inner.split("/")
        literal = [names.pop(0)]
        while len(names) > 1 and (not glob.has_magic(names[0]) or fs.exists("/".join([*literal, names[0]]))):
            literal.append(names.pop(0))
        base = "/".join(literal)
        matches = sorted(fs.glob("/".join([*map(glob.escape, literal), *names])))
    else:
        return posixpath.dirname(inner), found
    for path in matches:
        if any(_within(path, folder) for folder in found.folders):
            continue
        info = fs.info(path)
        if info["type"] == "directory":
            found.folders.append(path)
        else:
            found.files.append(_remote_file(path, info))
    return base, found
