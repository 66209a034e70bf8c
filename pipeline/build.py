"""The whole build: fetch → ingest → annotate → decide → deduplicate → sample → write → report.

Every step can be stopped and resumed; see `pipeline.runtime.flow`. What steps pass on are the records of finished
tasks, never documents; `pipeline.jobs` has the steps.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Thread
from typing import Any

from configs.errors import BalanceError, ConfigurationError, OpenRootsError, OutputError, SourceError
from configs.load import Plan
from configs.shown import shown, shown_list
from governance.licence_report import licence_rows
from pipeline.annotate import annotate_phase
from pipeline.corpus.reading import note_work_folder
from pipeline.corpus.seal import write_seals
from pipeline.decontamination.stage import check_sets
from pipeline.fetch import FetchReport, fetch
from pipeline.jobs import CorpusJobs
from pipeline.readers import Unit, list_units
from pipeline.readers.units import PassedOver, passed_over_line
from pipeline.reasons import TAKEDOWN
from pipeline.report import load_templates, write_report
from pipeline.report.tally import Tally
from pipeline.runtime import storage
from pipeline.runtime.done import Done
from pipeline.runtime.engine import Engine
from pipeline.runtime.finished import damaged
from pipeline.runtime.flow import Step, fixed_step, run_steps
from pipeline.runtime.follow import seconds_of
from pipeline.runtime.lock import build_lock
from pipeline.runtime.ownership import KINDS, WORK, mark_work, remove_half_written
from pipeline.runtime.phases import Record, Watch
from pipeline.runtime.workers import keep_workers
from pipeline.sampling import LanguageSample
from pipeline.settle import DECONTAMINATE
from pipeline.split import split_phase, split_tasks, split_units
from pipeline.unchanged import is_unchanged, request_key
from pipeline.write import corpus_digest

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
    resumes from it. With `clean` it is removed at the end; a later build then starts from scratch. Raises
    OpenRootsError.
    """
    watch = watch or Watch()
    too_short = check_sets(plan.recipe.decontamination)
    if not engine.is_local:  # workers have other working directories
        output, work = storage.absolute(output), work and storage.absolute(work)
    work = (work or "").rstrip("/") or storage.join(output, WORK)
    with build_lock(output, "corpus"), keep_workers():
        with _work_folder(output, work):
            remove_half_written(storage.join(output, "cards"), [f"{code}.md" for code in plan.languages.codes])
            started = time.perf_counter()
            fetched = fetch(plan, cache, offline=offline, on_progress=watch.fetched, on_waiting=watch.fetching)
            seconds = time.perf_counter() - started
            units, passed_over = _units(plan, (output, work, cache), fetched)
            request = "" if storage.is_local(output) or clean else request_key(plan, fetched, units)
            if request and not engine.check and is_unchanged(output, work, request):
                watch.unchanged(output)
                return dict(storage.read_json(storage.join(output, "manifest.json")))
            Thread(target=_load_ahead, args=(plan, engine), name="load-ahead", daemon=True).start()
            units, whole, split = _split(plan, engine, work, units, watch)
            jobs = CorpusJobs(plan, output, work, strict)
            steps = _run_jobs(jobs, units, engine, watch)
            times = [{"name": "fetch", "seconds": round(seconds, 2)}, *_times([*split, *steps], Done(work))]
            about = {"read_whole": whole, "phases": times, "items_too_short": too_short, "passed_over": passed_over}
            manifest = _finish(jobs, fetched, about)
            write_seals(output, work, request)
        if clean:
            storage.remove_tree(work)
            note_work_folder(output, storage.join(output, WORK))
        return manifest


def _work_folder(output: str, work: str) -> AbstractContextManager[None]:
    """Hold the work folder, which within the output is the output's, and note in the output where it is."""
    note_work_folder(output, work)
    if work != storage.join(output, WORK):
        return build_lock(work, "work", "--work")
    mark_work(work)
    return nullcontext()


def _load_ahead(plan: Plan, engine: Engine) -> None:
    """Load, while workers read, what this process needs when they are done and would wait for it."""
    if engine.is_local and engine.workers > 1:
        with suppress(OpenRootsError):  # whatever needs it gets the error
            annotate_phase(plan)
    load_templates()


def _run_jobs(jobs: CorpusJobs, units: list[Unit], engine: Engine, watch: Watch) -> list[Step]:
    """Run all jobs; returns their steps. On this machine, where little was read, the rest is two pipelines."""
    size, run = max(sum(unit.size for unit in units), 1), list[Step]()

    def do(label: str, steps: list[Step]) -> None:
        run_steps(engine, jobs.work, steps, watch, label=label, input_bytes=size)
        run.extend(steps)

    if engine.is_local:
        do("read", [jobs.ingest_step(units)])
        jobs = jobs.sized(Done(jobs.work))  # only now is it known what compressed files hold
    plans: dict[str, Callable[[], list[Step]]] = {
        "read": jobs.annotate_steps if engine.is_local else lambda: jobs.read_steps(units),
        "compare": jobs.compare_steps,
        "choose": lambda: jobs.decide_steps(engine, Done(jobs.work)),
        "write": jobs.write_steps,
    }
    for labels in (("read", "compare"), ("choose", "write")) if jobs.is_small else [(label,) for label in plans]:
        do(labels[0], [step for label in labels for step in plans[label]()])
    return run


