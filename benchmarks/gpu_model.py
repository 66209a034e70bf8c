"""A model's life on one card: trained, exported, fine-tuned on prompts, asked, evaluated: rows of `benchmarks.gpu`.

Text and prompts are the Universal Declaration of Human Rights in some languages, by a small tokenizer made of it. Each
row needs what the one before has left. They need the packages of tokenizer and evaluation, too: fastokens, orjson,
google-re2, resiliparse, zstandard, brotli, license-expression, boolean.py, protego, webencodings, idna.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_rows import Bench
from benchmarks.gpu_train import rows_of

LANGUAGES = ("ar", "en", "fr", "hi", "sw", "yo")
MICRO, STEPS, EVERY, TUNING = 8, 40, 20, 30
"""Sequences a step, steps of the training, steps from checkpoint to checkpoint, steps of the fine-tuning."""
LIMIT = 120.0
"""Seconds of a training."""
LOGITS_TOLERANCE = 1e-3
"""Of logits in fp32 against `transformers`' in fp32, 24 layers."""
NATS_TOLERANCE = 0.02
"""Of an answer's log-probability in fp32 on the card against the CPU's."""
QUESTION = "In which language is this text?\n"


def model(bench: Bench, name: str, what: str) -> dict[str, Any]:
    """One of the stages, by its name."""
    return {
        "trained": _trained,
        "exported": _exported,
        "tuned": _tuned,
        "generates": _generates,
        "evaluated": _evaluated,
    }[what](bench, name)


def _folder(bench: Bench) -> Path:
    return bench.folder / "model"


def _trained(bench: Bench, name: str) -> dict[str, Any]:
    """Steps with a checkpoint in their midst: what it costs."""
    folder = _folder(bench)
    shutil.rmtree(folder, ignore_errors=True)
    length = bench.of(2048, 128)
    tokenizer = _tokenizer(folder / "tokenizer", bench.of(4000, 400))
    ids = tokenizer.encode_batch([text for texts in _texts().values() for text in texts]).to_pylist()
    documents = [np.asarray([*document, tokenizer.eos_id], np.uint32) for document in ids]
    held_out, documents = documents[::10], [one for row, one in enumerate(documents) if row % 10]
    _write_packed(folder, "packed", length, {"train": documents * 40, "held_out": held_out * 4}, {})
    steps, every = bench.of(STEPS, 8), bench.of(EVERY, 4)
    more = {
        "schedule.tokens": steps * MICRO * length,
        "schedule.learning_rate": 3e-4,
        "checkpoints.every": every,
        "precision.compute": "bf16",
        "parallel.checkpointing": "none",
    }
    stamps = _train(bench, "tiny" if bench.is_rehearsal else name, folder, "packed", "run", length, more)
    rows = _losses(folder / "run")
    gaps = {step: stamps[step] - stamps[step - 1] for step in stamps if step - 1 in stamps}
    usual = median(gap for step, gap in gaps.items() if step not in (2, every + 1))
    said = [row["tokens_per_second"] for step, row in rows.items() if step > 2 and row["tokens_per_second"]]
    after = [step for step in stamps if step > every + 1]
    size = sum(file.stat().st_size for file in (folder / "run" / f"step-{steps:08}").iterdir() if file.is_file())
    losses = [rows[1]["loss"], rows[steps]["loss"]]
    return {
        "tokens/s, median step": MICRO * length / usual,
        "tokens/s while one is written": MICRO * length * len(after) / (stamps[steps] - stamps[every + 1]),
        "s that a save stops": gaps[every + 1] - usual,
        "checkpoint GB": size / 1e9,
        "largest tokens/s said": max(said),
        "losses": losses,
        "ok": losses[1] < losses[0] and max(said) < 1.5 * MICRO * length / usual,
    }


