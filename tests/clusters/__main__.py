"""`make clusters`: `tiny` and 200 MB on Spark, prism and S3, with faults; every digest must be the laptop's.

python -m tests.clusters FOLDER [--short | --present] [--only s3,spark-4.3.0,…] [--seconds N]

Needs no network but for what package managers fetch; where a tool is missing, the table says which, and goes on. Ends
with status 1 where a build ended other than it should. `--short` builds `tiny` only, once on a cluster, with all that
may happen to it; what does not end within
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
from functools import partial
from pathlib import Path

from tests.clusters import prism, s3, spark
from tests.clusters.ground import NOT_TRIED, Ground, MissingToolError, Row
from tests.clusters.text import recipe_of
from tests.clusters.tools import SPARK

PARTS: dict[str, Callable[[Ground], Iterator[Row]]] = {
    "s3": s3.rows,
    "prism": prism.rows,
    **{f"spark-{release}": partial(spark.rows, release) for release in SPARK},
}
"""Parts of the table: each yields its rows, and stops what it started."""
LONG_ONLY = ("spark-3.5.9",)


def main() -> int:
    """Make the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.clusters")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--short", action="store_true", help="tiny only")
    parser.add_argument("--large", action="store_true", help="the large recipe only")
    parser.add_argument("--megabytes", type=int, default=200, help="of the large recipe's text  [200]")
    parser.add_argument("--known", action="store_true", help="take this machine's digests from the last run")
    parser.add_argument("--only", help=f"parts, separated by commas: {', '.join(PARTS)}; spark is all of Spark's")
    parser.add_argument("--present", action="store_true", help="tiny on S3, undisturbed, if a server is here")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin nothing after so many")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # all that was started is stopped on the way out
    parts = ["s3"] if chosen.present else _chosen(chosen.only, chosen.short)
    if not parts:
        parser.error(f"--only takes {', '.join(PARTS)}")
    folder: Path = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    is_short = chosen.short or chosen.present
    recipes = [] if chosen.large else ["tiny"]
    if not is_short:
        recipes.append(recipe_of(folder / f"large-{chosen.megabytes}", chosen.megabytes << 20))
    ground = Ground(
        folder, recipes, is_short, not chosen.present, chosen.known, deadline=time.monotonic() + chosen.seconds
    )
    if chosen.present and (missing := s3.missing(ground)):
        print(f"Builds on S3 are not tried: {missing}")
        return 0
    rows: list[Row] = []
    for name, part in (("this machine", _references), *((name, PARTS[name]) for name in parts)):
        for row in _told(name, part, ground):
            _show(rows, row)
    (folder / "clusters.json").write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
    bad, idle = sum(not row.is_good for row in rows), sum(row.verdict == NOT_TRIED for row in rows)
    print(f"{len(rows) - bad - idle} passed, {bad} failed, {idle} not tried")
    return bool(bad)


def _chosen(only: str | None, is_short: bool) -> list[str]:
    """Names of parts; empty where one is asked for that is none."""
    if only is None:
        return [name for name in PARTS if not is_short or name not in LONG_ONLY]
    found = [[name for name in PARTS if name == asked or name.startswith(f"{asked}-")] for asked in only.split(",")]
    return [name for names in found for name in names] if all(found) else []


def _references(ground: Ground) -> Iterator[Row]:
    for recipe in ground.recipes:
        if ground.knows:
            ground.recall(recipe)
        else:
            yield ground.reference(recipe)


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
        head = f"{'where':<24} {'recipe':<9} {'fault':<36} {'seconds':>7}"
        print(f"{head} {'driver':>7} {'worker':>7}  verdict (memory of processes in MiB)")
    rows.append(row)
    recipe = Path(row.recipe).parent.name if row.recipe.endswith(".toml") else row.recipe
    print(
        f"{row.where:<24} {recipe:<9} {row.fault:<36} {row.seconds:>7.1f} {row.driver_mb:>7} {row.worker_mb:>7}"
        f"  {row.verdict}  {row.note}".rstrip(),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
