"""Training a tokenizer: ours beside `tokenizers`' `BpeTrainer`, same text and pre-tokenizer; each run a process.

    python -m benchmarks.tokenizer_training --text build/corpus/data --vocabulary 32000

Both read the same Arrow shards. Whether both give the same merges is said with the figures.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ROOT, Settings, Table, spread
from benchmarks.process import run

VOCABULARIES = (32_000, 250_680)
TRAINERS = ("openroots", "tokenizers")
TEXT = ROOT / "build" / "corpus" / "data"


def measure(settings: Settings) -> list[Table]:
    """A table for each vocabulary size, on the text of a built corpus."""
    return [_measured(TEXT, size, settings.repeats) for size in VOCABULARIES]


def _measured(text: Path, vocabulary: int, repeats: int) -> Table:
    _trained("openroots", text, vocabulary, 1)  # compiles
    results = {name: _runs(name, text, vocabulary, repeats) for name in TRAINERS}
    megabytes, words = results["openroots"][0]["megabytes"], results["openroots"][0]["words"]
    same = len({result["digest"] for runs in results.values() for result in runs}) == 1
    slowest = spread([result["seconds"] for result in results["tokenizers"]]).median
    rows = []
    for name, runs in results.items():
        seconds, memory = (spread([result[key] for result in runs]) for key in ("seconds", "peak"))
        cpu = spread([result["cpu"] for result in runs])
        rows.append([name, str(seconds), str(cpu), f"{slowest / seconds.median:.1f} ×", str(memory)])
    return Table(
        f"Training {vocabulary:,} entries on {megabytes:,.0f} MB of text, {words:,} distinct pre-tokens",
        ["", "seconds", "processor seconds", "speed", "peak memory, MB"],
        rows,
        [
            "Reading, counting and merging, without the start of the process; peak memory is the whole process's, "
            "memory-mapped text included. Both use all cores, ours for counting only.",
            f"Vocabulary and merges are {'the same' if same else '**not** the same'}.",
        ],
        {"results": results, "same": same},
    )


def _runs(name: str, text: Path, vocabulary: int, repeats: int) -> list[dict]:
    return [_trained(name, text, vocabulary) for _ in range(repeats)]


def _trained(name: str, text: Path, vocabulary: int, megabytes: int = 0) -> dict:
    command = [sys.executable, "-m", "benchmarks.tokenizer_training", "--train", name, "--text", text]
    finished = run([*command, "--vocabulary", str(vocabulary), "--megabytes", str(megabytes)])
    return {**json.loads(finished.output.splitlines()[-1]), "peak": finished.resident / 1e6}


def _train(name: str, text: Path, vocabulary: int, megabytes: int) -> None:
    """Train in this process and print what it took as JSON."""
    import xxhash
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    from tokenizer.count import count_words
    from tokenizer.merges import SPECIAL_TOKENS
    from tokenizer.model import train_tokenizer
    from tokenizer.pretokenize import Pattern

    started, processor = time.perf_counter(), time.process_time()
    result: dict = {}
    if name == "openroots":
        sizes = []
        words = count_words(_noted(_texts(text, megabytes), sizes), workers=len(os.sched_getaffinity(0)))
        result = {"words": words.num_rows, "megabytes": sum(sizes) / 1e6, "counting": time.perf_counter() - started}
        tokenizer = train_tokenizer(words, vocabulary, allow_fewer=True).tokenizer
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = Pattern().pre_tokenizer()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator((texts.to_pylist() for texts, _ in _texts(text, megabytes)), trainer)
    result |= {"seconds": time.perf_counter() - started, "cpu": time.process_time() - processor}
    model = json.loads(tokenizer.to_str())["model"]
    content = json.dumps([model["vocab"], model["merges"]], sort_keys=True, ensure_ascii=False)
    print(json.dumps(result | {"digest": xxhash.xxh3_128_hexdigest(content.encode()), "tokens": len(model["vocab"])}))


def _noted(texts: Iterator[tuple], sizes: list[int]) -> Iterator:
    for array, size in texts:
        sizes.append(size)
        yield array


def _texts(folder: Path, megabytes: int) -> Iterator[tuple]:
    """Texts and their bytes, shard by shard; about `megabytes` of them, all where it is 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    left = megabytes * 10**6 or 1 << 62
    for path in sorted(folder.glob("**/*.arrow")):
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                size = pc.sum(pc.binary_length(batch["text"])).as_py()
                yield batch["text"], size
                left -= size
                if left <= 0:
                    return


def main() -> None:
    """Print the tables, or train once for `--train`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=TEXT, help="folder of Arrow shards with a column `text`")
    parser.add_argument("--vocabulary", type=int, default=VOCABULARIES[0])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--megabytes", type=int, default=0)
    parser.add_argument("--train", choices=TRAINERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        _train(arguments.train, arguments.text, arguments.vocabulary, arguments.megabytes)
        return
    table = _measured(arguments.text, arguments.vocabulary, arguments.repeats)
    print(table.title, *("  ".join(row) for row in [table.columns, *table.rows]), *table.notes, sep="\n")


if __name__ == "__main__":
    main()
