"""The layouts that a run may have on so many devices, and the best of them by the time of a step."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from configs.errors import ConfigurationError
from trainer.config import TrainingConfig
from trainer.parallel.layout import check_sizes
from trainer.plan import Plan, changed, make_plan
from trainer.schedule import check_batches
from trainer.timing import Machine

_TENSOR = (1, 2, 4, 8)
_PIPELINE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_MICRO = (1, 2, 4, 8, 16)
_NEAR = 1.01
"""Layouts whose steps take as long to within this factor are alike: the simpler one is the better."""


def search(
    config: TrainingConfig,
    devices: int,
    memory: int,
    machine: Machine,
    *,
    storage: float | None = None,
    best: int = 3,
) -> list[Plan]:
    """The best plans that fit, the fastest first; among those alike, few axes and large micro-batches.
    For the arguments see `make_plan`.

    Tensor ranks stay within reach of the fast links. Nothing but the layout is changed: not the batch, not the budget.
    """
    fastest: list[Plan] = []
    for changes in _layouts(config, devices, machine.device.together):
        try:
            plan = make_plan(changed(config, changes), devices, memory, machine, storage=storage, suggest=False)
        except ConfigurationError:
            continue
        if plan.fits:
            fastest.append(plan)
    fastest.sort(key=lambda plan: plan.step.total)
    found: list[Plan] = []
    while fastest and len(found) < best:
        limit = fastest[0].step.total * _NEAR
        alike = [plan for plan in fastest if plan.step.total <= limit]
        found.append(min(alike, key=_complexity))
        shape = _shape(found[-1])
        fastest = [plan for plan in fastest if _shape(plan) != shape]
    return found


def _layouts(config: TrainingConfig, devices: int, together: int) -> Iterator[dict[str, Any]]:
    for tensor, pipeline, micro in product(_TENSOR, _PIPELINE, _MICRO):
        if devices % (tensor * pipeline) or tensor > together:
            continue
        axes: dict[str, Any] = {
            "parallel.tensor": tensor,
            "parallel.pipeline": pipeline,
            "parallel.sequence_parallel": tensor > 1,
        }
        axes |= {"parallel.schedule": "1f1b", "parallel.stages_per_rank": 1, "batch.micro": micro}
        try:
            tried = changed(config, axes)
            check_batches(tried.batch, check_sizes(tried, devices))
        except ConfigurationError:
            continue
        shardings = ("zero1", "fsdp") if devices > tensor * pipeline else ("zero1",)
        for sharding, checkpointing in product(shardings, ("none", "selective", "full")):
            yield {**axes, "parallel.sharding": sharding, "parallel.checkpointing": checkpointing}


def _complexity(plan: Plan) -> tuple[Any, ...]:
    parallel = plan.config.parallel
    return parallel.pipeline, parallel.tensor, parallel.sharding == "fsdp", -plan.config.batch.micro, plan.step.total


def _shape(plan: Plan) -> tuple[Any, ...]:
    """What makes two layouts different ones: not the micro-batch alone."""
    parallel = plan.config.parallel
    return parallel.tensor, parallel.pipeline, parallel.sharding
