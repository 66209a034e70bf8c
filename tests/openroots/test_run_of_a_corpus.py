"""From a corpus to a run by the commands alone: which of its sequences and steps saw a document, and the run's bill."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from openroots.cli import main
from tests import small_build

pytestmark = pytest.mark.slow  # a tokenizer, packed text and a run are made
pytest.importorskip("torch", reason="training needs PyTorch: pip install -e '.[train]'")
SMALL = (
    "sequence_length=32",
    "model.layers=1",
    "model.hidden=32",
    "model.heads=2",
    "schedule.tokens=1280",
    "logging.tensorboard=false",
)


def invoke(*arguments: object) -> Result:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """corpus, tokenizer, tokens, packed, run."""
    made = tmp_path_factory.mktemp("run")
    small_build.build(small_build.write_inputs(made), made / "corpus")
    tokenizer = ("--vocab-size", 400, "--workers", 1)
    invoke("train-tokenizer", "--corpus", made / "corpus", "--output", made / "tokenizer", *tokenizer)
    invoke("encode", "--tokenizer", made / "tokenizer", "--input", made / "corpus", "--output", made / "tokens")
    invoke("pack", "--tokens", made / "tokens", "--sequence-length", 32, "--output", made / "packed")
    changes = [part for change in SMALL for part in ("--set", change)]
    invoke("train", "--config", "tiny", "--packed", made / "packed", "--output", made / "run", *changes)
    return made


def decoded(folder: Path) -> dict[int, str]:
    """What each step of the run read, as text."""
    from tokenizers import Tokenizer

    from trainer.data import TrainingData
    from trainer.seen import read_run

    run, tokenizer = read_run(str(folder / "run")), Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    data = TrainingData(str(folder / "packed"), seed=run.seed, weights=run.weights or None)
    texts = {}
    for step, (start, size) in enumerate(zip(run.starts, run.sizes, strict=True), 1):
        rows = data.read(np.arange(start, start + size)).input_ids.tolist()
        texts[step] = "\n\n".join(tokenizer.decode(row) for row in rows)
    return texts


def test_the_steps_that_saw_a_document_read_its_text(folder: Path) -> None:
    steps = decoded(folder)
    rows = [
        json.loads(line)
        for line in invoke(
            "find", folder / "corpus", "--source", "in", "--run", folder / "run", "--json"
        ).stdout.splitlines()
    ]
    told = {row["id"]: {step for place in row["packed"] for step in place["steps"]} for row in rows}
    assert any(told.values()) and not all(told.values())
    for identifier, seen in told.items():
        for place in (place for row in rows if row["id"] == identifier for place in row["packed"]):
            assert place["part"] in ("train", "held_out")
        for step, text in steps.items():
            has = any(line in text for line in lines_of(folder, identifier))
            assert has <= (step in seen), "read, and not told"


def lines_of(folder: Path, identifier: str) -> list[str]:
    """The middle of each line of a document, long enough to be in no other."""
    import pyarrow as pa

    for path in (folder / "corpus" / "data").rglob("*.arrow"):
        with pa.ipc.open_file(str(path)) as file:
            table = file.read_all()
        texts = dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))
        if identifier in texts:
            return [line for line in texts[identifier].split("\n") if len(line) > 60]
    return []


def test_packed_text_alone_tells_sequences_and_a_run_steps_in_words(folder: Path) -> None:
    alone = invoke("find", folder / "corpus", "--source", "in", "--packed", folder / "packed").output
    assert "sequence" in alone and "step" not in alone
    assert "seen 1 times" not in (
        run := invoke("find", folder / "corpus", "--source", "in", "--run", folder / "run").output
    )
    assert "at step" in run and "not seen yet" in run


def test_the_bill_names_the_model_that_was_trained_on_the_corpus(folder: Path) -> None:
    asked = ("bom", folder / "corpus", "--supplier", "Institute", "--run", folder / "run")
    graph = json.loads(invoke(*asked).stdout)["@graph"]
    (model,) = [element for element in graph if element["type"] == "ai_AIPackage"]
    assert model["software_packageVersion"] == "step 5"
    hyperparameters = {entry["key"]: entry["value"] for entry in model["ai_hyperparameter"]}
    assert hyperparameters["training_tokens"] == "1280"


def test_a_run_of_another_corpus_is_refused_and_a_lost_text_is_named(folder: Path, tmp_path: Path) -> None:
    small_build.build(small_build.write_inputs(tmp_path, documents=20), tmp_path / "corpus")
    asked = ["bom", str(tmp_path / "corpus"), "--supplier", "Institute", "--run", str(folder / "run")]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 1 and "another corpus" in done.output
    (folder / "packed").rename(folder / "elsewhere")
    try:
        for command in (asked, ["find", str(folder / "corpus"), "--source", "in", "--run", str(folder / "run")]):
            done = CliRunner().invoke(main, command)
            assert done.exit_code == 1 and "packed" in done.output and "Traceback" not in done.output
    finally:
        (folder / "elsewhere").rename(folder / "packed")
