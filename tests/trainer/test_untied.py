"""Models whose output matrix is not the embedding: read and run as transformers does, refused by training."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from transformers import BloomConfig, BloomForCausalLM

from configs.errors import ModelError
from tests.trainer.test_train import SETTINGS
from trainer.config import TrainingConfig
from trainer.generate import Sampling, generate_ids
from trainer.huggingface import load_pretrained


def save(folder: Path, *, tied: bool) -> BloomForCausalLM:
    torch.manual_seed(0)
    shape = {"vocab_size": 300, "hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}
    model = BloomForCausalLM(BloomConfig(**shape, tie_word_embeddings=tied)).eval()
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("tied", [False, True])
def test_its_text_is_that_of_transformers(tmp_path: Path, tied: bool) -> None:
    theirs = save(tmp_path, tied=tied)
    ours = load_pretrained(str(tmp_path))
    ids = torch.arange(10, 22)[None]
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=2e-5, rtol=1e-4)
    steps = generate_ids(ours, ids.tolist(), Sampling(10, greedy=True), eos_id=None, vocabulary_size=300)
    expected = theirs.generate(ids, max_new_tokens=10, do_sample=False, pad_token_id=3, eos_token_id=None)[0, 12:]
    assert [int(step) for step in steps] == expected.tolist()
    assert ours.config.parameters == sum(p.numel() for p in theirs.parameters())


def test_one_that_lacks_its_matrix_is_refused(tmp_path: Path) -> None:
    save(tmp_path, tied=True)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"tie_word_embeddings": true', '"tie_word_embeddings": false'))
    with pytest.raises(ModelError, match=r"lm_head\.weight is missing"):
        load_pretrained(str(tmp_path))


def test_training_ties_them() -> None:
    with pytest.raises(ValidationError, match=r"training needs true"):
        TrainingConfig.model_validate({**SETTINGS, "model": {**SETTINGS["model"], "tied": False}})
