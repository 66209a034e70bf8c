"""The seal of a corpus: one digest for every file of it, so that a single changed byte anywhere is found.

`seal.json` covers what is published, that of the work folder what reruns resume from; each is complete in itself, so
that `.work` can be deleted before the corpus is shared. Each closes with a SHA-256 of its own content. Shards and
ledger have their SHA-256 from the counting of the corpus, and work files their xxh3-128 from the tasks that wrote them,
so that sealing reads nothing twice but small files.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import xxhash

from pipeline.runtime import storage
from pipeline.runtime.finished import OutputFile, manifest_records, read_record
from pipeline.runtime.ownership import KINDS, MARKER

FORMAT = 1
SEAL = "seal.json"
RECEIPTS = "takedowns/receipts"
"""Where receipts lie: they name the seal, so that it cannot cover them; they are signed."""
FOLDERS = (*KINDS["corpus"].folders,)
LOCKS = (".lock", "lock.json")
_OUTSIDE = {"write": "data", "ledger": "ledger", "deduplicate-index": "index", "passages": "index/passages"}
"""Phases whose files lie in the output; those of others lie in `.work/PHASE/files`."""
_THREADS = 4


def canonical(value: Any) -> bytes:
    """JSON that is the same for the same value: sorted keys, no spaces."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def sha256_of(value: Any) -> str:
    """SHA-256 of a JSON-able value in canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()


def digest_file(path: str, kind: str = "sha256") -> tuple[int, str]:
    """Length and digest of a file; `kind` is `sha256` or `xxh3`. Raises OSError."""
    digest: Any = hashlib.sha256() if kind == "sha256" else xxhash.xxh3_128()
    return storage.hash_file(path, digest), digest.hexdigest()


def digest_files(folder: str, names: Iterable[str], kinds: Mapping[str, str]) -> Iterator[tuple[str, int, str]]:
    """Name, length and digest of files below a folder, several at a time; a file that is gone has length -1, one that
    may not be read -2."""

    def one(name: str) -> tuple[str, int, str]:
        try:
            return (name, *digest_file(storage.join(folder, name), kinds.get(name, "sha256")))
        except PermissionError:
            return name, -2, ""
        except OSError:
            return name, -1, ""

    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(one, names)


def public_files(found: Iterable[str]) -> list[str]:
    """The files of a corpus that are ours and published: at its root, and in its folders."""
    root = {*KINDS["corpus"].files, MARKER, ".gitignore"} - {SEAL}
    ours = (name for name in found if name in root or name.split("/", 1)[0] in FOLDERS)
    return sorted(name for name in ours if not name.startswith(f"{RECEIPTS}/"))


def write_seals(corpus: str, work: str | None = None, request: str = "") -> None:
    """Seal a finished corpus and, where one is given, the folder of its work files. Raises OutputError.

    `request` is noted with the work files; see `pipeline.unchanged`.
    """
    manifest = storage.read_json(storage.join(corpus, "manifest.json"))
    counted = storage.read_json(storage.join(corpus, "statistics.json")).get("files", {})
    known = {name: ("sha256", file["bytes"], file["sha256"]) for name, file in counted.items()}
    work_files = {name: entry.size for name, entry in storage.list_files(work).items()} if work else {}
    of_work, of_public = _recorded(work, work_files) if work else ({}, {})
    found = storage.list_files(corpus)
    _write(corpus, manifest["digest"], {name: found[name].size for name in public_files(found)}, of_public | known)
    work_files.pop(SEAL, None)
    if work and work_files:
        _write(work, manifest["digest"], work_files, of_work, {"request": request} if request else {})


def _write(
    folder: str,
    corpus_digest: str,
    sizes: Mapping[str, int],
    known: Mapping[str, tuple[str, int, str]],
    more: Mapping[str, str] | None = None,
) -> None:
    """Write the seal of the files in `folder`; those not known, or known with another length, are read."""
    files = {name: known[name] for name, size in sizes.items() if name in known and known[name][1] == size}
    missing = [name for name in sizes if name not in files and name not in LOCKS]
    for name in missing:  # workers have changed some since this process last saw them: a resumed build's `names.json`
        storage.forget_other(storage.join(folder, name), sizes[name])
    files |= {name: ("sha256", size, digest) for name, size, digest in digest_files(folder, missing, {}) if size >= 0}
    content: dict[str, Any] = {
        "format": FORMAT,
        "corpus": corpus_digest,
        **(more or {}),
        "files": {name: {"bytes": size, kind: digest} for name, (kind, size, digest) in sorted(files.items())},
    }
    storage.write_json(storage.join(folder, SEAL), {**content, "seal": sha256_of(content)})


def _recorded(
    work: str, names: Iterable[str]
) -> tuple[dict[str, tuple[str, int, str]], dict[str, tuple[str, int, str]]]:
    """Digests that tasks noted of the files they wrote: of those in the work folder, and of those published."""
    inside: dict[str, tuple[str, int, str]] = {}
    outside: dict[str, tuple[str, int, str]] = {}
    for folder, place, files in _of_records(work, names):
        target, place = (outside, _OUTSIDE[folder]) if folder in _OUTSIDE else (inside, place)
        target |= {f"{place}/{file.path}": ("xxh3", file.size, file.digest) for file in files}
    return inside, outside


def _of_records(work: str, names: Iterable[str]) -> Iterator[tuple[str, str, list[OutputFile]]]:
    """Phases and rounds of exchanges: the folder of each, where its files lie, and what its records say of these."""
    for name in names:
        folder, _, last = name.rpartition("/")
        if last == "manifest.json":
            records = manifest_records(work, folder).values()
            yield folder, f"{folder}/files", [file for record in records for file in record.files]
        elif last.startswith("round-") and last.endswith(".json"):
            with suppress(OSError, ValueError):
                yield folder, name.removesuffix(".json"), list(read_record(storage.join(work, name)).files)


def read_seal(folder: str) -> dict[str, Any]:
    """The seal of a folder. Raises FileNotFoundError, or ValueError where it is not as it was written."""
    value = storage.read_json_as_written(storage.join(folder, SEAL))  # white space is covered, too
    try:
        content = {name: entry for name, entry in value.items() if name != "seal"}
        whole = sha256_of(content) == value["seal"] and isinstance(content["files"], dict)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("it is not a seal") from error
    if not whole:
        raise ValueError("it is not as it was written")
    return dict(value)


def seal_or_fault(folder: str) -> dict[str, Any] | str:
    """The seal of a folder, or what is wrong with it, worded to follow its name."""
    try:
        return read_seal(folder)
    except FileNotFoundError:
        return "is missing: the build did not finish, or an earlier version wrote it"
    except (ValueError, OSError):
        return "is not as it was written"


def broken(folder: str, seal: Mapping[str, Any]) -> dict[str, str]:
    """Files that are not as the seal has them: name → what is wrong. Every file is read."""
    files: Mapping[str, Mapping[str, Any]] = seal["files"]
    kinds = {name: "sha256" if "sha256" in entry else "xxh3" for name, entry in files.items()}
    wrong = {}
    for name, size, digest in digest_files(folder, files, kinds):
        entry = files[name]
        if problem := _of_another_size(size, entry["bytes"]):
            wrong[name] = problem
        elif digest != entry[kinds[name]]:
            wrong[name] = "is not as it was written: its digest differs"
    return wrong


def cut_or_missing(corpus: str) -> dict[str, str]:
    """Published files that are missing or of another size than sealed: name → what is wrong. Only the seal is read."""
    seal = seal_or_fault(corpus)
    if isinstance(seal, str):
        return {SEAL: seal}
    files: Mapping[str, Mapping[str, Any]] = seal["files"]
    found = storage.list_files(corpus)
    sizes = {name: found[name].size if name in found else -1 for name in files}
    return {name: problem for name in files if (problem := _of_another_size(sizes[name], files[name]["bytes"]))}


def _of_another_size(size: int, sealed: int) -> str:
    if size < 0:
        return "is missing" if size == -1 else "may not be read: check its permissions"
    return f"has {size:,} bytes instead of {sealed:,}" if size != sealed else ""
