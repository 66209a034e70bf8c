"""`openroots export-tokenizer`."""

import click


@click.command("export-tokenizer")
@click.option("--tokenizer", default="build/tokenizer", show_default=True, help="a tokenizer.json, or its folder")
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["tiktoken", "sentencepiece", "gguf"]),
    help="the program to write it for",
)
@click.option("--output", required=True, help="a folder that is empty or does not exist")
def export_tokenizer_command(tokenizer: str, form: str, output: str) -> None:
    """Write a tokenizer for another program, if that gives the same ids; otherwise explain why not.

    The program itself is run on 3,600 texts, in 59 languages or hard to split.

    tiktoken: `vocabulary.tiktoken`, `tiktoken.json` with pattern and special tokens, and loading instructions. Every
    entry is checked as well. Needs openroots[tiktoken].

    gguf: `vocabulary.gguf` for llama.cpp; takes a minute. Needs openroots[gguf].

    sentencepiece: `tokenizer.model` of a tokenizer trained as a SentencePiece model. Needs openroots[sentencepiece].

    \b
    openroots export-tokenizer --tokenizer build/tokenizer --format tiktoken --output tiktoken
    """
    from configs.errors import OutputError
    from pipeline.runtime import storage
    from tokenizer.export import export_tokenizer

    if storage.list_files(output):
        raise OutputError(f"{output} is not empty; choose another --output or remove it")
    proven = export_tokenizer(tokenizer, output, form)
    click.echo(f"{output}: {proven['entries']:,} entries, the same ids for {proven['texts']:,} test texts")
