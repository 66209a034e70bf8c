"""Data parallelism: each rank of the axis sees other sequences, and gradients are summed.

none    every rank holds everything; gradients are all-reduced
zero1   FSDP2 (`fully_shard`) that keeps the weights from the first forward pass of a step to its last backward pass:
        optimizer states, and between steps weights and gradients, are shared; as many bytes are sent as by `none`
fsdp    FSDP2 that gathers each layer's weights when it is used and shares out its gradient at once (ZeRO stage 3,
        Rajbhandari et al. 2020): of no more than a layer or two are weights and gradients whole at any moment; half as
        many bytes again are sent for a step of one micro-batch, and three times that half for each further one

With `replicas` (HSDP) states are shared within groups of data ranks, such as a node's, and each group has all of them:
weights are gathered over fast links only, and what goes between the groups is each rank's share of the gradients.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from trainer.config import TrainingConfig
from trainer.model import Bloom
from trainer.parallel.layout import Layout

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def apply_data_parallel(part: Bloom, layout: Layout, config: TrainingConfig) -> None:
    """Share the parameters of a part over the data axis."""
    sharding = config.parallel.sharding
    if sharding == "none" or layout.data == 1:
        return
    compute = DTYPES[config.precision.compute]
    precision = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32, cast_forward_inputs=False)
    if compute == torch.float32:
        precision = MixedPrecisionPolicy()
    settings: dict[str, Any] = {
        "mesh": layout.states_mesh,
        "mp_policy": precision,
        "reshard_after_forward": sharding == "fsdp",
    }
    for layer in part.layers.values():
        fully_shard(layer, **settings)
    fully_shard(part, **settings)
    for module in part.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)  # losses are divided by the labels of the global batch already
            module.set_force_sum_reduction_for_comms(True)


def set_last_backward(part: nn.Module, sharding: str, is_last: bool) -> None:
    """Say whether the backward pass that follows is the last of the step: `zero1` reduces gradients only then."""
    if isinstance(part, FSDPModule):
        reduces = is_last or sharding == "fsdp"
        part.set_is_last_backward(reduces)
        part.set_requires_gradient_sync(reduces)
        part.set_reshard_after_backward(reduces)


def share_again(part: nn.Module) -> None:
    """Forget weights that a forward pass without a backward pass has left gathered, such as an evaluation's."""
    for module in part.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def reduce_gradients(part: Bloom, layout: Layout) -> None:
    """Sum the gradients of an unshared part over the data axis, in one message a dtype."""
    if layout.data == 1 or isinstance(part, FSDPModule):
        return
    gradients = [local(p.grad) for p in part.parameters() if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat, group=layout.axis("data").get_group())
    for gradient, summed in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This rank's share of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
