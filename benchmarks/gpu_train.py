"""A whole run on one card, killed and resumed: the last row of `benchmarks.gpu`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.gpu_rows import Bench

STEPS, EVERY, KILLED_AFTER = 60, 20, 30
LIMIT = 120.0
"""Seconds of one of the two runs."""


def train(bench: Bench, name: str) -> dict[str, Any]:
    """`trainer.train` on packed text made here: a checkpoint, SIGKILL, the same command again; losses must agree."""
    folder = bench.folder / "train"
    shutil.rmtree(folder, ignore_errors=True)
    length, size = bench.of(2048, 64), bench.of(8, 2)
    write_packed(folder / "packed", length, size * (STEPS + 4), vocabulary=bench.of(250_680, 500))
    command = _command(bench, name, folder, length, size)
    started = time.monotonic()
    killed = _run(command, folder, kills=True)
    before = _losses(folder)
    resumed_at = time.monotonic()
    said = _run(command, folder, kills=False)
    rows = rows_of(folder / "run")
    after = _losses(folder)
    if "resumed from" not in said:
        raise RuntimeError("the run that was killed began anew")
    shared = sorted(set(before) & set(after))
    differences = [abs(before[step] - after[step]) for step in shared if step > _step_resumed(said)]
    speeds = [row["tokens_per_second"] for row in rows if row.get("tokens_per_second")]
    found = {
        "steps": max(after),
        "tokens/s": float(median(speeds)),
        "killed at step": killed,
        "seconds to the kill": resumed_at - started,
        "seconds from there to the end": time.monotonic() - resumed_at,
        "largest difference of losses made twice": max(differences, default=0.0),
        "losses made twice": len(differences),
        "losses": [after[1], after[max(after)]],
        "ok": max(after) == STEPS and max(differences, default=0.0) < 0.02 and bool(differences),
    }
    shutil.rmtree(folder, ignore_errors=True)
    return found


def write_packed(folder: Path, length: int, sequences: int, vocabulary: int) -> None:
    """Packed text of one language in the form of `openroots pack`: numbers that follow each other, easy to learn."""
    language, parts = folder / "data" / "xx", {}
    language.mkdir(parents=True)
    for part, count in (("train", sequences), ("held_out", 4)):
        tokens = (np.arange(count * length + 1) * 7 % min(vocabulary, 5000)).astype(np.uint32)
        starts = np.arange(0, len(tokens), max(8, length // 4), dtype=np.int64)
        ids = np.zeros((len(starts), 16), np.uint8)
        for name, array in (("tokens", tokens), ("starts", starts), ("ids", ids)):
            np.save(language / f"{part}-{name}.npy", array)
        parts[part] = {"documents": len(starts), "tokens": len(tokens), "sequences": count}
    manifest = {"format": 1, "digest": "0" * 32, "sequence_length": length, "vocabulary_size": vocabulary}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "languages": {"xx": parts}}))


def _command(bench: Bench, name: str, folder: Path, length: int, size: int) -> list[str]:
    settings: dict[str, Any] = {
        "sequence_length": length,
        "batch.size": size,
        "batch.micro": size,
        "schedule.tokens": STEPS * size * length,
        "schedule.warmup_tokens": 10 * size * length,
        "schedule.decay_tokens": STEPS * size * length,
        "precision.compute": "bf16",
        "precision.loss_chunk": bench.of(4096, 64),
        "parallel.checkpointing": "none",
        "parallel.compile": str(not bench.is_rehearsal).lower(),
        "checkpoints.every": EVERY,
        "logging.every": 1,
        "logging.evaluate_every": 0,
    }
    if bench.is_rehearsal:
        settings |= {"model.layers": 1, "model.hidden": 32, "model.vocabulary_size": 512}
    command = [sys.executable, "-m", "trainer.train", "--config", "tiny" if bench.is_rehearsal else name]
    command += ["--packed", str(folder / "packed"), "--output", str(folder / "run")]
    return command + [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def _run(command: list[str], folder: Path, *, kills: bool) -> Any:
    """Run it to the end, and return what it said; or kill it after a checkpoint, and return the step it had come to."""
    said = folder / "said.txt"
    with said.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=stream, env=os.environ) as process:
        deadline = time.monotonic() + LIMIT
        while process.poll() is None and time.monotonic() < deadline:
            if kills and _sealed(folder) and max(_losses(folder), default=0) >= KILLED_AFTER:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01 if kills else 0.1)
        else:
            process.kill()
        status = process.wait()
    text = said.read_text()
    print(text, file=sys.stderr, flush=True)
    if kills and status == -signal.SIGKILL and time.monotonic() < deadline:
        return max(_losses(folder))
    if kills or status:
        last = text.strip().splitlines()[-1:] or ["nothing"]
        raise RuntimeError(f"trainer.train ended with status {status}, not as it should; last words: {last[0]}")
    return text


def _sealed(folder: Path) -> bool:
    return any((folder / "run").glob("step-*/manifest.json"))


def rows_of(run: Path) -> list[dict[str, Any]]:
    """Rows of a run's log, of steps; none before there is a log."""
    path = run / "log.jsonl"
    if not path.exists():
        return []
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [row for row in map(json.loads, whole) if "loss" in row]


def _losses(folder: Path) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in rows_of(folder / "run")}


def _step_resumed(said: str) -> int:
    line = next(line for line in said.splitlines() if "resumed from" in line)
    return int(line.rsplit(" ", 1)[1].replace(",", ""))


ROWS = {"train": train}
