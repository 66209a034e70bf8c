"""Runners elsewhere: addresses are tried first, failures become one line, jobs are cancelled."""

import logging
import re
import socket
import sys
import threading
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability import portable_runner

from configs.errors import ConfigurationError, OpenRootsError
from pipeline.runtime import probe, remote, storage, stores
from pipeline.runtime.engine import Engine, quiet_beam
from pipeline.runtime.remote import cancel_jobs, cancellable, check_reachable, endpoints, explained, said
from tests.faulty_store import AWAY, faults
from tests.small_build import build, write_inputs

RUNNER = "--runner=PortableRunner"


def closed_port() -> int:
    """A port at which nothing answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("host:8099", [("host", 8099)]),
        ("tcp://10.0.0.1:8786", [("10.0.0.1", 8786)]),
        ("spark://a:7077,b:7078", [("a", 7077), ("b", 7078)]),
        ("[::1]:8099", [("::1", 8099)]),
        ("yarn", []),
        ("local[2]", []),
        ("k8s://https://host:443", []),
        ("embed", []),
    ],
)
def test_addresses_are_found_in_what_options_say(value: str, expected: list[tuple[str, int]]) -> None:
    assert endpoints(value) == expected


def test_options_are_read_with_and_without_the_equals_sign() -> None:
    assert said(["--a=1", "--b", "2", "--a", "3"]) == {"a": "3", "b": "2"}


@pytest.mark.parametrize("option", ["job_endpoint", "dask_client_address", "spark_master"])
def test_an_address_at_which_nothing_answers_is_named_at_once(option: str) -> None:
    scheme = {"dask_client_address": "tcp://", "spark_master": "spark://"}.get(option, "")
    address = f"{scheme}127.0.0.1:{closed_port()}"
    with pytest.raises(OpenRootsError, match=rf"nothing answers at {address}.*--{option}"):
        check_reachable([f"--{option}={address}"])


def test_one_master_of_several_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_reachable([f"--spark_master=spark://127.0.0.1:{closed_port()},127.0.0.1:{server.getsockname()[1]}"])


def test_a_wrong_job_endpoint_ends_a_build_in_one_line(tmp_path: Path) -> None:
    engine = Engine(options=(RUNNER, f"--job_endpoint=127.0.0.1:{closed_port()}", "--environment_type=LOOPBACK"))
    with pytest.raises(OpenRootsError, match="nothing answers at"):
        build(write_inputs(tmp_path, 2, 1), tmp_path / "corpus", engine)


TRACE = """An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times
Traceback (most recent call last):
  File "/opt/spark/python/lib/pyspark.zip/pyspark/worker.py", line 1100, in main
    func, profiler, deserializer, serializer = read_command(pickleSer, infile)
{}
	at org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException(PythonRunner.scala:572)
"""


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        ("ModuleNotFoundError: No module named 'pipeline'", "a worker lacks OpenRoots"),
        ("ModuleNotFoundError: No module named 'pipeline.runtime.probe'", "another version of it"),
        ("ModuleNotFoundError: No module named 's3fs'", "a worker lacks the Python package s3fs"),
        ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", "no credentials for the store"),
        ("ZeroDivisionError: division by zero", "the job failed on the cluster: ZeroDivisionError: division by zero"),
        (
            "PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.10 than that in "
            "driver: 3.11, PySpark cannot run with different minor versions.",
            r"workers have another Python \(3.10\) than this machine \(3.11\)",
        ),
    ],
)
def test_a_failure_on_a_cluster_is_explained_in_one_line(raised: str, expected: str) -> None:
    error = explained(RuntimeError(TRACE.format(raised)))
    assert "\n" not in str(error)
    with pytest.raises(OpenRootsError, match=expected):
        raise error


RPC = """<_MultiThreadedRendezvous of RPC that terminated with:
	status = StatusCode.{}
	details = "{}"
	debug_error_string = "x"
