"""Spark's parts of `make clusters`: a master and two workers on this machine, and what may happen to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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
    has_begun,
    running,
    stopped,
    tool,
    wait_for,
)
from tests.clusters.tools import spark_packages

WORKERS = 2
WORKER_MEMORY = "1g"


class Cluster:
    """A standalone cluster of Spark's that runs."""

    def __init__(self, master: str, workers: list[int]) -> None:
        self.master, self.workers = master, workers

    @property
    def options(self) -> list[str]:
        """What the command line says to build on it."""
        settings = ("spark.executor.memory=700m", "spark.ui.enabled=false", "spark.driver.host=127.0.0.1")
        return [
            "--runner=PySparkRunner",
            f"--spark_master={self.master}",
            *(f"--spark_conf={setting}" for setting in settings),
        ]

    def executors(self) -> list[int]:
        """Process ids of executors, which are Java's."""
        return [pid for pid in self._below() if "CoarseGrainedExecutorBackend" in command_line(pid)]

    def python_workers(self) -> list[int]:
        """Process ids of Python workers: those that a daemon of PySpark's has forked."""
        daemons = [pid for pid in self._below() if "pyspark.daemon" in command_line(pid)]
        return [pid for pid in daemons if any(pid in descendants(other) for other in daemons)]

    def _below(self) -> list[int]:
        return [pid for worker in self.workers for pid in descendants(worker)]


@contextmanager
def cluster(folder: Path, packages: Path) -> Iterator[Cluster]:
    """A master and two workers of one core each, of the PySpark in a folder `packages`; stopped at the end."""
    home = packages / "pyspark"
    port, spark_class = free_port(), home / "bin" / "spark-class"
    environment = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    environment |= {"SPARK_NO_DAEMONIZE": "1", "SPARK_LOCAL_DIRS": str(folder / "local"), "PYTHONPATH": str(packages)}
    where = ["--host", "127.0.0.1", "--webui-port", "0"]
    with ExitStack() as stack:
        master = ["org.apache.spark.deploy.master.Master", *where, "--port", port]
        stack.enter_context(running([spark_class, *master], folder / "master.log", environment))
        wait_for(lambda: answers(port), "Spark's master")
        address, workers = f"spark://127.0.0.1:{port}", []
        for number in range(WORKERS):
            size = ["--cores", "1", "--memory", WORKER_MEMORY, "--work-dir", folder / f"worker-{number}"]
            worker = ["org.apache.spark.deploy.worker.Worker", *where, *size, address]
            process = stack.enter_context(running([spark_class, *worker], folder / f"worker-{number}.log", environment))
            workers.append(process.pid)
        log = folder / "master.log"
        wait_for(lambda: log.read_text(errors="replace").count("Registering worker") == WORKERS, "Spark's workers")
        yield Cluster(address, workers)


def rows(release: str, ground: Ground) -> Iterator[Row]:
    """All builds on one release of Spark."""
    tool("java", "Spark needs Java 17 (apt-get install openjdk-17-jre-headless)")
    packages = spark_packages(release, ground)
    with cluster(ground.folder / "spark", packages) as spark:
        for recipe in ground.recipes:
            for fault in _faults(spark, ground):
                output, environment = ground.fresh("on-spark"), {"PYTHONPATH": str(packages)}
                name = f"Spark {release}, {WORKERS} workers"
                yield ground.build(
                    name, recipe, str(output), spark.options, fault, environment, workers=spark.python_workers
                )
        ground.fresh("on-spark")


def _faults(spark: Cluster, ground: Ground) -> Sequence[Fault | None]:
    files = ground.folder / "on-spark" / ".work"
    worker = Killer(spark.python_workers, files / "annotate" / "files")
    executor = Killer(spark.executors, files / "deduplicate-sign" / "files")
    if ground.is_short:
        return (Fault("a Python worker, an executor killed", lambda process: worker(process) & executor(process)),)
    end = stopped(signal.SIGINT, lambda: has_begun(files / "annotate" / "files"), ground.folder / "on-spark")
    return None, Fault("a Python worker killed", worker), Fault("an executor killed", executor), end


class Killer:
    """Kills one process, once a step has begun to leave files."""

    def __init__(self, candidates: Callable[[], list[int]], begun: Path) -> None:
        self._candidates, self._begun, self._done = candidates, begun, False

    def __call__(self, _: subprocess.Popen[bytes]) -> bool:
        if not self._done and has_begun(self._begun):
            for pid in self._candidates()[:1]:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    self._done = True
        return self._done
