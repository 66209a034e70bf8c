"""How a build grows: the real planning code over the records that work shards would leave, without their texts.

    python -m benchmarks.scale_model --terabytes 0.1,1,10

Every step of a build plans its tasks and gathers its records as it does on a cluster; only the work itself is replaced
by records of the size that work leaves, for shards of 100 MB of text. Files lie in memory, and requests are counted.
What is measured: jobs, tasks, elements that the runner groups, bytes that it shuffles, requests, time and memory of
the planning, all of which one process does here one after the other.
"""

import argparse
import json
import math
import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import Any, ClassVar

import fsspec
import numpy as np
from fsspec.implementations.memory import MemoryFileSystem

from benchmarks import Settings, Table
from configs.load import load_recipe
from pipeline.deduplication.exchange import ExchangeStep
from pipeline.deduplication.keys import BUNDLES_MAX
from pipeline.deduplication.packing import BITS_BESIDE_STEP
from pipeline.deduplication.phase import RECURRING
from pipeline.deduplication.records import MEMBER
from pipeline.deduplication.sieve import BY_CHANCE, Group, group_file, is_one
from pipeline.jobs import CorpusJobs
from pipeline.readers import Unit
from pipeline.report.tally import Tally
from pipeline.runtime.done import Done
from pipeline.runtime.engine import Engine
from pipeline.runtime.flow import Begun, ShardStep, Step
from pipeline.runtime.phases import OutputFile, Record, Task, digest_of

SHARD_BYTES = 100_000_000
DOCUMENT_BYTES = 3000
LINE_BYTES = 60
DUPLICATES = 0.1
"""Share of documents that an exchange finds to be duplicates of another."""
SCALE = "Scale, by the real planning code over synthetic records (shards of 100 MB)"
_EDGE, _PAIR = 16, 20
FRAME_BYTES = 29
"""Of a buffer of keys, beside these: of fingerprints; records have some fifty more."""
LOSER_BYTES = 7.5
"""Of a document that is dropped for an equal one: its row and shard, and those of the one kept."""
DROPPED_BYTES, KEPT_BYTES = 24, 8
"""What becomes of a document: its row, how similar both are and how many there are; the id of the one kept."""
NAME_BYTES = 16
"""Of a bundle of files that records are shuffled by."""
KEYS_A_SHARD: dict[str, Callable[[int], int]] = {
    "deduplicate-ids": lambda documents: documents,
    "deduplicate-exacts": lambda documents: documents,
    "deduplicate-recurring": lambda _: SHARD_BYTES // LINE_BYTES,
    "deduplicate-pairs": lambda documents: 14 * documents,
}
SHARED = {
    "deduplicate-ids": 2 * DUPLICATES,
    "deduplicate-exacts": 2 * DUPLICATES,
    "deduplicate-recurring": 0.01,
    "deduplicate-pairs": DUPLICATES,
}
"""Share of keys that another document has as well: of near-duplicates every second band. Some more seem to by chance;
of lines these are among the hundredth."""


