"""Rewrite a corpus without some of its documents: files that hold none of them stay, byte for byte."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus import passages, reading
from pipeline.corpus.plan import plan_of
from pipeline.corpus.seal import digest_file
from pipeline.ledger import mask_of
from pipeline.report import write_report
from pipeline.report.phase import KnownTallies
from pipeline.report.tally import Tally, tally_file
from pipeline.runtime import storage
from pipeline.runtime.shards import ParquetShard, plain_schema, writer_like
from pipeline.text.columns import hex_ids
from pipeline.text.schema import COMPARED, KEPT_INSTEAD, LEDGER_WRITTEN
from pipeline.write import LEDGER_REPEATING, corpus_digest_of


@dataclass(frozen=True)
class Shard:
    """A shard of the new corpus: its entry in the manifest, its language, and whether it was rewritten."""

    language: str
    entry: dict[str, Any]
    anew: bool


def rewrite_shards(corpus: str, output: str, manifest: Mapping[str, Any], ids: np.ndarray) -> list[Shard]:
    """Shards without the documents of these ids (S16, sorted); one that holds nothing any more is left out."""
    shards = []
    for path, about in reading.shard_paths(dict(manifest)).items():
        entry = {name: value for name, value in about.items() if name != "language"}
        source, target = storage.join(corpus, path), storage.join(output, path)
        touched = _holds(source, ids)
        if not touched:
            reading.link_or_copy(source, target)
        else:
            documents, size = _without(source, target, ids)
            if not documents:
                storage.remove(output, [path])
                continue
            entry |= {"documents": documents, "bytes": size, "digest": digest_file(target, "xxh3")[1]}
        shards.append(Shard(about["language"], entry, touched))
    return shards


def _holds(path: str, ids: np.ndarray) -> bool:
    with reading.open_arrow(path) as (_, batches):
        return any(bool(np.isin(reading.packed_ids(batch["id"]), ids).any()) for batch in batches)


def _without(source: str, target: str, ids: np.ndarray) -> tuple[int, int]:
    """Write a table without these ids; returns its documents and their bytes of text."""
    documents = size = 0
    new_writer = writer_like(source)  # before it is opened: some file systems have one position a file
    with (
        reading.open_arrow(source) as (schema, batches),
        storage.create(target) as stream,
        new_writer(stream, schema) as writer,
    ):
        for batch in batches:
            stays = ~np.isin(reading.packed_ids(batch["id"]), ids)
            left = batch if stays.all() else batch.filter(pa.array(stays))
            if left.num_rows:
                writer.write_batch(left)
                documents += left.num_rows
                if "text" in schema.names:
                    size += pc.sum(pc.binary_length(left["text"])).as_py()
    return documents, size


def rewrite_index(corpus: str, output: str, ids: np.ndarray) -> None:
    """The index that later builds are deduplicated against."""
    for path in reading.files_below(corpus, "index", ".arrow"):
        source, target = storage.join(corpus, path), storage.join(output, path)
        if _holds(source, ids):
            _without(source, target, ids)
        else:
            reading.link_or_copy(source, target)


def sketch_shards(corpus: str, output: str, shards: Sequence[Shard]) -> None:
    """Sketches of the shards: new for those rewritten."""
    for shard in shards:
        path = shard.entry["path"]
        source, target = passages.sketch_path(corpus, path), passages.sketch_path(output, path)
        if not shard.anew and storage.exists(source):
            reading.link_or_copy(source, target)
        else:
            with storage.create(target) as stream:
                stream.write(passages.sketch(storage.join(output, path), shard.entry["digest"]))


@dataclass(frozen=True)
class Marks:
    """How the ledger tells of documents (ids S16, sorted) that are taken down.

    One with a detail of its own, by its id in hexadecimal, keeps its address and key: there the site has spoken, and
    nobody asked to be forgotten.
    """

    ids: np.ndarray
    stage: str
    reason: str
    detail: str
    details: Mapping[str, str]


_WHY = (*COMPARED.names, *KEPT_INSTEAD.names)
"""Columns that tell why a document was dropped before it was taken down."""

Lost = dict[tuple[str, str], list[int]]
"""Documents, and bytes on entering, that were kept and are taken down, by language and source."""


def rewrite_ledger(corpus: str, output: str, marks: Marks) -> Lost:
    """The ledger with the fate of documents that are taken down; returns what was kept of them."""
    lost: Lost = {}
    for path in reading.ledger_parts(corpus):
        source, target = storage.join(corpus, path), storage.join(output, path)
        fs, inner = storage.filesystem(source)
        with fs.open(inner, "rb") as stream:
            part = pq.ParquetFile(stream)
            if not any(
                np.isin(reading.packed_ids(batch["id"]), marks.ids).any() for batch in part.iter_batches(columns=["id"])
            ):
                reading.link_or_copy(source, target)
                continue
            schema = plain_schema(part.schema_arrow)
            with storage.create(target) as out, ParquetShard(out, schema, LEDGER_REPEATING) as writer:
                for batch in part.iter_batches():
                    mine = np.isin(reading.packed_ids(batch["id"]), marks.ids)
                    if mine.any():
                        batch = _taken_down(batch.cast(schema), mine, marks, lost)
                    writer.write_batch(batch)
    return lost


def _taken_down(batch: pa.RecordBatch, mine: np.ndarray, marks: Marks, lost: Lost) -> pa.RecordBatch:
    """A batch of the ledger in which the rows `mine` are taken down; adds to `lost` what was kept of them."""
    was_kept = mine & mask_of(pc.equal(batch["decision"], "kept"))
    gone = batch.filter(pa.array(was_kept))
    for language, source, size in zip(*(gone[n].to_pylist() for n in ("language", "source", "bytes")), strict=True):
        total = lost.setdefault((language, source), [0, 0])
        total[0] += 1
        total[1] += size
    own = [
        marks.details.get(name) if row else None
        for name, row in zip(hex_ids(batch["id"]).to_pylist(), mine, strict=True)
    ]
    details = pa.array([marks.detail if detail is None else detail for detail in own], pa.string())
    forgotten = mine & np.array([detail is None for detail in own])
    told = mine & (forgotten | was_kept)  # why an opted-out document was dropped before stays said
    changes: tuple[tuple[str, np.ndarray, Any], ...] = (
        ("decision", was_kept, pa.scalar("dropped")),
        ("stage", was_kept, pa.scalar(marks.stage)),
        ("reason", was_kept, pa.scalar(marks.reason)),
        ("bytes_kept", was_kept, pa.scalar(0, pa.int64())),
        ("detail", told, details),
        ("uri", forgotten, pa.scalar("")),
        ("key", forgotten, pa.scalar("")),
        *((field.name, told, pa.scalar(None, field.type)) for field in LEDGER_WRITTEN if field.name in _WHY),
    )
    for name, rows, value in changes:
        if name not in batch.schema.names:  # of a corpus that an earlier version wrote
            continue
        field = batch.schema.field(name)
        changed = pc.if_else(pa.array(rows), value, batch[name])
        batch = batch.set_column(batch.schema.get_field_index(name), field, changed)
    return batch


def new_manifest(manifest: Mapping[str, Any], shards: Sequence[Shard], lost: Lost, marks: Marks) -> dict[str, Any]:
    """The manifest of the new corpus: its shards, its digest, and one stage more in its funnel."""
    stage, reason = marks.stage, marks.reason
    languages: dict[str, Any] = {}
    for shard in shards:
        language = languages.setdefault(shard.language, {"documents": 0, "bytes": 0, "shards": []})
        language["documents"] += shard.entry["documents"]
        language["bytes"] += shard.entry["bytes"]
        language["shards"].append(shard.entry)
    documents, size = (sum(total[place] for total in lost.values()) for place in (0, 1))
    stages, drops = [dict(each) for each in manifest["stages"]], [dict(each) for each in manifest["drops"]]
    if stages and stages[-1]["stage"] != stage:
        last = stages[-1]
        kept = {"documents_in": last["documents_kept"], "bytes_in": last["bytes_kept"]}
        kept |= {"documents_kept": last["documents_kept"], "bytes_kept": last["bytes_kept"]}
        stages.append({"stage": stage, **kept, "documents_dropped": 0, "bytes_dropped": 0})
    if stages:
        for name, amount in (("documents", documents), ("bytes", size)):
            stages[-1][f"{name}_dropped"] += amount
            stages[-1][f"{name}_kept"] -= amount
    if documents:
        known = next((drop for drop in drops if (drop["stage"], drop["reason"]) == (stage, reason)), None)
        if known is None:
            drops.append(known := {"stage": stage, "reason": reason, "documents": 0, "bytes": 0})
        known["documents"] += documents
        known["bytes"] += size
    entries = [(shard.entry["path"].removeprefix("data/"), shard.entry["digest"]) for shard in shards]
    return {
        **manifest,
        "digest": corpus_digest_of(entries),
        "languages": dict(sorted(languages.items())),
        "stages": stages,
        "drops": sorted(drops, key=lambda drop: (drop["stage"], drop["reason"])),
    }


def write_descriptions(
    corpus: str,
    output: str,
    work: reading.WorkFolder,
    manifest: dict[str, Any],
    removed: Mapping[str, str],
    needles: Sequence[bytes],
) -> None:
    """Statistics, report, cards, Croissant and manifest of the new corpus, counted from its files."""
    statistics = storage.read_json(storage.join(corpus, "statistics.json"))
    plan = plan_of(manifest, statistics)
    examples = [
        example
        for drop in statistics["drops"]
        for example in drop["examples"]
        if example["id"] not in removed
        and not passages.holds(pa.array([example["excerpt"]], pa.large_string()), needles)
    ]
    paths = [*reading.shard_paths(manifest), *reading.ledger_parts(output)]
    known = KnownTallies(work.path)
    tallies = [_tally(known, output, path) for path in paths]
    clusters = statistics["duplicates"]["deduplication"]
    write_report(output, plan, manifest, clusters, examples, tallies)
    storage.write_json(storage.join(output, "manifest.json"), manifest)


def _tally(tallies: KnownTallies, output: str, path: str) -> Tally:
    """The counts of a file: those of the old corpus where it is the same file."""
    try:
        known = tallies.get(path)
        size, digest = digest_file(storage.join(output, path))
        if known is not None and known.files[path] == {"sha256": digest, "bytes": size}:
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return tally_file(output, path)
