"""What the command says to slips of the pen: one message with cause and remedy, and no stack trace."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from datasets import load_dataset

from openroots.cli import main

RECIPE = """
name = "mine"
title = "Mine"
sources = ["mine"]
[source.mine]
title = "Mine"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "me"
provenance = "here"
packages = [{ name = "text.jsonl" }]
"""


def run(*arguments: str, standard_input: str = "") -> Result:
    result = CliRunner().invoke(main, arguments, input=standard_input)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("build-corpus --recip tiny", "No such option: --recip, neither of openroots nor of Apache Beam. Did"),
        ("build-corpus --recipe tiny --ofline", "Did you mean --offline?"),
        ("build-corpus --recipe tiny --offlin --runner SparkRunner", "Did you mean --offline?"),
        ("build-corpus --recipe tiny --streeming", "Did you mean --streaming?"),
        ("build-corpus --recipe tiny --direct_num_workers", "requires an argument"),
        ("build-corpus tiny", "unexpected arguments: tiny"),
        ("build-corpus --recipe tiny -x", "No such option: -x"),
        ("build-corpus --recipe tiny --runner Nonsense", "Invalid value for '--runner'"),
        ("build-corpus --recipe tiny --runner no.such.Runner", "Invalid value for '--runner'"),
        ("build-corpus --workers 0", "not in the range"),
        ("deduplicate x.jsonl --output out --exactonly", "Did you mean --exact-only?"),
        ("deduplicate --output out --runner DirectRunner", "Missing argument 'FILES...'"),
        ("deduplicate x.jsonl --output out --language swa", "unknown language `swa`; did you mean `sw`?"),
        ("redact --kinds WRONG", "`WRONG` is not one of KEY, EMAIL"),
        ("redact --language xx", "unknown language `xx`"),
        ("redact --language SW", "unknown language `SW`; did you mean `sw`?"),
        ("redact --language Swahili", "did you mean `sw`?"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_named(arguments: str, message: str) -> None:
    result = run(*arguments.split())
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("build-corpus --recipe tyny", "did you mean `tiny`?"),
        ("build-corpus --recipe none.toml", "none.toml: no such file"),
        ("build-corpus --recipe folder.toml", "folder.toml: is a folder"),
        ("sources --recipe zzz", "there are roots, sample, tiny"),
        ("why --corpus folder.toml abcd", "there is no ledger"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, message: str
) -> None:
    (tmp_path / "folder.toml").mkdir()
    monkeypatch.chdir(tmp_path)
    result = run(*arguments.split())
    assert result.exit_code == 1
    assert message in result.stderr


def test_beam_options_pass_with_their_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(RECIPE)
    Path("text.jsonl").write_text(
        '{"text": "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili."}\n'
    )
    options = "--runner DirectRunner --direct_running_mode in_memory --direct_num_workers=1"
    result = run(*f"build-corpus --recipe mine.toml --output out --quiet {options}".split())
    assert result.exit_code == 0, result.stderr
    assert Path("out", "manifest.json").exists()


def test_a_corpus_of_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(RECIPE)
    Path("text.jsonl").write_text('{"txet": "Watu wote wamezaliwa huru."}\n')
    result = run("build-corpus", "--recipe", "mine.toml", "--output", "out", "--quiet")
    assert result.exit_code == 1
    assert "no documents are left; unreadable: 1 document" in result.stderr


def test_datasets_opens_the_corpus_that_is_there_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not what it kept of another one, which was built in a folder of the same name."""
    texts = [
        "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri.",
        "Kila mtu anayo haki ya kuishi, haki ya kuwa huru na haki ya kuwa salama katika maisha yake yote.",
    ]
    for number, text in enumerate(texts):
        (folder := tmp_path / str(number)).mkdir()
        monkeypatch.chdir(folder)
        Path("mine.toml").write_text(RECIPE + "[quality.overrides.default]\nwords_min = 5\n")
        Path("text.jsonl").write_text(json.dumps({"text": text, "language": "sw"}))
        result = run("build-corpus", "--recipe", "mine.toml", "--output", "corpus", "--quiet")
        assert result.exit_code == 0, result.stderr
        opened = load_dataset("corpus", "sw", split="train", cache_dir=str(tmp_path / "cache"))
        assert opened["text"][:] == [text]


def test_deduplicate_serves_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(2):
        Path("in", f"{number}.txt").write_text("Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.")
    result = run("deduplicate", "in/*.txt", "--output", "out", "--exact-only")
    assert result.exit_code == 0, result.stderr
    assert "none of" not in result.output
    assert load_dataset("out", split="train").num_rows == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("deduplicate in --output out", "in: is a folder; name its files, such as 'in/*.jsonl.gz'"),
        ("deduplicate in/none.jsonl --output out", "no such file"),
        ("deduplicate in/x.pdf --output out", "its name does not tell the format"),
        ("deduplicate in/x.txt --output nosuch://x", "Protocol not known: nosuch"),
    ],
)
def test_what_cannot_be_deduplicated_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, message: str
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    result = run(*arguments.split())
    assert result.exit_code in (1, 2)
    assert message in result.stderr


def test_redact_takes_several_kinds() -> None:
    result = run("redact", "--kinds", "email, ip_address", standard_input="maria@uni-hamburg.de 134.100.29.17")
    assert result.stdout == "PI:EMAIL PI:IP_ADDRESS"
