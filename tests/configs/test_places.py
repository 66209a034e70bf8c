"""What must lie on this machine's disk is refused where it is a URL, and no folder `s3:` is made."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from configs.errors import ConfigurationError
from configs.places import on_disk
from openroots.cli import main


@pytest.mark.parametrize("path", ["runs/tiny", "/data/x", "C:/x", "a:b", "x/s3://y"])
def test_paths_of_this_machine_are_taken(path: str) -> None:
    assert on_disk(path) == Path(path)


@pytest.mark.parametrize(
    "command",
    [
        "train --packed s3://bucket/packed",
        "train --output s3://bucket/run",
        "train --start gs://bucket/model",
        "export --checkpoint s3://bucket/run --output model",
        "generate --model s3://bucket/model --prompt x",
        "calibrate --language xh --good x.txt --output s3://bucket/xh",
    ],
)
def test_a_command_that_works_on_files_of_this_machine_says_so(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("torch")
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 1 and len(result.stderr.strip().splitlines()) == 1, result.output
    assert "not in a store; copy it" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_message_names_the_place_as_it_was_given() -> None:
    with pytest.raises(ConfigurationError, match=r"^s3://bucket/x: .*aws s3 sync"):
        on_disk("s3://bucket/x")
