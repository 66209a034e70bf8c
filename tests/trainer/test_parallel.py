"""Every layout trains as one process does. Launched by torchrun, on gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from tests.trainer.layouts import LAYOUTS, configuration
from tests.trainer.packed import packed_text
from trainer.config import load_training_config
from trainer.parallel.layout import check_sizes
from trainer.parallel.pipeline import layers_of_stages

TOLERANCE = 1e-5
"""Relative, over 20 steps in fp32; sums in another order differ by about 4e-7."""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[float]]]:
    """Losses, gradient norms, gradients of the embedding and held-out losses by layout."""
    folder = tmp_path_factory.mktemp("layouts")
    packed = packed_text(folder)
    results: dict[str, dict[str, list[float]]] = {}
    for processes in LAYOUTS:
        output = folder / f"{processes}.json"
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, *launch, "-m", "tests.trainer.layouts", str(packed), str(output)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        results |= json.loads(output.read_text())
    return results


@pytest.mark.parametrize("layout", [name for layouts in LAYOUTS.values() for name in layouts if name != "one"])
def test_a_layout_trains_as_one_process_does(found: dict[str, dict[str, list[float]]], layout: str) -> None:
    one = found["one"]
    assert one["loss"][0] - one["loss"][-1] > 0.5  # it learns, so equality means something
    for measure, values in found[layout].items():
        assert values == pytest.approx(one[measure], rel=TOLERANCE), measure


def test_layers_are_spread_as_blooms_were() -> None:
    assert [len(layers) for layers in layers_of_stages(70, 12)] == [5, *[6] * 10, 5]
    for layers in range(1, 40):
        for stages in range(1, layers + 3):
            spread = layers_of_stages(layers, stages)
            assert [n for stage in spread for n in stage] == list(range(layers))


def test_what_does_not_fit_is_refused_with_the_numbers() -> None:
    config = load_training_config("176b")
    assert check_sizes(config, 384) == 8
    with pytest.raises(ConfigurationError, match="tensor 4 × pipeline 12 × data 8 does not fit 96 processes"):
        check_sizes(config, 96)
    with pytest.raises(ConfigurationError, match=r"model\.heads"):
        check_sizes(configuration("", {"tensor": 3}), 3)
