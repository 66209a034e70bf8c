"""Faults: what counts as one, and that a run which does not recover stops."""

import json
import math
from pathlib import Path

import pytest
import torch

from configs.errors import OpenRootsError
from tests.trainer.packed import packed_text
from tests.trainer.test_train import configuration, quiet
from trainer.config import Batch, Faults
from trainer.faults import WINDOW, LossWatch
from trainer.loop import State
from trainer.parallel.model import ParallelModel
from trainer.train import train

SETTINGS = Faults(recovery=5)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_text(tmp_path_factory.mktemp("packed"))


def settled(steps: int = WINDOW) -> LossWatch:
    watch = LossWatch()
    for step in range(steps):
        watch.accept(2.0, 0.1, step + 1, SETTINGS.recovery)
    return watch


def test_jumps_are_judged_against_medians() -> None:
    watch = settled()
    for _ in range(WINDOW // 3):
        watch.accept(4.9, 1.9, WINDOW + 1, SETTINGS.recovery)  # a mean would follow these
    assert watch.fault(4.9, 0.1, SETTINGS, clip=1.0) is None
    assert watch.fault(5.1, 0.1, SETTINGS, clip=1.0) == "the loss jumped to 5.100 from a median of 2.000"
    assert watch.fault(2.0, 2.1, SETTINGS, clip=1.0) == "the gradient's norm jumped to 2.1 from a median of 0.1"
    assert watch.fault(2.0, 2.1, SETTINGS, clip=5.0) is None  # clipping would leave it as it is
    assert watch.fault(2.0, math.inf, SETTINGS, clip=1.0) == "the gradient's norm is inf"
    assert LossWatch().fault(1e9, 1e9, SETTINGS, clip=1.0) is None


def test_steps_made_again_do_not_clear_faults() -> None:
    watch = settled(30)
    watch.count(40)
    for end in range(21, 41):  # made again
        watch.accept(2.0, 0.1, end, SETTINGS.recovery)
    assert watch.faults == 1
    for end in range(41, 46):
        watch.accept(2.0, 0.1, end, SETTINGS.recovery)
    assert watch.faults == 0


def test_batches_that_meet_what_is_left_out_are_passed_over() -> None:
    state = State(samples=8, skipped={15: 40, 38: 50})
    assert state.pass_over(Batch(size=4)) == 4 and state.samples == 8
    state.samples = 12
    assert state.pass_over(Batch(size=4)) == 4 and state.samples == 50
    assert State.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_fp16_whose_gradients_are_never_finite_stops(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParallelModel, "gradient_norm", lambda self: torch.tensor(math.nan))
    config = configuration(
        packed, tmp_path, precision={"compute": "fp16", "loss_scale": 8.0}, faults={"most": 3}, batch={"size": 4}
    )
    with pytest.raises(OpenRootsError, match=r"step 7: the gradient.s norm is nan \(4 faults, faults\.most is 3\)"):
        train(config, quiet())
    [row, *more] = [json.loads(line) for line in (tmp_path / "faults.jsonl").read_text().splitlines()]
    assert len(more) == 3 and row["loss_scale"] == 1.0 and row["documents"]


@pytest.mark.slow
def test_roll_backs_that_do_not_help_end(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the 20th step on every gradient is bad: each roll-back makes good steps again, then fails."""
    honest, steps = ParallelModel.gradient_norm, []

    def norm(self: ParallelModel) -> torch.Tensor:
        counts = [state["step"].item() for state in self.optimizer.state.values() if "step" in state]
        steps.append(int(max(counts, default=0)) + 1)
        return torch.tensor(math.nan) if steps[-1] >= 20 else honest(self)

    monkeypatch.setattr(ParallelModel, "gradient_norm", norm)
    faults = {"policy": "roll-back", "most": 3, "window": 3}
    config = configuration(
        packed, tmp_path, faults=faults, batch={"size": 4}, schedule={"tokens": 32 * 4 * 100}, checkpoints={"every": 8}
    )
    with pytest.raises(OpenRootsError, match="4 faults"):
        train(config, quiet())
    assert (tmp_path / "faults.jsonl").read_text().count("\n") == 4
    assert steps.count(17) == 4 and len(steps) == 19 + 1 + 3 * 4
