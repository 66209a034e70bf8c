"""How well models answer held-out prompts: the likelihood of targets, and the choice among answers that are given.

A loss is the mean over the tokens of a target, in nats; a model chooses the answer whose loss is least. Differences of
two models are of the same prompts, and their intervals are from resampling the documents that these are from (paired
bootstrap over clusters: prompts of one document are not independent).
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from configs.errors import InputError, OpenRootsError
from pipeline.runtime import storage
from pipeline.runtime.shards import open_shard
from tokenizer.load import Tokenizer
from trainer.evaluation import Scorer, ratio
from trainer.generate import Sampling, generate
from trainer.huggingface import load_pretrained
from trainer.model import Bloom
from trainer.pack_prompts import joined, read_prompts_manifest

_BATCH_TOKENS = 16_384
_SHOWN_CHARACTERS = 400
_ANSWER_TOKENS = 24


@dataclass(frozen=True)
class HeldOut:
    """A prompt that no model was trained on. `choices` are all answers there are, empty where they are not given."""

    task: str
    language: str
    document: str
    input: str
    target: str
    choices: tuple[str, ...] = ()


def held_out_prompts(prompts: str, most: int = 200) -> list[HeldOut]:
    """Held-out prompts of a mixture, at most so many of a task, in the order of their ids. Raises InputError."""
    found: dict[str, list[tuple[str, HeldOut]]] = {}
    for shard in read_prompts_manifest(prompts)["shards"]:
        if shard["part"] != "held_out":
            continue
        with open_shard(storage.join(prompts, shard["path"])) as batches:
            for batch in batches:
                for row in batch.to_pylist():
                    task = f"{row['set']}/{row['template']}"
                    texts = (row["language"], row["document"], row["input"], row["target"])
                    one = HeldOut(task, *texts, tuple(row["choices"] or ()))
                    found.setdefault(task, []).append((row["id"], one))
    if not found:
        raise InputError(prompts, "holds no held-out prompt", "Mix prompts with `held_out` over 0")
    return [one for task in sorted(found) for _, one in sorted(found[task], key=lambda pair: pair[0])[:most]]


def target_losses(
    model: Bloom, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], *, tokens_max: int = 2048
) -> np.ndarray:
    """Mean loss of each target's tokens, eos included, nats (n,), float64; NaN where a pair has too many tokens."""
    sides = [joined(*pair) for pair in pairs]
    inputs, targets = (tokenizer.encode_batch([side[number] for side in sides]).to_pylist() for number in (0, 1))
    eos = [tokenizer.eos_id] if tokenizer.eos_id is not None else []
    sequences = [([*one, *other, *eos], len(other) + len(eos)) for one, other in zip(inputs, targets, strict=True)]
    fits = [row for row, (ids, _) in enumerate(sequences) if len(ids) <= tokens_max and inputs[row]]
    nats = Scorer(model, tokenizer, batch_tokens=_BATCH_TOKENS).nats([sequences[row] for row in fits])
    losses = np.full(len(sequences), np.nan)
    losses[fits] = [-value / sequences[row][1] for row, value in zip(fits, nats, strict=True)]
    return losses


@dataclass(frozen=True)
class Scores:
    """Of a model, by prompt: `losses` float64 (n,), nats a token; `right` float64 (n,), 1 or 0, NaN without choices."""

    losses: np.ndarray
    right: np.ndarray


def score(model: Bloom, tokenizer: Tokenizer, prompts: Sequence[HeldOut]) -> Scores:
    """Score a model on prompts."""
    pairs, owners = [(one.input, one.target) for one in prompts], []
    for number, one in enumerate(prompts):
        pairs += [(one.input, choice) for choice in one.choices]
        owners += [number] * len(one.choices)
    losses = target_losses(model, tokenizer, pairs)
    right = np.full(len(prompts), np.nan)
    best: dict[int, tuple[float, bool]] = {}
    for number, (_, choice), loss in zip(owners, pairs[len(prompts) :], losses[len(prompts) :], strict=True):
        if np.isfinite(loss) and (number not in best or loss < best[number][0]):
            best[number] = float(loss), choice == prompts[number].target
    for number, (_, is_right) in best.items():
        right[number] = is_right
    return Scores(losses[: len(prompts)], right)


