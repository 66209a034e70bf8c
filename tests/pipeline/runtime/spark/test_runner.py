"""`PySparkRunner` on a Spark of this machine, where PySpark and Java are there; what it refuses, everywhere."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate

from configs.errors import ConfigurationError, OpenRootsError
from pipeline.runtime.engine import Engine, carry
from pipeline.runtime.spark.runner import PySparkRunner
from tests.small_build import build, write_inputs

MASTER = "local[2]"
OPTIONS = ("--runner=PySparkRunner", f"--spark_master={MASTER}", "--spark_conf=spark.ui.enabled=false")


@pytest.fixture(scope="module")
def spark() -> Iterator[None]:
    """A session that all tests of this module use; it is stopped at the end."""
    pyspark = pytest.importorskip("pyspark", reason="PySpark is not installed: pip install 'openroots[spark]'")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java, which is not installed")
    yield
    if pyspark.SparkContext._active_spark_context:
        pyspark.SparkContext._active_spark_context.stop()


class Stateful(beam.DoFn):
    """Keeps state."""

    STATE = beam.DoFn.StateParam(userstate.BagStateSpec("state", beam.coders.VarIntCoder()))

    def process(self, element: Any, state: Any = STATE) -> Iterator[Any]:
        yield element


def refused(construct: Any, *options: str) -> str:
    """What the runner answers; nothing of Spark is started."""
    pipeline = beam.Pipeline(PySparkRunner(), PipelineOptions(list(options)))
    construct(pipeline)
    with pytest.raises(NotImplementedError) as caught:
        pipeline.run()
    return str(caught.value)


def test_state_is_refused_by_name() -> None:
    answer = refused(lambda pipeline: pipeline | beam.Create([("a", 1)]) | "Keep" >> beam.ParDo(Stateful()))
    assert answer == "PySparkRunner does not support state or timers: Keep"


def test_splittable_dofns_are_refused_by_name(tmp_path: Path) -> None:
    answer = refused(lambda pipeline: pipeline | beam.io.ReadFromText(str(tmp_path / "*"), validate=False))
    assert "splittable DoFn" in answer


def test_streaming_is_refused() -> None:
    assert "batch pipelines only" in refused(lambda pipeline: pipeline | beam.Create([1]), "--streaming")


@pytest.mark.parametrize("option", ["--spark_master=sc://host:15002"])
def test_spark_connect_is_refused(option: str) -> None:
    with pytest.raises(ConfigurationError, match="Spark Connect"):
        Engine(options=("--runner=PySparkRunner", option)).run("x", lambda pipeline: pipeline | beam.Create([1]))


@pytest.mark.parametrize("setting", ["executor.memory=1g", "spark.executor.memory"])
def test_a_setting_that_is_none_is_refused(setting: str) -> None:
    pytest.importorskip("pyspark", reason="PySpark is not installed: pip install 'openroots[spark]'")
    with pytest.raises(ConfigurationError, match="--spark_conf"):
        engine = Engine(options=("--runner=PySparkRunner", f"--spark_conf={setting}"))
        engine.run("x", lambda pipeline: pipeline | beam.Create([1]))


@pytest.mark.slow
def test_a_build_on_spark_gives_the_same_bytes(spark: None, tmp_path: Path) -> None:
    recipe = write_inputs(tmp_path)
    engine = Engine(options=OPTIONS, log=str(tmp_path / "log"))
    assert build(recipe, tmp_path / "spark", engine)["digest"] == build(recipe, tmp_path / "here")["digest"]


class Fails(beam.DoFn):
    """Raises an error of ours."""

    def process(self, _: Any) -> Iterator[Any]:
        raise carry(OpenRootsError("the disk of worker 7 is full"))
        yield


@pytest.mark.slow
def test_an_error_of_ours_comes_through_as_it_is(spark: None, tmp_path: Path) -> None:
    engine = Engine(options=OPTIONS, log=str(tmp_path / "log"))
    with pytest.raises(OpenRootsError, match=r"^the disk of worker 7 is full$"):
        engine.run("x", lambda pipeline: pipeline | beam.Create([1]) | beam.ParDo(Fails()))


@pytest.mark.slow
def test_a_foreign_error_is_one_line_and_its_trace_is_in_the_log(spark: None, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(OpenRootsError, match=r"^the job failed on the cluster: .*ZeroDivisionError[^\n]*$"):
        Engine(options=OPTIONS, log=str(log)).run("x", lambda pipeline: pipeline | beam.Create([1]) | beam.Map(divided))
    assert "Traceback" in log.read_text()


def divided(number: int) -> float:
    return number / 0


@pytest.mark.slow
def test_settings_that_the_session_lacks_are_refused(spark: None, tmp_path: Path) -> None:
    Engine(options=OPTIONS, log=str(tmp_path / "log")).run("x", lambda pipeline: pipeline | beam.Create([1]))
    with pytest.raises(ConfigurationError, match=r"lacks spark\.task\.cpus=2"):
        Engine(options=(*OPTIONS, "--spark_conf=spark.task.cpus=2")).run("x", lambda p: p | beam.Create([1]))
