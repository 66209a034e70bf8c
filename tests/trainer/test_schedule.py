"""Learning rate by tokens, batch by samples: BLOOM's own figures."""

from collections import Counter

import pytest
from pydantic import ValidationError
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR

from configs.errors import ConfigurationError
from trainer.config import Batch, Schedule, load_training_config
from trainer.schedule import batch_size, check_batches, learning_rate

SIZES = {"560m": (256, 3e-4), "1b1": (256, 2.5e-4), "1b7": (512, 2e-4), "3b": (512, 1.6e-4), "7b1": (512, 1.2e-4)}


@pytest.mark.parametrize("name", [*SIZES, "176b"])
def test_the_rate_rises_to_the_peak_and_falls_to_the_minimum(name: str) -> None:
    config = load_training_config(name)
    schedule = config.schedule
    size, peak = SIZES.get(name, (2048, 6e-5))
    assert (config.batch.size, schedule.learning_rate) == (size, peak)
    assert learning_rate(0, schedule) == 0 and learning_rate(375_000_000, schedule) == pytest.approx(peak)
    assert learning_rate(187_500_000, schedule) == pytest.approx(peak / 2)
    minimum = 6e-6 if name == "176b" else 1e-5
    assert learning_rate(410_000_000_000, schedule) == learning_rate(10**12, schedule) == minimum


def test_the_cosine_is_torchs() -> None:
    schedule = load_training_config("560m").schedule.model_copy(update={"warmup_tokens": 0, "decay_tokens": 100})
    import torch

    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=schedule.learning_rate)
    torchs = CosineAnnealingLR(optimizer, 100, schedule.min_learning_rate)
    for step in range(100):
        assert learning_rate(step, schedule) == pytest.approx(torchs.get_last_lr()[0])
        optimizer.step()
        torchs.step()


def test_the_batch_of_176b_grows_from_192_to_2048_by_16() -> None:
    batch, samples, seen = load_training_config("176b").batch, 0, Counter()
    while samples < 11_000_000:
        size = batch_size(samples, batch)
        seen[size] += size
        samples += size
    assert sorted(seen) == list(range(192, 2049, 16))
    each = 9_765_625 / 116  # as many samples at each size, to within a batch
    assert all(abs(count - each) <= size for size, count in seen.items() if size < 2048)
    check_batches(batch, 8)


def test_batches_that_ranks_cannot_share_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"batch\.size \(12\) must be a multiple of data ranks"):
        check_batches(Batch(size=12, micro=2), 4)
    with pytest.raises(ConfigurationError, match="does not lead"):
        check_batches(Batch(size=12, ramp_start=3, ramp_step=2, ramp_samples=10), 1)


def test_what_is_left_out_fits_the_budget() -> None:
    small = Schedule(tokens=1_000_000, learning_rate=1e-5)
    assert (small.warmup_tokens, small.decay_tokens, small.min_learning_rate) == (
        50_000,
        1_000_000,
        pytest.approx(1e-6),
    )
    assert learning_rate(50_000, small) == 1e-5 and learning_rate(1_000_000, small) == pytest.approx(1e-6)
    assert Schedule(tokens=10**11, learning_rate=1e-3).warmup_tokens == 375_000_000


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"min_learning_rate": 1e-3}, "rise to the end"),
        ({"warmup_tokens": 2000}, "never reach its peak"),
        ({"warmup_tokens": 500, "decay_tokens": 500}, "minimum at its peak"),
    ],
)
def test_schedules_that_would_waste_a_run_are_refused(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Schedule.model_validate({"tokens": 1000, "learning_rate": 1e-4, **wrong})
