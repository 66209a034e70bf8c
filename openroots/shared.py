"""What several commands share: their options, what they check, and how those that run one stage on any files run it."""

import functools
import json
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

from configs.errors import ConfigurationError, OpenRootsError
from tokenizer.settings import DOCUMENTS

if TYPE_CHECKING:
    from configs.load import Plan

PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Settings of a command that hands options it does not know to Apache Beam."""
WORKERS = click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="local worker processes")
PLAIN_DOCUMENTS = click.option(
    "--documents",
    default="line",
    show_default=True,
    type=click.Choice(DOCUMENTS),
    help="what counts as a document in plain text",
)
STRICT = click.option("--strict", is_flag=True, help="stop at the first file that cannot be read")


class FloatRange(click.FloatRange):
    """A number in a range. Click's own lets `nan` pass, which is neither below nor above a bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; raises BadParameter."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


F = TypeVar("F", bound=Callable[..., Any])


def file_options(*, id_help: str, language_help: str) -> Callable[[F], F]:
    """Options that say what of files is a document: `--text`, `--id`, `--language`, `--documents`."""
    options = (
        click.option(
            "--text", "text_column", default="text", show_default=True, help="column or key that holds the text"
        ),
        click.option("--id", "id_column", default=None, help=id_help),
        click.option("--language", default=None, help=language_help),
        PLAIN_DOCUMENTS,
    )
    return lambda command: functools.reduce(lambda done, option: option(done), reversed(options), command)


def load_engine(options: Sequence[str], workers: int = 1, modules: Sequence[str] = ()) -> None:
    """Load what a build needs before anything else does; without options for Beam, what its local runner needs.

    Where the local runner is to have workers, the process that they come from is forked then, and imports `modules`.
    """
    from configs import load_arrow, load_beam, load_numba, loading, share_heaps
    from openroots import guard

    is_local = not any(option.startswith("-") for option in options)
    if guard.owns_process:
        share_heaps()
    with loading() if guard.owns_process else nullcontext():
        load_numba()
        if is_local:
            load_beam()
            if guard.owns_process:
                load_arrow()
        import pipeline.build  # noqa: F401
    if is_local and workers > 1 and guard.owns_process:
        from configs.load import load_languages, load_sources, spdx_list
        from pipeline.runtime.nursery import prepare

        for load in (load_languages, load_sources, spdx_list):
            load()
        prepare(modules)


def load_modules(*modules: str, kernels: bool = False) -> None:
    """Import what a command of a moment needs, quickly; without pandas, and with `kernels` numba without SciPy."""
    from configs import load_arrow, load_numba, loading
    from openroots import guard

    with loading() if guard.owns_process else nullcontext():
        if kernels:
            load_numba()
        if guard.owns_process:
            load_arrow()
        for name in modules:
            import_module(name)


def build_alone(
    ctx: click.Context,
    files: Sequence[str],
    plan_of: Callable[[list[str]], "Plan"],
    *,
    output: str,
    language: str | None,
    workers: int,
    strict: bool,
) -> None:
    """Run the one stage of a plan, made of the patterns among `files`, and tell what became of the documents."""
    from openroots.beam_options import split_arguments, worker_log

    load_engine(ctx.args, workers)
    from pipeline.build import build_corpus
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.progress import ProgressWatch
    from pipeline.summary import print_summary

    options, patterns = split_arguments(ctx, [*files, *ctx.args])
    if not patterns:
        raise click.UsageError("Missing argument 'FILES...'.", ctx)
    check_language(language)
    check_url(output)
    plan = plan_of(patterns)
    engine = Engine(workers, tuple(options), worker_log(output))
    watch = ProgressWatch()
    manifest = build_corpus(plan, output, engine=engine, cache=f"{output}/.work/cache", watch=watch, strict=strict)
    print_summary(manifest, plan, output, watch.console)
    refuse_nothing(manifest)


def check_language(code: str | None) -> None:
    """Refuse a language that we do not know, with the nearest that we do."""
    from configs.load import check_language

    try:
        if code is not None:
            check_language(code)
    except ConfigurationError as error:
        raise click.BadParameter(str(error), param_hint="'--language'") from None


def check_url(output: str, option: str = "--output") -> None:
    """Refuse a folder on a file system that fsspec does not know, cannot open or write to, or without a bucket."""
    from pipeline.runtime.storage import filesystem
    from pipeline.runtime.stores import SUPPORTED

    try:
        if not output.strip():
            raise ConfigurationError("it is empty: name a folder")
        if output.lower().startswith(("http://", "https://")):
            raise ConfigurationError(f"{output} is an address of the web, where nothing can be written; {SUPPORTED}")
        filesystem(output)
    except ConfigurationError as error:
        raise click.BadParameter(str(error), param_hint=f"'{option}'") from None


def refuse_nothing(manifest: dict[str, Any]) -> None:
    """End with an error where a build kept no document: a later command would only find that out late."""
    if not manifest["languages"]:
        drops = sorted(manifest["drops"], key=lambda drop: -drop["documents"])
        why = ", ".join(f"{d['reason']}: {d['documents']:,} document{'s' * (d['documents'] != 1)}" for d in drops[:3])
        raise OpenRootsError(f"no documents are left; {why or 'the input is empty'}; see the ledger and manifest.json")


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows with the same keys as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    from rich.table import Table

    from pipeline.runtime.terminal import Terminal

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        numeric = isinstance(rows[0][name], int)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console = Terminal()
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if value is None or isinstance(value, float):
        return "" if value is None else f"{value:.3g}"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
