"""Cross-entropy over a large vocabulary, some positions at a time.

The logits of BLOOM's 250,880 rows are the largest tensor of a small model's step. Here the gradient is computed along
with the loss, chunk by chunk, so that no more than one chunk of logits ever exists (after Wijmans et al. 2024, "Cut
your losses in large-vocabulary language models", without its kernels).
"""

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Whole:
    """All rows of the vocabulary are here. A share of them has its own `first`, and sums over who hold the rest."""

    first = 0
    is_whole = True

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


def cross_entropy_sum(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    chunk: int,
    share: Whole | None = None,
    *,
    loss_weights: Tensor | None = None,
    is_compiled: bool = False,
) -> Tensor:
    """Sum of the cross-entropies (fp32 scalar, nats) of logits `hidden @ weight.T`.

    hidden (…, h); weight (rows, h): those of the vocabulary from `share.first` on; labels int64 (…), -100 counts for
    nothing; `chunk` positions at a time; `loss_weights` fp32 (…) multiply the losses. Products are in autocast's dtype,
    the softmax in fp32. `is_compiled` fuses the passes over a chunk by torch.compile.
    """
    hidden, labels = hidden.flatten(0, -2), labels.flatten()
    loss_weights = None if loss_weights is None else loss_weights.flatten()
    loss: Tensor = _CrossEntropySum.apply(hidden, weight, labels, chunk, share or Whole(), loss_weights, is_compiled)  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def row_losses(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    chunk: int,
    share: Whole | None = None,
    loss_weights: Tensor | None = None,
) -> Tensor:
    """Sum of the cross-entropies of each row of labels, fp32 (b,): as `cross_entropy_sum`, without a gradient."""
    share, (rows, positions) = share or Whole(), labels.shape
    labels = labels.flatten()
    # Of a question's tokens only the answer's have labels; for the others no logits are computed.
    at = (labels != -100).nonzero()[:, 0]
    hidden, wanted = hidden.flatten(0, -2)[at], labels[at]
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    losses = torch.zeros(len(labels), dtype=torch.float32, device=hidden.device)
    with torch.autocast(device, enabled=False):
        matrix = weight.to(dtype)
        for begin in range(0, len(at), chunk):
            part = slice(begin, begin + chunk)
            logits = (hidden[part].to(dtype) @ matrix.T).float()
            top = share.maximum(logits.amax(-1))
            whole = top + share.total((logits - top[:, None]).exp_().sum(-1)).log()
            local = wanted[part] - share.first
            here = (local >= 0) & (local < len(matrix))
            target = logits.gather(1, local.clamp(0, len(matrix) - 1)[:, None])[:, 0].where(here, 0.0)
            losses[at[part]] = whole - share.total(target)
    losses = losses.view(rows, positions)
    return (losses if loss_weights is None else losses * loss_weights).sum(1)


class _CrossEntropySum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        chunk: int,
        share: Whole,
        loss_weights: Tensor | None,
        is_compiled: bool,
    ) -> Tensor:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        wants = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        with torch.no_grad(), torch.autocast(device, enabled=False):
            matrix = weight.to(dtype)
            loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
            # One buffer for all chunks: a new one each time costs the system more than the softmax.
            buffer = torch.empty(min(chunk, len(hidden)), len(matrix), dtype=dtype, device=hidden.device)
            to_hidden = torch.empty_like(hidden, dtype=dtype) if wants else None
            to_weight = torch.empty_like(weight, dtype=torch.float32) if wants else None
            for begin in range(0, len(hidden), chunk):
                rows = slice(begin, begin + chunk)
                part = hidden[rows].to(dtype)
                logits = torch.mm(part, matrix.T, out=buffer[: len(part)])
                counted = labels[rows] != -100
                losses = _losses_of(logits, labels[rows], share, is_compiled)
                if loss_weights is not None:
                    counted = loss_weights[rows] * counted
                    losses = losses * counted
                loss += -share.total(losses).sum()
                if to_hidden is not None and to_weight is not None:
                    to_hidden[rows] = logits @ matrix * counted[:, None]
                    _add_product(to_weight, logits.T, (part * counted[:, None]).to(dtype), is_first=begin == 0)
            if to_hidden is not None:
                ctx.save_for_backward(share.total(to_hidden).to(hidden.dtype), to_weight)
                ctx.dtype = weight.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        to_hidden, to_weight = ctx.saved_tensors
        scaled = to_hidden * gradient.to(to_hidden.dtype), to_weight.mul_(gradient).to(ctx.dtype)
        return *scaled, None, None, None, None, None


