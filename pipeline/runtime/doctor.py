"""What `openroots doctor` looks at before a build is sent to a runner: this machine, the addresses, the workers."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from uuid import uuid4

from apache_beam.runners.runner import create_runner

from configs.errors import OpenRootsError
from configs.shown import shown
from pipeline.runtime import storage
from pipeline.runtime.engine import RUNNERS, Engine
from pipeline.runtime.probe import probe, versions
from pipeline.runtime.remote import ADDRESSES, endpoints, said, unreachable

GOOD, BAD, UNKNOWN = "good", "bad", "unknown"
_EXTRAS = {
    "daskrunner": ("dask", "distributed"),
    "pysparkrunner": ("spark", "pyspark"),
    "dataflowrunner": ("dataflow", "google.cloud.storage"),
}
"""Runner → the extra of ours that it needs, and a module that comes with it."""
_STORES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its state, what was found, and what to do where it is not good."""

    what: str
    state: str
    found: str
    remedy: str = ""


def examine(engine: Engine, output: str | None, send: bool = True) -> Iterator[Finding]:
    """Look at everything in order; workers only where all before is good, and where `send` allows a small job."""
    output, bad = output and storage.absolute(output), False
    for finding in _here(engine, output):
        bad |= finding.state == BAD
        yield finding
    if engine.is_local:
        return
    if bad or not send:
        yield Finding(
            "workers",
            UNKNOWN,
            "not asked",
            "fix what is wrong, then run `openroots doctor` again" if bad else "leave --no-job out",
        )
    elif not output:
        yield Finding("workers", UNKNOWN, "not asked", "give the --output that the build is to have")
    elif "dataflow" in _runner(engine):
        yield Finding("workers", UNKNOWN, "not checked: a Dataflow job takes minutes", "the build checks them first")
    else:
        yield _tried("workers", "have our versions; read, write and delete there", lambda: probe(engine, output))


def _here(engine: Engine, output: str | None) -> Iterator[Finding]:
    yield Finding("this machine", GOOD, ", ".join(f"{name} {number}" for name, number in versions().items()))
    name = said(engine.options).get("runner", "DirectRunner")
    yield _tried("runner", shown(name), lambda: create_runner(RUNNERS.get(name, name)))
    runner = _runner(engine)
    extra, module = _EXTRAS.get(runner, ("", ""))
    if module and not _has(module):
        yield Finding("packages", BAD, f"{module} is missing", f"pip install 'openroots[{extra}]'")
    if runner == "pysparkrunner":
        yield from _spark()
    yield from _addresses(engine)
    if "dataflow" in runner:
        yield from _dataflow(engine)
    if output:
        yield _store_package(output) or _tried(
            "output", f"{shown(output)}: read, write, delete", lambda: _store(output)
        )
        if not engine.is_local and storage.is_local(output):
            yield Finding("output", UNKNOWN, "a local folder", "it must lie on a file system that all workers share")


def _runner(engine: Engine) -> str:
    return said(engine.options).get("runner", "DirectRunner").rpartition(".")[2].lower()


def _has(module: str) -> bool:
    with suppress(ImportError):
        return find_spec(module) is not None
    return False


def _spark() -> Iterator[Finding]:
    java = shutil.which("java", path=f"{os.environ.get('JAVA_HOME', '')}/bin:{os.environ.get('PATH', '')}")
    if java is None:
        yield Finding("Java", BAD, "not found", "install a Java runtime (17 for Spark 4, 8 to 17 for Spark 3.5)")
    else:
        yield Finding("Java", GOOD, java)
    if "SPARK_REMOTE" in os.environ:
        yield Finding("session", BAD, "Spark Connect", "unset SPARK_REMOTE: Connect offers no RDDs")
    if "PYSPARK_PYTHON" in os.environ:
        yield Finding("workers' Python", GOOD, shown(os.environ["PYSPARK_PYTHON"]))


def _addresses(engine: Engine) -> Iterator[Finding]:
    options = said(engine.options)
    asked = dict(ADDRESSES)
    if options.get("environment_type", "").upper() == "EXTERNAL":
        asked["environment_config"] = "start the worker pool there, or correct --environment_config"
        if not endpoints(options.get("environment_config", "")):
            yield Finding("environment_config", BAD, "no host:port of a worker pool", "--environment_config host:port")
    for name, remedy in asked.items():
        for host, port in endpoints(options.get(name, "")):
            cause = unreachable(host, port)
            where = f"{shown(host)}:{port}"
            yield Finding(name, BAD, f"{where}: {cause}", remedy) if cause else Finding(name, GOOD, f"{where} answers")
    if "portable" in _runner(engine) and "job_endpoint" not in options:
        yield Finding("job_endpoint", BAD, "not given", "--job_endpoint host:port of the job server")


def _dataflow(engine: Engine) -> Iterator[Finding]:
    options = said(engine.options)
    for name in ("project", "region", "temp_location"):
        if not options.get(name):
            yield Finding(name, BAD, "not given", f"Dataflow needs --{name}")
    for name in ("temp_location", "staging_location"):
        if options.get(name) and not options[name].startswith("gs://"):
            yield Finding(name, BAD, shown(options[name]), "must be a folder of Cloud Storage: gs://…")
    if not options.get("sdk_container_image"):
        yield Finding("sdk_container_image", BAD, "not given", "workers need an image with OpenRoots: deploy/dataflow")


def _store_package(output: str) -> Finding | None:
    package = _STORES.get(output.partition("://")[0])
    if package and not _has(package):
        return Finding("output", BAD, f"{package} is missing", f"pip install {package}, here and on the workers")
    return None


def _store(output: str) -> None:
    place = storage.join(output, f"doctor-{uuid4().hex[:8]}")
    try:
        storage.write_json(storage.join(place, "here.json"), 1)
        storage.read_json(storage.join(place, "here.json"))
        storage.remove(place, ["here.json"])
    finally:
        with suppress(Exception):
            storage.remove_tree(place)


def _tried(what: str, found: str, do: Callable[[], object]) -> Finding:
    try:
        do()
    except OpenRootsError as error:
        return Finding(what, BAD, str(error))
    except Exception as error:
        return Finding(what, BAD, shown(f"{type(error).__name__}: {error}", 300))
    return Finding(what, GOOD, found)
