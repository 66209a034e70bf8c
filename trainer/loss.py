"""Cross-entropy over a large vocabulary, some positions at a time.

The logits of BLOOM's 250,880 rows are the largest tensor of a small model's step. Here the gradient is computed along
with the loss, chunk by chunk, so that no more than one chunk of logits ever exists (after Wijmans et al. 2024, "Cut
your losses in large-vocabulary language models", without its kernels).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Whole:
    """All rows of the vocabulary are here. A share of them has its own `first`, and sums over who hold the rest."""

    first = 0

    def gather(self, hidden: Tensor) -> Tensor:
        """Hidden states of all positions, where some are elsewhere."""
        return hidden

    def rows(self, weight: Tensor) -> Tensor:
        """The rows held, as a plain tensor."""
        return weight

    def maximum(self, values: Tensor) -> Tensor:
        """Elementwise maximum over the shares."""
        return values

    def total(self, values: Tensor) -> Tensor:
        """Sum over the shares."""
        return values


def cross_entropy_sum(hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int, share: Whole | None = None) -> Tensor:
    """Sum of the cross-entropies (fp32 scalar, nats) of logits `hidden @ weight.T`.

    hidden (…, h); weight (rows, h): those of the vocabulary from `share.first` on; labels int64 (…), -100 counts for
    nothing; `chunk` positions at a time. Products are in autocast's dtype, the softmax in fp32.
    """
    hidden, labels = hidden.flatten(0, -2), labels.flatten()
    loss: Tensor = _CrossEntropySum.apply(hidden, weight, labels, chunk, share or Whole())  # type: ignore[no-untyped-call]
    return loss


class _CrossEntropySum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int, share: Whole) -> Tensor:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        wants = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        with torch.no_grad(), torch.autocast(device, enabled=False):
            matrix = weight.to(dtype)
            loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
            to_hidden = torch.empty_like(hidden, dtype=dtype) if wants else None
            to_weight = torch.zeros_like(weight, dtype=torch.float32) if wants else None
            for begin in range(0, len(hidden), chunk):
                rows = slice(begin, begin + chunk)
                part = hidden[rows].to(dtype)
                logits = part @ matrix.T
                loss += _loss_of(logits := logits.float(), labels[rows], share, wants)
                if to_hidden is not None and to_weight is not None:
                    gradient = logits.to(dtype)
                    to_hidden[rows] = gradient @ matrix
                    if dtype == torch.float32:
                        to_weight.addmm_(gradient.T, part)
                    else:
                        to_weight += gradient.T @ part
            if to_hidden is not None:
                ctx.save_for_backward(share.total(to_hidden).to(hidden.dtype), to_weight)
                ctx.dtype = weight.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        to_hidden, to_weight = ctx.saved_tensors
        return to_hidden * gradient.to(to_hidden.dtype), to_weight.mul_(gradient).to(ctx.dtype), None, None, None


def _loss_of(logits: Tensor, labels: Tensor, share: Whole, wants_gradient: bool) -> Tensor:
    """Sum of losses of fp32 logits (n, rows), which become their own gradient in place."""
    counts = labels != -100
    local = labels - share.first
    here = counts & (local >= 0) & (local < logits.shape[1])
    local = local.clamp(0, logits.shape[1] - 1)[:, None]
    logits -= share.maximum(logits.amax(-1))[:, None]
    target = share.total(torch.where(here, logits.gather(1, local)[:, 0], 0.0))
    total = share.total(logits.exp_().sum(-1))
    if wants_gradient:
        logits /= total[:, None]
        logits.scatter_add_(1, local, -here[:, None].float())
        logits *= counts[:, None]
    return torch.where(counts, total.log() - target, 0.0).sum()
