"""A recipe of a given size, made by code: sentences of the Universal Declaration that comes with OpenRoots."""

import gzip
import json
import random
from importlib.resources import files
from pathlib import Path

FILES = 16
LANGUAGES = ("en", "fr", "es", "pt", "sw", "vi")


def recipe_of(folder: Path, size: int) -> str:
    """Path of a recipe that reads about `size` bytes of JSON lines, written where they are not there yet."""
    recipe = folder / "large.toml"
    if not recipe.exists():
        (folder / "text").mkdir(parents=True, exist_ok=True)
        for number in range(FILES):
            _write(folder / "text" / f"part-{number:02d}.jsonl", number, size // FILES)
    names = json.dumps(f"{folder.resolve()}/text/*.jsonl")  # a relative name is looked for in the working directory
    recipe.write_text(_RECIPE.format(languages=json.dumps(LANGUAGES), packages=names))
    return str(recipe)


_RECIPE = """\
name = "large"
title = "Text made for the trial of clusters"
sources = ["made"]
languages = {languages}

[source.made]
title = "Sentences, shuffled"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "OpenRoots"
provenance = "https://example.org/made"
packages = [{{ name = {packages} }}]
"""


def _write(path: Path, seed: int, size: int) -> None:
    dice, sentences = random.Random(seed), _sentences()
    with open(path, "w", encoding="utf-8") as stream:
        while stream.tell() < size:
            language = dice.choice(LANGUAGES)
            text = " ".join(dice.choices(sentences[language], k=dice.randint(5, 60)))
            stream.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def _sentences() -> dict[str, list[str]]:
    """Sentences of the declaration by language."""
    found: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    with gzip.open(files("configs") / "data" / "tiny" / "declaration.jsonl.gz", "rt", encoding="utf-8") as stream:
        for line in stream:
            entry = json.loads(line)
            if entry["language"] in found:
                found[entry["language"]] += [part for part in entry["text"].splitlines() if len(part) > 40]
    return found
