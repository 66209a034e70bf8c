"""What the filters keep of text in other forms than prose: `python -m benchmarks.forms FOLDER [--work DIR]`.

FOLDER has a file LANGUAGE.txt for each language, a sentence a line, of text that no threshold was chosen on. Its
sentences are made into verse, lists, glossaries and pages half in another script, and into junk that these must be told
from; menus are of MediaWiki's messages too (Debian package `mediawiki`, fetched to DIR). Languages are declared; only
the filters and the language stage count. Prints the share of documents that is kept, by form and group of scripts.
"""

import argparse
import html
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.filters import ours
from benchmarks.language_id_text import _deb, _mediawiki
from configs.load import UNSPACED_QUALITY, load_languages, quality_default
from configs.models import Language, Languages, Quality, QualityParameters
from pipeline.quality.characters import CLAUSE_ENDS, is_special
from pipeline.quality.junk import make_junk
from pipeline.text.scripts import scripts_of

EACH = 12
"""Documents of a form and language."""
OTHERS = {"ja": "Jpan", "ko": "Kore", "ru": "Cyrl"}
"""Languages that OpenRoots does not know, with their scripts."""
GROUPS = {"Latn": "Latin", "Arab": "Arabic", "Hans": "Chinese", "Hant": "Chinese", "Jpan": "Japanese"}
BESIDE = ("ar", "en", "hi", "ja", "ko", "ru", "ta", "zh-Hans")
"""Languages that the other half of a page is in."""
MENU_CHARACTERS = 30
_NO_ENTRY = re.compile(r"[$%{}<>\[\]|=#/\\&\d]")


@dataclass(frozen=True)
class Text:
    """Sentences of one language, as words: a character is half a word where words are not spaced."""

    code: str
    sentences: list[str]
    unspaced: bool
    generator: random.Random

    def some(self, count: int) -> list[str]:
        """Sentences without the mark at their ends."""
        chosen = self.generator.sample(self.sentences, min(count, len(self.sentences)))
        return [each for each in (_bare(sentence) for sentence in chosen) if each]

    def words(self, sentence: str) -> list[str]:
        """What a sentence consists of, to be joined again by `joined`."""
        if not self.unspaced:
            return sentence.split()
        letters = "".join(letter for letter in sentence if not is_special(letter))
        return [letters[place : place + 2] for place in range(0, len(letters), 2)]

    def joined(self, words: Sequence[str]) -> str:
        """Words as they are written, no mark at the end."""
        return _bare(("" if self.unspaced else " ").join(words))

    def cut(self, count: int, sizes: Sequence[int]) -> list[str]:
        """Sentences cut into lines of so many words."""
        lines = []
        for sentence in self.some(count):
            words = self.words(sentence)
            while words:
                size = self.generator.choice(sizes)
                lines.append(self.joined(words[:size]))
                words = words[size:]
        return [line for line in lines if line]

    def starts(self, count: int, fewest: int, most: int) -> list[str]:
        """The first words of sentences."""
        return [self.joined(self.words(each)[: self.generator.randint(fewest, most)]) for each in self.some(count)]


def _bare(text: str) -> str:
    return text.rstrip(CLAUSE_ENDS + " \"'”»」)")


