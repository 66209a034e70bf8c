"""Whose a folder or file is: nothing of the user's is overwritten or removed.

A folder is ours if it is new, empty, or bears the marker that `claim` leaves; it is for one kind of output. Anything
else is refused before a byte is written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from configs.errors import OutputError
from configs.shown import shown, shown_list
from pipeline.runtime import storage

MARKER = ".openroots.json"
WORK = ".work"
_IGNORE_WORK = b"# Work files hold text before redaction: they are not to be published.\n/.work/\n/.lock\n/lock.json\n"
_WORK_MARKS = {
    ".gitignore": b"*\n",
    "CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55\n# Work files of OpenRoots, text before redaction.\n",
}
"""Files by which git, and backup programs (bford.info/cachedir), know that a folder is not to be kept or published."""
FORMAT = 1
_START = 1 << 20
_IGNORED = {".DS_Store", ".directory", ".gitkeep", "Thumbs.db", "desktop.ini", "lost+found"}


@dataclass(frozen=True)
class Kind:
    """A kind of output: what it is called, and the files at its root that we write and may leave half-written."""

    name: str
    files: tuple[str, ...]
    folders: tuple[str, ...] = ()
    holder: str = "command"
    """What is at work in such a folder."""


KINDS = {
    "corpus": Kind(
        "a corpus",
        (
            ".gitignore",
            "ATTRIBUTION.md",
            "README.md",
            "croissant.json",
            "manifest.json",
            "report.html",
            "seal.json",
            "statistics.json",
        ),
        ("cards", "data", "index", "ledger", "takedowns"),
    ),
    "language-id": Kind("a language-ID model", ("README.md",)),
    "packed": Kind("packed text", ("README.md", "manifest.json"), ("data", "litdata", "mds", "megatron", "raw")),
    "prompts": Kind("a mixture of prompts", ("README.md", "manifest.json"), ("data", "ledger")),
    "run": Kind("a training run", ("config.json",), holder="training run"),
    "tokenizer": Kind(
        "a tokenizer",
        ("README.md", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "training.json"),
    ),
    "tokens": Kind("token shards", ("README.md", "manifest.json"), ("data",)),
    "work": Kind("work files", ()),
}


def check_output(output: str, kind: str, option: str = "--output") -> None:
    """Refuse a folder that is not ours to write to. Writes nothing. Raises OutputError.

    It may be new, empty, or hold what an earlier run of the same kind left; it may not be a file, nor lie among the
    files of another output.
    """
    name = shown(output)
    fs, inner = storage.filesystem(output)
    remedy = f"choose an empty or a new folder with {option}"
    if storage.is_local(output):
        _check_local(Path(inner), name, option)
    elif {"", ".", ".."} & set(inner.strip("/").split("/")):  # some stores take them for names, others do not
        raise OutputError(f"{name} has a part that is empty, `.` or `..`; write {option} without it")
    try:
        found = _names(fs, inner)
    except NotADirectoryError:
        raise OutputError(f"{name} cannot be written: it is a file; {remedy}") from None
    except OSError as error:
        raise OutputError(f"{name} cannot be read: {error.strerror or error}; {remedy}") from error
    holds = _kind(output, found)
    if holds is None and found:
        raise OutputError(f"{name} holds files that are not OpenRoots' own ({shown_list(sorted(found), 3)}); {remedy}")
    if holds is not None and holds != kind:
        held = KINDS[holds].name if holds in KINDS else "something else"
        raise OutputError(f"{name} holds {held}, not {KINDS[kind].name}; {remedy}")


def claim(output: str, kind: str) -> None:
    """Mark a folder, which `check_output` let pass, as ours, and remove what a killed run left half-written."""
    path = storage.join(output, MARKER)
    if storage.exists(path):
        storage.abandon_uploads(output, ("",) if kind == "work" else (*KINDS[kind].folders, WORK))
    else:
        storage.write_json(path, {"format": FORMAT, "kind": kind, "note": "This folder was made by OpenRoots."})
    if kind == "work":
        mark_work(output)
    else:
        _write_marks(output, {".gitignore": _IGNORE_WORK})
    remove_half_written(output, [MARKER, *KINDS[kind].files])


def mark_work(folder: str) -> None:
    """Mark a folder of work files for programs that would otherwise publish or keep it."""
    _write_marks(folder, _WORK_MARKS)


def _write_marks(folder: str, files: Mapping[str, bytes]) -> None:
    """Write files whose lines of ours are not all there; what a user has added to whole ones stays."""
    fs, inner = storage.filesystem(folder)
    for name, content in files.items():
        try:
            held = set(fs.cat_file(f"{inner}/{name}").splitlines(keepends=True))
        except FileNotFoundError:
            held = set()
        if not set(content.splitlines(keepends=True)) <= held:
            with storage.create(storage.join(folder, name)) as stream:
                stream.write(content)


def check_file(path: str, option: str, *, signs: tuple[bytes, ...]) -> None:
    """Refuse to overwrite a file that we did not write: one that has none of `signs` in its first megabyte.

    A file that is new or empty passes. Raises OutputError.
    """
    fs, inner = storage.filesystem(path)
    try:
        if fs.isdir(inner):
            raise OutputError(f"{shown(path)} is a folder; give a file with {option}")
        if not fs.exists(inner):
            return
        with fs.open(inner, "rb") as stream:
            start = stream.read(_START)
    except OSError as error:
        raise OutputError(
            f"{shown(path)} cannot be written: {error.strerror or error}; choose another {option}"
        ) from error
    if start and not any(sign in start for sign in signs):
        raise OutputError(
            f"{shown(path)} exists and was not written by OpenRoots; choose another {option}, or remove it"
        )


def remove_half_written(folder: str, names: list[str]) -> None:
    """Remove what a killed process left of these files of a local folder, under their temporary names."""
    if not storage.is_local(folder):
        return
    place = Path(storage.filesystem(folder)[1])
    shape = re.compile(f"({'|'.join(map(re.escape, names))})" + r"\.[0-9a-f]{8}\.tmp")
    for path in place.iterdir() if place.is_dir() else []:
        if shape.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _check_local(folder: Path, name: str, option: str) -> None:
    try:
        str(folder).encode()
    except UnicodeEncodeError:  # Arrow opens no such path
        raise OutputError(f"{name} is not UTF-8; choose another {option}") from None
    if folder.is_symlink() and not folder.exists():
        raise OutputError(f"{name} is a symbolic link to nothing; choose another {option}")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{name} cannot be written: it is a file; choose another {option}")
    whole = folder.resolve()
    for parent in whole.parents:
        if (parent / MARKER).exists():
            inside = whole.relative_to(parent).parts[0]
            holds = _kind(str(parent), {MARKER})
            if inside == WORK or (holds in KINDS and inside in KINDS[holds].folders):
                raise OutputError(f"{name} lies within the files of {shown(str(parent))}; choose another {option}")


def _names(fs: Any, inner: str) -> set[str]:
    """Names in a folder, none where it does not exist. Raises NotADirectoryError where it is an object of a store."""
    if isinstance(fs, LocalFileSystem) and not fs.exists(inner):
        return set()
    try:
        entries = fs.ls(inner, detail=True)
    except FileNotFoundError:
        return set()
    folder = fs._strip_protocol(inner).rstrip("/")
    if [entry["name"] for entry in entries if entry["type"] == "file"] == [folder]:
        raise NotADirectoryError(inner)
    paths = [entry["name"].rstrip("/") for entry in entries]
    return {path.rsplit("/", 1)[-1] for path in paths if path != folder} - _IGNORED - {""}


def _kind(output: str, found: set[str]) -> str | None:
    """What kind of output a folder holds; None if it is not ours."""
    if MARKER in found:
        try:
            return str(storage.read_json(storage.join(output, MARKER))["kind"])
        except (OSError, ValueError, KeyError, TypeError):
            return "unknown"
    earlier = _earlier(output) if found & {"manifest.json", "training.json", "config.json"} else None
    return earlier or ("run" if any(_is_checkpoint(output, name) for name in found) else None)


def _is_checkpoint(output: str, name: str) -> bool:
    """Whether a folder is a checkpoint, such as a user copies into a new folder to resume from."""
    return name.startswith("step-") and storage.exists(storage.join(output, name, "manifest.json"))


_EARLIER = {
    "corpus": ("manifest.json", {"digest", "recipe", "stages"}),
    "tokens": ("manifest.json", {"digest", "tokenizer", "shards"}),
    "packed": ("manifest.json", {"digest", "sequence_length", "tokens_digest"}),
    "tokenizer": ("training.json", {"fertility"}),
    "run": ("config.json", {"checkpoints", "schedule", "data"}),
}
"""By what a folder is known that was made before there were markers: a file, and keys in it."""


def _earlier(output: str) -> str | None:
    for kind, (name, keys) in _EARLIER.items():
        try:
            value = storage.read_json(storage.join(output, name))
        except (OSError, ValueError):
            continue
        if isinstance(value, dict) and keys <= set(value):
            return kind
    return None
