"""What numba compiled is not run any more once something that it imports has changed."""

import subprocess
import sys
from pathlib import Path

import pytest

from configs.kernels import drop_stale_kernels

LEAF = """
import numpy as np
from numba import njit

TABLE = np.array([{value}])

@njit(cache=True)
def leaf(x):
    return x + {value}
"""
BRANCH = """
from numba import njit
from package.leaf import TABLE, leaf

@njit(cache=True)
def branch(x):
    return leaf(x) * 10 + TABLE[0]
"""
RUN = """
import os, sys
from pathlib import Path
from configs.kernels import drop_stale_kernels
cache = os.environ.get("NUMBA_CACHE_DIR")
drop_stale_kernels(Path.cwd(), ["package"], Path(cache) if cache else None)
sys.path.insert(0, os.getcwd())
from package.top import branch
print(branch(1), sum(branch.stats.cache_hits.values()))
"""


@pytest.mark.parametrize("beside", (True, False))
def test_a_kernel_is_compiled_again_once_what_it_imports_has_changed(beside: bool, tmp_path: Path) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "branch.py").write_text(BRANCH)
    (folder / "top.py").write_text("from package.branch import branch\n")
    cache = {} if beside else {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run() -> list[str]:
        environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **cache}
        command = [sys.executable, "-c", RUN]
        told = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return told.stdout.split()

    (folder / "leaf.py").write_text(LEAF.format(value=1))
    assert run() == ["21", "0"]
    assert run() == ["21", "1"]
    (folder / "leaf.py").write_text(LEAF.format(value=2))
    assert run() == ["32", "0"]
    (folder / "top.py").write_text("# what is imported by nothing\nfrom package.branch import branch\n")
    assert run() == ["32", "1"]


@pytest.mark.parametrize("damaged", (b"", b"\xff\n", b"[1]\nbranch.p"))
def test_a_damaged_record_is_made_again(damaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "leaf.py").touch()
    drop_stale_kernels(tmp_path, ["package"])
    (record,) = (tmp_path / "package" / "__pycache__").glob("kernels-*")
    whole = record.read_bytes()
    record.write_bytes(damaged)

    drop_stale_kernels(tmp_path, ["package"])

    assert record.read_bytes() == whole
