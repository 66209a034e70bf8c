"""`python -m benchmarks.hostile` in short: a few kinds of input, a few kills. In full it takes an hour."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.hostile_inputs import KINDS

ROOT = Path(__file__).parent.parent


def hostile(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.hostile", *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
def test_every_kind_of_hostile_input_is_survived() -> None:
    hostile("inputs")


@pytest.mark.slow
def test_killed_builds_and_rebuilds_end_with_the_same_bytes() -> None:
    hostile("kills", "--kills", "10", "--kills-of-workers", "3")


def test_each_kind_of_input_writes_something_small(tmp_path: Path) -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) and all(kind.about for kind in KINDS)
    for kind in KINDS:
        (tmp_path / kind.name).mkdir()
        kind.write(tmp_path / kind.name)
        written = [path for path in (tmp_path / kind.name).iterdir() if path.is_file() and not path.is_symlink()]
        assert written and sum(path.stat().st_size for path in written) <= 4_000_000, kind.name
