"""A training step on one GPU: ours in its variants beside `transformers` with torch.compile and fused AdamW, bf16.

    python -m benchmarks.trainer_gpu --models 560m,1b1 --steps 20

Each run is a process. It takes as many sequences of 2048 tokens at once as fit: it starts with `--micro`, and halves it
where memory runs out. To try the script where there is no GPU: `--device cpu --models tiny --length 64 --steps 2`.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks import Table, spread
from benchmarks.__main__ import record
from benchmarks.process import run
from benchmarks.trainer import Shape, Step, our_step, their_step, tokens_of
from trainer.config import load_model_config
from trainer.flops import flops_per_token, peak_tflops

WARMUP = 3
"""Steps that are not counted: they compile, and fill the allocator."""
CHUNK = 4096
"""Positions a chunk of the loss: each also costs a pass over the gradient of the embedding."""


def _ours(**parallel: object) -> Callable[[Shape, str], Step]:
    return lambda shape, device: our_step(shape, device, "bf16", loss_chunk=CHUNK, **parallel)


VARIANTS: dict[str, Callable[[Shape, str], Step]] = {
    "OpenRoots": _ours(),
    "OpenRoots, compile": _ours(compile=True),
    "OpenRoots, compile, flex": _ours(compile=True, attention="flex"),
    "OpenRoots, compile, selective checkpointing": _ours(compile=True, checkpointing="selective"),
    "OpenRoots, compile, full checkpointing": _ours(compile=True, checkpointing="full"),
    "transformers, fused AdamW": lambda shape, device: their_step(shape, device, "bf16", is_fused=True),
    "transformers, compile, fused AdamW": lambda shape, device: their_step(
        shape, device, "bf16", is_fused=True, is_compiled=True
    ),
}


def measured(model: str, variant: str, arguments: argparse.Namespace) -> dict | None:
    """What a variant does with the largest micro-batch that fits; None where not even one sequence does."""
    micro = arguments.micro
    while micro:
        command = [sys.executable, "-m", "benchmarks.trainer_gpu", "--run", variant, "--models", model]
        command += ["--micro", str(micro), "--steps", str(arguments.steps), "--length", str(arguments.length)]
        finished = run([*command, "--device", arguments.device])
        result = json.loads(finished.output.splitlines()[-1])
        if result["fits"]:
            return {**result, "micro": micro, "peak": result["peak"] or finished.resident}
        micro //= 2
    return None


def table(model: str, arguments: argparse.Namespace) -> Table:
    """The variants of one model; each is printed as soon as it is measured."""
    rows, data = [], {}
    config = load_model_config(model)
    for variant in arguments.variants.split(";"):
        found = data[variant] = measured(model, variant, arguments)
        if found is None:
            rows.append([variant, "–", "does not fit", "", "", ""])
            continue
        tokens = found["micro"] * arguments.length
        speed = spread([tokens / seconds for seconds in found["seconds"]])
        tflops = speed.median * flops_per_token(config, arguments.length) / 1e12
        peak = peak_tflops(found["name"])
        mfu = f"{tflops / peak:.1%}" if peak else "–"
        rows.append([variant, str(found["micro"]), str(speed), f"{tflops:,.1f}", mfu, f"{found['peak'] / 1e9:.1f}"])
        print(model, *rows[-1], sep="  ", flush=True)
    names = ", ".join(sorted({found["name"] for found in data.values() if found})) or arguments.device
    return Table(
        f"Training {model} on one {names}: bf16, sequences of {arguments.length}",
        ["", "sequences a step", "tokens/s", "TFLOP/s", "MFU", "peak memory, GB"],
        rows,
        [
            f"{arguments.steps} steps after {WARMUP}: forward, backward, clipping, AdamW; fp32 master weights and "
            "states, products in bf16. TFLOP/s count no recomputation (Narayanan et al. 2021); MFU is of the dense "
            "16-bit peak in the data sheet."
        ],
        data,
    )


def take(variant: str, model: str, micro: int, arguments: argparse.Namespace) -> dict:
    """Take steps in this process; what they took, or that they do not fit."""
    import torch

    torch.manual_seed(0)
    is_cuda = arguments.device == "cuda"
    shape = Shape(load_model_config(model), micro, arguments.length)
    losses, seconds = [], []
    try:
        step = VARIANTS[variant](shape, arguments.device)
        for number in range(WARMUP + arguments.steps):
            ids = tokens_of(shape, number).to(arguments.device)
            started = time.perf_counter()
            losses.append(step(ids))
            if is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    except torch.OutOfMemoryError:
        return {"fits": False}
    return {
        "fits": True,
        "name": torch.cuda.get_device_name() if is_cuda else "CPU",
        "seconds": seconds[WARMUP:],
        "mean_loss": statistics.fmean(losses),
        "losses": losses,
        "peak": torch.cuda.max_memory_allocated() if is_cuda else 0,
    }


def main(given: Sequence[str] | None = None) -> None:
    """Measure the models and write the results; with `--run`, one variant in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="560m,1b1", help="names of configs/models, by commas")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--micro", type=int, default=32, help="sequences at once to start with")
    parser.add_argument("--length", type=int, default=2048, help="tokens of a sequence")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--variants", default=";".join(VARIANTS), help="by semicolons; left out: all")
    parser.add_argument("--run", choices=VARIANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    models = arguments.models.split(",")
    if arguments.run:
        print(json.dumps(take(arguments.run, models[0], arguments.micro, arguments)))
        return
    if unknown := [name for name in arguments.variants.split(";") if name not in VARIANTS]:
        parser.error(f"no variant {unknown[0]!r}; there are: {'; '.join(VARIANTS)}")
    import torch

    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("this needs a GPU; to try the script without: --device cpu --models tiny --length 64 --steps 2")
    tables = [table(model, arguments) for model in models]
    if arguments.device == "cuda":
        record({"trainer_gpu": tables})


if __name__ == "__main__":
    main()
