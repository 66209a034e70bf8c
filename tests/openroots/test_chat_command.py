"""`openroots chat`: a loop over lines, with commands, and nothing of a model's steers the terminal."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openroots.cli import main
from openroots.commands.chat import Chat, _visible


def a_chat(**settings: object) -> Chat:
    return Chat({"sw": "Swahili", "yo": "Yoruba"}, **settings)  # type: ignore[arg-type]


def test_the_language_asked_for_is_in_the_prompt() -> None:
    chat = a_chat()
    assert chat.prompt("Who?") == "Who?"
    assert chat.command("/language sw") == "answers in Swahili"
    assert chat.prompt("Who?") == "Who?\n\nAnswer in Swahili."
    assert "unknown language `xx`; known: sw, yo" in (chat.command("/language xx") or "")
    assert chat.language == "sw"
    chat.command("/language")
    assert chat.prompt("Who?") == "Who?"


def test_as_much_history_goes_along_as_is_asked_for() -> None:
    chat = a_chat(history=[("a", "1"), ("b", "2"), ("c", "3")])
    assert chat.prompt("d") == "d"
    chat.command("/turns 2")
    assert chat.prompt("d") == "b\n2\n\nc\n3\n\nd"
    assert chat.command("/turns -1") == chat.command("/turns x") == "give a number from 0 to 20"
    assert chat.command("/history") == "> a\n1\n> b\n2\n> c\n3"
    chat.command("/forget")
    assert chat.prompt("d") == "d" and chat.command("/history") == "nothing yet"
    assert chat.command("/quit") is None
    assert "unknown command /x" in (chat.command("/x\x1b[2J") or "") and "\x1b" not in (chat.command("/x\x1b[2J") or "")


def test_what_would_steer_the_terminal_is_shown_as_its_escape() -> None:
    assert _visible("a\x1b[2Jb\u202ec\nd\te") == "a\\x1b[2Jb\\u202ec\nd    e"
    assert _visible("می\u200cخواهم　क\u094d\u200dष") == "می\u200cخواهم　क\u094d\u200dष"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BLOOM of two layers over bytes."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from tests.trainer.prompts import byte_tokenizer
    from trainer.config import ModelConfig
    from trainer.huggingface import to_config, to_state
    from trainer.model import build_model

    folder = byte_tokenizer(tmp_path_factory.mktemp("chat") / "model")
    shape = ModelConfig(name="test", layers=2, hidden=32, heads=4, vocabulary_size=264)
    save_file(to_state(build_model(shape, seed=1).state_dict()), str(folder / "model.safetensors"))
    described = to_config(shape, dtype=torch.float32, eos_id=2, pad_id=3, bos_id=1)
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def talk(model: Path, lines: bytes, *options: str) -> Result:
    return CliRunner().invoke(main, ["chat", "--model", str(model), "--max-tokens", "5", *options], input=lines)


def test_lines_are_answered_until_the_input_ends(model: Path) -> None:
    done = talk(model, b"Who are you?\n\n/language sw\nNani?\n/history\n\xff\xfe rubbish\n", "--json")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["prompt"] for row in rows] == [
        "Who are you?",
        "Nani?\n\nAnswer in Swahili.",
        "\ufffd\ufffd rubbish\n\nAnswer in Swahili.",
    ]
    assert talk(model, b"a\n/quit\nb\n", "--json").stdout.count("{") == 1


def test_draws_are_the_same_for_a_seed(model: Path) -> None:
    options = ("--json", "--temperature", "1.5", "--seed", "7")
    assert talk(model, b"a\n", *options).stdout == talk(model, b"a\n", *options).stdout


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    done = talk(tmp_path, b"a\n")
    assert done.exit_code != 0
    assert talk(tmp_path, b"a\n", "--language", "xx").exit_code == 2


def test_of_a_long_line_the_end_is_read_and_that_is_said(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "seq_length": 64}))
    end = b"z" * 59
    short, long = talk(folder, end + b"\n", "--json"), talk(folder, b"a" * 20_000 + end + b"\n", "--json")
    assert json.loads(long.stdout)["answer"] == json.loads(short.stdout)["answer"]
    assert "only the last 59 of 20,059 tokens are read" in long.stderr
    assert "only the last" not in short.stderr
