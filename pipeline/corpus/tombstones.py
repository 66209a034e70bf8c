"""What is left of documents that were taken down: never their text, but enough to keep them out of later builds.

`takedowns/index/*.arrow` has the form of a build's `index/`: ids, hashes of the text, MinHash signatures.
`takedowns/log.jsonl` has a line for each request, chained by SHA-256: `entry` is the digest of the line's content, and
`previous` that of the line before, so that none can be changed, taken out or slipped in unnoticed.
"""

import json
from typing import Any

import numpy as np

from pipeline.corpus import reading
from pipeline.corpus.seal import sha256_of
from pipeline.runtime import storage

FOLDER = "takedowns"
LOG = f"{FOLDER}/log.jsonl"
INDEX = f"{FOLDER}/index"


def tombstone_ids(corpus: str) -> np.ndarray:
    """Ids of all documents taken down from a corpus, sorted, dtype S16."""
    return _column(corpus, "id")


def tombstone_texts(corpus: str) -> np.ndarray:
    """Exact hashes of the texts taken down from a corpus, as far as they are known, sorted, dtype S16."""
    texts = _column(corpus, "exact")
    return texts[texts != b""]  # zeros: not known


def _column(corpus: str, name: str) -> np.ndarray:
    parts = []
    for path in reading.files_below(corpus, INDEX, ".arrow"):
        with reading.open_arrow(storage.join(corpus, path)) as (_, batches):
            parts += [reading.packed_ids(batch[name]) for batch in batches]
    return np.unique(np.concatenate([*parts, np.zeros(0, "S16")]))


def read_log(corpus: str) -> list[dict[str, Any]]:
    """Entries of the log of takedowns, oldest first. Raises ValueError where the chain is broken."""
    fs, inner = storage.filesystem(storage.join(corpus, LOG))
    if not fs.exists(inner):
        return []
    entries: list[dict[str, Any]] = []
    previous = ""
    for number, line in enumerate(fs.cat_file(inner).decode("utf-8", "replace").splitlines(), 1):
        try:
            entry = json.loads(line)
            content = {name: value for name, value in entry.items() if name != "entry"}
            whole = entry["entry"] == sha256_of(content) and entry["previous"] == previous
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise ValueError(f"its chain is broken at line {number}")
        previous = entry["entry"]
        entries.append(entry)
    return entries


def log_line(entries: list[dict[str, Any]], content: dict[str, Any]) -> dict[str, Any]:
    """The entry that follows `entries`."""
    content = {**content, "previous": entries[-1]["entry"] if entries else ""}
    return {**content, "entry": sha256_of(content)}
