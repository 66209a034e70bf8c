"""The card of a mixture of prompts, by which `datasets` opens it, too."""

from collections.abc import Mapping
from typing import Any

from configs.mixtures import MixturePlan
from governance.cards import markdown
from governance.registry import source_licences
from pipeline.runtime import storage

PARTS = {"train": "train", "test": "held_out"}
"""Names of parts as `datasets` has them."""


def write_card(output: str, mixed: MixturePlan, manifest: Mapping[str, Any]) -> None:
    """Write README.md. Raises OutputError."""
    mixture, languages = mixed.mixture, manifest["languages"]
    sums = {part: sum(counts[part] for counts in languages.values()) for part in PARTS.values()}
    lines = ["---", "configs:", *_files("default", "*", sums), "  default: true"]
    lines += [f'  description: "digest {manifest["digest"]}"']  # as in `governance.cards`
    for language, counts in languages.items():
        lines += _files(language, language, counts)
    lines += ["---", "", f"# {markdown(mixture.title)}", ""]
    lines += [markdown(mixture.description), ""] if mixture.description else []
    lines += [
        f"{sums['train']:,} training prompts, {sums['held_out']:,} held out, in {len(languages)} languages. "
        "A row is a prompt: `input`, `target`, its `set` and `template`, its source document's licence, and that "
        "document's id in the ledger, for `openroots why`.",
        "",
        f"Digest: `{manifest['digest']}`.",
        "",
        "## Sets and templates",
        "",
        "| set / template | prompts | held out | left out: over the limit | in evaluation | duplicates |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, counts in manifest["templates"].items():
        parts = [sum(counts["parts"].get(part, {}).values()) for part in PARTS.values()]
        left = [counts[reason] for reason in ("over_limit", "in_evaluation", "duplicate")]
        lines.append(f"| {markdown(name)} | " + " | ".join(f"{number:,}" for number in (*parts, *left)) + " |")
    lines += ["", "## Sources", "", "| source | licence | custodian | consent |", "|---|---|---|---|"]
    for source in mixed.plan.sources:
        cells = (source.title, ", ".join(source_licences(source)), source.custodian, source.consent or "not said")
        lines.append("| " + " | ".join(map(markdown, cells)) + " |")
    lines += ["", "## Languages", "", "| language | prompts | held out | weight in training |", "|---|---:|---:|---:|"]
    for language, counts in languages.items():
        name, share = mixed.plan.languages.name(language), manifest["weights"].get(language, 0.0)
        numbers = f"{counts['train']:,} | {counts['held_out']:,} | {share:.2%}"
        lines.append(f"| {markdown(name)} (`{language}`) | {numbers} |")
    storage.write_text(storage.join(output, "README.md"), "\n".join(lines) + "\n")


def _files(name: str, folder: str, counts: Mapping[str, int]) -> list[str]:
    lines = [f'- config_name: "{name}"', "  data_files:"]
    for split, part in PARTS.items():
        if counts[part]:
            lines += [f"  - split: {split}", f'    path: "data/{folder}/{part}.arrow"']
    return lines
