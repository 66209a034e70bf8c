"""Runners that are not this machine's own: whether they answer, what their failures mean, how jobs are stopped."""

import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.portable_runner import JobServiceHandle

from configs import errors
from configs.shown import shown

CONNECT_SECONDS = 10.0
STOP_SECONDS = 15.0
_POLL_SECONDS = 0.2
_ENDED = ("DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED", "STOPPED")
ADDRESSES = {
    "job_endpoint": "start the job server there, or correct --job_endpoint",
    "artifact_endpoint": "start the job server there, or correct --artifact_endpoint",
    "dask_client_address": "start the scheduler there, or correct --dask_client_address",
    "spark_master": "start the master there, or correct --spark_master",
}
"""Options that name where something must answer, and what to do where nothing does."""
_running: list[Any] = []
_hooks: list[Any] = []


def quiet_threads() -> None:
    """Keep the traces of Beam's threads that listen to a job server off the terminal: the job's own failure tells."""
    if not _hooks:
        _hooks.append(threading.excepthook)
        threading.excepthook = _unless_rpc


def _unless_rpc(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type.__module__.split(".")[0] != "grpc":
        _hooks[0](failed)


def name_jobs() -> None:
    """Let job servers show a job under its `--job_name`: Beam's portable runner calls all of them `job`."""
    JobServiceHandle.prepare = _prepare  # type: ignore[method-assign,assignment]


def _prepare(handle: JobServiceHandle, pipeline: Any) -> Any:
    """As `JobServiceHandle.prepare`, except for the name."""
    request = beam_job_api_pb2.PrepareJobRequest(
        job_name=handle.options.view_as(GoogleCloudOptions).job_name or "job",
        pipeline=pipeline,
        pipeline_options=handle.get_pipeline_options(),
    )
    return handle.job_service.Prepare(request, timeout=handle.timeout)


def check_reachable(options: Sequence[str]) -> None:
    """Make sure that something answers at each address that options name. Raises OpenRootsError within 30 s."""
    for name, value in said(options).items():
        if name in ADDRESSES:
            hosts = endpoints(value)
            refused = [cause for host, port in hosts if (cause := unreachable(host, port))]
            if hosts and len(refused) == len(hosts):
                raise errors.OpenRootsError(f"nothing answers at {shown(value)} ({refused[0]}); {ADDRESSES[name]}")


def said(options: Sequence[str]) -> dict[str, str]:
    """Options of Beam by name; of one that is given twice, the last."""
    found = {}
    for place, option in enumerate(options):
        name, given, value = option.partition("=")
        if name.startswith("--"):
            following = options[place + 1] if place + 1 < len(options) else ""
            found[name[2:]] = value if given else following
    return found


def endpoints(value: str) -> list[tuple[str, int]]:
    """(host, port) pairs in `host:port`, `tcp://host:port`, `spark://host:port,host:port`; none in other words."""
    scheme, mark, rest = value.rpartition("://")
    if mark and scheme not in ("spark", "tcp", "tls"):
        return []
    return [
        (host.strip("[]"), int(port)) for host, port in re.findall(r"(\[[^]]+\]|[^\s,:/]+):([0-9]{1,5})(?=,|$)", rest)
    ]


def unreachable(host: str, port: int, seconds: float = CONNECT_SECONDS) -> str:
    """Why nothing answers at an address; empty where something does."""
    try:
        socket.create_connection((host, port), seconds).close()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


@contextmanager
def cancellable(result: Any) -> Iterator[None]:
    """Within this block `cancel_jobs` knows of a pipeline, and whatever breaks out of the block cancels it."""
    _running.append(result)
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        cancel_jobs()
        raise
    finally:
        _running.remove(result)


def cancel_jobs() -> None:
    """Cancel the pipelines of this process that run elsewhere, and wait until none of their tasks writes any more."""
    threads = [threading.Thread(target=_cancel, args=(result,), daemon=True) for result in list(_running)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(STOP_SECONDS)


def _cancel(result: Any) -> None:
    with suppress(Exception):
        result.cancel()
        limit = time.monotonic() + STOP_SECONDS
        while str(result.state) not in _ENDED and time.monotonic() < limit:
            time.sleep(_POLL_SECONDS)


_SHIP = "install there what this machine has, or ship it; docs/clusters.md says how"
_MEANINGS: tuple[tuple[str, str], ...] = (
    (
        r"No module named '((?:pipeline|configs|governance|tokenizer|trainer|openroots)\b[\w.]*)'",
        "a worker lacks OpenRoots, or has another version of it (no module {0}); " + _SHIP,
    ),
    (r"No module named '([\w.]+)'", "a worker lacks the Python package {0}; " + _SHIP),
    (
        r"Python in worker has different version:? \(?'?(\d+[., ]+\d+)\D+?than that in driver:? \(?'?(\d+[., ]+\d+)",
        "workers have another Python ({0}) than this machine ({1}); point PYSPARK_PYTHON at the same one",
    ),
    (
        r"construction environment and pipeline runtime environment are not compatible.*?(apache/beam\S+|$)",
        "workers have another version of Apache Beam or Python than this machine; " + _SHIP,
    ),
    (
        r"Cannot run program \"([^\"]+)\"",
        "a worker has no Python at {0}; point PYSPARK_PYTHON at one that all workers have",
    ),
    (
        r"(?:NoCredentialsError|Unable to locate credentials|DefaultCredentialsError)",
        "a worker has no credentials for the store; give it a role, or the variables that this machine has",
    ),
    (
        r"(?:All masters are unresponsive|SparkContext was shut down|Connection to \S+ master failed)",
        "the Spark cluster went away",
    ),
    (
        r"(?i)(?:failed to connect to all addresses|connection refused)(?:[^\n]*?([\w.-]+:\d{2,5}))?",
        "a connection was refused {0}: is the worker pool of --environment_config running, and is the job server up?",
    ),
)


def explained(failure: BaseException, trace: str = "", options: Sequence[str] = ()) -> errors.OpenRootsError:
    """A failure on a cluster in one line: what, and what to do, or where its whole `trace` is."""
    text = str(failure)
    for pattern, meaning in _MEANINGS:
        found = re.search(pattern, text)
        if found:
            return errors.OpenRootsError(meaning.format(*(shown(group or "", 200) for group in found.groups())))
    if call := _RPC.search(text):
        return _broken_off(call[1], call[2], said(options))
    cause = shown(_last_cause(text) or type(failure).__name__, 600)
    where = f"; the whole trace is in {shown(trace)}" if trace else ""
    return errors.OpenRootsError(f"the job failed on the cluster: {cause}{where}")


_RPC = re.compile(r"status = StatusCode\.(\w+)\s+details = \"([^\"\n]*)")
"""What gRPC says of a call to the job server that broke off."""


def _broken_off(status: str, details: str, options: dict[str, str]) -> errors.OpenRootsError:
    """The job server refuses, or has ended: prism, for one, ends where a worker pool does not answer."""
    server, pool = options.get("job_endpoint", ""), options.get("environment_config", "")
    told = f"the job server{f' at {shown(server)}' if server else ''}"
    if status not in ("UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"):
        return errors.OpenRootsError(f"{told} refuses the job: {shown(details or status)}")
    told += f" broke off ({shown(details or status)})"
    absent = [f"{shown(host)}:{port}" for host, port in endpoints(pool) if unreachable(host, port, 2.0)]
    if options.get("environment_type", "").upper() == "EXTERNAL" and absent:
        remedy = f"nothing answers at {absent[0]} either, where --environment_config has the worker pool: start both"
    else:
        remedy = "see its log, and start it again if it has ended"
    return errors.OpenRootsError(f"{told}; {remedy}; the same command resumes")


def _last_cause(text: str) -> str:
    """The line of a trace that says what was raised: the last one of the innermost Python trace, or the first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    starts = [place for place, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if starts:
        for line in lines[starts[0] + 1 :]:
            if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Warning)\b", line):
                return line
    return lines[0] if lines else ""
