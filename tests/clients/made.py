"""What the clients open, made by our own commands, and what they must find there, by our own readers."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from tokenizers import Tokenizer as Library

from configs.load import CONFIGS
from pipeline.runtime.shards import open_shard
from tests.clients.probe_run import digest
from tokenizer.load import Tokenizer
from tokenizer.parallel_text import parallel_texts
from tokenizer.verify import trial_texts
from trainer.huggingface import load_pretrained

TEXTS = ["Watu wote wamezaliwa huru", "All human beings", "人人生而", "def f(x):\n    return"]


def make(folder: Path) -> None:
    """Make what is missing in a folder: corpora in all forms, tokenizer, packed text, model; `expected.json` anew."""
    for form in ("arrow", "parquet", "jsonl.zst"):
        recipe, corpus = folder / f"tiny-{form}.toml", _corpus(folder, form)
        recipe.write_text(_recipe(form))
        _run(corpus / "report.html", "build-corpus", "--recipe", recipe, "--offline", "--output", corpus)
    corpus, tokenizer, tokens = _corpus(folder, "arrow"), folder / "tokenizer", folder / "tokens"
    training = ("--corpus", corpus, "--vocab-size", "8000")
    _run(tokenizer / "README.md", "train-tokenizer", *training, "--output", tokenizer)
    _run(tokens / "manifest.json", "encode", "--tokenizer", tokenizer, "--input", corpus, "--output", tokens)
    pieces = folder / "pieces"
    _run(pieces / "README.md", "train-tokenizer", *training, "--model", "sentencepiece-bpe", "--output", pieces)
    for form, trained in (("tiktoken", tokenizer), ("sentencepiece", pieces)):
        options = ("--tokenizer", trained, "--format", form, "--output", folder / form)
        _run(folder / form, "export-tokenizer", *options)
    packed, run, model = folder / "packed", folder / "run", folder / "model"
    for form in ("raw", "megatron", "mds"):
        options = ("--tokens", tokens, "--sequence-length", "256", "--output", packed, "--format", form)
        _run(packed / form / "manifest.json", "pack", *options)
    if find_spec("gguf") and not (model / "model.gguf").exists():
        shutil.rmtree(model, ignore_errors=True)
    short = ("--set", "schedule.tokens=20_000")
    _run(model / "README.md", "train", "--config", "tiny", "--packed", packed, "--output", run, *short)
    options = ("--dtype", "fp32", *(["--gguf"] if find_spec("gguf") else []))
    _run(model / "README.md", "export", "--checkpoint", run, "--output", model, *options)
    (folder / "expected.json").write_text(json.dumps(_expected(folder)))


def _recipe(form: str) -> str:
    """The recipe `tiny`, written in another format."""
    text = (CONFIGS / "recipes" / "tiny.toml").read_text()
    return text.replace("[output]\n", f'[output]\nformat = "{form}"\n')


def _corpus(folder: Path, form: str) -> Path:
    return folder / ("corpus" if form == "arrow" else f"corpus-{form}")


def _run(product: Path, command: str, *arguments: Any) -> None:
    """Run `openroots COMMAND`, unless its last product is there."""
    if not product.exists():
        print(f"openroots {command}", flush=True)
        subprocess.run([Path(sys.executable).with_name("openroots"), command, *map(str, arguments)], check=True)


def rows_of(corpus: Path) -> tuple[int, str]:
    """Rows of a corpus and the digest of what they hold, read by our own reader."""
    rows: list[dict[str, Any]] = []
    for path in sorted(corpus.glob("data/*/*")):
        with open_shard(str(path)) as batches:
            rows += [row for batch in batches for row in batch.select(["id", "text", "source"]).to_pylist()]
    return len(rows), digest(rows)


def _expected(folder: Path) -> dict[str, Any]:
    count, whole = rows_of(folder / "corpus")
    model, tokenizer = load_pretrained(str(folder / "model")), Tokenizer.load(str(folder / "model"), "tokenizers")

    pieces = Library.from_file(str(folder / "pieces" / "tokenizer.json"))

    def ids(text: str) -> list[int]:
        return tokenizer.encode_batch(pa.array([text], pa.large_string()))[0].as_py()

    def logits(numbers: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return model(torch.tensor([numbers]))[0].float()

    texts = [text for parallel in parallel_texts().values() for text in parallel.texts[:5]]
    trials = [text for text in [*texts, *trial_texts()] if not any(name in text for name in tokenizer.special_tokens)]
    context = ids(TEXTS[0])
    likelihoods = []
    for said in (" na", " huru na sawa", "."):
        whole_ids = ids(TEXTS[0] + said)
        scores = torch.log_softmax(logits(whole_ids), -1)
        total = sum(float(scores[at - 1, whole_ids[at]]) for at in range(len(context), len(whole_ids)))
        likelihoods.append([TEXTS[0], said, total])
    return {
        "rows": count,
        "digest": whole,
        "texts": TEXTS,
        "ids": [ids(text) for text in TEXTS],
        "logits": [logits(ids(text))[-1].tolist() for text in TEXTS],
        "continued": [_greedy(logits, ids(text), 12, tokenizer.eos_id) for text in TEXTS],
        "trials": [[text, ids(text)] for text in trials],
        "sentencepiece": [[text, pieces.encode(text, add_special_tokens=False).ids] for text in texts],
        "likelihoods": likelihoods,
        "loss": [TEXTS[0], _loss(logits, [*ids(TEXTS[0]), tokenizer.eos_id])],
    }


def _loss(logits: Any, numbers: list[int]) -> float:
    scores = torch.log_softmax(logits(numbers[:-1]), -1)
    return -float(scores[torch.arange(len(numbers) - 1), numbers[1:]].mean())


def _greedy(logits: Any, numbers: list[int], count: int, eos: int | None) -> list[int]:
    for _ in range(count):
        numbers = [*numbers, int(logits(numbers)[-1].argmax())]
        if numbers[-1] == eos:
            break
    return numbers
