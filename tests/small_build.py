"""A small build of the tests' own text: seconds, every phase has work."""

import json
import random
from pathlib import Path
from typing import Any

from configs.load import load_recipe
from pipeline.build import build_corpus
from pipeline.runtime.engine import Engine

TEXT = """people country water house river school market children morning evening music letter garden mountain story
winter summer village teacher doctor window bread table family friend history language question answer"""
WORDS = TEXT.split()
RECIPE = """
name = "small"
title = "Small"
languages = ["en", "fr"]
sources = ["in"]
[language_identification]
model = "none"
[quality]
enabled = false
[deduplication]
recurring_lines_documents_min = 5
[source.in]
title = "in"
reader = "jsonl"
licence = "CC-BY-4.0"
custodian = "nobody"
provenance = "made up"
columns = {{ text = "text", language = "language" }}
packages = [{{ name = "{folder}/in" }}]
"""


def write_inputs(folder: Path, documents: int = 40, files: int = 3) -> Path:
    """Inputs with exact and near duplicates and a recurring line, and a recipe that reads them; its path."""
    chosen = random.Random(1)
    (folder / "in").mkdir(parents=True)
    for file in range(files):
        rows = []
        for number in range(documents):
            lines = [f"The {' '.join(chosen.choices(WORDS, k=12))}." for _ in range(10)]
            if number % 3 == 0:
                lines.append("This line of the footer stands below a third of all documents.")
            text, language = "\n".join(lines), chosen.choice(["en", "fr"])
            rows.append({"text": text, "language": language})
            if number % 10 == 0:
                rows.append({"text": f"{text}\nIndeed so.", "language": language})
            if number % 13 == 0:
                rows.append({"text": text, "language": language})
        (folder / "in" / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(folder=folder))
    return recipe


def build(recipe: Path, output: Path, engine: Engine | None = None, **options: Any) -> dict[str, Any]:
    """Build it in this process; the manifest."""
    plan = load_recipe(str(recipe))
    return build_corpus(plan, str(output), engine=engine or Engine(), cache=str(recipe.parent / "cache"), **options)
