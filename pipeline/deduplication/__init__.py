"""Deduplication: exact, by recurring lines, and near by MinHash; see `phase` for the steps.

`phase.deduplicate` works on shards of documents and knows nothing of recipes; `lines.cut_lines` is for whoever writes
the texts of documents that stay. Nothing is imported here: commands that search a corpus need its hashes, but not Beam.
"""
