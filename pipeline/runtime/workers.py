"""Worker processes of the local engine: the death of one is noticed at once, and none outlives its parent.

Beam starts its own workers through a shell and waits for ever for what a dead one owes. Here they are started without
one; where one dies, all that is waited for ends with a `WorkerDiedError`, and the other workers are stopped, since a
bundle is half a phase. `python -m pipeline.runtime.workers` is the worker itself.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.transforms import environments
from google.protobuf import json_format, text_format

ENVIRONMENT = "openroots:environment:worker_process:v1"
_PARENT = "OPENROOTS_PARENT"
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 5.0
_running: set[subprocess.Popen[bytes]] = set()


def death_message(process: int, status: int) -> str:
    """What the death of a worker means, from its exit status as `subprocess` gives it."""
    if status == -signal.SIGKILL:
        return f"a worker process ({process}) was killed, most likely because memory ran out"
    if status < 0:
        return f"a worker process ({process}) crashed with {signal.Signals(-status).name}"
    return f"a worker process ({process}) ended with status {status}"


def stop_workers() -> None:
    """Kill all workers of this process; for use when the process itself must end now."""
    for process in list(_running):
        with suppress(OSError):
            process.kill()


class WorkerProcesses(environments.Environment):
    """The environment in which Beam's local runner starts workers by `_WatchedWorker`.

    `death` makes, of a message, the text of the error that the pipeline then ends with.
    """

    death: Any = staticmethod(str)

    def to_runner_api_parameter(self, _: Any) -> tuple[str, bytes]:
        """Beam's name for this environment, and no payload."""
        return ENVIRONMENT, b""


@WorkerHandler.register_environment(ENVIRONMENT, bytes)
class _WatchedWorker(GrpcWorkerHandler):
    """One worker process, and a thread that waits for its end."""

    def __init__(self, _: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)
        self._closing = threading.Event()

    def start_worker(self) -> None:
        """Start the process."""
        described = {
            "CONTROL_API_SERVICE_DESCRIPTOR": self.control_api_service_descriptor(),
            "LOGGING_API_SERVICE_DESCRIPTOR": self.logging_api_service_descriptor(),
        }
        environment = {name: text_format.MessageToString(value) for name, value in described.items()}
        environment["PIPELINE_OPTIONS"] = json_format.MessageToJson(self.provision_info.provision_info.pipeline_options)
        environment["WORKER_ID"] = self.worker_id
        environment[_PARENT] = str(os.getpid())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.runtime.workers"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
        )
        _running.add(self._process)
        threading.Thread(target=self._watch, daemon=True, name="worker-watch").start()

    def close(self) -> None:
        """Stop the process and let go of its connections."""
        self._closing.set()
        super().close()

    def stop_worker(self) -> None:
        """Wait for the process, which ends once its connection is closed; kill it if it does not."""
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _running.discard(self._process)

    def _watch(self) -> None:
        status = self._process.wait()
        if self._closing.is_set():
            return
        error = WorkerProcesses.death(death_message(self._process.pid, status))
        stop_workers()
        while not self._closing.wait(_POLL_SECONDS):  # more may be asked of it until the pipeline has failed
            waiting = self.control_conn._futures_by_id
            for name in list(waiting):
                future = waiting.pop(name, None)
                if future is not None:
                    future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=error))


def die_with_parent(parent: int) -> None:
    """End this process when its parent ends, however that happens.

    Linux tells the child at once; elsewhere, and where a thread of the parent has ended first, a thread looks
    every second.
    """
    with suppress(OSError, AttributeError):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL))

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=look, daemon=True, name="parent-watch").start()


def main() -> None:
    """Be a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    die_with_parent(int(os.environ[_PARENT]))
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
