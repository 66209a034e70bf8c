"""AdamW over a rank's parameters: biases and layer norms have no weight decay, as in the original."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from trainer.config import Optimizer

STATES = ("exp_avg", "exp_avg_sq", "step")


def make_optimizer(parameters: Iterable[tuple[str, nn.Parameter]], settings: Optimizer) -> torch.optim.AdamW:
    """The fused AdamW of torch (Loshchilov and Hutter 2019): one pass over the states, no copies of them."""
    groups: dict[Any, dict[str, Any]] = {}
    for name, parameter in parameters:
        decay = 0.0 if name.endswith(".bias") or "_norm." in name else settings.weight_decay
        # One fused call takes tensors of one mesh, or plain ones.
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        groups.setdefault((decay, mesh), {"params": [], "weight_decay": decay})["params"].append(parameter)
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(list(groups.values()), lr=0.0, betas=betas, eps=settings.epsilon, fused=True)


def divisor(norm: Tensor, clip: float, scale: float = 1.0) -> Tensor:
    """What gradients of a norm, times `scale`, are divided by to have one of `clip` at most: fp32 scalar, as `norm`."""
    return scale / (clip / (norm + 1e-6)).clamp(max=1.0)


def fill_states(optimizer: torch.optim.Optimizer) -> None:
    """Give every parameter the states that it would have after no step: a checkpoint is loaded into them."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state: dict[str, Any] = optimizer.state[parameter]
            if not state:
                device = parameter.device
                state["step"] = torch.zeros((), dtype=torch.float32, device=device)
                state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
                state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)


def states_by_name(
    optimizer: torch.optim.Optimizer, parameters: Iterable[tuple[str, nn.Parameter]]
) -> dict[str, dict[str, Tensor]]:
    """The states of each parameter by its name; the tensors are the optimizer's own."""
    return {name: {kind: optimizer.state[parameter][kind] for kind in STATES} for name, parameter in parameters}
