"""Causal attention with ALiBi, in three ways that give the same numbers.

plain   scores, bias and softmax as the formula has them: s × s × heads in memory; the reference
sdpa    `scaled_dot_product_attention`, with the bias carried by queries and keys (below): nothing of s × s × heads
flex    FlexAttention (compiled on CUDA): the bias by its own code, and masks of documents skip blocks that hold nothing
auto    flex on CUDA in 16 bits for the head sizes of BLOOM's models, else sdpa: see `chosen`

ALiBi adds slope · (j - i) to the score of query i and key j. A softmax does not see what all its scores share, so
slope · j will do, and that is a product: of a one beside each query and slope · j beside each key. Three more columns
thus replace the bias, and the fast kernels, which take none, can be used. Three, because bf16 has 8 bits: the columns
are the bias in bf16, what that leaves out, and what is left out of that; products are summed in fp32.
"""

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from configs.errors import ConfigurationError
from trainer.config import Attention

_COLUMNS = 8
"""Added to each head: three are used; kernels want multiples of eight."""

Way = Literal["plain", "sdpa", "flex"]
"""An implementation: what `auto` stands for, too, is one of these."""

Seen = Tensor | BlockMask | None
"""Which keys each query may see, built once a batch by `build_seen`; None: those up to its own position."""


def chosen(choice: Attention, head_size: int, device: str, compute: str) -> Way:
    """What `auto` stands for in training.

    On an H200 a step of 560m (heads of 64) is 3 % faster with flex than with sdpa, of 1b1 (96) as fast, of 1b1 with
    attention within documents 29 % faster; heads of 128 with the bias are wider than sdpa's fused kernels are fast for
    (benchmarks/RESULTS.md). In fp32 or with other sizes flex may need more shared memory than a card has.
    """
    if choice != "auto":
        return choice
    is_measured = compute != "fp32" and 64 <= head_size <= 128 and head_size % 16 == 0
    return "flex" if device == "cuda" and is_measured else "sdpa"


def build_seen(
    choice: Way, s: int, t: int, mask: Tensor | None, documents: Tensor | None, device: torch.device
) -> Seen:
    """What the last s of t positions may see: the same for all layers."""
    if choice == "flex":
        if mask is None and documents is None:
            return _causal_blocks(s, t, device)
        batch = next((len(given) for given in (documents, mask) if given is not None), None)
        return create_block_mask(_rule(s, t, mask, documents), batch, None, s, t, device=device)
    if mask is None and documents is None and (s in (1, t)):
        return None
    return _allowed(s, t, mask, documents, device)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    slopes: Tensor,
    choice: Way = "sdpa",
    *,
    mask: Tensor | None = None,
    documents: Tensor | None = None,
    seen: Seen = None,
) -> Tensor:
    """Causal attention: query (b, s, n, d), key and value (b, t, n, d), slopes fp32 (n,) → (b, s, n, d).

    The queries stand at the last s of the t positions. The softmax is in fp32 or wider. For `mask` and `documents` see
    `Bloom.forward`.
    """
    query, key, value = (tensor.transpose(1, 2) for tensor in (query, key, value))
    if query.shape[2] == 1 and documents is None:
        return _one(query, key, value, slopes, mask).transpose(1, 2)
    if seen is None:
        seen = build_seen(choice, query.shape[2], key.shape[2], mask, documents, query.device)
    if choice == "plain":
        mixed = _plain(query, key, value, slopes, mask, seen)
    elif choice == "flex":
        mixed = _flex(query, key, value, slopes, mask, seen)
    else:
        mixed = _sdpa(query, key, value, slopes, mask, seen)
    return mixed.transpose(1, 2)


def _plain(query: Tensor, key: Tensor, value: Tensor, slopes: Tensor, mask: Tensor | None, seen: Seen) -> Tensor:
    bias = slopes[:, None, None] * _positions(key, mask)[:, None, None]
    s, t = query.shape[2], key.shape[2]
    allowed = seen if isinstance(seen, Tensor) else _allowed(s, t, None, None, query.device)
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias.to(query.dtype)
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(value.dtype)
    return weights @ value