def embed_tied(ids: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of the embedding (…, h) at ids, and the embedding again, to be used as output matrix.

    The gradient of the matrix comes back through here, and that of the rows is added to it where it lies: autograd
    would make a second, dense gradient and sum the two.
    """
    hidden, matrix = _EmbedTied.apply(ids, weight)  # type: ignore[no-untyped-call]
    return hidden, matrix


class _EmbedTied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(ids)
        return weight[ids], weight.view_as(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_hidden: Tensor, to_matrix: Tensor) -> tuple[None, Tensor]:
        [ids] = ctx.saved_tensors
        return None, to_matrix.index_add_(0, ids.flatten(), to_hidden.flatten(0, -2))


def _add_product(total: Tensor, left: Tensor, right: Tensor, *, is_first: bool) -> None:
    """total (fp32) += left @ right; what it held does not count at first."""
    if left.dtype == torch.float32:
        torch.addmm(total, left, right, beta=float(not is_first), out=total)
    elif left.is_cuda and adds_in_fp32(left.device, left.dtype):
        # cuBLAS adds products of 16 bits to the fp32 sum itself: none is rounded to 16 bits before, and the gradient of
        # the matrix, the largest of all, is read once a chunk.
        torch.addmm(total, left, right, out_dtype=torch.float32, beta=float(not is_first), out=total)
    elif is_first:
        total.copy_(left @ right)
    else:
        total += left @ right


@cache
def adds_in_fp32(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether `addmm` adds products of `dtype` to an fp32 sum in place here.

    Some versions of PyTorch have no `out_dtype`, others want the sum in the products' dtype; so it is tried, with
    numbers that every format holds.
    """
    left = torch.arange(256, dtype=torch.float32, device=device).view(16, 16).to(dtype).T  # as the logits lie
    right = torch.eye(16, dtype=dtype, device=device)
    total = torch.full((16, 16), math.nan, device=device)
    try:
        for beta in (0.0, 1.0):
            torch.addmm(total, left, right, out_dtype=torch.float32, beta=beta, out=total)
    except (RuntimeError, TypeError):
        return False
    return torch.equal(total, 2 * left.float())


def _losses_of(logits: Tensor, labels: Tensor, share: Whole, is_compiled: bool) -> Tensor:
    """This share's part of the log-probability of each label, fp32 (n,), 0 where it is elsewhere or does not count.

    The logits (n, rows) become the gradient of their loss in place, as if all labels counted.
    """
    counts = labels != -100
    local = labels - share.first
    here = counts & (local >= 0) & (local < logits.shape[1])
    local = local.clamp(0, logits.shape[1] - 1)[:, None]
    target = logits.gather(1, local)[:, 0].float()
    held = _softmax_of(is_compiled)(logits)
    top = share.maximum(held.clone())
    whole = top + share.total((held - top).exp()).log()
    if not share.is_whole:
        logits *= (held - whole).exp()[:, None]
    target -= whole
    # Set, not added to: where it is near one, sixteen bits of a probability less one would be far off.
    logits.scatter_(
        1, local, torch.where(here[:, None], target.expm1()[:, None].to(logits.dtype), logits.gather(1, local))
    )
    return torch.where(here, target, 0.0)


def _softmax(logits: Tensor) -> Tensor:
    """Logits (n, rows) become probabilities, computed in fp32; returns the logarithm of what they were divided by."""
    top = logits.amax(-1).float()
    if logits.dtype == torch.float32:
        wide = torch.softmax(logits, -1, out=logits)
    else:
        wide = torch.softmax(logits, -1, dtype=torch.float32)
        logits.copy_(wide)
    return top - wide.amax(-1).log()


@cache
def _softmax_of(is_compiled: bool) -> Any:
    return torch.compile(_softmax) if is_compiled else _softmax
