"""torch.compile: what is asked to be compiled is, whatever else is applied."""

from typing import Literal

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from trainer.config import load_model_config
from trainer.model import build_model
from trainer.parallel.checkpointing import apply_checkpointing


def step(kind: Literal["none", "selective", "full"], backend: CompileCounter | None) -> list[torch.Tensor]:
    torch._dynamo.reset()
    model = build_model(load_model_config("tiny"), seed=1)
    apply_checkpointing(model, kind)
    if backend is not None:
        for layer in model.layers.values():
            layer.compile(backend=backend)
    ids = torch.arange(32).reshape(2, 16)
    model(ids, ids, documents=torch.zeros(2, 16, dtype=torch.int32)).backward()
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("kind", ["none", "selective", "full"])
def test_layers_are_compiled_with_any_checkpointing(kind: Literal["none", "selective", "full"]) -> None:
    counter = CompileCounter()
    compiled = step(kind, counter)
    assert counter.frame_count >= 1
    assert counter.op_count >= 1
    for ours, plain in zip(compiled, step(kind, None), strict=True):
        torch.testing.assert_close(ours, plain)


def test_masks_are_built_once_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer import attention

    calls = []
    allowed = attention._allowed
    monkeypatch.setattr(attention, "_allowed", lambda *given: calls.append(given) or allowed(*given))
    model = build_model(load_model_config("tiny"))
    ids = torch.arange(32).reshape(2, 16)
    model(ids, documents=torch.zeros(2, 16, dtype=torch.int32))
    assert len(model.layers) > 1
    assert len(calls) == 1


def test_attention_on_a_gpu_is_flex_for_the_sizes_that_were_measured() -> None:
    from trainer.attention import chosen

    assert [chosen("auto", size, "cuda", "bf16") for size in (32, 64, 80, 96, 128, 160)] == [
        "sdpa", "flex", "flex", "flex", "flex", "sdpa"
    ]  # fmt: skip
    assert chosen("auto", 128, "cuda", "fp32") == "sdpa"
    assert chosen("auto", 128, "cpu", "bf16") == "sdpa"
    assert chosen("sdpa", 128, "cuda", "bf16") == "sdpa"
