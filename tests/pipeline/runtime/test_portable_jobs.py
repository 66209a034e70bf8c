"""What our jobs ask of a portable runner: nothing that Beam's job servers for Spark and Flink lack."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2

from pipeline.runtime.engine import Engine
from tests.small_build import build, write_inputs

PRIMITIVES = {
    common_urns.primitives.IMPULSE.urn,
    common_urns.primitives.PAR_DO.urn,
    common_urns.primitives.GROUP_BY_KEY.urn,
    common_urns.primitives.FLATTEN.urn,
}
"""What every portable batch runner translates (Beam's capability matrix; the translators of its Spark and Flink
runners)."""


@dataclass(frozen=True)
class Recording(Engine):
    """An engine that keeps the jobs it runs, as they would be sent, and as they would be sent to Dataflow."""

    def run(self, label: str, construct: Callable[[beam.Pipeline], Any], input_bytes: int | None = None) -> None:
        pipeline = beam.Pipeline()
        construct(pipeline)
        JOBS[label] = pipeline.to_runner_api()
        for_dataflow = beam.Pipeline(options=PipelineOptions(list(DATAFLOW)))
        construct(for_dataflow)
        TRANSLATED[label] = for_dataflow.run().job.proto_pipeline
        super().run(label, construct, input_bytes)


JOBS: dict[str, beam_runner_api_pb2.Pipeline] = {}
TRANSLATED: dict[str, beam_runner_api_pb2.Pipeline] = {}
IMAGE = "europe-west4-docker.pkg.dev/corpus-project/images/openroots:0.1.0"
DATAFLOW = (
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--no_auth",
    "--project=corpus-project",
    "--region=europe-west4",
    "--temp_location=gs://corpus/temp",
    "--staging_location=gs://corpus/staging",
    f"--sdk_container_image={IMAGE}",
    "--sdk_location=container",
    "--experiments=use_runner_v2",
)
"""As `deploy/dataflow` says, but that nothing is sent."""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, beam_runner_api_pb2.Pipeline]:
    """All jobs of a build on a runner that spills, by their labels."""
    folder = tmp_path_factory.mktemp("jobs")
    build(write_inputs(folder), folder / "corpus", Recording(options=("--runner=FnApiRunner",)))
    return JOBS


def test_a_build_is_a_probe_and_four_jobs(jobs: dict[str, beam_runner_api_pb2.Pipeline]) -> None:
    assert list(jobs) == ["probe", "read", "compare", "choose", "write"]


def test_no_job_has_a_requirement(jobs: dict[str, beam_runner_api_pb2.Pipeline]) -> None:
    assert {label: list(job.requirements) for label, job in jobs.items() if job.requirements} == {}


def test_jobs_consist_of_what_every_runner_translates(jobs: dict[str, beam_runner_api_pb2.Pipeline]) -> None:
    used = {
        transform.spec.urn
        for job in jobs.values()
        for transform in job.components.transforms.values()
        if not transform.subtransforms
        and set(transform.outputs.values()) - set(transform.inputs.values())  # else it does nothing, and is left out
    }
    assert used <= PRIMITIVES


def test_all_collections_are_bounded_and_in_the_global_window(jobs: dict[str, beam_runner_api_pb2.Pipeline]) -> None:
    for job in jobs.values():
        parts = job.components
        assert {c.is_bounded for c in parts.pcollections.values()} == {beam_runner_api_pb2.IsBounded.BOUNDED}
        strategies = [parts.windowing_strategies[c.windowing_strategy_id] for c in parts.pcollections.values()]
        assert {strategy.window_fn.urn for strategy in strategies} == {"beam:window_fn:global_windows:v1"}


def test_keys_have_coders_that_are_equal_where_their_bytes_are(jobs: dict[str, beam_runner_api_pb2.Pipeline]) -> None:
    for job in jobs.values():
        parts = job.components
        for transform in parts.transforms.values():
            if transform.spec.urn == common_urns.primitives.GROUP_BY_KEY.urn:
                (before,) = transform.inputs.values()
                pair = parts.coders[parts.pcollections[before].coder_id]
                assert pair.spec.urn == "beam:coder:kv:v1", transform.unique_name


def test_every_job_translates_for_dataflow_with_our_image(jobs: dict[str, beam_runner_api_pb2.Pipeline]) -> None:
    assert list(TRANSLATED) == list(jobs)
    for job in TRANSLATED.values():
        assert not job.requirements
        images = {
            beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image
            for environment in job.components.environments.values()
        }
        assert images == {IMAGE}
