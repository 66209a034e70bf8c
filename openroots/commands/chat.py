"""`openroots chat`."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from configs.errors import ConfigurationError
from configs.shown import shown, shown_lines
from openroots.shared import FloatRange

if TYPE_CHECKING:
    from tokenizer.load import Tokenizer
    from trainer.generate import Sampling
    from trainer.model import Bloom

HELP = """\
/language sw   ask for answers in Swahili, by adding to your questions; /language alone: in any language
/history       show the conversation
/forget        start over
/turns N       send the last N questions and answers along (0: each question alone, as in fine-tuning)
/help          show this
/quit          quit, as does Ctrl-D"""
TURNS_MAX = 20


@dataclass
class Chat:
    """A conversation. Models fine-tuned on prompts know one question at a time; `turns` says how many go along."""

    names: dict[str, str]
    """Names of languages by code."""
    turns: int = 0
    language: str | None = None
    history: list[tuple[str, str]] = field(default_factory=list)

    def prompt(self, text: str) -> str:
        """What the model is given for a question."""
        asked = text if self.language is None else f"{text}\n\nAnswer in {self.names[self.language]}."
        before = self.history[len(self.history) - min(self.turns, len(self.history)) :]
        return "\n\n".join([*(f"{question}\n{answer}" for question, answer in before), asked])

    def command(self, line: str) -> str | None:
        """Obey a line that begins with a slash; returns what to say, None to end."""
        word, _, rest = line[1:].strip().partition(" ")
        rest = rest.strip()
        if word in ("quit", "exit"):
            return None
        if word == "language":
            return self._switch(rest)
        if word == "history":
            return "\n".join(f"> {question}\n{answer}" for question, answer in self.history) or "nothing yet"
        if word == "forget":
            self.history.clear()
            return "forgotten"
        if word == "turns":
            if not rest.isascii() or not rest.isdigit() or int(rest) > TURNS_MAX:
                return f"give a number from 0 to {TURNS_MAX}"
            self.turns = int(rest)
            return f"the last {self.turns} are sent along" if self.turns else "each question is sent alone"
        return HELP if word == "help" else f"unknown command /{shown(word, 30)}\n{HELP}"

    def _switch(self, code: str) -> str:
        if code and code not in self.names:
            return f"unknown language `{shown(code, 30)}`; known: {', '.join(self.names)}"
        self.language = code or None
        return f"answers in {self.names[code]}" if code else "answers in any language"


@click.command("chat")
@click.option("--model", "folder", required=True, help="a fine-tuned model's folder, such as `openroots export` writes")
@click.option("--language", default=None, help="ask for answers in this language; /language changes it")
@click.option(
    "--turns", default=0, show_default=True, type=click.IntRange(0, TURNS_MAX), help="earlier exchanges to send along"
)
@click.option("--max-tokens", default=200, show_default=True, type=click.IntRange(1), help="tokens per answer, at most")
@click.option(
    "--temperature",
    default=None,
    type=FloatRange(0.01, 10),
    help="sample answers; default: the likeliest token each time",
)
@click.option("--top-p", default=0.95, show_default=True, type=FloatRange(0.01, 1), help="with --temperature")
@click.option("--repetition-penalty", default=1.0, show_default=True, type=FloatRange(0.1, 10))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, (1 << 62)), help="with --temperature")
@click.option("--device", default=None, help="such as cpu or cuda:0; default: a GPU if there is one")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per answer, when complete")
def chat_command(
    folder: str,
    language: str | None,
    turns: int,
    max_tokens: int,
    temperature: float | None,
    top_p: float,
    repetition_penalty: float,
    seed: int,
    device: str | None,
    as_json: bool,
) -> None:
    """Chat in the terminal with a model fine-tuned on prompts. Reads lines from standard input.

    Answers appear word by word; /help lists the commands. A model that was not fine-tuned only continues a text: use
    `openroots generate` for that.

    \b
    openroots chat --model hf-model
    echo "Name the language of this text: Watu wote" | openroots chat --model hf-model
    """
    from configs.extras import need

    need("torch", "train")
    from configs.load import load_languages
    from openroots.commands.generate import load_model
    from trainer.generate import Sampling
    from trainer.huggingface import read_length

    chat = Chat({code: entry.name for code, entry in load_languages().natural.items()}, turns)
    if language is not None:
        if language not in chat.names:
            raise click.BadParameter(chat.command(f"/language {language}") or "", param_hint="'--language'")
        chat.language = language
    sampling = Sampling(max_tokens, temperature is None, temperature or 1.0, None, top_p, repetition_penalty, (), seed)
    model, tokenizer = load_model(folder, device)
    length = read_length(folder)
    is_terminal = sys.stdin.isatty() and not as_json
    if is_terminal:
        click.echo(f"{shown(folder, 200)} · /help lists commands, Ctrl-D quits", err=True)
    for line in _lines(is_terminal):
        if line.startswith("/"):
            said = chat.command(line)
            if said is None:
                break
            click.echo(_visible(said), err=as_json)
        elif line.strip():
            _answer(chat, line, model, tokenizer, sampling, length, as_json=as_json)


def _lines(is_terminal: bool) -> Iterator[str]:
    while True:
        if is_terminal:
            click.echo("> ", nl=False)
        data = sys.stdin.buffer.readline()
        if not data:
            if is_terminal:
                click.echo()
            return
        yield data.decode("utf-8", "replace").rstrip("\r\n")


def _answer(
    chat: Chat,
    line: str,
    model: "Bloom",
    tokenizer: "Tokenizer",
    sampling: "Sampling",
    length: int | None,
    *,
    as_json: bool,
) -> None:
    """Stream the answer to a line. Ctrl-C ends the answer, not the conversation."""
    from trainer.generate import stream

    prompt, answer = chat.prompt(line), ""
    [ids] = tokenizer.encode_batch([prompt]).to_pylist()
    most = read_at_most(length, sampling.max_tokens)
    if most and len(ids) > most:
        note = f"only the last {most:,} of {len(ids):,} tokens are read: the model was trained on {length:,} at once"
        click.echo(note, err=True)
        ids = ids[-most:]
    try:
        for [new] in stream(model, tokenizer, [ids], sampling):
            new = new if answer else new.lstrip()
            answer += new
            if not as_json:
                click.echo(_visible(new), nl=False)
                sys.stdout.flush()
    except KeyboardInterrupt:
        click.echo(" …", nl=False, err=as_json)
    except ConfigurationError as error:
        click.echo(f"error: {error}", err=True)
        return
    chat.history.append((line, answer))
    if as_json:
        row: dict[str, Any] = {"prompt": prompt, "answer": answer, "language": chat.language}
        click.echo(json.dumps(row, ensure_ascii=False))
    else:
        click.echo()


def read_at_most(length: int | None, answer: int) -> int | None:
    """Tokens of a prompt that are read, so that an answer of so many has room in the model's length, or half of it.

    A model says nothing sensible of more than it was trained on, and the time to read grows with the square.
    """
    return max(length - answer, length // 2) if length else None


def _visible(text: str) -> str:
    """Text for a terminal: what would steer it shows as its escape."""
    return shown_lines(text.replace("\t", "    "))
