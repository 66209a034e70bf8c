"""The page on fine-tuning: its tables are the models', its example loads, its commands and settings exist."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from configs.mixtures import load_mixture
from configs.reference import PROMPT_TABLES, keys, marked, with_tables
from openroots.cli import main
from trainer.config import load_training_config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "finetuning.md").read_text()


def test_the_tables_are_as_the_models_are() -> None:
    assert with_tables(PAGE, PROMPT_TABLES) == PAGE, "run: python -m configs.reference docs/finetuning.md"
    assert marked(PAGE) == list(PROMPT_TABLES)
    assert not [row for model in PROMPT_TABLES.values() for row in keys(model).splitlines() if row.endswith("|  |")]


def test_its_mixture_loads(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "mine.toml").write_text(example)
    assert [one.id for one in load_mixture(str(tmp_path / "mine.toml")).sets] == ["reviews"]


def test_its_commands_and_their_options_exist() -> None:
    commands = re.findall(r"^openroots (\S+)(.*)$", PAGE, re.MULTILINE)
    assert {"mix-prompts", "pack", "train", "chat"} <= {name for name, _ in commands}
    for name, rest in commands:
        if name == "train-mt0":  # another program's parser, which needs torch
            continue
        shown = CliRunner().invoke(main, [name, "--help"])
        assert shown.exit_code == 0
        assert all(option in shown.output for option in re.findall(r"--[a-z-]+", rest)), name


@pytest.mark.parametrize(
    ("size", "batch"), [("560m", 1024), ("1b1", 1024), ("1b7", 2048), ("7b1", 2048), ("176b", 2048)]
)
def test_the_settings_of_each_size_are_bloomzs(size: str, batch: int) -> None:
    config = load_training_config(f"bloomz-{size}")
    assert config.model == load_training_config(size).model
    assert (config.batch.size, config.schedule.learning_rate, config.schedule.min_learning_rate) == (batch, 2e-5, 2e-5)
    assert (config.optimizer.weight_decay, config.schedule.warmup_tokens) == (1e-4, 0)
    assert config.data.document_mask and config.data.mixture_weights
