"""Training end to end: it learns, and whatever stops it, it resumes as if nothing had."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from rich.console import Console

from configs.errors import BuildLockedError, ConfigurationError, InputError, OpenRootsError, OutputError
from pipeline.runtime.lock import build_lock
from tests.trainer.packed import packed_text
from trainer.checkpoint import Checkpoint, Checkpoints, read_checkpoint
from trainer.config import TrainingConfig, load_training_config
from trainer.process import join
from trainer.train import main, parse_changes, train

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "name": "small",
    "sequence_length": 32,
    "model": {"name": "small", "layers": 2, "hidden": 32, "heads": 4, "vocabulary_size": 300},
    "batch": {"size": 8, "micro": 4},
    "schedule": {"tokens": 32 * 8 * 30, "learning_rate": 3e-3, "warmup_tokens": 512, "decay_tokens": 32 * 8 * 30},
    "precision": {"compute": "fp32"},
    "logging": {"every": 1, "tensorboard": False},
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed_text(tmp_path_factory.mktemp("packed"))


def configuration(packed: Path, folder: Path, **changes: dict) -> TrainingConfig:
    data = {**SETTINGS, "data": {"packed": str(packed)}, "checkpoints": {"folder": str(folder), "every": 10, "keep": 3}}
    for name, change in changes.items():
        data[name] = {**data.get(name, {}), **change}
    return TrainingConfig.model_validate(data)


def rows(folder: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    losses = {row["step"]: row["loss"] for row in lines if "loss" in row}
    assert len(losses) == sum("loss" in row for row in lines)  # no step twice
    return losses


def quiet() -> Console:
    return Console(file=open(os.devnull, "w"))


@pytest.fixture(scope="module")
def whole(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, float]:
    """Losses of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    train(configuration(packed, folder), quiet())
    return rows(folder)


def toml(config: TrainingConfig, path: Path) -> Path:
    data = json.loads(config.model_dump_json(exclude_none=True))
    lines = []

    def table(values: dict, prefix: str) -> None:
        for key, value in values.items():
            if not isinstance(value, dict):
                lines.append(f"{key} = {json.dumps(value)}")
        for key, value in values.items():
            if isinstance(value, dict):
                lines.append(f"[{prefix}{key}]")
                table(value, f"{prefix}{key}.")

    table(data, "")
    path.write_text("\n".join(lines))
    return path


def start(config: TrainingConfig, path: Path, processes: int) -> subprocess.Popen:
    launch = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    command = [sys.executable, *launch, "-m", "trainer.train", "--config", str(toml(config, path))]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


