"""Activation checkpointing: what is computed again in the backward pass instead of being kept.

full        all of a layer but its input (Chen et al. 2016)
selective   all but the products of matrices and attention, which cost the most to compute (Korthikanti et al. 2022)
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from trainer.model import Bloom

_aten = torch.ops.aten
_KEPT = {
    _aten.mm.default,
    _aten.addmm.default,
    _aten.bmm.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_cudnn_attention.default,
}


def apply_checkpointing(part: Bloom, kind: Literal["none", "selective", "full"]) -> None:
    """Make each layer of a part forget its activations. Names of parameters stay as they are."""
    if kind == "none":
        return
    more: dict[str, Any] = {"context_fn": _contexts} if kind == "selective" else {}
    for layer in part.layers.values():
        layer.forward = _forgetting(layer.forward, more)  # type: ignore[method-assign]


def _forgetting(forward: Callable[..., Tensor], more: Mapping[str, Any]) -> Callable[..., Tensor]:
    """A plain function: torch.compile passes over a `functools.partial` in silence and compiles nothing."""

    def recomputed(*args: Any, **kwargs: Any) -> Tensor:
        output: Tensor = checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **more, **kwargs)
        return output

    return recomputed


def _contexts() -> Any:
    return create_selective_checkpoint_contexts(_policy)


def _policy(_context: Any, operation: Any, *_args: Any, **_kwargs: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if operation in _KEPT else CheckpointPolicy.PREFER_RECOMPUTE
