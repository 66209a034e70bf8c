"""Ceilings of a card; correctness and speed of attention and of the loss: rows of `benchmarks.gpu`.

Every function takes the bench and the words of the row's name, and returns figures; `ok` says whether they are as they
should be.
"""

import inspect
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu_rows import Bench, kernels_of
from trainer.attention import _with_bias, attend, build_seen
from trainer.config import ModelConfig, load_model_config
from trainer.loss import adds_in_fp32, cross_entropy_sum
from trainer.model import Bloom, alibi_slopes, build_model

TOLERANCE = 0.02
"""Of attention in bf16 against fp64: the largest difference over the largest value. bf16 has 8 bits."""
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-3, 1e-2
"""Of the loss in bf16 against fp32: relative, and of norms."""
MODEL_TOLERANCE = 1e-4
"""Of logits in fp32 against `transformers`' in fp32."""
BACKENDS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}


def ceiling(bench: Bench, what: str) -> dict[str, Any]:
    """What the card can do at best: copy, multiply large matrices, multiply those of a model."""
    if what == "copy":
        source = torch.zeros(bench.of(1 << 30, 1 << 20), dtype=torch.uint8, device=bench.device)
        target = torch.empty_like(source)
        seconds = bench.seconds(lambda: target.copy_(source))
        return {"TB/s, read and written": 2 * len(source) / seconds / 1e12}
    if what == "square":
        size = bench.of(8192, 64)
        return _rate(bench, _product(bench, size, size, size), 2 * size**3)
    return _products_of(bench, load_model_config(what))


def _product(bench: Bench, rows: int, inner: int, columns: int) -> Callable[[], Tensor]:
    left, right = bench.draw(rows, inner), bench.draw(inner, columns, seed=1)
    out = torch.empty(rows, columns, dtype=torch.bfloat16, device=bench.device)
    return lambda: torch.mm(left, right, out=out)


def _rate(bench: Bench, function: Callable[[], Any], flops: float) -> dict[str, Any]:
    seconds = bench.seconds(function)
    rate = flops / seconds / 1e12
    return {"TFLOP/s": rate, "ms": seconds * 1e3, **({"of peak": rate / bench.peak} if bench.peak else {})}


