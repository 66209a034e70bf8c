"""`openroots export`."""

import click


def _bytes(_ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = int(TypeAdapter(ByteSize).validate_python(value))
    except ValidationError:
        size = 0
    if size < 1:
        raise click.BadParameter(f"`{value}` is not a size; write 5GB or 500MB")
    return size


@click.command("export")
@click.option("--checkpoint", required=True, help="a checkpoint, RUN/step-…, or a run's folder for its newest one")
@click.option("--output", required=True, help="a folder that is empty or does not exist")
@click.option(
    "--dtype", default="bf16", show_default=True, type=click.Choice(["bf16", "fp16", "fp32"]), help="of the weights"
)
@click.option(
    "--shard-size",
    default="5GB",
    show_default=True,
    callback=_bytes,
    help="largest weight file; export needs as much memory",
)
@click.option("--licence", default=None, help="of the model, for its card: an SPDX id")
@click.option("--gguf", is_flag=True, help="also write model.gguf, which llama.cpp runs; needs openroots[gguf]")
def export_command(checkpoint: str, output: str, dtype: str, shard_size: int, licence: str | None, gguf: bool) -> None:
    """Write a checkpoint's model in the format of Hugging Face's transformers.

    \b
    openroots export --checkpoint runs/tiny --output hf-model
    python -c 'from transformers import pipeline; print(pipeline("text-generation", "hf-model")("Habari"))'
    """
    from configs.extras import need

    need("torch", "train")
    from trainer.export import export

    names = export(checkpoint, output, dtype=dtype, shard_bytes=shard_size, licence=licence, gguf=gguf)
    weights = "1 weight file" if len(names) == 1 else f"{len(names):,} weight files"
    click.echo(f"{output}: {weights}, configuration, tokenizer, card{', model.gguf' if gguf else ''}")
