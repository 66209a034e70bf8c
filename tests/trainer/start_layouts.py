"""Run by torchrun: each of the layouts takes the weights of a model's folder, and says its held-out loss then."""

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from tests.trainer.layouts import LAYOUTS, configuration
from trainer.config import TrainingConfig
from trainer.data import TrainingData
from trainer.huggingface import read_weights
from trainer.parallel.model import ParallelModel


def held_out_loss(config: TrainingConfig, folder: str) -> float:
    model = ParallelModel(config.model_copy(update={"seed": 7}), torch.device("cpu"))
    model.load_weights(read_weights(folder, {name: p.detach() for name, p in model.named_parameters()}))
    held = TrainingData(config.data.packed, part="held_out")
    total, weight = model.evaluate(held.sequences(held.first("en", 4)))
    return (total / weight).item()


def main(packed: str, folder: str, output: str) -> None:
    torch.set_num_threads(1)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1:
        dist.init_process_group("gloo")
    found = {
        name: held_out_loss(configuration(packed, parallel, True), folder) for name, parallel in LAYOUTS[world].items()
    }
    if not dist.is_initialized() or dist.get_rank() == 0:
        Path(output).write_text(json.dumps(found))
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
