"""Tools that `make clusters` needs beside Python's environment: fetched once by package managers, versions pinned.

python -m tests.clusters.tools FOLDER    builds those of Go beforehand, with no package but Python's own
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.clusters.ground import Ground, MissingToolError, tool

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
SPARK = {
    "4.3.0": ("pyspark==4.3.0", "pyhamcrest==2.1.0", "tenacity==9.2.1"),
    "3.5.9": ("pyspark==3.5.9",),
}
"""Releases of Spark: its package, and, with the newest, what Beam's own tests of runners import. They stay apart from
the environment that OpenRoots is in."""
FETCH_SECONDS = 900.0


def go_program(package: str, ground: Ground) -> Path:
    """A program of Go's, built into `bin` of the work place where it is not there yet. Raises MissingToolError."""
    name = package.partition("@")[0].rpartition("/")[2]
    program = ground.folder / "bin" / name
    if not ground.fetches:
        path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
        return Path(tool(name, "`make clusters SHORT=1 ONLY=s3` fetches it, and tries more", path))
    stamp = program.with_name(f".{name}")
    if program.is_file() and stamp.is_file() and stamp.read_text() == package:
        return program
    go = tool("go", f"it builds {name}; https://go.dev/dl, or apt-get install golang-go")
    _fetch(ground, name, [go, "install", package], {"GOBIN": str(program.parent), "CGO_ENABLED": "0"})
    stamp.write_text(package)
    return program


def spark_packages(release: str, ground: Ground) -> Path:
    """A folder for `PYTHONPATH` with PySpark, installed where it is not there yet. Raises MissingToolError."""
    packages, place = SPARK[release], ground.folder / f"spark-{release}"
    stamp = place / ".packages"
    if stamp.is_file() and stamp.read_text().split() == list(packages):
        return place
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    _fetch(ground, packages[0], [*install, "--no-binary", "pyspark", "--target", str(place), *packages], {})
    stamp.write_text("\n".join(packages))
    return place


def _fetch(ground: Ground, name: str, command: list[str], environment: dict[str, str]) -> None:
    print(f"fetching {name}", file=sys.stderr, flush=True)
    limit = min(FETCH_SECONDS, ground.left)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            env=os.environ | environment,
        )
    except subprocess.TimeoutExpired:
        raise MissingToolError(f"{name} could not be fetched within {limit:.0f} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise MissingToolError(f"{name} could not be fetched: {last[:200]}")


if __name__ == "__main__":
    for wanted in (VERSITYGW, PRISM):
        go_program(wanted, Ground(Path(sys.argv[1]).resolve()))
