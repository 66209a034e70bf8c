"""Settle: bring the decisions of all stages together into each document's fate.

Two phases read the same rows: `count` adds up, by language and hash bucket, what is still in, so that sampling can be
planned; `settle` then writes for every shard who stays (for `write`) and the ledger rows of all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decide import COLUMN_BYTES, ROWS_ENDING
from pipeline.reasons import EPOCHS, TAKEDOWN, details, ledger_batch
from pipeline.runtime import storage
from pipeline.runtime.done import Done, WorkShard
from pipeline.runtime.phases import Phase, Record, Task, TaskFolder
from pipeline.runtime.shards import EXCERPT_CHARACTERS, Rows, coarse, excerpt
from pipeline.sampling import BUCKETS, LanguageSample, epochs_of, hash_buckets
from pipeline.text.columns import decode, distinct_values, encode, grouped
from pipeline.text.schema import KEPT_INSTEAD, LEDGER

VERSION = 6
COUNT_VERSION = 5
EXAMPLES = 3
LEDGER_ENDING = ".ledger.arrow"
EXAMPLES_ENDING = ".examples.json"
FOLDER = "/takedowns"
DECONTAMINATE = "decontaminate"

SETTLED = pa.schema([("epochs", pa.int32()), ("cluster_size", pa.int32())])
"""One row for every document of a shard, in its order; epochs 0: it is dropped."""


@dataclass(frozen=True)
class ShardFiles:
    """The files that tell of one work shard, as full paths."""

    annotated: str
    decided: str
    deduplicated: str
    decontaminated: str = ""
    """Empty where no evaluation set is looked for."""
    rows: str = ""
    """The annotated shard with the beginnings of its texts only; empty where there is no such file."""


def id_words(ids: pa.Array) -> np.ndarray:
    """Ids (binary(16)) as uint64 (n, 2), without a copy."""
    data = np.frombuffer(ids.buffers()[1], np.uint64).reshape(-1, 2)
    return data[ids.offset : ids.offset + len(ids)]


def fates(files: ShardFiles, columns: Sequence[str] | None = None) -> Iterator[tuple[pa.RecordBatch, list[pa.Array]]]:
    """Rows of an annotated shard without text, with what each stage decided so far; and the texts, in pieces.

    Of the shard all columns, or some, `text` and `bytes` among them.

    Adds `stage`, `reason` and the columns of COMPARED and KEPT_INSTEAD (null while the document is in), `cluster_size`,
    and `bytes_kept`, the bytes of its text after line cuts.
    """
    with ExitStack() as stack:
        path = files.rows or files.annotated
        annotated = stack.enter_context(storage.open_stream(path, columns=columns))
        decided, deduplicated = (
            stack.enter_context(storage.open_stream(path)) for path in (files.decided, files.deduplicated)
        )
        decisions, duplicates = Rows(decided), Rows(deduplicated)
        found = Rows(stack.enter_context(storage.open_stream(files.decontaminated))) if files.decontaminated else None
        for batch, texts in coarse(annotated):
            rows = _joined(batch, decisions.take(batch.num_rows), duplicates.take(batch.num_rows))
            yield rows if found is None else _decontaminated(rows, found.take(batch.num_rows)), texts


def _joined(batch: pa.RecordBatch, decision: pa.RecordBatch, duplicate: pa.RecordBatch) -> pa.RecordBatch:
    why = decode(decision["reason"])
    duplicate_why = decode(duplicate["reason"])
    is_duplicate = pc.and_(pc.is_null(why), pc.is_valid(duplicate_why))
    stage = pc.if_else(is_duplicate, "deduplicate", decode(decision["stage"]))
    taken_down = pc.and_(is_duplicate, pc.ends_with(pc.fill_null(duplicate["kept_source"], ""), FOLDER))
    stage, duplicate_why = (pc.if_else(taken_down, TAKEDOWN, column) for column in (stage, duplicate_why))
    instead = pc.and_(is_duplicate, pc.invert(taken_down))
    note = pc.if_else(taken_down, "it, or nearly the same, was taken down", decision["note"])
    columns = {
        "stage": stage,
        "reason": pc.if_else(is_duplicate, duplicate_why, why),
        **{name: decision[name] for name in ("value", "threshold")},
        "measure": decode(decision["measure"]),
        "note": note,
        **{name: pc.if_else(instead, duplicate[name], None) for name in KEPT_INSTEAD.names},
        "cluster_size": duplicate["cluster_size"],
        "bytes_kept": pc.subtract(batch["bytes"], pc.fill_null(duplicate["bytes_cut"], 0)),
    }
    return _with_columns(batch, columns)


def _with_columns(batch: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """The batch with these columns, new or in place of those of the same name."""
    whole = {**{name: batch[name] for name in batch.schema.names}, **columns}
    return pa.RecordBatch.from_arrays(list(whole.values()), names=list(whole))


def _decontaminated(rows: pa.RecordBatch, found: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with what decontamination found: documents that it drops, and what it cuts from others."""
    is_dropped = pc.and_(pc.is_null(rows["reason"]), pc.is_valid(found["reason"]))
    columns = {
        "stage": pc.if_else(is_dropped, DECONTAMINATE, rows["stage"]),
        "reason": pc.if_else(is_dropped, found["reason"], rows["reason"]),
        "note": pc.coalesce(found["note"], rows["note"]),
        **{name: pc.if_else(is_dropped, found[name], rows[name]) for name in ("measure", "value", "threshold")},
        "bytes_kept": pc.subtract(rows["bytes_kept"], found["bytes_cut"]),
    }
    return _with_columns(rows, columns)


