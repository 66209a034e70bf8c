"""The model card of an exported model: Hugging Face's YAML, then what a reader must know."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from configs.load import load_languages
from governance.cards import hub_languages, hub_licences
from trainer.checkpoint import Checkpoint
from trainer.config import TrainingConfig

_TEXT = """---
{head}---

# {name}

A BLOOM model ({architecture}) trained from scratch with OpenRoots.

| | |
|---|---|
| parameters | {parameters:,} |
| layers · hidden · heads | {layers} · {hidden} · {heads} |
| embedding rows | {vocabulary:,} |
| tokens seen | {tokens:,} (step {step:,}, {sequence_length:,} a sequence) |
| peak learning rate · batch | {rate:.1e} · {batch:,} sequences |
| computed in | {compute} |
| packed text | `{digest}`, of the corpus `{corpus}` |
| licence | {licence} |

## Use

```python
from transformers import pipeline

print(pipeline("text-generation", "PATH OF THIS FOLDER")("…", max_new_tokens=30)[0]["generated_text"])
```

## Languages

{languages}

## Limits

It continues text. It was not taught to follow instructions or to be truthful, and it repeats what its corpus holds,
biases too. A language with little text above is known little. {scale}
"""


def model_card(checkpoint: Checkpoint, config: TrainingConfig, licence: str | None = None) -> str:
    """README.md of the model in a checkpoint, with the newest held-out losses of its run's log up to its step.

    `licence` is an SPDX expression; without one the card says that none was given.
    """
    about, model = checkpoint.manifest, config.model
    languages = about["packed"]["languages"]
    losses = held_out_losses(checkpoint.folder.parent / "log.jsonl", checkpoint.step)
    rows = ["| language | tokens to train on | held-out loss, nats a token |", "|---|---:|---:|"]
    for code, parts in sorted(languages.items(), key=lambda item: -item[1]["train"]["tokens"]):
        loss = f"{losses[code]:.3f}" if code in losses else "–"
        rows.append(f"| {code} | {parts['train']['tokens']:,} | {loss} |")
    small = about["tokens"] < 1_000_000_000
    return _TEXT.format(
        head=yaml.safe_dump(
            _head(list(languages), licence) | _evaluation(config.name, about, losses),
            allow_unicode=True,
            sort_keys=False,
            width=120,
        ),
        name=config.name,
        architecture="ALiBi, pre-layer-norm, tied embeddings",
        parameters=model.parameters,
        layers=model.layers,
        hidden=model.hidden,
        heads=model.heads,
        vocabulary=model.vocabulary_size,
        tokens=about["tokens"],
        step=checkpoint.step,
        sequence_length=config.sequence_length,
        rate=config.schedule.learning_rate,
        batch=config.batch.size,
        compute=config.precision.compute,
        digest=about["packed"]["digest"],
        corpus=about["packed"].get("corpus") or "unknown",
        licence=licence or "none was given: ask whoever trained it before you use it",
        languages="\n".join(rows),
        scale="It saw less than a billion tokens: it shows that the parts fit together, no more." if small else "",
    )


def _head(codes: list[str], licence: str | None) -> dict[str, Any]:
    """What the Hub reads: languages (BCP-47), licence, library, task."""
    programming = load_languages().programming
    natural = sorted(code for code in codes if code not in programming and code != "und")
    has_code = any(code in programming for code in codes)
    known, unknown = hub_licences([licence] if licence else [])
    data: dict[str, Any] = {
        **hub_languages(natural, has_code=has_code),
        "license": (known or ["unknown"])[0],
    }
    if unknown:
        data |= {"license_name": "-and-".join(unknown).lower(), "license_link": "README.md"}
    return data | {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": ["bloom", "openroots"]}


def _evaluation(name: str, about: Mapping[str, Any], losses: Mapping[str, float]) -> dict[str, Any]:
    """Held-out losses in the form of the Hub's `model-index`, and what the model was trained on."""
    packed = about["packed"]
    trained = {"tokens": about["tokens"], "packed_digest": packed["digest"], "corpus_digest": packed.get("corpus")}
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": f"held-out text, {code}", "type": "openroots", "config": code, "split": "held_out"},
            "metrics": [{"type": "loss", "name": "nats per token", "value": round(loss, 4)}],
        }
        for code, loss in sorted(losses.items())
    ]
    return {"trained_on": trained, **({"model-index": [{"name": name, "results": results}]} if results else {})}


def held_out_losses(log: Path, step: int) -> dict[str, float]:
    """The newest held-out losses by language in a run's log, not after `step`; none where there is no log."""
    found: dict[str, float] = {}
    if log.exists():
        for line in log.read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if "held_out" in row and row["step"] <= step:
                found = row["held_out"]
    return found
