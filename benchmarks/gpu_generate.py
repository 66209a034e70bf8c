"""Greedy generation on one card, ours and `transformers'`: rows of `benchmarks.gpu`."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu_kernels import twin_of
from benchmarks.gpu_rows import Bench
from benchmarks.gpu_steps import shape_of, tokens_of
from trainer.generate import Sampling, generate_ids
from trainer.model import Bloom, build_model

TEXTS, PROMPT, NEW = 8, 256, 128
"""Prompts at once, their tokens, and tokens generated for each."""


def generate(bench: Bench, name: str, whose: str) -> dict[str, Any]:
    """Tokens a second, bf16, with a cache of keys and values; the first tokens tell whether both choose alike."""
    ours = build_model(shape_of(bench, name), seed=0, device=bench.device).to(torch.bfloat16).eval()
    prompts = tokens_of(bench, name, TEXTS)[:, : bench.of(PROMPT, 16)]
    make = {"ours": _ours, "transformers": _theirs}[whose](bench, ours, prompts)
    make(2)
    bench.wait()
    started = time.perf_counter()
    made = make(bench.of(NEW, 8))
    bench.wait()
    seconds = time.perf_counter() - started
    return {
        "new tokens/s": made.numel() / seconds,
        "ms a token": 1e3 * seconds / made.shape[1],
        "peak GB": torch.cuda.max_memory_allocated() / 1e9 if bench.device == "cuda" else 0.0,
        "texts": TEXTS,
        "first ids": made[:, :4].tolist(),
        "ok": made.shape == (TEXTS, bench.of(NEW, 8)),
    }


def _ours(bench: Bench, model: Bloom, prompts: Tensor) -> Callable[[int], Tensor]:
    def make(count: int) -> Tensor:
        sampling = Sampling(max_tokens=count, greedy=True)
        vocabulary = model.config.vocabulary_size
        return torch.stack(
            list(generate_ids(model, prompts.tolist(), sampling, eos_id=None, vocabulary_size=vocabulary)), 1
        )

    return make


def _theirs(bench: Bench, ours: Bloom, prompts: Tensor) -> Callable[[int], Tensor]:
    model = twin_of(ours, bench.device)

    def make(count: int) -> Tensor:
        ids: Tensor = model.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            do_sample=False,
            max_new_tokens=count,
            min_new_tokens=count,
            pad_token_id=3,
        )
        return ids[:, prompts.shape[1] :]

    return make


ROWS = {"generate": generate}
