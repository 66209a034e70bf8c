"""`openroots train-tokenizer` on committed real text."""

import gzip
import io
import json
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from rich.console import Console
from tokenizers import Tokenizer

import openroots
from configs import CONFIGS
from configs.errors import ConfigurationError
from openroots.cli import main
from openroots.tokenizer_command import _MergeReport, text_files
from pipeline.runtime.ownership import claim
from pipeline.runtime.progress import ProgressWatch
from tests.tokenizer.texts import tiny_texts
from tokenizer.merges import Progress

Built = tuple[Path, dict[str, Any]]
SWAHILI = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."
NOTICE = str(CONFIGS / "data" / "NOTICE.md")
ROOT = Path(__file__).parents[2]


def train(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["train-tokenizer", *map(str, arguments)])


def test_a_corpus_gives_a_tokenizer_with_a_card(tiny: Built, tmp_path: Path) -> None:
    done = train("--corpus", tiny[0], "--vocab-size", 3000, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 3000
    assert tokenizer.decode(tokenizer.encode(SWAHILI).ids) == SWAHILI
    assert [tokenizer.id_to_token(number) for number in range(4)] == ["<unk>", "<s>", "</s>", "<pad>"]
    head = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---")[1])
    assert {"sw", "code"} <= set(head["language"])
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["corpus"]["digest"] == tiny[1]["digest"]
    assert record["entries"] == 3000
    assert sum(entry["sample_share"] for entry in record["languages"].values()) == pytest.approx(1)


def test_a_second_run_elsewhere_writes_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        text = tmp_path / f"{name}.txt"
        text.write_bytes(Path(NOTICE).read_bytes())
        assert train("--text", text, "--vocab-size", 400, "--output", tmp_path / name).exit_code == 0
        names = ("tokenizer.json", "training.json", "README.md", "tokenizer_config.json")
        written.append([(tmp_path / name / file).read_bytes() for file in names])
    assert written[0] == written[1]


def test_the_checkpoint_is_gone_when_all_is_done(tmp_path: Path) -> None:
    claim(str(tmp_path / "out"), "tokenizer")
    work = tmp_path / "out" / ".work"
    assert train("--text", NOTICE, "--vocab-size", 300, "--output", tmp_path / "out").exit_code == 0
    (work / "merges.checkpoint").write_bytes(b"left by a killed run")
    assert train("--text", NOTICE, "--vocab-size", 400, "--output", tmp_path / "out").exit_code == 0
    assert not (work / "merges.checkpoint").exists()


def test_too_little_text_says_how_many_entries_it_can_give(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("aa aa aaa")
    done = train("--text", tmp_path / "a.txt", "--output", tmp_path / "out")
    assert done.exit_code == 1
    assert "instead of 250,680" in done.output and "--vocab-size 263" in done.output
    done = train("--text", tmp_path / "a.txt", "--output", tmp_path / "out", "--count-min", 2)
    assert "--count-min left out" in done.output


def test_options_reach_the_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one line of text\n" * 3 + "another line, abc abc\n")
    common = ("--text", tmp_path / "a.txt", "--vocab-size", 262, "--output", tmp_path / "out", "--quiet")
    done = train(*common, "--special-token", "<unk>", "--special-token", "<mask>", "--no-unique-lines")
    assert done.exit_code == 0 and done.output == ""
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["settings"]["special_tokens"] == ["<unk>", "<mask>"]
    assert record["inputs"]["bytes"] == record["inputs"]["bytes_counted"]
    assert Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")).token_to_id("<mask>") == 1
    assert train(*common, "--unique-lines").exit_code == 0
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["inputs"]["bytes_counted"] == len("one line of text\nanother line, abc abc\n")


@pytest.mark.parametrize("model", ["sentencepiece-bpe", "sentencepiece-unigram"])
def test_a_sentencepiece_model_comes_with_a_tokenizer_json(model: str, tiny: Built, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = train("--corpus", tiny[0], "--vocab-size", 6000, "--model", model, "--output", output)
    assert done.exit_code == 0, done.output
    tokenizer = Tokenizer.from_file(str(output / "tokenizer.json"))
    assert tokenizer.decode(tokenizer.encode(SWAHILI).ids) == SWAHILI
    assert (output / "tokenizer.model").exists()
    assert "SentencePiece" in (output / "README.md").read_text()


def test_python_gives_what_the_command_gives(tmp_path: Path) -> None:
    assert train("--text", NOTICE, "--vocab-size", 400, "--output", tmp_path / "one").exit_code == 0
    made = openroots.train_tokenizer(str(tmp_path / "two"), text=[NOTICE], vocab_size=400)
    assert made.to_str() == Tokenizer.from_file(str(tmp_path / "one" / "tokenizer.json")).to_str()
    with pytest.raises(ConfigurationError, match="unknown model"):
        openroots.train_tokenizer(str(tmp_path / "two"), text=[NOTICE], model="wordpiece")
    with pytest.raises(ConfigurationError, match="either a corpus or text"):
        openroots.train_tokenizer(str(tmp_path / "two"))


KILLED = """
import functools, os, signal, sys
from openroots import tokenizer_command as command
from pipeline.runtime import phases
from pipeline.runtime.storage import write_json
from tokenizer import merges

stage, text, output = sys.argv[1:]
records = []
def write_and_die(path, *value, **options):
    write_json(path, *value, **options)
    records.append(path)
    if len(records) == 20:
        os.kill(os.getpid(), signal.SIGKILL)
def die(progress):
    if progress.merges > 1_000:
        os.kill(os.getpid(), signal.SIGKILL)
if stage == "count":
    phases.storage.write_json = write_and_die
merges.STEP_WORDS = 2_000
train = command.train_bpe
command.train_bpe = lambda *a, **k: train(*a, **{**k, "progress": die, "checkpoint_seconds": 0})
command.train_tokenizer(output, text=[text], vocab_size=4_000)
"""


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    for number, text in enumerate(tiny_texts().to_pylist()[:40]):
        (tmp_path / f"{number:02}.txt").write_text(text)
    text, names = str(tmp_path / "*.txt"), ("tokenizer.json", "training.json")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = ("--vocab-size", 4000, "--no-unique-lines", "--quiet")
    script = KILLED.replace("vocab_size=4_000", "vocab_size=4_000, unique_lines=False")
    assert train("--text", text, "--output", whole, *options).exit_code == 0
    for stage, left in (("count", "count-words/records"), ("merges", "merges.checkpoint")):
        process = subprocess.run([sys.executable, "-c", script, stage, text, str(killed)], cwd=ROOT)
        assert process.returncode == -signal.SIGKILL
        assert (killed / ".work" / left).exists()
        assert not (killed / "tokenizer.json").exists()
    assert train("--text", text, "--output", killed, *options).exit_code == 0
    assert [(killed / name).read_bytes() for name in names] == [(whole / name).read_bytes() for name in names]


def damaged_parquet(path: Path) -> None:
    pq.write_table(pa.table({"text": ["some text"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-40])


def cut_arrow(path: Path) -> None:
    batch = pa.record_batch({"text": pa.array(["some text"] * 1000, pa.large_string())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write(batch)
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.parquet", damaged_parquet),
        ("b.arrow", cut_arrow),
        ("c.parquet", lambda path: pq.write_table(pa.table({"body": ["x"]}), path)),
        ("d.parquet", lambda path: pq.write_table(pa.table({"text": [1, 2]}), path)),
        ("e.txt", lambda path: path.write_bytes(b"good\n\xff\xfe\n")),
        ("f.jsonl", lambda path: path.write_text('{"text": \n{"text": ')),
        ("g.jsonl", lambda path: path.write_text('{"body": "a"}\n')),
        ("i.txt.gz", lambda path: path.write_bytes(gzip.compress(b"text" * 999)[:-12])),
    ],
)
def test_a_bad_file_is_named_without_a_stack_trace(name: str, write: Any, tmp_path: Path) -> None:
    write(tmp_path / name)
    done = train("--text", tmp_path / name, "--vocab-size", 300, "--output", tmp_path / "out")
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit), done.output
    assert name in done.output


def test_the_rest_of_a_file_with_a_bad_line_is_used(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"text": "a word"}\n{"text": ')
    done = train(
        "--text", tmp_path / "f.jsonl", "--vocab-size", 300, "--pad-with-reserved", "--output", tmp_path / "out"
    )
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--text", "nowhere/*.txt"), "no such file"),
        (("--corpus", "nowhere"), "build-corpus"),
        (("--text", NOTICE, "--corpus", "nowhere"), "either --corpus or --text"),
        (("--text", NOTICE, "--pattern", "("), "pattern"),
        (("--text", NOTICE, "--special-token", "a"), "special token"),
        (("--text", NOTICE, "--vocb-size", "300"), "--vocab-size"),
        (("--corpsu", "nowhere"), "Did you mean --corpus?"),
        (("--text", NOTICE, "--vocab-size", "99999999999999"), "--vocab-size"),
        (("--text", NOTICE, "--pattern", "blooom"), "did you mean `bloom`?"),
        (("--text", "s4://bucket/*.txt"), "s4"),
        (("--text", NOTICE, "--output", "s4://bucket/tokenizer"), "s4"),
        (("--text", str(CONFIGS)), "is a folder"),
        (("--text", "/dev/null"), "no such file"),
    ],
)
def test_a_slip_of_the_pen_is_told(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = train("--output", tmp_path / "out", *arguments)
    assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit), done.output
    assert said in done.output


def test_a_file_without_text_gives_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    done = train("--text", tmp_path / "empty.txt", "--output", tmp_path / "out", "--pad-with-reserved")
    assert done.exit_code == 1 and "no text" in done.output
    assert not (tmp_path / "out" / "tokenizer.json").exists()


def test_a_language_before_a_file_is_told_where_it_goes(tmp_path: Path) -> None:
    for command in (["train-tokenizer"], ["encode", "--tokenizer", "none"]):
        output = CliRunner().invoke(main, [*command, "--text", "sw=sw.txt", "--output", str(tmp_path / "out")]).output
        assert "sw=sw.txt: no such file. Give sw.txt alone" in output and "--language sw" in output


def test_a_file_whose_name_looks_like_a_pattern_is_read(tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_text("text")
    assert [file.path for file in text_files([str(tmp_path / "a[1].txt")])] == [str(tmp_path / "a[1].txt")]


def test_text_that_is_not_in_normal_form_c_gets_a_note(tmp_path: Path) -> None:
    yoruba = "Gbogbo ènìyàn ni a bí ní òmìnira; iyì àti ẹ̀tọ́ kọ̀ọ̀kan sì dọ́gba.\n"
    for form, is_told in (("NFC", False), ("NFD", True)):
        text = tmp_path / f"{form}.txt"
        text.write_text(unicodedata.normalize(form, yoruba))
        said = io.StringIO()
        watch = ProgressWatch(Console(file=said, width=400))
        openroots.train_tokenizer(str(tmp_path / form), text=[str(text)], vocab_size=270, watch=watch)
        assert ("of the words are not in Unicode's normal form C" in said.getvalue()) is is_told


def test_words_are_not_called_documents(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("aa aa aaa")
    console = Console(file=io.StringIO(), width=200)
    openroots.train_tokenizer(
        str(tmp_path / "out"), text=[str(tmp_path / "a.txt")], vocab_size=262, watch=ProgressWatch(console)
    )
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "3 distinct words" in said and "document" not in said


def test_the_time_left_follows_the_present_rate_of_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("openroots.tokenizer_command.time.monotonic", lambda: now[0])
    said: list[str] = []
    report = _MergeReport(said.append)
    for second, merges in ((0, 0), (5, 50), (20, 200), (40, 20_200)):
        now[0] = float(second)
        report(Progress(merges, 260 + merges, 30_460, second, merges / max(1, second)))
    assert len(said) == 2
    assert "10/s now" in said[0] and "at most 50 min left" in said[0]
    assert "1,000/s now" in said[1] and "at most 10 s left" in said[1]
