"""The process that makes rows of `benchmarks.gpu`, one after another, and answers each on a pipe."""

import argparse
import gc
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MODULES = {
    "ceiling": "gpu_kernels",
    "correct": "gpu_kernels",
    "attention": "gpu_kernels",
    "step": "gpu_steps",
    "transformers": "gpu_steps",
    "profile": "gpu_steps",
    "generate": "gpu_generate",
    "model": "gpu_model",
    "train": "gpu_train",
}
"""Where the function is that makes rows whose names begin so."""


@dataclass(frozen=True)
class Bench:
    """Where rows are made, and how large."""

    device: str
    folder: Path
    is_rehearsal: bool

    def of(self, real: int, tiny: int) -> int:
        """A size: the real one, or the rehearsal's."""
        return tiny if self.is_rehearsal else real

    @property
    def peak(self) -> float | None:
        """TFLOP/s of the card's data sheet: dense, 16 bits."""
        from trainer.flops import peak_tflops

        return peak_tflops(torch.cuda.get_device_name()) if self.device == "cuda" else None

    def wait(self) -> None:
        """Wait for the card."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def draw(self, *shape: int, dtype: torch.dtype = torch.bfloat16, seed: int = 0) -> Tensor:
        """Normal numbers."""
        generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(*shape, device=self.device, dtype=torch.float32, generator=generator).to(dtype)

    def seconds(self, function: Callable[[], Any], budget: float = 0.4) -> float:
        """Mean seconds of a call among as many as fill the budget, after three that do not count."""
        for _ in range(self.of(3, 1)):
            function()
        self.wait()
        started = time.perf_counter()
        function()
        self.wait()
        count = self.of(max(3, min(200, int(budget / (time.perf_counter() - started + 1e-9)))), 1)
        started = time.perf_counter()
        for _ in range(count):
            function()
        self.wait()
        return (time.perf_counter() - started) / count

    def about(self) -> dict[str, Any]:
        """The card and the versions."""
        versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
        if self.device != "cuda":
            return {"device": "CPU", **versions}
        here = torch.cuda.get_device_properties(0)
        return {
            "device": here.name,
            "memory": round(here.total_memory / 1e9, 1),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "peak TFLOP/s": self.peak,
            **versions,
        }


def kernels_of(function: Callable[[], Any], device: str, most: int = 20) -> tuple[list[dict[str, Any]], float]:
    """What ran on the device (on the CPU: operations) in a call, by its time, and milliseconds of all of it."""
    from torch.profiler import ProfilerActivity, profile

    is_cuda = device == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * is_cuda]) as made:
        function()
        if is_cuda:
            torch.cuda.synchronize()
    wanted = torch.autograd.DeviceType.CUDA if is_cuda else torch.autograd.DeviceType.CPU
    events = [event for event in made.key_averages() if event.device_type == wanted]
    taken = {event.key: event.self_device_time_total if is_cuda else event.self_cpu_time_total for event in events}
    total = sum(taken.values()) or 1.0
    events.sort(key=lambda event: -taken[event.key])
    top = [
        {
            "kernel": e.key[:160],
            "calls": e.count,
            "ms": round(taken[e.key] / 1e3, 3),
            "share": round(taken[e.key] / total, 4),
        }
        for e in events[:most]
    ]
    return top, total / 1e3


def main() -> None:
    """Make the rows that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="+")
    parser.add_argument("--answers", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rehearse", action="store_true")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() and not arguments.rehearse else "cpu"
    with os.fdopen(arguments.answers, "w") as answers:
        if device == "cpu" and not arguments.rehearse:
            print(json.dumps({"fatal": "PyTorch sees no GPU; to try the rows without one: --rehearse"}), file=answers)
            return
        if arguments.rehearse:
            torch.set_num_threads(1)  # more than one only wait for each other on tensors so small
            # All of torch.compile but the code: what it makes for the CPU takes a compiler, and half a minute.
            torch.compile = partial(torch.compile, backend="aot_eager")
        bench = Bench(device, arguments.folder, arguments.rehearse)
        for number, name in enumerate(arguments.rows):
            print(f"--- {name}", file=sys.stderr, flush=True)
            found = _made(name, bench)
            if number == 0:
                found["about"] = bench.about()
            print(json.dumps(found, ensure_ascii=False), file=answers, flush=True)
            if found.get("is_last"):
                return
            gc.collect()
            torch._dynamo.reset()
            if device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()


def _made(name: str, bench: Bench) -> dict[str, Any]:
    kind, *words = name.split()
    try:
        found: dict[str, Any] = importlib.import_module(f"benchmarks.{MODULES[kind]}").ROWS[kind](bench, *words)
    except Exception as error:
        traceback.print_exc()
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        cause = f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
        return {"error": cause, "is_last": "CUDA error" in str(error)}
    return found


if __name__ == "__main__":
    main()