def forms(text: Text, others: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Form → a document of text that is to be kept. `others`: sentences in other scripts."""
    generator = text.generator
    for _ in range(EACH):
        yield "prose, 15 sentences", " ".join(generator.sample(text.sentences, min(15, len(text.sentences))))
        yield "verse, lines of 4 words", "\n".join(text.cut(6, (4,)))
        yield "verse, lines of 3 or 4 words", "\n".join(text.cut(6, (3, 4)))
        yield "verse, lines of 3 to 6 words", "\n".join(text.cut(6, (3, 4, 5, 6)))
        refrain = text.cut(1, (3, 4, 5))
        yield "hymn with a refrain", "\n".join("\n".join(text.cut(2, (3, 4, 5)) + refrain) for _ in range(4))
        yield "list, 2 to 5 words", "\n".join(text.starts(25, 2, 5))
        words = [text.words(sentence)[-1] for sentence in text.some(20)]
        yield "glossary", "\n".join(f"{a} – {b}" for a, b in zip(words, text.starts(20, 2, 5), strict=False))
        yield "table, cells of 2 to 6 words", "\n".join("\t".join(text.starts(3, 2, 6)) for _ in range(10))
        mine = generator.sample(text.sentences, 10)
        beside = generator.choice(list(others.values()))
        page = [line for pair in zip(mine, generator.sample(beside, 10), strict=True) for line in pair]
        yield "half in another script", "\n".join(page)


def junk(text: Text, others: dict[str, list[str]], entries: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Form → a document that is to be dropped. `entries`: short messages of programs."""
    generator = text.generator
    made = make_junk(text.sentences, text.unspaced, EACH)
    yield from (("menu of 1 to 3 words", each) for each in made["menu"])
    shuffled = make_junk(generator.sample(text.sentences, 10), text.unspaced, EACH)["letters-anywhere"]
    beside = generator.choice(list(others.values()))
    for each in shuffled:
        yield "shuffled letters, half in another script", each + "\n" + "\n".join(generator.sample(beside, 10))
        keys = [generator.choice(text.words(sentence)) for sentence in text.some(24)]
        phrases = (text.joined(generator.sample(keys, generator.randint(3, 4))) for _ in range(45))
        yield "keywords in phrases of 3 or 4", "\n".join(phrases)
        yield "tag cloud", "\n".join(generator.choice(keys) for _ in range(40))
        for name, most in (("menu of messages, all", 1000), ("menu of messages, short", MENU_CHARACTERS)):
            chosen = [entry for entry in entries if len(entry) <= most]
            if len(chosen) >= 50:
                size = generator.randint(15, 50)
                yield name, generator.choice(("\n", "\n", " | ")).join(generator.sample(chosen, size))


def messages(folder: Path) -> dict[str, list[str]]:
    """Language → MediaWiki's messages of 45 characters at most without a mark at the end, placeholder or number."""
    found: dict[str, set[str]] = defaultdict(set)
    for code, text in _mediawiki(_deb(folder, "mediawiki")):
        text = html.unescape(text).strip()
        if 1 < len(text) <= 45 and text == _bare(text) and not _NO_ENTRY.search(text):
            found[code].add(text)
    return {code: sorted(texts) for code, texts in found.items()}


def _languages() -> Languages:
    """Those that OpenRoots knows, and OTHERS as a recipe would add them."""
    known = load_languages()
    natural = dict(known.natural)
    for code, script in OTHERS.items():
        unspaced = script == "Jpan"
        quality = QualityParameters.model_validate(quality_default() | (UNSPACED_QUALITY if unspaced else {}))
        natural[code] = Language(
            code=code, name=code, iso639_3="und", script=script, roots_bytes=0, lid_labels=(code,), quality=quality,
            unspaced=unspaced,
        )  # fmt: skip
    return known.model_copy(update={"natural": natural})


def _normal(path: Path) -> str:
    return unicodedata.normalize("NFC", path.read_text(encoding="utf-8"))


def measure(folder: Path, work: Path) -> dict[str, dict[str, float]]:
    """Form → group of scripts → share of documents that is kept, and `junk: ` forms that should not be."""
    languages = _languages()
    judge = ours(languages, Quality())
    texts = {
        path.stem: [line.strip() for line in _normal(path).split("\n") if line.strip()]
        for path in sorted(folder.glob("*.txt"))
        if path.stem in languages.natural
    }
    entries = messages(work)
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for code, sentences in texts.items():
        language = languages.natural[code]
        unspaced = language.quality.segment_words_with_sentencepiece
        text = Text(code, sentences, unspaced, random.Random(code))
        own = set(scripts_of(language.script))
        beside = {
            other: texts[other]
            for other in BESIDE
            if other in texts and own.isdisjoint(scripts_of(languages.natural[other].script))
        }
        documents: dict[str, list[str]] = defaultdict(list)
        for form, document in forms(text, beside):
            documents[form].append(document)
        for form, document in junk(text, beside, entries.get(code, [])):
            if "letters" not in form or language.quality.letter_order_min is not None:
                documents[f"junk: {form}"].append(document)
        group = GROUPS.get(language.script, "Korean, Russian" if code in OTHERS else "Indic")
        for form, made in documents.items():
            shares[form][group].append(1 - judge(made, code))
    return {form: {group: sum(each) / len(each) for group, each in by.items()} for form, by in shares.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with LANGUAGE.txt, a sentence a line")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "filters", help="folder for packages")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    found = measure(given.folder, given.work)
    groups = sorted({group for by in found.values() for group in by})
    print(f"| kept of | {' | '.join(groups)} |\n|---|{'--:|' * len(groups)}")
    for form, by in found.items():
        cells = [f"{by[group]:.1%}" if group in by else "–" for group in groups]
        print(f"| {form} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
