"""What makes documents known again without their text: ids, hashes of the text, MinHash signatures; and who is near.

These are the tombstones of a takedown, in the form of a build's index, and what near-duplicates are found by.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import reading
from pipeline.corpus.plan import plan_of
from pipeline.deduplication.exact import exact_hashes
from pipeline.deduplication.index import index_schema, signatures_in
from pipeline.deduplication.keys import DeduplicationContext
from pipeline.deduplication.minhash import CODE, are_similar, signatures
from pipeline.deduplication.records import id_bytes
from pipeline.runtime import storage
from pipeline.text.columns import hex_ids

JACCARD_MIN = 0.7
"""Near, where the recipe does not say."""

NOTHING = bytes(16)
"""In place of the hash of a text that is not known."""


class _Signer:
    """Exact hashes, uint64 (n, 2), signatures, uint32 (n, permutations), and whether there are words, of documents."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        plan = plan_of(manifest)
        self._settings = plan.recipe.deduplication
        unspaced = frozenset(name for name, language in plan.languages.natural.items() if language.unspaced)
        self._context = DeduplicationContext(unspaced=unspaced, code=frozenset(plan.languages.programming))

    def __call__(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the columns `text` and `language`."""
        settings, texts = self._settings, batch["text"].cast(pa.large_string())
        modes = self._context.modes(batch["language"], texts)
        values, shingles = signatures(
            texts, modes, count=settings.permutations, seed=settings.seed, ngram=settings.ngram
        )
        return self.exact(batch), values, shingles > 0

    def exact(self, batch: pa.RecordBatch) -> np.ndarray:
        """Exact hashes alone, uint64 (n, 2)."""
        texts = batch["text"].cast(pa.large_string())
        return exact_hashes(texts, self._context.modes(batch["language"], texts) == CODE)


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
        signer = _Signer(manifest)
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
                    hashes, values, has_words = signer(batch.select(["text", "language"]).take(pa.array(rows)))
                    for place, name in enumerate(reading.unpacked(here[rows])):
                        if name not in exact:  # that of the shard, without recurring lines, comes first
                            exact[name] = id_bytes(hashes[place, 0], hashes[place, 1])
                            signed[name] = values[place].astype("<u4").tobytes() if has_words[place] else None
        names = reading.unpacked(ids)
        return cls(manifest, ids, [exact.get(name, NOTHING) for name in names], [signed.get(name) for name in names])

    def ids_alone(self) -> pa.Table:
        """The same, but neither hashes nor signatures."""
        return Neighbours(self.manifest, self.ids, [NOTHING] * len(self.exact), [None] * len(self.signed)).table()

    def without_likeness(self, corpus: str) -> pa.Table:
        """The same where what is like them stays: no signatures, and no hashes of texts that others have as well."""
        texts, mine = set(self.exact), set(reading.unpacked(self.ids))
        for ids, keys, _, _ in _kept(corpus, self.manifest) if any(key != NOTHING for key in texts) else ():
            same = np.isin(keys, np.array(sorted(texts), "S16"))
            names = reading.unpacked(reading.packed_ids(ids)[same])
            texts.difference_update(
                key for name, key in zip(names, reading.unpacked(keys[same]), strict=True) if name not in mine
            )
        exact = [key if key in texts else NOTHING for key in self.exact]
        return Neighbours(self.manifest, self.ids, exact, [None] * len(self.signed)).table()

    def table(self) -> pa.Table:
        """As an index that deduplication reads."""
        schema = index_schema(plan_of(self.manifest).recipe.deduplication)
        columns = [reading.unpacked(self.ids), self.exact, self.signed]
        return pa.table([pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema)


def near_duplicates(corpus: str, manifest: dict[str, Any], around: Neighbours, ids: np.ndarray) -> set[str]:
    """Ids (hexadecimal) of documents, kept or dropped, that are nearly the same as some of `ids`.

    By the ledger, which names the document kept in place of each duplicate, both ways; and among those kept by their
    signatures, at the threshold of the recipe.
    """
    known = set(_similar(corpus, manifest, around)) | set(map(bytes.hex, reading.unpacked(ids)))
    pairs = _duplicates(corpus)
    known |= {kept for dropped, kept in pairs if dropped in known}
    return known | {dropped for dropped, kept in pairs if kept in known}


def _duplicates(corpus: str) -> list[tuple[str, str]]:
    """Duplicates by the ledger, each with the document that was kept in its place."""
    pairs: list[tuple[str, str]] = []
    for batch in reading.ledger_batches(corpus, ["id", "stage", "detail", "kept_id"]):
        kept = batch["kept_id"] if "kept_id" in batch.schema.names else _kept_by_detail(batch)
        copies = pc.is_valid(kept)
        pairs += zip(batch["id"].filter(copies).to_pylist(), kept.filter(copies).to_pylist(), strict=True)
    return pairs


def _kept_by_detail(batch: pa.RecordBatch) -> pa.StringArray:
    """The documents kept instead, hexadecimal or null, in a ledger that an earlier version wrote: in words alone."""
    named = pc.struct_field(pc.extract_regex(batch["detail"], r"^kept (?P<id>[0-9a-f]{32})\b"), "id")
    return pc.if_else(pc.equal(batch["stage"], "deduplicate"), named, None)


def _similar(corpus: str, manifest: dict[str, Any], around: Neighbours) -> list[str]:
    """Ids of documents whose text is the same as that of one of these, or whose signatures are near."""
    recipe = plan_of(manifest).recipe.deduplication
    least = recipe.verify_jaccard_min or JACCARD_MIN
    mine = [value for value in around.signed if value is not None]
    signed = np.frombuffer(b"".join(mine), "<u4").reshape(len(mine), recipe.permutations)
    exact = np.unique(np.array([value for value in around.exact if value != NOTHING], "S16"))
    found = []
    for ids, keys, values, has_words in _kept(corpus, manifest):
        near = np.isin(keys, exact)
        if values.shape[1] == signed.shape[1]:
            near |= has_words & are_similar(values, signed, least)
        found += hex_ids(ids.filter(pa.array(near))).to_pylist()
    return found


def _kept(corpus: str, manifest: dict[str, Any]) -> Iterator[tuple[pa.Array, np.ndarray, np.ndarray, np.ndarray]]:
    """Documents of the corpus: ids, exact hashes (S16), signatures (uint32), and whether they have words.

    From the index; where the recipe wanted no near-duplicates found it has no signatures, and texts are signed now.
    """
    files = reading.files_below(corpus, "index", ".arrow") if plan_of(manifest).recipe.deduplication.near else []
    if files:
        for path in files:
            with reading.open_arrow(storage.join(corpus, path)) as (_, batches):
                for batch in batches:
                    values, has_words = signatures_in(batch)
                    yield batch["id"], reading.packed_ids(batch["exact"]), values, has_words
        return
    signer = _Signer(manifest)
    for path in reading.shard_paths(manifest):
        with reading.open_arrow(storage.join(corpus, path)) as (_, batches):
            for batch in batches:
                hashes, values, has_words = signer(batch)
                yield batch["id"], packed_hashes(hashes), values, has_words


def packed_hashes(hashes: np.ndarray) -> np.ndarray:
    """Exact hashes, uint64 (n, 2), in the form of ids, dtype S16."""
    return np.frombuffer(id_bytes(hashes[:, 0], hashes[:, 1]), "S16")


def documents_with_text_of(corpus: str, manifest: dict[str, Any], exact: np.ndarray) -> Iterator[tuple[str, str]]:
    """Path and id of each document in the shards whose text has one of these exact hashes (S16)."""
    signer = _Signer(manifest)
    for path in reading.shard_paths(manifest):
        with reading.open_arrow(storage.join(corpus, path)) as (_, batches):
            for batch in batches:
                mine = np.isin(packed_hashes(signer.exact(batch)), exact)
                for name in hex_ids(batch["id"].filter(pa.array(mine))).to_pylist():
                    yield path, name
