"""The one place that starts Beam pipelines.

Local default: Beam's FnApiRunner, in this process for one worker or little work, in worker processes otherwise. It is
what Beam's DirectRunner comes down to, except for the attempt to download another runner and start that. Any other
runner gets the user's options untouched.
"""

import argparse
import json
import logging
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions, PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import python_sdk_capabilities

from configs import errors
from pipeline.runtime import nursery
from pipeline.runtime.local_runner import LocalRunner
from pipeline.runtime.remote import cancellable, check_reachable, explained, name_jobs, quiet_threads
from pipeline.runtime.workers import WorkerProcesses, death_after, deaths, idle_workers

_LOGGER = logging.getLogger("openroots")
_ATTEMPTS = 5
_NOTICE_SECONDS = 2.0
_PROCESSES = "multi_processing"
_MARK = "OPENROOTS-ERROR:"
RUNNERS = {
    "DaskRunner": "apache_beam.runners.dask.dask_runner.DaskRunner",
    "PySparkRunner": "pipeline.runtime.spark.runner.PySparkRunner",
}
"""Runners that Beam knows by their full names only."""
SMALL_BYTES = 32 << 20
"""Below this much input, starting worker processes (about 3 s) costs more than it saves. Not where they are forked from
a process that has loaded all (`nursery`): a pipeline then costs about 0.1 s more than in this process, and kernels that
this one does not load save more."""
SMALL_BYTES_STARTED = 1 << 20
"""The same where they wait already."""


@dataclass(frozen=True)
class Engine:
    """Runs pipelines with given Beam options.

    A pipeline that is to run on every runner has one terminal collection: Dask's computes no more than the last.

    `workers` is for the local DirectRunner; it is ignored where `options` name another `--runner`. What local worker
    processes print goes to the file `log`. With `check`, files that an earlier run left are trusted by their digests
    alone, not by length and time of change.
    """

    workers: int = 1
    options: tuple[str, ...] = ()
    log: str | None = None
    check: bool = False

    @property
    def is_local(self) -> bool:
        """Whether pipelines run on Beam's DirectRunner."""
        return "direct" in _said(self.options).runner.lower()

    @property
    def _is_spark(self) -> bool:
        """Whether pipelines run by PySpark, whose Java writes to this process's standard error."""
        return _said(self.options).runner.endswith("PySparkRunner")

    def _note(self, failure: Exception) -> str:
        """Keep the whole trace of a failure, of which the terminal gets one line, in the log or a file; its path."""
        path = self.log or str(Path(tempfile.mkdtemp(prefix="openroots-"), "trace.log"))
        with suppress(OSError), open(path, "a", encoding="utf-8") as stream:
            stream.write("".join(traceback.format_exception(failure)))
        return path

    def run(self, label: str, construct: Callable[[beam.Pipeline], Any], input_bytes: int | None = None) -> None:
        """Build a pipeline by `construct`, run it and wait for its end.

        `label` names the job. Little work may stay in this process when local (`SMALL_BYTES`). Raises the
        OpenRootsError that a worker raised; any other failure of the pipeline as Beam reports it. Where a local worker
        process dies, the pipeline is built and run again, from the third time on by fewer workers; WorkerDiedError
        after the fifth.
        """
        quiet_beam()
        workers = self.workers
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._run(construct, self._flags(label, input_bytes, workers))
                return
            except errors.WorkerDiedError as error:
                if attempt == _ATTEMPTS:
                    raise errors.WorkerDiedError(
                        f"{label}: {error}; {attempt} attempts ended like this. Finished work is kept: start again "
                        f"with fewer --workers or more memory{f'. The workers wrote to {self.log}' if self.log else ''}"
                    ) from error
                workers = max(1, workers // 2) if attempt > 1 else workers
                _LOGGER.warning("%s: %s; repeating its work", label, error)

    def _run(self, construct: Callable[[beam.Pipeline], Any], flags: list[str]) -> None:
        processes = self.is_local and _said(tuple(flags)).direct_running_mode == _PROCESSES
        log, before = self.log or os.devnull, deaths()
        options = _local_options(*flags) if self.is_local else _Options(flags)
        if processes:  # Beam would start its own
            options.view_as(DirectOptions).direct_running_mode = "in_memory"
        if not self.is_local:
            check_reachable(flags)
            quiet_threads()
            name_jobs()
        pipeline = beam.Pipeline(_local_runner(options, log if processes else None) if self.is_local else None, options)
        try:
            construct(pipeline)
            with _worker_output(log) if processes or self._is_spark else nullcontext():
                result = pipeline.run()
                with nullcontext() if self.is_local else cancellable(result):
                    state = result.wait_until_finish()
                if hasattr(result, "client"):  # Dask's runner opens a client a pipeline and leaves it open
                    result.client.close()
        except errors.OpenRootsError:
            raise
        except Exception as failure:
            carried = _carried_error(str(failure)) or _death(processes, before)
            if isinstance(failure, NotImplementedError) and not self.is_local:
                raise errors.ConfigurationError(str(failure)) from failure
            if carried is None and not self.is_local:
                carried = explained(failure, self._note(failure), flags)
            raise (carried or failure) from failure
        if state is not None and str(state) not in ("DONE", "UNKNOWN"):
            name = options.view_as(GoogleCloudOptions).job_name
            raise errors.OpenRootsError(f"pipeline `{name}` ended as {state}; see the runner's log")

    def _flags(self, label: str, input_bytes: int | None, workers: int | None = None) -> list[str]:
        flags = [_full_name(option) for option in self.options]
        said = _said(self.options)
        if not self.is_local:
            name = re.sub("[^a-z0-9]+", "-", label.lower())
            return flags if said.job_name else [*flags, f"--job_name=openroots-{name}"]
        workers = workers or self.workers
        started = SMALL_BYTES_STARTED if idle_workers() >= workers else SMALL_BYTES
        least = 0 if nursery.is_prepared() else started
        if not said.direct_num_workers and self.workers > 1 and (input_bytes or SMALL_BYTES) >= least:
            flags += [f"--direct_num_workers={workers}", f"--direct_running_mode={_PROCESSES}"]
        return [*flags, "--default_sdk_harness_log_level=ERROR"]


def _full_name(option: str) -> str:
    name = option.removeprefix("--runner=")
    return option.replace(name, RUNNERS[name]) if name in RUNNERS else option


def _death(processes: bool, before: int) -> errors.WorkerDiedError | None:
    """The death behind a failure: what Beam reads from a dead worker may break off before the death is noticed."""
    message = death_after(before, _NOTICE_SECONDS) if processes else None
    return errors.WorkerDiedError(message) if message else None


@cache
def _said(options: tuple[str, ...]) -> argparse.Namespace:
    """What options say of the things that this module decides; Beam reads `--name value` and `--name=value`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--runner", default="DirectRunner")
    for name in ("--job_name", "--direct_num_workers", "--direct_running_mode"):
        parser.add_argument(name, default="")
    return parser.parse_known_args(options)[0]


class _Options(PipelineOptions):
    """Options that parse their flags once for each kind of view, of which Beam asks for a thousand in a small build."""

    def view_as(self, cls: Any) -> Any:
        """The view of Beam's PipelineOptions; all views share their values."""
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]


