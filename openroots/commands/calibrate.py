"""`openroots calibrate`: the thresholds of one language, from good text that a speaker of it has."""

import re

import click

from configs.errors import OpenRootsError, OutputError
from configs.places import on_disk

CODE = "[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*"
"""Of a language, as in recipes."""


@click.command("calibrate")
@click.option("--language", required=True, help="BCP 47 code, which OpenRoots need not know")
@click.option(
    "--good",
    multiple=True,
    required=True,
    help="good text, one sentence or paragraph per line; file or pattern; repeatable",
)
@click.option("--junk", multiple=True, help="text to drop, one document per line; default: made from the good text")
@click.option("--output", default="build/calibration", show_default=True, help="folder for model, fragment and page")
@click.option("--unspaced", is_flag=True, help="the language is written without spaces between words")
def calibrate_command(language: str, good: tuple[str, ...], junk: tuple[str, ...], output: str, unspaced: bool) -> None:
    """Find a language's quality thresholds from good text, with what they cost and what they catch.

    Prints a TOML fragment to paste into a recipe, and writes it to OUTPUT/LANGUAGE.toml, with the letter model it
    names and a page that plots each measure, OUTPUT/LANGUAGE.html. Give a few hundred lines of good text that no word
    list was made from. A threshold that does not separate good text from junk is left out.

    \b
    openroots calibrate --language xh --good 'my/*.txt'
    """
    from pipeline.quality.calibration_page import fragment, page
    from pipeline.quality.calibration_run import calibrate_language
    from pipeline.runtime.ownership import check_file

    if not re.fullmatch(CODE, language):
        raise click.UsageError(f"`{language}` is not a language code such as sw or sr-Latn")
    folder = on_disk(output)
    table, plots, model = (folder / f"{language}{ending}" for ending in (".toml", ".html", ".letters.npz"))
    for path, sign in ((table, f"[natural.{language}.quality]"), (plots, "<title>Thresholds of "), (model, ".weights")):
        check_file(str(path), "--output", signs=(sign.encode(),))
    result = calibrate_language(language, _lines(good), {"given": _lines(junk)} if junk else {}, unspaced)
    text = fragment(result, str(model))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        result.save_model(model)
        table.write_text(text, encoding="utf-8")
        plots.write_text(page(result), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}; choose another --output") from error
    click.echo(text, nl=False)
    click.echo(f"{folder / language}.toml, .html, .letters.npz", err=True)


def _lines(patterns: tuple[str, ...]) -> list[str]:
    """Lines that hold something, NFC, each once, of all files that patterns match."""
    import unicodedata

    from pipeline.runtime import storage

    lines: dict[str, None] = {}
    for pattern in patterns:
        fs, inner = storage.filesystem(pattern)
        is_pattern = any(mark in inner for mark in "*?[") and not fs.isfile(inner)
        paths = sorted(fs.glob(inner)) if is_pattern else [inner]
        if not paths:
            raise OpenRootsError(f"{pattern}: no such file")
        for path in paths:
            try:
                text = fs.cat_file(path).decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise OpenRootsError(f"{path}: cannot be read as UTF-8 text: {error}") from None
            lines |= dict.fromkeys(line.strip() for line in unicodedata.normalize("NFC", text).splitlines())
    lines.pop("", None)
    return list(lines)
