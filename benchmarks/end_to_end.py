"""The whole build of the recipe `sample`: time, memory of all its processes, seconds of each phase, and a restart."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import ROOT, Settings, Spread, Table, rates, spread
from benchmarks.process import Run, run

OPENROOTS = (sys.executable, "-m", "openroots.cli")


def build(
    recipe: str | Path, output: Path, settings: Settings, workers: int, *, offline: bool = True, checkout: Path = ROOT
) -> Run:
    """Run `openroots build-corpus` of a checkout in a process of its own."""
    command = [*OPENROOTS, "build-corpus", "--recipe", recipe, "--output", output, "--cache", settings.cache, "--quiet"]
    return run([*command, "--workers", str(workers), *(["--offline"] if offline else [])], folder=checkout)


def fresh_build(recipe: str | Path, output: Path, settings: Settings, workers: int, *, checkout: Path = ROOT) -> Run:
    """Build into an empty folder."""
    shutil.rmtree(output, ignore_errors=True)
    return build(recipe, output, settings, workers, checkout=checkout)


def manifest(output: Path) -> Mapping[str, Any]:
    """The manifest of a finished build."""
    return json.loads((output / "manifest.json").read_text())


def build_sample(settings: Settings) -> Path:
    """Folder of a finished build of `sample`, made (and its packages fetched) if there is none."""
    output = settings.work / "sample"
    if not (output / "manifest.json").exists():
        print("Building the recipe `sample` for its text", flush=True)
        build("sample", output, settings, 1, offline=False)
    return output


def megabytes_in(output: Path) -> float:
    """UTF-8 megabytes (10⁶) of the documents that entered a build."""
    return manifest(output)["stages"][0]["bytes_in"] / 1e6


def measure(settings: Settings) -> list[Table]:
    """Tables of the whole build and of its phases, with 1 and 2 workers."""
    output = build_sample(settings)
    size = megabytes_in(output)
    table = Table(
        f"Whole build of the recipe `sample` ({size:,.0f} MB of text enter), `--offline`",
        [
            "workers",
            "seconds",
            "MB/s",
            "peak memory, MB",
            "of that, shared pages counted once, MB",
            "again, nothing to do: seconds",
        ],
        [],
        notes=[
            "Seconds are those of the whole command, its start included. Peak memory is the highest sum of resident "
            "sizes of the command and all its processes; the next column counts pages that processes share once."
        ],
    )
    phases: dict[int, dict[str, Spread]] = {}
    for workers in (1, 2):
        runs, times = [], []
        for _ in range(settings.repeats):
            runs.append(fresh_build("sample", output, settings, workers))
            times.append(manifest(output)["phases"])
        again = [build("sample", output, settings, workers) for _ in range(settings.repeats)]
        seconds = [one.seconds for one in runs]
        row = [
            spread(seconds),
            rates(size, seconds),
            spread([one.resident / 1e6 for one in runs]),
            spread([one.proportional / 1e6 for one in runs]),
            spread([one.seconds for one in again]),
        ]
        table.rows.append([str(workers), *map(str, row)])
        table.data[str(workers)] = {"seconds": seconds, "resident": [one.resident for one in runs]}
        phases[workers] = _phase_spreads(times)
    return [table, _phase_table(phases)]


def _phase_spreads(runs: list[list[dict[str, Any]]]) -> dict[str, Spread]:
    names = [phase["name"] for phase in runs[0]]
    totals = [{name: sum(p["seconds"] for p in phases if p["name"] == name) for name in names} for phases in runs]
    return {name: spread([total[name] for total in totals]) for name in totals[0]}


def _phase_table(phases: dict[int, dict[str, Spread]]) -> Table:
    rows = [[name, *(str(part[name]) for part in phases.values())] for name in phases[1]]
    columns = ["phase", *(f"seconds, {workers} worker{'s' * (workers > 1)}" for workers in phases)]
    return Table("Phases of that build", columns, rows)
