"""The object store's part of `make clusters`: builds over versitygw, an S3 server, behind a proxy that fails."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec

from tests.clusters.ground import Fault, Ground, MissingToolError, Row, has_begun
from tests.clusters.tools import VERSITYGW, go_program
from tests.s3_server import Proxy, S3Server, store

OUTPUT = "s3://bucket/out"
AWAY_SECONDS = 10.0
_KINDS = ("PUT", "GET", "LIST", "HEAD", "POST", "DELETE")


class Store:
    """A store that runs: its server, the proxy before it, and what it holds, as files of this machine."""

    def __init__(self, server: S3Server, proxy: Proxy) -> None:
        self.server, self.proxy = server, proxy
        self.output = server.folder / "bucket" / "out"

    def has_begun(self, step: str) -> bool:
        """Whether a step has left files."""
        return has_begun(self.output / ".work" / step / "files")

    def left_behind(self) -> list[str]:
        """Uploads that were neither completed nor given up, and files of temporary names."""
        files = [path for path in self.server.folder.rglob("*") if path.is_file()]
        return [str(path) for path in files if ".sgwtmp" in path.parts or path.name.endswith(".tmp")]

    def counted(self, row: Row) -> Row:
        """The row with the requests that it took."""
        requests = self.proxy.requests
        kinds = ", ".join(f"{requests[kind]} {kind}" for kind in _KINDS if requests[kind])
        said = f"{kinds}; {self.proxy.bytes_sent / 1e6:.1f} MB read"
        left = self.left_behind()
        if left and row.is_good:
            row = replace(row, verdict="left behind", note=left[0])
        return replace(row, note=f"{row.note}; {said}".lstrip("; "), requests=sum(requests.values()))


@contextmanager
def empty_store(ground: Ground) -> Iterator[Store]:
    """A server over an empty folder; both are gone afterwards. Raises MissingToolError."""
    if absent := missing(ground):
        raise MissingToolError(absent)
    program = go_program(VERSITYGW, ground)
    with store(ground.fresh("s3"), program=str(program)) as (server, proxy):
        yield Store(server, proxy)
    ground.fresh("s3")


def missing(ground: Ground) -> str:
    """What is not here that builds on S3 need, in one line; empty where all is."""
    if not find_spec("s3fs"):
        return "s3fs is not installed: pip install 'openroots[s3]'"
    try:
        go_program(VERSITYGW, ground)
    except MissingToolError as error:
        return str(error)
    return ""


def rows(ground: Ground) -> Iterator[Row]:
    """All builds of this machine's own runner on S3."""
    for recipe in ground.recipes:
        yield from _undisturbed(ground, recipe)
        for fault in (_driver_killed, _store_away) if ground.fetches else ():
            with empty_store(ground) as there:
                row = _build(ground, recipe, there, fault(there))
                if row.is_good:
                    ground.command("verify", OUTPUT, environment=there.proxy.environment())
                yield row


def _undisturbed(ground: Ground, recipe: str) -> Iterator[Row]:
    with empty_store(ground) as there:
        yield _build(ground, recipe, there)
        there.proxy.reset()
        yield replace(_build(ground, recipe, there), fault="the same command again")


def _build(ground: Ground, recipe: str, there: Store, fault: Fault | None = None) -> Row:
    environment = there.proxy.environment()
    row = ground.build("S3", recipe, OUTPUT, ("--workers=2",), fault, environment, str(there.output))
    return there.counted(row)


def _driver_killed(there: Store) -> Fault:
    def strike(process: subprocess.Popen[bytes]) -> bool:
        if not there.has_begun("deduplicate-sign"):
            return False
        process.kill()
        return True

    return Fault("the driver killed", strike, ends=True)


def _store_away(there: Store) -> Fault:
    def strike(_: subprocess.Popen[bytes]) -> bool:
        there.proxy.busy = there.proxy.cut = 0.05
        if not there.has_begun("ingest"):
            return False
        there.server.stop()
        threading.Timer(AWAY_SECONDS, there.server.start).start()
        return True

    return Fault(f"503s, cuts, {AWAY_SECONDS:.0f} s away", strike)
