"""Junk made from good text by stated recipes: what thresholds are checked against, in any language.

repeated-lines     one to three sentences over and over, 8 to 40 lines
menu               entries of one to three words, 15 to 60 of them, a line each or parted by bars
number-table       10 to 40 rows of 4 to 9 numbers, half of the tables with a word before each row
scrap              four words of a sentence
letters-in-words   the letters of each word in another order
letters-anywhere   all letters and marks of the text in another order, its spaces where they were
"""

import random
import unicodedata
from collections.abc import Callable, Sequence

SENTENCES = 15
"""Of a document that letters are shuffled in."""
WORD_LETTERS = (1, 2, 2, 2, 3)
"""How long words are taken to be where none are marked by spaces."""

Make = Callable[[Sequence[str], bool, random.Random], str]


def make_junk(sentences: Sequence[str], unspaced: bool, each: int = 100, seed: int = 0) -> dict[str, list[str]]:
    """Recipe → `each` texts made from sentences (or lines, or paragraphs) of good text. The same input, the same junk.

    unspaced: of a language written without spaces between words.
    """
    made: dict[str, list[str]] = {}
    for name, make in RECIPES.items():
        generator = random.Random(f"{seed} {name}")
        made[name] = [make(sentences, unspaced, generator) for _ in range(each)] if sentences else []
    return made


def _words(text: str, unspaced: bool, generator: random.Random) -> list[str]:
    if not unspaced:
        return text.split()
    letters, words = "".join(text.split()), []
    while letters:
        length = generator.choice(WORD_LETTERS)
        words.append(letters[:length])
        letters = letters[length:]
    return words


def _some_words(sentences: Sequence[str], unspaced: bool, generator: random.Random, most: int) -> str:
    words = _words(generator.choice(sentences), unspaced, generator)
    count = min(len(words), generator.randint(1, most))
    return ("" if unspaced else " ").join(generator.sample(words, count))


def _repeated_lines(sentences: Sequence[str], unspaced: bool, generator: random.Random) -> str:
    lines = generator.sample(list(sentences), min(len(sentences), generator.randint(1, 3)))
    return "\n".join(lines * generator.randint(8, 14))


def _menu(sentences: Sequence[str], unspaced: bool, generator: random.Random) -> str:
    entries = [_some_words(sentences, unspaced, generator, 3) for _ in range(generator.randint(15, 60))]
    return generator.choice(("\n", "\n", " | ")).join(entry[:1].upper() + entry[1:] for entry in entries)


def _number_table(sentences: Sequence[str], unspaced: bool, generator: random.Random) -> str:
    columns, labelled, rows = generator.randint(4, 9), generator.random() < 0.5, []
    for _ in range(generator.randint(10, 40)):
        row = [_some_words(sentences, unspaced, generator, 1)] if labelled else []
        for _ in range(columns):
            row.append(generator.choice((f"{generator.randrange(100_000):,}", f"{generator.random() * 1000:.2f}")))
        rows.append("\t".join(row))
    return "\n".join(rows)


def _scrap(sentences: Sequence[str], unspaced: bool, generator: random.Random) -> str:
    words = _words(generator.choice(sentences), unspaced, generator)
    first = generator.randint(0, max(0, len(words) - 4))
    return ("" if unspaced else " ").join(words[first : first + 4])


def _document(sentences: Sequence[str], generator: random.Random) -> str:
    return "\n".join(generator.sample(list(sentences), min(len(sentences), SENTENCES)))


def _letters_in_words(sentences: Sequence[str], unspaced: bool, generator: random.Random) -> str:
    shuffled: list[str] = []
    run: list[str] = []
    for character in _document(sentences, generator) + " ":
        if unicodedata.category(character)[0] in "LM":
            run.append(character)
            continue
        generator.shuffle(run)
        shuffled += [*run, character]
        run = []
    return "".join(shuffled)[:-1]


def _letters_anywhere(sentences: Sequence[str], unspaced: bool, generator: random.Random) -> str:
    text = _document(sentences, generator)
    letters = [character for character in text if not character.isspace()]
    generator.shuffle(letters)
    return "".join(character if character.isspace() else letters.pop() for character in text)


RECIPES: dict[str, Make] = {
    "repeated-lines": _repeated_lines,
    "menu": _menu,
    "number-table": _number_table,
    "scrap": _scrap,
    "letters-in-words": _letters_in_words,
    "letters-anywhere": _letters_anywhere,
}
