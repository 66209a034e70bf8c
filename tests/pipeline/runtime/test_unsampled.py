"""Bundles do not wait at their end for a sampler that sleeps."""

import threading
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.worker import statesampler

from pipeline.runtime.local_runner import LocalRunner

seen: list[int] = []


class CountSamplers(beam.DoFn):
    def process(self, _: int) -> Iterator[int]:
        owners = [getattr(getattr(thread, "_target", None), "__self__", None) for thread in threading.enumerate()]
        seen.append(sum(isinstance(owner, statesampler.statesampler_impl.StateSampler) for owner in owners))
        Metrics.counter("test", "elements").inc()
        yield 0


@pytest.mark.parametrize(("runner", "samplers"), [(FnApiRunner, 1), (LocalRunner, 0)])
def test_no_sampler_runs_beside_our_bundles_and_counters_count(runner: type[FnApiRunner], samplers: int) -> None:
    seen.clear()
    sampled = statesampler.StateSampler
    pipeline = beam.Pipeline(runner())
    _ = pipeline | beam.Create([1, 2, 3], reshuffle=False) | beam.ParDo(CountSamplers())
    result = pipeline.run()
    result.wait_until_finish()
    assert seen == [samplers] * 3
    counted = result.metrics().query(MetricsFilter().with_name("elements"))["counters"]
    assert [counter.committed for counter in counted] == [3]
    assert statesampler.StateSampler is sampled
