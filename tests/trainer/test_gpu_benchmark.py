"""`benchmarks/gpu.py` on the CPU: the first minute on a GPU must not be spent on a typo."""

import json
import math
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu_tables import tables

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_rehearsal_makes_every_row(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/gpu.py", "--output", str(tmp_path), "--rehearse"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["row"] for row in results["rows"]] == [row.name for row in gpu.plan()]
    assert not [row for row in results["rows"] if "error" in row or not row.get("ok", True)]
    assert done.returncode == 0, done.stderr
    assert sum(len(table.rows) for table in tables(results["rows"])) > len(results["rows"])


def test_what_fails_or_hangs_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = [
        gpu.Row("ceiling nonsense", "kernels", 30),
        gpu.Row("correct transformers", "kernels", 0.0),
        gpu.Row("ceiling copy", "kernels", 30),
    ]
    results = gpu.Results(tmp_path, {})
    gpu.make(rows, results, tmp_path, time.monotonic() + 300, rehearse=True, work=tmp_path)
    failed, late, good = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert "no `nonsense` in configs/models" in failed["error"]
    assert late["error"] == "took more than 0 s"
    assert "error" not in good


def test_no_row_is_begun_when_the_time_is_spent(tmp_path: Path) -> None:
    results = gpu.Results(tmp_path, {})
    gpu.make(gpu.plan(), results, tmp_path, time.monotonic() - 1, rehearse=True, work=tmp_path)
    assert {row["error"] for row in results.rows} == {"not begun: the time was spent"}


def test_wheels_are_unpacked(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "one-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("one/__init__.py", "")
    assert (Path(gpu.unpack(wheels, tmp_path)) / "one" / "__init__.py").exists()
    with pytest.raises(SystemExit):
        gpu.unpack(tmp_path, tmp_path)


def test_figures_of_a_rehearsal_are_never_recorded() -> None:
    from benchmarks.gpu_tables import record_rows

    with pytest.raises(ValueError, match="rehearsal"):
        record_rows({"rehearsal": True, "rows": []})


@pytest.mark.parametrize("takes_scale", [True, False])
def test_varlen_is_called_as_its_version_wants_it(takes_scale: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel itself is on CUDA only: one with its arguments stands here for it."""
    from benchmarks import gpu_kernels
    from trainer.attention import attend
    from trainer.model import alibi_slopes

    def kernel(query, key, value, _borders, _borders_of_keys, longest, _longest_key, scale):
        query, key, value = (t.unflatten(0, (-1, longest)).transpose(1, 2) for t in (query, key, value))
        mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale)
        return mixed.transpose(1, 2).flatten(0, 1)

    def newer(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1)):
        assert window_size == (-1, 0)
        return kernel(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, scale)

    def older(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False):
        assert is_causal
        return kernel(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, 1 / math.sqrt(query.shape[-1]))

    monkeypatch.setattr(gpu_kernels, "_varlen", lambda: newer if takes_scale else older)
    inputs = [torch.randn(2, 16, 4, 8) for _ in range(3)]
    slopes = alibi_slopes(4)
    torch.testing.assert_close(gpu_kernels._varlen_attention(inputs, slopes), attend(*inputs, slopes, "plain"))
