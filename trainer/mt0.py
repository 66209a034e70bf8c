"""Fine-tune an encoder–decoder such as mT5 on a mixture of prompts, as mT0 was, with `transformers` and `accelerate`.

There is no model code here: any folder that `AutoModelForSeq2SeqLM` opens will do. The encoder reads the input, the
decoder writes the target; losses are normalised by example, as in `trainer.pack_prompts`, and the order of examples is
that of `trainer.order`. On many GPUs, or with FSDP, start it with `accelerate launch -m trainer.mt0 …`. A killed run
resumes from its newest checkpoint.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional

from configs.errors import ConfigurationError, InputError, OpenRootsError, OutputError
from configs.places import on_disk
from pipeline.runtime import storage
from pipeline.runtime.shards import open_shard
from trainer.mt0_checkpoint import Mt0Checkpoints
from trainer.order import Order
from trainer.pack_prompts import read_prompts_manifest


@dataclass(frozen=True)
class Mt0Settings:
    """Settings of a run.

    batch, micro            examples a step over all processes, and of a forward pass
    learning_rate           constant; Adafactor's, as for mT5 (Xue et al. 2021)
    input_max, target_max   tokens; longer examples are skipped, not cut
    save_every              steps between checkpoints
    """

    model: str
    prompts: str
    output: str
    steps: int = 1000
    batch: int = 1024
    micro: int = 8
    learning_rate: float = 1e-3
    seed: int = 0
    input_max: int = 1024
    target_max: int = 256
    evaluate: int = 64
    save_every: int = 100


class PromptTable:
    """Prompts of one part of a mixture, memory-mapped, by language and number."""

    def __init__(self, prompts: str, part: str) -> None:
        tables: dict[str, list[pa.Table]] = {}
        for shard in read_prompts_manifest(prompts)["shards"]:
            if shard["part"] == part:
                with open_shard(storage.join(prompts, shard["path"])) as batches:
                    table = pa.Table.from_batches(list(batches)).select(["input", "target"])
                tables.setdefault(shard["language"], []).append(table)
        self.tables = {language: pa.concat_tables(parts) for language, parts in sorted(tables.items())}
        self.counts = {language: table.num_rows for language, table in self.tables.items()}

    def pair(self, language: str, number: int) -> tuple[str, str]:
        """(input, target) of a prompt."""
        table = self.tables[language]
        return table["input"][number].as_py(), table["target"][number].as_py()


def example_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss of each example's labels, nats (b,): logits (b, t, v), labels (b, t) with -100 for none."""
    losses = functional.cross_entropy(logits.float().transpose(1, 2), labels, reduction="none", ignore_index=-100)
    return losses.sum(1) / (labels != -100).sum(1).clamp(min=1)


