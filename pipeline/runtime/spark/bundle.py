"""What executors do: one partition of a stage is one bundle of Beam's.

Beam's own bundle processor runs it, so that DoFns, windows, combiners and side inputs are just what they are elsewhere.
"""

import gc
import os
import sys
import zipimport
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2, metrics_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import StateServicer
from apache_beam.runners.worker import data_plane, sdk_worker
from apache_beam.runners.worker.bundle_processor import BundleProcessor, DataOutputOperation, ExecutionContext
from apache_beam.runners.worker.statecache import StateCache

_ID = "bundle"
_modules_settled = 0


class Stage:
    """A fused stage, as it travels to executors.

    common    what all stages of the pipeline share: a broadcast `ProcessBundleDescriptor` without transforms
    own       a `ProcessBundleDescriptor` of this stage's transforms
    source    name of the transform that takes the input
    outputs   names of the transforms that give output, in the order of their numbers
    sides     broadcast (state key, data) of side inputs
    counters  the accumulator that gets what the DoFns counted
    """

    def __init__(
        self, common: Any, own: bytes, source: str, outputs: list[str], sides: list[Any], counters: Any
    ) -> None:
        self.common, self.own, self.source, self.outputs = common, own, source, outputs
        self.sides, self.counters = sides, counters
        self.folder = str(Path.cwd())

    def run(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The only output, or none, of a bundle of encoded elements."""
        return (chunk for _, chunk in self.run_tagged(chunks))

    def run_tagged(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """(number of the output, encoded elements)."""
        chunks = iter(chunks)
        first = next(chunks, None)
        if first is None:
            return
        with suppress(OSError):  # relative paths mean what they mean on the driver, where the folder is shared
            os.chdir(self.folder)
        channel = data_plane.InMemoryDataChannel()
        state = sdk_worker.GlobalCachingStateHandler(StateCache(0), self._state)
        processor = BundleProcessor(
            frozenset(), self._descriptor, state, data_plane.InMemoryDataChannelFactory(channel)
        )
        numbers = {name: number for number, name in enumerate(self.outputs)}
        try:
            with state.process_instruction_id(_ID, []):
                for _ in _process(processor, self.source, _chained(first, chunks), channel):
                    for data in channel.inverse().input_elements(_ID, None):
                        if data.data:
                            yield numbers[data.transform_id], data.data
            self._count(processor)
        finally:
            processor.shutdown()
            settle()

    @cached_property
    def _descriptor(self) -> Any:
        descriptor = beam_fn_api_pb2.ProcessBundleDescriptor.FromString(self.common.value)
        descriptor.MergeFromString(self.own)
        return descriptor

    @property
    def _state(self) -> StateServicer:
        state = StateServicer()
        for broadcast in self.sides:
            for key, data in broadcast.value:
                state.append_raw(beam_fn_api_pb2.StateKey.FromString(key), data)
        return state

    def _count(self, processor: BundleProcessor) -> None:
        counted = [info for info in processor.monitoring_infos() if info.urn.startswith("beam:metric:user")]
        if counted:
            self.counters.add([info.SerializeToString() for info in counted])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_descriptor"}


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _process(processor: BundleProcessor, source: str, chunks: Iterator[bytes], channel: Any) -> Iterator[None]:
    """As `BundleProcessor.process_bundle`, but it stops after each chunk, so that its output can leave."""
    operations: dict[str, Any] = processor.ops  # type: ignore[assignment]
    for operation in operations.values():
        if isinstance(operation, DataOutputOperation):
            operation.set_output_stream(channel.output_stream(_ID, operation.transform_id))
    context = ExecutionContext(instruction_id=_ID)
    processor.current_instruction_id = _ID
    processor.state_sampler.start()
    try:
        for operation in reversed(operations.values()):
            operation.execution_context = context
            operation.start()
        for chunk in chunks:
            operations[source].process_encoded(chunk)
            yield
        for operation in operations.values():
            operation.finish()
        yield
    finally:
        processor.current_instruction_id = None
        processor.state_sampler.stop_if_still_running()


def settle() -> None:
    """Make a Python worker of Spark's fit for many short tasks; after a bundle that has imported something.

    PySpark 3.5 forgets what it knows of its archives before each task, and reads them again, and looks through all
    objects for garbage after it: 0.1 to 0.2 s a task. What was imported lasts: it is not looked through again.
    """
    global _modules_settled
    if len(sys.modules) == _modules_settled:
        return
    _modules_settled = len(sys.modules)
    zipimport.zipimporter.invalidate_caches = lambda self: None  # type: ignore[method-assign,misc,assignment]
    gc.collect()
    gc.freeze()


def counted(infos: Iterable[bytes]) -> list[metrics_pb2.MonitoringInfo]:
    """What executors have counted."""
    return [metrics_pb2.MonitoringInfo.FromString(info) for info in infos]
