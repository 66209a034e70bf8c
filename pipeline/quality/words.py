"""The word lists of `configs/words`: closed-class words and flagged words of each language, and a table of them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np

from configs import CONFIGS
from pipeline.quality.characters import is_special, lower
from pipeline.quality.kernels import CLOSED, FLAGGED, hash_word

Kind = Literal["closed_class", "flagged"]
KINDS: tuple[Kind, ...] = ("closed_class", "flagged")


@cache
def load_words(kind: Kind, code: str) -> frozenset[str]:
    """The words of a list that comes with OpenRoots, as its file has them; empty where there is none.

    Files are `configs/words/KIND/CODE.txt`, UTF-8, a word a line; `#` begins a comment.
    """
    path = CONFIGS / "words" / kind / f"{code}.txt"
    if not path.exists():
        return frozenset()
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def folded(word: str) -> str:
    """A word as texts are compared with it: lower-cased, without special characters at its ends, one space a gap."""
    word = " ".join(lower(word).split())
    first, last = 0, len(word)
    while first < last and is_special(word[first]):
        first += 1
    while last > first and is_special(word[last - 1]):
        last -= 1
    return word[first:last]


@dataclass(frozen=True)
class WordLists:
    """Closed-class and flagged words by language code, folded; picklable."""

    closed_class: Mapping[str, frozenset[str]] = field(default_factory=dict)
    flagged: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, codes: Iterable[str]) -> "WordLists":
        """The lists that come with OpenRoots for the given languages."""
        codes = tuple(codes)
        return cls(*({code: _folded(load_words(kind, code)) for code in codes} for kind in KINDS))

    def digest(self, code: str) -> str:
        """A digest of one language's lists: it changes when a word does."""
        lists = "\0\0".join("\0".join(sorted(words.get(code, ()))) for words in (self.closed_class, self.flagged))
        return hashlib.sha256(lists.encode()).hexdigest()[:16]

    def table(self, code: str) -> tuple[np.ndarray, np.ndarray]:
        """The lists of a language as an open-addressing table: keys uint64 and kinds uint8.

        A power of two of slots, at most a quarter of them taken.
        """
        kinds: dict[int, int] = {}
        for flag, words in ((CLOSED, self.closed_class), (FLAGGED, self.flagged)):
            for word in words.get(code, ()):
                kinds[hash_word(word)] = kinds.get(hash_word(word), 0) | flag
        size = 1 << max(2, (4 * len(kinds)).bit_length())
        keys, flags = np.zeros(size, np.uint64), np.zeros(size, np.uint8)
        for key, kind in sorted(kinds.items()):
            slot = key & (size - 1)
            while flags[slot]:
                slot = (slot + 1) & (size - 1)
            keys[slot], flags[slot] = key, kind
        return keys, flags


def _folded(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in map(folded, words) if word)