def train_mt0(settings: Mt0Settings, say: Any = print) -> dict[str, Any]:
    """Fine-tune and save; returns the figures of the run. Raises OpenRootsError."""
    from accelerate import Accelerator
    from transformers.optimization import Adafactor

    output = on_disk(settings.output)
    accelerator = Accelerator()
    manifest = read_prompts_manifest(settings.prompts)
    checkpoints = Mt0Checkpoints(output, _identity(settings, manifest["digest"]))
    newest = checkpoints.newest()
    ranks = accelerator.num_processes
    if settings.batch % (ranks * settings.micro):
        raise ConfigurationError(
            f"--batch ({settings.batch}) must be a multiple of processes × --micro ({ranks} × {settings.micro})"
        )
    model, tokenizer = _load(settings.model)
    data, held_out = (PromptTable(settings.prompts, part) for part in ("train", "held_out"))
    weights = {name: weight for name, weight in manifest["weights"].items() if data.counts.get(name)}
    order = Order(data.counts, settings.seed, weights or None)
    optimizer = Adafactor(
        model.parameters(), lr=settings.learning_rate, scale_parameter=False, relative_step=False, warmup_init=False
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    held = _held_out_batches(held_out, tokenizer, settings)
    begun = checkpoints.load(accelerator, newest) if newest else None
    if begun and accelerator.is_main_process:
        say(f"resumed from {newest}")
    figures: dict[str, Any] = (
        begun["figures"] if begun else {"held_out_before": _evaluate(model, held, accelerator), "too_long": 0}
    )
    share = settings.batch // ranks
    for step in range(begun["step"] if begun else 0, settings.steps):
        begin = step * settings.batch + accelerator.process_index * share
        languages, numbers = order.at(np.arange(begin, begin + share, dtype=np.int64))
        pairs = [data.pair(order.languages[i], int(n)) for i, n in zip(languages, numbers, strict=True)]
        kept = [one for one in (_encoded(tokenizer, pair, settings) for pair in pairs) if one]
        loss, read = _step(model, optimizer, accelerator, kept, share, settings, tokenizer)
        figures["too_long"] += settings.batch - read
        figures["loss"] = loss
        if accelerator.is_main_process and (step == 0 or (step + 1) % 10 == 0):
            say(f"step {step + 1:>6,} of {settings.steps:,} · loss {loss:.4f}")
        if (step + 1) % settings.save_every == 0 and step + 1 < settings.steps:
            checkpoints.save(accelerator, step + 1, figures)
    figures["held_out_after"] = _evaluate(model, held, accelerator)
    _save(model, tokenizer, accelerator, checkpoints.output)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        checkpoints.remove()
    accelerator.end_training()
    return figures


def _identity(settings: Mt0Settings, prompts_digest: str) -> dict[str, Any]:
    """What a run must keep to be resumed; it may be longer, and on another number of processes."""
    kept = ("model", "batch", "learning_rate", "seed", "input_max", "target_max")
    return {"prompts": prompts_digest, **{name: getattr(settings, name) for name in kept}}


def _step(
    model: Any,
    optimizer: Any,
    accelerator: Any,
    examples: Sequence[tuple[list[int], list[int]]],
    share: int,
    settings: Mt0Settings,
    tokenizer: Any,
) -> tuple[float, int]:
    """One step on a process's examples; returns the mean loss, and the examples, of all processes.

    Every process makes the same number of passes, with examples or without: the others would wait for it.
    """
    count = torch.tensor(float(len(examples)), device=accelerator.device)
    read = int(accelerator.reduce(count, "sum"))
    total = max(read, 1)
    summed = torch.zeros((), device=accelerator.device)
    passes = -(-share // settings.micro)
    for number in range(passes):
        rows = list(examples[number * settings.micro : (number + 1) * settings.micro])
        batch = _padded(rows or [([tokenizer.pad_token_id], [tokenizer.pad_token_id])], tokenizer, accelerator.device)
        output = model(**batch)
        loss = example_losses(output.logits, batch["labels"]).sum() * float(bool(rows))
        # Gradients are averaged over processes: undone, so that each example counts the same.
        accelerator.backward(loss * accelerator.num_processes / total)
        summed += loss.detach()
    accelerator.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return float(accelerator.reduce(summed, "sum") / total), read


@torch.no_grad()
def _evaluate(model: Any, batches: Sequence[list[tuple[list[int], list[int]]]], accelerator: Any) -> float | None:
    """Mean loss of held-out prompts, the same on all processes, each of which makes all passes; None without any."""
    if not batches:
        return None
    model.eval()
    found = []
    for rows in batches:
        batch = _padded(rows, None, accelerator.device)
        found.append(example_losses(model(**batch).logits, batch["labels"]))
    model.train()
    return float(torch.cat(found).mean())


def _held_out_batches(
    held_out: PromptTable, tokenizer: Any, settings: Mt0Settings
) -> list[list[tuple[list[int], list[int]]]]:
    pairs = (held_out.pair(language, n) for language, count in held_out.counts.items() for n in range(count))
    encoded = (one for one in (_encoded(tokenizer, pair, settings) for pair in pairs) if one)
    rows = [one for _, one in zip(range(settings.evaluate), encoded, strict=False)]
    return [rows[begin : begin + settings.micro] for begin in range(0, len(rows), settings.micro)]


def _encoded(tokenizer: Any, pair: tuple[str, str], settings: Mt0Settings) -> tuple[list[int], list[int]] | None:
    """Ids of an example, each side ended by eos; None where it is too long."""
    source, target = (tokenizer(text)["input_ids"] for text in pair)
    return (source, target) if len(source) <= settings.input_max and len(target) <= settings.target_max else None


def _padded(rows: Sequence[tuple[list[int], list[int]]], tokenizer: Any, device: Any) -> dict[str, Tensor]:
    sources, targets = (max(len(row[side]) for row in rows) for side in (0, 1))
    ids = torch.zeros(len(rows), sources, dtype=torch.int64)
    mask = torch.zeros(len(rows), sources, dtype=torch.int64)
    labels = torch.full((len(rows), targets), -100)
    for number, (source, target) in enumerate(rows):
        ids[number, : len(source)], mask[number, : len(source)] = torch.tensor(source), 1
        labels[number, : len(target)] = torch.tensor(target)
    return {name: t.to(device) for name, t in (("input_ids", ids), ("attention_mask", mask), ("labels", labels))}


def _load(folder: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    if not (Path(folder) / "config.json").is_file():
        raise InputError(f"{folder}/config.json", "no such file", "Give the folder of an mT5, as transformers opens it")
    try:
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        remedy = "Give the folder of an mT5, as transformers opens it"
        raise InputError(folder, f"is not an encoder–decoder that can be opened ({cause})", remedy) from error
    if tokenizer.eos_token_id is None or tokenizer.pad_token_id is None:
        raise ConfigurationError(f"{folder}: the tokenizer names no token that ends a text, or none to fill up with")
    if len(tokenizer) > model.config.vocab_size:
        raise ConfigurationError(f"{folder}: the tokenizer has {len(tokenizer):,} entries, the model fewer")
    return model.train(), tokenizer


def _save(model: Any, tokenizer: Any, accelerator: Any, target: Path) -> None:
    state = accelerator.get_state_dict(model)
    try:
        accelerator.unwrap_model(model).save_pretrained(
            str(target), state_dict=state, is_main_process=accelerator.is_main_process, save_function=accelerator.save
        )
        if accelerator.is_main_process:
            tokenizer.save_pretrained(str(target))
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error}") from error


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="folder of a model such as mT5, in transformers' format")
    parser.add_argument("--prompts", required=True, help="output of `openroots mix-prompts`")
    parser.add_argument("--output", required=True, help="a folder that is empty or does not exist")
    default = Mt0Settings("", "", "")
    for name, help in (
        ("steps", "optimizer steps"),
        ("batch", "examples per step, over all processes"),
        ("micro", "examples per forward pass"),
        ("learning-rate", "constant, for Adafactor"),
        ("seed", "for the order of examples"),
        ("input-max", "tokens; examples with longer inputs are skipped and counted"),
        ("target-max", "tokens; likewise for targets"),
        ("evaluate", "held-out prompts whose loss is measured before and after"),
        ("save-every", "steps between checkpoints, from which a killed run resumes"),
    ):
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"{help} ({value})")
    return parser


def main(arguments: Sequence[str] | None = None, program: str = "trainer.mt0") -> int:
    """The entry for `accelerate launch`, and of `openroots train-mt0`; returns the exit status."""
    parser = _parser(program)
    try:
        from configs.extras import need

        need("accelerate", "mt0")
        need("transformers", "mt0")
        given = parser.parse_args(arguments)
        for name in ("steps", "batch", "micro", "input_max", "target_max", "save_every"):
            if getattr(given, name) < 1:
                parser.error(f"--{name.replace('_', '-')} must be at least 1")
        figures = train_mt0(Mt0Settings(**vars(given)))
    except OpenRootsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
