"""Every sub-command, given what it does not expect: a message and a status, never a traceback."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from openroots.cli import main

COMMANDS = {
    "build-corpus": "build-corpus --recipe {} --output out --offline --quiet",
    "build-corpus output": "build-corpus --recipe mine.toml --output {} --offline --quiet",
    "build-corpus cache": "build-corpus --recipe mine.toml --output out --cache {} --offline --quiet",
    "why": "why --corpus {} declaration",
    "sources": "sources --recipe {}",
    "deduplicate": "deduplicate {} --output out",
    "deduplicate output": "deduplicate text.jsonl --output {}",
    "decontaminate": "decontaminate {} --against text.jsonl --output out",
    "decontaminate against": "decontaminate text.jsonl --against {} --output out",
    "decontaminate review": "decontaminate review {}",
    "train-lid": "train-lid --archive {} --output out",
    "train-lid output": "train-lid --archive none.tgz --output {}",
    "train-tokenizer corpus": "train-tokenizer --corpus {} --output out --vocab-size 300 --quiet",
    "train-tokenizer text": "train-tokenizer --text {} --output out --vocab-size 300 --quiet",
    "fertility tokenizer": "fertility --tokenizer {}",
    "fertility text": "fertility --tokenizer none --text {}",
    "fertility html": "fertility --tokenizer none --html {}",
    "encode tokenizer": "encode --tokenizer {} --text text.jsonl --output out --quiet",
    "encode input": "encode --tokenizer none --input {} --output out --quiet",
    "encode text": "encode --tokenizer none --text {} --output out --quiet",
    "pack": "pack --tokens {} --output out --quiet",
    "pack output": "pack --tokens none --output {} --quiet",
    "plan": "plan --config {}",
    "train": "train --config {} --output out",
    "train packed": "train --packed {} --output out",
    "export": "export --checkpoint {} --output out",
    "export output": "export --checkpoint none --output {}",
    "generate": "generate --model {} --prompt a",
}
ODD = {
    "missing": "no/such/thing",
    "empty": "",
    "empty file": "empty.json",
    "folder": "folder",
    "binary": "binary.toml",
    "list": "list.json",
    "object": "object.json",
    "folder of rubbish": "rubbish",
    "long": "n" * 5000,
    "escapes": "\x1b[2J\n",
    "not UTF-8": os.fsdecode(b"caf\xe9"),
    "scheme": "zzz://x/y",
    "null": "/dev/null",
}
OFTEN = ("missing", "binary", "folder of rubbish", "escapes")
"""Given to every command in every run of the tests; the others in `make test-all`."""
NAMES = (
    "manifest.json",
    "tokenizer.json",
    "config.json",
    "training.json",
    "model.safetensors",
    "step-00000001/manifest.json",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "object.json").write_text("{}")
    (tmp_path / "text.jsonl").write_text(json.dumps({"text": "All human beings are born free."}) + "\n")
    (tmp_path / "mine.toml").write_text(
        'name = "x"\ntitle = "X"\nsources = ["s"]\n[source.s]\ntitle = "S"\nreader = "jsonl"\nlicence = "CC0-1.0"\n'
        'custodian = "me"\nprovenance = "here"\npackages = [{ name = "none.jsonl" }]\n'
    )
    for name in NAMES:
        path = tmp_path / "rubbish" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"format": 1, "digest": [')
    return tmp_path


@pytest.mark.parametrize(
    "odd",
    [odd if odd in OFTEN else pytest.param(odd, marks=pytest.mark.slow) for odd in ODD],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_argument_ends_in_a_traceback(place: Path, command: str, odd: str) -> None:
    arguments = [part.format(ODD[odd]) for part in COMMANDS[command].split()]
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "\x1b[2J" not in result.output
    if command != "deduplicate output":
        assert result.exit_code in (1, 2), result.output


@pytest.mark.parametrize("command", ["identify", "redact"])
@pytest.mark.parametrize("data", [b"", b"\0" * 1000, bytes(range(256)) * 100, b"\xff\xfe" * 1000, b"a" * 1_000_000])
def test_no_standard_input_ends_in_a_traceback(command: str, data: bytes) -> None:
    result = CliRunner().invoke(main, [command], input=data)
    assert result.exception is None, repr(result.exception)


def test_an_empty_output_is_not_this_folder():
    result = CliRunner().invoke(main, ["build-corpus", "--recipe", "tiny", "--output", ""])
    assert result.exit_code == 2 and "it is empty: name a folder" in result.output


def test_an_output_on_the_web_is_refused():
    done = CliRunner().invoke(main, ["build-corpus", "--recipe", "tiny", "--output", "https://host.invalid/y"])
    assert done.exit_code == 2 and "nothing can be written" in done.output


def test_why_asks_for_an_id():
    done = CliRunner().invoke(main, ["why", " "])
    assert done.exit_code == 2 and "give an id" in done.output


@pytest.mark.parametrize(
    "command",
    [
        "train-tokenizer --text none --alpha nan",
        "pack --tokens none --held-out nan",
        "plan --config tiny --efficiency nan",
        "chat --model none --temperature nan",
        "deduplicate none --output none --jaccard nan",
        "decontaminate none --against none --output none --threshold nan",
    ],
)
def test_what_is_no_number_is_in_no_range(command: str) -> None:
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 2
    assert "nan is not in the range" in result.output
