"""Pipeline parallelism by `torch.distributed.pipelining`: which layers are whose, and the schedule that drives them.

The embedding, on the first stage, and the output matrix, on the last, count as a layer each when layers are spread, as
in BLOOM-176B's run: 70 layers on 12 stages are embedding + 5 | 6 × 10 | 5 + output.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleInterleaved1F1B
from torch.distributed.pipelining._backward import stage_backward
from torch.distributed.pipelining.schedules import PipelineScheduleMulti, PipelineScheduleSingle

from trainer.config import TrainingConfig
from trainer.data import Batch
from trainer.model import Bloom
from trainer.parallel.data import DTYPES, set_last_backward
from trainer.parallel.layout import Layout


def layers_of_stages(layers: int, stages: int) -> list[range]:
    """Layers of each stage; the embedding and the output count as one more at either end.

    Where they do not divide evenly, earlier stages have one more. Equals BLOOM's own for 70 layers on 12 stages.
    """
    if stages == 1:
        return [range(layers)]
    items = layers + 2
    sizes = [items // stages + (stage < items % stages) for stage in range(stages)]
    ends = [sum(sizes[: stage + 1]) - 1 for stage in range(stages)]
    ends[-1] = layers
    starts = [0, *ends[:-1]]
    return [range(max(0, start), end) for start, end in zip(starts, ends, strict=True)]


def stages_of_rank(config: TrainingConfig, pipeline_rank: int) -> list[int]:
    """Numbers of the stages that a pipeline rank holds: every so many, where it has more than one."""
    return [pipeline_rank + turn * config.parallel.pipeline for turn in range(config.parallel.stages_per_rank)]


def build_parts(config: TrainingConfig, pipeline_rank: int) -> list[Bloom]:
    """The stages of a rank, without memory (on the meta device)."""
    stages = config.parallel.pipeline * config.parallel.stages_per_rank
    spread = layers_of_stages(config.model.layers, stages)
    with torch.device("meta"):
        return [
            Bloom(config.model, spread[stage], embeds=stage == 0, predicts=stage == stages - 1)
            for stage in stages_of_rank(config, pipeline_rank)
        ]


def stage_inputs(config: TrainingConfig, layout: Layout) -> dict[str, Tensor]:
    """What stages await for a micro-batch, on the meta device: `ids` the first one, `hidden` states the others."""
    positions = config.sequence_length
    ids = torch.empty(config.batch.micro, positions, dtype=torch.int64, device="meta")
    if config.parallel.sequence_parallel:
        positions //= layout.tensor
    shape, compute = (config.batch.micro, positions, config.model.hidden), DTYPES[config.precision.compute]
    return {"ids": ids, "hidden": torch.empty(shape, dtype=compute, device="meta", requires_grad=True)}


class Stage(PipelineStage):
    """A stage that holds no more than it needs.

    torch's has a receive buffer for each micro-batch and direction from the first step on, 30 GB on a middle rank of
    BLOOM-176B. Here a buffer is made when a message is awaited and forgotten when it is used. Under `fsdp` torch would
    keep whole gradients and weights from one micro-batch to the next; here they are shared out after each.
    """

    sharding = "none"

    def _prepare_forward_infra(self, *args: Any, **kwargs: Any) -> Any:
        with self._without_memory():
            return super()._prepare_forward_infra(*args, **kwargs)

    def _create_grad_recv_info(self, act_send_info: dict[int, Any]) -> tuple[Any, ...]:
        with self._without_memory():
            return super()._create_grad_recv_info(act_send_info)

    def get_fwd_recv_ops(self, fwd_chunk_id: int) -> list[dist.P2POp]:
        """What receives the hidden states of a micro-batch."""
        _move(self.args_recv_info[fwd_chunk_id], self.device)
        return super().get_fwd_recv_ops(fwd_chunk_id)

    def get_bwd_recv_ops(self, bwd_chunk_id: int) -> list[dist.P2POp]:
        """What receives the gradient of a micro-batch's output."""
        if self.has_backward and not self.is_last:
            _move(self.grad_recv_info[bwd_chunk_id], self.device)
        return super().get_bwd_recv_ops(bwd_chunk_id)

    def _retrieve_recv_activations(self, fwd_chunk_id: int) -> tuple[Any, ...]:
        found: tuple[Any, ...] = super()._retrieve_recv_activations(fwd_chunk_id)
        for hidden in found:  # torch 2.11 takes the buffer as it is
            hidden.requires_grad_(self.has_backward and torch.is_grad_enabled())
        _move(self.args_recv_info[fwd_chunk_id], torch.device("meta"))
        return found

    def _retrieve_recv_grads(self, bwd_chunk_id: int) -> tuple[Any, ...]:
        found: tuple[Any, ...] = super()._retrieve_recv_grads(bwd_chunk_id)
        _move(self.grad_recv_info[bwd_chunk_id], torch.device("meta"))
        return found

    def backward_maybe_with_nosync(
        self, backward_type: str, bwd_kwargs: dict[str, Any], last_backward: bool = False
    ) -> tuple[tuple[Tensor | None, ...], list[dict[str, Any]] | None]:
        """The backward pass of a micro-batch."""
        if self.sharding != "fsdp" or not isinstance(self.submod, FSDPModule):
            return super().backward_maybe_with_nosync(backward_type, bwd_kwargs, last_backward)
        set_last_backward(self.submod, self.sharding, last_backward)
        return stage_backward(bwd_kwargs["stage_output"], bwd_kwargs["output_grads"], bwd_kwargs["input_values"]), None

    @contextmanager
    def _without_memory(self) -> Iterator[None]:
        device, self.device = self.device, torch.device("meta")
        try:
            yield
        finally:
            self.device = device


