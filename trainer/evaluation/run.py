"""Evaluate a model on tasks: what is asked for by name, run, and gathered in one report."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError, InputError
from trainer.checkpoint import own_folders
from trainer.evaluation import balanced, harness, humaneval, superglue
from trainer.evaluation.choices import (
    ChoiceItem,
    ChoiceTask,
    NoFilesError,
    find_tasks,
    known_tasks,
    languages_of,
    rank,
    read_choices,
)
from trainer.evaluation.scorer import Scorer, TextScorer
from trainer.evaluation.statistics import Interval
from trainer.export import export

OWN = ("bits", "language-id", "cloze", "translation")
HUMANEVAL = "humaneval"
DEFAULT = OWN
FORMAT = 1
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """How tasks are run; see `openroots evaluate --help`."""

    tasks: tuple[str, ...] = DEFAULT
    languages: tuple[str, ...] = ()
    data: str | None = None
    shots: int = 0
    seed: int = 0
    samples: int = 1
    k: tuple[int, ...] = (1,)
    run_code: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class Figure:
    """One figure of a report: of a task in a language, with its interval, what chance gets, and how many items."""

    task: str
    language: str
    metric: str
    value: float
    low: float
    high: float
    items: int
    chance: float | None = None
    better: str = "higher"
    paper: tuple[dict[str, Any], ...] = ()


@dataclass
class Report:
    """What an evaluation found; `to_json` is what is written."""

    model: str
    options: Options
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-able; `model-index` is what the Hub's model cards take."""
        return {
            "format": FORMAT,
            "model": self.model,
            "options": vars(self.options),
            "versions": _versions(),
            "seconds": round(self.seconds, 1),
            "figures": [_plain(figure) for figure in self.figures],
            "notes": self.notes,
            "model-index": model_index(self),
        }


def evaluate(model: str, options: Options, device: str = "cpu", on_progress: Progress | None = None) -> Report:
    """Run the tasks that `options` names on a model folder. Raises OpenRootsError, before anything is run where a task
    is unknown, has no files, or would run code without leave.
    """
    say = on_progress or (lambda task, done, total: None)
    started = time.perf_counter()
    plan = plan_tasks(options)
    report = Report(model, options)
    scorer = Scorer.load(model, device)
    for name, run in plan:
        report.figures += run(scorer, partial(say, name), report.notes)
    report.figures += superglue_means(report.figures)
    report.seconds = time.perf_counter() - started
    return report


Run = Callable[[TextScorer, Callable[[int, int], None], list[str]], list[Figure]]


def plan_tasks(options: Options, *, in_training: bool = False) -> list[tuple[str, Run]]:
    """What is to be run, all inputs read; raises as `evaluate` does. In training only likelihoods can be asked for."""
    plan: list[tuple[str, Run]] = []
    for name in dict.fromkeys(options.tasks):
        if name == "bits":
            plan.append((name, _bits(options)))
        elif name in OWN:
            plan.append((name, _choices(name, None, balanced.items(name, options.languages), options)))
        elif name == HUMANEVAL and in_training:
            raise ConfigurationError("humaneval can't be run in training; use `openroots evaluate --checkpoints`")
        elif name == HUMANEVAL:
            plan.append((name, _humaneval(options)))
        else:
            plan += _local(name, options, in_training=in_training)
    if not plan:
        raise ConfigurationError(f"no task; there are {', '.join(task_names())}")
    return plan


def task_names() -> list[str]:
    """All names that `--tasks` takes without the harness."""
    tasks = known_tasks()
    suites = sorted({task.suite for task in tasks.values() if task.suite})
    return [*OWN, HUMANEVAL, *suites, *tasks]


def _local(name: str, options: Options, *, in_training: bool) -> list[tuple[str, Run]]:
    """A task over local files; where there are none, the harness's task of that name."""
    known = name in task_names() or bool(options.data and (Path(options.data) / "tasks.toml").exists())
    missing: NoFilesError | None = None
    try:
        found = find_tasks(options.data, [name]) if known else {}
    except NoFilesError as error:
        found, missing = {}, error
    if found:
        return [
            (one, _choices(one, task, read_choices(files, one, task), options)) for one, (task, files) in found.items()
        ]
    if harness.is_there() and not in_training:
        return [(name, _harness(name, options))]
    if missing is not None:
        raise ConfigurationError(f"{missing}; or pip install 'openroots[evaluate]' to fetch it from the Hub")
    raise ConfigurationError(
        f"unknown task `{name}`; there are {', '.join(task_names())}, what tasks.toml in --data declares, and those of "
        "lm-evaluation-harness with pip install 'openroots[evaluate]'"
    )


