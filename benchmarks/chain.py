"""Annotate and MinHash on one core, stage by stage, beside datatrove doing the same steps.

Ours: language identification, quality measures, personal data, exact hash, MinHash signature and its bands over
batches of 1 000 documents. datatrove cannot do 100 MB in the time: it gets a limit, and MB/s are compared.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import ROOT, Settings, Table, rates
from benchmarks.process import run
from benchmarks.text import megabytes, real_text
from benchmarks.venv import peers_python
from configs.load import Plan, load_languages, load_recipe
from pipeline.annotate import Annotator, Identification, language_identifier
from pipeline.deduplication.exact import exact_hashes
from pipeline.deduplication.minhash import CHARACTERS, CODE, WORDS, band_hashes, signatures
from pipeline.pii.outward import redactor_of
from pipeline.quality import Measures
from pipeline.text.columns import decode

STAGES = ("language", "quality", "pii", "exact", "minhash")
PEER_STEPS = {"language": ("language",), "quality": ("repetition", "quality"), "pii": ("pii",), "minhash": ("minhash",)}
PEER_TEXT_MEGABYTES = 24


class Chain:
    """Our stages over one batch, with the seconds that each took."""

    def __init__(self, plan: Plan) -> None:
        self._identify = Identification(plan.languages, language_identifier(plan))
        self._measures = Measures(plan.languages, plan.recipe.quality)
        self._redactor = redactor_of(plan)
        self._settings = plan.recipe.deduplication
        self._modes = {code: CHARACTERS if entry.unspaced else WORDS for code, entry in plan.languages.natural.items()}
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Annotate and sign one batch; the steps are those of `pipeline.annotate.Annotator`, each timed."""
        with self._timed("language"):
            batch = self._identify(batch)
        with self._timed("quality"):
            self._measures(batch["text"], batch["language"])
        with self._timed("pii"):
            texts, _ = self._redactor.redact(batch["text"], batch["language"])
        batch = batch.set_column(batch.schema.get_field_index("text"), batch.schema.field("text"), texts)
        languages = decode(batch["language"]).to_pylist()
        modes = np.array([self._modes.get(language, WORDS) for language in languages], np.uint8)
        with self._timed("exact"):
            exact_hashes(batch["text"], modes == CODE, is_nfc=True)
        with self._timed("minhash"):
            settings = self._settings
            signature, _ = signatures(
                batch["text"], modes, count=settings.permutations, seed=settings.seed, ngram=settings.ngram
            )
            band_hashes(signature, settings.bands)
        return batch


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, its threads and children on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        pa.set_cpu_count(threads)


def measure(settings: Settings) -> list[Table]:
    """The table of stages, ours beside datatrove's."""
    batches = real_text(settings)
    size = megabytes(batches)
    with one_core():
        passes = _passes(batches, settings.repeats)
        peers = {name: _peer(batches, settings, name) for name in ("all measures", "default thresholds")}
    documents = sum(batch.num_rows for batch in batches)
    languages = len({language for batch in batches for language in decode(batch["language"]).to_pylist()})
    table = Table(
        f"Annotate + MinHash on one core: {size:,.0f} MB, {documents:,} documents of 2–4 kB in {languages} languages",
        ["stage", "OpenRoots, MB/s", *(f"datatrove 0.10.1, {name}, MB/s" for name in peers)],
        [[stage, str(rates(size, [one[stage] for one in passes])), *_peer_cells(stage, peers)] for stage in STAGES],
        notes=_notes(peers, settings),
        data={"megabytes": size, "passes": passes, "datatrove": peers},
    )
    whole = [sum(one.values()) for one in passes]
    rest = [f"{_rate(peer, peer['wall']):.3f}" for peer in peers.values()]
    table.rows.append(["**whole chain**", f"**{rates(size, whole)}**", *(f"**{cell}**" for cell in rest)])
    return [table]


def _passes(batches: list[pa.RecordBatch], repeats: int) -> list[dict[str, float]]:
    plan = load_recipe("sample")
    if not Chain(plan)(batches[0])["text"].equals(Annotator(plan)(batches[0])["text"]):  # also compiles kernels
        raise AssertionError("the benchmark's chain is no longer that of pipeline.annotate")
    passes = []
    for _ in range(repeats):
        chain = Chain(plan)
        for batch in batches:
            chain(batch)
        passes.append(chain.seconds)
    return passes


def _peer(batches: list[pa.RecordBatch], settings: Settings, name: str) -> dict[str, Any]:
    text = _peer_text(batches, settings.work)
    script = ROOT / "benchmarks" / "peers" / "datatrove_chain.py"
    options = ["--default-thresholds"] if name == "default thresholds" else []
    command: list[str | Path] = [
        peers_python(settings.venv),
        "-W",
        "ignore",
        script,
        text,
        "--seconds",
        str(settings.peer_seconds),
    ]
    return json.loads(run([*command, *options]).output.splitlines()[-1])


def _peer_text(batches: list[pa.RecordBatch], folder: Path) -> Path:
    """The first documents as JSONL, with language and script as datatrove names them."""
    path = folder / "peer.jsonl"
    natural = load_languages().natural
    names = {code: f"{entry.iso639_3}_{entry.script}".replace("ori_", "ory_") for code, entry in natural.items()}
    size = 0
    with open(path, "w", encoding="utf-8") as stream:
        for batch in batches:
            for text, language in zip(batch["text"].to_pylist(), decode(batch["language"]).to_pylist(), strict=True):
                size += stream.write(json.dumps({"text": text, "language": names[language]}, ensure_ascii=False) + "\n")
            if size > PEER_TEXT_MEGABYTES * 1e6:
                break
    return path


def _peer_cells(stage: str, peers: dict[str, dict[str, Any]]) -> list[str]:
    if stage not in PEER_STEPS:
        return ["–"] * len(peers)
    seconds = [sum(peer["seconds"][step] for step in PEER_STEPS[stage]) for peer in peers.values()]
    return [f"{_rate(peer, second):.3g}" for peer, second in zip(peers.values(), seconds, strict=True)]


def _rate(peer: dict[str, Any], seconds: float) -> float:
    return peer["bytes"] / 1e6 / seconds if seconds else 0.0


def _notes(peers: dict[str, dict[str, Any]], settings: Settings) -> list[str]:
    peer = peers["all measures"]
    return [
        "Text: natural languages of the recipe `sample`, cut or joined to 2–4 kB, a large language cut back. "
        "datatrove's e-mail pattern takes quadratic time on some source code, hence no code here.",
        f"datatrove ran once, for {settings.peer_seconds:.0f} s each on the first documents of the same text "
        f"({peer['bytes'] / 1e6:.1f} MB with all measures): its classes called directly in one process, without its "
        "reader, executor, statistics and writing, in its favour. *All measures*: thresholds that nothing passes, so "
        "that every document takes every step, as in our chain. *Default thresholds*: filters stop at the first "
        "measure out of bounds, and later steps see only what is left; MB/s are of the text that entered.",
        "datatrove's model is lid.176.ftz (its default, lid.176.bin, must be downloaded). Each language has the word "
        f"tokenizer that datatrove assigns to it, or where that needs a download its fallback: "
        f"{', '.join(peer['fallback']) or 'none'}. Its quality step is Gopher's "
        "repetition and quality filters; ours the measures of ROOTS' filters. Its PII: e-mail and IP addresses; ours "
        "the kinds of the recipe with their checksums.",
    ]