@lru_cache(8)
def _local_options(*flags: str) -> _Options:
    """The options of all local pipelines with these flags."""
    return _Options(list(flags))


def _local_runner(options: PipelineOptions, log: str | None) -> LocalRunner:
    """Beam's local runner, with workers in this process, or in processes of their own that write to the file `log`."""
    WorkerProcesses.death = staticmethod(lambda message: str(carry(errors.WorkerDiedError(message))))
    environment = WorkerProcesses(log, python_sdk_capabilities()) if log else None
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options(drop_default=True))
    provision = fn_runner.ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded))
    return LocalRunner(environment, provision_info=provision)


@contextmanager
def _worker_output(log: str) -> Iterator[None]:
    """Send what child processes print on standard error to a file: they inherit the descriptor, and Beam's are chatty.

    Whoever wants to write to the terminal meanwhile must hold a duplicate of the descriptor, made before.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    saved = os.dup(2)
    with open(log, "ab") as stream:
        os.dup2(stream.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def quiet_beam() -> None:
    """Keep Beam's own chatter out of the terminal: it logs every exception that it also raises."""
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_not_beams)  # what a job server says, whole traces, Beam gives to the root logger
    warnings.filterwarnings("ignore", module="apache_beam")


def _not_beams(record: logging.LogRecord) -> bool:
    return "apache_beam" not in Path(record.pathname).parts


def carry(error: errors.OpenRootsError) -> RuntimeError:
    """Wrap an error so that it survives any runner: they pass on an exception's text, not its type."""
    fields = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, errors.InputError):
        fields |= {"file": error.file, "cause": error.cause, "remedy": error.remedy}
    return RuntimeError(f"{_MARK}{json.dumps(fields).encode().hex()}:")


def _carried_error(text: str) -> errors.OpenRootsError | None:
    start = text.find(_MARK)
    if start < 0:
        return None
    fields = json.loads(bytes.fromhex(text[start + len(_MARK) :].split(":", 1)[0]))
    kind = getattr(errors, fields["type"], errors.OpenRootsError)
    if issubclass(kind, errors.InputError):
        return kind(fields["file"], fields["cause"], fields["remedy"])
    return kind(fields["message"])