>"""


def test_a_job_server_that_ended_and_a_worker_pool_that_is_not_there_are_named() -> None:
    pool, server = f"127.0.0.1:{closed_port()}", f"127.0.0.1:{closed_port()}"
    options = [f"--job_endpoint={server}", "--environment_type=EXTERNAL", f"--environment_config={pool}"]
    told = str(explained(RuntimeError(RPC.format("UNAVAILABLE", "Socket closed")), "", options))
    assert told.startswith(f"the job server at {server} broke off (Socket closed); nothing answers at {pool} either")
    assert "\n" not in told
    alone = str(explained(RuntimeError(RPC.format("UNAVAILABLE", "Socket closed")), "", options[:1]))
    assert "see its log" in alone and "pool" not in alone


def test_what_a_job_server_refuses_is_told_in_its_words() -> None:
    told = str(explained(RuntimeError(RPC.format("INVALID_ARGUMENT", "no such environment")), "", []))
    assert told == "the job server refuses the job: no such environment"


def test_threads_that_listen_to_a_job_server_end_quietly_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(remote, "_hooks", [told.append])
    for kind in (type("RpcError", (Exception,), {"__module__": "grpc"}), ValueError):
        remote._unless_rpc(threading.ExceptHookArgs((kind, kind("x"), None, None)))
    assert [failed.exc_type for failed in told] == [ValueError]


def test_what_a_job_server_says_of_a_failure_is_not_printed_as_well(capfd: pytest.CaptureFixture[str]) -> None:
    quiet_beam()
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    try:
        theirs = ("root", logging.ERROR, portable_runner.__file__, 1, "Traceback of a job server", None, None)
        logging.getLogger().handle(logging.LogRecord(*theirs))
        logging.getLogger().error("ours")
    finally:
        logging.getLogger().removeHandler(handler)
    assert capfd.readouterr().err == "ours\n"


class Job:
    """A pipeline somewhere that runs until it is cancelled."""

    def __init__(self) -> None:
        self.state, self.order = "RUNNING", list[str]()

    def cancel(self) -> None:
        self.order.append("cancelled")
        threading.Timer(0.3, self._end).start()

    def _end(self) -> None:
        self.order.append("ended")
        self.state = "CANCELLED"


def test_cancelling_returns_once_the_job_has_ended() -> None:
    job = Job()
    with cancellable(job):
        cancel_jobs()
        job.order.append("went on")
    assert job.order == ["cancelled", "ended", "went on"]


def test_an_interrupt_cancels_the_job() -> None:
    job = Job()
    with pytest.raises(KeyboardInterrupt), cancellable(job):
        raise KeyboardInterrupt
    assert job.state == "CANCELLED"


def look(tmp_path: Path, **changed: Any) -> probe._Look:
    """What a worker would be asked, changed; the driver has written to the shared folder."""
    place = str(tmp_path / "probe")
    storage.write_json(storage.join(place, "driver.json"), "token")
    given = {"expected": probe.versions(), "folder": str(tmp_path), "place": place, "token": "token"}
    return probe._Look(**{**given, **changed})


def test_a_worker_like_the_driver_passes_and_leaves_nothing(tmp_path: Path) -> None:
    assert list(look(tmp_path).process(0)) == [0]
    assert [path.name for path in (tmp_path / "probe").iterdir()] == ["driver.json"]


def complaint(asked: probe._Look) -> str:
    """What the build would end with."""

    def construct(pipeline: beam.Pipeline) -> Any:
        return pipeline | beam.Create([0]) | beam.ParDo(asked)

    with pytest.raises(OpenRootsError) as caught:
        Engine().run("probe", construct)
    return str(caught.value)


def test_a_worker_from_which_the_store_is_away_is_named_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "impatient", partial(stores.impatient, 0.05))
    bucket = f"faulty://{uuid.uuid4().hex}"
    with faults(lambda *_: AWAY):
        assert re.search(r"the worker on \S+ cannot read .* does not answer", complaint(look(tmp_path, place=bucket)))


def test_a_job_server_is_told_the_name_of_a_job() -> None:
    asked: list[Any] = []

    class Server:
        def Prepare(self, request: Any, timeout: Any) -> None:
            asked.append(request)

        def DescribePipelineOptions(self, *_: Any, **__: Any) -> Any:
            return beam_job_api_pb2.DescribePipelineOptionsResponse()

    remote.name_jobs()
    options = PipelineOptions(["--job_name=openroots-read"])
    portable_runner.JobServiceHandle(Server(), options).prepare(beam_runner_api_pb2.Pipeline())  # type: ignore[no-untyped-call]
    assert [request.job_name for request in asked] == ["openroots-read"]


def test_a_worker_of_another_version_is_named(tmp_path: Path) -> None:
    versions = {**probe.versions(), "openroots": "9.9"}
    assert f"has openroots {probe.versions()['openroots']} (here 9.9)" in complaint(look(tmp_path, expected=versions))


def test_a_folder_that_workers_do_not_share_is_named(tmp_path: Path) -> None:
    asked = look(tmp_path, place=str(tmp_path / "elsewhere"))
    assert "does not see what this machine wrote" in complaint(asked)


def test_a_worker_that_lacks_a_stores_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: Any, **__: Any) -> Any:
        raise ImportError("Please install gcsfs to access Google Storage")

    asked = look(tmp_path, place="gs://bucket/probe")
    monkeypatch.setattr(stores.fsspec, "url_to_fs", lacking)
    assert re.search(r"the worker on \S+ cannot read .* pip install 'openroots\[gcs\]'", complaint(asked))


def test_a_folder_in_which_workers_may_not_write_is_named(tmp_path: Path) -> None:
    asked = look(tmp_path)
    (tmp_path / "probe").chmod(0o500)
    try:
        if _may_write(tmp_path / "probe"):
            pytest.skip("this user may write anywhere")
        assert "cannot write to" in complaint(asked)
    finally:
        (tmp_path / "probe").chmod(0o700)


def _may_write(folder: Path) -> bool:
    try:
        (folder / "try").touch()
    except OSError:
        return False
    (folder / "try").unlink()
    return True


def test_what_a_runner_does_not_support_is_an_error_of_ours(tmp_path: Path) -> None:
    def construct(pipeline: beam.Pipeline) -> Any:
        return pipeline | beam.io.ReadFromText(str(tmp_path / "*"), validate=False)

    with pytest.raises(ConfigurationError, match="PySparkRunner does not support a splittable DoFn"):
        Engine(options=("--runner=PySparkRunner",)).run("x", construct)
