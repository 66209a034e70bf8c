"""What a run takes, before it is started: layout, memory, work, messages, days, energy, checkpoints.

Memory is of `trainer.memory`, floating-point operations of `trainer.flops`, time of `trainer.timing`, devices of
`trainer.devices`. Time of the pipeline's fill and drain and bytes of messages follow Narayanan et al. 2021 ("Efficient
large-scale language model training on GPU clusters", sections 2.2 and 3.2), for what `trainer.parallel` sends. GB are
10^9 bytes and GiB 2^30.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from configs.errors import ConfigurationError
from trainer.config import TrainingConfig
from trainer.devices import find_device
from trainer.flops import flops_per_token
from trainer.memory import FP32, Memory, estimate, sizes_of, stages_held
from trainer.parallel.data import DTYPES
from trainer.parallel.layout import check_sizes
from trainer.schedule import check_batches, count_steps, sizes_of_steps
from trainer.timing import Machine, StepTime, step_time

RESERVED = 0.06
"""Share of a device's memory left to CUDA's context, NCCL and fragmentation; an assumption."""
STORAGE = 2e9
"""Bytes a second that a node of eight devices writes to shared storage, where nothing else is given; an assumption."""
TO_HOST = 20e9
"""Bytes a second from a device to its host's memory, into which a checkpoint is copied first; an assumption."""


@dataclass(frozen=True)
class Rank:
    """What each device of a pipeline rank holds and does."""

    pipeline_rank: int
    layers: list[int]
    """Of each stage, without the embedding and the output."""
    embeds: bool
    predicts: bool
    parameters: int
    """That it computes with, whole over the data axis."""
    memory: Memory
    sent: dict[str, int]
    """Bytes a device sends in a step, by axis."""

    @property
    def holds(self) -> str:
        """In words, such as `embedding + 5`."""
        words = [" | ".join(map(str, self.layers))]
        return " + ".join(["embedding"] * self.embeds + words + ["output"] * self.predicts)


@dataclass(frozen=True)
class Plan:
    """What a run takes."""

    config: TrainingConfig
    data: int
    micro_batches: int
    """A data rank, in a step of the full batch."""
    ranks: list[Rank]
    machine: Machine
    memory: int | None
    """Bytes of a device."""
    storage: float
    """Bytes a second that all devices write together."""
    steps: int
    samples: int
    suggestion: dict[str, Any] | None
    """Settings that make it fit, where it does not."""

    @property
    def devices(self) -> int:
        """How many."""
        parallel = self.config.parallel
        return parallel.tensor * parallel.pipeline * self.data

    @property
    def fullest(self) -> Rank:
        """The pipeline rank whose devices are the fullest."""
        return max(self.ranks, key=lambda rank: rank.memory.total)

    @property
    def fits(self) -> bool | None:
        """Whether it does; None where no memory was given."""
        return None if self.memory is None else fits(self.ranks, self.memory)

    @property
    def bubble(self) -> float:
        """Share of time that a device waits for the pipeline to fill and drain: (p - 1) / (v m + p - 1)."""
        parallel = self.config.parallel
        waits = parallel.pipeline - 1
        return waits / (parallel.stages_per_rank * self.micro_batches + waits)

    @property
    def flops_per_token(self) -> float:
        """Of forward and backward passes, the second forward pass of full checkpointing included."""
        recompute = self.config.parallel.checkpointing == "full"
        return flops_per_token(self.config.model, self.config.sequence_length, recompute=recompute)

    @property
    def flops_per_step(self) -> float:
        """Of a full batch."""
        return self.flops_per_token * self.config.batch.size * self.config.sequence_length

    @property
    def tflops_per_device(self) -> float:
        """Assumed, while it computes."""
        return self.machine.flops / 1e12

    @property
    def sent(self) -> dict[str, int]:
        """Bytes that a device sends in a step, by axis, at most."""
        return {axis: max(rank.sent[axis] for rank in self.ranks) for axis in self.ranks[0].sent}

    @cached_property
    def step(self) -> StepTime:
        """Of a full batch."""
        return step_time(self.config, self.sent, self.machine, self.data, self.config.batch.size)

    @cached_property
    def ramp(self) -> tuple[float, float]:
        """(seconds until the batch has its size, seconds of these in which devices wait for the pipeline)."""
        seconds = waiting = 0.0
        for size, steps in self._sizes.items():
            if size < self.config.batch.size:
                step = self._step_of(size)
                seconds, waiting = seconds + steps * step.total, waiting + steps * step.waiting
        return seconds, waiting

    @property
    def _sizes(self) -> Mapping[int, int]:
        config = self.config
        return sizes_of_steps(config.batch, config.schedule.tokens, config.sequence_length)

    def _step_of(self, size: int) -> StepTime:
        micro_batches = size // (self.data * self.config.batch.micro)
        each = [_sent(self.config, rank.pipeline_rank, self.data, micro_batches) for rank in self.ranks]
        sent = {axis: max(one[axis] for one in each) for axis in each[0]}
        return step_time(self.config, sent, self.machine, self.data, size)

    @property
    def days(self) -> float:
        """For the budget of tokens, without checkpoints, evaluations and faults."""
        full = self._sizes.get(self.config.batch.size, 0)
        return (self.ramp[0] + full * self.step.total) / 86400

    @property
    def device_hours(self) -> float:
        """Hours of all devices together."""
        return 24 * self.days * self.devices

    @property
    def megawatt_hours(self) -> float:
        """Of the devices alone, at their full power."""
        return self.device_hours * self.machine.device.watts / 1e6

    @property
    def checkpoint_seconds(self) -> dict[str, float]:
        """`interval` between checkpoints; `copy`, while training waits; `write`, while it continues."""
        states = self.checkpoint_bytes["states"]
        return {
            "interval": self.config.checkpoints.every * self.step.total,
            "copy": states / self.devices / TO_HOST,
            "write": states / self.storage,
        }

    @property
    def checkpoint_bytes(self) -> dict[str, int]:
        """`states`: fp32 weights and both moments, as `trainer.checkpoint` saves; `weights`: bf16, as is exported."""
        parameters = self.config.model.parameters
        return {"states": 3 * FP32 * parameters, "weights": 2 * parameters}

    def to_json(self) -> dict[str, Any]:
        """All figures, by name."""
        parallel = self.config.parallel
        return {
            "name": self.config.name,
            "devices": self.devices,
            "tensor": parallel.tensor,
            "pipeline": parallel.pipeline,
            "data": self.data,
            "sharding": parallel.sharding,
            "checkpointing": parallel.checkpointing,
            "sequence_parallel": parallel.sequence_parallel,
            "replicas": parallel.replicas,
            "schedule": parallel.schedule,
            "stages_per_rank": parallel.stages_per_rank,
            "micro_batch": self.config.batch.micro,
            "micro_batches": self.micro_batches,
            "parameters": self.config.model.parameters,
            "ranks": [{**asdict(rank), "holds": rank.holds, "memory": rank.memory.to_json()} for rank in self.ranks],
            "fullest_pipeline_rank": self.fullest.pipeline_rank,
            "memory": self.memory,
            "reserved": RESERVED,
            "fits": self.fits,
            "suggestion": self.suggestion,
            "bubble": self.bubble,
            "flops_per_token": self.flops_per_token,
            "flops_per_step": self.flops_per_step,
            "device": self.machine.device.name,
            "efficiency": self.machine.efficiency,
            "tflops_per_device": self.tflops_per_device,
            "bandwidth": {"fast": self.machine.fast, "network": self.machine.network, "storage": self.storage},
            "step_seconds": {**asdict(self.step), "total": self.step.total},
            "ramp_seconds": {"total": self.ramp[0], "waiting": self.ramp[1]},
            "tokens": self.config.schedule.tokens,
            "samples": self.samples,
            "steps": self.steps,
            "days": self.days,
            "device_hours": self.device_hours,
            "megawatt_hours": self.megawatt_hours,
            "checkpoint_bytes": self.checkpoint_bytes,
            "checkpoint_seconds": self.checkpoint_seconds,
        }


