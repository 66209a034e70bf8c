"""An encoder–decoder is fine-tuned on a mixture by `transformers` and `accelerate`: a tiny mT5 of random weights."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from configs.errors import ConfigurationError
from tests.trainer.prompts import byte_tokenizer, some_prompts, write_prompts

pytest.importorskip("accelerate", reason="needs the extra [mt0]: pip install 'openroots[mt0]'")
from transformers import AutoModelForSeq2SeqLM, MT5Config, MT5ForConditionalGeneration, PreTrainedTokenizerFast

from trainer.mt0 import Mt0Settings, example_losses, main, train_mt0

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random mT5 of two layers, and a tokenizer of bytes that ends texts."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing

    folder = tmp_path_factory.mktemp("mt5")
    library = Tokenizer.from_file(str(byte_tokenizer(folder / "bytes") / "tokenizer.json"))
    library.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    fast = PreTrainedTokenizerFast(tokenizer_object=library, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
    torch.manual_seed(0)
    shape = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 264}
    roles = {"pad_token_id": 3, "eos_token_id": 2, "decoder_start_token_id": 3}
    made = MT5ForConditionalGeneration(MT5Config(**shape, **roles, dropout_rate=0.0))
    made.save_pretrained(folder / "model")
    fast.save_pretrained(folder / "model")
    return folder / "model"


@pytest.mark.slow
def test_an_mt5_learns_from_a_mixture_and_opens_in_transformers(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = write_prompts(tmp_path / "prompts", some_prompts())
    places = ["--model", str(model), "--prompts", str(prompts), "--output", str(tmp_path / "tuned")]
    assert main([*places, "--steps", "40", "--batch", "8", "--micro", "4", "--learning-rate", "1e-2"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["held_out_after"] < figures["held_out_before"] - 0.5
    assert figures["too_long"] == 0
    assert not (tmp_path / "tuned" / "checkpoints").exists()
    tuned = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "tuned", local_files_only=True)
    assert tuned.config.vocab_size == 264
    assert main(places) == 1  # it is not empty
    assert "is not empty" in capsys.readouterr().err


def _settings(model: Path, prompts: Path, output: Path, **changed: Any) -> Mt0Settings:
    given = {"steps": 12, "batch": 8, "micro": 4, "learning_rate": 1e-2, "evaluate": 8, "save_every": 5, **changed}
    return Mt0Settings(str(model), str(prompts), str(output), **given)


class KilledError(Exception):
    """Stands for what ends a process."""


def _end_at_step_10(text: str) -> None:
    if text.startswith("step     10"):
        raise KilledError


@pytest.mark.slow
def test_a_run_that_was_killed_resumes_to_the_same_model(model: Path, tmp_path: Path) -> None:
    prompts = write_prompts(tmp_path / "prompts", some_prompts())
    whole = train_mt0(_settings(model, prompts, tmp_path / "whole"))
    with pytest.raises(KilledError):
        train_mt0(_settings(model, prompts, tmp_path / "killed"), _end_at_step_10)
    (tmp_path / "killed" / "checkpoints" / "step-00000010").mkdir()  # one that was begun
    with pytest.raises(ConfigurationError, match=r"step-00000005 was trained with another batch \(8, now 16\)"):
        train_mt0(_settings(model, prompts, tmp_path / "killed", batch=16))
    said: list[str] = []
    resumed = train_mt0(_settings(model, prompts, tmp_path / "killed"), said.append)
    assert said[0].startswith("resumed from") and said[0].endswith("step-00000005")
    assert resumed == pytest.approx(whole, rel=1e-6)
    models = [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed")]
    for name, tensor in models[0].items():
        torch.testing.assert_close(models[1][name], tensor)


@pytest.mark.slow
def test_two_processes_train_as_one_does(model: Path, tmp_path: Path) -> None:
    prompts = write_prompts(tmp_path / "prompts", some_prompts())
    found = []
    for processes in (1, 2):
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        places = ["--model", str(model), "--prompts", str(prompts), "--output", str(tmp_path / f"tuned-{processes}")]
        options = ["--steps", "6", "--batch", "8", "--micro", "4", "--evaluate", "8", "--save-every", "4"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
        command = [*launch, "-m", "trainer.mt0", *places, *options]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_each_example_counts_once_however_long_its_target() -> None:
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[1, 2, 3, 4, 5], [6, -100, -100, -100, -100]])
    means = [
        torch.nn.functional.cross_entropy(logits[0], labels[0]),
        torch.nn.functional.cross_entropy(logits[1, :1], labels[1, :1]),
    ]
    torch.testing.assert_close(example_losses(logits, labels), torch.stack(means))


def test_what_is_no_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompts = write_prompts(tmp_path / "prompts", some_prompts())
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    for folder in ("nowhere", "broken"):
        places = ["--model", str(tmp_path / folder), "--prompts", str(prompts), "--output", str(tmp_path / "out")]
        assert main(places) == 1
        assert capsys.readouterr().err.startswith("error: ")