class CountingFiles(MemoryFileSystem):
    """Files in memory; counts requests as an object store would bill them."""

    protocol = "count"
    requests: ClassVar[Counter[str]] = Counter()

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        self.requests["GET" if "r" in mode else "PUT"] += 1
        return super()._open(path, mode, **kwargs)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> Any:
        """Read a file in one request."""
        return super().cat_file(path, start, end, **kwargs)

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any) -> Any:
        """List what lies below; a thousand names a request."""
        found = super().find(path, maxdepth=maxdepth, withdirs=withdirs, **kwargs)
        self.requests["LIST"] += 1 + len(found) // 1000
        return found

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Look whether a file is there."""
        self.requests["HEAD"] += 1
        return bool(super().exists(path, **kwargs))

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        self.requests["DELETE"] += 1
        super().rm_file(path)


@dataclass
class Model:
    """One build, simulated."""

    terabytes: float
    jobs: CorpusJobs
    units: list[Unit]
    rows: list[list[Any]] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """Documents of a shard."""
        return SHARD_BYTES // DOCUMENT_BYTES

    def run(self) -> dict[str, Any]:
        """All jobs; the planning of every step, and what the driver does at the end."""
        begun, jobs = time.process_time(), 0
        totals: Counter[str] = Counter()
        work = self.jobs.work
        for make in (
            lambda: self.jobs.read_steps(self.units),
            self.jobs.compare_steps,
            lambda: self.jobs.decide_steps(Engine(options=("--runner=None",)), Done(work)),
            self.jobs.write_steps,
        ):
            jobs += 1
            for step in make():
                totals.update(self._step(step, Done(work)))
        done = Done(work)
        self.jobs.deduplicator.result(done)
        self.jobs.samples(done)
        return {"jobs": jobs, **totals, "seconds": time.process_time() - begun}

    def _step(self, step: Step, done: Done) -> dict[str, int]:
        begun = step.begin(done, check=False)
        if isinstance(step, ExchangeStep):
            return self._exchange(step, begun, done)
        assert isinstance(step, ShardStep)
        results = [(number, self._records(step, done, task)) for number, task in begun.elements]
        if step.name in CONTENTS:
            fs, content = fsspec.filesystem("count"), CONTENTS[step.name]()
            for _, records in results:
                fs.pipe_file(f"{done.files(step.name)}/{records[0].files[-1].path}", content)
        step.end(done, results)
        return {"tasks": len(results), "elements": 2 * len(results)}

    def _exchange(self, step: ExchangeStep, begun: Begun, done: Done) -> dict[str, int]:
        if begun.is_done:
            return {}
        shards = len(self.units)
        keys = shards * KEYS_A_SHARD.get(step.name.removesuffix("-sieve"), lambda n: 1)(self.documents)
        # A group of shards, with all its parts, gives a buffer for each partition it has keys of.
        elements = step.exchange(done).shards
        parts = sum(one.shards is elements[0].shards for one in elements) if isinstance(elements[0], Group) else 1
        groups, partitions = len(begun.elements), step.partitions(done)
        buffers = groups + groups // parts * min(partitions, max(1, keys * parts // groups))
        if step.name.endswith("-sieve"):
            return self._sieve(step, begun, done, keys, buffers)
        names = [f"shard-{number:06d}" for number in range(shards)]
        if step.name.endswith("recurring"):
            names = [f"source-{number:05d}" for number in range(len(self.jobs.plan.sources))]
        if step.name.endswith("pairs"):
            names = [f"pairs-{number:06d}" for number in range(partitions)]
        found = int(shards * self.documents * DUPLICATES)
        if step.name.endswith("kept"):
            return self._kept(step, done, names, found)
        size = int(keys * DUPLICATES / 2) * _PAIR // partitions if step.is_whole else found // shards * _EDGE
        files = [self._file(step, done, name, size) for name in names]
        if step.name.endswith("recurring"):
            self._touch(step, done, files)
        step.end(done, files)
        # What partitions find is shuffled by bundle of files, unless each has its own.
        again = 0 if step.is_whole else min(found, partitions * min(len(names), BUNDLES_MAX))
        shuffled = step.size(done) + FRAME_BYTES * buffers
        if again:
            told = found * LOSER_BYTES if len(names) == shards else size * len(names)
            shuffled += int(told) + (FRAME_BYTES + NAME_BYTES) * again
        return {"tasks": groups, "elements": groups + buffers + again + 2 * len(names), "shuffled": shuffled}

    def _kept(self, step: ExchangeStep, done: Done, names: list[str], found: int) -> dict[str, int]:
        """One worker reads all pairs, and tells each shard of its documents that have duplicates or are ones."""
        step.end(done, [self._file(step, done, name, 2 * found // len(names) * MEMBER.itemsize) for name in names])
        return {"tasks": 1, "elements": 2 * len(names), "shuffled": found * (DROPPED_BYTES + KEPT_BYTES)}

    def _file(self, step: ExchangeStep, done: Done, name: str, size: int) -> tuple[str, OutputFile]:
        digest = digest_of([step.name, name])
        extra = {"about": digest} if step.exchange(done).about else {}
        return name, OutputFile(f"{name}.{digest}", digest, 0, 0, extra, size, 0.0)

    def _sieve(self, step: ExchangeStep, begun: Begun, done: Done, keys: int, buffers: int) -> dict[str, int]:
        """Fingerprints go there, and back come the places of those that are frequent: a file a group.

        Where there is one group, its parts answer themselves.
        """
        share, alone = SHARED[step.name.removesuffix("-sieve")], is_one(step.exchange(done).shards)
        if not alone and not step.name.startswith(RECURRING):
            share += BY_CHANCE
        groups = len(begun.elements)
        passing = int(keys * share / groups)
        answer = int(passing * (BITS_BESIDE_STEP - math.log2(share)) / 8)
        files = []
        for number in range(groups):
            digest = digest_of([step.name, number])
            name = group_file(number)
            files.append((name, OutputFile(f"{name}.{digest}", digest, 0, 0, {"about": str(passing)}, answer, 0.0)))
        step.end(done, files)
        if alone:
            return {"tasks": groups, "elements": 4 * groups, "shuffled": 2 * (answer + FRAME_BYTES) * groups}
        # Answers come from every partition to every part that has keys of it.
        return {"tasks": groups, "elements": 2 * groups + 2 * buffers,
                "shuffled": step.size(done) + FRAME_BYTES * 2 * buffers + answer * groups}  # fmt: skip

    def _touch(self, step: ExchangeStep, done: Done, files: list[tuple[str, OutputFile]]) -> None:
        fs = fsspec.filesystem("count")
        for _, file in files:
            fs.pipe_file(f"{step.target(done)}/{file.path}", b"\0" * 8)

    def _records(self, step: ShardStep, done: Done, task: Task) -> list[Record]:
        records: list[Record] = []
        for link, _, key in step._links(done):
            task = link.task(done, task, records) if link.task else task
            records.append(Record(task.name, key(task), self._files(link.name, task), self._data(link.name), 1.0))
        return records

    def _files(self, phase: str, task: Task) -> tuple[OutputFile, ...]:
        def file(ending: str, size: int, documents: int = 0, **extra: Any) -> OutputFile:
            digest = digest_of([phase, task.name, ending])
            return OutputFile(f"{task.name}{ending}", digest, documents, size, extra, size, 0.0)

        n, lines = self.documents, SHARD_BYTES // LINE_BYTES
        makers: dict[str, Any] = {
            "ingest": lambda: (file("-00000.arrow", SHARD_BYTES, n), file(".dropped.arrow", 0, 0, dropped=True)),
            "annotate": lambda: (file(".arrow", SHARD_BYTES, n, languages=_languages(n)),),
            "decide": lambda: (file(".arrow", 0, n),),
            "deduplicate-hash": lambda: (file(".documents", 64 * n, n),),
            "deduplicate-lines": lambda: (file(".lines", 16 * lines, lines),),
            "deduplicate-sign": lambda: tuple(file(e, 448 * n) for e in (".cuts", ".rows", ".signatures", ".bands")),
            "count": lambda: (file(".counts", 2 * 8 * 4096),),
            "settle": lambda: (
                file(".arrow", 8 * n, n),
                file(".ledger.arrow", 100 * n, n, aside=True),
                file(".examples.json", 5000),
            ),
            "tally": lambda: (file(".tally", 20_000),),
            "write": lambda: (file(".arrow", task.size, n, language=task.name.split("/")[0]),),
            "ledger": lambda: (file(".parquet", 50_000_000),),
        }
        return tuple(makers.get(phase, lambda: (file(".arrow", 0, n),))())

    def _data(self, phase: str) -> dict[str, Any]:
        n = self.documents
        makers: dict[str, dict[str, Any]] = {
            "ingest": {"dropped": [], "problems": [], "problems_unnamed": 0},
            "decide": {"dropped": [["quality", "words_min", n // 10, 0]]},
            "deduplicate-hash": {"count": n, "alive": n, "sources": ["crawl"]},
            "deduplicate-lines": {"sources": ["crawl"], "lines": {"crawl": SHARD_BYTES // LINE_BYTES}},
            "deduplicate-sign": {"signatures": n, "bands": 14 * n},
            "deduplicate-result": {
                "reasons": {"near_duplicate": [n // 10, SHARD_BYTES // 10]},
                "alive": [n, SHARD_BYTES], "kept": [n, SHARD_BYTES], "bytes_cut": 0,
            },
            "count": {"languages": ["sw", "yo"]},
            "settle": {
                "counts": [[code, "crawl", "write", "kept", n // 2, SHARD_BYTES // 2, SHARD_BYTES // 2]
                           for code in ("sw", "yo")],
                "values": {code: {"licence": ["CC0-1.0"], "source": ["crawl"]} for code in ("sw", "yo")},
            },
        }  # fmt: skip
        return makers.get(phase, {})


def _languages(documents: int) -> list[dict[str, Any]]:
    half = SHARD_BYTES // 2
    return [
        {"language": code, "documents": documents // 2, "bytes": half, "at": at}
        for code, at in (("sw", 0), ("yo", half))
    ]


def _tally() -> Tally:
    tally = Tally()
    for measure in range(14):
        tally.add(("histogram", "sw", str(measure)), np.ones(60, np.int64))
    return tally


def _examples() -> list[dict[str, str]]:
    return [{"stage": "quality", "reason": "words_min", "id": f"{number:032x}", "excerpt": "x" * 300}
            for number in range(9)]  # fmt: skip


CONTENTS: dict[str, Any] = {
    "count": lambda: np.ones(2 * 4096, "<i8").tobytes(),
    "settle": lambda: json.dumps(_examples()).encode(),
    "tally": lambda: json.dumps([_tally().as_json()]).encode(),
}
"""What is in the files that the end of a step reads."""


def simulate(terabytes: float) -> dict[str, Any]:
    """Figures of a build of so much text."""
    fsspec.register_implementation("count", CountingFiles, clobber=True)
    CountingFiles.store.clear()
    CountingFiles.requests.clear()
    shards = max(1, round(terabytes * 1e12 / SHARD_BYTES))
    plan = load_recipe("tiny")
    settings = plan.recipe.deduplication.model_copy(update={"in_memory_edges_max": 1 << 62})  # stars are not counted
    plan = replace(plan, recipe=plan.recipe.model_copy(update={"deduplication": settings}))
    source = plan.sources[0].id
    units = [
        Unit(source, f"s3://crawl/{number:06d}.jsonl", 0, SHARD_BYTES, f"{number:06d}.jsonl", state=str(number))
        for number in range(shards)
    ]
    jobs = CorpusJobs(plan, "count://corpus", "count://corpus/.work")
    before = _resident()
    figures = Model(terabytes, jobs, units).run()
    peak = _resident() - before - sum(map(len_of, CountingFiles.store.values()))
    figures |= {"shards": shards, "peak": peak, "requests": sum(CountingFiles.requests.values())}
    return figures


def _simulated(terabytes: float) -> dict[str, Any]:
    """The same in a process of its own, so that one size's memory is not another's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(simulate, terabytes).result()


