"""Faults: what counts as one, and that a run which does not recover stops."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from configs.errors import OpenRootsError
from tests.trainer.packed import packed_text
from tests.trainer.test_train import configuration, quiet
from trainer.config import Batch, Faults
from trainer.faults import SETTLING, WINDOW, Limits, LossWatch
from trainer.loop import Run, State
from trainer.parallel.model import ParallelModel
from trainer.process import join
from trainer.train import train

SETTINGS = Faults(recovery=5)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_text(tmp_path_factory.mktemp("packed"))


def settled(steps: int = WINDOW) -> LossWatch:
    watch = LossWatch()
    for step in range(steps):
        watch.accept(2.0, 0.1, step + 1, step + 1, SETTINGS.recovery)
    return watch


def fault(watch: LossWatch, loss: float, norm: float, clip: float = 1.0) -> str | None:
    return watch.limits(watch.last + 2, SETTINGS, clip).fault(loss, norm)


def test_jumps_are_judged_against_medians() -> None:
    watch = settled()
    for step in range(WINDOW // 3):
        watch.accept(4.9, 1.9, WINDOW + step, WINDOW + step, SETTINGS.recovery)  # a mean would follow these
    assert fault(watch, 4.9, 0.1) is None
    assert fault(watch, 5.1, 0.1) == "the loss jumped to 5.100 from a median of 2.000"
    assert fault(watch, 2.0, 2.1) == "the gradient's norm jumped to 2.1 from a median of 0.1"
    assert fault(watch, 2.0, 2.1, clip=5.0) is None  # clipping would leave it as it is
    assert fault(watch, 2.0, math.inf) == "the gradient's norm is inf"
    assert fault(LossWatch(), 1e9, 1e9) is None


def test_limits_are_the_same_whether_the_step_before_is_known_or_not() -> None:
    watch, found = LossWatch(), [Limits()]
    for step in range(1, WINDOW + 20):
        unknown = watch.limits(step + 1, SETTINGS, 1.0)
        watch.accept(1.0 + step, 2.0 + step, step, step, SETTINGS.recovery)
        assert watch.limits(step + 1, SETTINGS, 1.0) == unknown
        found.append(unknown)
    assert found[SETTLING] == Limits() != found[SETTLING + 1]
    assert len(set(found[SETTLING + 1 :])) == len(found[SETTLING + 1 :])


NUMBERS = st.floats(width=32) | st.sampled_from([5.0, 2.0, 1.0, 100.0])


@settings(deadline=None)
@given(loss=NUMBERS, norm=NUMBERS, usual=st.floats(1e-3, 1e3), is_settled=st.booleans())
def test_a_device_and_its_host_agree(loss: float, norm: float, usual: float, is_settled: bool) -> None:
    watch = LossWatch(losses=[usual] * SETTLING, norms=[usual] * SETTLING)
    limits = watch.limits(9, SETTINGS, 1.0) if is_settled else Limits()
    for at in (loss, limits.loss, math.nextafter(limits.loss, math.inf)):
        broken = limits.are_broken(torch.tensor(at), torch.tensor(norm)).item()
        assert (limits.fault(torch.tensor(at).item(), norm) is not None) == bool(broken)


class NoReading(TorchDispatchMode):
    """Refuses what makes a host wait for its device: reading a number."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_a_step_reads_nothing_and_a_fault_changes_no_weights(packed: Path, tmp_path: Path) -> None:
    config = configuration(packed, tmp_path)
    join(torch.device("cpu"))
    try:
        run = Run(config, torch.device("cpu"), quiet())
        batch = run.data.read(range(8))
        with NoReading():
            readings = [run._give(batch, 1e-2, limits) for limits in (Limits(), Limits(loss=1.0), Limits(norm=0.0))]
        again = run._give(batch, 1e-2, Limits())
        first, after, still, last = (reading.get()[0] for reading in [*readings, again])
        assert after < first and after == still == last
        steps = {state["step"].item() for state in run.model.optimizer.state.values()}
        assert steps == {2.0}
    finally:
        torch.distributed.destroy_process_group()


def test_steps_made_again_do_not_clear_faults() -> None:
    watch = settled(30)
    watch.count(40)
    for end in range(21, 41):  # made again
        watch.accept(2.0, 0.1, end, end, SETTINGS.recovery)
    assert watch.faults == 1
    for end in range(41, 46):
        watch.accept(2.0, 0.1, end, end, SETTINGS.recovery)
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


def test_weights_that_are_no_numbers_are_not_saved_over_good_ones(packed: Path, tmp_path: Path) -> None:
    """A rate out of all measure breaks the weights within a step, and the losses from there on."""
    good = configuration(packed, tmp_path, batch={"size": 4}, schedule={"tokens": 32 * 4 * 4}, checkpoints={"every": 2})
    train(good, quiet())
    rates = {"learning_rate": 1e30, "min_learning_rate": 1e30, "warmup_tokens": 0, "tokens": 32 * 4 * 50}
    bad = configuration(packed, tmp_path, batch={"size": 4}, schedule=rates, checkpoints={"every": 2})
    with pytest.raises(OpenRootsError, match="the loss is nan"):
        train(bad, quiet())
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000002", "step-00000004"]


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
    # Of each fault the host learns when the step after it has been given to the device.
    assert steps.count(17) == 4 and len(steps) == 19 + 2 + 3 * 5
