"""prism's part of `make clusters`: Beam's portable runner and two worker pools, which share nothing but an S3 store."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.clusters.ground import (
    Fault,
    Ground,
    Row,
    answers,
    command_line,
    descendants,
    free_port,
    running,
    stopped,
    wait_for,
)
from tests.clusters.s3 import OUTPUT, Store, empty_store
from tests.clusters.tools import PRISM, go_program

POOLS = 2


class Pools:
    """prism and its worker pools, as they run."""

    def __init__(self, endpoint: str, workers: str, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._endpoint, self._workers, self._processes = endpoint, workers, processes

    @property
    def options(self) -> list[str]:
        """What the command line says to build on them."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint={self._endpoint}",
            "--environment_type=EXTERNAL",
            f"--environment_config={self._workers}",
        ]

    def workers(self) -> list[int]:
        """Process ids of the workers that the pools have started."""
        below = [pid for pool in self._processes for pid in descendants(pool.pid)]
        return [pid for pid in below if "SdkHarness" in command_line(pid)]


@contextmanager
def pools(ground: Ground, environment: dict[str, str]) -> Iterator[Pools]:
    """prism and two pools, each with a working directory and temporary files of its own; stopped at the end."""
    program = go_program(PRISM, ground)
    with ExitStack() as stack:
        port, where = free_port(), ground.folder / "prism"
        command = [program, "--job_port", port, "--serve_http=false", "--log_kind=text"]
        stack.enter_context(running(command, where / "prism.log", _apart(where / "server", {}), where / "server"))
        wait_for(lambda: answers(port), "prism")
        ports, processes = [], []
        for number in range(POOLS):
            ports.append(free_port())
            main = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", "--service_port", ports[-1]]
            own, log = where / f"pool-{number}", where / f"pool-{number}.log"
            processes.append(stack.enter_context(running(main, log, _apart(own, environment), own)))
        for each in ports:
            wait_for(lambda each=each: answers(each), "a worker pool")  # type: ignore[misc]
        workers = stack.enter_context(_in_turn(ports))
        yield Pools(f"localhost:{port}", f"localhost:{workers}", processes)


def _apart(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """An environment whose temporary files and home are a folder of its own; `python` is this one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"TMPDIR": str(folder), "HOME": str(folder), "PATH": path, **environment}


@contextmanager
def _in_turn(ports: Sequence[int]) -> Iterator[int]:
    """A port that passes connections on to others, one after the other: so that each job has another pool."""
    listener = socket.create_server(("127.0.0.1", 0))
    turns = itertools.cycle(ports)

    def serve() -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                there = socket.create_connection(("127.0.0.1", next(turns)))
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def rows(ground: Ground) -> Iterator[Row]:
    """All builds on prism."""
    for recipe in ground.recipes:
        for fault_of in (_worker_killed,) if ground.is_short else (_nothing, _worker_killed, _stopped):
            with empty_store(ground) as there:
                environment = there.proxy.environment()
                with pools(ground, environment) as workers:
                    fault = fault_of(workers, there)
                    row = ground.build(
                        f"prism, {POOLS} pools, S3",
                        recipe,
                        OUTPUT,
                        workers.options,
                        fault,
                        environment,
                        str(there.output),
                        workers.workers,
                    )
                    yield there.counted(row)


def _nothing(*_: object) -> None:
    return None


def _stopped(_: Pools, there: Store) -> Fault:
    return stopped(signal.SIGTERM, lambda: there.has_begun("annotate"), there.output)


def _worker_killed(workers: Pools, there: Store) -> Fault:
    """prism gives a job up whose worker is gone, so the build ends, in one line; the same command resumes it."""

    def strike(_: subprocess.Popen[bytes]) -> bool:
        if there.has_begun("annotate"):
            for pid in workers.workers()[-1:]:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    return True
        return False

    return Fault("a worker killed", strike, ends=True)
