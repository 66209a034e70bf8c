"""Fine-tuning on prompts gives what `transformers`' Trainer gives for the same examples in the same order."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

from tests.trainer.prompts import byte_tokenizer, examples_of, some_prompts, tuning, write_prompts
from tokenizer.load import Tokenizer
from trainer.config import ModelConfig, TrainingConfig
from trainer.data import TrainingData
from trainer.export import export
from trainer.huggingface import load_pretrained, to_config, to_state
from trainer.model import build_model
from trainer.mt0 import example_losses
from trainer.pack_prompts import PromptPacking, pack_prompts
from trainer.prompt_scores import target_losses
from trainer.train import train

SHAPE = ModelConfig(name="test", layers=2, hidden=32, heads=4, vocabulary_size=264)
LENGTH, BATCH, STEPS = 128, 8, 30

pytestmark = pytest.mark.slow


class _InOrder(Trainer):
    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]


def _collated(steps: list[list[tuple[Tensor, Tensor]]]) -> dict[str, Tensor]:
    """The examples of one step, each a row, filled up at the right."""
    ids, labels = ([example[side] for example in steps[0]] for side in (0, 1))
    mask = [torch.ones_like(row) for row in ids]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=3),
        "attention_mask": pad_sequence(mask, batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
    }


def _loss(outputs: Any, labels: Tensor, **_: Any) -> Tensor:
    """Each example counts once, however long its target is."""
    return example_losses(outputs.logits[:, :-1], labels[:, 1:]).mean()


def _by_transformers(config: TrainingConfig, start: Path, folder: Path) -> list[float]:
    """Fine-tune the same model on the same steps; returns the loss of each, and leaves the model in `folder`."""
    manifest = json.loads((Path(config.data.packed) / "manifest.json").read_text())
    data = TrainingData(config.data.packed, seed=config.seed, weights=manifest["weights"])
    steps = [examples_of(data.read(range(BATCH * step, BATCH * (step + 1)))) for step in range(STEPS)]
    settings = TrainingArguments(
        str(folder), max_steps=STEPS, per_device_train_batch_size=1, learning_rate=config.schedule.learning_rate,
        lr_scheduler_type="constant", weight_decay=config.optimizer.weight_decay, adam_beta2=config.optimizer.beta2,
        max_grad_norm=config.optimizer.clip, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
        remove_unused_columns=False, disable_tqdm=True,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32, attn_implementation="eager")
    made: Any = _InOrder(
        model, settings, data_collator=_collated, train_dataset=steps, compute_loss_func=_loss  # type: ignore[arg-type]
    )  # fmt: skip
    made.train()
    made.save_model(str(folder))
    return [row["loss"] for row in made.state.log_history if "loss" in row]


def test_a_fine_tuning_is_that_of_transformers_trainer(tmp_path: Path) -> None:
    prompts = write_prompts(tmp_path / "prompts", some_prompts())
    bytes_alone = byte_tokenizer(tmp_path / "bytes")
    pack_prompts(str(prompts), str(bytes_alone), str(tmp_path / "packed"), PromptPacking(LENGTH))
    start = tmp_path / "start"
    start.mkdir()
    described = to_config(SHAPE, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
    (start / "config.json").write_text(json.dumps(described))
    weights = {name: one.contiguous() for name, one in to_state(build_model(SHAPE, seed=3).state_dict()).items()}
    save_file(weights, str(start / "model.safetensors"), metadata={"format": "pt"})
    settings = tuning(SHAPE, tmp_path / "packed", start=start, length=LENGTH, batch=BATCH)
    settings["schedule"] = {
        "tokens": BATCH * LENGTH * STEPS,
        "learning_rate": 3e-3,
        "min_learning_rate": 3e-3,
        "warmup_tokens": 0,
    }
    settings["checkpoints"] = {"folder": str(tmp_path / "run")}
    settings["logging"]["every"] = 1
    config = TrainingConfig.model_validate(settings)

    train(config)
    theirs = _by_transformers(config, start, tmp_path / "theirs")

    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in log if "loss" in row]
    assert losses[-1] < losses[0] - 1
    assert losses == pytest.approx(theirs, rel=2e-3)
    export(str(tmp_path / "run"), str(tmp_path / "ours"), dtype="fp32")
    tokenizer = Tokenizer.load(str(bytes_alone), "tokenizers")
    pairs = [pair for parts in some_prompts().values() for pair in parts["held_out"]]
    ours, others = (
        target_losses(load_pretrained(str(tmp_path / name), torch.float32), tokenizer, pairs).mean()
        for name in ("ours", "theirs")
    )
    assert ours == pytest.approx(others, rel=5e-3)
