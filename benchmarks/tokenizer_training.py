"""Training a tokenizer beside its peers: one file of text, a line a text, each run a process of its own.

    python -m benchmarks.tokenizer_training --vocabularies 32000 --repeats 1

The pattern is GPT-2's, which all tools have, so that all cut the text alike; BLOOM's, which only `tokenizers` has too,
and gigabpe's default, white space, stand in tables of their own. Where a tool learns merges as `tokenizers` does, that
they are the same is checked and said.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import ROOT, Settings, Table, spread
from benchmarks.process import run
from benchmarks.tokenizer_text import Sample, sample
from benchmarks.venv import TOKENIZER_REQUIREMENTS, peers_python

SHARE = 0.62
"""Of the text that the recipe `sample` ingests; more than 200 MB."""
VOCABULARIES = (32_000, 50_000, 250_000)
BLOOM_VOCABULARY = 250_680
PEERS = ("tokenizers", "tokenizers-built-in", "gigabpe", "rustbpe", "bpeasy")
EXACT = ("openroots", "tokenizers", "tokenizers-built-in", "gigabpe")
"""They learn the same merges."""
SCRIPT = ROOT / "benchmarks" / "peers" / "tokenizer_training.py"
NOTES = [
    "Seconds and memory are those of whole processes, from their start to the written tokenizer; the speed is in "
    "seconds, beside `tokenizers`. Memory is the highest resident size, shared libraries included: of ours 0.24 GB "
    "are Python, numba, LLVM and Arrow. All read the same lines and use all cores as they see fit.",
    "`tokenizers`: `Split` of the pattern, then `ByteLevel`; `tokenizers-built-in`: `ByteLevel` with the GPT-2 "
    "pattern that is built into it.",
]


def measure(settings: Settings) -> list[Table]:
    """A table for each vocabulary size with GPT-2's pattern, one with BLOOM's, one with white space."""
    text = sample(settings, SHARE)
    tables = [_measured(text, "gpt2", size, PEERS, settings) for size in VOCABULARIES]
    tables.append(_measured(text, "bloom", BLOOM_VOCABULARY, ("tokenizers",), settings))
    return [*tables, _white_space(text, settings)]


def trained(name: str, text: Path, pattern: str, vocabulary: int, settings: Settings) -> dict[str, Any]:
    """Train once; returns seconds, processor seconds (`cpu`), `peak` bytes, `tokens` or merges, and other figures."""
    from tokenizer.pretokenize import PATTERNS

    output = settings.work / f"merges-{name}.txt"
    if name == "openroots":
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.tokenizer_run", text, "--pattern", pattern]
    else:
        python = peers_python(settings.venv.with_name("bench-venv-tokenizer"), TOKENIZER_REQUIREMENTS)
        known = {"gpt2": "bytelevel"} if name == "gigabpe" else PATTERNS
        command = [python, SCRIPT, name, text, "--pattern", known.get(pattern, pattern)]
    finished = run([*command, "--vocabulary", str(vocabulary), "--output", output])
    figures: dict[str, Any] = {}
    for line in finished.output.splitlines():
        if line.startswith("{"):
            figures |= json.loads(line)
    figures["merges"] = output.read_text(encoding="utf-8").splitlines()
    output.unlink()
    return figures


def _measured(text: Sample, pattern: str, vocabulary: int, peers: Sequence[str], settings: Settings) -> Table:
    trained("openroots", text.lines, pattern, 1000, settings)  # compiles
    runs = {
        name: [trained(name, text.lines, pattern, vocabulary, settings) for _ in range(settings.repeats)]
        for name in ("openroots", *peers)
    }
    ours = runs["openroots"][0]["merges"]
    base = spread([run["seconds"] for run in runs["tokenizers"]]).median
    rows = []
    for name, figures in runs.items():
        seconds = spread([one["seconds"] for one in figures])
        cpu, peak = spread([one["cpu"] for one in figures]), spread([one["peak"] / 1e6 for one in figures])
        merges = _agreement(ours, figures[0]["merges"], name in EXACT)
        cells = [str(seconds), str(cpu), f"{base / seconds.median:.1f} ×", str(peak), merges]
        rows.append([f"**{cell}**" if name == "openroots" else cell for cell in [name, *cells]])
    data = {name: [{k: v for k, v in one.items() if k != "merges"} for one in part] for name, part in runs.items()}
    return Table(
        f"Training {vocabulary:,} entries, pattern `{pattern}`: {text.megabytes:,.0f} MB of text, "
        f"{runs['openroots'][0]['words']:,} distinct pre-tokens",
        ["", "seconds", "processor seconds", "speed", "peak memory, MB", "merges"],
        rows,
        list(NOTES),
        data,
    )


def _agreement(ours: list[str], theirs: list[str], is_exact: bool) -> str:
    """How two lists of merges agree; gigabpe leaves out bytes that never occur, and has room for some merges more."""
    if is_exact:
        count = min(len(ours), len(theirs))
        return "the same" if ours[:count] == theirs[:count] else "**not the same**"
    one, other = ({merge.replace(" ", "") for merge in merges} for merges in (ours, theirs))
    return f"{len(one & other) / len(one):.1%} of the tokens"


def _white_space(text: Sample, settings: Settings) -> Table:
    name, vocabulary = "gigabpe", VOCABULARIES[0]
    runs = [trained(name, text.lines, "whitespace", vocabulary, settings) for _ in range(settings.repeats)]
    cells = [spread([one["seconds"] for one in runs]), spread([one["cpu"] for one in runs])]
    memory = spread([one["peak"] / 1e6 for one in runs])
    return Table(
        f"gigabpe with its default, the white-space pattern, {vocabulary:,} entries, same text",
        ["", "seconds", "processor seconds", "peak memory, MB"],
        [[name, *map(str, cells), str(memory)]],
        ["Not a match of equals: words are `\\w+` or punctuation, characters are not cut into bytes."],
        {name: [{k: v for k, v in one.items() if k != "merges"} for one in runs]},
    )


def main() -> None:
    """Print the tables of some vocabulary sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabularies", type=int, nargs="*", default=VOCABULARIES)
    parser.add_argument("--share", type=float, default=SHARE, help="of the text of the sample")
    parser.add_argument("--pattern", default="gpt2", choices=["gpt2", "bloom"])
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    settings = Settings(repeats=arguments.repeats)
    for size in arguments.vocabularies:
        table = _measured(sample(settings, arguments.share), arguments.pattern, size, arguments.peers, settings)
        print(table.title, *("  ".join(row) for row in [table.columns, *table.rows]), *table.notes, sep="\n")


if __name__ == "__main__":
    main()
