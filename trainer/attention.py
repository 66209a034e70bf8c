"""Attention with ALiBi, in several ways that give the same numbers.

plain   scores, bias and softmax as the formula has them; s × s × heads in memory
sdpa    `scaled_dot_product_attention`
flex    FlexAttention, compiled
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainer.config import Attention


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    slopes: Tensor,
    choice: Attention = "sdpa",
    *,
    mask: Tensor | None = None,
    documents: Tensor | None = None,
    softmax_fp32: bool = False,
) -> Tensor:
    """Causal attention: query (b, s, n, d), key and value (b, t, n, d), slopes fp32 (n,) → (b, s, n, d).

    The queries stand at the last s of the t positions. For `mask` and `documents` see `Bloom.forward`.
    """
    query, key, value = (tensor.transpose(1, 2) for tensor in (query, key, value))
    allowed = _allowed(query, key, mask, documents)
    positions = torch.arange(key.shape[2], device=key.device, dtype=torch.float32)
    bias = (slopes[:, None, None] * positions).to(query.dtype)
    bias = bias.masked_fill(~allowed, -math.inf if mask is None else torch.finfo(query.dtype).min)
    if choice == "plain":
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        weights = scores.softmax(-1, dtype=torch.float32 if softmax_fp32 else None).to(value.dtype)
        return (weights @ value).transpose(1, 2)
    return functional.scaled_dot_product_attention(query, key, value, bias).transpose(1, 2)


def _allowed(query: Tensor, key: Tensor, mask: Tensor | None, documents: Tensor | None) -> Tensor:
    """Bool (b or 1, 1, s, t): which keys a query may see."""
    s, t = query.shape[2], key.shape[2]
    allowed = torch.ones(s, t, dtype=torch.bool, device=query.device).tril(t - s)[None, None]
    if mask is not None:
        allowed = allowed & mask[:, None, None, :]
    if documents is not None:
        allowed = allowed & (documents[:, None, -s:, None] == documents[:, None, None, :])
    return allowed
