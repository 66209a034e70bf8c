"""Which words stand near groups of people: co-occurrence as effect sizes with intervals, on a sample.

A mention of a group counts as "with" a set of words if one of them stands within `WINDOW` characters on either side, in
the same document. A group is compared with the others of its theme by the log of the odds ratio: above 0, the words
stand nearer to it than to the others. What texts say *of* people is another matter, and is not measured.

Mentions within a document are alike, so documents are what the interval takes for independent (the linearised variance
of a ratio under cluster sampling: Cochran, Sampling Techniques, 3rd edition, section 9A). It is
never narrower than that of independent mentions.
"""

import math
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import re2

from configs import CONFIGS
from pipeline.corpus.sampled import Z, log_odds, sampled_batches

WINDOW = 60
"""Characters, about ten words."""
MENTIONS_MIN = 30
"""Of both sides of a comparison; with fewer, none is made."""
CHARACTERS_MAX = 100_000
SETS = ("occupation", "family", "positive", "negative")


@cache
def _words() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((CONFIGS / "associations.toml").read_text("utf-8"))
    return found


@cache
def _patterns(language: str) -> dict[str, Any]:
    """By group or set of words, what finds it in case-folded text where a word begins."""
    start = "" if language.startswith("zh") else r"(?:^|[^\pL\pM])"
    return {
        name: re2.compile(start + "(" + "|".join(sorted(words, key=len, reverse=True)) + ")")
        for name, words in _words()["languages"][language].items()
    }


def _places(pattern: Any, text: str, whole_words: bool) -> np.ndarray:
    """Where words stand in a text, characters, int64."""
    found = pattern.finditer(text)
    return np.array([m.start(1) for m in found if not whole_words or _ends(text, m.end(1))], np.int64)


def _ends(text: str, at: int) -> bool:
    """Whether a word ends here: neither a letter nor a mark goes on."""
    return at >= len(text) or unicodedata.category(text[at])[0] not in "LM"


def languages() -> tuple[str, ...]:
    """Codes of languages that have lists of words."""
    return tuple(_words()["languages"])


def associations(corpus: str, manifest: dict[str, Any], documents: int) -> dict[str, Any]:
    """By language, theme, group and set of words: mentions of the group and of the others, how many of each stand near
    such words, and the effect with its interval of 95 %. Languages and groups without mentions enough are left out."""
    mentions: dict[str, Mentions] = {}
    looked: dict[str, int] = {}
    for language, batch in sampled_batches(corpus, manifest, documents):
        if language not in _words()["languages"]:
            continue
        looked[language] = looked.get(language, 0) + batch.num_rows
        counts = mentions.setdefault(language, Mentions.of(language))
        for text in batch["text"].to_pylist():
            counts.add(_counted(text[:CHARACTERS_MAX].casefold(), language))
    rows = [
        {"language": language, **row}
        for language, counts in sorted(mentions.items())
        for theme, groups in _words()["themes"].items()
        for row in _compared(counts, theme, groups)
    ]
    return {"documents": looked, "effects": rows}


@dataclass
class Mentions:
    """What documents of a language hold: a row a group, of its mentions and how many of them stand near each set of
    words; `counts` float64 (groups, 1 + sets) is their sum, `products` (the same twice) the sum of their products."""

    groups: tuple[str, ...]
    documents: int = 0
    counts: np.ndarray = field(init=False)
    products: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.groups) * (1 + len(SETS))
        self.counts = np.zeros((len(self.groups), 1 + len(SETS)))
        self.products = np.zeros((size, size))

    @classmethod
    def of(cls, language: str) -> "Mentions":
        """None yet, of the groups that a language has words for."""
        return cls(tuple(name for name in _words()["languages"][language] if name not in SETS))

    def add(self, counted: Mapping[str, np.ndarray]) -> None:
        """Add a document: by group, int64 (1 + sets,)."""
        self.documents += 1
        held = [place for place, name in enumerate(self.groups) if name in counted and counted[name][0]]
        if held:
            rows = np.array([counted[self.groups[place]] for place in held], np.float64)
            self.counts[held] += rows
            where = (np.array(held)[:, None] * (1 + len(SETS)) + np.arange(1 + len(SETS))).ravel()
            self.products[np.ix_(where, where)] += np.outer(rows.ravel(), rows.ravel())

    def clustered_error(self, mine: Sequence[int], others: Sequence[int], words: int) -> float:
        """The standard error of the log odds ratio of two sets of groups (rows) beside a set of words (column)."""
        weights = np.zeros_like(self.counts)
        for rows, sign in ((mine, 1.0), (others, -1.0)):
            total, near = self.counts[rows, 0].sum(), self.counts[rows, words].sum()
            share = (near + 0.5) / (total + 1)
            weights[rows, words] = sign / (total * share * (1 - share))
            weights[rows, 0] = -share * weights[rows, words]
        flat = weights.ravel()
        variance = float(flat @ self.products @ flat)
        return math.sqrt(max(variance, 0.0) * self.documents / max(self.documents - 1, 1))


def _counted(text: str, language: str) -> dict[str, np.ndarray]:
    """By group, its mentions in a text, and how many of them stand near each set of words; int64 (1 + sets,)."""
    patterns, whole_words = _patterns(language), not language.startswith("zh")
    counts: dict[str, np.ndarray] = {}
    near = {name: _places(patterns[name], text, whole_words) for name in SETS}
    for name, pattern in patterns.items():
        if name in SETS:
            continue
        at = _places(pattern, text, whole_words)
        counts[name] = total = np.zeros(1 + len(SETS), np.int64)
        total[0] = len(at)
        for place, words in enumerate(SETS, 1):
            held = near[words]
            if len(at) and len(held):
                first = np.searchsorted(held, at - WINDOW)
                total[place] = int((first < np.searchsorted(held, at + WINDOW, "right")).sum())
    return counts


def _compared(mentions: Mentions, theme: str, groups: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    places = {name: place for place, name in enumerate(mentions.groups) if name in groups}
    for group in groups[:1] if len(groups) == 2 else groups:  # of two the second is the first with its sign turned
        own, rest = [places[group]], [place for name, place in places.items() if name != group]
        mine, others = mentions.counts[own[0]], mentions.counts[rest].sum(axis=0)
        if min(mine[0], others[0]) < MENTIONS_MIN:
            continue
        for place, words in enumerate(SETS, 1):
            effect, low, high = log_odds(int(mine[place]), int(mine[0]), int(others[place]), int(others[0]))
            half = max(high - effect, Z * mentions.clustered_error(own, rest, place))
            low, high = effect - half, effect + half
            named = {"theme": theme, "group": group, "others": [g for g in groups if g != group], "words": words}
            amounts = {"mentions": int(mine[0]), "near": int(mine[place]), "others_mentions": int(others[0])}
            rows.append(
                {**named, **amounts, "others_near": int(others[place]), "effect": effect, "low": low, "high": high}
            )
    return rows