def _products_of(bench: Bench, model: ModelConfig) -> dict[str, Any]:
    """The products of a step of 8 × 2048 tokens and their sum: no step can be faster than its products."""
    h, vocabulary = bench.of(model.hidden, 64), bench.of(model.vocabulary_size, 512)
    tokens, chunk = bench.of(16_384, 64), bench.of(4096, 32)
    layer = {"query_key_value": (h, 3 * h), "dense": (h, h), "up": (h, 4 * h), "down": (4 * h, h)}
    shapes = {name: (tokens, *sizes, model.layers) for name, sizes in layer.items()}
    shapes["logits"] = (chunk, h, vocabulary, tokens // chunk)
    found: dict[str, Any] = {}
    seconds_of_all = flops_of_all = 0.0
    for name, (rows, inner, columns, times) in shapes.items():
        flops, seconds = 2 * rows * inner * columns, 0.0
        for m, k, n in ((rows, inner, columns), (rows, columns, inner), (inner, rows, columns)):
            seconds += bench.seconds(_product(bench, m, k, n), 0.1)
        found[name] = {"TFLOP/s, forward and backward": 3 * flops / seconds / 1e12}
        seconds_of_all, flops_of_all = seconds_of_all + times * seconds, flops_of_all + 3 * times * flops
    rate = flops_of_all / seconds_of_all / 1e12
    share = {"of peak": rate / bench.peak} if bench.peak else {}
    return {"TFLOP/s": rate, "ms": 1e3 * seconds_of_all, **share, "products": found}


def correct(bench: Bench, what: str, way: str = "") -> dict[str, Any]:
    """Whether numbers are right on this card."""
    if what == "loss":
        return _correct_loss(bench)
    if what == "transformers":
        return _correct_model(bench)
    return _correct_attention(bench, int(what), way)


def _inputs(bench: Bench, size: int, *, trains: bool) -> tuple[list[Tensor], Tensor]:
    """Query, key and value (b, s, n, d), bf16, and the slopes: one shape for all rows, so that flex compiles once."""
    shape = bench.of(8, 1), bench.of(2048, 64), bench.of(16, 2), size
    tensors = [bench.draw(*shape, seed=seed).requires_grad_(trains) for seed in range(3)]
    return tensors, alibi_slopes(shape[2]).to(bench.device)


def _correct_attention(bench: Bench, size: int, way: str) -> dict[str, Any]:
    """Output and gradients in bf16 against the formula in fp64, at 2048 positions, and which kernels ran."""
    trains = way != "flex" or bench.device == "cuda"
    inputs, slopes = _inputs(bench, size, trains=trains)
    wide = [tensor.detach().double().requires_grad_() for tensor in inputs]
    weight = bench.draw(*inputs[0].shape, seed=9)

    def run() -> list[Tensor]:
        mixed = attend(*inputs, slopes, way)  # type: ignore[arg-type]
        return [mixed, *(torch.autograd.grad(mixed, inputs, weight) if trains else [])]

    mixed = attend(*wide, slopes, "plain")
    expected = [mixed, *torch.autograd.grad(mixed, wide, weight.double())]
    errors = {
        name: float((ours.double() - reference).abs().max() / reference.abs().max())
        for name, ours, reference in zip(("output", "query", "key", "value"), run(), expected, strict=False)
    }
    top, _ = kernels_of(run, bench.device, 6)
    return {
        "largest error": max(errors.values()),
        "ok": max(errors.values()) < TOLERANCE,
        "errors": errors,
        "kernels": top,
    }


def _correct_loss(bench: Bench) -> dict[str, Any]:
    """The loss in chunks, bf16, against the whole in fp32."""
    rows, h, vocabulary = bench.of(2048, 64), bench.of(1536, 32), bench.of(250_880, 512)
    hidden, matrix = (
        bench.draw(rows, h, dtype=torch.float32),
        0.02 * bench.draw(vocabulary, h, dtype=torch.float32, seed=1),
    )
    labels = torch.arange(rows, device=bench.device) * 37 % vocabulary
    labels[::7] = -100
    hidden, matrix = hidden.requires_grad_(), matrix.requires_grad_()
    whole = functional.cross_entropy(hidden @ matrix.T, labels, reduction="sum")
    expected = torch.autograd.grad(whole, [hidden, matrix])
    found = {}
    for is_compiled in (False, True):
        with torch.autocast(bench.device, torch.bfloat16):
            loss = cross_entropy_sum(hidden, matrix, labels, rows // 4, is_compiled=is_compiled)
        ours = torch.autograd.grad(loss, [hidden, matrix])
        error = float((loss - whole).abs() / whole.abs())
        gradients = [float((mine - other).norm() / other.norm()) for mine, other in zip(ours, expected, strict=True)]
        name = "compiled" if is_compiled else "eager"
        found[name] = {"loss": error, "hidden": gradients[0], "matrix": gradients[1]}
    worst = max(max(one["hidden"], one["matrix"]) for one in found.values())
    loss_error = max(one["loss"] for one in found.values())
    is_ok = loss_error < LOSS_TOLERANCE and worst < GRADIENT_TOLERANCE
    adds = {"adds in fp32": adds_in_fp32(hidden.device, torch.bfloat16)}
    return {"loss error": loss_error, "gradient error": worst, **adds, "ok": is_ok, "errors": found}


def twin_of(ours: Bloom, device: str) -> Any:
    """`transformers`' model with the weights of ours, in their format, to be evaluated."""
    from transformers import BloomConfig, BloomForCausalLM

    from trainer.huggingface import to_config, to_name

    names = {to_name(name): parameter for name, parameter in ours.named_parameters()}
    dtype = next(ours.parameters()).dtype
    config = BloomConfig(**to_config(ours.config, dtype=dtype, eos_id=2, pad_id=3, bos_id=1))
    with torch.device(device):
        theirs: Any = BloomForCausalLM(config).to(dtype=dtype).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(names[name])
    return theirs


def _correct_model(bench: Bench) -> dict[str, Any]:
    """Two layers, fp32: logits and gradients against `transformers`."""
    size = {"layers": 2, "hidden": bench.of(1024, 32), "heads": bench.of(16, 4), "vocabulary_size": bench.of(8192, 256)}
    shape = ModelConfig(name="two", **size)
    ours = build_model(shape, seed=3).to(bench.device)
    theirs = twin_of(ours, bench.device)
    ids = torch.arange(2 * bench.of(512, 32), device=bench.device).reshape(2, -1) * 31 % shape.vocabulary_size
    logits, expected = ours(ids), theirs(ids, use_cache=False).logits
    logits.square().mean().backward()
    expected.square().mean().backward()
    gradient, other = ours.embedding.weight.grad, theirs.transformer.word_embeddings.weight.grad
    assert gradient is not None
    error = float((logits - expected).abs().max())
    relative = float((gradient - other).norm() / other.norm())
    return {"logits": error, "gradient": relative, "ok": error < MODEL_TOLERANCE and relative < MODEL_TOLERANCE}


def attention(bench: Bench, size: str, way: str) -> dict[str, Any]:
    """Forward and backward pass of one layer's attention: 8 sequences of 2048, 16 heads, bf16; TFLOP/s are causal."""
    trains = way != "flex" or bench.device == "cuda"
    inputs, slopes = _inputs(bench, int(size), trains=trains)
    batch, length, heads, _ = inputs[0].shape
    weight = bench.draw(*inputs[0].shape, seed=9)
    if bench.device != "cuda" and way not in ("flash", "flex"):
        return {"skipped": "on CUDA only"}
    if way == "varlen" and _varlen() is None:
        return {"skipped": f"PyTorch {torch.__version__} has none"}
    seen = build_seen("flex", length, length, None, None, inputs[0].device) if way == "flex" else None
    context: AbstractContextManager[Any] = sdpa_kernel(BACKENDS[way]) if way in BACKENDS else nullcontext()

    def run() -> None:
        if way == "varlen":
            mixed = _varlen_attention(inputs, slopes)
        else:
            mixed = attend(*inputs, slopes, "flex" if way == "flex" else "sdpa", seen=seen)
        if trains:
            torch.autograd.grad(mixed, inputs, weight)

    with context:
        found = _rate(bench, run, 3.5 * 2 * batch * heads * length**2 * int(size))
        top, _ = kernels_of(run, bench.device, 4)
    return {**found, "kernels": top}


def _varlen() -> Callable[..., Any] | None:
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def _varlen_attention(inputs: list[Tensor], slopes: Tensor) -> Tensor:
    """`attend` by the kernel for sequences of any length; its arguments differ between versions of PyTorch."""
    kernel = _varlen()
    assert kernel is not None
    query, key, value = (tensor.transpose(1, 2) for tensor in inputs)
    batch, heads, length, size = query.shape
    query, key = _with_bias(query, key, slopes, 1.0 / math.sqrt(size), None)
    value = functional.pad(value, (0, query.shape[-1] - size))
    borders = torch.arange(0, (batch + 1) * length, length, dtype=torch.int32, device=query.device)
    takes = inspect.signature(kernel).parameters
    more: dict[str, Any] = {"is_causal": True} if "is_causal" in takes else {"window_size": (-1, 0)}
    if "scale" in takes:
        more["scale"] = 1.0 / math.sqrt(size)
    else:
        query = query * math.sqrt(query.shape[-1] / size)
    flat = [tensor.transpose(1, 2).reshape(batch * length, heads, -1) for tensor in (query, key, value)]
    mixed: Tensor = kernel(*flat, borders, borders, length, length, **more)
    return mixed[..., :size].reshape(batch, length, heads, size)


ROWS = {"ceiling": ceiling, "correct": correct, "attention": attention}