def _one(query: Tensor, key: Tensor, value: Tensor, slopes: Tensor, mask: Tensor | None) -> Tensor:
    """Of the newest position alone, as generation has it.

    Its scores are a row a head. The fused kernels are made for blocks of queries, and cuDNN's plans anew for each
    length, which took 40 ms a token on an H200.
    """
    wide = torch.promote_types(query.dtype, torch.float32)
    bias = slopes[:, None, None] * _positions(key, mask)[:, None, None]
    scores = (query @ key.transpose(-1, -2)).to(wide) / math.sqrt(query.shape[-1]) + bias
    if mask is not None:
        hidden = ~mask[:, None, None, :]
        hidden[..., -1] = False  # itself it always sees, or a padded one saw nothing
        scores = scores.masked_fill(hidden, torch.finfo(wide).min)
    return scores.softmax(-1).to(value.dtype) @ value


def _sdpa(query: Tensor, key: Tensor, value: Tensor, slopes: Tensor, mask: Tensor | None, seen: Seen) -> Tensor:
    scale, size = 1.0 / math.sqrt(query.shape[-1]), value.shape[-1]
    query, key = _with_bias(query, key, slopes, scale, mask)
    value = functional.pad(value, (0, _COLUMNS))  # the fused kernels want heads of one width
    allowed = seen if isinstance(seen, Tensor) else None
    is_causal = allowed is None and query.shape[2] == key.shape[2]
    mixed = functional.scaled_dot_product_attention(query, key, value, allowed, is_causal=is_causal, scale=scale)
    return mixed[..., :size]


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


def _flex(query: Tensor, key: Tensor, value: Tensor, slopes: Tensor, mask: Tensor | None, seen: Seen) -> Tensor:
    if not query.is_cuda and torch.is_grad_enabled() and query.requires_grad:
        raise ConfigurationError('FlexAttention trains on CUDA only; set precision.attention = "sdpa"')
    positions = None if mask is None else _positions(key, mask)

    def bias(score: Tensor, b: Tensor, n: Tensor, _i: Tensor, j: Tensor) -> Tensor:
        return score + slopes[n] * (j if positions is None else positions[b, j])

    mixed: Tensor = _flex_kernel(query.is_cuda)(query, key, value, score_mod=bias, block_mask=seen)
    return mixed


def _rule(s: int, t: int, mask: Tensor | None, documents: Tensor | None) -> Callable[..., Tensor]:
    """Whether query i may see key j, for `create_block_mask`."""
    offset = t - s

    def allowed(b: Tensor, _n: Tensor, i: Tensor, j: Tensor) -> Tensor:
        seen = j <= i + offset
        if documents is not None:
            seen = seen & (documents[b, i] == documents[b, j])
        if mask is not None:
            seen = seen & (mask[b, j] | (i + offset == j))
        return seen

    return allowed


@lru_cache(8)
def _causal_blocks(s: int, t: int, device: torch.device) -> BlockMask:
    return create_block_mask(_rule(s, t, None, None), None, None, s, t, device=device)


@cache
def _flex_kernel(is_compiled: bool) -> Any:
    return torch.compile(flex_attention, dynamic=False) if is_compiled else flex_attention


def _allowed(s: int, t: int, mask: Tensor | None, documents: Tensor | None, device: torch.device) -> Tensor:
    """Which keys a query may see, bool (b or 1, 1, s, t): always itself, or a padded one saw nothing."""
    allowed = torch.ones(s, t, dtype=torch.bool, device=device).tril(t - s)[None, None]
    if documents is not None:
        allowed = allowed & (documents[:, None, -s:, None] == documents[:, None, None, :])
    if mask is not None:
        itself = torch.eye(s, t, dtype=torch.bool, device=device).roll(t - s, 1)
        allowed = allowed & (mask[:, None, None, :] | itself)
    return allowed
