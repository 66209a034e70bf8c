"""`PySparkRunner`: Beam's batch pipelines on a user's own Spark, by RDDs, in the manner of Beam's `DaskRunner`.

What RDDs have no place for is refused by name, before anything runs: state, timers, splittable DoFns, streaming.
"""

import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

from apache_beam.metrics.monitoring_infos import consolidate
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import translations
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiMetrics, FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState
from apache_beam.transforms import environments
from apache_beam.utils import proto_utils

from pipeline.runtime.spark.options import SparkOptions

_numbers = itertools.count()
_STOP_SECONDS = 10.0


class PySparkRunner(PipelineRunner):
    """Runs a pipeline on the session of Spark that exists, or on one of its own; see `SparkOptions`."""

    def default_environment(self, options: PipelineOptions) -> environments.Environment:
        """The interpreter of Spark's Python workers."""
        return environments.EmbeddedPythonEnvironment.default()

    def run_portable_pipeline(self, pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions) -> "SparkResult":
        """Start a pipeline. Raises NotImplementedError for what it does not run, and ConfigurationError."""
        _refuse(pipeline, options)
        spark_options = options.view_as(SparkOptions)
        name = options.view_as(GoogleCloudOptions).job_name or "Beam pipeline"
        context, stages = FnApiRunner().create_stages(pipeline)
        result = SparkResult(name)
        result.start(lambda: _run(result, spark_options, context, stages))
        return result


class SparkResult(PipelineResult):
    """A pipeline that runs in a thread of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(PipelineState.RUNNING)
        self.name, self.group = name, f"openroots-{next(_numbers)}"
        self.spark: Any = None
        self._failure: BaseException | None = None
        self._counted: Iterable[Any] = ()
        self._is_cancelled = False

    def start(self, work: Callable[[], Iterable[Any]]) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True, name=self.name)
        self._thread.start()

    def _run(self, work: Callable[[], Iterable[Any]]) -> None:
        try:
            self._counted = work()
            self._state = PipelineState.DONE
        except BaseException as failure:
            self._failure = _told(failure)
            self._state = PipelineState.CANCELLED if self._is_cancelled else PipelineState.FAILED

    def wait_until_finish(self, duration: int | None = None) -> str | None:
        """Wait for the end, at most `duration` ms; returns the state, or raises what ended it."""
        self._thread.join(None if duration is None else duration / 1000)
        if self._failure is not None and not self._is_cancelled:
            raise self._failure
        return None if self._thread.is_alive() else self._state

    def cancel(self) -> str:
        """End the job's tasks; returns when none of them runs any more, or after ten seconds."""
        if self._thread.is_alive():
            self._is_cancelled = True
            if self.spark is not None:
                self.spark.cancelJobGroup(self.group)
            self._thread.join(_STOP_SECONDS)
        return str(self._state)

    def check(self) -> None:
        """Go no further once cancelled."""
        if self._is_cancelled:
            raise RuntimeError("cancelled")

    def metrics(self) -> FnApiMetrics:
        """What DoFns counted; too much where tasks were repeated."""
        return FnApiMetrics({"": consolidate(self._counted)})


def _told(failure: BaseException) -> BaseException:
    """A failure as Python's workers told it, without the trace of Java around it; any other as it is."""
    told = str(failure)
    start = told.find("Traceback (most recent call last)")
    if not hasattr(failure, "java_exception") or start < 0:
        return failure
    error = RuntimeError(told[start:].partition("\n\tat ")[0].rstrip())
    error.__cause__ = failure
    return error


def _run(result: SparkResult, options: SparkOptions, context: Any, stages: list[translations.Stage]) -> list[Any]:
    from pipeline.runtime.spark.plan import StagesOnSpark
    from pipeline.runtime.spark.session import spark_context

    spark = spark_context(options)
    spark.setJobGroup(result.group, result.name, interruptOnCancel=True)
    result.spark = spark
    result.check()
    return StagesOnSpark(spark, context, options.spark_partitions).run(stages)


_REQUIREMENTS = {
    common_urns.requirements.REQUIRES_STATEFUL_PROCESSING.urn: "state or timers",
    common_urns.requirements.REQUIRES_SPLITTABLE_DOFN.urn: "a splittable DoFn (Beam's own sources are ones)",
    common_urns.requirements.REQUIRES_BUNDLE_FINALIZATION.urn: "bundle finalization",
    common_urns.requirements.REQUIRES_STABLE_INPUT.urn: "a DoFn that requires stable input",
    common_urns.requirements.REQUIRES_TIME_SORTED_INPUT.urn: "a DoFn that requires input sorted by time",
}


def _refuse(pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions) -> None:
    """Refuse by name what is not supported. Raises NotImplementedError."""
    if options.view_as(StandardOptions).streaming:
        raise NotImplementedError("PySparkRunner runs batch pipelines only, without --streaming")
    for transform in pipeline.components.transforms.values():
        if transform.spec.urn == common_urns.primitives.TEST_STREAM.urn:
            raise NotImplementedError(f"PySparkRunner runs no {transform.spec.urn}: {transform.unique_name}")
        if transform.spec.urn in translations.PAR_DO_URNS:
            payload = proto_utils.parse_Bytes(transform.spec.payload, beam_runner_api_pb2.ParDoPayload)
            needs = _needs(payload)
            if needs:
                raise NotImplementedError(f"PySparkRunner does not support {needs}: {transform.unique_name}")
    for collection in pipeline.components.pcollections.values():
        if collection.is_bounded == beam_runner_api_pb2.IsBounded.UNBOUNDED:
            raise NotImplementedError(f"PySparkRunner runs no unbounded collections: {collection.unique_name}")
    for requirement in pipeline.requirements:
        raise NotImplementedError(f"PySparkRunner does not support {_REQUIREMENTS.get(requirement, requirement)}")


def _needs(payload: Any) -> str:
    named = {
        "state or timers": payload.state_specs or payload.timer_family_specs,
        "a splittable DoFn (Beam's own sources are ones)": payload.restriction_coder_id,
        "bundle finalization": payload.requests_finalization,
        "a DoFn that requires stable input": payload.requires_stable_input,
        "a DoFn that requires input sorted by time": payload.requires_time_sorted_input,
    }
    return next((name for name, needed in named.items() if needed), "")
