"""`openroots pack`."""

from typing import TYPE_CHECKING, Literal

import click

from configs.errors import ConfigurationError
from openroots.shared import PASS_THROUGH, WORKERS, FloatRange

if TYPE_CHECKING:
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.phases import Watch

WARNINGS_MAX = 10
Format = Literal["npy", "megatron", "raw", "mds", "litdata"]


@click.command("pack", context_settings=PASS_THROUGH)
@click.option("--tokens", default="build/tokens", show_default=True, help="output of `openroots encode`")
@click.option("--prompts", default=None, help="output of `openroots mix-prompts`, instead of tokens")
@click.option("--tokenizer", default=None, help="with --prompts: a tokenizer.json or its folder, such as the model's")
@click.option(
    "--loss-per",
    default="example",
    show_default=True,
    type=click.Choice(["example", "token"]),
    help="with --prompts: whether examples or target tokens have equal weight in the loss",
)
@click.option("--sequence-length", default=2048, show_default=True, type=click.IntRange(1), help="tokens per sequence")
@click.option("--output", default="build/packed", show_default=True, help="folder for the packed text")
@click.option(
    "--held-out",
    default=0.005,
    show_default=True,
    type=FloatRange(0, 0.5),
    help="share of the tokens to hold out of training",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="for choosing held-out documents")
@click.option(
    "--eos-id", default=None, type=click.IntRange(0), help="id that ends a document; default: the tokenizer's"
)
@click.option(
    "--format",
    "form",
    default="npy",
    show_default=True,
    type=click.Choice(["npy", "megatron", "raw", "mds", "litdata"]),
    help="also write files for another trainer, to OUTPUT/FORMAT",
)
@WORKERS
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@click.pass_context
def pack_command(
    ctx: click.Context,
    tokens: str,
    prompts: str | None,
    tokenizer: str | None,
    loss_per: Literal["example", "token"],
    sequence_length: int,
    output: str,
    held_out: float,
    seed: int,
    eos_id: int | None,
    form: Format,
    workers: int,
    quiet: bool,
) -> None:
    """Pack token shards for training: one memory-mapped stream of documents per language, some held out.

    `--format megatron` also writes Megatron-LM's .bin and .idx; `raw`, ids without a header, for nanoGPT and OLMo-core;
    `mds`, shards for MosaicML Streaming; `litdata`, shards for litdata (needs openroots[litdata]).

    With --prompts, sequences hold whole examples, and only their targets count in the loss, as for BLOOMZ; examples
    longer than a sequence are left out and counted. `mix-prompts` has already decided which examples are held out.

    The same shards give the same bytes. A stopped run resumes when you give the same command again. Options not listed
    here are passed to Apache Beam.

    \b
    openroots pack --tokens build/tokens --sequence-length 2048 --output build/packed
    openroots pack --prompts build/prompts --tokenizer hf-model --output build/packed-prompts
    """
    from openroots.beam_options import split_arguments, worker_log
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.lock import build_lock
    from pipeline.runtime.phases import Watch
    from pipeline.runtime.progress import ProgressWatch
    from trainer.pack import Packing, far_off, pack
    from trainer.pack_formats import convert
    from trainer.pack_litdata import check_litdata

    options, words = split_arguments(ctx, ctx.args)
    if words:
        raise click.UsageError(f"Got unexpected arguments: {' '.join(words)}", ctx)
    if form == "litdata":
        check_litdata(output)
    engine = Engine(workers, tuple(options), worker_log(output))
    watch = Watch() if quiet else ProgressWatch()
    if prompts is not None:
        given = {name for name in ("tokens", "held_out", "seed", "eos_id", "form") if _is_given(ctx, name)}
        if tokenizer is None or given:
            why = "needs --tokenizer" if tokenizer is None else f"takes no --{min(given).replace('_', '-')}"
            raise click.UsageError(f"--prompts {why}", ctx)
        _pack_prompts(prompts, tokenizer, output, sequence_length, loss_per, engine, watch)
        return
    if tokenizer is not None:
        raise click.UsageError("--tokenizer goes with --prompts; token shards come with their own", ctx)
    with build_lock(output, "packed"):
        packing = Packing(sequence_length, held_out, seed, eos_id)
        manifest = pack(tokens, output, packing, engine=engine, watch=watch)
        if form != "npy":
            convert(output, manifest, form)
    off = far_off(manifest, held_out)
    for line in off[:WARNINGS_MAX]:
        click.echo(f"warning: {line}", err=True)
    if len(off) > WARNINGS_MAX:
        click.echo(f"warning: the same applies to {len(off) - WARNINGS_MAX} more languages", err=True)
    sums = manifest["languages"].values()
    parts = {part: sum(figures[part]["sequences"] for figures in sums) for part in ("train", "held_out")}
    if not parts["train"]:
        most = max(figures["train"]["tokens"] for figures in sums)
        raise ConfigurationError(
            f"{tokens} does not fill one sequence of {sequence_length:,} tokens: no language has more than {most:,}; "
            "give more text or a smaller --sequence-length"
        )
    if isinstance(watch, ProgressWatch):
        shown = f"{parts['train']:,} to train on, {parts['held_out']:,} held out"
        watch.console.print(f"sequences    {shown}, of {sequence_length:,} tokens · {output}")


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE


def _pack_prompts(
    prompts: str,
    tokenizer: str,
    output: str,
    sequence_length: int,
    loss_per: Literal["example", "token"],
    engine: "Engine",
    watch: "Watch",
) -> None:
    from pipeline.runtime.lock import build_lock
    from pipeline.runtime.progress import ProgressWatch
    from trainer.pack_prompts import PromptPacking, pack_prompts

    with build_lock(output, "packed"):
        packing = PromptPacking(sequence_length, loss_per)
        manifest = pack_prompts(prompts, tokenizer, output, packing, engine=engine, watch=watch)
    figures = [parts["train"] for parts in manifest["languages"].values()]
    held_out = sum(parts["held_out"]["sequences"] for parts in manifest["languages"].values())
    sums = {name: sum(one[name] for one in figures) for name in figures[0]} if figures else {"sequences": 0}
    if sums.get("too_long"):
        kept = f"{sums['examples']:,} were packed"
        click.echo(
            f"warning: left out {sums['too_long']:,} examples longer than {sequence_length:,} tokens; {kept}", err=True
        )
    if not sums["sequences"]:
        raise ConfigurationError(f"{prompts} has no training example of {sequence_length:,} tokens or fewer")
    if isinstance(watch, ProgressWatch):
        full = sums["example_tokens"] / (sums["sequences"] * sequence_length)
        shown = f"{sums['sequences']:,} to train on, {held_out:,} held out, of {sequence_length:,} tokens"
        targets = f"{sums['target_tokens']:,} target tokens"
        watch.console.print(
            f"sequences    {shown} · {sums['examples']:,} examples, {targets} · {full:.1%} full · {output}"
        )
