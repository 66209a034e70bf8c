"""From rows to judged model: a mixture, packed, fine-tuned from a model's weights, and scores before and after."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import BloomForCausalLM

from configs.errors import InputError
from configs.mixtures import load_mixture
from pipeline.prompts.mix import mix_prompts
from tests.trainer.prompts import byte_tokenizer, some_prompts, tuning, write_prompts
from tokenizer.load import Tokenizer
from trainer.config import ModelConfig, TrainingConfig
from trainer.export import export
from trainer.huggingface import load_pretrained, to_config, to_state
from trainer.model import build_model
from trainer.pack_prompts import PromptPacking, joined, pack_prompts
from trainer.prompt_scores import HeldOut, Scores, compare, held_out_prompts, main, paired_interval, target_losses
from trainer.train import train

SHAPE = ModelConfig(name="test", layers=2, hidden=32, heads=4, vocabulary_size=264)
MIXTURE = """
name = "mine"
title = "Mine"
held_out = 0.2
[source.rows]
title = "Rows"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "me"
provenance = "made up"
languages = ["en"]
columns = { text = "text", metadata = ["*"] }
packages = [{ name = "ROWS", language = "en" }]
[set.colours]
source = "rows"
[[set.colours.templates]]
name = "which"
jinja = "{{ text }} Red or blue? ||| {{ answer_choices[label] }}"
answer_choices = "red ||| blue"
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BLOOM over bytes."""
    folder = byte_tokenizer(tmp_path_factory.mktemp("scores") / "model")
    save_file(to_state(build_model(SHAPE, seed=1).state_dict()), str(folder / "model.safetensors"))
    described = to_config(SHAPE, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def test_losses_are_those_of_transformers(model: Path) -> None:
    pairs = [pair for parts in some_prompts(12).values() for pair in parts["train"]]
    tokenizer = Tokenizer.load(str(model), "tokenizers")
    found = target_losses(load_pretrained(str(model)), tokenizer, [*pairs, ("too long " * 300, "x")], tokens_max=200)
    reference = BloomForCausalLM.from_pretrained(model).eval()
    expected = []
    for pair in pairs:
        inputs, target = (tokenizer.encode_batch([text])[0].as_py() for text in joined(*pair))
        ids = torch.tensor([[*inputs, *target, 2]])
        labels = torch.tensor([[-100] * len(inputs) + [*target, 2]])
        with torch.no_grad():
            expected.append(reference(input_ids=ids, labels=labels).loss.item())
    assert found[:-1] == pytest.approx(np.array(expected), rel=1e-5)
    assert np.isnan(found[-1])


def test_a_fine_tuned_model_beats_its_base_on_held_out_prompts(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": f"Item {n} of {'roses' if n % 2 else 'the sea'}.", "label": (n + 1) % 2} for n in range(150)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.toml").write_text(MIXTURE.replace("ROWS", str(tmp_path / "rows.jsonl")))
    mix_prompts(load_mixture(str(tmp_path / "mine.toml")), str(tmp_path / "prompts"), offline=True)
    pack_prompts(str(tmp_path / "prompts"), str(model), str(tmp_path / "packed"), PromptPacking(128))
    settings: dict[str, Any] = {
        **tuning(SHAPE, tmp_path / "packed", start=model, length=128, batch=8),
        "schedule": {"tokens": 8 * 128 * 40, "learning_rate": 1e-2, "min_learning_rate": 1e-2, "warmup_tokens": 0},
        "checkpoints": {"folder": str(tmp_path / "run")},
    }
    train(TrainingConfig.model_validate(settings))
    export(str(tmp_path / "run"), str(tmp_path / "tuned"), dtype="fp32")
    places = ["--prompts", str(tmp_path / "prompts"), "--base", str(model), "--tuned", str(tmp_path / "tuned")]
    assert main([*places, "--output", str(tmp_path / "report")]) == 0
    report = json.loads((tmp_path / "report" / "scores.json").read_text())
    losses = {row["task"]: row for row in report["rows"] if row["measure"] == "loss"}
    assert losses["colours/which"]["high"] < 0 and losses["colours/which"]["items"] >= 15
    accuracy = next(row for row in report["rows"] if row["measure"] == "accuracy")
    assert accuracy["chance"] == 0.5 and 0 <= accuracy["after"] <= 1
    page = (tmp_path / "report" / "report.html").read_text()
    assert "colours/which" in page and "<script" not in page and "://" not in page
    assert "colours/which" in capsys.readouterr().out


def test_intervals_are_wider_where_prompts_are_of_few_documents() -> None:
    random = np.random.default_rng(0)
    shared = np.repeat(random.normal(size=20), 10)
    first, second = np.zeros(200), shared + 0.01 * random.normal(size=200)
    alone = paired_interval(first, second, np.arange(200))
    together = paired_interval(first, second, np.repeat(np.arange(20), 10))
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_tasks_without_a_figure_are_left_out() -> None:
    prompts = [HeldOut("a", "en", "1", "x", "y"), HeldOut("b", "en", "2", "x", "y", ("y", "z"))]
    nothing = np.array([np.nan, np.nan])
    rows = compare(prompts, Scores(np.array([1.0, np.nan]), nothing), Scores(np.array([0.5, 1.0]), nothing))
    assert [(row["task"], row["measure"], row["items"]) for row in rows] == [("all", "loss", 1), ("a", "loss", 1)]


def test_a_mixture_without_held_out_prompts_is_refused(tmp_path: Path) -> None:
    prompts = write_prompts(tmp_path / "prompts", {"en": {"train": [("a", "b")]}})
    with pytest.raises(InputError, match="holds no held-out prompt"):
        held_out_prompts(str(prompts))
