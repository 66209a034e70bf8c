"""`openroots train-tokenizer`."""

from typing import Any

import click

from openroots.shared import PASS_THROUGH, WORKERS, FloatRange
from tokenizer.settings import DOCUMENTS, LARGEST_VOCABULARY, MODELS, Training


@click.command("train-tokenizer", context_settings=PASS_THROUGH)
@click.option("--corpus", default=None, help="a built corpus, such as build/corpus")
@click.option(
    "--text", multiple=True, help="files or patterns instead of a corpus: JSON, Parquet, CSV, plain text, …; repeatable"
)
@click.option(
    "--documents",
    default=Training.documents,
    show_default=True,
    type=click.Choice(DOCUMENTS),
    help="what counts as a document in plain text; with `line`, as in `encode`, no line ends are learned",
)
@click.option("--output", default="build/tokenizer", show_default=True, help="folder for tokenizer.json and its card")
@click.option("--model", default=Training.model, show_default=True, type=click.Choice(MODELS))
@click.option(
    "--vocab-size",
    default=Training.vocab_size,
    show_default=True,
    type=click.IntRange(260, LARGEST_VOCABULARY),
    help="entries in total",
)
@click.option(
    "--alpha",
    default=Training.alpha,
    show_default=True,
    type=FloatRange(0, 1),
    help="flattens the shares of a corpus's languages; 1 leaves them as they are",
)
@click.option(
    "--pattern", default=Training.pattern, show_default=True, help="bloom, gpt2, gpt4 or a regular expression"
)
@click.option(
    "--special-token",
    "special_tokens",
    multiple=True,
    default=Training.special_tokens,
    show_default=True,
    help="repeatable; special tokens get the first ids, in this order",
)
@click.option(
    "--unique-lines/--no-unique-lines",
    default=Training.unique_lines,
    show_default=True,
    help="count a line once per language, as ROOTS did; takes 16 to 32 bytes of memory per distinct line",
)
@click.option(
    "--count-min",
    default=Training.count_min,
    show_default=True,
    type=click.IntRange(1),
    help="leave out words rarer than this in their language",
)
@click.option("--pad-with-reserved", is_flag=True, help="fill up with reserved entries if there is too little text")
@click.option(
    "--licence", default=Training.licence, show_default=True, help="of the tokenizer, for its card: an SPDX id"
)
@WORKERS
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@click.pass_context
def train_tokenizer_command(ctx: click.Context, /, output: str, workers: int, quiet: bool, **settings: Any) -> None:
    """Train a tokenizer: count words on Beam, learn merges, write tokenizer.json and a card.

    Byte-level BPE by default; merges and ids equal those of Hugging Face tokenizers for the same words. Languages are
    weighted by size to the power of alpha, in whole numbers. A stopped run resumes when you give the same command
    again. Options not listed here are passed to Apache Beam.

    \b
    openroots train-tokenizer --corpus build/corpus --vocab-size 50000 --output build/tokenizer
    openroots train-tokenizer --text 'my/*.txt' --vocab-size 32000 --output my-tokenizer
    """
    from openroots.beam_options import split_arguments, worker_log
    from openroots.tokenizer_command import train_tokenizer
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.phases import Watch
    from pipeline.runtime.progress import ProgressWatch

    options, words = split_arguments(ctx, ctx.args)
    if words:
        raise click.UsageError(f"Got unexpected arguments: {' '.join(words)}", ctx)
    if (settings["corpus"] is None) == (not settings["text"]):
        raise click.UsageError("give either --corpus or --text", ctx)
    engine = Engine(workers, tuple(options), log=worker_log(output))
    train_tokenizer(output, engine=engine, watch=Watch() if quiet else ProgressWatch(), **settings)
