"""datatrove's n-gram decontamination on the text of the benchmark: runs in the environment of the peers, prints JSON.

    python datatrove_decontamination.py TEXT.jsonl ITEMS.jsonl --seconds 15

Its NGramsDecontFilter is called on one document after the other, with the index that its own indexer's hashes make of
the items. NLTK's word_tokenize needs a model that must be downloaded; its rules for words alone, without sentences,
stand in, in datatrove's favour.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import nltk.tokenize
import numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer

RUNS = 3
_WORDS = nltk.tokenize.NLTKWordTokenizer()


def main() -> None:
    """Index the items, then filter the documents for some seconds, three times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("items")
    parser.add_argument("--seconds", type=float, default=15.0)
    arguments = parser.parse_args()
    nltk.tokenize.word_tokenize = lambda text, language="english": _WORDS.tokenize(text)
    NGramsDecontIndexer._requires_dependencies = []  # lighteval, which only fetches its own tasks
    config = NGramsDecontConfig(find_query_ngrams=True)
    texts = [json.loads(line)["text"] for line in Path(arguments.text).read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        indexer = NGramsDecontIndexer(folder, config=config)
        hashes: set[int] = set()
        for line in Path(arguments.items).read_text("utf-8").splitlines():
            item = json.loads(line)
            hashes.update(indexer.compute_hashes(item["label"], item["query"]))
        np.array(sorted(hashes), "<u8").tofile(Path(folder) / "items.index.hashes")
        step = NGramsDecontFilter(folder, config)
        step.filter(Document(text="first", id="0"))
        rates = [_rate(step, texts, arguments.seconds / RUNS) for _ in range(RUNS)]
    print(json.dumps({"rates": rates}))


def _rate(step: NGramsDecontFilter, texts: list[str], seconds: float) -> float:
    size, started = 0, time.process_time()
    for number, text in enumerate(texts):
        step.filter(Document(text=text, id=f"{number}"))
        size += len(text.encode())
        if time.process_time() - started > seconds:
            break
    return size / 1e6 / (time.process_time() - started)


if __name__ == "__main__":
    main()
