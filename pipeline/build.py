"""The whole build: fetch → ingest → annotate → decide → deduplicate → sample → write → report.

Every step is a phase that can be stopped and resumed; see `pipeline.runtime.phases`. What the phases pass on are the
records of finished tasks, never documents.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from configs.errors import BalanceError, ConfigurationError, OutputError, SourceError
from configs.load import Plan
from configs.models import Deduplication
from configs.shown import shown, shown_list
from governance.licence_report import licence_rows
from pipeline.annotate import annotate_phase
from pipeline.corpus.passages import sketch_phase, sketch_tasks
from pipeline.corpus.seal import write_seals
from pipeline.corpus.tombstones import FOLDER as TAKEDOWNS
from pipeline.decide import decide_phase, shard_name, shard_tasks
from pipeline.deduplication import DeduplicationContext, DeduplicationResult, ShardInput, deduplicate
from pipeline.fetch import FetchReport, fetch
from pipeline.ingest import ingest_phase, ingest_tasks
from pipeline.readers import Unit, list_units
from pipeline.report import tally_phase, tally_tasks, write_report
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.finished import CORPUS_VOUCHERS, damaged
from pipeline.runtime.lock import build_lock
from pipeline.runtime.ownership import KINDS, WORK, mark_work, remove_half_written
from pipeline.runtime.phases import OutputFile, Phase, Record, Task, Watch
from pipeline.runtime.workers import keep_workers
from pipeline.sampling import LanguageSample, plan_samples
from pipeline.settle import (
    LEDGER_ENDING,
    TAKEDOWN,
    ShardFiles,
    add_histograms,
    count_phase,
    fate_tasks,
    merge_examples,
    settle_phase,
)
from pipeline.split import split_phase, split_tasks, split_units
from pipeline.write import Part, corpus_digest, ledger_phase, ledger_tasks, plan_shards, write_phase

MANIFEST_FORMAT = 1
PROBLEMS_MAX = 10_000
"""Problems that the manifest names."""

STAGES = ("ingest", "licence", "language", "quality", "personal_data", "deduplicate", "sample")
"""Stages at which a document can leave, in order."""

VERSIONED = (
    "openroots",
    "apache-beam",
    "datasets",
    "numba",
    "numpy",
    "presidio-analyzer",
    "pyarrow",
    "pycld2",
    "xxhash",
)


@dataclass
class Build:
    """A build in progress: where it works, and what its phases have left so far."""

    plan: Plan
    output: str
    engine: Engine
    watch: Watch
    strict: bool = False
    cache: str = ""
    work: str = ""
    times: list[dict[str, Any]] = field(default_factory=list)
    whole: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """`work`, of intermediate shards and records, lies within the output if nothing else is said."""
        self.work = self.work or storage.join(self.output, WORK)

    @property
    def vouchers(self) -> tuple[str, ...]:
        """Files that tell readers what the corpus holds, and are removed before its files change."""
        return tuple(storage.join(self.output, name) for name in CORPUS_VOUCHERS)

    def run(self, phase: Phase, tasks: Sequence[Task]) -> list[Record]:
        """Run a phase and note its time and amounts."""
        started = time.perf_counter()
        records = phase.run(self.engine, self.work, tasks, self.watch)
        self.note(phase.name, started, records)
        return records

    def note(self, name: str, started: float, records: Sequence[Record]) -> None:
        """Note the time a phase took, and how much it handled."""
        files = [file for record in records for file in record.files]
        self.times.append(
            {
                "name": name,
                "seconds": round(time.perf_counter() - started, 2),
                "task_seconds": round(sum(record.seconds for record in records), 2),
                "documents": sum(file.documents for file in files),
                "bytes": sum(file.bytes for file in files),
                "tasks": len(records),
            }
        )


def build_corpus(
    plan: Plan,
    output: str,
    *,
    engine: Engine,
    cache: str,
    watch: Watch | None = None,
    offline: bool = False,
    strict: bool = False,
    clean: bool = False,
    work: str | None = None,
) -> dict[str, Any]:
    """Build the corpus of a plan into `output` (any fsspec path) and return its manifest.

    A build that was stopped resumes where it was. `cache` keeps fetched packages. With `strict` the first unreadable
    file ends the build. The folder `work`, by default OUTPUT/.work, holds texts as they were before redaction; a rerun
    resumes from it. With `clean` it is removed at the end; a later build then starts anew. Raises OpenRootsError.
    """
    build = Build(plan, output, engine, watch or Watch(), strict, cache, (work or "").rstrip("/"))
    with build_lock(output, "corpus"), keep_workers():
        with _work_folder(build):
            manifest = _fetch_and_build(build, offline)
        if clean:
            storage.remove_tree(build.work)
        return manifest


def _work_folder(build: Build) -> AbstractContextManager[None]:
    """Hold the work folder, which within the output is the output's."""
    if build.work != storage.join(build.output, WORK):
        return build_lock(build.work, "work", "--work")
    mark_work(build.work)
    return nullcontext()


