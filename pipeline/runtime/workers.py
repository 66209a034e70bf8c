"""Worker processes of the local engine: kept from pipeline to pipeline, missed at once, gone with their parent.

Beam starts its own workers through a shell, again for each pipeline, and waits forever for the answers of a dead one.
Here they are started without one and, within `keep_workers`, wait between pipelines with all that they have imported,
compiled and read. Where one dies, all that is waited for ends with a `WorkerDiedError`, and the other workers are
stopped, since a bundle is part of a phase.

A worker is forked (`nursery`), or is `python -m pipeline.runtime.worker_process PARENT`. For each pipeline it reads one
line of JSON from its standard input, an `Assignment`, and writes one line to its standard output once it is free.
"""

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.runners.worker import sdk_worker_main
from apache_beam.runners.worker.sdk_worker import SdkHarness
from apache_beam.transforms import environments
from apache_beam.utils.thread_pool_executor import UnboundedThreadPoolExecutor
from google.protobuf import json_format

from pipeline.runtime import nursery
from pipeline.runtime.unsampled import unsampled

ENVIRONMENT = "openroots:environment:worker_process:v1"
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 5.0
_STATE_CACHE_BYTES = 100 << 20
"""For side inputs; Beam's default."""

Process = subprocess.Popen[bytes] | nursery.Forked
Assignment = dict[str, Any]
"""Address of the pipeline's `control` server, the pipeline's `options` as JSON, the name of the `worker` there, the
file `log` to write to, and `packed`."""

packed: dict[str, str] = {}
"""What the pipelines that run have their functions share, by run. Were it in each of some forty functions a pipeline,
Beam would compress it with every one."""

_starter = ThreadPoolExecutor(1, "worker-start")
"""Starts all processes: to Linux the parent of a process is a thread, and this one lasts."""
_lock = threading.Lock()
_running: set[Process] = set()
_idle: list[Process] = []
_because: dict[Process, str] = {}
"""What the death of another worker meant, for those that were stopped for it."""
_deaths: list[str] = []
_keepers = 0


@contextmanager
def keep_workers() -> Iterator[None]:
    """Within this block workers outlive their pipeline and serve the next; at its end the idle ones end."""
    global _keepers
    with _lock:
        _keepers += 1
    try:
        yield
    finally:
        with _lock:
            _keepers -= 1
            ended = [] if _keepers else [_idle.pop() for _ in range(len(_idle))]
        for process in ended:
            process.kill()
        for process in ended:
            _end(process)
        if not _keepers:
            nursery.close()


def death_after(count: int, seconds: float = 0.0) -> str | None:
    """What the first death after `count` deaths means; waits for it so long."""
    limit = time.monotonic() + seconds
    while len(_deaths) <= count:
        if time.monotonic() >= limit:
            return None
        time.sleep(_POLL_SECONDS / 4)
    return _deaths[count]


def deaths() -> int:
    """How many workers have died under a pipeline of this process."""
    return len(_deaths)


def idle_workers() -> int:
    """How many workers wait for a pipeline."""
    return len(_idle)


def stop_workers(because: str = "") -> None:
    """Kill all workers of this process: it must end now, or one of them has died; `because` is then its message."""
    for process in list(_running):
        if because:
            _because.setdefault(process, because)
        with suppress(OSError):
            process.kill()


def death_message(process: int, status: int) -> str:
    """What the death of a worker means, from its exit status as `subprocess` gives it."""
    if status == -signal.SIGKILL:
        return f"a worker process ({process}) was killed, most likely because memory ran out"
    if status < 0:
        return f"a worker process ({process}) crashed with {signal.Signals(-status).name}"
    return f"a worker process ({process}) ended with status {status}"


def _take(log: str) -> Process:
    """An idle worker, or a new one; one that died while it was idle is forgotten."""
    with _lock:
        while _idle:
            process = _idle.pop()
            if process.poll() is None:
                return process
            _forget(process)
    process = nursery.fork(log) or _started(log)
    _running.add(process)
    return process


def _started(log: str) -> Process:
    """A worker that loads all it needs by itself."""
    command, pipe = [sys.executable, "-m", "pipeline.runtime.worker_process", str(os.getpid())], subprocess.PIPE
    with open(log, "ab") as stream:
        start = lambda: subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stream)  # noqa: E731
        return _starter.submit(start).result()


def _leave(process: Process) -> None:
    """Keep a free worker for the next pipeline, if there is to be one."""
    with _lock:
        kept = _keepers > 0
        if kept:
            _idle.append(process)
    if not kept:
        _end(process)


def _end(process: Process) -> None:
    process.kill()
    process.wait()
    _forget(process)
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()


def _forget(process: Process) -> None:
    _running.discard(process)
    _because.pop(process, None)