def _resident() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def len_of(file: Any) -> int:
    """Bytes of a file in memory, which are the store's and not the driver's."""
    return int(file.getbuffer().nbytes)


def table(sizes: list[float]) -> Table:
    """A row a size."""
    rows = []
    for terabytes in sizes:
        found = _simulated(terabytes)
        text = found["shards"] * SHARD_BYTES
        rows.append([
            f"{terabytes:g} TB", f"{found['shards']:,}", f"{found['jobs']}", f"{found['tasks']:,}",
            f"{found['elements']:,}", f"{found['shuffled'] / 1e9:,.1f} GB", f"{found['shuffled'] / text:.1%}",
            f"{found['requests']:,}", f"{found['seconds']:.0f} s", f"{found['peak'] / 1e6:,.0f} MB",
        ])  # fmt: skip
        print(*rows[-1], sep=" · ", flush=True)
    columns = ["text", "shards", "jobs", "tasks", "elements grouped", "shuffled", "of the text", "requests",
               "planning, processor time", "memory growth"]  # fmt: skip
    notes = [
        "Requests are those of planning and gathering; each task's own come on top.",
        "Stars for clusters that do not fit in memory are not counted.",
        "Lines are taken to have 60 bytes, all of them distinct; documents 3 kB, a tenth of them duplicates.",
    ]
    return Table(SCALE, columns, rows, notes)


def measure(settings: Settings) -> list[Table]:
    """For `python -m benchmarks`."""
    return [table([0.1, 1, 10])]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_model", description=__doc__)
    parser.add_argument("--terabytes", default="0.1,1", help="sizes, with commas")
    table([float(size) for size in parser.parse_args().terabytes.split(",")])


if __name__ == "__main__":
    main()
