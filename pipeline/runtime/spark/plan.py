"""The driver's side: the stages of a pipeline as RDDs.

A stage is a `mapPartitions`, a grouping a shuffle. What leaves a single task is grouped here instead: the driver deals
it out in partitions of about equal work, the largest first, and a repeated task finds the same. So each step of a build
is one job of Spark's.
"""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_fn_api_pb2, beam_runner_api_pb2
from apache_beam.runners import pipeline_context
from apache_beam.runners.portability.fn_api_runner import translations
from apache_beam.runners.portability.fn_api_runner.execution import (
    ENCODED_IMPULSE_VALUE,
    SAFE_WINDOW_FNS,
    WindowGroupingBuffer,
)
from apache_beam.runners.worker.bundle_processor import DATA_INPUT_URN, DATA_OUTPUT_URN
from apache_beam.utils import proto_utils

from pipeline.runtime.spark.bundle import Stage, counted
from pipeline.runtime.spark.grouping import Grouping
from pipeline.runtime.spark.options import ONE_KEY

DEALT_BYTES = 64 << 20
"""What the driver takes in to group it; more is shuffled."""
SIDE_BYTES = 512 << 20
PARTITIONS_PER_CORE = 4
PARTITION_LEAST = 1 << 20
"""Where a step works on less than this a partition, it gets fewer, but one a core."""
PARTITION_WORK = 256 << 20
"""Where a step works on more bytes than its partitions times this, it gets more of them."""