def _exported(bench: Bench, name: str) -> dict[str, Any]:
    """Logits of what is exported, by us and by `transformers`, fp32."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from trainer.export import export
    from trainer.huggingface import load_pretrained

    folder = _folder(bench)
    started = time.perf_counter()
    export(str(folder / "run"), str(folder / "hf"), dtype="fp32")
    seconds = time.perf_counter() - started
    shutil.rmtree(folder / "run")
    theirs: Any = AutoModelForCausalLM.from_pretrained(folder / "hf", dtype=torch.float32).to(bench.device).eval()
    ours = load_pretrained(str(folder / "hf"), torch.float32, bench.device)
    opened: Any = AutoTokenizer.from_pretrained(folder / "hf")
    worst, agree, count = 0.0, 0, 0
    with torch.inference_mode():
        for texts in _texts().values():
            ids = opened("\n".join(texts), return_tensors="pt").input_ids[:, : bench.of(1024, 64)].to(bench.device)
            mine, other = ours(ids), theirs(ids).logits
            worst = max(worst, float((mine - other).abs().max()))
            agree += int((mine.argmax(-1) == other.argmax(-1)).sum())
            count += ids.numel()
    return {
        "s to export": seconds,
        "largest difference of logits": worst,
        "same likeliest token": agree / count,
        "positions": count,
        "ok": worst < LOGITS_TOLERANCE,
    }


def _tuned(bench: Bench, name: str) -> dict[str, Any]:
    """BLOOMZ's settings on prompts: fp16, loss on targets, attention within an example; exported in bf16."""
    from tokenizer.load import Tokenizer
    from trainer.export import export

    folder, length, steps = _folder(bench), bench.of(2048, 128), bench.of(TUNING, 6)
    tokenizer = Tokenizer.load(str(folder / "tokenizer"), "tokenizers")
    examples = [_example(tokenizer, text, answer, length) for text, answer in _prompts()]
    held_out, examples = examples[::10], [one for row, one in enumerate(examples) if row % 10]
    documents = {"train": _filled(examples * 20, length), "held_out": _filled(held_out * 8, length)}
    _write_packed(folder, "packed-prompts", length, documents, {"en": 1.0})
    more = {
        "start": str(folder / "hf"),
        "schedule.tokens": steps * MICRO * length,
        "checkpoints.every": steps,
        **({"precision.compute": "fp32"} if bench.is_rehearsal else {}),
    }
    settings = "bloomz-tiny" if bench.is_rehearsal else f"bloomz-{name}"
    started = time.perf_counter()
    _train(bench, settings, folder, "packed-prompts", "run-tuned", length, more)
    seconds = time.perf_counter() - started
    rows = _losses(folder / "run-tuned")
    export(str(folder / "run-tuned"), str(folder / "hf-tuned"), dtype="bf16")
    shutil.rmtree(folder / "run-tuned")
    speeds = [row["tokens_per_second"] for row in rows.values() if row["tokens_per_second"]]
    losses = [rows[1]["loss"], rows[steps]["loss"]]
    return {
        "tokens/s": float(median(speeds)),
        "s from start to end": seconds,
        "losses": losses,
        "loss at first": losses[0],
        "loss at the end": losses[1],
        "ok": losses[1] < losses[0],
    }


def _generates(bench: Bench, name: str) -> dict[str, Any]:
    """Answers of the fine-tuned model: as `transformers`' in fp32, and how fast in bf16."""
    from transformers import AutoModelForCausalLM

    from tokenizer.load import Tokenizer
    from trainer.generate import Sampling, generate, generate_ids
    from trainer.huggingface import load_pretrained

    folder = str(_folder(bench) / "hf-tuned")
    tokenizer = Tokenizer.load(folder, "tokenizers")
    prompts = [prompt for prompt, _ in _prompts()[::10]][: bench.of(16, 4)]
    new = bench.of(32, 6)
    ours = load_pretrained(folder, torch.float32, bench.device)
    theirs: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(bench.device).eval()
    same = 0
    for prompt in prompts:
        [ids] = tokenizer.encode_batch([prompt]).to_pylist()
        steps = generate_ids(
            ours, [ids], Sampling(new, greedy=True), eos_id=None, vocabulary_size=tokenizer.vocabulary_size
        )
        mine = torch.cat(list(steps)).tolist()
        given = torch.tensor([ids], device=bench.device)
        made = theirs.generate(
            given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=new, min_new_tokens=new,
            suppress_tokens=list(range(tokenizer.vocabulary_size, ours.config.vocabulary_size)) or None,
        )  # fmt: skip
        same += mine == made[0, len(ids) :].tolist()
    half = ours.to(torch.bfloat16)
    generate(half, tokenizer, prompts[:1], Sampling(2, greedy=True))
    bench.wait()
    started = time.perf_counter()
    texts = generate(half, tokenizer, prompts, Sampling(new, greedy=True))
    bench.wait()
    seconds = time.perf_counter() - started
    right = sum(text.strip().startswith(answer) for text, (_, answer) in zip(texts, _prompts()[::10], strict=False))
    return {
        "prompts": len(prompts),
        "same ids as transformers": same,
        "right answers": right,
        "s for all, bf16": seconds,
        "texts": texts[:6],
        "ok": same >= len(prompts) - 1,  # a tie may go either way
    }