def _move(received: Sequence[Any], device: torch.device) -> None:
    """Give receive buffers new memory, or none on the meta device; what they held is not copied."""
    for info in received:
        if getattr(info, "buffer", None) is not None:  # of the batch itself there is none; torch 2.11 has no such field
            info.buffer = torch.empty_like(info.buffer, device=device, requires_grad=False)


class Pipeline:
    """The stages of this rank, and the schedule over them. `loss_scale` is read by each backward pass."""

    def __init__(self, parts: Sequence[Bloom], config: TrainingConfig, layout: Layout) -> None:
        self._parallel, self._layout = config.parallel, layout
        self.loss_scale: Tensor | float = 1.0
        count = config.parallel.pipeline * config.parallel.stages_per_rank
        inputs = stage_inputs(config, layout)
        ids, hidden = inputs["ids"], inputs["hidden"]
        self._stages = [
            Stage(
                part,
                stage,
                count,
                layout.device,
                input_args=(ids if part.embeds else hidden,),
                output_args=(torch.empty((), device="meta", requires_grad=True) if part.predicts else hidden,),
                group=layout.axis("pipeline").get_group(),
            )
            for part, stage in zip(parts, stages_of_rank(config, layout.pipeline_rank), strict=True)
        ]
        for held in self._stages:
            held.sharding = config.parallel.sharding
        self._schedules: dict[int, PipelineScheduleSingle | PipelineScheduleMulti] = {}

    def run(self, batch: Batch, micro: int, *, masked: bool, backward: bool) -> Tensor:
        """Run a batch (b, s) in b / micro micro-batches; returns the sum of losses, 0 where this is no last stage.

        With `masked` attention stays inside documents.
        """
        schedule = self._schedule(len(batch) // micro)
        losses: list[Tensor] = []
        is_last = self._layout.pipeline_rank == self._layout.pipeline - 1
        inputs = (batch.input_ids,) if self._layout.pipeline_rank == 0 else ()
        more: dict[str, Any] = {"documents": batch.documents} if masked else {}
        if is_last:
            more["labels"] = batch.labels
            if batch.loss_weights is not None:
                more["loss_weights"] = batch.loss_weights
        method = schedule.step if backward else schedule.eval
        method(
            *inputs,
            target=batch.labels if is_last else None,
            losses=losses if is_last else None,
            return_outputs=False,
            **more,
        )
        if not losses:
            return torch.zeros((), device=batch.labels.device)
        return torch.stack([loss.detach() for loss in losses]).sum() / self.loss_scale

    def _schedule(self, micro_batches: int) -> PipelineScheduleSingle | PipelineScheduleMulti:
        if micro_batches not in self._schedules:
            kind = self._parallel.schedule
            self._schedules[micro_batches] = (
                ScheduleInterleaved1F1B(list(self._stages), micro_batches, self._loss, scale_grads=False)
                if kind == "interleaved"
                else Schedule1F1B(self._stages[0], micro_batches, self._loss, scale_grads=False)
            )
        return self._schedules[micro_batches]

    def _loss(self, loss: Tensor, _labels: Tensor) -> Tensor:
        """The last stage's output is the loss already."""
        return loss * self.loss_scale


def tied_group(layout: Layout) -> dist.ProcessGroup | None:
    """The group of first and last stage's rank at this place of the grid; None for a rank between them.

    Every rank must call this: making a group takes all.
    """
    if layout.pipeline == 1:
        return None
    mine = None
    per_stage = layout.tensor * layout.data
    for place in range(per_stage):
        ranks = [place, place + (layout.pipeline - 1) * per_stage]
        group = dist.new_group(ranks)
        if layout.rank in ranks:
            mine = group
    return mine
