"""`make clusters`: `tiny` and 200 MB on Spark, prism and S3, with faults; every digest must be the laptop's.

python -m tests.clusters FOLDER [--short] [--only spark,…] [--seconds N]

Needs no network but for what package managers fetch; where a tool is missing, the table says which, and goes on. Ends
with status 1 where a build ended other than it should. `--short` builds `tiny` only; what does not end within
`--seconds` counts as not tried.
"""

import argparse
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.clusters import prism, s3, spark
from tests.clusters.ground import NOT_TRIED, Ground, MissingToolError, Row
from tests.clusters.text import recipe_of

PARTS = {"s3": s3.rows, "prism": prism.rows, "spark": spark.rows}
"""Parts of the table: each yields its rows, and stops what it started."""
RECIPE_BYTES = 200 << 20


def main() -> int:
    """Make the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.clusters")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--short", action="store_true", help="tiny only")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin nothing after so many")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # all that was started is stopped on the way out
    parts = chosen.only.split(",")
    if not set(parts) <= set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}")
    folder: Path = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    recipes = ["tiny"] if chosen.short else ["tiny", recipe_of(folder / "large", RECIPE_BYTES)]
    ground = Ground(folder, recipes, deadline=time.monotonic() + chosen.seconds)
    rows: list[Row] = []
    for name, part in (("this machine", _references), *((name, PARTS[name]) for name in parts)):
        for row in _told(name, part, ground):
            _show(rows, row)
    (folder / "clusters.json").write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
    bad, idle = sum(not row.is_good for row in rows), sum(row.verdict == NOT_TRIED for row in rows)
    print(f"{len(rows) - bad - idle} passed, {bad} failed, {idle} not tried")
    return bool(bad)


def _references(ground: Ground) -> Iterator[Row]:
    for recipe in ground.recipes:
        ground.reference(recipe)
        yield Row("this machine", recipe, "none", ground.seconds[recipe], "as it should")


def _told(name: str, part: Callable[[Ground], Iterator[Row]], ground: Ground) -> Iterator[Row]:
    """The rows of a part, and what ended it before its time."""
    began = time.monotonic()
    try:
        yield from part(ground)
    except (MissingToolError, subprocess.TimeoutExpired) as missing:
        verdict = NOT_TRIED if isinstance(missing, MissingToolError) or not ground.left else "failed"
        yield Row(name, "", "", time.monotonic() - began, verdict, str(missing)[:300])
    except AssertionError as failure:
        yield Row(name, "", "", time.monotonic() - began, "failed", str(failure)[:300])


def _show(rows: list[Row], row: Row) -> None:
    if not rows:
        print(f"{'where':<24} {'recipe':<8} {'fault':<28} {'seconds':>7}  verdict")
    rows.append(row)
    recipe = Path(row.recipe).stem
    print(
        f"{row.where:<24} {recipe:<8} {row.fault:<28} {row.seconds:>7.1f}  {row.verdict}  {row.note}".rstrip(),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
