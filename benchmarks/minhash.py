"""MinHash alone, on one core: text to signatures of 112 permutations, ours beside datasketch, rensa and text-dedup."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import ROOT, Settings, Spread, Table, rates, spread, timed
from benchmarks.chain import one_core
from benchmarks.process import run
from benchmarks.text import megabytes, real_text
from benchmarks.venv import peers_python
from configs.load import load_languages
from pipeline.deduplication.exact import exact_hashes
from pipeline.deduplication.lines import cut_lines, line_hashes
from pipeline.deduplication.minhash import CHARACTERS, WORDS, band_hashes, signatures
from pipeline.text.columns import decode

TEXT_DEDUP = "text-dedup==0.4.0"
PEERS = {"datasketch": "datasketch 2.0.0", "rensa": "rensa 0.5.0", "text-dedup": "text-dedup 0.4.0"}
PEER_SHARE = 4
"""A peer's run gets this part of `settings.peer_seconds`."""


def measure(settings: Settings) -> list[Table]:
    """The table of signatures, ours beside the peers', and that of our other kernels."""
    batches = real_text(settings)
    size = megabytes(batches)
    documents = sum(batch.num_rows for batch in batches)
    with one_core():
        kernels = _kernels(batches, size, settings.repeats)
        peers = _peers(batches, settings)
    own = kernels.pop("signatures")
    rows = [["**OpenRoots**", f"**{own}**", "–"]]
    for name, (whole, signing) in peers.items():
        rows.append([PEERS[name], str(whole), "–" if name == "text-dedup" else str(signing)])
    data = {
        "megabytes": size,
        "openroots": vars(own),
        "peers": {name: [vars(s) for s in p] for name, p in peers.items()},
    }
    title = f"MinHash on one core, 112 permutations of word 5-grams: {size:,.0f} MB, {documents:,} documents of 2–4 kB"
    minhash = Table(
        title, ["", "text to signatures, MB/s", "of that, signatures from ready shingles, MB/s"], rows, NOTES, data
    )
    others = Table(
        "Other kernels of deduplication on one core, same text",
        ["kernel", "MB/s"],
        [[name, str(rate)] for name, rate in kernels.items()],
        [],
        {name: vars(rate) for name, rate in kernels.items()},
    )
    return [minhash, others]


NOTES = [
    "Ours finds words by Unicode classes and folds case, and takes characters as words in scripts without spaces; the "
    "peers get `text.lower().split()`, the cheapest that Python offers, but text-dedup, which makes its own. Ours has "
    "the values of datasketch for the same shingles and hash function; both with 32-bit hashes.",
    f"Peers each read the same text from its start for a quarter of the time given to slow peers. {TEXT_DEDUP} "
    "requires a version of `fire` that has no wheel, so it is installed with only those requirements that its MinHash "
    "uses.",
]


def _kernels(batches: list[pa.RecordBatch], size: float, repeats: int) -> dict[str, Spread]:
    unspaced = [code for code, entry in load_languages().natural.items() if entry.unspaced]
    columns = []
    for batch in batches:
        is_unspaced = pc.is_in(decode(batch["language"]), pa.array(unspaced, pa.string()))
        modes = np.where(is_unspaced.to_numpy(zero_copy_only=False), CHARACTERS, WORDS).astype(np.uint8)
        columns.append((batch["text"], modes))
    signed = [signatures(texts, modes)[0] for texts, modes in columns]
    recurring = np.unique(np.concatenate([line_hashes(texts)[0] for texts, _ in columns]))[::20].copy()
    functions = {
        "signatures": lambda: [signatures(texts, modes) for texts, modes in columns],
        "band hashes of signatures": lambda: [band_hashes(values, 14) for values in signed],
        "exact keys": lambda: [exact_hashes(texts, modes == 255, is_nfc=True) for texts, modes in columns],
        "hashes of lines": lambda: [line_hashes(texts) for texts, _ in columns],
        "cutting every twentieth line": lambda: [cut_lines(texts, recurring) for texts, _ in columns],
    }
    found = {}
    for name, function in functions.items():
        function()  # compiles
        found[name] = rates(size, timed(function, max(3, repeats)))
    return found


def _peers(batches: list[pa.RecordBatch], settings: Settings) -> dict[str, tuple[Spread, Spread]]:
    python = peers_python(settings.venv)
    _install_text_dedup(python)
    text = settings.work / "minhash.jsonl"
    with open(text, "w", encoding="utf-8") as stream:
        for batch in batches:
            stream.writelines(json.dumps({"text": value}) + "\n" for value in batch["text"].to_pylist())
    found = {}
    for name in PEERS:
        runs = [_peer(python, name, text, settings.peer_seconds / PEER_SHARE) for _ in range(settings.repeats)]
        whole = spread([one["bytes"] / 1e6 / (one["making"] + one["signing"]) for one in runs])
        found[name] = (whole, spread([one["bytes"] / 1e6 / one["signing"] for one in runs]))
    return found


def _peer(python: Path, name: str, text: Path, seconds: float) -> dict[str, Any]:
    script = ROOT / "benchmarks" / "peers" / "minhash_peers.py"
    output = run([python, "-W", "ignore", script, name, text, "--seconds", str(seconds)]).output
    return json.loads(output.splitlines()[-1])


def _install_text_dedup(python: Path) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--only-binary", ":all:", TEXT_DEDUP], check=True)
