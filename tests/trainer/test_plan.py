"""A plan says what the trainer does: its ranks, made by the trainer's own code, hold and send what it says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.gpu_rows import Bench
from benchmarks.gpu_steps import planned
from configs.errors import ConfigurationError
from openroots.cli import main
from openroots.commands.plan import SIZES
from tests.trainer.test_model import PARAMETERS
from trainer.config import Batch, TrainingConfig, load_training_config
from trainer.devices import find_device
from trainer.instantiate import distinct_ranks, fake_rank, instantiate
from trainer.plan import make_plan, parse_memory
from trainer.schedule import batch_size, count_steps
from trainer.search import search
from trainer.timing import Machine

GB = 10**9


def small(**parallel: object) -> TrainingConfig:
    precision = {"compute": parallel.pop("compute", "bf16"), "loss_chunk": parallel.pop("chunk", 128)}
    batch = {"size": parallel.pop("size", 32), "micro": 2}
    return TrainingConfig.model_validate(
        {
            "name": "small",
            "model": {"name": "small", "layers": 4, "hidden": 256, "heads": 4, "vocabulary_size": 5000},
            "sequence_length": 256,
            "batch": batch,
            "schedule": {"tokens": 10**6, "learning_rate": 1e-3},
            "precision": precision,
            "parallel": parallel,
        }
    )


def test_the_plan_of_176b_is_that_of_its_run() -> None:
    plan = make_plan(load_training_config("176b"), 384, 80 * GB)
    assert [rank.holds for rank in plan.ranks] == ["embedding + 5", *["6"] * 10, "5 + output"]
    assert (plan.data, plan.micro_batches, plan.fits) == (8, 128, True)
    assert plan.checkpoint_bytes == {"weights": 352_494_542_848, "states": 2_114_967_257_088}
    assert plan.checkpoint_bytes["weights"] // 2**30 == 328  # the 329 GB of its authors are GiB, rounded up
    # What it reached, messages and its pipeline's waiting included, was 150 TFLOP/s a GPU.
    assert plan.flops_per_step / plan.step.total / 384 == pytest.approx(150e12, rel=0.03)
    assert 100 < plan.days < 117  # it took 117, with all that went wrong
    assert plan.megawatt_hours == pytest.approx(433, rel=0.1)  # Luccioni et al. 2022: of 1.08 million GPU-hours
    assert 2.5 * 3600 < plan.checkpoint_seconds["interval"] < 3.5 * 3600
    assert plan.samples * 2048 >= 366_000_000_000 > (plan.samples - 2048) * 2048


def test_what_does_not_fit_gets_a_change_that_does() -> None:
    config = load_training_config("176b", {"parallel.checkpointing": "none"})
    plan = make_plan(config, 384, 80 * GB)
    assert plan.fits is False and plan.suggestion
    changed = load_training_config("176b", {"parallel.checkpointing": "none", **plan.suggestion})
    assert make_plan(changed, 384, 80 * GB).fits
    assert make_plan(config, 384, 8 * GB).suggestion is None
    with pytest.raises(ConfigurationError, match="does not fit 100 processes"):
        make_plan(config, 100)
    with pytest.raises(ConfigurationError, match="`A1000`"):
        find_device("A1000")


def test_messages_count_where_they_take_longer_than_computing() -> None:
    config = load_training_config("7b1", {"parallel.sharding": "fsdp"})
    fast, slow = (make_plan(config, 64, machine=Machine.of(find_device("H100"), network=rate)) for rate in (50e9, 5e9))
    assert fast.sent["data"] == slow.sent["data"] > 200e9
    assert fast.step.messages["data"] == pytest.approx(slow.step.messages["data"] / 10)
    assert fast.step.total == pytest.approx(fast.step.computing)  # all hidden
    assert slow.step.total == pytest.approx(slow.step.messages["data"]) and slow.days > 2 * fast.days
    zero1 = make_plan(load_training_config("7b1"), 64, 80 * GB, machine=slow.machine)
    assert zero1.fits and zero1.step.total < slow.step.total / 2


def test_the_search_names_three_layouts_that_fit() -> None:
    config = load_training_config("1b7")
    best = search(config, 16, 40 * GB, Machine.of(find_device("A100")))
    assert len(best) == 3 and all(plan.fits and plan.devices == 16 for plan in best)
    assert len({(p.config.parallel.tensor, p.config.parallel.pipeline, p.config.parallel.sharding) for p in best}) == 3
    given = make_plan(config, 16, 40 * GB)
    assert best[0].step.total <= given.step.total
    assert search(config, 1, GB, Machine.of(find_device("A100"))) == []


@settings(deadline=None, max_examples=50)
@given(size=st.integers(1, 9), start=st.integers(1, 9), ramp=st.integers(0, 200), tokens=st.integers(1, 4000))
def test_steps_are_counted_with_the_ramp(size: int, start: int, ramp: int, tokens: int) -> None:
    batch = Batch(size=max(size, start), ramp_start=start, ramp_step=1, ramp_samples=ramp)
    steps = samples = 0
    while samples * 7 < tokens:
        samples += batch_size(samples, batch)
        steps += 1
    assert count_steps(batch, tokens, 7) == (steps, samples)


def test_the_ranks_of_176b_make_up_the_model_and_fit_together() -> None:
    config = load_training_config("176b")
    made = instantiate(config, 384)  # raises where a stage awaits another shape than is sent
    assert sum(made.kinds.values()) == 384 and len(made.kinds) == 24
    assert made.parameters == PARAMETERS["176b"] == 176_247_271_424
    shapes = []
    for tensor_rank in range(4):
        with fake_rank(config, 5 * 32 + 3 * 4 + tensor_rank, 384) as rank:
            shapes.append(rank.shapes())
    assert shapes[0] and all(other == shapes[0] for other in shapes)


def test_ranks_with_uneven_shares_are_kinds_of_their_own() -> None:
    config = small(tensor=2, pipeline=2, sharding="zero1")
    config = config.model_copy(update={"batch": Batch(size=36, micro=2)})
    kinds = distinct_ranks(config, 12)  # 256 rows on three ranks: 86, 86, 84
    assert sum(kinds.values()) == 12 and len(kinds) == 8
    assert instantiate(config, 12).parameters == config.model.parameters


@pytest.mark.parametrize(
    ("world", "parallel"),
    [
        (1, {"checkpointing": "full"}),
        (1, {"checkpointing": "full", "chunk": 512, "size": 2}),
        (1, {"compute": "fp32", "size": 2}),
        (2, {"sharding": "none", "checkpointing": "selective"}),
        (2, {"sharding": "none", "checkpointing": "full", "size": 4}),
        (2, {"sharding": "fsdp"}),
        (2, {"sharding": "zero1", "size": 4}),
        (4, {"sharding": "fsdp", "replicas": 2}),
        (2, {"tensor": 2, "sequence_parallel": True}),
        (2, {"pipeline": 2, "schedule": "interleaved", "stages_per_rank": 2}),
        (8, {"tensor": 2, "pipeline": 2, "sharding": "zero1", "checkpointing": "full"}),
    ],
)
def test_a_tracked_step_takes_what_is_estimated(world: int, parallel: dict[str, object]) -> None:
    said: list[str] = []
    for one in instantiate(small(**parallel), world, said.append).tracked:
        assert one.estimate == pytest.approx(one.peak, rel=0.1)
        assert one.static < one.peak
    assert said


def test_the_peaks_measured_on_a_gpu_are_what_is_estimated() -> None:
    parts = json.loads((Path(__file__).parents[2] / "benchmarks" / "results.json").read_text())["parts"]
    rows = [row for table in parts["gpu"]["tables"] for row in table["data"].get("rows", ())]
    steps = [row for row in rows if row["row"].startswith("step ")]
    bench = Bench("cuda", Path(), is_rehearsal=False)
    for row in steps:
        estimated = planned(bench, row["micro"], *row["row"].split()[1:]) / 1e9
        assert 0.98 * row["peak GB"] < estimated < 1.03 * row["peak GB"], row["row"]
    assert len(steps) > 10


def test_the_command_prints_80_columns_and_json() -> None:
    runner = CliRunner()
    asked = ["plan", "--config", "configs/training/176b.toml", "--gpus", "384", "--memory", "80GB"]
    shown = runner.invoke(main, asked)
    assert shown.exit_code == 0, shown.output
    for part in ("tensor 4 × pipeline 12 × data 8", "fits", "352.49 GB (328.29 GiB)", "2.11 TB (1.92 TiB)", "95,151"):
        assert part in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    data = json.loads(runner.invoke(main, [*asked, "--json"]).output)
    assert data["fits"] and len(data["ranks"]) == 12 and data["parameters"] == 176_247_271_424
    sizes = runner.invoke(main, ["plan"])
    assert sizes.exit_code == 0 and max(map(len, sizes.output.splitlines())) <= 80
    assert all(f"{PARAMETERS.get(name, 0):,}" in sizes.output or name == "tiny" for name in SIZES)
    refused = runner.invoke(main, ["plan", "--config", "176b", "--gpus", "100"])
    assert refused.exit_code == 1 and "does not fit 100 processes" in refused.output


def test_what_the_search_prints_is_the_whole_layout() -> None:
    given = ["--set", "parallel.schedule=interleaved", "--set", "parallel.stages_per_rank=2"]
    given += ["--set", "parallel.pipeline=2", "--set", "model.layers=4"]
    asked = ["plan", "--config", "tiny", "--gpus", "4", "--device", "h200", *given]
    searched = [*asked, "--search", "--storage", "1GB", "--instantiate"]
    found, as_json = (CliRunner().invoke(main, [*searched, *more]) for more in ([], ["--json"]))
    assert found.exit_code == 0 and "of 4 ranks were built without memory" in found.output
    plans = json.loads(as_json.stdout)
    assert plans[0]["instantiated"]["parameters"] == plans[0]["parameters"] and len(plans) == 3
    lines = [line.split(": ", 1)[1].split() for line in found.stdout.splitlines() if "--set" in line]
    for words, plan in zip(lines, plans, strict=True):
        again = json.loads(CliRunner().invoke(main, [*asked, "--storage", "1GB", *words, "--json"]).stdout)
        for key in ("step_seconds", "checkpoint_seconds", "schedule", "stages_per_rank", "sharding", "pipeline"):
            assert again[key] == plan[key]


@pytest.mark.parametrize(("text", "count"), [("80GB", 80 * GB), ("80 GiB", 80 * 2**30), ("79.5", 79_500_000_000)])
def test_memory_is_given_in_units(text: str, count: int) -> None:
    assert parse_memory(text) == count
    with pytest.raises(ConfigurationError, match="80GB"):
        parse_memory(f"{text}x")
