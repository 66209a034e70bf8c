"""One training by OpenRoots in a process of its own: reads lines, writes tokenizer.json, says what it took.

python -m benchmarks.tokenizer_run TEXT.txt --pattern gpt2 --vocabulary 32000 --output merges.txt
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.peers.tokenizer_training import finished, taken
from benchmarks.tokenizer_text import line_arrays


def main() -> None:
    """Train once; the merges go to the output, figures to standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", type=Path)
    parser.add_argument("--pattern", required=True)
    parser.add_argument("--vocabulary", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    from tokenizer.count import count_words
    from tokenizer.model import train_tokenizer
    from tokenizer.pretokenize import Pattern

    pattern = Pattern.named(arguments.pattern)
    counted = [count_words(line_arrays(arguments.text), pattern, len(os.sched_getaffinity(0)))]
    figures = {
        "counting_cpu": time.process_time(),
        "counting_peak": taken()["peak"],
        "words": counted[0].num_rows,
    }
    # With special tokens we would cut what spells them out of the words, which the peers do not.
    trained = train_tokenizer(counted.pop(), arguments.vocabulary, pattern=pattern, special_tokens=(), allow_fewer=True)
    with tempfile.TemporaryDirectory(dir=arguments.output.parent) as folder:
        trained.save(folder)
        finished()
        merges = json.loads((Path(folder) / "tokenizer.json").read_text())["model"]["merges"]
    print(json.dumps(figures))
    arguments.output.write_text("\n".join(" ".join(merge) for merge in merges) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