def _bits(options: Options) -> Run:
    def run(scorer: TextScorer, progress: Callable[[int, int], None], notes: list[str]) -> list[Figure]:
        asked = tuple(dict.fromkeys([balanced.ENGLISH, *options.languages])) if options.languages else None
        figures = []
        for one in balanced.bits(scorer, asked, progress):
            for metric, value in (
                ("bits per byte", one.per_byte),
                ("bits per character", one.per_character),
                ("bits over English", one.meaning),
                ("tokens over English", one.tokens),
                ("bits a token over English", one.token),
            ):
                figures.append(_figure("bits", one.language, metric, value, one.items, better="lower"))
        return figures

    return run


def _choices(name: str, task: ChoiceTask | None, items: list[ChoiceItem], options: Options) -> Run:
    kept = [item for item in items if not options.languages or item.language in options.languages]
    if not kept and not items and task is not None:
        raise ConfigurationError(f"task `{name}`: its files in {options.data} hold no items")
    if not kept:
        there = {item.language for item in items} if items else set(balanced.chosen(None))
        has = ", ".join(sorted(there))
        raise ConfigurationError(f"task `{name}`: no items in {', '.join(options.languages)}; it has {has}")

    def run(scorer: TextScorer, progress: Callable[[int, int], None], notes: list[str]) -> list[Figure]:
        figures = []
        asked = [(language, mine[: options.limit]) for language, mine in languages_of(kept)]
        total, before = sum(len(some) for _, some in asked), 0
        for language, some in asked:
            say = partial(_say_more, progress, before, total)
            ranked = rank(scorer, some, shots=options.shots, seed=options.seed, on_progress=say)
            before += len(some)
            if ranked.cut:
                notes.append(
                    f"{name}, {language}: {ranked.cut:,} of {len(some):,} items are longer than the {scorer.length:,} "
                    "tokens that the model sees; it saw their ends alone"
                )
            paper = tuple(
                {"model": one.model, "value": one.value}
                for one in (task.paper if task else ())
                if one.language in (None, language)
            )
            for metric, value in (("accuracy", ranked.accuracy), ("accuracy, by length", ranked.accuracy_normalised)):
                shown = paper if metric == "accuracy" else ()
                figures.append(_figure(name, language, metric, value, len(some), ranked.chance, paper=shown))
            if task is not None and task.suite == superglue.NAME and (own := superglue.score(name, ranked)):
                figures.append(_figure(name, language, superglue.SCORE, own[0], len(some), own[1]))
        return figures

    return run


