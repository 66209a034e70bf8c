"""`openroots fertility`."""

import math

import click

from configs.errors import ConfigurationError
from openroots.shared import PLAIN_DOCUMENTS
from tokenizer.settings import Documents


def parse_limits(value: str | None) -> dict[str, float]:
    """`en=1.4,sw=2.0` as numbers by language. Raises ConfigurationError."""
    limits: dict[str, float] = {}
    for part in (value or "").split(","):
        if not part.strip():
            continue
        code, sign, number = (piece.strip() for piece in part.partition("="))
        try:
            limits[code] = float(number)
        except ValueError:
            limits[code] = math.nan
        if not sign or not code or not limits[code] > 0:
            raise ConfigurationError(f"--fail-above `{part.strip()}`: write LANGUAGE=NUMBER, such as en=1.4,sw=2.0")
    return limits


@click.command("fertility")
@click.option(
    "--tokenizer",
    "tokenizers",
    multiple=True,
    required=True,
    help="PLACE or NAME=PLACE: a folder, a tokenizer.json, a .tiktoken file, a SentencePiece .model, gpt2, or a name "
    "on the Hugging Face Hub; repeatable",
)
@click.option(
    "--text",
    multiple=True,
    help="a corpus, or files or patterns: JSON, Parquet, CSV, plain text, …; LANGUAGE=FILE sets the language; "
    "repeatable",
)
@click.option(
    "--parallel",
    multiple=True,
    help="LANGUAGE=FILE, repeatable, one of them en: translations line by line, for the premium",
)
@click.option("--language", default=None, help="BCP 47 code for files given without one; a corpus has its own")
@PLAIN_DOCUMENTS
@click.option(
    "--sample", default=100_000, show_default=True, type=click.IntRange(1), help="bytes to measure per language"
)
@click.option(
    "--tiktoken-pattern",
    default="gpt4",
    show_default=True,
    help="pattern of a .tiktoken file: gpt2, gpt4 or a regular expression",
)
@click.option("--html", default=None, help="write an HTML page with plots")
@click.option("--json", "as_json", default=None, help="write all figures as JSON")
@click.option("--csv", default=None, help="write a row per tokenizer and language")
@click.option(
    "--fail-above",
    default=None,
    help="LANGUAGE=NUMBER,…: exit with status 1 if tokens per word (or character) exceed this",
)
@click.option("--quiet", is_flag=True, help="print no tables")
def fertility_command(
    tokenizers: tuple[str, ...],
    text: tuple[str, ...],
    parallel: tuple[str, ...],
    language: str | None,
    documents: Documents,
    sample: int,
    tiktoken_pattern: str,
    html: str | None,
    as_json: str | None,
    csv: str | None,
    fail_above: str | None,
    quiet: bool,
) -> None:
    """Measure how many tokens each language costs with any number of tokenizers: fertility and fairness.

    Tokens per word (per character in scripts without spaces), bytes per token, words kept whole, and the premium: the
    tokens for the same content relative to English, on parallel text that comes with OpenRoots.

    \b
    openroots fertility --tokenizer build/tokenizer --tokenizer gpt2 --text build/corpus --html fertility.html
    openroots fertility --tokenizer build/tokenizer --fail-above en=1.4,sw=2.0
    openroots fertility --tokenizer mine=my-tokenizer --text sw=sw.txt --text yo=yo.jsonl
    openroots fertility --tokenizer gpt2 --parallel en=en.txt --parallel sw=sw.txt
    """
    limits = parse_limits(fail_above)

    from openroots.fertility_command import check_failures, fertility
    from openroots.shared import check_language
    from pipeline.runtime.ownership import check_file
    from tokenizer.fertility_page import write_html
    from tokenizer.fertility_report import print_report, write_csv, write_json

    check_language(language)
    signs = {"--html": b'content="OpenRoots"', "--json": b'"tokens_per_word"', "--csv": b"tokenizer,language,name"}
    for option, path in (("--html", html), ("--json", as_json), ("--csv", csv)):
        if path:
            check_file(path, option, signs=(signs[option],))
    report = fertility(
        tokenizers,
        text=text,
        parallel=parallel,
        language=language,
        documents=documents,
        sample=sample,
        tiktoken_pattern=tiktoken_pattern,
        limits=limits,
    )
    if not quiet:  # before files are written: where one cannot be, the figures are not lost
        print_report(report)
    for path, write in ((html, write_html), (as_json, write_json), (csv, write_csv)):
        if path:
            write(report, path)
    check_failures(report, limits)
