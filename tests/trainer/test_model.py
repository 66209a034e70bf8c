"""BLOOM is `transformers`' BLOOM: counts, slopes, logits, loss, gradients, cache, weights both ways."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import BloomConfig, BloomForCausalLM
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from configs.errors import ConfigurationError, InputError, ModelError
from trainer.attention import _plain, attend, build_seen
from trainer.config import ModelConfig, load_model_config
from trainer.huggingface import from_config, from_name, from_state, load_pretrained, to_config, to_name, to_state
from trainer.loss import adds_in_fp32, cross_entropy_sum, row_losses
from trainer.model import Bloom, Cache, alibi_slopes, build_model

PARAMETERS = {
    "560m": 559_214_592,
    "1b1": 1_065_314_304,
    "1b7": 1_722_408_960,
    "3b": 3_002_557_440,
    "7b1": 7_069_016_064,
    "176b": 176_247_271_424,
}
SHAPES = [(2, 32, 4, 100), (3, 48, 6, 77), (1, 56, 7, 131)]
"""Layers, hidden, heads (two no powers of two), vocabulary."""


def pair(shape: tuple[int, int, int, int], seed: int = 0) -> tuple[Bloom, BloomForCausalLM]:
    layers, hidden, heads, vocabulary = shape
    config = ModelConfig(name="x", layers=layers, hidden=hidden, heads=heads, vocabulary_size=vocabulary)
    ours = build_model(config, seed)
    with torch.no_grad():
        for name, parameter in ours.named_parameters():  # biases and norms that are not all 0 and 1
            if name.endswith("bias") or "_norm" in name:
                parameter += 0.1 * torch.randn_like(parameter)
    theirs = BloomForCausalLM(BloomConfig(**to_config(config, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)))
    missing, unexpected = theirs.load_state_dict(to_state(ours.state_dict()), strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    theirs.tie_weights()
    return ours, theirs.eval()


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_six_sizes_have_their_known_numbers_of_parameters(name: str) -> None:
    config = load_model_config(name)
    with torch.device("meta"):
        model = Bloom(config)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name] == config.parameters


@pytest.mark.parametrize("heads", [1, 2, 4, 6, 7, 16, 28, 32, 112])
def test_slopes_are_those_of_transformers(heads: int) -> None:
    theirs = build_alibi_tensor(torch.ones(1, 2), heads, torch.float32)
    assert torch.allclose(alibi_slopes(heads), theirs[:, 0, 1], rtol=1e-6)


@pytest.mark.parametrize(("choice", "ties"), [("plain", False), ("sdpa", False), ("sdpa", True)])
@pytest.mark.parametrize("shape", SHAPES)
def test_logits_loss_and_gradients_are_those_of_transformers(
    shape: tuple[int, int, int, int], choice: str, ties: bool
) -> None:
    ours, theirs = pair(shape)
    ours.set_attention(choice)
    ours.ties_gradients = ties
    ids = torch.randint(0, shape[3], (2, 23))
    expected = theirs(ids, labels=ids)
    assert torch.allclose(ours(ids), expected.logits, atol=1e-5)
    labels = torch.cat([ids[:, 1:], torch.full((2, 1), -100)], dim=1)
    loss = ours(ids, labels) / (labels != -100).sum()
    assert loss.item() == pytest.approx(expected.loss.item(), abs=1e-5)
    loss.backward()
    expected.loss.backward()
    gradients = dict(from_state({n: p.grad for n, p in theirs.named_parameters()}))
    for name, parameter in ours.named_parameters():
        assert torch.allclose(parameter.grad, gradients[name], atol=1e-5), name


@pytest.mark.parametrize("choice", ["plain", "sdpa", "flex"])
@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_padded_batches_give_the_same_logits(side: str, choice: str) -> None:
    ours, theirs = pair(SHAPES[1])
    ours.set_attention(choice)
    ids = torch.randint(0, SHAPES[1][3], (3, 12))
    mask = torch.ones(3, 12, dtype=torch.bool)
    for row, length in enumerate((12, 5, 1)):
        mask[row, slice(0, 12 - length) if side == "left" else slice(length, 12)] = False
    expected = theirs(ids, attention_mask=mask.long()).logits
    found = ours(ids, mask=mask)
    assert torch.allclose(found[mask], expected[mask], atol=1e-5)
    assert found.isfinite().all()


@pytest.mark.parametrize("choice", ["plain", "sdpa", "flex"])
@torch.no_grad()
def test_with_a_cache_every_step_gives_the_logits_of_the_whole(choice: str) -> None:
    ours, theirs = pair(SHAPES[1])
    ours.set_attention(choice)
    ids = torch.randint(0, SHAPES[1][3], (2, 15))
    expected, cache, past = theirs(ids).logits, Cache(), None
    for begin, end in ((0, 6), (6, 7), (7, 12), (12, 15)):
        found = ours(ids[:, begin:end], cache=cache)
        out = theirs(ids[:, begin:end], past_key_values=past, use_cache=True)
        past = out.past_key_values
        assert torch.allclose(found, expected[:, begin:end], atol=1e-5)
        assert torch.allclose(found, out.logits, atol=1e-5)
    assert len(cache) == 15


@pytest.mark.parametrize("choice", ["plain", "sdpa", "flex"])
@torch.no_grad()
def test_document_masks_are_documents_apart(choice: str) -> None:
    ours, _ = pair(SHAPES[1])
    ours.set_attention(choice)
    ids = torch.randint(0, SHAPES[1][3], (1, 20))
    documents = torch.tensor([[0] * 7 + [1] * 1 + [2] * 12])
    apart = torch.cat([ours(ids[:, 0:7]), ours(ids[:, 7:8]), ours(ids[:, 8:])], dim=1)
    assert torch.allclose(ours(ids, documents=documents), apart, atol=1e-5)


def test_flex_on_the_cpu_says_that_it_cannot_train() -> None:
    ours, _ = pair(SHAPES[0])
    ours.set_attention("flex")
    ids = torch.randint(0, 100, (1, 5))
    with pytest.raises(ConfigurationError, match="sdpa"):
        ours(ids, ids)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_bias_in_the_keys_is_as_exact_as_sixteen_bits_allow(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2048, 4, 64, dtype=dtype) for _ in range(3))
    slopes = alibi_slopes(4)
    exact = attend(query.float(), key.float(), value.float(), slopes, "plain")
    found = attend(query, key, value, slopes, "sdpa").float()
    plain = attend(query, key, value, slopes, "plain").float()
    error = (found - exact).abs().max()
    assert error < 0.02
    assert error <= (plain - exact).abs().max()  # which rounds the bias to sixteen bits, as the original did


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("hidden", [0, 700])
def test_the_newest_position_alone_is_as_exact_as_sixteen_bits_allow(dtype: torch.dtype, hidden: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 1, 4, 64, dtype=dtype)
    key, value = (torch.randn(2, 2048, 4, 64, dtype=dtype) for _ in range(2))
    mask = torch.ones(2, 2048, dtype=torch.bool)
    mask[1, :hidden] = False
    slopes = alibi_slopes(4)
    seen = build_seen("plain", 1, 2048, mask, None, query.device)
    for row in range(2):  # `_plain` would round its bias, so in fp64, and whole
        wide = (tensor[row : row + 1].double() for tensor in (query, key, value))
        exact = _plain(*(tensor.transpose(1, 2) for tensor in wide), slopes, mask[row : row + 1], seen[row : row + 1])
        found = attend(query, key, value, slopes, "sdpa", mask=mask)[row].double()
        assert (found - exact[0].transpose(0, 1)).abs().max() < 0.02


@settings(max_examples=40, deadline=None)
@given(
    positions=st.integers(1, 40),
    vocabulary=st.integers(1, 50),
    chunk=st.integers(1, 50),
    ignored=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_the_loss_in_chunks_is_torchs(positions: int, vocabulary: int, chunk: int, ignored: float, seed: int) -> None:
    torch.manual_seed(seed)
    hidden = torch.randn(positions, 8, requires_grad=True)
    weight = torch.randn(vocabulary, 8, requires_grad=True)
    labels = torch.randint(0, vocabulary, (positions,))
    labels[torch.rand(positions) < ignored] = -100
    loss = cross_entropy_sum(hidden, weight, labels, chunk)
    expected = functional.cross_entropy(hidden @ weight.T, labels, reduction="sum")
    assert torch.allclose(loss, expected, atol=1e-4)
    found = torch.autograd.grad(loss * 0.3, (hidden, weight))
    wanted = torch.autograd.grad(expected * 0.3, (hidden, weight))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, wanted, strict=True))


def test_losses_of_rows_are_torchs_and_nothing_where_there_are_no_labels() -> None:
    hidden, weight = torch.randn(3, 7, 5), torch.randn(11, 5)
    labels, weights = torch.randint(11, (3, 7)), torch.rand(3, 7)
    labels[0, 2:5], labels[1] = -100, -100
    found = row_losses(hidden, weight, labels, 4, loss_weights=weights)
    whole = torch.nn.functional.cross_entropy((hidden @ weight.T).flatten(0, 1), labels.flatten(), reduction="none")
    torch.testing.assert_close(found, (whole.view(3, 7) * weights).sum(1))
    assert found[1] == 0
    torch.testing.assert_close(row_losses(hidden[1:2], weight, labels[1:2], 4), torch.zeros(1))


def test_the_loss_in_bf16_is_near_that_in_fp32() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(64, 32), torch.randn(500, 32) * 0.1
    labels = torch.randint(0, 500, (64,))
    exact = cross_entropy_sum(hidden, weight, labels, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = cross_entropy_sum(hidden, weight, labels, 16)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), rel=2e-3)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_many_chunks_in_bf16_add_up_to_the_gradient_in_fp32(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    torch.manual_seed(0)
    hidden = torch.randn(512, 32, device=device)
    weight = torch.randn(200, 32, device=device, requires_grad=True)
    labels = torch.randint(0, 200, (512,), device=device)
    [wanted] = torch.autograd.grad(functional.cross_entropy(hidden @ weight.T, labels, reduction="sum"), [weight])
    with torch.autocast(device, torch.bfloat16):
        loss = cross_entropy_sum(hidden, weight, labels, 8)
    [found] = torch.autograd.grad(loss, [weight])
    assert (found - wanted).norm() / wanted.norm() < 0.01


def test_sums_in_fp32_are_left_to_the_library_only_where_it_has_them() -> None:
    assert not adds_in_fp32(torch.device("cpu"), torch.bfloat16)


def test_names_go_both_ways_and_the_old_layout_is_read() -> None:
    ours, _ = pair(SHAPES[0])
    for name in ours.state_dict():
        assert from_name(to_name(name)) == from_name(to_name(name).removeprefix("transformer.")) == name
    with pytest.raises(ModelError, match="not a parameter of a BLOOM model"):
        from_name("transformer.wte.weight")
    assert from_config(to_config(ours.config, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1), "x").hidden == 32
    with pytest.raises(ConfigurationError, match="`gpt2`"):
        from_config({"model_type": "gpt2"})


@pytest.mark.parametrize("size", ["10GB", "20KB"])
def test_a_model_saved_by_transformers_loads_unchanged(tmp_path: Path, size: str) -> None:
    _, theirs = pair(SHAPES[1])
    theirs.save_pretrained(tmp_path, max_shard_size=size)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (size == "20KB")
    ours = load_pretrained(str(tmp_path))
    ids = torch.randint(0, SHAPES[1][3], (2, 9))
    assert torch.allclose(ours(ids), theirs(ids).logits, atol=1e-5)


def test_damaged_models_are_refused_with_file_and_tensor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        load_pretrained(str(tmp_path))
    _, theirs = pair(SHAPES[0])
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    name = "transformer.h.0.mlp.dense_h_to_4h.weight"
    save_file({**whole, name: whole[name][:5].clone()}, path)
    with pytest.raises(ModelError, match=rf"model\.safetensors: {name} of shape \[5, 32\]"):
        load_pretrained(str(tmp_path))
    save_file({n: t for n, t in whole.items() if n != name}, path)
    with pytest.raises(ModelError, match=f"{name} is missing"):
        load_pretrained(str(tmp_path))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"model\.safetensors.*damaged"):
        load_pretrained(str(tmp_path))
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        load_pretrained(str(tmp_path))
