"""Steps of a build as few Beam pipelines: what a step does is planned inside the pipeline, once all before it is done.

A pipeline carries one token from step to step. It makes a step plan its tasks from the manifests that the steps before
it left; tasks are spread, done, and their records gathered into the step's own manifest; then the token goes on. Texts
never travel, and the driver holds nothing: it reads manifests. Every part may be retried, run twice or be killed: a
task that has a record under its key is not done again.

On runners that spill, a job is one pipeline. Locally, where Beam holds in memory what it shuffles, a step that
shuffles much is cut into rounds, each a pipeline; see `Step.cut`.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import apache_beam as beam
from apache_beam.internal import cloudpickle_pickler

from configs.errors import OpenRootsError
from pipeline.runtime import recall, storage, workers
from pipeline.runtime.counters import count
from pipeline.runtime.done import Done
from pipeline.runtime.engine import Engine, carry
from pipeline.runtime.finished import Record, without_collection
from pipeline.runtime.follow import Follower, note_of, notes, tell_begin, tell_end
from pipeline.runtime.lock import check_held
from pipeline.runtime.phases import Phase, Task, Watch
from pipeline.runtime.probe import probe
from pipeline.runtime.spark.options import ONE_KEY

_at_work = threading.Lock()
"""A process works on one task at a time, though some runners give it a thread for each bundle: a task holds a shard in
memory, and models keep memory to work in. Runners start a process for each core."""
_UNPACKED_MAX = 4
BRIEF_TASKS, BRIEF_BYTES = 500, 16 << 20
"""A step of no more tasks and bytes, whose files lie in a store, keeps no record of each task: seconds are at stake."""


@dataclass(frozen=True)
class Begun:
    """How a step begins: elements to work on, each with a number of its own, and how far it is already.

    `is_done`: there is nothing to do. `note` is for the progress display: sizes of tasks, those done, damaged files.
    """

    elements: list[Any]
    is_done: bool
    note: dict[str, Any] = field(default_factory=dict)


class Step(ABC):
    """A part of a build between two barriers. Steps travel to workers: they hold nothing large."""

    name: str

    @abstractmethod
    def begin(self, done: Done, check: bool) -> Begun:
        """Look what is done, and prepare the rest. May run more than once, in any process."""

    @abstractmethod
    def expand(self, elements: beam.PCollection, site: "Site") -> beam.PCollection:
        """Spread and do what `begin` gave, as (number, element); the results are for `end`."""

    @abstractmethod
    def end(self, done: Done, results: list[Any]) -> dict[str, Any]:
        """Gather what the elements left. May run more than once. Returns a note for the progress display."""

    def begun(self) -> "Step":
        """The step without what only `begin` needs."""
        return self

    def cut(self, done: Done) -> list["Step"]:
        """The same step as rounds, so that what each shuffles fits in memory."""
        return [self]

    def can_follow(self, before: Sequence["Step"]) -> bool:
        """Whether it can run in one pipeline with these steps where memory is short."""
        return True

    def is_idle(self, done: Done) -> bool:
        """Whether there is no need of it, once the steps are done that tell."""
        return False

    @property
    @abstractmethod
    def phases(self) -> tuple[str, ...]:
        """Names of the folders that it writes to below the work folder."""

    def records(self, done: Done) -> list[tuple[str, list[Record]]]:
        """Its phases with tasks, and their records."""
        return []


@dataclass(frozen=True)
class Link:
    """One phase of a step: the phase, and its task from those records of the same shard that earlier links left."""

    name: str
    phase: Callable[[Done], Phase]
    task: Callable[[Done, Task, list[Record]], Task] | None = None


@dataclass(frozen=True)
class ShardStep(Step):
    """Tasks that need nothing of one another. Further links work on what a task left, where it was done.

    `summarise` makes of the first link's records what later steps need of them all, as JSON; see `Done.summary`.
    """

    tasks: Callable[[Done], Sequence[Task]]
    links: tuple[Link, ...]
    summarise: Callable[[Done, list[Record]], Any] | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The first phase's."""
        return self.links[0].name

    @without_collection()
    def begin(self, done: Done, check: bool) -> Begun:
        """Elements are records where all links are done, else tasks: those largest first."""
        tasks, links = self.tasks(done), self._links(done)
        found = [phase.found(done.folder, check) for _, phase, _ in links]
        elements: list[tuple[int, Task | list[Record]]] = []
        pending, damage = [], []
        for number, task in enumerate(tasks):
            records = self._ready(done, task, links, [whole for whole, _ in found])
            damaged = found[0][1].get(task.name)
            if damaged is not None and damaged.key == links[0][2](task):
                damage += [file.path for file in damaged.files]
            if len(records) == len(links):
                elements.append((number, records))
            else:
                pending.append((number, task))
        damage += [file.path for _, broken in found[1:] for record in broken.values() for file in record.files]
        pending.sort(key=lambda entry: (-entry[1].size, entry[1].name))
        if not storage.is_local(done.folder) and _are_brief([task for _, task in pending]):
            pending = [(number, replace(task, is_brief=True)) for number, task in pending]
        if pending:
            for (_, phase, _), (whole, _) in zip(links, found, strict=True):
                phase.begin(done.folder, [task.name for task in tasks], whole)
        missing = {task.name for _, task in pending}
        note = {
            "sizes": {task.name: task.size for task in tasks},
            "done": [task.name for task in tasks if task.name not in missing],
            "damaged": sorted(damage),
        }
        return Begun([*elements, *pending], not pending and self._has_summary(done), note)

    def _has_summary(self, done: Done) -> bool:
        if self.summarise is None:
            return True
        try:
            done.summary(self.name)
        except (FileNotFoundError, ValueError):
            return False
        return True

    def begun(self) -> Step:
        """Without its tasks, which may be many."""
        return replace(self, tasks=_no_tasks)

    def _links(self, done: Done) -> list[tuple[Link, Phase, Callable[[Task], str]]]:
        def make() -> list[tuple[Link, Phase, Callable[[Task], str]]]:
            phases = [(link, link.phase(done)) for link in self.links]
            return [(link, phase, phase.key_maker()) for link, phase in phases]

        links: list[tuple[Link, Phase, Callable[[Task], str]]] = done.once(("links", self.name), make)
        return links

    @staticmethod
    def _ready(done: Done, task: Task, links: Any, found: list[dict[str, Record]]) -> list[Record]:
        """The records of the links that need not be done again."""
        records: list[Record] = []
        for (link, _, key), whole in zip(links, found, strict=True):
            task = link.task(done, task, records) if link.task else task
            record = whole.get(task.name)
            if record is None or record.key != key(task):
                break
            records.append(record)
        return records

    def do(self, done: Done, element: Task | list[Record]) -> list[Record]:
        """All links of one task."""
        if not isinstance(element, Task):
            return element
        records: list[Record] = []
        task = element
        for link, phase, key in self._links(done):
            if link.task:
                task = replace(link.task(done, task, records), is_brief=element.is_brief)
            records.append(phase.do(done.folder, task, key(task)))
        return records

    def expand(self, elements: beam.PCollection, site: "Site") -> beam.PCollection:
        """One key a task: the grouping breaks fusion, so that a runner may place each task anywhere."""
        return elements | "Spread" >> beam.GroupByKey() | "Do" >> beam.ParDo(_DoTasks(site))

    @without_collection()
    def end(self, done: Done, results: list[Any]) -> dict[str, Any]:
        """Write the manifests of all links."""
        ordered = [records for _, records in sorted(results, key=lambda result: result[0])]
        if self.summarise is not None:
            _write_changed(
                storage.join(done.folder, self.name, "summary.json"),
                self.summarise(done, [records[0] for records in ordered]),
            )
        foreign = {}
        for place, (_, phase, _) in enumerate(self._links(done)):
            others = phase.end(done.folder, [records[place] for records in ordered])
            if others:
                foreign[phase.files(done.folder)] = others
        return {"foreign": foreign}

    @property
    def phases(self) -> tuple[str, ...]:
        """Those of its links."""
        return tuple(link.name for link in self.links)

    def records(self, done: Done) -> list[tuple[str, list[Record]]]:
        """By link."""
        return [(link.name, done.records(link.name)) for link in self.links]


