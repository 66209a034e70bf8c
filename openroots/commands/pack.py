"""`openroots pack`."""

from typing import Literal

import click

from configs.errors import ConfigurationError

WARNINGS_MAX = 10
Format = Literal["npy", "megatron", "raw", "mds", "litdata"]
PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command("pack", context_settings=PASS_THROUGH)
@click.option("--tokens", default="build/tokens", show_default=True, help="output of `openroots encode`")
@click.option("--sequence-length", default=2048, show_default=True, type=click.IntRange(1), help="tokens a sequence")
@click.option("--output", default="build/packed", show_default=True, help="folder for the packed text")
@click.option(
    "--held-out", default=0.005, show_default=True, type=click.FloatRange(0, 0.5), help="share of tokens not trained on"
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="chooses held-out documents")
@click.option("--eos-id", default=None, type=click.IntRange(0), help="id that ends a document, if not the tokenizer's")
@click.option(
    "--format",
    "form",
    default="npy",
    show_default=True,
    type=click.Choice(["npy", "megatron", "raw", "mds", "litdata"]),
    help="also write files of another trainer, to OUTPUT/FORMAT",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="local worker processes")
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@click.pass_context
def pack_command(
    ctx: click.Context,
    tokens: str,
    sequence_length: int,
    output: str,
    held_out: float,
    seed: int,
    eos_id: int | None,
    form: Format,
    workers: int,
    quiet: bool,
) -> None:
    """Pack token shards for training: documents end to end, a memory-mapped stream a language, some held out.

    `--format megatron` writes Megatron-LM's .bin and .idx as well, `--format raw` ids without any header, as nanoGPT
    and OLMo-core read them; `mds` and `litdata` what MosaicML Streaming and litdata read (openroots[mds], [litdata]).

    The same shards give the same bytes. A run that was stopped resumes where it was. Options that are not listed here
    go to Apache Beam untouched.

    \b
    openroots pack --tokens build/tokens --sequence-length 2048 --output build/packed
    """
    from openroots.beam_options import split_arguments, worker_log
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.lock import build_lock
    from pipeline.runtime.phases import Watch
    from pipeline.runtime.progress import ProgressWatch
    from trainer.pack import Packing, far_off, pack
    from trainer.pack_formats import convert
    from trainer.pack_packages import PACKAGES, check_package

    options, words = split_arguments(ctx, ctx.args)
    if words:
        raise click.UsageError(f"Got unexpected arguments: {' '.join(words)}", ctx)
    if form in PACKAGES:
        check_package(form, output)
    engine = Engine(workers, tuple(options), worker_log(output))
    watch = Watch() if quiet else ProgressWatch()
    with build_lock(output, "packed"):
        packing = Packing(sequence_length, held_out, seed, eos_id)
        manifest = pack(tokens, output, packing, engine=engine, watch=watch)
        if form != "npy":
            convert(output, manifest, form)
    off = far_off(manifest, held_out)
    for line in off[:WARNINGS_MAX]:
        click.echo(f"warning: {line}", err=True)
    if len(off) > WARNINGS_MAX:
        click.echo(f"warning: so it is for {len(off) - WARNINGS_MAX} more languages", err=True)
    sums = manifest["languages"].values()
    parts = {part: sum(figures[part]["sequences"] for figures in sums) for part in ("train", "held_out")}
    if not parts["train"]:
        most = max(figures["train"]["tokens"] for figures in sums)
        raise ConfigurationError(
            f"{tokens} makes no sequence of {sequence_length:,} tokens: a language has {most:,} at most; "
            "give more text, or a smaller --sequence-length"
        )
    if isinstance(watch, ProgressWatch):
        shown = f"{parts['train']:,} to train on, {parts['held_out']:,} held out"
        watch.console.print(f"sequences    {shown}, of {sequence_length:,} tokens · {output}")
