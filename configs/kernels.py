"""Compiled kernels that a change in another file has made stale.

Numba keeps a compiled kernel for as long as the file that it stands in has the same content. But what it compiles
holds the kernels and tables that this file imports, so a changed import would go unnoticed, and its old form be run.
"""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from zlib import crc32

_IMPORT = re.compile(rb"^(?:from ([\w.]+) import (\([^)]*\)|.*)|import ([\w.]+))", re.MULTILINE)


def drop_stale_kernels(root: Path, packages: Sequence[str], cache: Path | None = None) -> None:
    """Remove what was compiled from files that import, themselves or through others, a file that has changed since.

    packages: folders of Python files below `root`. cache: where numba keeps what it compiled, if not beside the files.
    Where nothing changed, files are not read (2 ms). Where nothing is recorded yet, all is taken to be fresh.
    """
    checkout = crc32(bytes(root.resolve()))  # a cache may serve several
    record = (cache or root / packages[0] / "__pycache__") / f"kernels-{checkout:08x}.txt"
    files = _stamps(root, packages)
    stamps = repr(files)
    try:
        before, _, digests_before = record.read_text("utf-8").partition("\n")
    except (OSError, ValueError):
        before = digests_before = ""
    if before == stamps:
        return
    import hashlib  # only here, and not at each start of a command

    contents = {name: (root / name).read_bytes() for name in files}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    known = {name: digest for name, _, digest in (line.partition("\t") for line in digests_before.splitlines())}
    changed = {name for name, digest in digests.items() if known.get(name, digest) != digest}
    with suppress(OSError):  # then the next process does the same again
        for name in _importers(changed, contents):
            _remove_compiled(cache or (root / name).parent / "__pycache__", Path(name).stem)
        record.parent.mkdir(parents=True, exist_ok=True)
        new = record.with_suffix(f".{os.getpid()}")
        new.write_text("\n".join([stamps, *(f"{name}\t{digest}" for name, digest in digests.items())]), "utf-8")
        new.replace(record)


def _stamps(root: Path, packages: Sequence[str]) -> dict[str, list[int]]:
    """Time of change and length of each Python file, by its path below `root`."""
    found, folders = {}, list(packages)
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    about = entry.stat()
                    found[f"{folder}/{entry.name}"] = [about.st_mtime_ns, about.st_size]
                elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                    folders.append(f"{folder}/{entry.name}")
    return found


def _importers(changed: set[str], contents: Mapping[str, bytes]) -> set[str]:
    """The files that import one of `changed`, and those that import these, and so on."""
    imports = {name: _imported(content) for name, content in contents.items()}
    found: set[str] = set()
    new = changed
    while new:
        modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in new}
        new = {name for name, wanted in imports.items() if wanted & modules} - found
        found |= new
    return found


def _imported(content: bytes) -> set[str]:
    """Modules that a file may import: `from a import b` may mean `a` and `a.b`."""
    found = set()
    for module, names, whole in _IMPORT.findall(content):
        place = (module or whole).decode()
        found |= {place, *(f"{place}.{name}" for name in re.findall(r"\w+", names.decode()))}
    return found


def _remove_compiled(folder: Path, stem: str) -> None:
    """Remove what numba compiled from files called `stem`: `STEM.FUNCTION-LINE.py311.nbi`, `….1.nbc`."""
    for path in folder.glob(f"**/{stem}.*.nb[ic]"):
        path.unlink(missing_ok=True)
