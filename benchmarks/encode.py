"""The whole command `openroots encode` beside a job of `tokenizers` and `datasets.map`, and the encoders alone.

Both commands read the same Arrow shards, a row a document, with the same tokenizer, use two processes and write to
disk; seconds are those of the whole command, its start included.
"""

import shutil
import sys
import time
from pathlib import Path

import pyarrow as pa

from benchmarks import ROOT, Settings, Table, rates, spread
from benchmarks.end_to_end import OPENROOTS
from benchmarks.process import Run, run
from benchmarks.tokenizer_text import Sample, line_arrays, sample
from benchmarks.venv import TOKENIZER_REQUIREMENTS, peers_python

SHARE = 0.62
"""Of the text that the recipe `sample` ingests; more than 200 MB."""
ALONE_SHARE = 0.0625
VOCABULARY = 250_680
WORKERS = 2
SCRIPT = ROOT / "benchmarks" / "peers" / "tokenizer_encode.py"


def measure(settings: Settings) -> list[Table]:
    """Tables of the command and of the encoders alone."""
    tokenizer = trained_tokenizer(settings)
    return [_commands(tokenizer, settings), _alone(tokenizer, settings)]


def trained_tokenizer(settings: Settings) -> Path:
    """Folder of a tokenizer with BLOOM's pattern, trained once on the text of the benchmark."""
    from tokenizer.count import count_words
    from tokenizer.model import train_tokenizer

    folder = settings.work / f"tokenizer-{VOCABULARY}"
    if not (folder / "tokenizer.json").exists():
        words = count_words(line_arrays(sample(settings, SHARE).lines), workers=WORKERS)
        train_tokenizer(words, VOCABULARY).save(str(folder))
    return folder


def encoded(text: Sample, tokenizer: Path, settings: Settings, workers: int = WORKERS) -> Run:
    """Encode the shards of a sample by the command."""
    output = settings.work / "tokens"
    shutil.rmtree(output, ignore_errors=True)
    command = [*OPENROOTS, "encode", "--tokenizer", tokenizer, "--input", text.folder, "--output", output]
    done = run([*command, "--workers", str(workers), "--quiet"])
    shutil.rmtree(output)
    return done


def _mapped(text: Sample, tokenizer: Path, settings: Settings) -> Run:
    python = peers_python(settings.venv.with_name("bench-venv-tokenizer"), TOKENIZER_REQUIREMENTS)
    output = settings.work / "tokens-peer"
    shutil.rmtree(output, ignore_errors=True)
    command = [python, SCRIPT, tokenizer / "tokenizer.json", text.folder, output, "--processes", str(WORKERS)]
    done = run(command, environment={"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
    shutil.rmtree(output)
    return done


def _commands(tokenizer: Path, settings: Settings) -> Table:
    text = sample(settings, SHARE)
    runs = {
        "**openroots encode, 1 worker**": [encoded(text, tokenizer, settings, 1) for _ in range(settings.repeats)],
        f"openroots encode, {WORKERS} workers": [encoded(text, tokenizer, settings) for _ in range(settings.repeats)],
        f"`tokenizers` in `datasets.map`, num_proc={WORKERS}": [
            _mapped(text, tokenizer, settings) for _ in range(settings.repeats)
        ],
    }
    medians = [spread([one.seconds for one in part]).median for part in runs.values()]
    rows = []
    for (name, part), median in zip(runs.items(), medians, strict=True):
        seconds = [one.seconds for one in part]
        memory = spread([one.proportional / 1e6 for one in part])
        rows.append(
            [
                name,
                str(spread(seconds)),
                str(rates(text.megabytes, seconds)),
                f"{medians[-1] / median:.1f} ×",
                str(memory),
            ]
        )
    return Table(
        f"Encoding {text.megabytes:,.0f} MB, {text.documents:,} documents, with {VOCABULARY:,} entries: whole commands",
        ["", "seconds", "MB/s", "speed", "peak memory of all processes, MB"],
        rows,
        [
            "The same shards and tokenizer, whole commands with their start and writing. `datasets.map` runs with "
            "batches of 1,000 and without threads of `tokenizers`, which would only fight with its processes. Memory: "
            "pages that processes share count once. One worker has all cores too: the encoder has threads of its own."
        ],
        {name: [[one.seconds, one.proportional] for one in part] for name, part in runs.items()},
    )


def _alone(folder: Path, settings: Settings) -> Table:
    from tokenizer.encode import read_documents
    from tokenizer.load import Tokenizer
    from tokenizer.texts import Skipped, TextFile

    text = sample(settings, ALONE_SHARE)
    batches = [
        texts
        for path in sorted(text.folder.glob("data/**/*.arrow"))
        for _, texts in read_documents(TextFile(str(path), is_shard=path.suffix == ".arrow"), path.stem, Skipped())
    ]
    fast, reference = Tokenizer.load(str(folder), "fastokens"), Tokenizer.load(str(folder), "tokenizers")
    lists = [texts.to_pylist() for texts in batches]

    def ours() -> list[pa.Array]:
        return [fast.encode_batch(texts) for texts in batches]

    def theirs() -> list[list]:
        return [reference.library.encode_batch_fast(texts, add_special_tokens=False) for texts in lists]

    reference.library.encode_special_tokens = True
    same = all(
        one.to_pylist() == [encoding.ids for encoding in other] for one, other in zip(ours(), theirs(), strict=True)
    )
    seconds: dict[str, list[float]] = {"**`Tokenizer.encode_batch`**": [], "`tokenizers`, `encode_batch_fast`": []}
    for _ in range(settings.repeats):
        for name, function in zip(seconds, (ours, theirs), strict=True):
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return Table(
        f"Encoders alone, {text.megabytes:,.0f} MB in memory, all cores",
        ["", "MB/s"],
        [[name, str(rates(text.megabytes, values))] for name, values in seconds.items()],
        [
            f"Ids are {'the same' if same else '**not** the same'}. Ours goes from Arrow to Arrow; of `tokenizers` "
            "only the encoding counts, from Python strings to its own objects."
        ],
        {"seconds": seconds, "same": same},
    )


if __name__ == "__main__":
    for table in measure(Settings(repeats=1)):
        print(table.title, *("  ".join(row) for row in [table.columns, *table.rows]), *table.notes, sep="\n")
    sys.exit()
