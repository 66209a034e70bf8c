"""Options that `openroots` does not know: which are Beam's, which are slips of the pen.

Left unread, `--recip tiny` would be taken for an option of Beam's, and the default recipe built instead.
"""

import argparse
import difflib
from collections.abc import Iterator, Sequence
from typing import Any

import click


def worker_log(output: str, work: str | None = None) -> str | None:
    """Where worker processes write, which chatter; nowhere where the work folder is no local one."""
    folder = work or f"{output.rstrip('/')}/.work"
    return None if "://" in folder else f"{folder.rstrip('/')}/workers.log"


def split_arguments(ctx: click.Context, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments that are no option of the command, as (options for Beam with their values, other words).

    On Beam's local runner every option must be one that Beam knows; another runner may know more, but nothing that is
    one letter from an option of the command passes. Raises click.UsageError, also where the runner does not exist.
    """
    if not any(argument.startswith("-") for argument in arguments):
        return [], list(arguments)
    runner = _runner(arguments)
    takes_value = _beam_options(ctx, runner)
    ours = [name for parameter in ctx.command.params for name in parameter.opts if name.startswith("--")]
    options: list[str] = []
    words: list[str] = []
    value_follows = False
    for argument in arguments:
        if argument.startswith("--"):
            name, given, _ = argument.partition("=")
            if name not in takes_value:
                _refuse(ctx, name, ours, takes_value, strict="Direct" in runner)
            value_follows = not given and takes_value.get(name, True)
            options.append(argument)
        elif value_follows:
            options[-1] += f"={argument}"
            value_follows = False
        elif argument.startswith("-"):
            raise click.UsageError(f"No such option: {argument}", ctx)
        else:
            words.append(argument)
    if value_follows and options[-1] in takes_value:
        raise click.UsageError(f"Option {options[-1]} of Beam requires an argument.", ctx)
    return options, words


def _refuse(ctx: click.Context, name: str, ours: Sequence[str], beams: dict[str, bool], strict: bool) -> None:
    near_ours = difflib.get_close_matches(name, ours, n=1, cutoff=0.8)
    if near_ours or strict:
        near = near_ours or difflib.get_close_matches(name, beams, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise click.UsageError(f"No such option: {name}, neither of openroots nor of Apache Beam.{hint}", ctx)


def _runner(arguments: Sequence[str]) -> str:
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, given, value = argument.partition("=")
        if name == "--runner":
            return value if given else following
    return "DirectRunner"


def _beam_options(ctx: click.Context, runner: str) -> dict[str, bool]:
    """Names of Beam's options, and whether a value follows; those of `runner` are among them."""
    from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
    from apache_beam.runners.runner import create_runner

    from pipeline.runtime.engine import RUNNERS

    try:
        create_runner(RUNNERS.get(runner, runner))
    except (ValueError, ImportError, AttributeError) as error:
        raise click.UsageError(f"Invalid value for '--runner': {error}", ctx) from None
    found: dict[str, bool] = {}
    for options in _below(PipelineOptions):
        if "_add_argparse_args" in vars(options):
            parser = _BeamArgumentParser(add_help=False, conflict_handler="resolve")
            options._add_argparse_args(parser)
            found |= {name: _takes_value(action) for action in parser._actions for name in action.option_strings}
    return found


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _below(kind: Any) -> Iterator[Any]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