def _evaluated(bench: Bench, name: str) -> dict[str, Any]:
    """`openroots evaluate` on the card, and some of its answers' likelihoods beside the CPU's."""
    from tokenizer.load import Tokenizer
    from trainer.evaluation.balanced import items
    from trainer.evaluation.run import OWN, Options, evaluate
    from trainer.evaluation.scorer import Scorer
    from trainer.huggingface import load_pretrained

    folder = str(_folder(bench) / "hf-tuned")
    languages = LANGUAGES[1 : bench.of(len(LANGUAGES), 3)]
    report = evaluate(folder, Options(OWN, languages, limit=bench.of(30, 2)), bench.device)
    accuracy = {f"{f.task} {f.language}": f.value for f in report.figures if f.metric == "accuracy"}
    some = [(one.context, " " + choice) for one in items("language-id", ("sw",))[:2] for choice in one.choices]
    nats = []
    for device in ("cpu", bench.device):
        scorer = Scorer(load_pretrained(folder, torch.float32, device), Tokenizer.load(folder, "tokenizers"))
        nats.append([one.nats for one in scorer.likelihoods(some)])
    off = max(abs(one - other) for one, other in zip(*nats, strict=True))
    return {
        "s in all": report.seconds,
        "figures": len(report.figures),
        "mean accuracy, language-id": float(np.mean([v for k, v in accuracy.items() if k.startswith("language-id")])),
        "largest difference of log p from the CPU's": off,
        "accuracy": accuracy,
        "ok": all(np.isfinite(list(accuracy.values()))) and off < NATS_TOLERANCE,
    }


def _texts() -> dict[str, list[str]]:
    """Lines of the Declaration by language."""
    from tokenizer.parallel_text import declaration

    found = declaration()
    return {code: [line for text in found[code].texts for line in text.split("\n") if line] for code in LANGUAGES}


def _prompts() -> list[tuple[str, str]]:
    """(prompt, answer), languages in turn."""
    from configs.load import load_languages

    by_language = [
        [(QUESTION + line, load_languages().name(code)) for line in lines] for code, lines in _texts().items()
    ]
    return [one for together in zip(*by_language, strict=False) for one in together]


def _tokenizer(folder: Path, entries: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from tokenizer.load import Tokenizer as Loaded

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=entries,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator((line for lines in _texts().values() for line in lines), trainer)
    folder.mkdir(parents=True)
    made.save(str(folder / "tokenizer.json"))
    roles = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))
    return Loaded.load(str(folder), "tokenizers")


Document = tuple[np.ndarray, np.ndarray]
"""Ids uint32 and weights float32, of as many tokens."""


def _example(tokenizer: Any, text: str, answer: str, length: int) -> Document:
    [given], [wanted] = (tokenizer.encode_batch([one]).to_pylist() for one in (text, " " + answer))
    given = given[: length - len(wanted) - 1]
    ids = np.asarray([*given, *wanted, tokenizer.eos_id], np.uint32)
    weights = np.zeros(len(ids), np.float32)
    weights[len(given) :] = 1 / (len(wanted) + 1)
    return ids, weights