def _are_brief(tasks: Sequence[Task]) -> bool:
    """Whether tasks are done again sooner than a store notes each."""
    return len(tasks) <= BRIEF_TASKS and sum(task.size for task in tasks) <= BRIEF_BYTES


def _write_changed(path: str, value: Any) -> None:
    try:
        if storage.read_json(path) == value:
            return
    except (FileNotFoundError, ValueError):
        pass
    storage.write_json(path, value, indent=None)


def _no_tasks(_: Done) -> Sequence[Task]:
    raise OpenRootsError("this step has begun already; please report this")


def fixed_step(phase: Phase, tasks: Sequence[Task]) -> ShardStep:
    """A step of one phase whose tasks are known."""
    known = list(tasks)
    return ShardStep(lambda _: known, (Link(phase.name, lambda _: phase),))


@dataclass(frozen=True)
class _Packed:
    """What the sites of a pipeline share, unpacked once a process."""

    steps: tuple[Step, ...]
    done: Done
    check: bool


_unpacked: dict[str, _Packed] = {}
"""By run: those of the last few pipelines of this process."""


@dataclass(frozen=True)
class Site:
    """A step as workers see it: the steps of a pipeline, packed once, and which of them it is.

    `run` tells the pipeline from others. Where `packed` is "", workers of this machine are given it apart
    (`workers.packed`).
    """

    run: str
    packed: str
    number: int

    @classmethod
    def pack(cls, steps: Sequence[Step], folder: str, check: bool) -> list["Site"]:
        """A site for each step."""
        run, packed = uuid4().hex, cloudpickle_pickler.dumps((tuple(steps), folder, check)).decode("ascii")
        return [cls(run, packed, number) for number in range(len(steps))]

    @property
    def step(self) -> Step:
        """The step itself."""
        return self._shared.steps[self.number]

    @property
    def done(self) -> Done:
        """What the steps before it left."""
        return self._shared.done

    @property
    def check(self) -> bool:
        """Whether files are trusted by their digests alone."""
        return self._shared.check

    @property
    def _shared(self) -> _Packed:
        recall.begin_run(self.run)
        if self.run not in _unpacked:
            while len(_unpacked) >= _UNPACKED_MAX:
                _unpacked.pop(next(iter(_unpacked)))
            steps, folder, check = cloudpickle_pickler.loads(self.packed or workers.packed[self.run])
            _unpacked[self.run] = _Packed(steps, Done(folder), check)
        return _unpacked[self.run]


