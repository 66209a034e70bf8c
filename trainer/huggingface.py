"""The one place that knows Hugging Face's names and configuration of BLOOM."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from configs.errors import ConfigurationError, InputError, ModelError
from configs.load import validate
from configs.places import on_disk
from trainer.config import ModelConfig
from trainer.model import Bloom

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
    if name == "output.weight":
        return "lm_head.weight"
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


def from_name(name: str, *, tied: bool = True) -> str | None:
    """Our name of a parameter of `BloomForCausalLM` or `BloomModel`; None for a tied output matrix."""
    if name == "lm_head.weight":
        return None if tied else "output.weight"
    name = name.removeprefix("transformer.")
    if name.startswith("h."):
        _, layer, rest = name.split(".", 2)
        for ours, theirs in _LAYER.items():
            if rest.startswith(theirs):
                return f"layers.{layer}.{ours}{rest[len(theirs) :]}"
    for ours, theirs in _MODULES.items():
        if name.startswith(theirs):
            return f"{ours}{name[len(theirs) :]}"
    raise ModelError(f"`{name}` is not a parameter of a BLOOM model")


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
    config: ModelConfig,
    *,
    dtype: torch.dtype,
    eos_id: int | None,
    pad_id: int | None,
    bos_id: int | None,
    sequence_length: int | None = None,
) -> dict[str, Any]:
    """`config.json` of a model, as `transformers` reads it.

    `sequence_length` is what it was trained on. `transformers` takes any, as ALiBi does; other programs look there.
    """
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
        "tie_word_embeddings": config.tied,
        "slow_but_exact": False,
        "pretraining_tp": 1,
        "use_cache": True,
        "bos_token_id": bos_id,
        "eos_token_id": eos_id,
        "pad_token_id": pad_id,
        "dtype": str(dtype).removeprefix("torch."),
        **({} if sequence_length is None else {"seq_length": sequence_length}),
    }


def from_config(data: Mapping[str, Any], name: str = "imported") -> ModelConfig:
    """Shape of a model from its `config.json`. Raises ConfigurationError where it is no BLOOM we can run."""
    if data.get("model_type") != "bloom":
        raise ConfigurationError(f"model_type is `{data.get('model_type')}`; OpenRoots reads `bloom` only")
    if data.get("apply_residual_connection_post_layernorm"):
        raise ConfigurationError("apply_residual_connection_post_layernorm is set; no published BLOOM has it")
    shape = {
        "name": name,
        "layers": data.get("n_layer", data.get("num_hidden_layers")),
        "hidden": data.get("hidden_size", data.get("n_embed")),
        "heads": data.get("n_head", data.get("num_attention_heads")),
        "vocabulary_size": data.get("vocab_size"),
        "epsilon": data.get("layer_norm_epsilon", 1e-5),
        "initializer_std": data.get("initializer_range", 0.02),
        "tied": data.get("tie_word_embeddings", True),
    }
    return validate(ModelConfig, shape, f"config.json of {name}")


def check_model_folder(folder: str) -> None:
    """Say of a folder that is no model what it is, or lacks, before anything is loaded.

    Raises ConfigurationError, InputError.
    """
    place = on_disk(folder)
    if any(place.glob("step-*")) or (place / ".metadata").exists():
        raise ConfigurationError(
            f"{folder} holds training checkpoints, not a model; make one: "
            f"openroots export --checkpoint {folder} --output hf-model"
        )
    for name in ("config.json", "tokenizer.json"):
        if not (place / name).is_file():
            raise InputError(str(place / name), "no such file", "Give a folder such as `openroots export` writes")


def read_config(folder: str) -> ModelConfig:
    """Shape of the model in a folder of Hugging Face's form. Raises InputError, ConfigurationError."""
    place = on_disk(folder)
    return from_config(_read_json(place / "config.json"), place.name)


def read_length(folder: str) -> int | None:
    """Tokens of the sequences that the model in such a folder was trained on; None where that is not said.

    Raises InputError.
    """
    length = _read_json(on_disk(folder) / "config.json").get("seq_length")
    return length if isinstance(length, int) and length > 1 else None


def read_weights(folder: str, wanted: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """(our name, tensor) of parameters in such a folder, read one by one; shapes must be those of `wanted`, whole.

    Raises InputError for missing or damaged files, ModelError for tensors that are missing or do not fit.
    """
    missing = dict(wanted)
    for file in _weight_files(on_disk(folder)):
        for theirs, tensor in _tensors(file, lambda name: from_name(name) in wanted):
            name = from_name(theirs)
            assert name is not None
            expected = missing.pop(name)
            if expected.shape != tensor.shape:
                raise ModelError(f"{file}: {theirs} has the shape {list(tensor.shape)}, not {list(expected.shape)}")
            yield name, tensor
    if missing:
        raise ModelError(f"{folder}: {to_name(next(iter(missing)))} is missing, and {len(missing) - 1} more")


def load_pretrained(folder: str, dtype: torch.dtype | None = None, device: str | torch.device = "cpu") -> Bloom:
    """A BLOOM model from a folder in Hugging Face's form: `config.json` and safetensors, one file or several.

    Weights have the dtype they are stored in, unless `dtype` is given. Tensors are read one by one. Raises InputError
    for missing or damaged files, ModelError for tensors that do not fit or are not finite, naming file and tensor.
    """
    place = on_disk(folder)
    config = from_config(_read_json(place / "config.json"), place.name)
    with torch.device("meta"):
        model = Bloom(config)
    missing = dict(model.named_parameters())
    for file in _weight_files(place):
        for theirs, tensor in _tensors(file):
            name = from_name(theirs, tied=config.tied)
            if name is None:
                continue
            expected = missing.pop(name, None)
            if expected is None or expected.shape != tensor.shape:
                raise ModelError(
                    f"{file}: {theirs} of shape {list(tensor.shape)} does not fit the model of config.json"
                )
            if not torch.stack(tensor.aminmax()).isfinite().all():  # such a model writes anything, without a word
                raise ModelError(f"{file}: {theirs} holds values that are no numbers; export an older checkpoint")
            parent, _, last = name.rpartition(".")
            owner = model.get_submodule(parent)
            setattr(owner, last, nn.Parameter(tensor.to(device=device, dtype=dtype), requires_grad=False))
    if missing:
        raise ModelError(f"{folder}: {to_name(next(iter(missing)))} is missing, and {len(missing) - 1} more")
    for attention in model.attentions():
        attention.slopes = torch.empty(config.heads, device=device)
    model.fill_slopes()
    return model.eval()


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.exists():
        places = _read_json(index).get("weight_map")
        if not isinstance(places, dict) or not all(isinstance(n, str) and "/" not in n for n in places.values()):
            raise InputError(str(index), "does not say which file a tensor is in", "Download or export it again")
        names = sorted(set(places.values()))
    files = [folder / name for name in names]
    for file in files:
        if not file.exists():
            remedy = "Give a folder with config.json and model*.safetensors, such as `openroots export` writes"
            raise InputError(str(file), "no such file", remedy)
    return files


def _tensors(file: Path, is_wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(str(file), framework="pt") as stream:
            for name in stream.keys():  # noqa: SIM118 - no dictionary
                if is_wanted is None or is_wanted(name):
                    yield name, stream.get_tensor(name)
    except SafetensorError as error:
        raise InputError(str(file), f"is damaged ({error})", "Download or export it again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(
            str(path), "no such file", "Give a folder of a model, such as `openroots export` writes"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"cannot be read ({error})", "Download or export it again") from error
    if not isinstance(value, dict):
        raise InputError(str(path), "is not a JSON object", "Download or export it again")
    return value