@dataclass
class CountWork:
    """Adds up bytes by language and hash bucket over the documents still in."""

    seed: int

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.counts`: bytes by bucket (int64, little-endian, 4096) of each of the record's `languages`."""
        sums: dict[str, np.ndarray] = {}
        for batch, _ in fates(task.payload, ("id", "language", "text", "bytes")):
            still = pc.is_null(batch["reason"])
            rows = batch.filter(still)
            buckets = hash_buckets(id_words(rows["id"]), self.seed)
            sizes = rows["bytes_kept"].to_numpy()
            languages, places = distinct_values(rows["language"])
            for number, code in enumerate(map(str, languages)):
                mine = places == number
                added = np.bincount(buckets[mine], weights=sizes[mine], minlength=BUCKETS).astype(np.int64)
                sums[code] = sums.get(code, np.zeros(BUCKETS, np.int64)) + added
        folder.data["languages"] = sorted(sums)
        with folder.binary(".counts") as stream:
            for code in sorted(sums):
                stream.write(sums[code].astype("<i8").tobytes())


def sum_histograms(done: Done, records: Sequence[Record]) -> dict[str, list[list[int]]]:
    """Sum of the histograms that `count` tasks left: language → [[bucket, bytes], …]."""
    place, sums = done.files("count"), dict[str, np.ndarray]()
    contents = storage.read_each([storage.join(place, record.files[0].path) for record in records])
    for record, content in zip(records, contents, strict=True):
        histograms = np.frombuffer(content, "<i8").reshape(-1, BUCKETS)
        for code, histogram in zip(record.data["languages"], histograms, strict=True):
            sums[code] = sums.get(code, np.zeros(BUCKETS, np.int64)) + histogram
    return {code: _pairs(counts) for code, counts in sums.items()}


def histograms_of(sums: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, np.ndarray]:
    """Language → bytes by bucket, int64 (4096,)."""
    found = {code: np.zeros(BUCKETS, np.int64) for code in sums}
    for code, pairs in sums.items():
        buckets, sizes = np.array(pairs, np.int64).reshape(-1, 2).T
        found[code][buckets] = sizes
    return found


def _pairs(counts: np.ndarray) -> list[list[int]]:
    buckets = np.flatnonzero(counts)
    pairs: list[list[int]] = np.stack([buckets, counts[buckets]], axis=1).tolist()
    return pairs


@dataclass
class SettleWork:
    """Writes every document's fate."""

    samples: Mapping[str, LanguageSample]
    seed: int

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow` (schema SETTLED), `TASK.ledger.arrow` (schema LEDGER) and `TASK.examples.json`, some drops
        by reason; leave counts and values.

        `values`: language → dictionary column → its values among the documents kept, sorted.
        """
        values: dict[str, dict[str, set[str]]] = {}
        counts: dict[tuple[str, str, str, str], np.ndarray] = {}
        examples: dict[tuple[str, str], list[dict[str, str]]] = {}
        with folder.arrow(".arrow", SETTLED) as settled, folder.arrow(LEDGER_ENDING, LEDGER, aside=True) as ledger:
            for batch, texts in fates(task.payload):
                rows, epochs = self._sampled(batch)
                settled.write(pa.RecordBatch.from_arrays([pa.array(epochs), batch["cluster_size"]], schema=SETTLED))
                entries = ledger_rows(rows)
                ledger.write(entries)
                _count(entries, counts)
                _collect_values(batch.filter(pa.array(epochs > 0)), values)
                _collect_examples(rows, texts, examples)
        folder.data["counts"] = [[*key, *map(int, value)] for key, value in sorted(counts.items())]
        folder.data["values"] = {
            language: {name: sorted(found) for name, found in sorted(columns.items())}
            for language, columns in sorted(values.items())
        }
        with folder.binary(EXAMPLES_ENDING) as stream:
            stream.write(json.dumps([example for key in sorted(examples) for example in examples[key]]).encode())

    def _sampled(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, np.ndarray]:
        """The batch with the drops by sampling added, and each document's epochs (0 for all that left)."""
        still = pc.is_null(batch["reason"]).to_numpy(zero_copy_only=False)
        languages = np.array(decode(batch["language"]).to_pylist(), object)
        epochs = np.zeros(batch.num_rows, np.int32)
        ids = id_words(batch["id"])
        epochs[still] = epochs_of(ids[still], languages[still], self.samples, self.seed)
        sampled_out = pa.array(still & (epochs == 0))
        if not sampled_out.true_count:
            return batch, epochs
        share = [self.samples[code].epochs if code in self.samples else None for code in languages]
        words = {"stage": "sample", "reason": "not_sampled", "measure": EPOCHS}
        columns = {name: pc.if_else(sampled_out, word, decode(batch[name])) for name, word in words.items()}
        columns["value"] = pc.if_else(sampled_out, pa.array(share, pa.float64()), batch["value"])
        return _with_columns(batch, columns), epochs


