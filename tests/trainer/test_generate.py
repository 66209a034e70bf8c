"""Generation equals `transformers.generate`, and what is exported opens there."""

import fcntl
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from huggingface_hub import ModelCard
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BloomForCausalLM,
    GenerationConfig,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
    pipeline,
)

from configs.errors import ConfigurationError, InputError, OpenRootsError, OutputError
from openroots.cli import main
from tests.tokenizer.texts import tiny_texts
from tests.trainer.test_train import SETTINGS, quiet
from tokenizer.count_phase import TextFile
from tokenizer.encode import encode_files
from tokenizer.load import Tokenizer
from tokenizer.model import train_tokenizer
from trainer.checkpoint import SafeReader
from trainer.config import TrainingConfig
from trainer.export import export
from trainer.generate import Sampling, generate, generate_ids, keep_top_k, keep_top_p, penalize_repetition, stream
from trainer.huggingface import load_pretrained
from trainer.pack import Packing, pack
from trainer.train import train

PROMPTS = ["All human beings", "Watu wote wamezaliwa huru, hadhi", "人人", "x"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of some steps on real text, by a real tokenizer."""
    place = tmp_path_factory.mktemp("run")
    train_tokenizer([tiny_texts()], 1_000).save(str(place / "tokenizer"))
    (place / "text.jsonl").write_text("\n".join(json.dumps({"text": t[:2000]}) for t in tiny_texts().to_pylist()[:40]))
    encode_files([TextFile(str(place / "text.jsonl"), "en")], str(place / "tokenizer"), str(place / "tokens"))
    pack(str(place / "tokens"), str(place / "packed"), Packing(32, 0.1))
    model = {"name": "small", "layers": 2, "hidden": 32, "heads": 4, "vocabulary_size": 1024}
    data = {"packed": str(place / "packed")}
    config = {**SETTINGS, "model": model, "data": data, "checkpoints": {"folder": str(place / "run"), "every": 20}}
    train(TrainingConfig.model_validate(config), quiet())
    return place / "run"


def test_chat_templates_are_exported(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    tokenizer = max(copy.glob("step-*")) / "tokenizer"
    (tokenizer / "additional_chat_templates").mkdir()
    (tokenizer / "additional_chat_templates" / "tool.jinja").write_text("{{ tools }}")
    export(str(copy), str(tmp_path / "model"))
    assert (tmp_path / "model" / "additional_chat_templates" / "tool.jinja").read_text() == "{{ tools }}"
    assert "model" in (tmp_path / "model" / "README.md").read_text()


@pytest.fixture(scope="module")
def model(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hf") / "model"
    export(str(run), str(place), dtype="fp32", licence="Apache-2.0")
    return place


def test_what_is_exported_opens_in_transformers(model: Path) -> None:
    theirs = AutoModelForCausalLM.from_pretrained(model)
    assert isinstance(theirs, BloomForCausalLM) and theirs.config.vocab_size == 1024
    tokenizer = AutoTokenizer.from_pretrained(model)
    assert tokenizer.eos_token_id == theirs.config.eos_token_id == 2
    ids = tokenizer(PROMPTS[0], return_tensors="pt").input_ids
    assert torch.allclose(load_pretrained(str(model))(ids), theirs(ids).logits, atol=1e-5)
    said = pipeline("text-generation", model=str(model))(PROMPTS[0], max_new_tokens=5)
    assert said[0]["generated_text"].startswith(PROMPTS[0])
    card = (model / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["language"] == ["en"] and head["license"] == "apache-2.0" and "held-out loss" in card


def test_many_files_and_sixteen_bits(run: Path, model: Path, tmp_path: Path) -> None:
    names = export(str(run), str(tmp_path / "sharded"), dtype="bf16", shard_bytes=20_000)
    assert len(names) > 3
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "sharded")
    assert theirs.dtype == torch.bfloat16
    whole = load_pretrained(str(model)).state_dict()
    for name, tensor in load_pretrained(str(tmp_path / "sharded")).state_dict().items():
        assert torch.equal(tensor, whole[name].to(torch.bfloat16))
    with pytest.raises(OutputError, match="not empty"):
        export(str(run), str(tmp_path / "sharded"))


def test_the_folder_says_what_programs_look_for(run: Path, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        export(str(run), str(tmp_path / "model"))
    finally:
        os.umask(old)
    model = tmp_path / "model"
    assert {oct(path.stat().st_mode & 0o777) for path in model.iterdir() if path.is_file()} == {"0o640"}
    tokenizer = AutoTokenizer.from_pretrained(model)
    assert set(tokenizer("a")) == {"input_ids", "attention_mask"} and tokenizer.model_max_length == 32
    assert json.loads((model / "config.json").read_text())["seq_length"] == 32
    generation = GenerationConfig.from_pretrained(model)
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (1, 2, 3)
    card = ModelCard.load(model / "README.md").data
    assert card.eval_results[0].metric_type == "loss" and card["trained_on"]["tokens"] > 0


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_greedy_is_transformers_token_for_token(model: Path, penalty: float) -> None:
    tokenizer, ours = Tokenizer.load(str(model)), load_pretrained(str(model))
    theirs = AutoModelForCausalLM.from_pretrained(model)
    ids = tokenizer.encode_batch(PROMPTS).to_pylist()
    longest = max(map(len, ids))
    padded = torch.tensor([[3] * (longest - len(row)) + row for row in ids])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids])
    settings = {"max_new_tokens": 40, "do_sample": False, "repetition_penalty": penalty, "pad_token_id": 3}
    sampling = Sampling(max_tokens=40, greedy=True, repetition_penalty=penalty)
    if penalty != 1.0:  # transformers counts padding as seen, ours does not: one by one
        found = [list(generate_ids(ours, [row], sampling, eos_id=2, vocabulary_size=1024)) for row in ids]
        found = [[int(step[0]) for step in steps if step[0] >= 0] for steps in found]
        expected = [theirs.generate(torch.tensor([row]), **settings)[0, len(row) :].tolist() for row in ids]
    else:
        steps = torch.stack(list(generate_ids(ours, ids, sampling, eos_id=2, vocabulary_size=1024)), dim=1)
        found = [[n for n in row if n >= 0] for row in steps.tolist()]
        expected = theirs.generate(padded, attention_mask=mask, **settings)[:, longest:].tolist()
    assert found == [row[: row.index(2)] if 2 in row else row for row in expected]


def test_logits_are_changed_as_transformers_changes_them() -> None:
    torch.manual_seed(0)
    logits, ids = torch.randn(3, 50), torch.randint(0, 50, (3, 9))
    seen = torch.zeros(3, 50, dtype=torch.bool).scatter(1, ids, True)
    assert torch.equal(
        penalize_repetition(logits, seen, 1.4), RepetitionPenaltyLogitsProcessor(1.4)(ids, logits.clone())
    )
    for k in (1, 7, 50, 99):
        assert torch.equal(keep_top_k(logits, k), TopKLogitsWarper(k)(ids, logits.clone()))
    for p in (0.1, 0.5, 0.95):
        assert torch.equal(keep_top_p(logits, p), TopPLogitsWarper(p)(ids, logits.clone()))


def test_the_same_seed_gives_the_same_text_and_another_another(model: Path) -> None:
    tokenizer, ours = Tokenizer.load(str(model)), load_pretrained(str(model))
    texts = [generate(ours, tokenizer, PROMPTS, Sampling(20, temperature=1.5, seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_text_is_streamed_whole_and_stops(model: Path) -> None:
    tokenizer, ours = Tokenizer.load(str(model)), load_pretrained(str(model))
    sampling = Sampling(30, temperature=2.0, seed=3)
    [whole] = generate(ours, tokenizer, ["All"], sampling)
    pieces = [news[0] for news in stream(ours, tokenizer, ["All"], sampling)]
    assert "".join(pieces) == whole and len([piece for piece in pieces if piece]) > 3
    stop = whole[len(whole) // 2 :][:3]
    [stopped] = generate(ours, tokenizer, ["All"], Sampling(30, temperature=2.0, seed=3, stop=(stop,)))
    assert stopped == whole[: whole.index(stop)]


def test_the_command(model: Path) -> None:
    run = CliRunner().invoke(main, ["generate", "--model", str(model), "--language", "sw", "--greedy", "--json"])
    assert run.exit_code == 0 and json.loads(run.output)["prompt"] == "Watu wote"
    run = CliRunner().invoke(main, ["generate", "--model", str(model), "--prompt", "All", "--max-tokens", "3"])
    assert run.exit_code == 0 and run.output.startswith("All")
    run = CliRunner().invoke(main, ["generate", "--model", str(model), "--language", "xx"])
    assert run.exit_code == 2 and "no prompt for `xx`" in run.output
    run = CliRunner().invoke(main, ["generate", "--model", str(model), "--prompt", "x", "--device", "abacus"])
    assert run.exit_code == 2 and "`abacus` cannot be used" in run.output
    run = CliRunner().invoke(main, ["generate", "--model", "nowhere", "--prompt", "x"])
    assert run.exit_code == 1 and "nowhere" in run.output


@pytest.mark.parametrize("wrong", [("--temperature", "nan"), ("--top-p", "inf"), ("--seed", "99999999999999999999")])
def test_numbers_that_no_model_can_take_are_refused(model: Path, wrong: tuple[str, str]) -> None:
    run = CliRunner().invoke(main, ["generate", "--model", str(model), "--prompt", "x", *wrong])
    assert run.exit_code == 2 and wrong[0] in run.output


def test_a_prompt_that_is_no_text_is_refused(model: Path) -> None:
    said = CliRunner().invoke(main, ["generate", "--model", str(model)], input=b"Habari \xff")
    assert said.exit_code == 2 and "standard input is not UTF-8 text (byte 7)" in said.output
    said = CliRunner().invoke(main, ["generate", "--model", str(model), "--prompt", "Habari \udcff"])
    assert said.exit_code == 2 and "a prompt is not UTF-8 text" in said.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", {"model_type": "bloom", "n_layer": 2, "n_head": "x"}, "config.json of .*hidden"),
        ("model.safetensors.index.json", {}, "index.json: does not say which file"),
        ("model.safetensors.index.json", {"weight_map": {"x": "../x.safetensors"}}, "does not say which file"),
    ],
)
def test_a_model_whose_json_says_something_else_is_named(
    model: Path, tmp_path: Path, name: str, content: dict, message: str
) -> None:
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / name).write_text(json.dumps(content))
    with pytest.raises(OpenRootsError, match=message):
        load_pretrained(str(tmp_path / "model"))


def test_a_run_in_place_of_a_model_is_told_how_to_become_one(run: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["generate", "--model", str(run), "--prompt", "x"])
    assert said.exit_code == 1 and f"openroots export --checkpoint {run}" in said.output


def test_an_export_to_a_full_disk_says_so(run: Path, tmp_path: Path) -> None:
    # Python writes compiled modules however little of them fits, hence -B.
    command = f"{sys.executable} -B -m openroots.cli export --checkpoint {run} --output {tmp_path / 'out'}"
    limited = ["bash", "-c", f"ulimit -f 8; exec {command}"]
    done = subprocess.run(limited, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "out cannot be written" in done.stderr and "Traceback" not in done.stderr


def test_a_killed_export_is_written_anew_and_spares_the_files_of_others(run: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    script = (
        "import os, sys, trainer.export as export\n"
        "export._write_tokenizer = lambda *_: os.kill(os.getpid(), 9)\n"
        f"export.export({str(run)!r}, {str(cut)!r}, shard_bytes=100)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2]).returncode == -signal.SIGKILL
    assert list(cut.glob("*.safetensors"))
    (cut / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        export(str(run), str(cut))
    assert (cut / "mine.txt").read_text() == "mine"
    (cut / "mine.txt").unlink()
    for folder in (whole, cut):
        export(str(run), str(folder))
    assert {path.name: path.read_bytes() for path in cut.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


def test_two_exports_do_not_write_to_one_folder(run: Path, tmp_path: Path) -> None:
    with (tmp_path / ".unfinished").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another export is writing there"):
            export(str(run), str(tmp_path))


def test_an_export_does_not_write_over_a_file(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    said = CliRunner().invoke(main, ["export", "--checkpoint", str(run), "--output", str(tmp_path / "file")])
    assert said.exit_code == 1 and "is a file" in said.output
    said = CliRunner().invoke(
        main, ["export", "--checkpoint", str(run), "--output", str(tmp_path / "out"), "--shard-size", "0"]
    )
    assert said.exit_code == 2 and "`0` is not a size" in said.output


def test_wrong_settings_and_empty_prompts_are_refused(model: Path) -> None:
    tokenizer, ours = Tokenizer.load(str(model)), load_pretrained(str(model))
    with pytest.raises(ConfigurationError, match="a prompt is empty"):
        generate(ours, tokenizer, ["", "a"], Sampling())
    for wrong in ({"temperature": 0.0}, {"top_k": 0}, {"top_p": 1.5}, {"repetition_penalty": 0.0}):
        with pytest.raises(ConfigurationError):
            Sampling(**wrong)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "harmed",))

    (tmp_path / ".metadata").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(InputError, match=r"\.metadata.*it asks for"):
        SafeReader(str(tmp_path)).read_metadata()
    assert not (tmp_path / "harmed").exists()