@contextmanager
def carried() -> Iterator[None]:
    """Let an error of ours pass through any runner."""
    try:
        yield
    except OpenRootsError as error:
        raise carry(error) from error


class SiteDoFn(beam.DoFn):
    """Does a part of the step at a site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def __dir__(self) -> list[str]:
        """Beam looks at all attributes listed here for state and timers, 500 times in a small build (0.2 s)."""
        return ["process"]


class _Begin(SiteDoFn):
    def process(self, _: Any) -> Iterator[tuple[int, Any]]:
        site = self.site
        with carried():
            began = time.time()
            begun = site.step.begin(site.done, site.check)
            _write_note(site, begun, began)
            yield from _elements(begun)


def _elements(begun: Begun) -> list[tuple[int, Any]]:
    """With one more, so that the token arrives where there is nothing to do."""
    return [(-1, None), *begun.elements]


def _write_note(site: Site, begun: Begun, began: float) -> None:
    path = note_of(site.done.folder, site.step.name)
    notes[path] = {**begun.note, "run": site.run, "began": began}
    storage.write_json(path, notes[path], indent=None)


class _DoTasks(SiteDoFn):
    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[tuple[int, Any]]:
        number, items = element
        step = self.site.step
        assert isinstance(step, ShardStep)
        for item in items:
            with carried(), _at_work:
                records = None if number < 0 else step.do(self.site.done, item)
            if isinstance(item, Task):
                for link, record in zip(step.links, records or (), strict=True):
                    count(link.name, record)
            yield 0, (number, records)


class _End(SiteDoFn):
    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[int]:
        site = self.site
        with carried():
            results = [result for result in element[1] if result is not None and result[1] is not None]
            note = site.step.end(site.done, results)
            path = note_of(site.done.folder, site.step.name)
            before = notes.get(path, {})
            if before.get("run") != site.run:  # another process began the step
                before = storage.read_json(path)
            notes[path] = {**before, **note, "ended": time.time()}
            storage.write_json(path, notes[path], indent=None)
        yield 0


class Steps(beam.PTransform):
    """Several steps, one after the other; the driver has begun the first."""

    def __init__(self, sites: Sequence[Site], begun: Begun) -> None:
        super().__init__()
        self._sites, self._begun = sites, begun

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        token: Any = pipeline
        for place, site in enumerate(self._sites):
            name = site.step.name
            # Create, since Beam's runner for Dask knows no Impulse
            begin = beam.ParDo(_Begin(site)) if place else beam.Create(_elements(self._begun), reshuffle=False)
            elements = token | f"{name} begin" >> begin
            results = elements | name >> _Expanded(site)
            token = results | f"{name} gather" >> _Gather() | f"{name} end" >> beam.ParDo(_End(site))
        return token


class _Gather(beam.GroupByKey):
    """All that a step left in one place: a runner that plans ahead may know that there is one key only."""

    def annotations(self) -> dict[str, Any]:
        return {**super().annotations(), ONE_KEY: b""}


class _Expanded(beam.PTransform):
    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        return self._site.step.expand(elements, self._site)


def run_steps(
    engine: Engine,
    folder: str,
    steps: Sequence[Step],
    watch: Watch | None = None,
    *,
    label: str | None = None,
    input_bytes: int | None = None,
) -> Done:
    """Run a job: steps in order, in one pipeline where the engine's runner spills what it shuffles.

    Work that is done already starts no pipeline. `input_bytes` is about what is worked on, where that is not the size
    of the first step's tasks. Returns what all steps left. Raises OpenRootsError.
    """
    watch = watch or Watch()
    left = list(steps)
    while left:
        check_held()
        done = Done(folder)
        if engine.is_local:
            left[:1] = left[0].cut(done)
        began = time.time()
        begun = left[0].begin(done, engine.check)
        if begun.is_done:
            _end_idle(left[0], done, begun, watch)
            left.pop(0)
            continue
        group, left = _group(left, done) if engine.is_local else (left, [])
        _run(engine, folder, group, watch, label or steps[0].name, begun, began, input_bytes)
    return Done(folder)


def _end_idle(step: Step, done: Done, begun: Begun, watch: Watch) -> None:
    """End a step of which nothing is left to do: the last run may have been stopped before that."""
    note = step.end(done, begun.elements)
    tell_begin(watch, step, done, begun.note)
    tell_end(watch, step, Done(done.folder), note, 0.0)


def _group(steps: list[Step], done: Done) -> tuple[list[Step], list[Step]]:
    """Where memory is short: the steps of the next pipeline, and the rest."""
    group = steps[:1]
    for place, step in enumerate(steps[1:], 1):
        if step.can_follow(group) and step.is_idle(done):
            continue
        if not step.can_follow(group) or len(step.cut(done)) > 1 or step.name == group[-1].name:
            return group, steps[place:]
        group.append(step)
    return group, []


def _run(
    engine: Engine,
    folder: str,
    steps: list[Step],
    watch: Watch,
    label: str,
    begun: Begun,
    began: float,
    input_bytes: int | None,
) -> None:
    follower: Follower | None = None
    runs: list[str] = []

    def construct(pipeline: beam.Pipeline) -> beam.PCollection:
        nonlocal follower
        sites = Site.pack([steps[0].begun(), *steps[1:]], folder, engine.check)
        if engine.is_local:
            runs.append(sites[0].run)
            workers.packed[sites[0].run] = sites[0].packed
            sites = [replace(site, packed="") for site in sites]
        if follower is not None:
            follower.stop()
        follower = Follower(steps, folder, sites[0].run, watch)
        follower.start()
        _write_note(sites[0], begun, began)
        return pipeline | Steps(sites, begun)

    probe(engine, folder)
    try:
        engine.run(label, construct, input_bytes=input_bytes or sum(begun.note.get("sizes", {}).values()) or None)
    except BaseException:
        if follower is not None:
            follower.stop()
        raise
    finally:
        for run in runs:
            workers.packed.pop(run, None)
    if follower is not None:
        follower.finish()