def newest(run: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The checkpoint that a run of one process would resume from."""
    join(torch.device("cpu"))
    try:
        return Checkpoints(run, 1, None, say).find()
    finally:
        dist.destroy_process_group()


def test_it_learns(whole: dict[int, float]) -> None:
    assert sorted(whole) == list(range(1, 31))
    assert whole[1] - whole[30] > 0.5


@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_killed_at_any_moment_the_losses_are_those_of_a_run_that_was_not(
    packed: Path, tmp_path: Path, processes: int
) -> None:
    # 30 steps: the last checkpoint is saved right after an evaluation.
    changes = {"parallel": {"sharding": "zero1"}, "checkpoints": {"every": 7}, "logging": {"evaluate_every": 4}}
    config = configuration(packed, tmp_path / "killed", **changes)
    log = tmp_path / "killed" / "log.jsonl"
    for step in (7, 16):
        process = start(config, tmp_path / "run.toml", processes)
        wait_for(lambda step=step: log.exists() and log.read_text().count("\n") >= step, process)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process = start(config, tmp_path / "run.toml", processes)
    assert process.wait() == 0, process.stderr.read()
    uninterrupted = start(configuration(packed, tmp_path / "whole", **changes), tmp_path / "run.toml", processes)
    assert uninterrupted.wait() == 0, uninterrupted.stderr.read()
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_told_to_stop_it_saves_and_goes_on_on_another_number_of_ranks(
    packed: Path, tmp_path: Path, whole: dict[int, float]
) -> None:
    config = configuration(packed, tmp_path / "run", parallel={"sharding": "fsdp"}, checkpoints={"every": 1000})
    process = start(config, tmp_path / "run.toml", 2)
    log = tmp_path / "run" / "log.jsonl"
    wait_for(lambda: log.exists() and log.read_text().count("\n") >= 3, process)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    stopped = newest(tmp_path / "run", print)
    assert stopped is not None and 3 <= stopped.step < 30
    train(config, quiet())
    assert rows(tmp_path / "run") == pytest.approx(whole, rel=1e-5)


def test_a_damaged_checkpoint_is_passed_over(packed: Path, tmp_path: Path, whole: dict[int, float]) -> None:
    config = configuration(packed, tmp_path)
    short = configuration(packed, tmp_path, schedule={"tokens": 32 * 8 * 20})
    train(short, quiet())
    data = next((tmp_path / "step-00000020").glob("*.distcp"))
    manifest = tmp_path / "step-00000020" / "manifest.json"
    sealed = manifest.read_text()
    manifest.write_text(sealed.replace('"step": 20', '"step": 21'))
    with pytest.raises(InputError, match=r"manifest\.json: is damaged \(its digest"):
        read_checkpoint(tmp_path / "step-00000020")
    manifest.write_text(sealed)
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(InputError, match=r"distcp.*damaged"):
        read_checkpoint(tmp_path / "step-00000020")
    said: list[str] = []
    found = newest(tmp_path, said.append)
    assert found is not None and found.step == 10 and "the one before is used" in said[0]
    data.write_bytes(content[:100])
    with pytest.raises(InputError, match="cut short"):
        read_checkpoint(tmp_path / "step-00000020")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Detected an existing checkpoint")  # torch's, of what is damaged anyway
        train(config, quiet())
    assert rows(tmp_path) == whole
    assert read_checkpoint(tmp_path / "step-00000020").step == 20


def test_old_checkpoints_are_removed(packed: Path, tmp_path: Path) -> None:
    train(configuration(packed, tmp_path, checkpoints={"every": 5, "keep": 2, "keep_every": 10}), quiet())
    assert sorted(p.name for p in tmp_path.glob("step-*")) == [f"step-{n:08d}" for n in (10, 20, 25, 30)]
    assert (tmp_path / "step-00000030" / "manifest.json").exists()


def test_messages_may_hold_what_looks_like_markup(packed: Path, tmp_path: Path) -> None:
    """As gloo's do, which begin with the place in its source: `[/pytorch/…/pair.cc:537]`."""
    folder, said = tmp_path / "[" / "red]", io.StringIO()
    for steps in (5, 6):
        config = configuration(packed, folder, schedule={"tokens": 32 * 8 * steps})
        train(config, Console(file=said, soft_wrap=True))
    assert f"resumed from {folder}/step-00000005 at step 5" in said.getvalue()


def test_what_a_user_keeps_beside_the_checkpoints_is_left_alone(packed: Path, tmp_path: Path) -> None:
    first = configuration(packed, tmp_path, schedule={"tokens": 32 * 8 * 5}, checkpoints={"every": 5, "keep": 1})
    train(first, quiet())
    shutil.copytree(tmp_path / "step-00000005", tmp_path / "step-best")
    (tmp_path / "step-notes").mkdir()
    longer = configuration(packed, tmp_path, schedule={"tokens": 32 * 8 * 6}, checkpoints={"every": 5, "keep": 1})
    train(longer, quiet())
    train(longer, quiet())  # the newest is not `step-best`
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000006", "step-best", "step-notes"]
    assert rows(tmp_path).keys() == set(range(1, 7))


def damage(packed: Path, folder: Path) -> Path:
    """Packed text with a run of one token that the model has never seen, so that its loss jumps."""
    shutil.copytree(packed, folder)
    path = folder / "data" / "en" / "train-tokens.npy"
    tokens = np.load(path)
    tokens[32 * 20 : 32 * 40] = np.random.default_rng(1).integers(250, 299, 640)
    np.save(path, tokens)
    return folder


@pytest.mark.parametrize("policy", ["skip", "stop", "roll-back"])
def test_a_jump_of_the_loss_is_recorded_with_its_documents(packed: Path, tmp_path: Path, policy: str) -> None:
    faults = {"policy": policy, "spike": 0.6, "most": 50, "window": 4}
    config = configuration(damage(packed, tmp_path / "packed"), tmp_path / "run", faults=faults, batch={"size": 4})
    tokens = {"tokens": 32 * 4 * 60, "decay_tokens": 32 * 4 * 60}
    config = TrainingConfig.model_validate(
        {**config.model_dump(), "schedule": {**config.schedule.model_dump(), **tokens}}
    )
    if policy == "stop":
        with pytest.raises(OpenRootsError, match=r"the loss jumped to .* names the documents"):
            train(config, quiet())
    else:
        train(config, quiet())
    found = [json.loads(line) for line in (tmp_path / "run" / "faults.jsonl").read_text().splitlines()]
    assert found and all(row["policy"] == policy and "jumped" in row["fault"] for row in found)
    ids = {i for row in found for sample in row["documents"] for i in sample["ids"]}
    held = {bytes(key).hex() for key in np.load(packed / "data" / "en" / "train-ids.npy")}
    assert ids & held
    if policy == "roll-back":
        skipped = json.loads((tmp_path / "run" / "step-00000050" / "manifest.json").read_text())["state"]["skipped"]
        assert skipped and all(end - int(begin) <= 4 * 4 for begin, end in skipped.items())
        assert any(int(begin) < row["samples"][0] < end for row in found for begin, end in skipped.items())
        assert len(rows(tmp_path / "run")) > 0


def test_not_a_number_is_a_fault_and_weights_stay_as_they_were(packed: Path, tmp_path: Path) -> None:
    config = configuration(packed, tmp_path, schedule={"learning_rate": 1e30, "warmup_tokens": 0}, faults={"most": 3})
    with pytest.raises(OpenRootsError, match=r"is nan|is inf|jumped"):
        train(config, quiet())
    assert (tmp_path / "faults.jsonl").read_text().count("\n") == 4


def test_fp16_overflows_lower_the_scale_and_are_no_fault(packed: Path, tmp_path: Path) -> None:
    precision = {"compute": "fp16", "loss_scale": 2.0**30}
    train(configuration(packed, tmp_path, precision=precision, schedule={"tokens": 32 * 8 * 40}), quiet())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    scales = [row["loss_scale"] for row in log if "loss_scale" in row]
    assert scales[0] > scales[-1] and not (tmp_path / "faults.jsonl").exists()
    losses = rows(tmp_path)
    assert losses[40] < losses[1] - 0.2


def test_a_run_does_not_go_on_with_other_data_or_another_model(packed: Path, tmp_path: Path) -> None:
    train(configuration(packed, tmp_path, schedule={"tokens": 32 * 8 * 10}), quiet())
    with pytest.raises(ConfigurationError, match="another model"):
        train(configuration(packed, tmp_path, model={"epsilon": 1e-6}), quiet())
    with pytest.raises(ConfigurationError, match="packed to sequences of 32"):
        train(configuration(packed, tmp_path, model={}).model_copy(update={"sequence_length": 64}), quiet())


def test_a_full_disk_keeps_the_last_good_checkpoint_and_says_so(packed: Path, tmp_path: Path) -> None:
    config = configuration(packed, tmp_path / "run", checkpoints={"every": 10})
    train(config.model_copy(update={"schedule": config.schedule.model_copy(update={"tokens": 32 * 8 * 10})}), quiet())
    process = subprocess.run(
        [
            "bash",
            "-c",
            f"ulimit -f 200; exec {sys.executable} -m trainer.train --config {toml(config, tmp_path / 'a.toml')}",
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},  # it would leave half a module
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "could not be saved" in process.stderr and "older ones are kept" in process.stderr
    assert "Traceback" not in process.stderr
    found = newest(tmp_path / "run", print)
    assert found is not None and found.step == 10


def test_settings_are_given_by_dotted_keys() -> None:
    assert parse_changes(["batch.size=8", "name=x", "schedule.learning_rate=1e-4"]) == {
        "batch.size": 8,
        "name": "x",
        "schedule.learning_rate": 1e-4,
    }
    with pytest.raises(ConfigurationError, match="KEY=VALUE"):
        parse_changes(["batch.size"])


def test_a_shape_given_by_name_can_be_changed_by_dotted_keys() -> None:
    config = load_training_config("tiny", {"model.layers": 1})
    assert config.model.layers == 1 and config.model.hidden == load_training_config("tiny").model.hidden
    assert load_training_config("tiny", {"model": "560m"}).model.layers == 24


def test_files_in_place_of_folders_are_named(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=f"{tmp_path}/file cannot be written"):
        train(configuration(packed, tmp_path / "file"), quiet())
    with pytest.raises(InputError, match="no such file"):
        train(configuration(packed / "manifest.json", tmp_path / "run"), quiet())


def test_two_runs_do_not_share_a_folder(packed: Path, tmp_path: Path) -> None:
    with (
        build_lock(str(tmp_path / "run"), "run"),
        pytest.raises(BuildLockedError, match="another training run is at work"),
    ):
        train(configuration(packed, tmp_path / "run"), quiet())


def test_the_entry_of_torchrun_takes_the_options_of_openroots_train(packed: Path, tmp_path: Path) -> None:
    config = configuration(
        packed, tmp_path / "not-here", schedule={"tokens": 32 * 8 * 4}, logging={"evaluate_every": 2}
    )
    asked = [
        "--config",
        str(toml(config, tmp_path / "a.toml")),
        "--packed",
        str(packed),
        "--output",
        str(tmp_path / "b"),
    ]
    assert main([*asked, "--profile", "2-3", "--set", "batch.size=16"]) == 0
    assert not (tmp_path / "not-here").exists()
    log = [json.loads(line) for line in (tmp_path / "b" / "log.jsonl").read_text().splitlines()]
    assert log[0]["batch_size"] == 16
    held_out = [set(row["held_out"]) for row in log if "held_out" in row]
    assert held_out and all(len(languages) > 1 for languages in held_out)
    assert (tmp_path / "b" / "profile" / "steps-2-3-rank-00000.json.gz").stat().st_size > 1000
    assert "aten::" in (tmp_path / "b" / "profile" / "steps-2-3-rank-00000.txt").read_text()
    assert main([*asked, "--profile", "3-2"]) == 1