def _fetch_and_build(build: Build, offline: bool) -> dict[str, Any]:
    plan = build.plan
    remove_half_written(storage.join(build.output, "cards"), [f"{code}.md" for code in plan.languages.codes])
    started = time.perf_counter()
    fetched = fetch(plan, build.cache, offline=offline, on_progress=build.watch.fetched)
    build.note("fetch", started, [])
    return _build(build, fetched)


def _build(build: Build, fetched: FetchReport) -> dict[str, Any]:
    plan = build.plan
    ingest, ingested = _ingest(build, fetched)
    shards = [file for record in ingested for file in record.files if not file.extra.get("dropped")]
    annotate = annotate_phase(plan)
    annotated = _one_file_each(build.run(annotate, shard_tasks(ingest.files(build.work), shards)))
    decide = decide_phase(plan)
    decided = _one_file_each(build.run(decide, shard_tasks(annotate.files(build.work), annotated, text=False)))
    duplicates = _deduplicate(build, annotated, annotate.files(build.work), decided, decide.files(build.work))
    files = [
        ShardFiles(
            storage.join(annotate.files(build.work), shard.path),
            storage.join(decide.files(build.work), decision.path),
            duplicate,
        )
        for shard, decision, duplicate in zip(annotated, decided, duplicates.results, strict=True)
    ]
    inputs = [
        (shard.digest, decision.digest, duplicate)
        for shard, decision, duplicate in zip(annotated, decided, duplicates.digests, strict=True)
    ]
    seed = plan.recipe.seed
    counted = build.run(count_phase(seed), fate_tasks(annotated, files, inputs))
    samples = plan_samples(add_histograms(counted), plan.recipe.sampling, plan.languages)
    settle = settle_phase(samples, seed)
    settled = build.run(settle, fate_tasks(annotated, files, inputs))
    written = _write(build, annotated, files, settled, settle.files(build.work), duplicates)
    ledger = _write_ledger(build, ingested, ingest.files(build.work), settled, settle.files(build.work))
    stages = balance(ingested, settled, written)
    build.run(sketch_phase(build.output, build.vouchers), sketch_tasks(written))
    tallied = build.run(tally_phase(build.output), tally_tasks({"data": written, "ledger": ledger}))
    manifest = _manifest(build, fetched, ingested, settled, written, samples, stages)
    _check_files(build, {"data": written, "ledger": ledger})
    write_report(build.output, plan, manifest, duplicates.statistics, merge_examples(settled), tallied)
    storage.write_json(storage.join(build.output, "manifest.json"), manifest)
    write_seals(build.output)
    return manifest


def _refuse_own_files(output: str, units: Sequence[Unit]) -> None:
    """Refuse a source that reads what this build writes. Raises ConfigurationError."""
    if not storage.is_local(output):
        return
    whole = Path(storage.filesystem(output)[1]).resolve()
    own = [whole / folder for folder in KINDS["corpus"].folders]
    for unit in units:
        path = Path(unit.uri.removeprefix("file://")).resolve()
        if any(path.is_relative_to(folder) for folder in own):
            raise ConfigurationError(f"{shown(unit.uri)} is a file of this corpus; choose another --output")


def _check_files(build: Build, written: dict[str, list[Record]]) -> None:
    """Make sure, before the manifest vouches for them, that files are still as the tasks wrote them."""
    for folder, records in written.items():
        place = storage.join(build.output, folder)
        files = [file for record in records for file in record.files]
        bad = damaged(place, files, storage.list_files(place), check=False)
        if bad:
            raise OutputError(
                f"{shown_list(sorted(bad))} in {shown(place)} changed while the build ran; start again: it is repaired"
            )


