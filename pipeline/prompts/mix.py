"""A mixture of prompts, made in three steps, each of restartable tasks.

    read     `pipeline.ingest`: documents of the sources, their licences held at the gate, names without personal data
    render   items of each document, a prompt for each template that has something to say
    write    what is kept of them, and the fate of every document

Between the last two the driver looks at numbers alone, three a prompt, and decides which are left out: copies, what is
also held out for evaluation, and what is over the limit of a set and template (those with the largest hashes). An item
is held out by a hash of its text, so that all prompts of it, and of copies of it, are on one side.

    OUTPUT/data/LANGUAGE/{train,held_out}.arrow   prompts, columns as in PROMPT
    OUTPUT/ledger/*.parquet, README.md, manifest.json
"""

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from configs.errors import SourceError
from configs.language_codes import UNDETERMINED
from configs.mixtures import Mixture, MixturePlan
from configs.shown import shown
from governance.figures import counted
from pipeline.deduplication.exact import exact_hashes
from pipeline.fetch import fetch
from pipeline.ingest import ingest_phase, ingest_tasks
from pipeline.pii.outward import redactor_of
from pipeline.pii.redactor import Redactor
from pipeline.prompts.card import write_card
from pipeline.prompts.items import ItemMaker
from pipeline.prompts.templates import Compiled, PromptError, compile_templates
from pipeline.readers import list_units
from pipeline.reasons import ledger_batch
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.lock import build_lock
from pipeline.runtime.ownership import WORK, mark_work
from pipeline.runtime.phases import ArrowShard, Phase, Record, Task, TaskFolder, Watch, digest_of
from pipeline.runtime.shards import ParquetShard
from pipeline.text.columns import constant_column, decode, hex_ids
from pipeline.text.schema import LEDGER, LEDGER_WRITTEN
from pipeline.write import ledger_outward

VERSION = 2
"""Raised when the same input would give other bytes than before."""
PARTS = ("train", "held_out")
PROMPT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # 32 hexadecimal digits: of set, template and the two texts
        pa.field("input", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("choices", pa.list_(pa.string())),  # all answers there are, where they are given
        pa.field("set", pa.string(), nullable=False),
        pa.field("template", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),  # of the item: the folder
        pa.field("input_language", pa.string(), nullable=False),
        pa.field("target_language", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),  # as in the ledger
    ]
)
"""A prompt as it is written."""
_RENDERED = pa.schema(
    [
        *PROMPT,
        pa.field("row", pa.int64(), nullable=False),  # of the document in its shard
        pa.field("part", pa.int8(), nullable=False),  # number in PARTS
        pa.field("pair", pa.uint64(), nullable=False),  # hash of both texts
        pa.field("asked", pa.uint64(), nullable=False),  # hash of the input's letters and digits
        pa.field("order", pa.uint64(), nullable=False),  # by which prompts are chosen where there are too many
    ]
)
REASONS = ("kept", "over_limit", "in_evaluation", "duplicate")
"""What becomes of a prompt, by number; of a document's prompts the lowest counts for the document."""
KEPT, OVER_LIMIT, IN_EVALUATION, DUPLICATE = range(4)
_ROWS = 2000


