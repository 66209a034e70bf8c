"""How long a step takes: computing, messages, and waiting for the pipeline to fill and drain.

Computing waits for the messages of tensor and pipeline ranks. Those of data ranks overlap with it as far as
`trainer.parallel.data` lets them: under `fsdp` beside all of it, under `zero1` without a pipeline beside one
micro-batch, else beside nothing. Latencies are left out: a plan of many small messages is too good.
"""

from dataclasses import dataclass

from trainer.config import TrainingConfig
from trainer.devices import LINKS, Device
from trainer.flops import flops_per_token

SELECTIVE = 0.04
"""What is computed again under selective checkpointing, as a share of a step; an assumption."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step. `total` is what it takes; the others say where it goes."""

    computing: float
    messages: dict[str, float]
    """By axis, hidden or not."""
    hidden: float
    """Of the data axis' messages, what overlaps with computing."""
    waiting: float
    """For the pipeline to fill and drain."""

    @property
    def total(self) -> float:
        """Of all that is not hidden."""
        return self.computing + sum(self.messages.values()) - self.hidden + self.waiting


@dataclass(frozen=True)
class Machine:
    """Devices and what joins them. Rates are bytes a second of one GPU, one way."""

    device: Device
    efficiency: float
    fast: float
    network: float

    @classmethod
    def of(cls, device: Device, efficiency: float | None = None, network: float | None = None) -> "Machine":
        """A device with the figures of its preset, except those given."""
        return cls(device, efficiency or device.efficiency, device.fast, network or device.network)

    @property
    def flops(self) -> float:
        """That a device computes in a second."""
        return self.device.peak_tflops * 1e12 * self.efficiency

    def rate(self, ranks: int, stride: int) -> float:
        """Bytes a second that each of `ranks` ranks, which are `stride` apart, sends to the next one.

        Where a group spans nodes, its rings go through the network links of all its members in a node.
        """
        if ranks * stride <= self.device.together:
            return LINKS * self.fast
        members = max(1, min(ranks, self.device.together // stride))
        return LINKS * min(self.fast, self.network * members)


def step_time(config: TrainingConfig, sent: dict[str, int], machine: Machine, data: int, size: int) -> StepTime:
    """Of a step of `size` sequences in which a device sends `sent` bytes, by axis."""
    parallel = config.parallel
    devices = parallel.tensor * parallel.pipeline * data
    micro_batches = max(1, size // (data * config.batch.micro))
    computing = work_per_token(config) * size * config.sequence_length / (devices * machine.flops)
    shards = data // parallel.replicas
    is_near = devices <= machine.device.together
    rates = {
        "tensor": machine.rate(parallel.tensor, 1),
        "data": machine.rate(shards, parallel.tensor),
        "replica": machine.rate(parallel.replicas, parallel.tensor * shards),
        # One neighbour each: a rank has its own link for it.
        "pipeline": LINKS * (machine.fast if is_near else machine.network),
    }
    rates["tied"] = rates["pipeline"]
    messages = {axis: count / rates[axis] for axis, count in sent.items()}
    beside = {"none": 0.0, "zero1": computing / micro_batches, "fsdp": computing}[parallel.sharding]
    if parallel.pipeline > 1 and parallel.sharding == "zero1":
        beside = 0.0
    waits = (parallel.pipeline - 1) / (parallel.stages_per_rank * micro_batches)
    waiting = waits * (computing + messages["tensor"] + messages["pipeline"])
    return StepTime(computing, messages, min(beside, messages["data"]), waiting)


def work_per_token(config: TrainingConfig) -> float:
    """Floating-point operations of a token, those done again included."""
    kind = config.parallel.checkpointing
    flops = flops_per_token(config.model, config.sequence_length, recompute=kind == "full")
    return flops * (1.0 + SELECTIVE) if kind == "selective" else flops
