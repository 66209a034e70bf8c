"""`openroots train-tokenizer` on committed real text."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from tokenizers import Tokenizer

from configs import CONFIGS
from openroots.cli import main

Built = tuple[Path, dict[str, Any]]
SWAHILI = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."


def test_a_corpus_gives_a_tokenizer_that_the_library_opens(tiny: Built, tmp_path: Path) -> None:
    command = ["train-tokenizer", "--corpus", str(tiny[0]), "--vocab-size", "3000", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 3000
    assert tokenizer.decode(tokenizer.encode(SWAHILI).ids) == SWAHILI
    assert [tokenizer.id_to_token(number) for number in range(4)] == ["<unk>", "<s>", "</s>", "<pad>"]


def test_a_second_run_writes_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        output = tmp_path / name
        text = str(CONFIGS / "data" / "NOTICE.md")
        command = ["train-tokenizer", "--text", text, "--vocab-size", "400", "--output", str(output)]
        assert CliRunner().invoke(main, command).exit_code == 0
        written.append((output / "tokenizer.json").read_bytes())
    assert written[0] == written[1]
    assert json.loads(written[0])["model"]["type"] == "BPE"


def test_too_little_text_says_how_many_entries_it_can_give(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("aa aa aaa")
    command = ["train-tokenizer", "--text", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "instead of 250,680" in done.output


def test_a_pattern_without_files_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["train-tokenizer", "--text", str(tmp_path / "*.txt"), "--output", str(tmp_path)])
    assert done.exit_code == 1 and "no such file" in done.output