class WorkerProcesses(environments.Environment):
    """The environment in which Beam's local runner gets workers by `_WatchedWorker`; they write to the file `log`.

    `death` makes, of a message, the text of the error that the pipeline then ends with.
    """

    death: Any = staticmethod(str)

    def __init__(self, log: str, capabilities: Any = ()) -> None:
        super().__init__(capabilities)
        self._log = log

    def to_runner_api_parameter(self, _: Any) -> tuple[str, bytes]:
        """Beam's name for this environment, and where its workers write."""
        return ENVIRONMENT, os.fsencode(self._log)


@WorkerHandler.register_environment(ENVIRONMENT, bytes)
class _WatchedWorker(GrpcWorkerHandler):
    """One worker process for one pipeline, and a thread that waits until it is free or dead."""

    def __init__(self, log: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)
        self._log = os.fsdecode(log)
        self._closing = threading.Event()
        self._free = False

    def start_worker(self) -> None:
        """Give the pipeline to a process."""
        options = self.provision_info.provision_info.pipeline_options
        assignment: Assignment = {
            "control": self.control_api_service_descriptor().url,
            "options": json_format.MessageToJson(options, indent=None, sort_keys=True),
            "worker": self.worker_id,
            "log": self._log,
            "packed": dict(packed),
        }
        self._process = _take(self._log)
        self._attendant = threading.Thread(target=self._attend, daemon=True, name="worker-watch")
        self._attendant.start()
        assert self._process.stdin
        with suppress(OSError):  # where it has died, the attendant tells
            self._process.stdin.write(json.dumps(assignment).encode() + b"\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Take the pipeline from the process; one that is not free in time is killed."""
        self._closing.set()
        limit = threading.Timer(_GRACE_SECONDS, self._process.kill)
        limit.daemon = True
        limit.start()
        super().close()
        limit.cancel()
        if self._free:
            _leave(self._process)
        else:
            _end(self._process)
        self._give_up("the pipeline has ended")

    def stop_worker(self) -> None:
        """Wait until the process, whose connection is closed, is free or dead."""
        self._attendant.join()

    def _attend(self) -> None:
        assert self._process.stdout
        self._free = bool(self._process.stdout.readline())
        if self._free or self._closing.is_set():
            return
        status = self._process.wait()
        message = _because.get(self._process) or death_message(self._process.pid, status)
        stop_workers(message)
        _deaths.append(message)
        error = WorkerProcesses.death(message)
        while not self._closing.wait(_POLL_SECONDS):  # more may be asked of it until the pipeline has failed
            self._give_up(error)

    def _give_up(self, error: str) -> None:
        """Give this error to everything that still waits for an answer of the process."""
        waiting = self.control_conn._futures_by_id
        for name in list(waiting):
            future = waiting.pop(name, None)
            if future is not None:
                future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=error))


def die_with(parent: int) -> None:
    """Let Linux end this process when its parent does; at once if it has."""
    with suppress(OSError, AttributeError):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)


def die_with_parent(parent: int) -> None:
    """End this process when its parent ends, however that happens.

    Linux tells the child at once; elsewhere, and where a thread of the parent has ended first, a thread looks
    every second.
    """

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    die_with(parent)
    threading.Thread(target=look, daemon=True, name="parent-watch").start()


def freeze() -> None:
    """Collect garbage; what exists from now on stays, and is neither collected again nor copied after a fork."""
    gc.collect()
    gc.freeze()


def serve(assignment: Assignment) -> None:
    """Do what one pipeline asks until it closes the connection, and all that was begun has ended."""
    with open(assignment["log"], "ab") as stream:
        os.dup2(stream.fileno(), 2)
    _take_options(assignment["options"])
    packed.clear()
    packed.update(assignment["packed"])
    harness = SdkHarness(assignment["control"], worker_id=assignment["worker"], state_cache_size=_STATE_CACHE_BYTES)
    harness._worker_thread_pool = UnboundedThreadPoolExecutor()  # Beam's own is shared, so never waited for
    with unsampled():
        harness.run()
    harness._control_channel.close()


@lru_cache(1)  # the pipelines of a build have the same options
def _take_options(options: str) -> None:
    environment = {"PIPELINE_OPTIONS": options, "CONTROL_API_SERVICE_DESCRIPTOR": ""}
    sdk_worker_main.create_harness(environment, dry_run=True)


def main(parent: int) -> None:
    """Be a worker of that process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    die_with_parent(parent)
    with os.fdopen(os.dup(0), "rb") as assignments, os.fdopen(os.dup(1), "wb", 0) as answers:
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)  # what libraries print must not look like an answer
        for line in assignments:
            serve(json.loads(line))
            freeze()  # the channels of the pipeline are gone
            answers.write(b"free\n")
    os._exit(0)  # the parent has closed the pipe; threads of gRPC may still linger
