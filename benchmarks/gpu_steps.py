"""Steps of training on one card, ours and `transformers'`: rows of `benchmarks.gpu`.

MFU is TFLOP/s over the data sheet's dense 16-bit peak. TFLOP/s are those of Narayanan et al. 2021: forward and
backward pass, the logits and all of s × s in attention counted, no recomputation.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu_rows import Bench, kernels_of
from trainer.config import ModelConfig, TrainingConfig, load_model_config, load_training_config
from trainer.data import Batch
from trainer.flops import flops_per_token
from trainer.memory import estimate
from trainer.model import Bloom
from trainer.parallel.model import ParallelModel
from trainer.parallel.optimizer import divisor

CHUNK, MICRO, LENGTH = 4096, 8, 2048
DOCUMENTS = 4
"""In a sequence, where attention stays within a document."""
WARMUP, STEPS, BUDGET = 3, 10, 8.0
"""Steps that are not counted, steps that are, and the seconds after which no more are begun."""
RATE, CLIP = 1e-4, 1.0

Step = Callable[[Tensor], Tensor]


class Drawn(ParallelModel):
    """With weights drawn on the device: on the CPU a large model takes minutes."""

    @torch.no_grad()
    def _draw(self, part: Bloom) -> None:
        part.fill_slopes()
        for name, parameter in part.named_parameters():
            if name.endswith(".bias"):
                parameter.zero_()
            elif "_norm." in name:
                parameter.fill_(1.0)
            else:
                parameter.normal_(0.0, part.std_of(name))


def shape_of(bench: Bench, name: str) -> ModelConfig:
    """The model of a name; in a rehearsal a tiny one with its head size."""
    model = load_model_config(name)
    if not bench.is_rehearsal:
        return model
    return ModelConfig(name=name, layers=2, hidden=model.head_size, heads=1, vocabulary_size=512)


def step(bench: Bench, name: str, *given: str) -> dict[str, Any]:
    """Our steps: `eager` or `compiled`, `selective` or `full`, `flex`, `documents`, `micro=`, …"""
    if "flex" in given and bench.device != "cuda":
        return {"skipped": "on CUDA only"}
    numbers = _numbers(given)
    accumulate, more = numbers.get("accumulate", 1), _more(bench, given)

    def make(micro: int) -> Step:
        return our_step(bench, name, micro, micro * accumulate, more)

    found = _measured(bench, name, numbers.get("micro", MICRO), accumulate, make)
    return {**found, "planned GB": planned(bench, found["micro"], name, *given) / 1e9}


def planned(bench: Bench, micro: int, name: str, *given: str) -> int:
    """Bytes that `openroots plan` foresees for such steps with micro-batches of so many sequences."""
    accumulate = _numbers(given).get("accumulate", 1)
    settings = _settings(bench, name, micro, micro * accumulate, _more(bench, given))
    return estimate(settings, 0, 1, accumulate, cuda=bench.device == "cuda").total


def _numbers(given: Sequence[str]) -> dict[str, int]:
    return {key: int(value) for key, equals, value in (word.partition("=") for word in given) if equals}


def _more(bench: Bench, given: Sequence[str]) -> dict[str, Any]:
    return {
        "precision.attention": next((way for way in ("sdpa", "flex") if way in given), "auto"),
        "precision.loss_chunk": bench.of(_numbers(given).get("chunk", CHUNK), 32),
        "parallel.compile": "compiled" in given,
        "parallel.checkpointing": next((kind for kind in ("selective", "full") if kind in given), "none"),
        "data.document_mask": "documents" in given,
    }


def our_step(bench: Bench, name: str, micro: int, size: int, more: Mapping[str, Any]) -> Step:
    """The step of `trainer.loop`, with nothing around it. `more` has settings by their dotted keys."""
    torch.manual_seed(0)
    return step_of(Drawn(_settings(bench, name, micro, size, more), torch.device(bench.device)), RATE)


def _settings(bench: Bench, name: str, micro: int, size: int, more: Mapping[str, Any]) -> TrainingConfig:
    changes = {
        "model": shape_of(bench, name).model_dump(),
        "sequence_length": bench.of(LENGTH, 64),
        "batch.size": size,
        "batch.micro": micro,
        "schedule.learning_rate": RATE,
        "precision.compute": "bf16",
        **more,
    }
    return load_training_config("tiny", changes)


def step_of(model: ParallelModel, rate: float) -> Step:
    """A step of a model on ids, int64 (b, s), each of which is to be told from those before; returns the mean loss."""

    def take(ids: Tensor) -> Tensor:
        labels = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], -100)], dim=1)
        documents = torch.arange(ids.shape[1], dtype=torch.int32, device=ids.device) // (ids.shape[1] // DOCUMENTS)
        loss = model.forward_backward(Batch(ids, labels, documents.expand_as(ids)))
        model.step(rate, divisor=divisor(model.gradient_norm(), CLIP))
        model.zero_grad()
        return loss

    return take


def transformers(bench: Bench, name: str, way: str) -> dict[str, Any]:
    """`BloomForCausalLM` with clipping and fused AdamW, as a user would write it, with as many sequences as fit."""
    from transformers import BloomConfig, BloomForCausalLM

    from trainer.huggingface import to_config

    def make(micro: int) -> Step:
        torch.manual_seed(0)
        config = to_config(shape_of(bench, name), dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
        with torch.device(bench.device):
            model: nn.Module = BloomForCausalLM(BloomConfig(**config)).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        forward = torch.compile(model) if way == "compiled" else model

        def take(ids: Tensor) -> Tensor:
            with torch.autocast(bench.device, torch.bfloat16):
                loss: Tensor = forward(ids, labels=ids, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            optimizer.zero_grad()
            return loss.detach()

        return take

    return _measured(bench, name, MICRO, 1, make)


def tokens_of(bench: Bench, name: str, sequences: int) -> Tensor:
    """Token ids by Zipf's law, int64 (sequences, length)."""
    generator = torch.Generator(bench.device).manual_seed(1)
    shape = sequences, bench.of(LENGTH, 64)
    uniform = torch.rand(shape, device=bench.device, generator=generator)
    return (shape_of(bench, name).vocabulary_size ** uniform).long() - 1


