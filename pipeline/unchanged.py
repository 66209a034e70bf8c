"""A finished build that is asked for again from a store: a handful of requests tell that nothing has changed.

On a local disk the steps themselves look, which costs nothing there.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import xxhash

import configs
from configs.load import Plan
from pipeline.corpus.seal import SEAL, public_files, read_seal
from pipeline.fetch import FetchReport
from pipeline.readers import Unit
from pipeline.runtime import storage
from pipeline.runtime.phases import digest_of

_PATH_MAX = 200
_PACKAGES = ("configs", "governance", "pipeline")


def request_key(plan: Plan, fetched: FetchReport, units: Sequence[Unit]) -> str:
    """A digest of all that a build follows from: recipe, inputs, files that the recipe names, and this code.

    "" where the recipe names things whose state cannot be seen from here, such as an earlier build.
    """
    said = [plan.recipe.model_dump(mode="json"), plan.languages.model_dump(mode="json")]
    files = []
    for value in _strings(said):
        path = Path(value[:_PATH_MAX])
        if "://" in value or ("/" in value and path.is_dir()):
            return ""
        if "\n" not in value and "\0" not in value and path.is_file():
            status = path.stat()
            files.append([value, status.st_size, status.st_mtime_ns])
    if plan.recipe.deduplication.against:
        return ""
    sources = [source.model_dump(mode="json") for source in plan.sources]
    had = [fetched.packages, fetched.unavailable, fetched.languages_lost]
    return digest_of([said, sources, sorted(files), had, [repr(unit) for unit in units], _code()])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _strings(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _strings(entry)


def _code() -> str:
    """A digest of the names, lengths and times of the files that build corpora."""
    root, digest = Path(configs.__file__).parent.parent, xxhash.xxh3_128()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                status = path.stat()
                digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def is_unchanged(output: str, work: str, key: str) -> bool:
    """Whether `output` was finished under this key, and all its files and those in `work` have their lengths."""
    try:
        of_work = read_seal(work)
        if not key or of_work.get("request") != key:
            return False
        of_output = read_seal(output)
    except (OSError, ValueError):
        return False
    found = storage.list_files(output)
    inside = work.startswith(f"{output.rstrip('/')}/")
    prefix = f"{work.removeprefix(output.rstrip('/')).strip('/')}/"
    if inside:
        of_files = {name.removeprefix(prefix): entry for name, entry in found.items() if name.startswith(prefix)}
    else:
        of_files = storage.list_files(work)
    return (
        of_work["corpus"] == of_output["corpus"]
        and all(name in found and found[name].size == file["bytes"] for name, file in of_output["files"].items())
        and set(public_files(found)) <= {*of_output["files"], SEAL}
        and all(name in of_files and of_files[name].size == file["bytes"] for name, file in of_work["files"].items())
    )