class StagesOnSpark:
    """Runs the stages of one pipeline, in their order."""

    def __init__(self, spark: Any, context: translations.TransformContext, partitions: int | None) -> None:
        self._spark, self._partitions = spark, partitions
        self._components, self._safe, self._coders = (
            context.components,
            context.safe_coders,
            context.data_channel_coders,
        )
        self._context = pipeline_context.PipelineContext(self._components)
        common = beam_fn_api_pb2.ProcessBundleDescriptor(
            pcollections=dict(self._components.pcollections),
            coders=dict(self._components.coders),
            windowing_strategies=dict(self._components.windowing_strategies),
            environments=dict(self._components.environments),
        )
        self._common = spark.broadcast(common.SerializeToString())
        slim = beam_runner_api_pb2.Components(
            coders=dict(self._components.coders), windowing_strategies=dict(self._components.windowing_strategies)
        )
        self._slim = slim.SerializeToString()
        self._counters = spark.accumulator([], _list_parameter())
        self._buffers: dict[bytes, list[Any]] = {}
        self._kept: list[Any] = [self._common]

    def run(self, stages: list[translations.Stage]) -> list[Any]:
        """Run all stages; returns what their DoFns counted, which may be too much where tasks were repeated."""
        readers = _readers(stages)
        try:
            for stage in stages:
                self._run(stage, readers)
            return counted(self._counters.value)
        finally:
            for kept in reversed(self._kept):
                with suppress(Exception):  # where Spark itself is gone, that is what ends the build
                    kept.unpersist()

    def _run(self, stage: translations.Stage, readers: dict[bytes, int]) -> None:
        source, outputs, own = self._described(stage)
        self._spark.setJobDescription(stage.name[:200])
        work = Stage(self._common, own, source.unique_name, list(outputs), self._sides(stage), self._counters)
        rdd = self._input(source.spec.payload)
        if not outputs:
            rdd.mapPartitions(work.run).foreach(_ignore)
            return
        tagged = len(outputs) > 1
        result = rdd.mapPartitions(work.run_tagged if tagged else work.run)
        if tagged or any(readers.get(buffer, 0) > 1 for buffer in outputs.values()):
            result = result.persist(_disk())
            self._kept.append(result)
        for number, buffer in enumerate(outputs.values()):
            part = result.filter(_Tagged(number)).map(_untagged) if tagged else result
            self._buffers.setdefault(buffer, []).append(part)

    def _described(self, stage: translations.Stage) -> tuple[Any, dict[str, bytes], bytes]:
        """Its input, its outputs by the names of their transforms, and its description for the executors."""
        own, sources, outputs = beam_fn_api_pb2.ProcessBundleDescriptor(id=stage.name), [], {}
        for transform in stage.transforms:
            described = own.transforms[transform.unique_name]
            described.CopyFrom(transform)
            if transform.spec.urn == DATA_INPUT_URN:
                sources.append(transform)
                (collection,) = transform.outputs.values()
            elif transform.spec.urn == DATA_OUTPUT_URN:
                outputs[transform.unique_name] = transform.spec.payload
                (collection,) = transform.inputs.values()
            else:
                continue
            port = beam_fn_api_pb2.RemoteGrpcPort(coder_id=self._coders[collection])
            described.spec.payload = port.SerializeToString()
        (source,) = sources
        return source, outputs, own.SerializeToString()

    def _input(self, buffer: bytes) -> Any:
        if buffer == translations.IMPULSE_BUFFER:
            return self._spark.parallelize([ENCODED_IMPULSE_VALUE], 1)
        kind, name = translations.split_buffer_id(buffer)
        parts = self._buffers.get(buffer, [])
        if kind == "materialize":
            return self._union(parts)
        if buffer not in self._buffers or not parts:
            return self._spark.emptyRDD()
        return self._regrouped(self._union(parts), name)

    def _union(self, parts: list[Any]) -> Any:
        if not parts:
            return self._spark.emptyRDD()
        return parts[0] if len(parts) == 1 else self._spark.union(parts)

    def _regrouped(self, rdd: Any, transform: str) -> Any:
        proto = self._components.transforms[transform]
        grouping = self._grouping(proto)
        if rdd.getNumPartitions() == 1:
            chunks = self._collected(rdd, DEALT_BYTES)
            if chunks is not None:
                return self._dealt(chunks, grouping)
        partitions = 1 if ONE_KEY in proto.annotations else min(rdd.getNumPartitions(), self._most)
        rows = rdd.mapPartitions(lambda chunks: grouping.open().rows(chunks, partitions))
        return rows.partitionBy(partitions, _itself).mapPartitions(lambda rows: grouping.open().groups(_packed(rows)))

    def _grouping(self, transform: Any) -> Grouping:
        (before,), (after,) = transform.inputs.values(), transform.outputs.values()
        windowing = self._components.pcollections[before].windowing_strategy_id
        is_safe = self._components.windowing_strategies[windowing].window_fn.urn in SAFE_WINDOW_FNS
        ungrouped, grouped = self._coders[before], self._coders[after]
        if is_safe:  # what the coders of elements and keys make is not looked into
            ungrouped, grouped = self._safe[ungrouped], self._safe[grouped]
        return Grouping(self._slim, ungrouped, grouped, windowing)

    def _collected(self, rdd: Any, limit: int) -> list[bytes] | None:
        """All that is in an RDD; None where that is more than `limit` bytes."""
        chunks = rdd.mapPartitions(lambda chunks: _limited(chunks, limit)).collect()
        return None if any(chunk is None for chunk in chunks) else chunks

    def _dealt(self, chunks: list[bytes], grouping: Grouping) -> Any:
        """Elements grouped, and spread over partitions of about equal work."""
        opened = grouping.open()
        by_key: dict[bytes, list[bytes]] = {}
        for key, element in opened.keyed(chunks):
            by_key.setdefault(key, []).append(element)
        sized = self._sized(by_key, grouping)
        if not sized:
            return self._spark.emptyRDD()
        count = min(len(sized), self._partitions or self._suited(sum(size for size, _ in sized)))
        parts: list[list[bytes]] = [[] for _ in range(count)]
        loads = [(0, number) for number in range(count)]
        for size, key in sized:
            load, number = heapq.heappop(loads)
            parts[number].append(opened.group(by_key[key]))
            heapq.heappush(loads, (load + size, number))
        return self._spark.parallelize(parts, count).flatMap(_itself)

    def _suited(self, work: int) -> int:
        """Partitions for so many bytes of work: each costs some 0.05 s, and a repeated one is done again whole."""
        cores = int(self._spark.defaultParallelism)
        return max(min(self._most, max(cores, work // PARTITION_LEAST)), work // PARTITION_WORK)

    def _sized(self, by_key: dict[bytes, list[bytes]], grouping: Grouping) -> list[tuple[int, bytes]]:
        """(bytes of work, key), largest first; the work is what values say of their `size`, or their own length."""
        plain = {safe: coder for coder, safe in self._safe.items()}
        coder = self._context.coders[plain.get(grouping.ungrouped, grouping.ungrouped)].get_impl()

        def size(element: bytes) -> int:
            _, value = coder.decode(element).value
            said = getattr(value, "size", None)
            return said if isinstance(said, int) else len(element)

        sized = [(max(1, sum(map(size, elements))), key) for key, elements in by_key.items()]
        return sorted(sized, key=lambda entry: (-entry[0], entry[1]))

    @property
    def _most(self) -> int:
        return self._partitions or PARTITIONS_PER_CORE * int(self._spark.defaultParallelism)

    def _sides(self, stage: translations.Stage) -> list[Any]:
        """What executors need of side inputs, as broadcasts."""
        sides = []
        for transform in stage.transforms:
            if transform.spec.urn not in translations.PAR_DO_URNS:
                continue
            payload = proto_utils.parse_Bytes(transform.spec.payload, beam_runner_api_pb2.ParDoPayload)
            for tag, side in payload.side_inputs.items():
                collection = transform.inputs[tag]
                rdd = self._union(self._buffers.get(translations.create_buffer_id(collection), []))
                chunks = self._collected(rdd, SIDE_BYTES)
                if chunks is None:
                    raise NotImplementedError(
                        f"{transform.unique_name}: side input `{tag}` is larger than {SIDE_BYTES >> 20} MiB"
                    )
                coder = self._context.coders[self._safe[self._coders[collection]]]
                buffer = WindowGroupingBuffer(side.access_pattern, coder)
                for chunk in chunks:
                    buffer.append(chunk)
                is_map = side.access_pattern.urn == common_urns.side_inputs.MULTIMAP.urn
                items = list(_side_items(buffer, transform.unique_name, tag, is_map))
                sides.append(self._spark.broadcast(items))
        self._kept += sides
        return sides


def _side_items(buffer: WindowGroupingBuffer, transform: str, tag: str, is_map: bool) -> Iterator[tuple[bytes, bytes]]:
    """(state key, data), as Beam's own runner keeps them."""
    keys = beam_fn_api_pb2.StateKey
    for key, window, data, count in buffer.encoded_items():
        about: dict[str, Any] = {"transform_id": transform, "side_input_id": tag, "window": window}
        if not is_map:
            yield keys(iterable_side_input=keys.IterableSideInput(**about)).SerializeToString(), data
            continue
        of_key = keys(multimap_side_input=keys.MultimapSideInput(**about, key=key))
        of_keys = keys(multimap_keys_side_input=keys.MultimapKeysSideInput(**about))
        of_all = keys(multimap_keys_values_side_input=keys.MultimapKeysValuesSideInput(**about))
        yield of_key.SerializeToString(), data
        yield of_keys.SerializeToString(), key
        yield of_all.SerializeToString(), key + count.to_bytes(4, "big") + data


def _readers(stages: list[translations.Stage]) -> dict[bytes, int]:
    """How often each buffer is read."""
    found: dict[bytes, int] = {}
    for stage in stages:
        buffers = [t.spec.payload for t in stage.transforms if t.spec.urn == DATA_INPUT_URN]
        buffers += [translations.create_buffer_id(collection) for collection in stage.side_inputs()]
        for buffer in buffers:
            found[buffer] = found.get(buffer, 0) + 1
    return found


def _limited(chunks: Iterable[bytes], limit: int) -> Iterator[bytes | None]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            yield None
            return
        yield chunk


class _Tagged:
    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, element: tuple[int, bytes]) -> bool:
        return element[0] == self._number


def _untagged(element: tuple[int, bytes]) -> bytes:
    return element[1]


def _packed(rows: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    return (row for _, row in rows)


def _itself(value: Any) -> Any:
    return value


def _ignore(_: Any) -> None:
    pass


def _disk() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.MEMORY_AND_DISK


def _list_parameter() -> Any:
    from pyspark.accumulators import AccumulatorParam

    class Lists(AccumulatorParam):  # type: ignore[misc]
        def zero(self, value: list[Any]) -> list[Any]:
            return []

        def addInPlace(self, value1: list[Any], value2: list[Any]) -> list[Any]:  # noqa: N802
            value1 += value2
            return value1

    return Lists()
