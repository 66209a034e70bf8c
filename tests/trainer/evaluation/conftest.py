"""A small model in Hugging Face's form, with bytes for tokens."""

import json
from pathlib import Path

import pytest
import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import decoders, models, pre_tokenizers

from trainer.config import ModelConfig
from trainer.huggingface import to_config, to_state
from trainer.model import build_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(["<unk>", "<s>", "</s>", "<pad>", *alphabet])}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", "<pad>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "pad_token": "<pad>"}))
    shape = ModelConfig(name="small", layers=2, hidden=32, heads=4, vocabulary_size=272)
    weights = {name: tensor.contiguous() for name, tensor in to_state(build_model(shape, 3).state_dict()).items()}
    save_file({name: tensor * 8 if tensor.dim() > 1 else tensor for name, tensor in weights.items()},
              str(folder / "model.safetensors"), metadata={"format": "pt"})  # fmt: skip
    config = to_config(shape, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.fixture
def folder(model: str) -> Path:
    return Path(model)
