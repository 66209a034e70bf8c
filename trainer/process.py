"""What surrounds the loop on each process: joining the others, signals, garbage collection, traces."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import _set_pg_timeout
from torch.profiler import ProfilerActivity, profile

START_TIMEOUT = timedelta(minutes=30)
"""Of a message until the first step is done: connections are made, layers compiled."""
COLLECT_EVERY = 100
"""Steps between collections of garbage; what Python chooses itself falls on other ranks at other moments."""
_FLIGHT_RECORDER = {"TORCH_FR_BUFFER_SIZE": "2000", "TORCH_NCCL_DUMP_ON_TIMEOUT": "1"}
"""The newest messages of each rank are kept, and written down where one times out. The user's own settings win."""


def join(device: torch.device) -> None:
    """Join the processes that torchrun started, or be a run of one."""
    for name, value in _FLIGHT_RECORDER.items():
        os.environ.setdefault(name, value)
    is_cuda = device.type == "cuda"
    backend = "cpu:gloo,cuda:nccl" if is_cuda else "gloo"
    # With its device said, NCCL connects now and not within the first message, where a wrong one hangs.
    bound = device if is_cuda else None
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group(backend, timeout=START_TIMEOUT, device_id=bound)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1, device_id=bound)


def limit_messages(seconds: float, groups: list[dist.ProcessGroup]) -> None:
    """From now on a message of these groups, and of the whole, may take so long; then the run ends."""
    for group in [dist.group.WORLD, *groups]:
        if group is not None:
            _set_pg_timeout(timedelta(seconds=seconds), group)


@contextmanager
def told_to_stop(event: threading.Event) -> Iterator[None]:
    """Within, SIGTERM and SIGINT set the event instead of ending the process."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, lambda *_: event.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Reading:
    """Numbers on their way from a device. The copy is under way at once; only `get` waits, and for nothing later."""

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values.to("cpu", non_blocking=True)  # into pinned memory
        self._made = time.perf_counter()
        self._copied = torch.cuda.Event(enable_timing=True) if values.is_cuda else None
        if self._copied is not None:
            self._copied.record()

    def get(self) -> list[float]:
        """The numbers."""
        if self._copied is not None:
            self._copied.synchronize()
        numbers: list[float] = self._values.tolist()
        return numbers

    def seconds_since(self, other: "Reading") -> float:
        """Seconds from when the device had made others to when it had made these; both must have been taken."""
        if self._copied is not None and other._copied is not None:
            return float(other._copied.elapsed_time(self._copied)) / 1e3
        return self._made - other._made


class Garbage:
    """Collects garbage at the same steps on all ranks: one that stops to do so keeps all the others waiting."""

    def __enter__(self) -> "Garbage":
        gc.collect()
        gc.freeze()  # what was made so far, such as the model, is not looked through again
        gc.disable()
        return self

    def step(self, number: int) -> None:
        """Collect, if it is time."""
        if number % COLLECT_EVERY == 0:
            gc.collect(1)

    def __exit__(self, *_: object) -> None:
        gc.enable()
        gc.unfreeze()


class Trace:
    """A trace of some steps, for chrome://tracing or Perfetto, and a table of what took the longest."""

    def __init__(self, steps: str | None, folder: Path, rank: int, device: torch.device) -> None:
        """`steps` is such as `10-12` or `10`, counted from 1; None for no trace."""
        first, _, last = (steps or "").partition("-")
        self._steps = range(int(first), int(last or first) + 1) if steps else range(0)
        self._place = folder / "profile" / f"steps-{steps}-rank-{rank:05d}"
        self._activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * (device.type == "cuda")]
        self._profile: profile | None = None

    def before(self, step: int) -> None:
        """Call before each step, with its number."""
        if step in self._steps and self._profile is None:
            self._profile = profile(activities=self._activities)
            self._profile.start()

    def after(self, step: int) -> str | None:
        """Call after each step; the path of the trace, once it is written. Raises OSError."""
        return self.close() if self._profile is not None and step >= self._steps[-1] else None

    def close(self) -> str | None:
        """Write what there is. Raises OSError."""
        if self._profile is None:
            return None
        made, self._profile, self._steps = self._profile, None, range(0)
        made.stop()
        self._place.parent.mkdir(parents=True, exist_ok=True)
        trace = f"{self._place}.json.gz"
        made.export_chrome_trace(trace)
        device = "self_cuda_time_total" if len(self._activities) > 1 else "self_cpu_time_total"
        table = made.key_averages().table(sort_by=device, row_limit=40, max_name_column_width=80)
        Path(f"{self._place}.txt").write_text(table)
        return trace
