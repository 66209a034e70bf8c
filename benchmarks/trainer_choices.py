"""Ways to compute attention and the loss, each beside the plain one: time and memory, each in a process of its own."""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable

from benchmarks import Table, spread
from benchmarks.process import run

HEADS, HEAD_SIZE, HIDDEN, VOCABULARY = 8, 64, 256, 250_880
LENGTHS = (512, 2048)
ATTENTION = ("plain", "sdpa", "flex")
LOSS = {"whole logits": 0, "chunks of 256": 256}


def tables(repeats: int) -> list[Table]:
    """A table of attention and one of the loss."""
    found = []
    for title, choices in (
        (f"Attention: {HEADS} heads of {HEAD_SIZE}, one sequence", ATTENTION),
        (f"Loss: width {HIDDEN}, {VOCABULARY:,} entries", tuple(LOSS)),
    ):
        rows = []
        for choice in choices:
            cells = [_measured(choice, length, repeats) for length in LENGTHS]
            rows.append([choice, *(text for cell in cells for text in cell)])
        columns = [f"{length} tokens: {what}" for length in LENGTHS for what in ("seconds", "memory, MB")]
        found.append(Table(f"{title}; fp32 on the CPU", ["", *columns], rows))
    found[0].notes.append(
        "Forward and backward pass (flex: forward only, and not compiled: it trains on CUDA only); memory is what the "
        "process takes over what it had before, inputs and their gradients included."
    )
    found[1].notes.append("Forward and backward pass with the gradients of hidden states and of the matrix.")
    return found


def _measured(choice: str, length: int, repeats: int) -> tuple[str, str]:
    command = [sys.executable, "-m", "benchmarks.trainer_choices", choice, str(length), str(repeats)]
    result = json.loads(run(command).output.splitlines()[-1])
    return str(spread(result["seconds"])), f"{result['memory'] / 1e6:,.0f}"


def attention_pass(choice: str, length: int) -> Callable[[], object]:
    """A pass of attention, forward and, but for flex, backward."""
    import torch

    from trainer.attention import attend
    from trainer.model import alibi_slopes

    trains = choice != "flex"
    inputs = [torch.randn(1, length, HEADS, HEAD_SIZE, requires_grad=trains) for _ in range(3)]
    slopes = alibi_slopes(HEADS)

    def once() -> None:
        mixed = attend(*inputs, slopes, choice)  # type: ignore[arg-type, call-arg]
        if trains:
            torch.autograd.grad(mixed.sum(), inputs)

    return once


def loss_pass(choice: str, length: int) -> Callable[[], object]:
    """A pass of the loss, forward and backward."""
    import torch

    from trainer.loss import cross_entropy_sum

    hidden = torch.randn(length, HIDDEN, requires_grad=True)
    matrix = torch.randn(VOCABULARY, HIDDEN, requires_grad=True)
    labels = torch.randint(0, VOCABULARY, (length,))

    def once() -> None:
        if chunk := LOSS[choice]:
            loss = cross_entropy_sum(hidden, matrix, labels, chunk)
        else:
            loss = torch.nn.functional.cross_entropy(hidden @ matrix.T, labels, reduction="sum")
        torch.autograd.grad(loss, (hidden, matrix))

    return once


def main() -> None:
    """Measure one choice in this process and print what it took as JSON."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("choice", choices=[*ATTENTION, *LOSS])
    parser.add_argument("length", type=int)
    parser.add_argument("repeats", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    make = loss_pass if arguments.choice in LOSS else attention_pass
    make(arguments.choice, 8)() if make is attention_pass else None  # loads what the first call loads
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    once, seconds = make(arguments.choice, arguments.length), []
    for _ in range(arguments.repeats + 1):
        started = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - started)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(json.dumps({"seconds": seconds[1:], "memory": memory}))


if __name__ == "__main__":
    main()
