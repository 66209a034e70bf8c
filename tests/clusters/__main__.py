"""`make clusters`: `tiny` and 200 MB on Spark, prism and S3, with faults; every digest must be the laptop's.

python -m tests.clusters FOLDER [--short] [--only spark,…]

Needs no network but for what package managers fetch; where a tool is missing, the table says which, and goes on. Ends
with status 1 where a build ended other than it should. `--short` builds `tiny` only.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.clusters import spark
from tests.clusters.ground import Ground, MissingToolError, Row
from tests.clusters.text import recipe_of

PARTS = {"spark": spark.rows}
"""Parts of the table: each yields its rows, and stops what it started."""
RECIPE_BYTES = 200 << 20


def main() -> int:
    """Make the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.clusters")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--short", action="store_true", help="tiny only")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    chosen = parser.parse_args()
    folder: Path = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    recipes = ["tiny"] if chosen.short else ["tiny", recipe_of(folder / "large", RECIPE_BYTES)]
    ground = Ground(folder, recipes)
    rows: list[Row] = []
    for recipe in recipes:
        ground.reference(recipe)
        _show(rows, Row("this machine", Path(recipe).stem, "none", ground.seconds[recipe], "as it should"))
    for name in chosen.only.split(","):
        began = time.monotonic()
        try:
            for row in PARTS[name](ground):
                _show(rows, row)
        except MissingToolError as missing:
            _show(rows, Row(name, "", "", 0.0, "not tried", str(missing)))
        except AssertionError as failure:
            _show(rows, Row(name, "", "", time.monotonic() - began, "failed", str(failure)[:300]))
    (folder / "clusters.json").write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
    bad = [row for row in rows if not row.is_good]
    print(f"{len(rows) - len(bad)} passed, {len(bad)} failed")
    return bool(bad)


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
