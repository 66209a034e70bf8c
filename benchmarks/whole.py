"""From JSON lines to a deduplicated corpus: a whole build beside datatrove's local executor, on the same text."""

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks import ROOT, Settings, Table
from benchmarks.end_to_end import fresh_build, manifest
from benchmarks.process import Run, run
from benchmarks.text import RECIPE, json_lines, megabytes, real_text
from benchmarks.venv import peers_python

MEGABYTES = 24
FILES = 8


def measure(settings: Settings) -> list[Table]:
    """Ours with one and two workers, datatrove with two tasks, once each."""
    folder = settings.work / "whole"
    shutil.rmtree(folder, ignore_errors=True)
    text = folder / "text"
    text.mkdir(parents=True)
    size = _write(settings, text)
    recipe = folder / "whole.toml"
    recipe.write_text(RECIPE.format(name="whole", title="Text of sample, in documents of 2 to 4 kB", folder=text))
    table = Table(
        f"From JSON lines to a deduplicated corpus: {size:,.0f} MB of natural languages in documents of 2–4 kB",
        ["what", "workers", "seconds", "MB/s", "peak memory, MB", "documents kept"],
        [],
        notes=[
            "Whole commands, including start-up, once each. Ours reads, identifies, measures and filters, redacts, "
            "finds exact and near-duplicates and recurring lines, and writes Arrow shards, ledger, cards and report. "
            "datatrove, by its local executor: language identification, Gopher's repetition and quality filters, PII, "
            "MinHash in four steps, JSON lines; one pipeline for all languages, with its default word tokenizer and "
            "thresholds, but for English stop words. They keep different documents, since their filters differ.",
            "data-juicer is not here: the newest of its releases that pip installs from wheels alone, 1.1.0, brings "
            "none of the packages that it imports.",
        ],
    )
    for workers in (1, 2):
        done = fresh_build(recipe, folder / "out", settings, workers)
        stages = manifest(folder / "out")["stages"]
        kept = stages[-1]["documents_kept"] / stages[0]["documents_in"]
        _add(table, "OpenRoots", workers, size, done, kept)
    script = ROOT / "benchmarks" / "peers" / "datatrove_whole.py"
    command: list[str | Path] = [peers_python(settings.venv), "-W", "ignore", script, text, folder / "peer"]
    done = run([*command, "--tasks", "2"])
    logs = folder / "peer" / "logs"
    kept = _logged(logs / "write", -1) / _logged(logs / "filter", 1)
    _add(table, "datatrove 0.10.1", 2, size, done, kept)
    shutil.rmtree(folder)
    return [table]


def _write(settings: Settings, folder: Path) -> float:
    """The first documents of the benchmarks' text as JSON lines in several files; returns megabytes."""
    size, lines = 0.0, list[str]()
    for batch in real_text(settings):
        if size >= MEGABYTES:
            break
        size += megabytes([batch])
        lines += json_lines(batch, map(str, range(len(lines), len(lines) + batch.num_rows)))
    for number in range(FILES):
        (folder / f"part-{number}.jsonl").write_text("".join(lines[number::FILES]), encoding="utf-8")
    return size


def _logged(folder: Path, step: int) -> int:
    """How many documents a step of an executor forwarded or wrote, from the statistics that it left."""
    found: dict[str, Any] = json.loads((folder / "stats.json").read_text())[step]["stats"]
    return int(found["total"])


def _add(table: Table, what: str, workers: int, size: float, done: Run, kept: float) -> None:
    figures = {"seconds": done.seconds, "resident": done.resident, "kept": kept}
    table.data[f"{what}, {workers}"] = figures
    rate, memory = f"{size / done.seconds:.2f}", f"{done.resident / 1e6:,.0f}"
    table.rows.append([what, str(workers), f"{done.seconds:.1f}", rate, memory, f"{kept:.1%}"])
