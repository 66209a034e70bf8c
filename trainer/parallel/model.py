"""A rank's share of the model and of its optimizer, and one step of training on it.

The order in which the techniques are applied is here and nowhere else; what each does is in the file of its name.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from configs.errors import ConfigurationError
from trainer.attention import chosen
from trainer.config import TrainingConfig
from trainer.data import Batch
from trainer.model import Bloom
from trainer.parallel.checkpointing import apply_checkpointing
from trainer.parallel.data import DTYPES, apply_data_parallel, local, reduce_gradients, set_last_backward, share_again
from trainer.parallel.layout import Layout, make_layout
from trainer.parallel.optimizer import fill_states, make_optimizer, states_by_name
from trainer.parallel.pipeline import Pipeline, build_parts, tied_group
from trainer.parallel.tensor import apply_tensor_parallel

_PASS = 16
"""Of an evaluation: so many times what fills a pipeline go through it together."""


def parallelize(part: Bloom, layout: Layout, config: TrainingConfig) -> None:
    """Apply to a stage, on the meta device, all that is not the pipeline."""
    parallel, precision = config.parallel, config.precision
    way = chosen(precision.attention, config.model.head_size, layout.device.type, precision.compute)
    part.set_attention(way)
    part.loss_chunk = precision.loss_chunk
    if layout.tensor > 1:
        apply_tensor_parallel(part, layout, parallel.sequence_parallel)
    # Elsewhere the embedding is not here whole, or sums in this order are not the same in every run (on CUDA).
    part.ties_gradients = layout.world == 1 and layout.device.type == "cpu"
    apply_checkpointing(part, parallel.checkpointing)
    if parallel.compile:
        part.compiles_loss = True
        for layer in part.layers.values():
            layer.compile()
    apply_data_parallel(part, layout, config)


class ParallelModel:
    """The stages of this rank, their optimizer, and the steps.

    Weights are drawn tensor by tensor by name, so every layout starts from the same ones. Parameters and optimizer
    states are fp32; products are in `precision.compute`.
    """

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        self.config, self.layout = config, make_layout(config, device)
        self.parts = build_parts(config, self.layout.pipeline_rank)
        for part in self.parts:
            parallelize(part, self.layout, config)
        self._allocate()
        self._tied = tied_group(self.layout)
        self._pipeline = Pipeline(self.parts, config, self.layout) if config.parallel.pipeline > 1 else None
        self.optimizer = make_optimizer(self.named_parameters(), config.optimizer)

    def _allocate(self) -> None:
        """Give the stages memory and weights."""
        for part in self.parts:
            part.to_empty(device=self.layout.device)
            self._draw(part)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Parameters of this rank by their names in the whole model."""
        for part in self.parts:
            yield from part.named_parameters()

    def forward_backward(self, batch: Batch, scale: float = 1.0) -> Tensor:
        """Leave the gradients of `scale` × the mean loss of the global batch; returns that loss, the same on all ranks.

        `batch` is this data rank's share; it is split into micro-batches. Raises ConfigurationError where it does not
        divide. The loss is a fp32 scalar in nats, not scaled: the mean over labels by their weights.
        """
        micro = self.config.batch.micro
        if len(batch) % micro:
            raise ConfigurationError(f"a rank's {len(batch)} sequences are not a multiple of batch.micro ({micro})")
        labels = self._sum_over_data(batch.weights().sum())
        factor = scale / labels
        if self._pipeline is not None:
            self._pipeline.loss_scale = factor
            with self._autocast():
                total = self._pipeline.run(batch, micro, masked=self.config.data.document_mask, backward=True)
        else:
            total = self._accumulate(batch, micro, factor)
        self._settle()
        for part in self.parts:
            reduce_gradients(part, self.layout)
        self._add_tied()
        return self._sum_of_losses(total) / labels

    def _accumulate(self, batch: Batch, micro: int, factor: Tensor) -> Tensor:
        [part] = self.parts
        total = torch.zeros((), device=self.layout.device)
        for begin in range(0, len(batch), micro):
            piece = batch.slice(begin, begin + micro)
            documents = piece.documents if self.config.data.document_mask else None
            set_last_backward(part, self.config.parallel.sharding, begin + micro >= len(batch))
            with self._autocast():
                loss = part(piece.input_ids, piece.labels, loss_weights=piece.loss_weights, documents=documents)
            (loss * factor).backward()
            total += loss.detach()
        return total

    @torch.no_grad()
    def evaluate(self, batch: Batch, groups: Tensor | None = None, count: int = 1) -> tuple[Tensor, Tensor]:
        """(sum of losses, sum of their weights) of each of `count` groups, fp32 (count,), the same on all ranks.

        `batch` is this data rank's share, of any size but the same on all; `groups` int64 (b,) says of each sequence
        which group it is of. Sequences of many groups fill micro-batches together.
        """
        unit = self.config.batch.micro * self.config.parallel.pipeline  # what any schedule takes
        groups = torch.zeros(len(batch), dtype=torch.int64) if groups is None else groups
        sums = torch.zeros(2, count, device=self.layout.device)
        for begin in range(0, len(batch), _PASS * unit):
            piece = batch.slice(begin, begin + _PASS * unit)
            losses = self._row_losses(_pad(piece, -(-len(piece) // unit) * unit))[: len(piece)]
            if self.layout.tensor_rank == 0 and len(losses):
                labels = piece.weights().sum(1)
                where = groups[begin : begin + len(piece)].to(sums.device)
                sums.index_add_(1, where, torch.stack([losses, labels]))
        losses, labels = self.layout.sum(sums)
        return losses, labels

    def _row_losses(self, batch: Batch) -> Tensor:
        """Sum of the losses of each sequence (b,), fp32; none where this rank does not hold the last stage."""
        micro, masked = self.config.batch.micro, self.config.data.document_mask
        found: list[Tensor] = []
        for part in self.parts:
            part.row_losses = found
        try:
            with self._autocast():
                if self._pipeline is not None:
                    self._pipeline.loss_scale = 1.0
                    self._pipeline.run(batch, micro, masked=masked, backward=False)
                else:
                    for begin in range(0, len(batch), micro):
                        piece = batch.slice(begin, begin + micro)
                        documents = piece.documents if masked else None
                        self.parts[0](
                            piece.input_ids, piece.labels, loss_weights=piece.loss_weights, documents=documents
                        )
        finally:
            for part in self.parts:
                part.row_losses = None
        return torch.cat(found) if found else torch.empty(0)

    def groups(self) -> list[dist.ProcessGroup]:
        """Of the ranks that this one sends messages to, in a step."""
        mesh = self.layout.mesh
        found = [] if mesh is None else mesh.get_all_groups()
        found += [self.layout.axis("data").get_group()] if self.layout.replicas > 1 else []
        return [*found, *([] if self._tied is None else [self._tied])]

    def gradient_norm(self) -> Tensor:
        """L2 norm of the whole gradient, fp32, the same on all ranks; not finite where any rank's is not."""
        gradients = [
            local(parameter.grad)
            for name, parameter in self.named_parameters()
            if parameter.grad is not None and self._is_counted_here(name, parameter)
        ]
        squares = torch.zeros((), device=self.layout.device)
        if gradients:  # a few launches on a GPU, not several for each of hundreds of tensors
            squares = torch.stack(torch._foreach_norm(gradients, 2, dtype=torch.float32)).square().sum()
        return self.layout.sum(squares).sqrt()

    def step(self, learning_rate: float, *, divisor: Tensor | None = None, skip: Tensor | None = None) -> None:
        """One step of the optimizer.

        Gradients are divided by `divisor`; where `skip` is 1 nothing is changed. Both are fp32 scalars on the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        # The fused kernel takes them as torch's GradScaler would give them: the host need not know their values.
        vars(self.optimizer).update(grad_scale=divisor, found_inf=skip)
        self.optimizer.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """The state for `torch.distributed.checkpoint`, by names in the whole model: it loads on any layout."""
        for part in self.parts:
            share_again(part)
        fill_states(self.optimizer)
        model = {name: parameter.detach() for name, parameter in self.named_parameters()}
        return {"model": model, "optimizer": states_by_name(self.optimizer, self.named_parameters())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy a state of the form of `state_dict`, tensor by tensor. One loaded in place is there already."""
        mine = self.state_dict()
        with torch.no_grad():
            for name, tensor in mine["model"].items():
                if tensor.data_ptr() != state["model"][name].data_ptr():
                    tensor.copy_(state["model"][name])
                for kind, own in mine["optimizer"][name].items():
                    if own.data_ptr() != state["optimizer"][name][kind].data_ptr():
                        own.copy_(state["optimizer"][name][kind])

    @torch.no_grad()
    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> None:
        """Copy weights by their names in the whole model: whole tensors, or shares as this rank has them."""
        for name, tensor in weights:
            for part in self.parts:
                if (parameter := dict(part.named_parameters()).get(name)) is not None:
                    self._copy(parameter, tensor)

    @torch.no_grad()
    def _draw(self, part: Bloom) -> None:
        part.fill_slopes()
        parameters = dict(part.named_parameters())
        for name, weights in part.fresh_weights(self.config.seed):
            self._copy(parameters[name], weights)

    def _copy(self, parameter: nn.Parameter, weights: Tensor) -> None:
        if isinstance(parameter, DTensor) and not isinstance(weights, DTensor):
            weights = distribute_tensor(
                weights.to(self.layout.device), parameter.device_mesh, parameter.placements, src_data_rank=None
            )
        target, source = local(parameter), local(weights)
        if target.data_ptr() != source.data_ptr():
            target.copy_(source)

    def _autocast(self) -> AbstractContextManager[Any]:
        compute = self.config.precision.compute
        if compute == "fp32":
            return nullcontext()
        return torch.autocast(self.layout.device.type, DTYPES[compute])

    def _sum_over_data(self, value: Tensor) -> Tensor:
        if self.layout.data > 1:
            dist.all_reduce(value, group=self.layout.axis("data").get_group())
        return value

    def _sum_of_losses(self, total: Tensor) -> Tensor:
        """Losses are on the last stages only, and the same on all ranks of a tensor group."""
        total = self._sum_over_data(total.clone())
        if self.layout.pipeline > 1:
            dist.all_reduce(total, group=self.layout.axis("pipeline").get_group())
        return total

    def _settle(self) -> None:
        """Give gradients the placements of their parameters.

        DTensor leaves the gradients of sequence-parallel norms to be summed.
        """
        for _, parameter in self.named_parameters():
            gradient = parameter.grad
            if not (isinstance(parameter, DTensor) and isinstance(gradient, DTensor)):
                continue
            if gradient.placements != parameter.placements:
                parameter.grad = gradient.redistribute(placements=parameter.placements)

    def _add_tied(self) -> None:
        """The embedding is on the first stage and on the last: its gradient is the sum."""
        if self._tied is not None:
            for name, parameter in self.named_parameters():
                if name == "embedding.weight" and parameter.grad is not None:
                    dist.all_reduce(local(parameter.grad), group=self._tied)

    def _is_counted_here(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether this rank's share of a parameter is its own: each element is counted once over all ranks."""
        layout = self.layout
        shared = set()
        if isinstance(parameter, DTensor):
            names = parameter.device_mesh.mesh_dim_names or ()
            shared = {axis for axis, p in zip(names, parameter.placements, strict=True) if not p.is_replicate()}
        # Of states that are shared out in several replicas the first one's count.
        counted = layout.data // layout.replicas if "shard" in shared else layout.data if "data" in shared else 1
        if ("tensor" not in shared and layout.tensor_rank) or layout.data_rank >= counted:
            return False
        return not (name == "embedding.weight" and layout.pipeline > 1 and layout.pipeline_rank > 0)


def _pad(batch: Batch, size: int) -> Batch:
    """A batch of `size` sequences; those added have no labels."""
    more = size - len(batch)
    if more <= 0:
        return batch
    ids, labels, documents, weights = batch.input_ids, batch.labels, batch.documents, batch.loss_weights
    return Batch(
        torch.cat([ids, ids[:1].expand(more, -1)]),
        torch.cat([labels, torch.full_like(labels[:1], -100).expand(more, -1)]),
        torch.cat([documents, documents[:1].expand(more, -1)]),
        None if weights is None else torch.cat([weights, weights[:1].expand(more, -1)]),
    )
