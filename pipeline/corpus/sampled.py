"""What is measured on a part of a corpus, drawn so that each document is as likely as another, and always the same."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.corpus import reading
from pipeline.runtime import storage

Z = 1.96
"""Of the normal distribution, for intervals of 95 %."""


def sampled_batches(corpus: str, manifest: dict[str, Any], documents: int) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Language and rows of a simple random sample of documents; drawn by the corpus' digest, so the same each time."""
    shards = reading.shard_paths(manifest)
    total = sum(entry["documents"] for entry in shards.values())
    chance = np.random.default_rng(int(manifest["digest"][:16], 16))
    chosen = np.sort(chance.choice(total, min(documents, total), replace=False))
    start = 0
    for path, entry in shards.items():
        stop = start + entry["documents"]
        mine = chosen[(chosen >= start) & (chosen < stop)] - start
        start = stop
        if not len(mine):
            continue
        first = 0
        with reading.open_arrow(storage.join(corpus, path)) as (_, batches):
            for batch in batches:
                rows = mine[(mine >= first) & (mine < first + batch.num_rows)] - first
                first += batch.num_rows
                if len(rows):
                    yield entry["language"], batch.take(pa.array(rows))


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The interval of 95 % of a share (Wilson 1927); 0 to 1 where nothing was tried."""
    if trials == 0:
        return 0.0, 1.0
    share, z = hits / trials, Z * Z / trials
    middle = (share + z / 2) / (1 + z)
    half = Z * math.sqrt(share * (1 - share) / trials + z / (4 * trials)) / (1 + z)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == trials else min(1.0, middle + half)


def log_odds(with_a: int, all_a: int, with_b: int, all_b: int) -> tuple[float, float, float]:
    """The log of the odds ratio of two shares, with its interval of 95 %; a half is added to each count (Haldane)."""
    cells = [with_a + 0.5, all_a - with_a + 0.5, with_b + 0.5, all_b - with_b + 0.5]
    effect = math.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    half = Z * math.sqrt(sum(1 / cell for cell in cells))
    return effect, effect - half, effect + half