def make_plan(
    config: TrainingConfig,
    devices: int | None = None,
    memory: int | None = None,
    machine: Machine | None = None,
    *,
    storage: float | None = None,
    suggest: bool = True,
) -> Plan:
    """Plan a run on so many devices; left out, as many as the configuration's axes have.

    `memory` is bytes of a device, `storage` bytes a second written by all. Raises ConfigurationError where the layout
    or the batch does not fit the devices, as the run itself would.
    """
    machine = machine or Machine.of(find_device("A100"))
    parallel = config.parallel
    devices = devices or parallel.tensor * parallel.pipeline * (parallel.data or 1)
    data = check_sizes(config, devices)
    check_batches(config.batch, data)
    ranks = _ranks(config, data)
    suggestion = None
    if suggest and memory is not None and not fits(ranks, memory):
        suggestion = cheapest_change(config, devices, memory)
    steps, samples = count_steps(config.batch, config.schedule.tokens, config.sequence_length)
    micro_batches = config.batch.size // (data * config.batch.micro)
    storage = storage or STORAGE * -(-devices // 8)
    return Plan(config, data, micro_batches, ranks, machine, memory, storage, steps, samples, suggestion)


def fits(ranks: list[Rank], memory: int) -> bool:
    """Whether every device has room, what is reserved left out."""
    return max(rank.memory.total for rank in ranks) <= memory * (1.0 - RESERVED)


def _ranks(config: TrainingConfig, data: int) -> list[Rank]:
    micro_batches = config.batch.size // (data * config.batch.micro)
    found = []
    for rank in range(config.parallel.pipeline):
        stages = stages_held(config, rank)
        found.append(
            Rank(
                pipeline_rank=rank,
                layers=[stage.layers for stage in stages],
                embeds=stages[0].embeds,
                predicts=stages[-1].predicts,
                parameters=sum(sizes_of(config, stage, data).whole for stage in stages),
                memory=estimate(config, rank, data, micro_batches),
                sent=_sent(config, rank, data, micro_batches),
            )
        )
    return found


def _sent(config: TrainingConfig, pipeline_rank: int, data: int, micro_batches: int) -> dict[str, int]:
    """Bytes that a device sends in a step, by axis; rings send (n - 1) / n of a tensor to gather or scatter it."""
    parallel = config.parallel
    compute = DTYPES[config.precision.compute].itemsize
    stages = stages_held(config, pipeline_rank)
    tensor = parallel.tensor
    hidden = compute * config.batch.micro * config.sequence_length * config.model.hidden
    layers = sum(stage.layers for stage in stages)
    embeds, predicts = any(stage.embeds for stage in stages), any(stage.predicts for stage in stages)
    # Two all-reduces a layer in the forward pass and two in the backward pass (Shoeybi et al. 2019, section 3), two
    # more where the layer is computed again; one for the embedding, one for the gradient of what the output reads.
    reduces = layers * (4 if parallel.checkpointing == "none" else 6) + embeds + predicts
    around = 2 * (tensor - 1) / tensor
    own = hidden // tensor if parallel.sequence_parallel else hidden
    ends = (parallel.pipeline > 1) * (2 * len(stages) - embeds - predicts)
    whole = sum(sizes_of(config, stage, data).whole for stage in stages)
    replicas, shards = parallel.replicas, data // parallel.replicas
    is_fsdp = parallel.sharding == "fsdp"
    sent = {
        "tensor": int(micro_batches * reduces * around * hidden),
        "pipeline": micro_batches * ends * own,
        "data": int((shards - 1) / shards * whole * _bytes_a_parameter(config, micro_batches, compute)),
        # Gradients are summed over replicas as often as they are shared out.
        "replica": int(2 * (replicas - 1) / replicas * whole / shards * FP32 * (micro_batches if is_fsdp else 1)),
        "tied": 0,
    }
    if parallel.pipeline > 1 and (embeds or predicts):
        is_shared = data > 1 and parallel.sharding != "none"
        rows = config.model.vocabulary_size // tensor
        sent["tied"] = FP32 * (-(-rows // shards) if is_shared else rows) * config.model.hidden
    return sent


def _bytes_a_parameter(config: TrainingConfig, micro_batches: int, compute: int) -> int:
    """Sent over the data axis in a step, before (n - 1) / n."""
    kind = config.parallel.sharding
    if kind == "none":
        return 2 * FP32
    return micro_batches * (2 * compute + FP32) if kind == "fsdp" else compute + FP32


_CHANGES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("parallel.sequence_parallel", (True,)),
    ("parallel.sharding", ("zero1",)),
    ("parallel.checkpointing", ("selective", "full")),
    ("batch.micro", (8, 4, 2, 1)),
    ("parallel.sharding", ("fsdp",)),
    ("parallel.tensor", (2, 4, 8)),
    ("parallel.pipeline", (2, 4, 8, 12, 16, 24)),
)
"""What may make a run fit, the cheapest first; `fsdp` comes last where many micro-batches gather for it."""


def cheapest_change(config: TrainingConfig, devices: int, memory: int) -> dict[str, Any] | None:
    """The first change of `_CHANGES`, or two or three together, with which a run fits; None if there is none."""
    single = [(key, value) for key, values in _CHANGES for value in values if _lowers(config, key, value)]
    if config.parallel.pipeline > 1:
        single.sort(key=lambda change: change[1] == "fsdp")
    for count in (1, 2, 3):
        for chosen in combinations(single, count):
            changes = dict(chosen)
            if len(changes) < count:
                continue
            tried = changed(config, changes)
            try:
                data = check_sizes(tried, devices)
                check_batches(tried.batch, data)
            except ConfigurationError:
                continue
            if fits(_ranks(tried, data), memory):
                return changes
    return None


def _lowers(config: TrainingConfig, key: str, value: Any) -> bool:
    """Whether a setting is another than the configuration's, and on the side of less memory."""
    table, name = key.split(".")
    now = getattr(getattr(config, table), name)
    if name == "sequence_parallel":
        return not now
    if name == "sharding":
        return bool(now == "none" or (now == "zero1" and value == "fsdp"))
    if name == "checkpointing":
        order = ("none", "selective", "full")
        return order.index(value) > order.index(now)
    return bool(value < now) if name == "micro" else bool(value > now)


def changed(config: TrainingConfig, changes: dict[str, Any]) -> TrainingConfig:
    """The same run with other settings, by dotted key; the data axis follows. Raises ValidationError."""
    data = config.model_dump()
    for key, value in changes.items():
        table, name = key.split(".")
        data[table][name] = value
    if {"parallel.tensor", "parallel.pipeline"} & set(changes):
        data["parallel"]["data"] = None
    return TrainingConfig.model_validate(data)


def parse_memory(text: str) -> int:
    """Bytes of `80GB`, `80GiB` or `80` (GB). Raises ConfigurationError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(GB|GiB|G|)\s*", text, re.IGNORECASE)
    if not found:
        raise ConfigurationError(f"`{text}` is not an amount of memory, such as 80GB or 80GiB")
    return int(float(found[1]) * (2**30 if found[2].lower() == "gib" else 10**9))