def compare(prompts: Sequence[HeldOut], before: Scores, after: Scores) -> list[dict[str, Any]]:
    """A row a task and measure, and one for all: values of both models, the difference, its 95 % interval, items."""
    rows = []
    tasks = np.array([one.task for one in prompts])
    _, documents = np.unique([one.document for one in prompts], return_inverse=True)
    chances = np.array([1 / len(one.choices) if one.choices else np.nan for one in prompts])
    for task in ("all", *dict.fromkeys(tasks.tolist())):
        of_task = np.ones(len(tasks), bool) if task == "all" else tasks == task
        for measure, first, second in (
            ("loss", before.losses, after.losses),
            ("accuracy", before.right, after.right),
        ):
            there = of_task & np.isfinite(first) & np.isfinite(second)
            if not there.any():
                continue
            low, high = paired_interval(first[there], second[there], documents[there])
            rows.append(
                {
                    "task": task,
                    "measure": measure,
                    "items": int(there.sum()),
                    "chance": float(chances[there].mean()) if measure == "accuracy" else None,
                    "before": float(first[there].mean()),
                    "after": float(second[there].mean()),
                    "difference": float((second - first)[there].mean()),
                    "low": low,
                    "high": high,
                }
            )
    return rows


def paired_interval(first: np.ndarray, second: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of second - first, by resampling the clusters (int (n,)) that the pairs are of."""
    _, clusters = np.unique(clusters, return_inverse=True)
    found = ratio(np.bincount(clusters, second - first), np.bincount(clusters))
    return found.low, found.high


def compare_models(
    prompts: str, base: str, tuned: str, most: int = 200, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Two models, given as folders, on the held-out prompts of a mixture: `rows` of `compare`, some `answers` of both.

    Raises OpenRootsError.
    """
    held_out = held_out_prompts(prompts, most)
    some = first_of_tasks(held_out)
    scores, answers = [], []
    for folder in (base, tuned):
        say(f"{len(held_out):,} held-out prompts to {folder}")
        model, tokenizer = load_pretrained(folder, torch.float32), Tokenizer.load(folder)
        scores.append(score(model, tokenizer, held_out))
        answers.append([_answer(model, tokenizer, one) for one in some])
    shown = [
        {"task": one.task, "input": one.input, "target": one.target, "before": before, "after": after}
        for one, before, after in zip(some, *answers, strict=True)
    ]
    rows = compare(held_out, *scores)
    return {"prompts": prompts, "base": base, "tuned": tuned, "rows": rows, "answers": shown}


def first_of_tasks(prompts: Sequence[HeldOut], most: int = 2) -> list[HeldOut]:
    """The first short prompts of each task, each of a language of its own."""
    found: list[HeldOut] = []
    for one in prompts:
        of_task = [other.language for other in found if other.task == one.task]
        if len(of_task) < most and one.language not in of_task and len(one.input) <= _SHOWN_CHARACTERS:
            found.append(one)
    return found


def _answer(model: Bloom, tokenizer: Tokenizer, one: HeldOut) -> str:
    (answer,) = generate(model, tokenizer, [one.input], Sampling(_ANSWER_TOKENS, greedy=True))
    return answer.strip()


def _told(report: dict[str, Any]) -> Iterator[str]:
    yield f"{'task':<34} {'measure':<9} {'items':>6} {'base':>8} {'tuned':>8}   difference (95 % interval)"
    for row in report["rows"]:
        chance = f" · chance {row['chance']:.2f}" if row["chance"] is not None else ""
        interval = f"{row['difference']:+.3f} ({row['low']:+.3f} … {row['high']:+.3f}){chance}"
        numbers = f"{row['items']:>6,} {row['before']:>8.3f} {row['after']:>8.3f}"
        yield f"{row['task']:<34} {row['measure']:<9} {numbers}   {interval}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare two models; returns the exit status."""
    parser = argparse.ArgumentParser(prog="trainer.prompt_scores", description=__doc__)
    parser.add_argument("--prompts", required=True, help="output of `openroots mix-prompts`")
    parser.add_argument("--base", required=True, help="folder of a model, such as `openroots export` writes")
    parser.add_argument("--tuned", required=True, help="folder of another, with the same tokenizer or its own")
    parser.add_argument("--most", type=int, default=200, help="prompts of a task (200)")
    parser.add_argument("--output", help="folder for scores.json and report.html")
    given = parser.parse_args(arguments)
    try:
        report = compare_models(
            given.prompts, given.base, given.tuned, given.most, lambda text: print(text, file=sys.stderr)
        )
        if given.output:
            from trainer.prompt_report import write_report

            storage.write_json(str(Path(given.output) / "scores.json"), report)
            write_report(str(Path(given.output) / "report.html"), report)
    except OpenRootsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(_told(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