def _say_more(progress: Callable[[int, int], None], before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


def superglue_means(figures: Sequence[Figure]) -> list[Figure]:
    """The mean over SuperGLUE's tasks in each language that has more than one of them."""
    found: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        if figure.task in superglue.TASKS and figure.metric in ("accuracy", superglue.SCORE):
            found.setdefault(figure.language, {})[figure.task] = figure  # the score stands behind the accuracy
    means = []
    for language, tasks in found.items():
        if len(tasks) > 1:
            value = superglue.mean([Interval(one.value, one.low, one.high) for one in tasks.values()])
            chance = sum(one.chance or 0.0 for one in tasks.values()) / len(tasks)
            metric = f"mean of {len(tasks)} of {len(superglue.TASKS)} tasks"
            items = sum(one.items for one in tasks.values())
            means.append(_figure(superglue.NAME, language, metric, value, items, chance, paper=superglue.PAPERS))
    return means


def _humaneval(options: Options) -> Run:
    if not options.run_code:
        humaneval.refuse()
    if max(options.k) > options.samples:
        raise ConfigurationError(f"pass@{max(options.k)} needs as many samples; give --samples {max(options.k)}")
    own = Path(options.data or "") / "humaneval.jsonl" if options.data else None
    problems = humaneval.read_problems([str(own)] if own and own.exists() else (humaneval.PACKAGE,))
    some = problems[: options.limit] if options.limit else problems

    def run(scorer: TextScorer, progress: Callable[[int, int], None], notes: list[str]) -> list[Figure]:
        assert isinstance(scorer, Scorer)
        passed = humaneval.solve(scorer, some, run_code=options.run_code, samples=options.samples, seed=options.seed,
                                 on_progress=progress)  # fmt: skip
        causes = ", ".join(f"{cause} {count:,}" for cause, count in sorted(passed.causes.items()))
        notes.append(f"humaneval: {options.samples} samples of {len(some)} problems: {causes}")
        paper = ({"model": "BLOOM-176B", "value": 0.155},)
        return [
            _figure(HUMANEVAL, "python", f"pass@{k}", passed.at(k), len(some), 0.0, paper=paper if k == 1 else ())
            for k in options.k
        ]

    return run


def _harness(name: str, options: Options) -> Run:
    def run(scorer: TextScorer, progress: Callable[[int, int], None], notes: list[str]) -> list[Figure]:
        assert isinstance(scorer, Scorer)
        device = str(next(scorer.model.parameters()).device)
        found = harness.run(scorer.folder, name, options.shots, options.limit, options.seed, options.data, device)
        notes.append(f"{name}: run by lm-evaluation-harness {version('lm_eval')}; intervals are 1.96 standard errors")
        return [
            Figure(row["task"], "und", row["metric"], row["value"], row["low"], row["high"], row["items"])
            for row in found
        ]

    return run


def _figure(
    task: str, language: str, metric: str, value: Interval, items: int, chance: float | None = None, *,
    better: str = "higher", paper: tuple[dict[str, Any], ...] = (),
) -> Figure:  # fmt: skip
    return Figure(task, language, metric, value.value, value.low, value.high, items, chance, better, paper)


def evaluate_checkpoints(
    run: str,
    options: Options,
    device: str = "cpu",
    on_progress: Progress | None = None,
    on_damaged: Callable[[InputError], None] = lambda error: None,
) -> Iterator[tuple[int, Report]]:
    """Reports of all finished checkpoints of a run, in order; damaged ones are left out, and told.

    Raises ConfigurationError where there are none, InputError where all are damaged.
    """
    folders = [folder for folder in own_folders(Path(run)) if (folder / "manifest.json").exists()]
    if not folders:
        raise ConfigurationError(f"{run} holds no finished checkpoint; give the folder of a run")
    plan_tasks(options)
    damaged: list[InputError] = []
    for folder in folders:
        with tempfile.TemporaryDirectory(prefix="openroots-evaluate-") as place:
            model = str(Path(place) / folder.name)
            try:
                export(str(folder), model, dtype="fp32")
            except InputError as error:  # one damaged checkpoint must not take hours of the others' figures with it
                damaged.append(error)
                on_damaged(error)
                continue
            report = evaluate(model, options, device, on_progress)
            report.model = str(folder)
        yield int(folder.name.rpartition("-")[2]), report
    if len(damaged) == len(folders):
        raise damaged[-1]


def model_index(report: Report) -> list[dict[str, Any]]:
    """The figures in the form of the Hub's `model-index`."""
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": figure.task, "type": f"openroots/{figure.task}", "config": figure.language},
            "metrics": [
                {
                    "type": figure.metric.replace(" ", "_").replace(",", ""),
                    "name": figure.metric,
                    "value": round(figure.value, 4),
                    "args": {"low": round(figure.low, 4), "high": round(figure.high, 4), "items": figure.items},
                }
            ],
        }
        for figure in report.figures
        if figure.value == figure.value
    ]
    return [{"name": Path(report.model).name or report.model, "results": results}]


def _plain(figure: Figure) -> dict[str, Any]:
    """JSON-able: what is not known is null."""
    return {name: None if value != value else value for name, value in vars(figure).items()}


def _versions() -> dict[str, str]:
    found = {}
    for name in ("openroots", "torch", "tokenizers", "lm_eval"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def sequence_of(names: str | None) -> Sequence[str]:
    """Names parted by commas."""
    return tuple(name.strip() for name in (names or "").split(",") if name.strip())
