"""Tasks in the middle of a training: the figures of `openroots evaluate` on the same weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from configs.errors import ConfigurationError
from openroots.cli import main as command
from tests.trainer.prompts import byte_tokenizer, some_prompts, tuning, write_prompts
from trainer.config import ModelConfig, TrainingConfig
from trainer.evaluation.run import Options, evaluate
from trainer.export import export
from trainer.huggingface import to_config, to_state
from trainer.model import build_model
from trainer.pack_prompts import PromptPacking, pack_prompts
from trainer.tasks import FOLDER
from trainer.train import main, status_of, train

SHAPE = ModelConfig(name="test", layers=2, hidden=32, heads=4, vocabulary_size=264)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A fine-tuning of a random model over bytes, two steps long."""
    folder = tmp_path_factory.mktemp("tasks")
    model = byte_tokenizer(folder / "model")
    save_file(to_state(build_model(SHAPE, seed=1).state_dict()), str(model / "model.safetensors"))
    (model / "config.json").write_text(json.dumps(to_config(SHAPE, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)))
    prompts = write_prompts(folder / "prompts", some_prompts())
    pack_prompts(str(prompts), str(model), str(folder / "packed"), PromptPacking(512))
    return {
        **tuning(SHAPE, folder / "packed", start=model, length=512, batch=4),
        "batch": {"size": 4, "micro": 2},
        "schedule": {"tokens": 4 * 512 * 2, "learning_rate": 1e-2, "min_learning_rate": 1e-2, "warmup_tokens": 0},
        "logging": {"tensorboard": False, "evaluate_every": 1, "tasks": ["bits", "cloze"], "task_languages": ["sw"],
                    "task_items": 8},
    }  # fmt: skip


def test_figures_are_those_of_the_exported_model(settings: dict[str, Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(TrainingConfig.model_validate({**settings, "checkpoints": {"folder": str(run)}}))
    export(str(run), str(tmp_path / "model"), dtype="fp32")
    expected = evaluate(str(tmp_path / "model"), Options(("bits", "cloze"), ("sw",), limit=8, seed=42)).figures
    found = json.loads((run / FOLDER / "step-00000002.json").read_text())["figures"]
    assert len(found) == len(expected) == 12
    for one, other in zip(found, expected, strict=True):
        assert (one["task"], one["language"], one["metric"]) == (other.task, other.language, other.metric)
        assert one["value"] == pytest.approx(other.value, rel=1e-4)
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = {row["step"]: row["tasks"] for row in rows if "tasks" in row}
    assert sorted(steps) == [1, 2] and steps[1] != steps[2]
    assert [row["step"] for row in rows if "held_out" in row] == [1, 2]  # the last step is not judged again at the end
    assert {"cloze/accuracy", "cloze/sw/accuracy", "bits/sw/bits per byte"} <= steps[2].keys()


def test_curves_leave_out_a_damaged_checkpoint_and_say_so(settings: dict[str, Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    logging = {"tensorboard": False, "evaluate_every": 0}
    train(
        TrainingConfig.model_validate({**settings, "logging": logging, "checkpoints": {"folder": str(run), "every": 1}})
    )
    for path in (run / "step-00000002").glob("*.distcp"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    arguments = ["evaluate", "--checkpoints", str(run), "--tasks", "cloze", "--languages", "sw", "--limit", "3"]
    result = CliRunner().invoke(command, [*arguments, "--html", str(tmp_path / "page.html")])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "page.json").read_text())
    assert list(found["checkpoints"]) == ["1"]
    assert "left out:" in found["notes"][0] and "step-00000002" in found["notes"][0]


@pytest.mark.parametrize(("task", "cause"), [("humaneval", "--checkpoints"), ("nothing", "unknown task")])
def test_a_task_that_cannot_be_run_stops_the_training_before_it_begins(
    settings: dict[str, Any], tmp_path: Path, task: str, cause: str
) -> None:
    changed = {**settings, "checkpoints": {"folder": str(tmp_path / "run")}, "logging": {"tasks": [task]}}
    with pytest.raises(ConfigurationError, match=cause):
        train(TrainingConfig.model_validate(changed))


def test_a_run_that_was_told_to_stop_does_not_end_as_a_finished_one_does(settings: dict[str, Any]) -> None:
    from trainer.loop import State

    config = TrainingConfig.model_validate(settings)
    assert [status_of(config, State(samples=samples)) for samples in (7, 8)] == [143, 0]
    assert main(["--config", "nothing-of-this-name"]) == 1
