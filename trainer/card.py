"""The model card of an exported model: Hugging Face's YAML, then what a reader must know."""

import json
from pathlib import Path
from typing import Any

from trainer.checkpoint import Checkpoint
from trainer.config import TrainingConfig

_TEXT = """---
{yaml}
---

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


def model_card(checkpoint: Checkpoint, config: TrainingConfig) -> str:
    """README.md of the model in a checkpoint, with the newest held-out losses of its run's log up to its step."""
    about, model = checkpoint.manifest, config.model
    languages = about["packed"]["languages"]
    losses = held_out_losses(checkpoint.folder.parent / "log.jsonl", checkpoint.step)
    data: dict[str, Any] = {
        "language": [code for code in languages if "-" not in code and len(code) <= 3],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["bloom", "openroots"],
    }
    rows = ["| language | tokens to train on | held-out loss, nats a token |", "|---|---:|---:|"]
    for code, parts in sorted(languages.items(), key=lambda item: -item[1]["train"]["tokens"]):
        loss = f"{losses[code]:.3f}" if code in losses else "–"
        rows.append(f"| {code} | {parts['train']['tokens']:,} | {loss} |")
    small = about["tokens"] < 1_000_000_000
    return _TEXT.format(
        yaml="\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in data.items()),
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
        languages="\n".join(rows),
        scale="It saw less than a billion tokens: it shows that the parts fit together, no more." if small else "",
    )


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
