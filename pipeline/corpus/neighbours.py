"""What makes documents known again without their text: ids, hashes of the text, MinHash signatures; and who is near.

These are the tombstones of a takedown, in the form of a build's index, and what near-duplicates are found by.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import reading
from pipeline.corpus.plan import plan_of
from pipeline.deduplication import DeduplicationContext
from pipeline.deduplication.exact import exact_hashes
from pipeline.deduplication.index import index_schema
from pipeline.deduplication.minhash import CODE, jaccard, signatures
from pipeline.deduplication.records import id_bytes
from pipeline.runtime import storage
from pipeline.text.columns import hex_ids

JACCARD_MIN = 0.7
"""Near, where the recipe does not say."""

_KEPT_INSTEAD = re.compile(r"kept ([0-9a-f]{32})\b")
_ROWS = 1 << 16


@dataclass
class Neighbours:
    """Documents by id (S16, sorted): exact hashes, zeros where no text is known; signatures, None without words."""

    manifest: dict[str, Any]
    ids: np.ndarray
    exact: list[bytes]
    signed: list[bytes | None]

    @classmethod
    def of(cls, corpus: str, manifest: dict[str, Any], ids: np.ndarray, work: reading.WorkFolder) -> "Neighbours":
        """Of the documents with these ids, whose texts lie in shards or in work files."""
        plan = plan_of(manifest)
        settings, code = plan.recipe.deduplication, frozenset(plan.languages.programming)
        unspaced = frozenset(name for name, language in plan.languages.natural.items() if language.unspaced)
        context = DeduplicationContext(unspaced=unspaced, code=code)
        exact: dict[bytes, bytes] = {}
        signed: dict[bytes, bytes | None] = {}
        shards = (storage.join(corpus, path) for path in reading.shard_paths(manifest))
        for path in (*shards, *work.files(reading.TEXTS, ".arrow").values()):
            with reading.open_arrow(path) as (_, batches):
                for batch in batches:
                    here = reading.packed_ids(batch["id"])
                    rows = np.flatnonzero(np.isin(here, ids))
                    if not len(rows):
                        continue
                    taken = batch.select(["text", "language"]).take(pa.array(rows))
                    texts = taken["text"].cast(pa.large_string())
                    modes = context.modes(taken["language"], texts)
                    hashes = exact_hashes(texts, modes == CODE)
                    values, shingles = signatures(
                        texts, modes, count=settings.permutations, seed=settings.seed, ngram=settings.ngram
                    )
                    for place, row in enumerate(rows.tolist()):
                        name = bytes(here[row]).ljust(16, b"\0")
                        if name not in exact:  # that of the shard, without recurring lines, comes first
                            exact[name] = id_bytes(hashes[place, 0], hashes[place, 1])
                            signed[name] = values[place].astype("<u4").tobytes() if shingles[place] else None
        names = [bytes(name).ljust(16, b"\0") for name in ids]
        return cls(manifest, ids, [exact.get(name, bytes(16)) for name in names], [signed.get(name) for name in names])

    def bare(self) -> pa.Table:
        """The same with ids alone: a site that opts out asks for its own pages, not for others with the same text."""
        nothing = [bytes(16)] * len(self.exact)
        return Neighbours(self.manifest, self.ids, nothing, [None] * len(self.signed)).table()

    def table(self) -> pa.Table:
        """As an index that deduplication reads."""
        schema = index_schema(plan_of(self.manifest).recipe.deduplication)
        columns = [[bytes(name).ljust(16, b"\0") for name in self.ids], self.exact, self.signed]
        return pa.table([pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema)


def near_duplicates(corpus: str, manifest: dict[str, Any], around: Neighbours, ids: np.ndarray) -> dict[str, str]:
    """Documents that are nearly the same as some of `ids`: id (hexadecimal) → `kept` or `dropped`.

    By the ledger, which names the document kept in place of each duplicate, both ways; and among those kept by their
    signatures in the index, at the threshold of the recipe.
    """
    found = dict.fromkeys(_similar(corpus, manifest, around), "kept")
    known = set(found) | {bytes(name).ljust(16, b"\0").hex() for name in ids}
    pairs = _duplicates(corpus)
    found |= {kept: "kept" for dropped, kept in pairs if dropped in known}
    known |= set(found)
    for dropped, kept in pairs:
        if kept in known and found.get(dropped) != "kept":
            found[dropped] = "dropped"
    return found


def _duplicates(corpus: str) -> list[tuple[str, str]]:
    """Duplicates by the ledger, each with the document that was kept in its place."""
    pairs = []
    for batch in reading.ledger_batches(corpus, ["id", "stage", "detail"]):
        mine = batch.filter(pc.equal(batch["stage"], "deduplicate"))
        for name, detail in zip(mine["id"].to_pylist(), mine["detail"].to_pylist(), strict=True):
            if match := _KEPT_INSTEAD.match(detail):
                pairs.append((name, match[1]))
    return pairs


def _similar(corpus: str, manifest: dict[str, Any], around: Neighbours) -> list[str]:
    """Ids of the index whose signatures are near to one of these."""
    mine = [value for value in around.signed if value is not None]
    if not mine:
        return []
    recipe = plan_of(manifest).recipe.deduplication
    least = recipe.verify_jaccard_min or JACCARD_MIN
    signed = np.frombuffer(b"".join(mine), "<u4").reshape(len(mine), -1)
    found = []
    for path in reading.files_below(corpus, "index", ".arrow"):
        with reading.open_arrow(storage.join(corpus, path)) as (_, batches):
            for batch in batches:
                found += _near(batch, signed, least)
    return found


def _near(batch: pa.RecordBatch, signed: np.ndarray, least: float) -> list[str]:
    valid = batch.filter(batch["signature"].is_valid())
    if not valid.num_rows:
        return []
    values = np.frombuffer(b"".join(valid["signature"].to_pylist()), "<u4").reshape(valid.num_rows, -1)
    if values.shape[1] != signed.shape[1]:
        return []
    near = np.zeros(valid.num_rows, bool)
    for signature in signed:
        near |= jaccard(values, np.broadcast_to(signature, values.shape)) >= least
    return hex_ids(valid["id"].filter(pa.array(near))).to_pylist()
