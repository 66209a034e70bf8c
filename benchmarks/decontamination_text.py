"""Evaluation items planted in real text, and clean text, for `benchmarks.decontaminate`: every script of the corpus.

Half of the documents of each language are pages; sentences of the other half make the items. An item is planted the
ways that a page of the web changes it. A page is clean that holds no item word for word (real text repeats itself,
also in other languages: messages and manuals that nobody has translated).
"""

import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import xxhash

from pipeline.corpus.passages import normal, rows_with
from pipeline.decontamination.items import Item
from pipeline.text.columns import decode

ITEMS = 20
"""Of each language."""
LETTERS_MIN, LETTERS_MAX = 60, 300
"""Of a question, in Latin letters; a third of that in scripts that say more with one."""
TYPOS = 0.03
"""Share of letters that are mistyped."""
LONG_BYTES = 100_000
EDITION_MIN = 0.75
_PUNCTUATION = str.maketrans(
    {
        ",": "，",
        ".": "。",
        ":": "：",
        ";": "；",
        "?": "？",
        "!": "！",
        '"': "«",
        "'": "’",
        "(": "（",
        ")": "）",
        "-": "—",
    }
)


@dataclass(frozen=True)
class Planted:
    """A page with the item that was planted in it."""

    way: str
    language: str
    item: int
    text: str


def split_halves(batches: list[pa.RecordBatch]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Texts by language: those that items are made of, and the pages."""
    sources: dict[str, list[str]] = {}
    pages: dict[str, list[str]] = {}
    for batch in batches:
        for code, text in zip(decode(batch["language"]).to_pylist(), batch["text"].to_pylist(), strict=True):
            half = sources if xxhash.xxh3_64_intdigest(text.encode(), 5) % 2 else pages
            half.setdefault(code, []).append(text)
    return sources, pages


def make_items(sources: dict[str, list[str]]) -> list[tuple[str, Item]]:
    """Items with their languages: a sentence for the question, the next one for the answer."""
    found = []
    known: set[str] = set()  # text repeats itself, and what two items share is found under the first one's name
    for code, texts in sorted(sources.items()):
        number = 0
        for text in texts:
            lines = [line.strip() for line in text.split("\n") if line.strip()]
            long = [place for place, line in enumerate(lines[:-1]) if _least(code) <= len(line) <= LETTERS_MAX]
            if not long or number == ITEMS:
                continue
            place = long[0]
            if normal(lines[place]) in known:
                continue
            known.add(normal(lines[place]))
            found.append((code, Item(code, f"{number}", lines[place], (lines[place + 1][:LETTERS_MAX],))))
            number += 1
    return found


def _least(code: str) -> int:
    return LETTERS_MIN // (3 if code in ("zh-Hans", "zh-Hant") else 1)


def plant(items: list[tuple[str, Item]], pages: dict[str, list[str]], seed: int = 3) -> Iterator[Planted]:
    """Every item, planted every way in a page of its language."""
    chance = random.Random(seed)
    for number, (code, item) in enumerate(items):
        own = pages.get(code) or ["…"]
        for way, change in WAYS.items():
            page = own[chance.randrange(len(own))]
            if way == "long page":
                while len(page.encode()) < LONG_BYTES:
                    page += "\n" + own[chance.randrange(len(own))]
            lines = page.split("\n")
            place = chance.randrange(len(lines) + 1)
            planted = change(f"{item.question}\n{item.answers[0]}", chance)
            yield Planted(way, code, number, "\n".join([*lines[:place], planted, *lines[place:]]))


def clean_pages(items: list[tuple[str, Item]], pages: dict[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """By language the pages that hold no question and no long answer word for word, of whatever language's items."""
    answers = [(code, answer) for code, item in items for answer in item.answers if len(answer) >= _least(code)]
    watched = [normal(item.question) for _, item in items] + [normal(answer) for _, answer in answers]
    for code, texts in sorted(pages.items()):
        held = set(rows_with(pa.array(texts, pa.large_string()), watched).tolist())
        yield code, [text for row, text in enumerate(texts) if row not in held]


def is_another_edition(item: Item, page: str) -> bool:
    """Whether a page holds an item as a reader would say, by another measure than the one that is judged: `EDITION_MIN`
    of the runs of five letters of the question, or of a long answer."""
    there = _runs(page)
    texts = [item.question, *(answer for answer in item.answers if len(answer) >= LETTERS_MIN)]
    return any(len(_runs(text) & there) >= EDITION_MIN * len(_runs(text)) for text in texts)


def _runs(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in plain if letter.isalnum())
    return {letters[at : at + 5] for at in range(max(len(letters) - 4, 1))}


def mistyped(text: str, chance: random.Random) -> str:
    """The text with letters left out, doubled, swapped or replaced by a neighbour."""
    out: list[str] = []
    letters = list(text)
    for letter in letters:
        if not letter.isalpha() or chance.random() >= TYPOS:
            out.append(letter)
            continue
        kind = chance.randrange(4)
        if kind == 1:
            out += [letter, letter]
        elif kind == 2 and out:
            out.insert(len(out) - 1, letter)
        elif kind == 3:
            out.append(letters[chance.randrange(len(letters))])
    return "".join(out)


def parted(text: str, chance: random.Random) -> str:
    """The text in two or three paragraphs, at spaces or anywhere where there are none."""
    parts = []
    for _ in range(2):
        middle = len(text) // 2 + chance.randrange(-5, 6)
        at = text.rfind(" ", 0, middle) + 1 or middle
        parts.append(text[:at])
        text = text[at:]
    return "\n\n".join([*parts, text])


WAYS: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": lambda text, _: text,
    "lower-cased": lambda text, _: text.lower(),
    "upper-cased": lambda text, _: text.upper(),
    "3% of letters mistyped": mistyped,
    "other punctuation": lambda text, _: text.translate(_PUNCTUATION),
    "split over paragraphs": parted,
    "long page": lambda text, _: text,
}
