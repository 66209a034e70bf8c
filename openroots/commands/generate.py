"""`openroots generate`."""

import json
import math
import os
import sys
from typing import TYPE_CHECKING

import click

from configs.errors import ConfigurationError

if TYPE_CHECKING:
    from tokenizer.load import Tokenizer
    from trainer.model import Bloom

PROMPTS = {
    "ar": "يولد جميع الناس",
    "en": "All human beings",
    "es": "Todos los seres humanos",
    "fr": "Tous les êtres humains",
    "hi": "सभी मनुष्यों को",
    "pt": "Todos os seres humanos",
    "sw": "Watu wote",
    "yo": "Gbogbo ènìyàn",
    "zh": "人人生而",
}
"""How the Universal Declaration begins: what `--language` stands for where no prompt is given."""


def _number(_ctx: click.Context, _parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number")
    return value


@click.command("generate")
@click.option("--model", "folder", required=True, help="folder of a BLOOM model, such as `openroots export` writes")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    help="text to continue; repeatable; default: standard input",
)
@click.option(
    "--language",
    default=None,
    help="without --prompt: continue the Universal Declaration's first words in this language",
)
@click.option("--max-tokens", default=50, show_default=True, type=click.IntRange(1), help="tokens to generate")
@click.option("--greedy", is_flag=True, help="always take the most likely token")
@click.option("--temperature", default=0.8, show_default=True, type=float, callback=_number, help="below 1: safer")
@click.option("--top-k", default=None, type=int, help="sample from the k most likely tokens")
@click.option(
    "--top-p",
    default=0.95,
    show_default=True,
    type=float,
    callback=_number,
    help="sample from the most likely tokens that together have probability p",
)
@click.option(
    "--repetition-penalty",
    default=1.0,
    show_default=True,
    type=float,
    callback=_number,
    help="above 1: fewer repetitions",
)
@click.option("--stop", multiple=True, help="stop before this text; repeatable")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, (1 << 63) - 1),
    metavar="INTEGER",
    help="the same seed gives the same text",
)
@click.option("--device", default=None, help="such as cpu or cuda:0; default: a GPU if there is one")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per prompt, when complete")
def generate_command(
    folder: str,
    prompts: tuple[str, ...],
    language: str | None,
    max_tokens: int,
    greedy: bool,
    temperature: float,
    top_k: int | None,
    top_p: float,
    repetition_penalty: float,
    stop: tuple[str, ...],
    seed: int,
    device: str | None,
    as_json: bool,
) -> None:
    """Continue a text with a model, showing each token as it is generated.

    BLOOM has no token that sets the language: it continues in the language of the prompt. `--language` only chooses a
    prompt.

    \b
    openroots generate --model hf-model --prompt "Habari ya dunia," --max-tokens 30
    openroots generate --model hf-model --language yo --greedy
    """
    from configs.extras import need

    need("torch", "train")
    from trainer.generate import Sampling, stream
    from trainer.huggingface import check_model_folder

    check_model_folder(folder)
    given = _prompts(prompts, language)
    sampling = Sampling(max_tokens, greedy, temperature, top_k, top_p, repetition_penalty, stop, seed)
    model, tokenizer = load_model(folder, device)
    texts = [""] * len(given)
    shows = len(given) == 1 and not as_json
    if shows:
        click.echo(given[0], nl=False)
    for news in stream(model, tokenizer, given, sampling):
        texts = [text + new for text, new in zip(texts, news, strict=True)]
        if shows:
            click.echo(news[0], nl=False)
            sys.stdout.flush()
    for prompt, text in zip(given, texts, strict=True):
        if as_json:
            click.echo(json.dumps({"prompt": prompt, "text": text, "language": language}, ensure_ascii=False))
        else:
            click.echo("" if shows else f"{prompt}{text}\n")


def load_model(folder: str, device: str | None) -> "tuple[Bloom, Tokenizer]":
    """The model and tokenizer of a folder, on a device. Raises OpenRootsError where they are none, or do not fit."""
    from tokenizer.load import Tokenizer
    from trainer.huggingface import check_model_folder, load_pretrained

    check_model_folder(folder)
    tokenizer = Tokenizer.load(folder, "tokenizers")
    model = load_pretrained(folder, device=_device(device))
    if tokenizer.vocabulary_size > model.config.vocabulary_size:
        raise ConfigurationError(
            f"{folder}: the tokenizer has {tokenizer.vocabulary_size:,} entries, the model "
            f"{model.config.vocabulary_size:,}; it belongs to another model"
        )
    return model, tokenizer


def _device(name: str | None) -> str:
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise click.BadParameter(
            f"`{name}` cannot be used: {str(error).splitlines()[0]}", param_hint="'--device'"
        ) from None
    return name


def _prompts(prompts: tuple[str, ...], language: str | None) -> list[str]:
    if prompts:
        return [_utf8(os.fsencode(prompt), "a prompt") for prompt in prompts]
    if language is not None:
        if language not in PROMPTS:
            raise click.UsageError(
                f"no prompt for `{language}`; use one of {', '.join(sorted(PROMPTS))}, or give --prompt"
            )
        return [PROMPTS[language]]
    if sys.stdin.isatty():
        raise click.UsageError("give --prompt, --language, or text on standard input")
    return [_utf8(sys.stdin.buffer.read(), "standard input").rstrip("\n")]


def _utf8(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{what} is not UTF-8 text (byte {error.start})") from None