def _filled(examples: Iterable[Document], length: int) -> list[Document]:
    """Whole examples in sequences one after another, with padding where the next one does not fit.

    After the last sequence comes one token more, its last label.
    """
    found, room = list[Document](), length
    for ids, weights in examples:
        if len(ids) > room:
            if room:
                found.append((np.full(room, 3, np.uint32), np.zeros(room, np.float32)))
            room = length
        found.append((ids, weights))
        room -= len(ids)
    return [*found, (np.full(room + 1, 3, np.uint32), np.zeros(room + 1, np.float32))]


def _write_packed(
    folder: Path,
    name: str,
    length: int,
    documents: Mapping[str, Sequence[np.ndarray] | Sequence[Document]],
    weights: Mapping[str, float],
) -> None:
    """Text, or prompts where `weights` are given, as one language in the form of `openroots pack`."""
    from tokenizer.load import Tokenizer

    place, parts = folder / name / "data" / "en", {}
    place.mkdir(parents=True)
    for part, found in documents.items():
        ids = [one[0] if weights else one for one in found]
        tokens = np.concatenate(ids)
        starts = np.cumsum([0, *map(len, ids[:-1])], dtype=np.int64)
        arrays = {"tokens": tokens, "starts": starts, "ids": np.ones((len(ids), 16), np.uint8)}
        if weights:
            arrays["weights"] = np.concatenate([one[1] for one in found])
        for array_name, array in arrays.items():
            np.save(place / f"{part}-{array_name}.npy", array)
        parts[part] = {"documents": len(ids), "tokens": len(tokens), "sequences": (len(tokens) - 1) // length}
    shutil.copytree(folder / "tokenizer", folder / name / "tokenizer")
    used = Tokenizer.load(str(folder / "tokenizer"), "tokenizers")
    about: dict[str, Any] = {"format": 1, "digest": "0" * 32, "sequence_length": length, "languages": {"en": parts}}
    about |= {"vocabulary_size": used.vocabulary_size, "tokenizer": {"digest": used.digest}}
    if weights:
        about |= {"kind": "prompts", "weights": dict(weights)}
    (folder / name / "manifest.json").write_text(json.dumps(about))


def _train(
    bench: Bench, settings: str, folder: Path, packed: str, run: str, length: int, more: Mapping[str, Any]
) -> dict[int, float]:
    """Run `trainer.train`; returns when each step's row came, by the clock here."""
    changes: dict[str, Any] = {
        "sequence_length": length,
        "batch.size": MICRO,
        "batch.micro": MICRO,
        "precision.loss_chunk": bench.of(4096, 64),
        "parallel.compile": str(not bench.is_rehearsal).lower(),
        "logging.every": 1,
        "logging.evaluate_every": 0,
        "logging.tensorboard": "false",
        **more,
    }
    if bench.is_rehearsal:
        changes |= {"model.layers": 1, "model.hidden": 32, "model.heads": 2, "model.vocabulary_size": 512}
    command = [sys.executable, "-m", "trainer.train", "--config", settings]
    command += ["--packed", str(folder / packed), "--output", str(folder / run)]
    command += [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    stamps: dict[int, float] = {}
    said = folder / f"{run}.txt"
    with said.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=stream, env=os.environ) as process:
        deadline = time.monotonic() + LIMIT
        while process.poll() is None and time.monotonic() < deadline:
            now = time.perf_counter()
            for step in _losses(folder / run):
                stamps.setdefault(step, now)
            time.sleep(0.005)
        if process.poll() is None:
            process.kill()
        status = process.wait()
    print(said.read_text(), file=sys.stderr, flush=True)
    if status:
        last = said.read_text().strip().splitlines()[-1:] or ["nothing"]
        raise RuntimeError(f"trainer.train ended with status {status}; last words: {last[0]}")
    return stamps


def _losses(run: Path) -> dict[int, dict[str, Any]]:
    return {row["step"]: row for row in rows_of(run)}


ROWS = {"model": model}
