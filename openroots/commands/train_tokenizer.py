"""`openroots train-tokenizer`."""

import click


@click.command("train-tokenizer")
@click.option("--corpus", default=None, help="a finished build, such as build/corpus")
@click.option("--text", "files", multiple=True, help="files instead: Parquet, JSON lines or plain text; patterns too")
@click.option("--vocab-size", default=250_680, show_default=True, type=click.IntRange(260), help="entries in all")
@click.option(
    "--alpha", default=0.3, show_default=True, type=click.FloatRange(0, 1), help="flattens languages; 1: as is"
)
@click.option("--pattern", default="bloom", show_default=True, help="bloom, gpt2, gpt4 or a regular expression")
@click.option("--pad-with-reserved", is_flag=True, help="fill up with reserved tokens where the text is too little")
@click.option("--output", default="build/tokenizer", show_default=True, help="folder for tokenizer.json and its table")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="local worker processes")
def train_tokenizer_command(
    corpus: str | None,
    files: tuple[str, ...],
    vocab_size: int,
    alpha: float,
    pattern: str,
    pad_with_reserved: bool,
    output: str,
    workers: int,
) -> None:
    """Train a byte-level BPE tokenizer: count words on Beam, learn merges, write tokenizer.json.

    Merges and ids are those of Hugging Face tokenizers for the same words. Languages are weighted by size to the power
    of alpha, in whole numbers. A run that was stopped goes on where it was.

    \b
    openroots train-tokenizer --corpus build/corpus --vocab-size 50000 --output build/tokenizer
    openroots train-tokenizer --text 'my/*.txt' --vocab-size 32000 --output my-tokenizer
    """
    from openroots.tokenizer_command import train

    if (corpus is None) == (not files):
        raise click.UsageError("give either --corpus or --text")
    train(corpus, files, vocab_size, alpha, pattern, pad_with_reserved, output, workers)
