"""Run by torchrun: each of the layouts takes the weights of a model's folder, and says its held-out loss then."""

import sys

import torch

from tests.trainer.layouts import configuration, run
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
    run(lambda parallel: held_out_loss(configuration(packed, parallel, True), folder), output)


if __name__ == "__main__":
    main(*sys.argv[1:])
