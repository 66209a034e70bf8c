"""Likelihoods are those of `transformers`, whatever the batch."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from configs.errors import ModelError
from tokenizer.load import Tokenizer
from trainer.evaluation import Scorer

PAIRS = [("Watu wote", " wamezaliwa huru"), ("", "人人生而自由"), ("Question: why?\nAnswer: ", "x"), ("a", "b" * 90)]


@pytest.fixture(scope="module")
def scorer(model: str) -> Scorer:
    return Scorer.load(model)


def _by_transformers(model: str, context: str, continuation: str) -> float:
    theirs = AutoModelForCausalLM.from_pretrained(model).eval()
    tokenizer = Tokenizer.load(model, "tokenizers")
    before, whole = tokenizer.encode_batch([context, context + continuation]).to_pylist()
    ids = torch.tensor([[2, *whole]])
    with torch.inference_mode():
        logs = theirs(ids).logits[0].float().log_softmax(-1)
    return float(sum(logs[place, ids[0, place + 1]] for place in range(len(before), len(whole))))


@pytest.mark.parametrize("pair", PAIRS[:2] + PAIRS[3:])
def test_a_continuation_is_as_likely_as_transformers_finds_it(
    scorer: Scorer, model: str, pair: tuple[str, str]
) -> None:
    (one,) = scorer.likelihoods([pair])
    assert one.nats == pytest.approx(_by_transformers(model, *pair), rel=1e-4)
    assert one.bytes == len(pair[1].encode())


def test_the_batch_does_not_matter(scorer: Scorer) -> None:
    alone = [scorer.likelihoods([pair])[0].nats for pair in PAIRS]
    assert [one.nats for one in scorer.likelihoods(PAIRS)] == pytest.approx(alone, rel=1e-4)
    small = Scorer(scorer.model, scorer.tokenizer, batch_tokens=1)
    assert [one.nats for one in small.likelihoods(PAIRS)] == pytest.approx(alone, rel=1e-4)


def test_a_space_before_the_answer_counts_as_its_own(scorer: Scorer) -> None:
    (left,), (right,) = scorer.likelihoods([("Answer: ", "yes")]), scorer.likelihoods([("Answer:", " yes")])
    assert left.nats == pytest.approx(right.nats, rel=1e-5)
    assert left.tokens == right.tokens == 4


def test_a_text_is_the_sum_of_its_tokens(scorer: Scorer) -> None:
    (text,), (pair,) = scorer.texts(["hakuna matata"]), scorer.likelihoods([("", "hakuna matata")])
    assert text.nats == pytest.approx(pair.nats)


def test_every_token_of_a_long_text_counts_once(scorer: Scorer) -> None:
    short = Scorer(scorer.model, scorer.tokenizer, length=32)
    (one,) = short.texts(["abc " * 60])
    assert one.tokens == one.bytes == 240


def test_an_empty_continuation_is_certain(scorer: Scorer) -> None:
    (one,) = scorer.likelihoods([("something", "")])
    assert (one.nats, one.tokens, one.bytes) == (0.0, 0, 0)


def test_a_model_whose_weights_are_no_numbers_is_refused(model: str, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "broken")
    place = str(tmp_path / "broken" / "model.safetensors")
    weights = load_file(place)
    weights["transformer.ln_f.weight"][0] = float("nan")
    save_file(weights, place, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"ln_f\.weight holds values that are no numbers"):
        Scorer.load(str(tmp_path / "broken"))


def test_a_model_sees_as_many_tokens_as_it_was_trained_on(model: str, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    assert Scorer.load(str(folder)).length == 2048
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "seq_length": 32}))
    scorer = Scorer.load(str(folder))
    assert scorer.length == 32
    end = "watu wote wamezaliwa huru na sawa"
    near, far = scorer.likelihoods([("x" + end, " kabisa"), ("yyy" + end, " kabisa")])
    assert near.nats == far.nats  # what is further away than it can see does not count
