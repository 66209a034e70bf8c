"""Tensor parallelism (Shoeybi et al. 2019, Megatron-LM) by DTensor: heads, MLP columns and vocabulary rows are shared.

With sequence parallelism (Korthikanti et al. 2022) the residual stream between the blocks is shared by positions, and
norms work on a rank's own; else it is the same on all ranks of the group.
"""

from functools import partial

import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.distributed.tensor.parallel.style import ParallelStyle
from torch.nn import functional

from trainer.loss import Whole
from trainer.model import Bloom
from trainer.parallel.layout import Layout


def apply_tensor_parallel(part: Bloom, layout: Layout, sequence_parallel: bool) -> None:
    """Share the parameters of a part over the tensor axis."""
    mesh = layout.axis("tensor")
    stream: Placement = Shard(1) if sequence_parallel else Replicate()
    plan: dict[str, ParallelStyle] = {}
    if hasattr(part, "embedding"):
        rows = distribute_tensor(part.embedding.weight, mesh, [Shard(0)], src_data_rank=None)
        part.embedding.weight = nn.Parameter(rows)
    if part.embeds:
        first = part.config.vocabulary_size // layout.tensor * layout.tensor_rank
        part.embedding.forward = partial(_embed, part.embedding, first, mesh, stream)  # type: ignore[method-assign]
    for name in part.layers:
        layer = f"layers.{name}"
        plan |= {
            f"{layer}.attention.query_key_value": ColwiseParallel(),
            f"{layer}.attention.dense": RowwiseParallel(output_layouts=stream),
            f"{layer}.mlp.up": ColwiseParallel(),
            f"{layer}.mlp.down": RowwiseParallel(output_layouts=stream),
        }
        if sequence_parallel:
            plan |= {
                f"{layer}.input_norm": SequenceParallel(use_local_output=True),
                f"{layer}.post_attention_norm": SequenceParallel(use_local_output=True),
                f"{layer}.attention.query_key_value": ColwiseParallel(input_layouts=Shard(1)),
                f"{layer}.mlp.up": ColwiseParallel(input_layouts=Shard(1)),
            }
    if sequence_parallel:
        if part.embeds:
            plan["embedding_norm"] = SequenceParallel(use_local_output=True)
        if part.predicts:
            plan["final_norm"] = SequenceParallel(use_local_output=True)
    parallelize_module(part, mesh, plan)
    share = part.config.heads // layout.tensor
    for attention in part.attentions():
        attention.keep_heads(range(layout.tensor_rank * share, (layout.tensor_rank + 1) * share))
    if part.predicts:
        part.vocabulary = VocabularyShare(layout, part.config.vocabulary_size, sequence_parallel)


def _embed(embedding: nn.Embedding, first: int, mesh: DeviceMesh, stream: Placement, ids: Tensor) -> Tensor:
    """Rows of ids (b, s), from those who hold them: (b, s, h), or a share of s.

    DTensor's own embedding makes a gradient of all rows on each rank, 14 GB for BLOOM-176B.
    """
    weight = embedding.weight
    rows = weight.to_local() if isinstance(weight, DTensor) else weight
    local = ids - first
    is_here = (local >= 0) & (local < len(rows))
    hidden = functional.embedding(local.where(is_here, 0), rows).masked_fill(~is_here[..., None], 0.0)
    whole = DTensor.from_local(hidden, mesh, [Partial()], run_check=False)
    return whole.redistribute(placements=[stream]).to_local()


class VocabularyShare(Whole):
    """A tensor rank's rows of the output matrix; sums and maxima go over its group."""

    is_whole = False

    def __init__(self, layout: Layout, vocabulary_size: int, sequence_parallel: bool) -> None:
        self.first = vocabulary_size // layout.tensor * layout.tensor_rank
        self._mesh, self._gathers = layout.axis("tensor"), sequence_parallel

    def gather(self, hidden: Tensor) -> Tensor:
        """All positions (b, s, h), where each rank has had its share of them."""
        if not self._gathers:
            return hidden
        shared = DTensor.from_local(hidden, self._mesh, [Shard(1)], run_check=False)
        return shared.redistribute(placements=[Replicate()]).to_local()

    def rows(self, weight: Tensor) -> Tensor:
        """The rows held, as a plain tensor."""
        return weight.to_local() if isinstance(weight, DTensor) else weight

    def maximum(self, values: Tensor) -> Tensor:
        """Elementwise maximum over the tensor group."""
        dist.all_reduce(values, dist.ReduceOp.MAX, self._mesh.get_group())
        return values

    def total(self, values: Tensor) -> Tensor:
        """Sum over the tensor group."""
        dist.all_reduce(values, group=self._mesh.get_group())
        return values