def _ingest(build: Build, fetched: FetchReport) -> tuple[Phase, list[Record]]:
    skip = [path for path in (build.output, build.work, build.cache) if path]
    units = [
        unit for source in build.plan.sources for unit in list_units(source, fetched.located.get(source.id, {}), skip)
    ]
    if not units:
        raise SourceError(
            "none of the recipe's sources has any input; see the notes on unavailable packages above, "
            "or check the paths of its sources"
        )
    _refuse_own_files(build.output, units)
    large = split_tasks(build.plan, units)
    if large:
        units, build.whole = split_units(units, large, build.run(split_phase(build.plan), large))
    phase = ingest_phase(build.plan, build.strict)
    return phase, build.run(phase, ingest_tasks(build.plan, units))


def _one_file_each(records: Sequence[Record]) -> list[OutputFile]:
    return [record.files[0] for record in records]


def _deduplicate(
    build: Build, annotated: list[OutputFile], annotated_place: str, decided: list[OutputFile], decided_place: str
) -> DeduplicationResult:
    plan = build.plan
    started = time.perf_counter()
    context = DeduplicationContext(
        priorities={source.id: source.priority for source in plan.sources},
        unspaced=frozenset(code for code, language in plan.languages.natural.items() if language.unspaced),
        code=frozenset(plan.languages.programming),
    )
    shards = [
        ShardInput(
            name=shard_name(shard),
            path=storage.join(annotated_place, shard.path),
            decisions=storage.join(decided_place, decision.path),
            digest=f"{shard.digest} {decision.digest}",
        )
        for shard, decision in zip(annotated, decided, strict=True)
    ]
    result = deduplicate(
        build.engine,
        shards,
        _with_tombstones(build),
        context,
        build.work,
        index=storage.join(build.output, "index") if plan.recipe.deduplication.near else None,
        watch=build.watch,
    )
    build.note("deduplicate", started, [])
    return result


def _with_tombstones(build: Build) -> Deduplication:
    """The recipe's settings; documents that were taken down from what is in the output win over those of the build."""
    settings = build.plan.recipe.deduplication
    folder = storage.join(build.output, TAKEDOWNS)
    if not storage.list_files(storage.join(folder, "index")):
        return settings
    return settings.model_copy(update={"against": (*settings.against, folder)})


def _write(
    build: Build,
    annotated: list[OutputFile],
    files: list[ShardFiles],
    settled: list[Record],
    settled_place: str,
    duplicates: DeduplicationResult,
) -> list[Record]:
    parts: dict[str, list[Part]] = {}
    for shard, paths, record in zip(annotated, files, settled, strict=True):
        kept: dict[str, int] = {}
        for language, _, stage, _, _, _, size in record.data["counts"]:
            if stage == "write":
                kept[language] = kept.get(language, 0) + size
        fate = next(file for file in record.files if not file.path.endswith(LEDGER_ENDING))
        for language, size in kept.items():
            values = record.data["values"].get(language, {})
            digests = (shard.digest, fate.digest)
            part = Part(paths.annotated, storage.join(settled_place, fate.path), digests, size, values)
            parts.setdefault(language, []).append(part)
    tasks = plan_shards(parts, build.plan.recipe.output.shard_bytes)
    return build.run(
        replace(
            write_phase(
                build.output,
                duplicates.recurring_lines,
                frozenset(build.plan.languages.programming),
                build.plan.recipe.output.format,
            ),
            vouchers=build.vouchers,
        ),
        tasks,
    )


def _write_ledger(
    build: Build, ingested: list[Record], ingested_place: str, settled: list[Record], settled_place: str
) -> list[Record]:
    entries = [
        (storage.join(ingested_place, file.path), file)
        for record in ingested
        for file in record.files
        if file.extra.get("dropped") and file.documents
    ]
    entries += [
        (storage.join(settled_place, file.path), file)
        for record in settled
        for file in record.files
        if file.path.endswith(LEDGER_ENDING)
    ]
    return build.run(replace(ledger_phase(build.output), vouchers=build.vouchers), ledger_tasks(entries))


