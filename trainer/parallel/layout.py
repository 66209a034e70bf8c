"""Who holds what: the ranks of a run as a grid of pipeline × data × tensor.

Words, one for one thing: an *axis* is a direction of the grid, a *dim* one of a tensor. Ranks of one tensor group are
neighbours, since they talk most, then those of a data group, then pipeline stages.

    rank = (pipeline_rank · data + data_rank) · tensor + tensor_rank

What a rank holds, in the order in which it is applied (`trainer.parallel.model`):
    pipeline        its stages: runs of layers; the first has the embedding, the last too, as output matrix
    tensor          of each layer: its heads, its columns of the MLP; of the embedding: its rows
    checkpointing   which activations are kept for the backward pass
    compile         each layer
    data            of what is left: its share of the optimizer's states (zero1) and of the weights (fsdp)
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from configs.errors import ConfigurationError
from trainer.config import TrainingConfig


@dataclass(frozen=True)
class Layout:
    """Sizes of the axes and this rank's place on them. `mesh` is None in a run of one process."""

    tensor: int
    pipeline: int
    data: int
    rank: int
    device: torch.device
    mesh: DeviceMesh | None = None
    replicas: int = 1
    """Of the states: data ranks are replicas × shards, those of one replica neighbours."""
    data_mesh: DeviceMesh | None = None
    """Has the axis `data` where `mesh` has `replica` and `shard` instead."""

    @property
    def world(self) -> int:
        """Number of ranks."""
        return self.tensor * self.pipeline * self.data

    @property
    def tensor_rank(self) -> int:
        """Place on the tensor axis."""
        return self.rank % self.tensor

    @property
    def data_rank(self) -> int:
        """Place on the data axis."""
        return self.rank // self.tensor % self.data

    @property
    def pipeline_rank(self) -> int:
        """Place on the pipeline axis."""
        return self.rank // (self.tensor * self.data)

    @property
    def is_main(self) -> bool:
        """Whether this rank talks to the user."""
        return self.rank == 0

    def axis(self, name: str) -> DeviceMesh:
        """The axis `pipeline`, `data` or `tensor` through this rank."""
        mesh = self.data_mesh if name == "data" and self.data_mesh is not None else self.mesh
        assert mesh is not None
        return mesh[name]

    @property
    def states_mesh(self) -> DeviceMesh:
        """Over which FSDP2 shares out states: `data`, or `replica` × `shard`."""
        assert self.mesh is not None
        return self.axis("data") if self.replicas == 1 else self.mesh["replica", "shard"]

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """Sum over all ranks, in place."""
        if self.mesh is not None:
            dist.all_reduce(value)
        return value


def make_layout(config: TrainingConfig, device: torch.device) -> Layout:
    """The grid of the running processes (one, where torch.distributed is not initialised).

    Raises ConfigurationError where they do not fit the configuration.
    """
    parallel = config.parallel
    world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    data = check_sizes(config, world)
    mesh = data_mesh = None
    replicas = parallel.replicas
    if dist.is_initialized():
        shape = (parallel.pipeline, data, parallel.tensor)
        mesh = init_device_mesh(device.type, shape, mesh_dim_names=("pipeline", "data", "tensor"))
    if dist.is_initialized() and replicas > 1:
        data_mesh, names = mesh, ("pipeline", "replica", "shard", "tensor")
        finer = (parallel.pipeline, replicas, data // replicas, parallel.tensor)
        mesh = init_device_mesh(device.type, finer, mesh_dim_names=names)
    return Layout(parallel.tensor, parallel.pipeline, data, rank, device, mesh, replicas, data_mesh)


def check_sizes(config: TrainingConfig, world: int) -> int:
    """Size of the data axis for so many ranks. Raises ConfigurationError that names what does not divide what."""
    parallel, model = config.parallel, config.model
    model_ranks = parallel.tensor * parallel.pipeline
    if world % model_ranks or parallel.data not in (None, world // model_ranks):
        wanted = f"tensor {parallel.tensor} × pipeline {parallel.pipeline}"
        wanted += f" × data {parallel.data}" if parallel.data else ""
        raise ConfigurationError(
            f"{wanted} does not fit {world} process{'es' * (world != 1)}; start as many, or change [parallel]"
        )
    for name, size in (("heads", model.heads), ("vocabulary_size", model.vocabulary_size)):
        if size % parallel.tensor:
            raise ConfigurationError(f"model.{name} ({size}) must be a multiple of parallel.tensor ({parallel.tensor})")
    stages = parallel.pipeline * parallel.stages_per_rank
    if (parallel.stages_per_rank > 1) != (parallel.schedule == "interleaved"):
        raise ConfigurationError('parallel.stages_per_rank above 1 and schedule = "interleaved" go together')
    if stages > model.layers + 2:
        raise ConfigurationError(f"{stages} pipeline stages are too many for {model.layers} layers")
    data = world // model_ranks
    if data % parallel.replicas or (parallel.replicas > 1 and parallel.sharding == "none"):
        raise ConfigurationError(
            f"parallel.replicas ({parallel.replicas}) must divide {data} data ranks, and needs sharding zero1 or fsdp"
        )
    check_micro_batches(config, data)
    if parallel.sequence_parallel and config.sequence_length % parallel.tensor:
        raise ConfigurationError("sequence_length must be a multiple of parallel.tensor where sequence_parallel is set")
    return data


def check_micro_batches(config: TrainingConfig, data: int) -> None:
    """Refuse batches whose micro-batches a rank the pipeline's schedule cannot take. Raises ConfigurationError.

    Both schedules need as many as there are stages or more (of interleaved ones: ranks); the interleaved one also
    rounds of one length. Others than whole micro-batches are refused by `trainer.schedule.check_batches`.
    """
    parallel, batch = config.parallel, config.batch
    if parallel.pipeline == 1:
        return
    first = batch.size if batch.ramp_start is None else batch.ramp_start
    for size in range(first, batch.size + 1, batch.ramp_step):
        count = size // (data * batch.micro)
        if count < parallel.pipeline or (
            parallel.schedule == "interleaved" and count % (count // parallel.pipeline) != 0
        ):
            raise ConfigurationError(
                f"a batch of {size} sequences is {count} micro-batches a rank, which {parallel.schedule} on "
                f"{parallel.pipeline} pipeline ranks cannot take; make it a multiple of {parallel.pipeline} × "
                f"{data} data ranks × batch.micro ({batch.micro}), or change [parallel]"
            )
