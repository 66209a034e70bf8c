"""Beam's local runner, but with workers that fetch their next piece of work when they are free.

Beam's own deals all keys out before it starts, in turn, one bundle a worker: the worker with the long tasks works on
alone.
"""

import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, wait
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    BundleManager,
    FnApiRunner,
    ParallelBundleManager,
)
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from pipeline.runtime.unsampled import unsampled

PARTS_PER_WORKER = 64
"""At most so many bundles a worker; below that each key is one. A bundle costs some milliseconds."""


class LocalRunner(FnApiRunner):
    """Beam's FnApiRunner, with `_SharedBundles` where there are several workers, and bundles that end at once."""

    def run_stages(self, stage_context: Any, stages: Any) -> Any:
        """Run the stages of a pipeline, in their order."""
        with unsampled():
            return super().run_stages(stage_context, stages)

    def _get_bundle_manager(self, bundle_context_manager: Any) -> BundleManager:
        manager = super()._get_bundle_manager(bundle_context_manager)
        if isinstance(manager, ParallelBundleManager):
            manager = _SharedBundles(bundle_context_manager, cache_token_generator=manager._cache_token_generator)
        return manager


class _SharedBundles(ParallelBundleManager):
    """Splits what is grouped by key into many bundles, which the workers take in the order in which keys came."""

    def process_bundle(
        self,
        inputs: Mapping[str, Any],
        expected_outputs: Any,
        fired_timers: Mapping[Any, Any],
        expected_output_timers: Any,
        dry_run: bool = False,
    ) -> Any:
        """Run the bundles; after a failure no more begin, and those that have begun are not waited for."""
        bundles = _split(inputs, self._num_workers)
        waiting = iter(enumerate(bundles))
        lock, failed = threading.Lock(), threading.Event()

        def work(handler: Any) -> list[Any]:
            context: Any = _OneWorker(self.bundle_context_manager, handler)
            manager = BundleManager(context, cache_token_generator=self._cache_token_generator)
            done = []
            while not failed.is_set():
                with lock:
                    number, bundle = next(waiting, (0, None))
                if bundle is None:
                    break
                timers = fired_timers if number == 0 else {}
                try:
                    done.append(
                        manager.process_bundle(bundle, expected_outputs, timers, expected_output_timers, dry_run)
                    )
                except BaseException:
                    failed.set()
                    raise
            return done

        futures = [
            shared_unbounded_instance().submit(work, handler) for handler in self.bundle_context_manager.worker_handlers
        ]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future.done():
                future.result()  # raises what failed
        return _merged([result for future in futures for result in future.result()])


def _split(inputs: Mapping[str, Any], workers: int) -> list[dict[str, Any]]:
    """Bundles of about equal parts; each names every input, since the worker waits for the end of each."""
    parts = {}
    for name, buffer in inputs.items():
        keys = len(buffer._table) if isinstance(buffer, GroupingBuffer) else 0
        parts[name] = buffer.partition(max(workers, min(keys, PARTS_PER_WORKER * workers)))
    count = max(map(len, parts.values()), default=1)
    bundles = [
        {name: part[number] if number < len(part) else [] for name, part in parts.items()} for number in range(count)
    ]
    return [bundle for bundle in bundles if any(map(any, bundle.values()))] or bundles[:1]


class _OneWorker:
    """A bundle context that offers one of its workers only."""

    def __init__(self, context: Any, handler: Any) -> None:
        self._context, self.worker_handlers = context, [handler]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _merged(results: list[Any]) -> Any:
    """One result of many, as ParallelBundleManager makes it."""
    infos = monitoring_infos.consolidate(
        info for result, _ in results for info in result.process_bundle.monitoring_infos
    )
    roots = [root for result, _ in results for root in result.process_bundle.residual_roots]
    response = beam_fn_api_pb2.ProcessBundleResponse(monitoring_infos=infos, residual_roots=roots)
    merged = beam_fn_api_pb2.InstructionResponse(process_bundle=response)
    return merged, [split for _, splits in results for split in splits]