def balance(ingested: Sequence[Record], settled: Sequence[Record], written: Sequence[Record]) -> list[dict[str, Any]]:
    """The funnel: for each stage documents and bytes in, kept and dropped.

    Three counts made apart must agree: what ingest read, what the ledger says, what the shards hold. Raises
    BalanceError where they do not.
    """
    entered = _sum(file for record in ingested for file in record.files)
    kept = [0, 0]
    refused = [entry for record in ingested for entry in record.data["dropped"]]
    fates = [entry[2:6] for record in settled for entry in record.data["counts"]]
    is_taken_down = any(stage == TAKEDOWN for stage, *_ in fates)
    dropped: dict[str, list[int]] = {stage: [0, 0] for stage in (*STAGES, *([TAKEDOWN] if is_taken_down else []))}
    for stage, _, documents, size in [*refused, *fates]:
        target = kept if stage == "write" else dropped[stage]
        target[0] += documents
        target[1] += size
    left = list(entered)
    stages = []
    for stage in dropped:
        out = [left[0] - dropped[stage][0], left[1] - dropped[stage][1]]
        stages.append(
            {
                "stage": stage,
                "documents_in": left[0],
                "documents_kept": out[0],
                "documents_dropped": dropped[stage][0],
                "bytes_in": left[1],
                "bytes_kept": out[1],
                "bytes_dropped": dropped[stage][1],
            }
        )
        left = out
    in_shards = sum(file.documents for record in written for file in record.files)
    if left != kept or in_shards != kept[0]:
        raise BalanceError(
            f"the ledger does not balance: {entered[0]} documents entered, {left[0]} should be left after all drops, "
            f"the ledger keeps {kept[0]} and the shards hold {in_shards}; please report this with the recipe"
        )
    return stages


def _sum(files: Any) -> tuple[int, int]:
    documents = size = 0
    for file in files:
        documents += file.documents
        size += file.bytes
    return documents, size


def _manifest(
    build: Build,
    fetched: FetchReport,
    ingested: Sequence[Record],
    settled: Sequence[Record],
    written: Sequence[Record],
    samples: dict[str, LanguageSample],
    stages: list[dict[str, Any]],
) -> dict[str, Any]:
    languages: dict[str, Any] = {}
    for record in written:
        for file in record.files:
            language = languages.setdefault(file.extra["language"], {"documents": 0, "bytes": 0, "shards": []})
            language["documents"] += file.documents
            language["bytes"] += file.bytes
            language["shards"].append(
                {"path": f"data/{file.path}", "documents": file.documents, "bytes": file.bytes, "digest": file.digest}
            )
    drops: dict[tuple[str, str], list[int]] = {}
    for stage, reason, documents, size in [
        *(entry for record in ingested for entry in record.data["dropped"]),
        *(entry[2:6] for record in settled for entry in record.data["counts"] if entry[2] != "write"),
    ]:
        total = drops.setdefault((stage, reason), [0, 0])
        total[0] += documents
        total[1] += size
    return {
        "format": MANIFEST_FORMAT,
        "name": build.plan.recipe.name,
        "digest": corpus_digest(written),
        "recipe": build.plan.recipe.model_dump(mode="json"),
        "sources": [source.model_dump(mode="json") for source in build.plan.sources],
        "versions": _versions(),
        "packages": fetched.packages,
        "unavailable": fetched.unavailable,
        "languages_lost": fetched.languages_lost,
        "licences": licence_rows(row for record in ingested for row in record.data["licences"]),
        **_problems(ingested),
        "read_whole": build.whole,
        "stages": stages,
        "drops": [
            {"stage": stage, "reason": reason, "documents": total[0], "bytes": total[1]}
            for (stage, reason), total in sorted(drops.items())
        ],
        "languages": dict(sorted(languages.items())),
        "samples": {code: sample.as_dict() for code, sample in samples.items()},
        "phases": build.times,
    }


def _problems(ingested: Sequence[Record]) -> dict[str, Any]:
    """The first problems, and how many there are besides: the ledger has a row for each document lost."""
    named = [problem for record in ingested for problem in record.data["problems"]]
    unnamed = sum(record.data["problems_unnamed"] for record in ingested)
    return {"problems": named[:PROBLEMS_MAX], "problems_unnamed": unnamed + max(0, len(named) - PROBLEMS_MAX)}


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
