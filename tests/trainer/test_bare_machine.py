"""The trainer on a machine that has PyTorch and little else: GPU nodes without network."""

import subprocess
import sys
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

ROOT = Path(__file__).resolve().parents[2]
MISSING = (
    "apache_beam", "click", "datasets", "fastokens", "jinja2", "license_expression", "orjson", "polib",
    "presidio_analyzer", "pycld2", "re2", "resiliparse", "tldextract", "tokenizers", "uniseg", "yaml", "zstandard",
)  # fmt: skip
"""Of what OpenRoots needs elsewhere; pydantic and xxhash, a few megabytes of wheels, travel along."""


BENCHMARKS = ("gpu", "gpu_rows", "gpu_steps", "gpu_kernels", "gpu_generate", "gpu_model", "gpu_train")


@pytest.mark.parametrize("module", ["trainer.train", "trainer.loop", *(f"benchmarks.{name}" for name in BENCHMARKS)])
def test_the_trainer_needs_little(module: str) -> None:
    program = f"import sys\nfor name in {MISSING!r}: sys.modules[name] = None\nimport {module}\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", ["--config=x", "--packed=x", "--output=x", "--profile=1", "--set=start=hf-model"])
def test_torchrun_leaves_our_options_to_us(option: str) -> None:
    """It takes the beginning of an option's name for the option, and `--start` would be one of several."""
    given = ["--nproc-per-node", "2", "-m", "trainer.train", *option.split("=", 1)]
    assert get_args_parser().parse_args(given).training_script_args == option.split("=", 1)
