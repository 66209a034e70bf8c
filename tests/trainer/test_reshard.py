"""A checkpoint of one layout resumes on any other: the weights that two stages hold are saved once and loaded twice."""

import shutil
from pathlib import Path

import pytest

from tests.trainer.packed import packed_text
from tests.trainer.test_train import configuration, quiet, rows, start
from trainer.train import train

STEPS = 12
INTERLEAVED = {"pipeline": 2, "schedule": "interleaved", "stages_per_rank": 2, "sharding": "zero1"}
TENSOR = {"tensor": 2, "sequence_parallel": True}


def settings(steps: int, parallel: dict) -> dict:
    tokens = {"tokens": 32 * 8 * steps, "decay_tokens": 32 * 8 * STEPS}
    return {
        "parallel": parallel,
        "schedule": tokens,
        "model": {"layers": 4},
        "batch": {"micro": 2},
        "logging": {"evaluate_every": 4, "held_out_sequences": 10},
    }


def test_a_checkpoint_of_interleaved_stages_goes_on_on_other_layouts(tmp_path: Path) -> None:
    packed = packed_text(tmp_path)
    train(configuration(packed, tmp_path / "whole", **settings(STEPS, {})), quiet())
    whole = rows(tmp_path / "whole")
    half = configuration(packed, tmp_path / "half", **settings(STEPS // 2, INTERLEAVED))
    process = start(half, tmp_path / "half.toml", 4)
    assert process.wait() == 0, process.stderr.read()[-3000:]
    assert rows(tmp_path / "half") == pytest.approx({step: whole[step] for step in range(1, STEPS // 2 + 1)}, rel=1e-5)
    for name, parallel in (("tensor", TENSOR), ("one", {})):
        folder = tmp_path / name
        shutil.copytree(tmp_path / "half", folder)
        config = configuration(packed, folder, **settings(STEPS, parallel))
        if parallel:
            process = start(config, tmp_path / "run.toml", 2)
            assert process.wait() == 0, process.stderr.read()[-3000:]
        else:
            train(config, quiet())
        assert rows(folder) == pytest.approx(whole, rel=1e-5), name
