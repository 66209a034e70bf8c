"""Where a run has its first weights from, if they are not drawn: a model's folder, or a checkpoint of another run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from configs.errors import ConfigurationError, InputError
from trainer.checkpoint import Checkpoint, locate, read_manifest
from trainer.config import ModelConfig, TrainingConfig

_SHAPE = ("layers", "hidden", "heads", "vocabulary_size", "epsilon", "tied")


@dataclass(frozen=True)
class Start:
    """A folder in Hugging Face's form, or of `checkpoint` where there is one."""

    folder: str
    checkpoint: Checkpoint | None = None


def find_start(config: TrainingConfig, packed: dict[str, Any]) -> Start:
    """What `config.start` names, once it fits the run's shape and the tokenizer of the packed text.

    `packed` is the manifest of the latter. Raises ConfigurationError where it does not fit, InputError for damage.
    """
    from trainer.huggingface import read_config  # a new run does not need safetensors

    assert config.start is not None
    place = Path(config.start)
    if not place.is_dir():
        raise InputError(str(place), "no such folder", "Give the folder of a model, or RUN/step-… for --start")
    if (place / "config.json").exists() and not any(place.glob("step-*")):
        start, shape, tokenizer = Start(str(place)), read_config(str(place)), place / "tokenizer.json"
    else:
        checkpoint = read_manifest(locate(place))
        start = Start(str(checkpoint.folder), checkpoint)
        shape = ModelConfig.model_validate(checkpoint.manifest["config"]["model"])
        tokenizer = checkpoint.folder / "tokenizer" / "tokenizer.json"
    _check_shape(shape, config.model, start.folder)
    _check_tokenizer(tokenizer, packed, config.data.packed)
    return start


def _check_shape(found: ModelConfig, asked: ModelConfig, folder: str) -> None:
    differing = [name for name in _SHAPE if getattr(found, name) != getattr(asked, name)]
    if differing:
        said = ", ".join(f"{name} {getattr(found, name)} (model.{name}: {getattr(asked, name)})" for name in differing)
        raise ConfigurationError(f"{folder} has {said}; choose the settings of its size, or another start")


def _check_tokenizer(file: Path, packed: dict[str, Any], where: str) -> None:
    """Ids must mean the same: that is so where the vocabulary and merges are the same, however they are written."""
    if not file.exists():
        return
    try:
        text = file.read_text()
        if xxhash.xxh3_128_hexdigest(text.encode()) == packed["tokenizer"]["digest"]:
            return
        other = Path(where) / "tokenizer" / "tokenizer.json"
        if not other.exists():
            return
        mine, theirs = (json.loads(text)["model"], json.loads(other.read_text())["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(file), f"cannot be read ({error})", "Export the model again") from error
    if mine != theirs:
        raise ConfigurationError(
            f"{where} was packed with another tokenizer than that of {file.parent}; pack again with its own"
        )
