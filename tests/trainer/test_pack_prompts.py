"""Packed prompts: whole examples, losses of targets alone, and the numbers of `transformers`, example by example."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers import BloomForCausalLM

from configs.errors import ConfigurationError, InputError
from tests.trainer.prompts import byte_tokenizer, examples_of, id_of, some_prompts, tuning, write_prompts
from tokenizer.load import Tokenizer
from trainer.config import ModelConfig, TrainingConfig
from trainer.data import TrainingData
from trainer.huggingface import to_config, to_name, to_state
from trainer.model import Bloom, build_model
from trainer.pack_prompts import PromptPacking, best_fit, joined, pack_prompts
from trainer.parallel.model import ParallelModel
from trainer.parallel.optimizer import divisor

LENGTH = 128
SHAPE = ModelConfig(name="test", layers=2, hidden=32, heads=4, vocabulary_size=264)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return byte_tokenizer(tmp_path_factory.mktemp("tokenizer") / "bytes")


@pytest.fixture(scope="module")
def packed(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts")
    prompts = write_prompts(folder / "prompts", some_prompts())
    pack_prompts(str(prompts), str(tokenizer), str(folder / "packed"), PromptPacking(LENGTH))
    return folder / "packed"


def found_examples(packed: Path) -> dict[str, tuple[str, str]]:
    """(input, target) of each example in the sequences for training by its id, as the weights tell them apart."""
    library = Tokenizer.load(str(packed / "tokenizer"), "tokenizers")
    data = TrainingData(str(packed))
    found = {}
    for position in range(len(data)):
        batch, ids = data.read([position]), data.documents([position])[0]
        tokens, documents = batch.input_ids[0].numpy(), batch.documents[0].numpy()
        assert batch.loss_weights is not None
        weights = np.concatenate([[0.0], batch.loss_weights[0].numpy()])[:-1]  # of tokens again
        for number, key in enumerate(ids):
            mine = documents == number
            target = mine & (weights > 0)
            text = library.decode(tokens[mine & ~target]), library.decode(tokens[target][:-1])
            assert tokens[target][-1] == library.eos_id
            found[key] = text
    return found


def test_every_example_is_whole_in_one_sequence_and_only_its_target_counts(packed: Path) -> None:
    expected = {
        id_of(example).hex(): joined(*example) for parts in some_prompts().values() for example in parts["train"]
    }
    assert found_examples(packed) == expected


def test_the_weights_of_an_example_sum_to_one(packed: Path) -> None:
    data = TrainingData(str(packed))
    batch = data.read(range(len(data)))
    examples = sum(len(ids) for ids in data.documents(range(len(data))))
    assert batch.weights().sum().item() == pytest.approx(examples, rel=1e-5)


def test_by_token_each_token_of_a_target_counts_once(tokenizer: Path, tmp_path: Path) -> None:
    prompts = write_prompts(tmp_path / "prompts", {"en": {"train": [("Say: ab", "ab"), ("Say: abcd", "abcd")]}})
    pack_prompts(str(prompts), str(tokenizer), str(tmp_path / "packed"), PromptPacking(64, "token"))
    batch = TrainingData(str(tmp_path / "packed")).read([0])
    assert batch.weights().sum().item() == len(" ab") + len(" abcd") + 2


def test_losses_and_gradients_are_transformers_example_by_example(packed: Path) -> None:
    """The mean over examples of the mean loss of their targets, each example alone in a batch of `transformers`."""
    model = build_model(SHAPE, seed=3)
    reference = _in_transformers(model)
    library = Tokenizer.load(str(packed / "tokenizer"), "tokenizers")
    data = TrainingData(str(packed))
    positions = range(6)
    batch = data.read(positions)
    total = model(batch.input_ids, batch.labels, loss_weights=batch.loss_weights, documents=batch.documents)
    (total / batch.weights().sum()).backward()
    by_id = {id_of(e).hex(): e for parts in some_prompts().values() for e in parts["train"]}
    keys = [key for ids in data.documents(positions) for key in ids]
    alone = torch.zeros(())
    for key in keys:
        inputs, target = (library.encode_batch([text])[0].as_py() for text in joined(*by_id[key]))
        ids = torch.tensor([[*inputs, *target, library.eos_id]])
        labels = torch.tensor([[-100] * len(inputs) + [*target, library.eos_id]])
        loss = reference(input_ids=ids, labels=labels).loss / len(keys)
        loss.backward()
        alone += loss.detach()
    assert (total / batch.weights().sum()).item() == pytest.approx(alone.item(), rel=1e-6)
    theirs = dict(reference.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[to_name(name)].grad, rtol=1e-4, atol=1e-7, msg=name)


def _in_transformers(model: Bloom) -> BloomForCausalLM:
    config = BloomForCausalLM.config_class(
        **to_config(SHAPE, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1), attn_implementation="eager"
    )
    reference = BloomForCausalLM(config)
    reference.load_state_dict(to_state(model.state_dict()), strict=False)
    reference.tie_weights()
    return reference.eval()


def test_steps_are_those_of_a_model_of_transformers_under_torchs_adamw(packed: Path, tmp_path: Path) -> None:
    config = _settings(packed, tmp_path)
    made = ParallelModel(config, torch.device("cpu"))
    reference = _in_transformers(made.parts[0])
    plain, decayed = [], []
    for name, parameter in reference.named_parameters():
        (plain if name.endswith("bias") or "layernorm" in name or "ln_f" in name else decayed).append(parameter)
    groups = [
        {"params": plain, "weight_decay": 0.0},
        {"params": decayed, "weight_decay": config.optimizer.weight_decay},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    data = TrainingData(str(packed))
    for step in range(4):
        batch = data.read(range(4 * step, 4 * step + 4))
        loss = made.forward_backward(batch)
        made.step(1e-3, divisor=divisor(made.gradient_norm(), clip=1.0))
        made.zero_grad()
        alone = [reference(input_ids=ids[None], labels=labels[None]).loss for ids, labels in examples_of(batch)]
        torch.stack(alone).mean().backward()
        assert loss.item() == pytest.approx(torch.stack(alone).mean().item(), rel=1e-5), step
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def test_what_is_longer_than_a_sequence_is_left_out_and_counted(tokenizer: Path, tmp_path: Path) -> None:
    examples = [("Say: a", "a"), ("Say: " + "b" * 100, "b" * 100), ("Say: c", "c")]
    prompts = write_prompts(tmp_path / "prompts", {"en": {"train": examples}})
    manifest = pack_prompts(str(prompts), str(tokenizer), str(tmp_path / "packed"), PromptPacking(32))
    figures = manifest["languages"]["en"]["train"]
    assert (figures["examples"], figures["too_long"], figures["sequences"]) == (2, 1, 1)


def test_the_same_prompts_give_the_same_bytes_and_damage_is_named(tokenizer: Path, tmp_path: Path) -> None:
    prompts = write_prompts(tmp_path / "prompts", some_prompts())
    digests = {
        pack_prompts(str(prompts), str(tokenizer), str(tmp_path / name), PromptPacking(LENGTH))["digest"]
        for name in ("a", "b")
    }
    assert len(digests) == 1
    shard = prompts / "data/en/train.arrow"
    shard.write_bytes(shard.read_bytes().replace(b"bread", b"BREAD"))
    with pytest.raises(InputError, match=r"train\.arrow.*digest"):
        pack_prompts(str(prompts), str(tokenizer), str(tmp_path / "c"), PromptPacking(LENGTH))
    with pytest.raises(InputError, match=r"not a manifest of prompts|no such file"):
        pack_prompts(str(tokenizer), str(tokenizer), str(tmp_path / "d"), PromptPacking(LENGTH))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(40, 64))
def test_items_fit_into_bins_without_meeting(lengths: list[int], size: int) -> None:
    ordered = np.array(sorted(lengths, reverse=True), np.int64)
    places, count = best_fit(ordered, size)
    taken = np.zeros(count * size, np.int64)
    for place, length in zip(places.tolist(), ordered.tolist(), strict=True):
        assert place // size == (place + length - 1) // size
        taken[place : place + length] += 1
    assert taken.max() == 1
    assert count <= 1 + 2 * ordered.sum() / size  # of two bins at most half full one would not have been opened


def test_prompts_are_not_trained_on_with_attention_across_examples(packed: Path, tmp_path: Path) -> None:
    from trainer.train import train

    with pytest.raises(ConfigurationError, match=r"data\.document_mask = true"):
        train(_settings(packed, tmp_path / "run", document_mask=False))


def _settings(packed: Path, run: Path, *, document_mask: bool = True, start: Path | None = None) -> TrainingConfig:
    settings = tuning(SHAPE, packed, start=start, length=LENGTH, batch=8)
    settings["batch"]["micro"] = 4
    settings["data"]["document_mask"] = document_mask
    settings["schedule"] = {"tokens": 8 * LENGTH * 12, "learning_rate": 3e-3, "min_learning_rate": 3e-3}
    settings["checkpoints"] = {"folder": str(run), "every": 5}
    settings["logging"]["every"] = 1
    return TrainingConfig.model_validate(settings)


def _losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_a_run_starts_from_a_model_or_a_checkpoint_with_a_fresh_optimizer(packed: Path, tmp_path: Path) -> None:
    from trainer.export import export
    from trainer.train import train

    train(_settings(packed, tmp_path / "first"))
    losses = _losses(tmp_path / "first")
    assert losses[-1] < losses[0] - 0.3
    export(str(tmp_path / "first"), str(tmp_path / "model"), dtype="fp32")
    for name, start in (("model", tmp_path / "model"), ("checkpoint", tmp_path / "first")):
        train(_settings(packed, tmp_path / f"from-{name}", start=start))
    both = [_losses(tmp_path / f"from-{name}") for name in ("model", "checkpoint")]
    assert both[0] == both[1]
    assert both[0][0] < losses[0] - 0.3


def test_a_start_that_does_not_fit_is_refused(packed: Path, tmp_path: Path) -> None:
    from trainer.train import train

    with pytest.raises(InputError, match="no such folder"):
        train(_settings(packed, tmp_path / "run", start=tmp_path / "nowhere"))
    (tmp_path / "other").mkdir()
    other = SHAPE.model_copy(update={"layers": 3})
    described = to_config(other, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
    (tmp_path / "other" / "config.json").write_text(json.dumps(described))
    with pytest.raises(ConfigurationError, match=r"layers 3 \(model\.layers: 2\)"):
        train(_settings(packed, tmp_path / "run", start=tmp_path / "other"))


def _in_all_layouts(module: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """What a module of these tests says of each layout; OUTPUT stands for the file that it writes."""
    found: dict[str, Any] = {}
    for processes in (1, 2, 4):
        output = folder / f"{module}-{processes}.json"
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        given = [str(output) if argument == "OUTPUT" else argument for argument in arguments]
        command = [sys.executable, *launch, "-m", f"tests.trainer.{module}", *given]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        found |= json.loads(output.read_text())
    return found


@pytest.mark.slow
def test_every_layout_starts_from_the_same_weights(packed: Path, tmp_path: Path) -> None:
    shape = SHAPE.model_copy(update={"layers": 4, "vocabulary_size": 300})
    model = build_model(shape, seed=3)
    described = to_config(shape, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
    (tmp_path / "config.json").write_text(json.dumps(described))
    save_file(to_state(model.state_dict()), str(tmp_path / "model.safetensors"))
    found = _in_all_layouts("start_layouts", tmp_path, str(packed), str(tmp_path), "OUTPUT")
    assert found == pytest.approx(dict.fromkeys(found, found["one"]), rel=1e-5)


@pytest.mark.slow
def test_every_layout_fine_tunes_as_one_process_does(packed: Path, tmp_path: Path) -> None:
    found = _in_all_layouts("layouts", tmp_path, str(packed), "OUTPUT", "prompts")
    one = found.pop("one")
    assert one["loss"][0] - one["loss"][-1] > 0.5
    for layout, measures in found.items():
        for measure, values in measures.items():
            assert values == pytest.approx(one[measure], rel=2e-5), (layout, measure)
