"""datatrove from JSON lines to JSON lines by its local executor: runs in the environment of the peers, prints JSON.

    python datatrove_whole.py INPUT_FOLDER OUTPUT_FOLDER --tasks 2

As its examples do it: language identification, Gopher's repetition and quality filters, PII formatter, JSON lines; then
the four steps of MinHash deduplication. One pipeline for all languages, with the word tokenizer of English, which is
the default, and without the stop words of English, for which the quality filter would drop all other languages.
"""

import argparse
import json
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter, LanguageFilter
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove_chain import LocalLID

BUCKETS = 14


class Language(LanguageFilter):
    """Loads the model that the environment holds, in the process that filters: it cannot be sent to one."""

    def filter(self, doc: object) -> bool:
        """Label the document."""
        if not isinstance(self.model, LocalLID):
            self.model = LocalLID()
        return super().filter(doc)


def main() -> None:
    """Run all five executors one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--tasks", type=int, default=2)
    arguments = parser.parse_args()
    work = arguments.output
    filtered, signatures, buckets, removed = (str(work / name) for name in ("filtered", "signatures", "buckets", "ids"))
    steps = {
        "filter": [
            JsonlReader(str(arguments.input)),
            Language(label_only=True),
            GopherRepetitionFilter(),
            GopherQualityFilter(min_stop_words=None),
            PIIFormatter(),
            JsonlWriter(filtered),
        ],
        "sign": [JsonlReader(filtered), MinhashDedupSignature(signatures)],
        "bucket": [MinhashDedupBuckets(signatures, buckets)],
        "cluster": [MinhashDedupCluster(buckets, removed)],
        "write": [JsonlReader(filtered), MinhashDedupFilter(removed), JsonlWriter(str(work / "out"))],
    }
    tasks = {"bucket": BUCKETS, "cluster": 1}
    seconds = {}
    for name, pipeline in steps.items():
        started = time.perf_counter()
        LocalPipelineExecutor(
            pipeline, tasks.get(name, arguments.tasks), arguments.tasks, str(work / "logs" / name)
        ).run()
        seconds[name] = time.perf_counter() - started
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
