"""An encoder–decoder is fine-tuned on a mixture by `transformers` and `accelerate`: a tiny mT5 of random weights."""

import json
from pathlib import Path

import pytest
import torch

from tests.trainer.prompts import byte_tokenizer, some_prompts, write_prompts

pytest.importorskip("accelerate", reason="needs the extra [mt0]: pip install 'openroots[mt0]'")
from transformers import AutoModelForSeq2SeqLM, MT5Config, MT5ForConditionalGeneration, PreTrainedTokenizerFast

from trainer.mt0 import example_losses, main


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
    tuned = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "tuned", local_files_only=True)
    assert tuned.config.vocab_size == 264
    assert main(places) == 1  # it is not empty
    assert "is not empty" in capsys.readouterr().err


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