@dataclass
class RenderWork:
    """Makes the prompts of a shard of documents, and says of documents without one why."""

    mixed: MixturePlan
    _made: dict[str, list[tuple[ItemMaker, list[Compiled]]]] | None = field(default=None, repr=False)
    _redactor: Redactor | None = field(default=None, repr=False)

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.LANGUAGE.arrow` of prompts, and `TASK.fates.arrow`: a row of the ledger a document."""
        rows = 0
        errors: dict[str, str] = {}
        with ExitStack() as stack:
            prompts = _ByLanguage(folder, stack)
            fates = stack.enter_context(folder.arrow(".fates.arrow", LEDGER, fates=True))
            with storage.open_stream(task.payload) as batches:
                for batch in batches:
                    self._batch(batch, rows, prompts, fates, errors)
                    rows += batch.num_rows
            prompts.flush()
        folder.data["errors"] = errors

    def _batch(
        self, batch: pa.RecordBatch, first: int, prompts: "_ByLanguage", fates: ArrowShard, errors: dict[str, str]
    ) -> None:
        self._redactor = self._redactor or redactor_of(self.mixed.plan)
        texts, _ = self._redactor.redact(batch["text"], batch["language"])
        columns = (
            texts.to_pylist(),
            batch["metadata"].to_pylist(),
            *(decode(batch[name]).to_pylist() for name in ("language", "source", "licence")),
            hex_ids(batch["id"]).to_pylist(),
        )
        why: list[tuple[str, str]] = []
        for row, (text, metadata, language, source, licence, key) in enumerate(zip(*columns, strict=True)):
            document = {"source": source, "licence": licence, "document": key, "row": first + row}
            found, reason = self._document(text, metadata, language, document, errors)
            prompts.add(language, found)
            why.append(reason)
        fates.write(_fates(batch, why))

    def _document(
        self, text: str, metadata: str, language: str, document: dict[str, Any], errors: dict[str, str]
    ) -> tuple[list[dict[str, Any]], tuple[str, str]]:
        """Prompts of a document; and, where there are none, why: (reason, note)."""
        if language == UNDETERMINED:
            return [], ("language_unknown", "the source does not say its language")
        found: list[dict[str, Any]] = []
        hidden = failed = ""
        for maker, templates in self._sets()[document["source"]]:
            for fields in maker.items(text, metadata, language):
                if field_name := _hidden(fields, maker.one.hidden):
                    hidden = f"{field_name} is {fields.get(field_name)!r}"
                    continue
                for template in templates:
                    if template.about.languages and language not in template.about.languages:
                        continue
                    try:
                        made = self._prompt(maker, template, fields, language)
                    except PromptError as error:
                        failed = f"set.{maker.one.id}, template `{template.about.name}`: {error}"
                        errors.setdefault(f"{maker.one.id}/{template.about.name}", str(error)[:300])
                        continue
                    if made:
                        found.append({**made, **document})
        if found:
            return found, ("kept", "")
        reason = "hidden_label" if hidden else "template_error" if failed else "no_prompt"
        return [], (reason, hidden or failed or "no template has anything to say of it")

    def _prompt(
        self, maker: ItemMaker, template: Compiled, fields: dict[str, Any], language: str
    ) -> dict[str, Any] | None:
        one, about, mixture = maker.one, template.about, self.mixed.mixture
        item = fields.get("text") or json.dumps(fields, sort_keys=True, default=str)
        prompt = template.render(fields, f"{mixture.seed}:{one.id}:{about.name}:{item}")
        if prompt is None:
            return None
        key = "\0".join((one.id, about.name, prompt.input, prompt.target)).encode()
        share = xxhash.xxh3_64_intdigest(" ".join(item.lower().split()).encode(), seed=mixture.seed) / 2.0**64
        return {
            "id": xxhash.xxh3_128_hexdigest(key),
            "input": prompt.input,
            "target": prompt.target,
            "choices": list(prompt.choices) or None,
            "set": one.id,
            "template": about.name,
            "language": language,
            "input_language": about.input_language or language,
            "target_language": about.target_language or language,
            "part": int(one.evaluation or share < mixture.held_out),
            "pair": xxhash.xxh3_64_intdigest(f"{prompt.input}\0{prompt.target}".encode()),
            "order": xxhash.xxh3_64_intdigest(key, seed=mixture.seed),
        }

    def _sets(self) -> dict[str, list[tuple[ItemMaker, list[Compiled]]]]:
        if self._made is None:
            self._made = {}
            for one in self.mixed.sets:
                plan = self.mixed.plan
                codes = plan.source(one.source).languages
                maker = ItemMaker(one, plan.languages, tuple(plan.languages.name(code) for code in codes))
                templates = compile_templates(one, self.mixed.mixture.characters_max)
                self._made.setdefault(one.source, []).append((maker, templates))
        return self._made

    def __getstate__(self) -> dict[str, Any]:
        return {"mixed": self.mixed, "_made": None, "_redactor": None}  # compiled templates do not travel


class _ByLanguage:
    """Prompts on their way into a file for each language."""

    def __init__(self, folder: TaskFolder, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._shards: dict[str, ArrowShard] = {}
        self._held: dict[str, list[dict[str, Any]]] = {}

    def add(self, language: str, prompts: list[dict[str, Any]]) -> None:
        """Take prompts of items in a language."""
        if prompts:
            held = self._held.setdefault(language, [])
            held += prompts
            if len(held) >= _ROWS:
                self._write(language)

    def flush(self) -> None:
        """Write what is held."""
        for language in sorted(self._held):
            self._write(language)

    def _write(self, language: str) -> None:
        rows = self._held.pop(language)
        asked = exact_hashes(pa.array([row["input"] for row in rows], pa.large_string()), np.zeros(len(rows), bool))
        for row, key in zip(rows, asked[:, 0].tolist(), strict=True):
            row["asked"] = key
        if language not in self._shards:
            opened = self._folder.arrow(f".{language}.arrow", _RENDERED, language=language)
            self._shards[language] = self._stack.enter_context(opened)
        batch = pa.RecordBatch.from_pylist(rows, schema=_RENDERED)
        self._shards[language].write(batch, batch.nbytes)


def _hidden(fields: Mapping[str, Any], hidden: Mapping[str, Sequence[Any]]) -> str | None:
    """The field whose value stands for a label that is not told."""
    return next((name for name, values in hidden.items() if fields.get(name) in values), None)


def _fates(batch: pa.RecordBatch, why: Sequence[tuple[str, str]]) -> pa.RecordBatch:
    """Ledger rows of documents, as if all prompts were kept."""
    kept = np.array([reason == "kept" for reason, _ in why], bool)
    columns = {name: batch[name] for name in ("id", "source", "language", "uri", "key")} | {
        "bytes": batch["bytes_in"],
        "bytes_kept": pa.array(np.where(kept, batch["bytes_in"].to_numpy(), 0), pa.int64()),
        "decision": pa.array(np.where(kept, "kept", "dropped"), pa.string()).dictionary_encode(),
        "stage": constant_column("prompts", len(why)),
        "reason": pa.array([reason for reason, _ in why], pa.string()).dictionary_encode(),
        "note": pa.array([note[:500] for _, note in why], pa.string()),
        "language_declared": batch["language"],
    }
    return ledger_batch(len(why), **columns)


def choose(
    groups: np.ndarray, parts: np.ndarray, pairs: np.ndarray, asked: np.ndarray, orders: np.ndarray, limit: int
) -> np.ndarray:
    """What becomes of each prompt: uint8 (n,), numbers in REASONS.

    `groups` says which set and template each is of; `parts` 1: held out. A copy (`pairs` equal) is left out, of both
    parts the one for training; so is one for training whose question (`asked`) is one held out; then, of each group and
    part, all but the `limit` with the least `orders`.
    """
    reasons = np.zeros(len(groups), np.uint8)
    by_pair = np.lexsort((orders, -parts.astype(np.int8), pairs))
    reasons[by_pair[1:][pairs[by_pair[1:]] == pairs[by_pair[:-1]]]] = DUPLICATE
    held_out = asked[(parts == 1) & (reasons == KEPT)]
    reasons[(parts == 0) & (reasons == KEPT) & np.isin(asked, held_out)] = IN_EVALUATION
    left = np.flatnonzero(reasons == KEPT)
    ordered = left[np.lexsort((orders[left], parts[left], groups[left]))]
    cell = 2 * groups[ordered].astype(np.int64) + parts[ordered]
    begins = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]])) if len(ordered) else np.zeros(0, np.int64)
    rank = np.arange(len(ordered)) - np.repeat(begins, np.diff(np.append(begins, len(ordered))))
    reasons[ordered[rank >= limit]] = OVER_LIMIT
    return reasons


@dataclass(frozen=True)
class Rendered:
    """A file of prompts of one language, and what happens to each: an array at `fate` of that digest."""

    path: str
    digest: str
    language: str
    fate: str
    fate_digest: str


def write_prompts(task: Task, folder: TaskFolder) -> None:
    """Write what is kept of the prompts of a language: `LANGUAGE/train.arrow` and `LANGUAGE/held_out.arrow`."""
    counts: dict[str, dict[str, int]] = {part: {} for part in PARTS}
    with ExitStack() as stack:
        shards: dict[str, ArrowShard] = {}
        for batch, reasons in (pair for rendered in task.payload for pair in _with_reasons(rendered)):
            for number, part in enumerate(PARTS):
                kept = batch.filter(pa.array((reasons == KEPT) & (batch["part"].to_numpy() == number)))
                if not kept.num_rows:
                    continue
                if part not in shards:
                    opened = folder.arrow(f"/{part}.arrow", PROMPT, writer=pa.ipc.new_file, part=part)
                    shards[part] = stack.enter_context(opened)
                shards[part].write(kept.select(PROMPT.names), kept["input"].nbytes + kept["target"].nbytes)
                for name, template in zip(kept["set"].to_pylist(), kept["template"].to_pylist(), strict=True):
                    key = f"{name}/{template}"
                    counts[part][key] = counts[part].get(key, 0) + 1
    folder.data["counts"] = counts


def _with_reasons(rendered: Rendered) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    reasons = np.load(io.BytesIO(storage.read_bytes(rendered.fate)), allow_pickle=False)
    begin = 0
    with storage.open_stream(rendered.path) as batches:
        for batch in batches:
            yield batch, reasons[begin : begin + batch.num_rows]
            begin += batch.num_rows


def write_ledger(task: Task, folder: TaskFolder) -> None:
    """Write the rows of the documents of a unit: those that did not enter, and those of its shards."""
    dropped, shards = task.payload
    with folder.arrow(".parquet", LEDGER_WRITTEN, writer=ParquetShard) as ledger:
        for path in dropped:
            with storage.open_stream(path) as batches:
                for batch in batches:
                    ledger.write(ledger_outward(batch))
        for fates, prompts in shards:
            best: dict[int, int] = {}
            for rendered in prompts:
                for batch, reasons in _with_reasons(rendered):
                    for row, reason in zip(batch["row"].to_pylist(), reasons.tolist(), strict=True):
                        best[row] = min(best.get(row, DUPLICATE), reason)
            first = 0
            with storage.open_stream(fates) as batches:
                for batch in batches:
                    ledger.write(_settled(ledger_outward(batch), best, first))
                    first += batch.num_rows


def _settled(batch: pa.RecordBatch, best: Mapping[int, int], first: int) -> pa.RecordBatch:
    """Ledger rows of documents from number `first` on; those none of whose prompts is kept are dropped."""
    rows = batch.to_pylist()
    for number, row in enumerate(rows, first):
        reason = best.get(number, KEPT)
        if reason != KEPT:
            row |= {"decision": "dropped", "stage": "mix", "reason": REASONS[reason], "bytes_kept": 0}
    return pa.RecordBatch.from_pylist(rows, schema=batch.schema)


def mix_prompts(
    mixed: MixturePlan,
    output: str,
    *,
    engine: Engine | None = None,
    cache: str = "build/downloads",
    watch: Watch | None = None,
    offline: bool = False,
    strict: bool = False,
) -> dict[str, Any]:
    """Mix prompts into the folder `output` and return the manifest; a rerun does what is missing.

    With `strict` the first unreadable file ends the run. Raises OpenRootsError.
    """
    engine, watch = engine or Engine(), watch or Watch()
    work = storage.join(output, WORK)
    for one in mixed.sets:
        compile_templates(one, mixed.mixture.characters_max)  # what is wrong with them is said before anything is read
    with build_lock(output, "prompts"):
        mark_work(work)
        fetched = fetch(mixed.plan, cache, offline=offline, on_progress=watch.fetched)
        located = fetched.located
        units = [unit for s in mixed.plan.sources for unit in list_units(s, located.get(s.id, {}), [output, cache])]
        ingest = ingest_phase(mixed.plan, strict)
        ingested = ingest.run(engine, work, ingest_tasks(mixed.plan, units), watch)
        render, tasks = _render(mixed, ingest.files(work), ingested)
        records = render.run(engine, work, tasks, watch)
        rendered, groups = _choose(mixed.mixture, render.files(work), records, work)
        if not any(rendered.values()):
            why = _why_none(ingest.files(work), ingested, render.files(work), records)
            raise SourceError(f"no source of the mixture gave a prompt: {why}")
        vouchers = (storage.join(output, "manifest.json"), storage.join(output, "README.md"))
        written = _write_data(output, work, rendered, engine, watch, vouchers)
        ledger = _write_ledger(output, work, ingest, ingested, render, records, rendered, engine, watch, vouchers)
        manifest = _manifest(mixed, written, ledger, records, ingested, groups, fetched.unavailable)
        write_card(output, mixed, manifest)
        storage.write_json(storage.join(output, "manifest.json"), manifest)
        return manifest


def _why_none(entered: str, ingested: Sequence[Record], made: str, records: Sequence[Record]) -> str:
    """The commonest reasons that documents gave no prompt, with an example each: there is no ledger to ask."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    files = [storage.join(entered, file.path) for one in ingested for file in one.files if file.extra.get("dropped")]
    files += [storage.join(made, file.path) for one in records for file in one.files if file.extra.get("fates")]
    for path in files:
        with storage.open_stream(path) as batches:
            for row in (row for batch in batches for row in ledger_outward(batch).to_pylist()):
                counts[row["reason"]] += 1
                examples.setdefault(row["reason"], row["detail"] or "")
    if not counts:
        return "there are no documents in its files; give files that hold some"
    parts = [
        f"{reason} of {counted(count, 'document')} ({shown(examples[reason], 200)})"
        for reason, count in counts.most_common(3)
    ]
    return f"{'; '.join(parts)}. Change the templates, or the columns of the source"


def _render(mixed: MixturePlan, files: str, ingested: Sequence[Record]) -> tuple[Phase, list[Task]]:
    tasks = [
        Task(file.path.removesuffix(".arrow"), (file.digest,), storage.join(files, file.path), file.bytes)
        for record in ingested
        for file in record.files
        if not file.extra.get("dropped")
    ]
    templates = [template.about for one in mixed.sets for template in compile_templates(one, 1)]
    names = {code: language.name for code, language in mixed.plan.languages.natural.items()}
    codes = {source.id: source.languages for source in mixed.plan.sources}
    settings = [VERSION, mixed.mixture, mixed.sets, templates, names, codes]
    return Phase("render", settings, RenderWork(mixed)), tasks


def _choose(
    mixture: Mixture, files: str, records: Sequence[Record], work: str
) -> tuple[dict[str, list[Rendered]], dict[str, dict[str, int]]]:
    """Rendered files by the shard they are of, and how many prompts of each set and template meet which fate."""
    found = [(record.task, file) for record in records for file in record.files if not file.extra.get("fates")]
    names: dict[str, int] = {}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("group", "part", "pair", "asked", "order")}
    for _, file in found:
        with storage.open_stream(storage.join(files, file.path)) as batches:
            for batch in batches:
                keys = zip(batch["set"].to_pylist(), batch["template"].to_pylist(), strict=True)
                numbers = [names.setdefault(f"{one}/{template}", len(names)) for one, template in keys]
                columns["group"].append(np.array(numbers, np.int32))
                for name in ("part", "pair", "asked", "order"):
                    columns[name].append(batch[name].to_numpy())
    if not found:
        return {}, {}
    group, part, pair, asked, order = (np.concatenate(arrays) for arrays in columns.values())
    reasons = choose(group, part, pair, asked, order, mixture.examples_max)
    rendered: dict[str, list[Rendered]] = {}
    begin = 0
    for task, file in found:
        mine = reasons[begin : begin + file.documents]
        begin += file.documents
        fate = storage.join(work, "chosen", f"{file.path.removesuffix('.arrow')}.npy")
        with storage.create(fate) as stream:
            np.save(stream, mine, allow_pickle=False)
        path = storage.join(files, file.path)
        one = Rendered(path, file.digest, file.extra["language"], fate, stream.digest)
        rendered.setdefault(task, []).append(one)
    counted = {
        name: {reason: int(((group == number) & (reasons == code)).sum()) for code, reason in enumerate(REASONS)}
        for name, number in sorted(names.items())
    }
    return rendered, counted


def _write_data(
    output: str,
    work: str,
    rendered: Mapping[str, Sequence[Rendered]],
    engine: Engine,
    watch: Watch,
    vouchers: tuple[str, ...],
) -> list[Record]:
    by_language: dict[str, list[Rendered]] = {}
    for files in rendered.values():
        for file in files:
            by_language.setdefault(file.language, []).append(file)
    tasks = [
        Task(language, tuple(f"{file.digest}:{file.fate_digest}" for file in files), files)
        for language, files in sorted(by_language.items())
    ]
    phase = Phase("write-prompts", [VERSION], write_prompts, storage.join(output, "data"), vouchers)
    return phase.run(engine, work, tasks, watch)


def _write_ledger(
    output: str,
    work: str,
    ingest: Phase,
    ingested: Sequence[Record],
    render: Phase,
    records: Sequence[Record],
    rendered: Mapping[str, Sequence[Rendered]],
    engine: Engine,
    watch: Watch,
    vouchers: tuple[str, ...],
) -> list[Record]:
    fates = {record.task: next(file for file in record.files if file.extra.get("fates")) for record in records}
    tasks = []
    for record in ingested:
        dropped = [file for file in record.files if file.extra.get("dropped")]
        shards = [file.path.removesuffix(".arrow") for file in record.files if not file.extra.get("dropped")]
        digests = [file.digest for file in dropped] + [fates[name].digest for name in shards]
        digests += [f"{file.digest}:{file.fate_digest}" for name in shards for file in rendered.get(name, ())]
        payload = (
            [storage.join(ingest.files(work), file.path) for file in dropped],
            [(storage.join(render.files(work), fates[name].path), list(rendered.get(name, ()))) for name in shards],
        )
        tasks.append(Task(record.task, tuple(digests), payload))
    phase = Phase("prompt-ledger", [VERSION], write_ledger, storage.join(output, "ledger"), vouchers)
    return phase.run(engine, work, tasks, watch)


def _manifest(
    mixed: MixturePlan,
    written: Sequence[Record],
    ledger: Sequence[Record],
    rendered: Sequence[Record],
    ingested: Sequence[Record],
    groups: dict[str, dict[str, int]],
    unavailable: Any,
) -> dict[str, Any]:
    shards, languages = [], {}
    for record in written:
        counts = {file.extra["part"]: file.documents for file in record.files}
        if not counts:
            continue
        languages[record.task] = {part: counts.get(part, 0) for part in PARTS}
        for file in record.files:
            about = {"path": f"data/{file.path}", "language": record.task, "part": file.extra["part"]}
            shards.append({**about, "prompts": file.documents, "bytes": file.size, "digest": file.digest})
    sets: dict[str, dict[str, dict[str, int]]] = {}
    for record in written:
        for part, counts in record.data["counts"].items():
            for name, count in counts.items():
                of_part = sets.setdefault(name, {one: {} for one in PARTS})[part]
                of_part[record.task] = of_part.get(record.task, 0) + count
    errors: dict[str, str] = {}
    for record in rendered:
        errors = {**record.data["errors"], **errors}
    return {
        "format": 1,
        "kind": "prompts",
        "name": mixed.mixture.name,
        "digest": digest_of([[shard["path"], shard["digest"]] for shard in shards]),
        "mixture": json.loads(mixed.mixture.model_dump_json()),
        "languages": languages,
        "weights": language_weights(mixed.mixture.weights, languages),
        "templates": {name: {**groups[name], "parts": sets.get(name, {})} for name in groups},
        "errors": dict(sorted(errors.items())),
        "problems": [problem for record in ingested for problem in record.data["problems"]],
        "unavailable": json.loads(json.dumps(unavailable, default=str)),
        "documents": sum(file.documents for record in ledger for file in record.files),
        "shards": shards,
    }


def language_weights(asked: Mapping[str, float], languages: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Shares of the languages that have prompts to train on, as asked for, else as many as there are.

    A language that is not named has the least weight of those that are.
    """
    there = {language: counts["train"] for language, counts in sorted(languages.items()) if counts["train"]}
    least = min(asked.values(), default=1.0)
    weights = {language: asked.get(language, least) if asked else float(count) for language, count in there.items()}
    total = sum(weights.values())
    return {language: weight / total for language, weight in weights.items()}