def _units(plan: Plan, own: tuple[str, str, str], fetched: FetchReport) -> tuple[list[Unit], dict[str, dict[str, int]]]:
    """All that is to be read, and what was skipped, by source and ending of the name.

    `own` are output, work folder and cache, which are not read.
    """
    skip = [path for path in own if path]
    passed_over: PassedOver = {}
    units: list[Unit] = []
    for source in plan.sources:
        units += list_units(source, fetched.located.get(source.id, {}), skip, passed_over)
    if not units:
        raise SourceError(
            "none of the recipe's sources has any input; see the notes on unavailable packages above, "
            "or check the paths of its sources"
            + "".join(f"; {passed_over_line(source, endings)}" for source, endings in passed_over.items())
        )
    _refuse_own_files(own[0], units)
    return units, {source: dict(sorted(endings.items())) for source, endings in passed_over.items()}


def _split(
    plan: Plan, engine: Engine, work: str, units: list[Unit], watch: Watch
) -> tuple[list[Unit], list[dict[str, Any]], list[Step]]:
    """Units with large files in parts, the files that can only be read whole, and the step that found the parts."""
    large = split_tasks(plan, units)
    if not large:
        return units, [], []
    steps: list[Step] = [fixed_step(split_phase(plan), large)]
    done = run_steps(engine, work, steps, watch, label="split")
    return *split_units(units, large, done.records("split")), steps


def _finish(jobs: CorpusJobs, fetched: FetchReport, notes: dict[str, Any]) -> dict[str, Any]:
    """Check that all adds up, write the report, and last the manifest, which vouches for the corpus."""
    plan, output, done = jobs.plan, jobs.output, Done(jobs.work)
    ingested, settled, written = done.records("ingest"), done.records("settle"), done.records("write")
    stages = balance(ingested, settled, written, _stages(plan))
    manifest = {**_manifest(plan, fetched, ingested, settled, written, jobs.samples(done), stages), **notes}
    _check_files(output, {"data": written, "ledger": done.records("ledger")})
    duplicates = jobs.deduplicator.result(done)
    tally = Tally.from_json(done.summary("tally"))
    write_report(output, plan, manifest, duplicates.statistics, done.summary("settle"), [tally])
    storage.write_json(storage.join(output, "manifest.json"), manifest)
    return manifest


def _stages(plan: Plan) -> tuple[str, ...]:
    """The stages of this build: those that any has, and decontamination where there are sets to look for."""
    if not plan.recipe.decontamination.is_on:
        return STAGES
    place = STAGES.index("sample")
    return (*STAGES[:place], DECONTAMINATE, *STAGES[place:])


def _times(steps: Sequence[Step], done: Done) -> Iterator[dict[str, Any]]:
    """What each phase took, and how much it handled. Phases of one step share its time."""
    for step in steps:
        for name, records in step.records(done) or [(step.name, [])]:
            files = [file for record in records for file in record.files]
            yield {
                "name": name,
                "seconds": round(seconds_of(done.folder, step.name), 2),
                "task_seconds": round(sum(record.seconds for record in records), 2),
                "documents": sum(file.documents for file in files),
                "bytes": sum(file.bytes for file in files),
                "tasks": len(records),
            }


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


def _check_files(output: str, written: dict[str, list[Record]]) -> None:
    """Make sure, before the manifest vouches for them, that files are still as the tasks wrote them."""
    for folder, records in written.items():
        place = storage.join(output, folder)
        files = [file for record in records for file in record.files]
        bad = damaged(place, files, storage.list_files(place), check=False)
        if bad:
            raise OutputError(
                f"{shown_list(sorted(bad))} in {shown(place)} changed while the build ran; start again: it is repaired"
            )


def balance(
    ingested: Sequence[Record], settled: Sequence[Record], written: Sequence[Record], stages_run: Sequence[str] = STAGES
) -> list[dict[str, Any]]:
    """The funnel: for each stage documents and bytes in, kept and dropped.

    Three counts made apart must agree: what ingest read, what the ledger says, what the shards hold. Raises
    BalanceError where they do not.
    """
    entered = _sum(file for record in ingested for file in record.files)
    kept = [0, 0]
    refused = [entry for record in ingested for entry in record.data["dropped"]]
    fates = [entry[2:6] for record in settled for entry in record.data["counts"]]
    is_taken_down = any(stage == TAKEDOWN for stage, *_ in fates)
    dropped: dict[str, list[int]] = {stage: [0, 0] for stage in (*stages_run, *([TAKEDOWN] if is_taken_down else []))}
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
    plan: Plan,
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
        "name": plan.recipe.name,
        "digest": corpus_digest(written),
        "recipe": plan.recipe.model_dump(mode="json"),
        "sources": [source.model_dump(mode="json") for source in plan.sources],
        "versions": _versions(),
        "packages": fetched.packages,
        "unavailable": fetched.unavailable,
        "languages_lost": fetched.languages_lost,
        "licences": licence_rows(row for record in ingested for row in record.data["licences"]),
        **_problems(ingested),
        "stages": stages,
        "drops": [
            {"stage": stage, "reason": reason, "documents": total[0], "bytes": total[1]}
            for (stage, reason), total in sorted(drops.items())
        ],
        "languages": dict(sorted(languages.items())),
        "samples": {code: sample.as_dict() for code, sample in samples.items()},
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
