"""`openroots evaluate`."""

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from configs.errors import InputError
    from trainer.evaluation.run import Report

PAGE_SIGN = b'content="OpenRoots"'
FIGURES_SIGN = b'"better"'
"""What only files that this command wrote have near their beginning."""
SECONDS_BETWEEN = 30
"""Signs of progress, where they are lines of a log."""


@click.command("evaluate")
@click.option("--model", default=None, help="folder of a model, such as `openroots export` writes")
@click.option("--checkpoints", default=None, help="folder of a training run: all its checkpoints, as curves")
@click.option(
    "--tasks",
    default="bits,language-id,cloze,translation",
    show_default=True,
    help="names, comma-separated; `list` lists all",
)
@click.option("--languages", default=None, help="codes, comma-separated  [default: all of a task's]")
@click.option("--data", default=None, help="folder of items: TASK.jsonl, TASK.LANGUAGE.parquet, TASK/…; tasks.toml")
@click.option(
    "--shots", default=0, show_default=True, type=click.IntRange(0, 100), help="solved items shown before each"
)
@click.option("--limit", default=None, type=click.IntRange(1), help="items per task and language, at most")
@click.option("--samples", default=1, show_default=True, type=click.IntRange(1), help="humaneval: programs per problem")
@click.option("--k", "ks", default="1", show_default=True, help="humaneval: pass@k for these, comma-separated")
@click.option("--run-code", is_flag=True, help="humaneval: run the programs that the model writes, in a sandbox")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="for samples and solved items")
@click.option("--device", default=None, help="such as cpu or cuda:0; default: a GPU if there is one")
@click.option(
    "--html",
    "page",
    default=None,
    help="write an HTML page; beside it, unless --output says where, the figures as JSON",
)
@click.option("--output", default=None, help="write the figures as JSON, with `model-index` for the Hub's cards")
@click.option("--json", "as_json", is_flag=True, help="print the same JSON")
def evaluate_command(
    model: str | None,
    checkpoints: str | None,
    tasks: str,
    languages: str | None,
    data: str | None,
    shots: int,
    limit: int | None,
    samples: int,
    ks: str,
    run_code: bool,
    seed: int,
    device: str | None,
    page: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Evaluate a model: bits per byte, multiple choice, programs; with chance level, interval and number of items.

    The tasks `bits`, `language-id`, `cloze` and `translation` need only the model. Others read items from files in
    --data, or from the Hub if lm-evaluation-harness is installed: pip install 'openroots[evaluate]'.

    \b
    openroots evaluate --model hf-model --languages sw,yo --html report.html
    openroots evaluate --model hf-model --tasks xnli,belebele --data eval --json
    openroots evaluate --model hf-model --tasks humaneval --samples 20 --k 1,10 --run-code
    openroots evaluate --checkpoints runs/tiny --tasks cloze --html curves.html
    """
    from configs.extras import need

    need("torch", "train")
    from openroots.commands.generate import _device
    from pipeline.runtime.ownership import check_file
    from trainer.evaluation.page import write_page
    from trainer.evaluation.run import Options, evaluate, evaluate_checkpoints, sequence_of, task_names

    if tasks == "list":
        click.echo("\n".join(task_names()))
        return
    if (model is None) == (checkpoints is None):
        raise click.UsageError("give either --model or --checkpoints")
    if page is not None and output is None:
        output = page.removesuffix(".html") + ".json"
    for option, path, sign in (("--html", page, PAGE_SIGN), ("--output", output, FIGURES_SIGN)):
        if path is not None:
            check_file(path, option, signs=(sign,))
    options = Options(
        tuple(sequence_of(tasks)), tuple(_known(sequence_of(languages))), data, shots, seed, samples, _numbers(ks),
        run_code, limit,
    )  # fmt: skip
    where = _device(device)
    series: list[tuple[int, Report]] = []
    say = _Progress()
    if checkpoints is not None:
        damaged: list[InputError] = []
        for step, one in evaluate_checkpoints(checkpoints, options, where, say, damaged.append):
            series.append((step, one))
            click.echo(f"step {step:,}", err=True)
        report = series[-1][1]
        report.notes += [f"left out: {error.file}: {error.cause}" for error in damaged]
    else:
        assert model is not None
        report = evaluate(model, options, where, say)
    found = report.to_json() | ({"checkpoints": {step: one.to_json() for step, one in series}} if series else {})
    if as_json:  # before files are written: where one cannot be, what took hours is not lost
        click.echo(json.dumps(found, ensure_ascii=False, default=list))
    else:
        _print(report)
    if output is not None:
        from pipeline.runtime import storage

        storage.write_json(output, found)
    if page is not None:
        write_page(report, page, series)


def _known(codes: Sequence[str]) -> tuple[str, ...]:
    from configs.load import load_languages

    known = load_languages()
    for code in codes:
        if "-" not in code and "_" not in code and len(code) <= 3 and code not in known and code != "und":
            click.echo(f"note: OpenRoots does not know the language `{code}`; tasks may still have it", err=True)
    return tuple(codes)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise click.BadParameter(f"`{text}` is not a list of whole numbers from 1 up", param_hint="'--k'")
    return numbers


class _Progress:
    """Says how far a task is and how long the rest may take: on one line of a terminal, elsewhere every half minute."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._began = self._said = time.monotonic()

    def __call__(self, task: str, done: int, total: int) -> None:
        from pipeline.runtime.progress import duration

        now, is_last = time.monotonic(), done >= total
        if is_last or self._is_terminal or now - self._said >= SECONDS_BETWEEN:
            left = "" if is_last else f" · about {duration((now - self._began) / done * (total - done))} left"
            line = (
                f"\r{task}  {done:,} of {total:,}{left:24}"
                if self._is_terminal
                else f"{task}  {done:,} of {total:,}{left}"
            )
            click.echo(line, err=True, nl=is_last or not self._is_terminal)
            self._said = now
        if is_last:  # the next task begins
            self._began = now


def _print(report: "Report") -> None:
    from configs.shown import shown
    from pipeline.runtime.terminal import Terminal, plain_table
    from trainer.evaluation.page import verdict

    table = plain_table("task", "language", "measure", "figure", "95 % interval", "chance", "items", "")
    for figure in report.figures:
        chance = "–" if figure.chance is None else f"{figure.chance:.3f}"
        interval = f"{figure.low:.3f}–{figure.high:.3f}"
        theirs = ", ".join(f"{paper['model']} {paper['value']:.3f} (theirs)" for paper in figure.paper)
        last = "; ".join(part for part in (verdict(figure), theirs) if part)
        table.add_row(figure.task, shown(figure.language, 20), figure.metric, f"{figure.value:.3f}", interval, chance,
                      f"{figure.items:,}", last)  # fmt: skip
    console = Terminal()
    if not console.is_terminal:
        console.width = 140
    console.print(table)
    for note in report.notes:
        console.print(shown(note, 500))
