"""The one place that knows Hugging Face's names and configuration of BLOOM."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from configs.errors import ConfigurationError, ModelError
from trainer.config import ModelConfig

_MODULES = {
    "embedding.": "word_embeddings.",
    "embedding_norm.": "word_embeddings_layernorm.",
    "final_norm.": "ln_f.",
}
_LAYER = {
    "input_norm.": "input_layernorm.",
    "attention.query_key_value.": "self_attention.query_key_value.",
    "attention.dense.": "self_attention.dense.",
    "post_attention_norm.": "post_attention_layernorm.",
    "mlp.up.": "mlp.dense_h_to_4h.",
    "mlp.down.": "mlp.dense_4h_to_h.",
}


def to_name(name: str) -> str:
    """Hugging Face's name of a parameter of ours; raises KeyError where there is none."""
    if name.startswith("layers."):
        _, layer, rest = name.split(".", 2)
        module = next((module for module in _LAYER if rest.startswith(module)), None)
        if module is None:
            raise KeyError(name)
        return f"transformer.h.{layer}.{_LAYER[module]}{rest[len(module) :]}"
    module = next((module for module in _MODULES if name.startswith(module)), None)
    if module is None:
        raise KeyError(name)
    return f"transformer.{_MODULES[module]}{name[len(module) :]}"


def from_name(name: str) -> str | None:
    """Our name of a parameter of `BloomForCausalLM` or `BloomModel`; None for the tied output matrix."""
    if name == "lm_head.weight":
        return None
    name = name.removeprefix("transformer.")
    if name.startswith("h."):
        _, layer, rest = name.split(".", 2)
        for ours, theirs in _LAYER.items():
            if rest.startswith(theirs):
                return f"layers.{layer}.{ours}{rest[len(theirs) :]}"
    for ours, theirs in _MODULES.items():
        if name.startswith(theirs):
            return f"{ours}{name[len(theirs) :]}"
    raise ModelError(f"`{name}` is no parameter of a BLOOM model")


def to_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our state by Hugging Face's names; the tied output matrix is left out, as in published checkpoints."""
    return {to_name(name): tensor for name, tensor in state.items()}


def from_state(state: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """(our name, tensor) of a checkpoint's state; tensors are neither copied nor cast. Raises ModelError."""
    for name, tensor in state.items() if isinstance(state, Mapping) else state:
        ours = from_name(name)
        if ours is not None:
            yield ours, tensor


def to_config(
    config: ModelConfig, *, dtype: torch.dtype, eos_id: int | None, pad_id: int | None, bos_id: int | None
) -> dict[str, Any]:
    """`config.json` of a model, as `transformers` reads it."""
    return {
        "architectures": ["BloomForCausalLM"],
        "model_type": "bloom",
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.hidden,
        "n_layer": config.layers,
        "n_head": config.heads,
        "layer_norm_epsilon": config.epsilon,
        "initializer_range": config.std,
        "apply_residual_connection_post_layernorm": False,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "slow_but_exact": False,
        "pretraining_tp": 1,
        "use_cache": True,
        "bos_token_id": bos_id,
        "eos_token_id": eos_id,
        "pad_token_id": pad_id,
        "dtype": str(dtype).removeprefix("torch."),
    }


def from_config(data: Mapping[str, Any], name: str = "imported") -> ModelConfig:
    """Shape of a model from its `config.json`. Raises ConfigurationError where it is no BLOOM we can run."""
    if data.get("model_type") != "bloom":
        raise ConfigurationError(f"model_type is `{data.get('model_type')}`; OpenRoots reads `bloom` only")
    if data.get("apply_residual_connection_post_layernorm"):
        raise ConfigurationError("apply_residual_connection_post_layernorm is set; no published BLOOM has it")
    return ModelConfig(
        name=name,
        layers=data.get("n_layer", data.get("num_hidden_layers")),
        hidden=data.get("hidden_size", data.get("n_embed")),
        heads=data.get("n_head", data.get("num_attention_heads")),
        vocabulary_size=data["vocab_size"],
        epsilon=data.get("layer_norm_epsilon", 1e-5),
        initializer_std=data.get("initializer_range", 0.02),
    )
