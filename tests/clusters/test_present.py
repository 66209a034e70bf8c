"""What `.ci/run` asks for where no S3 server is installed: one line, and no failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.clusters", str(folder), *arguments]
    environment = {**os.environ, "PATH": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_without_a_server_nothing_is_tried_and_nothing_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "--present")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Builds on S3 are not tried: ") and done.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", ["sparc", "s3,flink", ""])
def test_a_part_that_there_is_none_of_is_refused(tmp_path: Path, asked: str) -> None:
    done = run(tmp_path, "--only", asked)
    assert done.returncode == 2 and "--only takes s3, prism, spark-" in done.stderr