def ledger_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Ledger rows (schema LEDGER) of documents whose fate is settled."""
    kept = pc.is_null(batch["reason"])
    was_asked = pc.is_valid(batch["language_score"])
    columns = {
        "bytes": batch["bytes_in"],
        "bytes_kept": pc.if_else(kept, batch["bytes_kept"], 0).cast(pa.int64()),
        "decision": encode(pc.if_else(kept, "kept", "dropped")),
        "stage": encode(pc.fill_null(batch["stage"], "write")),
        "reason": encode(pc.fill_null(batch["reason"], "kept")),
        "measure": encode(batch["measure"]),
        "kept_source": encode(batch["kept_source"]),
        "language_identified": encode(pc.if_else(was_asked, decode(batch["language_identified"]), None)),
    }
    same = {name: batch[name] for name in LEDGER.names if name not in columns}
    return ledger_batch(batch.num_rows, **columns, **same)


def _count(entries: pa.RecordBatch, counts: dict[tuple[str, str, str, str], np.ndarray]) -> None:
    """Add documents, bytes in and bytes kept by language, source, stage and reason."""
    keys = [entries[name] for name in ("language", "source", "stage", "reason")]
    for key, sums in grouped(keys, [entries[name].to_numpy() for name in ("bytes", "bytes_kept")]):
        language, source, stage, reason = map(str, key)
        place = (language, source, stage, reason)
        counts[place] = counts.get(place, np.zeros(3, np.int64)) + np.array(sums, np.int64)


def _collect_values(kept: pa.RecordBatch, values: dict[str, dict[str, set[str]]]) -> None:
    """Add the values of dictionary columns by language: writing makes one dictionary a column of them."""
    names = [field.name for field in kept.schema if pa.types.is_dictionary(field.type)]
    if not kept.num_rows:
        return
    for key, _ in grouped([kept[name] for name in names]):
        row = dict(zip(names, key, strict=True))
        columns = values.setdefault(str(row["language"]), {})
        for name, value in row.items():
            held = columns.setdefault(name, set())  # empty where no document has a value
            if value is not None:
                held.add(value)


def _collect_examples(
    batch: pa.RecordBatch, texts: Sequence[pa.Array], examples: dict[tuple[str, str], list[dict[str, str]]]
) -> None:
    """Keep the documents of smallest id for each reason: a choice that does not depend on order."""
    out = np.flatnonzero(pc.is_valid(batch["reason"]).to_numpy(zero_copy_only=False))
    if not len(out):
        return
    ids = batch["id"].take(pa.array(out)).to_pylist()
    rows = out[sorted(range(len(out)), key=ids.__getitem__)]
    why = [distinct_values(batch[name].take(pa.array(rows)))[1] for name in ("stage", "reason")]
    first: list[int] = []
    for pair in np.unique(np.stack(why, axis=1), axis=0):
        first += rows[(why[0] == pair[0]) & (why[1] == pair[1])][:EXAMPLES].tolist()
    for example in _examples(batch, texts, first):
        key = (example["stage"], example["reason"])
        examples[key] = sorted([*examples.get(key, []), example], key=lambda example: example["id"])[:EXAMPLES]


def _examples(batch: pa.RecordBatch, texts: Sequence[pa.Array], rows: Sequence[int]) -> list[dict[str, str]]:
    some = batch.take(pa.array(rows, pa.int64()))
    columns = {name: decode(some[name]).to_pylist() for name in ("stage", "reason", "source", "language")}
    columns |= {"detail": details(some).to_pylist(), "id": [name.hex() for name in some["id"].to_pylist()]}
    columns["excerpt"] = [excerpt(texts, row, EXCERPT_CHARACTERS) for row in rows]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def sum_examples(done: Done, records: Sequence[Record]) -> list[dict[str, str]]:
    """Of all shards' examples, the first few by id for each stage and reason."""
    by_reason: dict[tuple[str, str], list[dict[str, str]]] = {}
    names = [file.path for record in records for file in record.files if file.path.endswith(EXAMPLES_ENDING)]
    for content in storage.read_each([storage.join(done.files("settle"), name) for name in names]):
        for example in json.loads(content):
            key = (example["stage"], example["reason"])
            both = [*by_reason.get(key, ()), example]
            by_reason[key] = sorted(both, key=lambda example: example["id"])[:EXAMPLES]
    return [example for key in sorted(by_reason) for example in by_reason[key]]


DEDUPLICATED = ("annotate", "decide", "deduplicate-result")
"""Phases that tell of each work shard, deduplicated."""


def fate_task(shard: WorkShard) -> Task:
    """The task of a phase that reads a deduplicated shard, such as `settle`; its inputs describe the shard."""
    annotated, decided, deduplicated = (shard.path(phase) for phase in DEDUPLICATED)
    files = ShardFiles(annotated, decided, deduplicated, shard.find(DECONTAMINATE), shard.find("decide", ROWS_ENDING))
    digests = tuple(shard.file(phase).digest for phase in shard.left)
    return Task(shard.name, digests, files, shard.file("annotate").documents * COLUMN_BYTES)


def count_phase(seed: int) -> Phase:
    """The phase that counts what is available to sampling."""
    return Phase("count", {"version": COUNT_VERSION, "seed": seed}, CountWork(seed))


def settle_phase(samples: Mapping[str, LanguageSample], seed: int) -> Phase:
    """The phase that settles every document's fate."""
    plan = {code: sample.as_dict() for code, sample in samples.items()}
    return Phase("settle", {"version": VERSION, "samples": plan, "seed": seed}, SettleWork(samples, seed))
