"""The page on training lists the settings that there are, and its commands exist."""

import re
from pathlib import Path

from click.testing import CliRunner

from configs.reference import marked, with_tables
from openroots.cli import main
from trainer.config import load_training_config
from trainer.reference import TABLES, with_devices

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


def test_the_page_is_as_the_models_are() -> None:
    assert with_tables(PAGE, TABLES) == PAGE, "run: python -m trainer.reference docs/training.md"
    assert marked(PAGE) == list(TABLES)
    assert with_devices(PAGE) == PAGE and "| MI300X |" in PAGE


def test_its_commands_and_their_options_exist() -> None:
    commands = re.findall(r"^openroots (\S+)(.*)$", PAGE, re.MULTILINE)
    assert len(commands) >= 6
    for name, rest in commands:
        shown = CliRunner().invoke(main, [name, "--help"])
        assert shown.exit_code == 0
        assert all(option in shown.output for option in re.findall(r"--[a-z-]+", rest)), name


def test_its_settings_exist() -> None:
    changes = dict(re.findall(r"--set (\S+)=(\w+)", PAGE))
    assert load_training_config("560m", changes).batch.micro == 4
