"""Run by torchrun: trains a small model for some steps on each of the layouts of this number of processes."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from trainer.config import TrainingConfig
from trainer.data import TrainingData, rank_positions
from trainer.parallel.data import local
from trainer.parallel.model import ParallelModel
from trainer.parallel.optimizer import divisor
from trainer.tasks import LayoutScorer

STEPS = 20


class Sequences(LayoutScorer):
    """Likelihoods of tokens, which need no tokenizer."""

    def __init__(self, model: ParallelModel, length: int) -> None:
        super().__init__(model, None, length)  # type: ignore[arg-type]


LAYOUTS = {
    1: {"one": {}, "full": {"checkpointing": "full"}, "selective": {"checkpointing": "selective"}},
    2: {
        "tensor": {"tensor": 2},
        "sequence": {"tensor": 2, "sequence_parallel": True},
        "pipeline": {"pipeline": 2},
        "interleaved": {"pipeline": 2, "schedule": "interleaved", "stages_per_rank": 2},
        "data": {"sharding": "none"},
        "zero1": {"sharding": "zero1"},
        "fsdp": {"sharding": "fsdp", "checkpointing": "full"},
    },
    4: {
        "tensor-data": {"tensor": 2, "sharding": "fsdp", "sequence_parallel": True},
        "pipeline-tensor": {"pipeline": 2, "tensor": 2, "checkpointing": "selective"},
        "pipeline-data": {"pipeline": 2, "sharding": "zero1"},
        "replicas": {"sharding": "fsdp", "replicas": 2},
        "replicas-zero1": {"sharding": "zero1", "replicas": 2},
    },
}


def configuration(packed: str, parallel: dict, prompts: bool = False) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "name": "test",
            "model": {"name": "test", "layers": 4, "hidden": 32, "heads": 4, "vocabulary_size": 300},
            "sequence_length": 128 if prompts else 32,
            "data": {"packed": packed, "document_mask": prompts},
            "batch": {"size": 8, "micro": 2 if "pipeline" not in parallel else 1},
            "schedule": {"tokens": 1, "learning_rate": 3e-3},
            "precision": {"compute": "fp32", "loss_chunk": 24},
            "parallel": parallel,
        }
    )


def losses(config: TrainingConfig) -> dict[str, list[float]]:
    """Loss and gradient norm of each step, and the held-out loss and the tied embedding's gradient at the end."""
    torch.manual_seed(0)
    model = ParallelModel(config, torch.device("cpu"))
    data = TrainingData(config.data.packed, seed=1)
    held = TrainingData(config.data.packed, part="held_out")
    held_out = held.sequences(held.first("en", 3))
    found: dict[str, list[float]] = {"loss": [], "norm": []}
    for step in range(STEPS):
        positions = rank_positions(8 * step, 8, model.layout.data_rank, model.layout.data)
        found["loss"].append(model.forward_backward(data.read(positions)).item())
        norm = model.gradient_norm()
        found["norm"].append(norm.item())
        divided = divisor(norm, clip=1.0)
        if step == STEPS - 1:
            total = torch.zeros(2)
            for name, parameter in model.named_parameters():
                if name == "embedding.weight" and model._is_counted_here(name, parameter):
                    gradient = local(parameter.grad) / divided
                    total += torch.stack([gradient.square().sum(), gradient.abs().sum()])
            found["embedding"] = model.layout.sum(total).tolist()
        model.step(3e-3, divisor=divided)
        model.zero_grad()
    total, count = model.evaluate(held_out)
    found["held_out"] = [(total / count).item()]
    sequences = [([(7 * row + place) % 250 for place in range(2 + 3 * row)], 1 + row % 3) for row in range(9)]
    found["tasks"] = Sequences(model, config.sequence_length).nats(
        [(ids, min(n, len(ids) - 1)) for ids, n in sequences]
    )
    return found


def run(measure: Callable[[dict], Any], output: str) -> None:
    """What `measure` finds in each layout of as many processes as there are, as JSON."""
    torch.set_num_threads(1)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1:
        dist.init_process_group("gloo")
    found = {name: measure(parallel) for name, parallel in LAYOUTS[world].items()}
    if not dist.is_initialized() or dist.get_rank() == 0:
        Path(output).write_text(json.dumps(found))
    if dist.is_initialized():
        dist.destroy_process_group()


def main(packed: str, output: str, kind: str = "text") -> None:
    run(lambda parallel: losses(configuration(packed, parallel, kind == "prompts")), output)


if __name__ == "__main__":
    main(*sys.argv[1:])
