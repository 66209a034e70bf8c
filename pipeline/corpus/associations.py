"""Which words stand near groups of people: co-occurrence as effect sizes with intervals, on a sample.

A mention of a group counts as "with" a set of words if one of them stands within `WINDOW` characters on either side, in
the same document. A group is compared with the others of its theme by the log of the odds ratio: above 0, the words
stand nearer to it than to the others. What texts say *of* people is another matter, and is not measured.
"""

import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import re2

from configs import CONFIGS
from pipeline.corpus.sampled import log_odds, sampled_batches

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
    mentions: dict[str, dict[str, np.ndarray]] = {}
    looked: dict[str, int] = {}
    for language, batch in sampled_batches(corpus, manifest, documents):
        if language not in _words()["languages"]:
            continue
        looked[language] = looked.get(language, 0) + batch.num_rows
        counts = mentions.setdefault(language, {})
        for text in batch["text"].to_pylist():
            _add(counts, text[:CHARACTERS_MAX].casefold(), language)
    rows = [
        {"language": language, **row}
        for language, counts in sorted(mentions.items())
        for theme, groups in _words()["themes"].items()
        for row in _compared(counts, theme, groups)
    ]
    return {"documents": looked, "effects": rows}


def _add(counts: dict[str, np.ndarray], text: str, language: str) -> None:
    """Add, by group, its mentions in a text, and how many of them stand near each set of words; int64 (1 + sets,)."""
    patterns, whole_words = _patterns(language), not language.startswith("zh")
    near = {name: _places(patterns[name], text, whole_words) for name in SETS}
    for name, pattern in patterns.items():
        if name in SETS:
            continue
        at = _places(pattern, text, whole_words)
        total = counts.setdefault(name, np.zeros(1 + len(SETS), np.int64))
        total[0] += len(at)
        for place, words in enumerate(SETS, 1):
            held = near[words]
            if len(at) and len(held):
                first = np.searchsorted(held, at - WINDOW)
                total[place] += int((first < np.searchsorted(held, at + WINDOW, "right")).sum())


def _compared(counts: Mapping[str, np.ndarray], theme: str, groups: Sequence[str]) -> list[dict[str, Any]]:
    nothing = np.zeros(1 + len(SETS), np.int64)
    of = {group: counts.get(group, nothing) for group in groups}
    rows = []
    for group in groups[:1] if len(groups) == 2 else groups:  # of two the second is the first with its sign turned
        mine = of[group]
        others = sum((each for name, each in of.items() if name != group), nothing)
        if min(mine[0], others[0]) < MENTIONS_MIN:
            continue
        for place, words in enumerate(SETS, 1):
            effect, low, high = log_odds(int(mine[place]), int(mine[0]), int(others[place]), int(others[0]))
            named = {"theme": theme, "group": group, "others": [g for g in groups if g != group], "words": words}
            amounts = {"mentions": int(mine[0]), "near": int(mine[place]), "others_mentions": int(others[0])}
            rows.append(
                {**named, **amounts, "others_near": int(others[place]), "effect": effect, "low": low, "high": high}
            )
    return rows