def _measured(bench: Bench, name: str, micro: int, accumulate: int, make: Callable[[int], Step]) -> dict[str, Any]:
    """Steps with the largest micro-batch that fits, of `micro`, its half, …"""
    micro = bench.of(micro, max(1, micro // MICRO))
    while True:
        try:
            return _take(bench, name, micro, accumulate, make)
        except torch.OutOfMemoryError:
            if micro == 1:
                raise
        # Out of the handler, which holds the frames and with them all tensors.
        micro //= 2
        torch._dynamo.reset()
        bench.wait()
        torch.cuda.empty_cache()


def _take(bench: Bench, name: str, micro: int, accumulate: int, make: Callable[[int], Step]) -> dict[str, Any]:
    take, ids = make(micro), tokens_of(bench, name, micro * accumulate)
    bench.wait()
    started = time.perf_counter()
    losses = [take(ids)]
    bench.wait()
    first = time.perf_counter() - started
    for _ in range(bench.of(WARMUP - 1, 1)):
        losses.append(take(ids))
    bench.wait()
    began, count = time.perf_counter(), 0
    while count < bench.of(STEPS, 2) and time.perf_counter() - began < BUDGET:
        losses.append(take(ids))
        count += 1
    bench.wait()
    seconds = (time.perf_counter() - began) / count
    speed = ids.numel() / seconds
    tflops = speed * flops_per_token(shape_of(bench, name), ids.shape[1]) / 1e12
    return {
        "tokens/s": speed,
        "TFLOP/s": tflops,
        **({"MFU": tflops / bench.peak} if bench.peak else {}),
        "peak GB": torch.cuda.max_memory_allocated() / 1e9 if bench.device == "cuda" else 0.0,
        "micro": micro,
        "ms a step": seconds * 1e3,
        "first step, s": first,
        "steps": count,
        "losses": [round(float(loss), 4) for loss in losses],
        "ok": float(losses[-1]) < float(losses[0]),
    }


def profile(bench: Bench, name: str) -> dict[str, Any]:
    """The kernels that take longest in compiled steps, and how long the card waits."""
    micro = bench.of(MICRO, 1)
    take = our_step(bench, name, micro, micro, {"precision.loss_chunk": bench.of(CHUNK, 32), "parallel.compile": True})
    ids = tokens_of(bench, name, micro)
    for _ in range(WARMUP):
        take(ids)
    bench.wait()
    started = time.perf_counter()
    take(ids)
    bench.wait()
    wall = (time.perf_counter() - started) * 1e3
    top, total = kernels_of(lambda: take(ids), bench.device)
    return {"ms a step": wall, "ms in kernels": total, "kernels": top}


ROWS = {"step": step, "transformers": transformers, "profile": profile}
