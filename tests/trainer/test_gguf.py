"""A GGUF file is the model and its tokenizer: llama.cpp gives the same ids and the same probabilities."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as Library

from configs.errors import ConfigurationError
from tests.tokenizer.texts import tiny_texts
from tests.trainer.packed import packed_text
from tests.trainer.test_train import SETTINGS, quiet
from tokenizer.export import export_tokenizer
from tokenizer.load import Tokenizer
from tokenizer.model import train_tokenizer
from tokenizer.pretokenize import Pattern
from trainer.config import TrainingConfig
from trainer.export import export
from trainer.huggingface import load_pretrained
from trainer.train import train

gguf = pytest.importorskip("gguf", reason="needs openroots[gguf]")
TEXTS = ["Watu wote wamezaliwa huru, hadhi", "All human beings", "人人生而", "x", "a</s>b"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run")
    packed_text(place)
    model = {"name": "small", "layers": 2, "hidden": 64, "heads": 4, "vocabulary_size": 1024}
    data = {"packed": str(place / "packed")}
    config = {**SETTINGS, "model": model, "data": data, "checkpoints": {"folder": str(place / "run"), "every": 20}}
    train(TrainingConfig.model_validate(config), quiet())
    train_tokenizer([tiny_texts()], 1_000).save(str(max((place / "run").glob("step-*")) / "tokenizer"))
    return place / "run"


@pytest.mark.parametrize(("dtype", "bound"), [("fp32", 1e-3), ("bf16", 2e-2)])
def test_llama_cpp_gives_the_same_ids_and_probabilities(run: Path, tmp_path: Path, dtype: str, bound: float) -> None:
    pytest.importorskip("xllamacpp", reason="needs openroots[gguf]")
    from tokenizer.gguf_vocabulary import served

    export(str(run), str(tmp_path / "model"), dtype=dtype, gguf=True)
    ours = load_pretrained(str(tmp_path / "model"), torch.float32)
    tokenizer = Tokenizer.load(str(tmp_path / "model"), "tokenizers")
    with served(tmp_path / "model" / "model.gguf") as ask:
        for text in TEXTS:
            ids = tokenizer.encode_batch([text])[0].as_py()
            assert ask("/tokenize", {"content": text, "parse_special": False})["tokens"] == ids
            said = ask("/completion", {"prompt": ids, "n_predict": 1, "n_probs": 1024, "temperature": 0})
            theirs = {one["id"]: one["logprob"] for one in said["completion_probabilities"][0]["top_logprobs"]}
            expected = torch.log_softmax(ours(torch.tensor([ids]))[0, -1], -1)
            assert len(theirs) == 1024
            assert max(abs(float(expected[number]) - value) for number, value in theirs.items()) < bound


def test_the_file_says_what_the_model_is(run: Path, tmp_path: Path) -> None:
    export(str(run), str(tmp_path / "model"), gguf=True)
    reader = gguf.GGUFReader(tmp_path / "model" / "model.gguf")
    said = {name: field.contents() for name, field in reader.fields.items()}
    assert said["general.architecture"] == "bloom" and said["bloom.context_length"] == 32
    assert said["tokenizer.ggml.pre"] == "bloom" and said["tokenizer.ggml.eos_token_id"] == 2
    assert len(said["tokenizer.ggml.tokens"]) == 1024
    assert said["tokenizer.ggml.tokens"][1000] == "[PAD1000]" and said["tokenizer.ggml.token_type"][1000] == 5
    assert {tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) == 2} == {"BF16"}


def test_a_pattern_that_llama_cpp_lacks_is_refused_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    folder = max(run.glob("step-*")) / "tokenizer"
    known = (folder / "tokenizer.json").read_text()
    trained = train_tokenizer([tiny_texts()], 1_000, pattern=Pattern.named(r"\w+|\W"))
    (folder / "tokenizer.json").write_text(trained.tokenizer.to_str())
    try:
        with pytest.raises(ConfigurationError, match=r"cannot be exported for llama\.cpp"):
            export(str(run), str(tmp_path / "model"), gguf=True)
    finally:
        (folder / "tokenizer.json").write_text(known)
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["bloom", "gpt2"])
def test_the_vocabulary_alone_is_proven_on_all_trial_texts(tmp_path: Path, pattern: str) -> None:
    pytest.importorskip("xllamacpp", reason="needs openroots[gguf]")
    trained = train_tokenizer([tiny_texts()], 3_000, pattern=Pattern.named(pattern), pad_with_reserved=True)
    trained.save(str(tmp_path / "own"))
    proven = export_tokenizer(str(tmp_path / "own"), str(tmp_path / "out"), "gguf")
    assert proven["texts"] > 1_000
    tokens = gguf.GGUFReader(tmp_path / "out" / "vocabulary.gguf").fields["tokenizer.ggml.tokens"].contents()
    names = Library.from_str(json.dumps(json.loads((tmp_path / "own" / "tokenizer.json").read_text()))).get_vocab()
    assert np.all([tokens[number] == name for name, number in names.items()])
