"""A training step on the CPU: ours beside `transformers`' BLOOM with torch's own AdamW; each in a process of its own.

    python -m benchmarks trainer        or        make bench-train

Both start from the same weights, see the same tokens and take the same steps in fp32: forward, backward, clipping,
AdamW. That their losses are equal, step by step, is checked along with the time.
"""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import Settings, Table, spread
from benchmarks.process import run
from benchmarks.trainer_choices import tables
from trainer.config import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

RATE, BETAS, EPSILON, DECAY, CLIP = 1e-3, (0.9, 0.95), 1e-8, 0.1, 1.0
TOLERANCE = 1e-5
"""Of losses, relative."""
CHUNK = 256
"""Positions whose logits we hold at once: 257 MB of them."""

Step = Callable[["Tensor"], float]


@dataclass(frozen=True)
class Shape:
    """A model, and the tokens of a step."""

    model: ModelConfig
    sequences: int
    length: int

    def __str__(self) -> str:
        return f"{self.model.layers} × {self.model.hidden}, {self.sequences * self.length:,} tokens"


SMALL = ModelConfig(name="small", layers=2, hidden=256, heads=4)
MIDDLE = ModelConfig(name="middle", layers=4, hidden=512, heads=8)
SHAPES = (Shape(SMALL, 1, 512), Shape(MIDDLE, 1, 512), Shape(SMALL, 1, 2048))


def measure(settings: Settings) -> list[Table]:
    """Step time and peak memory of each shape."""
    rows, data = [], {}
    for shape in SHAPES:
        found = {name: _measured(name, shape, settings.repeats) for name in STEPS}
        ours, theirs = found["openroots"], found["transformers"]
        _check_losses(shape, found)
        for name, result in found.items():
            rows.append(
                [
                    str(shape) if name == "openroots" else "",
                    LABELS[name],
                    str(spread(result["seconds"])),
                    str(spread(result["processor"])),
                    f"{spread(theirs['seconds']).median / spread(result['seconds']).median:.1f} ×",
                    f"{result['peak'] / 1e6:,.0f}",
                    f"{result['peak'] / theirs['peak']:.2f}",
                    f"{_above(result) / 1e6:,.0f}",
                    f"{_above(result) / _above(theirs):.2f}",
                ]
            )
        data[str(shape)] = {**found, "speed": spread(theirs["seconds"]).median / spread(ours["seconds"]).median}
    columns = ["layers × width, tokens a step", "", "seconds a step", "processor seconds", "speed"]
    return [
        Table(
            "A training step on the CPU: fp32, vocabulary of 250,880",
            [*columns, "peak memory, MB", "share", "without libraries, MB", "share"],
            rows,
            [
                "Forward, backward, clipping by the global norm, AdamW; the first step, which fills memory, is not "
                "counted. Peak memory is the whole process's; *without libraries*: less what it has once they are "
                "imported; shares are of transformers'. Losses of all agree at each step "
                f"within {TOLERANCE:g}, from the same weights.",
            ],
            data,
        ),
        *tables(settings.repeats),
    ]


def _above(result: dict) -> float:
    return float(result["peak"] - result["libraries"])


def _measured(name: str, shape: Shape, steps: int) -> dict:
    command = [sys.executable, "-m", "benchmarks.trainer", "--step", name, "--shape", str(SHAPES.index(shape))]
    finished = run([*command, "--steps", str(steps)])
    return {**json.loads(finished.output.splitlines()[-1]), "peak": finished.resident}


def _check_losses(shape: Shape, found: dict[str, dict]) -> None:
    for name, result in found.items():
        for mine, reference in zip(result["losses"], found["transformers"]["losses"], strict=True):
            if abs(mine - reference) > TOLERANCE * reference:
                raise RuntimeError(f"{shape}: {name} has a loss of {mine}, transformers of {reference}")


def tokens_of(shape: Shape, step: int) -> "Tensor":
    """Token ids of a step, int64 (sequences, length), by Zipf's law."""
    import numpy as np
    import torch

    ranks = np.random.default_rng(step).zipf(1.2, 4 * shape.sequences * shape.length)
    ranks = ranks[ranks < shape.model.vocabulary_size][: shape.sequences * shape.length]
    return torch.from_numpy(ranks).reshape(shape.sequences, shape.length)


def our_step(shape: Shape) -> Step:
    """The step of `trainer.loop`, with nothing around it."""
    import torch

    from benchmarks.gpu_steps import step_of
    from trainer.config import TrainingConfig
    from trainer.parallel.model import ParallelModel

    config = TrainingConfig.model_validate(
        {
            "name": "bench",
            "model": shape.model.model_dump(),
            "sequence_length": shape.length,
            "batch": {"size": shape.sequences, "micro": shape.sequences},
            "schedule": {"tokens": 1, "learning_rate": RATE},
            "precision": {"compute": "fp32", "loss_chunk": CHUNK},
            "optimizer": {"beta1": BETAS[0], "beta2": BETAS[1], "epsilon": EPSILON, "weight_decay": DECAY},
        }
    )
    step = step_of(ParallelModel(config, torch.device("cpu")), RATE)
    return lambda ids: float(step(ids))


def their_step(shape: Shape, *, is_fused: bool = False) -> Step:
    """`BloomForCausalLM`, `clip_grad_norm_` and `AdamW`, as a user of `transformers` would write it."""
    import torch
    from transformers import BloomConfig, BloomForCausalLM

    from trainer.huggingface import to_config, to_name
    from trainer.model import Bloom

    with torch.device("meta"):
        weights = Bloom(shape.model).fresh_weights(seed=42)
    config = to_config(shape.model, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
    model = BloomForCausalLM(BloomConfig(**config)).train()
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in weights:
            parameters[to_name(name)].copy_(tensor)
    groups = [
        {"params": [p for n, p in parameters.items() if is_flat(n) == flat], "weight_decay": 0.0 if flat else DECAY}
        for flat in (False, True)
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPSILON, fused=is_fused or None)

    def step(ids: "Tensor") -> float:
        loss = model(ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def is_flat(name: str) -> bool:
    """Whether a parameter of `transformers`' BLOOM is a bias or of a layer norm: those have no weight decay."""
    return name.endswith(".bias") or "layernorm." in name or "ln_f." in name


LABELS = {"openroots": "**OpenRoots**", "transformers": "transformers", "fused": "transformers, fused AdamW"}
STEPS: dict[str, Callable[[Shape], Step]] = {
    "openroots": our_step,
    "transformers": their_step,
    "fused": lambda shape: their_step(shape, is_fused=True),
}


def _take(name: str, shape: Shape, steps: int) -> None:
    """Take steps in this process and print what they took as JSON."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    importlib.import_module(
        "trainer.parallel.model" if name == "openroots" else "transformers.models.bloom.modeling_bloom"
    )
    libraries = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    step = STEPS[name](shape)
    losses, seconds, processor = [], [], []
    for number in range(steps + 1):
        ids = tokens_of(shape, number)
        started, used = time.perf_counter(), time.process_time()
        losses.append(step(ids))
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    print(json.dumps({"losses": losses, "seconds": seconds[1:], "processor": processor[1:], "libraries": libraries}))


def main() -> None:
    """Take the steps of one of the peers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", choices=STEPS, required=True)
    parser.add_argument("--shape", type=int, default=0, help=", ".join(f"{i}: {s}" for i, s in enumerate(SHAPES)))
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    _take(arguments.step, SHAPES[arguments.shape], arguments.steps)


if __name__ == "__main__":
    main()
