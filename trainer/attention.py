"""Causal attention with ALiBi, in three ways that give the same numbers.

plain   scores, bias and softmax as the formula has them: s × s × heads in memory; the reference
sdpa    `scaled_dot_product_attention`, with the bias carried by queries and keys (below): nothing of s × s × heads
flex    FlexAttention (compiled on CUDA): masks of documents skip blocks that hold nothing

ALiBi adds slope · (j - i) to the score of query i and key j. A softmax does not see what all its scores share, so
slope · j will do, and that is a product: of a one beside each query and slope · j beside each key. Three more columns
thus replace the bias, and the fast kernels, which take none, can be used. Three, because bf16 has 8 bits: the columns
are the bias in bf16, what that leaves out, and what is left out of that; products are summed in fp32.
"""

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from configs.errors import ConfigurationError
from trainer.config import Attention

_COLUMNS = 8
"""Added to each head: three are used; kernels want multiples of eight."""


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

    The queries stand at the last s of the t positions. For `mask` and `documents` see `Bloom.forward`; `softmax_fp32`
    is for `plain`, the others' softmax is in fp32 anyway.
    """
    query, key, value = (tensor.transpose(1, 2) for tensor in (query, key, value))
    if choice == "plain":
        mixed = _plain(query, key, value, slopes, mask, documents, softmax_fp32)
    elif choice == "flex":
        mixed = _flex(query, key, value, slopes, mask, documents)
    else:
        mixed = _sdpa(query, key, value, slopes, mask, documents)
    return mixed.transpose(1, 2)


def _plain(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    slopes: Tensor,
    mask: Tensor | None,
    documents: Tensor | None,
    softmax_fp32: bool,
) -> Tensor:
    bias = slopes[:, None, None] * _positions(key, mask)[:, None, None]
    allowed = _allowed(query, key, mask, documents)
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias.to(query.dtype)
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1, dtype=torch.float32 if softmax_fp32 else None).to(value.dtype)
    return weights @ value


def _sdpa(
    query: Tensor, key: Tensor, value: Tensor, slopes: Tensor, mask: Tensor | None, documents: Tensor | None
) -> Tensor:
    scale, size = 1.0 / math.sqrt(query.shape[-1]), value.shape[-1]
    query, key = _with_bias(query, key, slopes, scale, mask)
    value = functional.pad(value, (0, _COLUMNS))  # the fused kernels want heads of one width
    is_causal = mask is None and documents is None and query.shape[2] == key.shape[2]
    allowed = None if is_causal or _sees_all(query, mask, documents) else _allowed(query, key, mask, documents)
    mixed = functional.scaled_dot_product_attention(query, key, value, allowed, is_causal=is_causal, scale=scale)
    return mixed[..., :size]


def _sees_all(query: Tensor, mask: Tensor | None, documents: Tensor | None) -> bool:
    """A single query at the end may see every key."""
    return query.shape[2] == 1 and mask is None and documents is None


def _positions(key: Tensor, mask: Tensor | None) -> Tensor:
    """Position of each key, fp32 (b or 1, t): those that are masked are not counted, as in `transformers`."""
    if mask is None:
        return torch.arange(key.shape[2], device=key.device, dtype=torch.float32)[None]
    return ((mask.cumsum(-1) - 1) * mask).float()


def _with_bias(query: Tensor, key: Tensor, slopes: Tensor, scale: float, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Queries and keys, wider by `_COLUMNS`, whose products have the bias in them."""
    rest = slopes[:, None] * _positions(key, mask)[:, None] / scale
    columns = []
    for _ in range(3):
        columns.append(rest.to(key.dtype))
        rest = rest - columns[-1].float()
    bias = functional.pad(torch.stack(columns, -1), (0, _COLUMNS - 3))
    ones = functional.pad(torch.ones(3, dtype=query.dtype, device=query.device), (0, _COLUMNS - 3))
    query = torch.cat([query, ones.expand(*query.shape[:3], _COLUMNS)], -1)
    return query, torch.cat([key, bias.expand(key.shape[0], -1, -1, -1)], -1)


def _flex(
    query: Tensor, key: Tensor, value: Tensor, slopes: Tensor, mask: Tensor | None, documents: Tensor | None
) -> Tensor:
    if not query.is_cuda and torch.is_grad_enabled() and query.requires_grad:
        raise ConfigurationError('FlexAttention trains on CUDA only; set precision.attention = "sdpa"')
    s, t = query.shape[2], key.shape[2]
    offset = t - s
    positions = None if mask is None else _positions(key, mask)

    def bias(score: Tensor, b: Tensor, n: Tensor, _i: Tensor, j: Tensor) -> Tensor:
        return score + slopes[n] * (j if positions is None else positions[b, j])

    def allowed(b: Tensor, _n: Tensor, i: Tensor, j: Tensor) -> Tensor:
        seen = j <= i + offset
        if documents is not None:
            seen = seen & (documents[b, i] == documents[b, j])
        if mask is not None:
            seen = seen & (mask[b, j] | (i + offset == j))
        return seen

    batch = query.shape[0] if documents is not None or mask is not None else None
    blocks = create_block_mask(allowed, batch, None, s, t, device=query.device)
    mixed: Tensor = _flex_kernel(query.is_cuda)(query, key, value, score_mod=bias, block_mask=blocks)
    return mixed


@cache
def _flex_kernel(is_compiled: bool) -> Any:
    return torch.compile(flex_attention, dynamic=False) if is_compiled else flex_attention


def _allowed(query: Tensor, key: Tensor, mask: Tensor | None, documents: Tensor | None) -> Tensor:
    """Which keys a query may see, bool (b or 1, 1, s, t): always itself, or a padded one saw nothing."""
    s, t = query.shape[2], key.shape[2]
    allowed = torch.ones(s, t, dtype=torch.bool, device=query.device).tril(t - s)[None, None]
    if documents is not None:
        allowed = allowed & (documents[:, None, -s:, None] == documents[:, None, None, :])
    if mask is not None:
        itself = torch.eye(s, t, dtype=torch.bool, device=query.device).roll(t - s, 1)
        allowed = allowed & (mask[:, None, None, :] | itself)
    return allowed
