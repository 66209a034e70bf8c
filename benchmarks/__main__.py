"""`python -m benchmarks [PART …]`: run the parts and write RESULTS.md and results.json; without a name, all.

Parts that are not run keep their figures. The memory test of large builds takes longer and runs by itself:
`python -m benchmarks.scaling --sizes 500,2000 --workers 2`.
"""

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any

from benchmarks import Settings, Table, machine

PARTS = (
    "ingest",
    "formats",
    "chain",
    "minhash",
    "decontaminate",
    "end_to_end",
    "whole",
    "scaling",
    "memory",
    "scale_model",
    "startup",
    "filters",
    "clustering",
    "tokenizer_training",
    "encode",
    "tokenizer_scaling",
    "trainer",
    "gpu",
)
"""In the order of RESULTS.md; `memory` is written by `benchmarks.scaling`, `gpu` by `benchmarks.gpu --record`."""

NO_GPU = """
## Training on one GPU

Not measured yet: no GPU was at hand. Where there is one, `python benchmarks/gpu.py --output FOLDER` takes at most eight
and a half minutes, and `python -m benchmarks.gpu --record FOLDER/results.json` puts its rows here."""

RUNS_MIN = 3

FOLDER = Path(__file__).resolve().parent


def record(results: dict[str, list[Table]], where: dict[str, str] | None = None) -> None:
    """Replace the tables of some parts in results.json, and write RESULTS.md anew.

    `where` describes the machine they were made on; left out, this one.
    """
    path = FOLDER / "results.json"
    known = json.loads(path.read_text()) if path.exists() else {"parts": {}}
    here = where or machine()
    for part, tables in results.items():
        known["parts"][part] = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": here,
            "tables": [table.as_dict() for table in tables],
        }
    path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    (FOLDER / "RESULTS.md").write_text(_markdown(known["parts"]))


def recorded(part: str) -> list[dict[str, Any]]:
    """The tables of a part as they are in results.json; none where it has not run."""
    path = FOLDER / "results.json"
    known = json.loads(path.read_text())["parts"] if path.exists() else {}
    tables: list[dict[str, Any]] = known.get(part, {"tables": []})["tables"]
    return tables


def _markdown(parts: dict[str, Any]) -> str:
    lines = [
        "# Results of the benchmarks",
        "",
        "Written by `make bench`; figures behind the tables in `results.json`. "
        "Medians with lowest–highest of at least three runs, unless a note says otherwise; MB are 10⁶ bytes of UTF-8.",
    ]
    machines: list[dict[str, str]] = []
    for name in (*PARTS, *sorted(set(parts) - set(PARTS))):
        if name not in parts:
            continue
        part = parts[name]
        if part["machine"] not in machines:
            machines.append(part["machine"])
            lines += ["", "**Machine:** " + " · ".join(f"{key} {value}" for key, value in part["machine"].items())]
        for table in part["tables"]:
            lines += ["", f"## {table['title']}", "", *_table(table)]
            lines += ["", *(f"{note}\n" for note in table["notes"]), f"*{part['date']}, `python -m benchmarks {name}`*"]
    if "gpu" not in parts:
        lines.append(NO_GPU)
    text = "\n".join(lines).replace("\n\n\n", "\n\n").replace("benchmarks memory`", "benchmarks.scaling`") + "\n"
    return text.replace("python -m benchmarks gpu`", "python benchmarks/gpu.py`")


def _table(table: dict[str, Any]) -> list[str]:
    rows = [table["columns"], ["---"] * len(table["columns"]), *table["rows"]]
    return ["| " + " | ".join(row) + " |" for row in rows]


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="measure speed beside the peers")
    names = [part for part in PARTS if part not in ("memory", "gpu")]
    parser.add_argument("parts", nargs="*", choices=[*names, []], help=", ".join(names))
    parser.add_argument("--repeats", type=int, default=Settings.repeats)
    parser.add_argument("--megabytes", type=int, default=Settings.megabytes, help="text for the chain")
    parser.add_argument("--peer-seconds", type=float, default=Settings.peer_seconds, help="time given to datatrove")
    arguments = parser.parse_args()
    settings = Settings(repeats=arguments.repeats, megabytes=arguments.megabytes, peer_seconds=arguments.peer_seconds)
    for part in arguments.parts or names:
        started = time.perf_counter()
        print(f"{part} …", flush=True)
        tables = importlib.import_module(f"benchmarks.{part}").measure(settings)
        if settings.repeats < RUNS_MIN:
            for table in tables:
                table.notes.append(f"Fewer runs than usual: {settings.repeats}.")
        record({part: tables})
        print(f"{part}: {time.perf_counter() - started:.0f} s", flush=True)
    print(f"written: {FOLDER / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
