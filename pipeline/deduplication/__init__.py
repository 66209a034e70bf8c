"""Deduplication: exact, by recurring lines, and near by MinHash; see `phase` for the steps.

`deduplicate` works on shards of documents and knows nothing of recipes; `cut_lines` is for whoever writes the texts of
documents that stay.
"""

from pipeline.deduplication.keys import DeduplicationContext, ShardInput
from pipeline.deduplication.lines import cut_lines
from pipeline.deduplication.phase import DeduplicationResult, Deduplicator, deduplicate, hash_task

__all__ = [
    "DeduplicationContext",
    "DeduplicationResult",
    "Deduplicator",
    "ShardInput",
    "cut_lines",
    "deduplicate",
    "hash_task",
]
