"""Our own tasks, the same for every language: from text that says the same in all of them, and comes with OpenRoots.

bits         bits per byte and per character, and bits of a sentence over those of the same sentence in English
language-id  which language is this line in
cloze        how does this line end
translation  which line says the same as this English one

The text is the Universal Declaration (44 languages with LibreOffice's messages for Assamese and Odia): every crawl
holds it, and so does the recipe `tiny`. The figures compare languages and models, not what a model can do.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

from configs.load import load_languages
from tokenizer.parallel_text import ParallelText, parallel_texts
from trainer.evaluation.choices import CHUNK, ChoiceItem
from trainer.evaluation.scorer import Likelihood, TextScorer
from trainer.evaluation.statistics import Interval, ratio, statistic

ENGLISH = "en"
CHOICES = 4
LINES_MAX = 60
"""Of a language: enough for the mean, few enough for a model on a laptop."""
LINE_CHARACTERS_MIN = 20
LINE_CHARACTERS_MAX = 400
_CONTEXT_MIN = 8
_LN2 = float(np.log(2))


@dataclass(frozen=True)
class Bits:
    """What a language costs a model.

    per_byte, per_character  bits; of all its lines
    meaning                  bits over those of English, for the same lines
    tokens                   tokens over those of English: the tokenizer's part
    token                    bits of a token over those of an English one: the model's part; meaning = tokens × token
    items                    lines
    """

    language: str
    items: int
    per_byte: Interval
    per_character: Interval
    meaning: Interval
    tokens: Interval
    token: Interval


def lines_of(text: ParallelText) -> list[tuple[str, str]]:
    """Lines with the English ones of the same meaning, those too short to say much left out, some of many."""
    pairs = []
    for own, english in text.pairs:
        left, right = own.split("\n"), english.split("\n")
        if len(left) == len(right):
            pairs += [(a.strip(), b.strip()) for a, b in zip(left, right, strict=True)]
    short = LINE_CHARACTERS_MIN if text.language not in ("zh-Hans", "zh-Hant") else LINE_CHARACTERS_MIN // 3
    fit = [
        (own, english)
        for own, english in dict.fromkeys(pairs)
        if short <= len(own)
        and len(english) >= LINE_CHARACTERS_MIN
        and max(len(own), len(english)) <= LINE_CHARACTERS_MAX
    ]
    fit.sort(key=lambda pair: _order(pair[1]))
    return fit[:LINES_MAX]


def chosen(languages: Sequence[str] | None) -> dict[str, ParallelText]:
    """Parallel texts of the languages asked for; all without."""
    return {code: text for code, text in sorted(parallel_texts().items()) if not languages or code in languages}


def bits(
    scorer: TextScorer,
    languages: Sequence[str] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Bits]:
    """Bits of every language, English first."""
    texts = chosen(languages)
    pairs = {code: lines_of(text) for code, text in texts.items()}
    wanted = list(dict.fromkeys(line for lines in pairs.values() for pair in lines for line in pair))
    known: dict[str, Likelihood] = {}
    for begin in range(0, len(wanted), CHUNK):
        part = wanted[begin : begin + CHUNK]
        known |= zip(part, scorer.texts(part), strict=True)
        on_progress(len(known), len(wanted))
    found = [
        _bits(code, [(known[own], known[english], len(own)) for own, english in lines])
        for code, lines in pairs.items()
        if lines
    ]
    return sorted(found, key=lambda one: (one.language != ENGLISH, one.language))


def _bits(language: str, rows: Sequence[tuple[Likelihood, Likelihood, int]]) -> Bits:
    own = np.array([-one.nats / _LN2 for one, _, _ in rows])
    english = np.array([-one.nats / _LN2 for _, one, _ in rows])
    tokens = np.array([one.tokens for one, _, _ in rows], np.float64)
    english_tokens = np.array([one.tokens for _, one, _ in rows], np.float64)
    sizes, characters = np.array([one.bytes for one, _, _ in rows]), np.array([length for _, _, length in rows])
    return Bits(
        language,
        len(rows),
        ratio(own, sizes),
        ratio(own, characters),
        ratio(own, english),
        ratio(tokens, english_tokens),
        statistic(np.stack([own, english_tokens, tokens, english], axis=1), _bits_of_a_token),
    )


def _bits_of_a_token(sums: np.ndarray) -> np.ndarray:
    own, english_tokens, tokens, english = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return own * english_tokens / (tokens * english)


def items(task: str, languages: Sequence[str] | None = None) -> list[ChoiceItem]:
    """Items of `language-id`, `cloze` or `translation`."""
    make = {"language-id": _identify, "cloze": _cloze, "translation": _translate}[task]
    texts = chosen(languages)
    lines = {code: lines_of(text) for code, text in texts.items()}
    return [item for code in lines for item in make(code, lines)]


def _identify(code: str, lines: dict[str, list[tuple[str, str]]]) -> Iterator[ChoiceItem]:
    names = load_languages()
    others = [other for other in parallel_texts() if other != code]
    for number, (own, _) in enumerate(lines[code]):
        wrong = _drawn(others, own, CHOICES - 1)
        yield _item(f"language-id {code} {number}", code, f"{own}\nThis text is in", names.name(code),
                    [names.name(other) for other in wrong], own)  # fmt: skip


def _cloze(code: str, lines: dict[str, list[tuple[str, str]]]) -> Iterator[ChoiceItem]:
    ends = {own: _end(own) for own, _ in lines[code]}
    for number, (own, (context, end)) in enumerate(ends.items()):
        if len(context) < _CONTEXT_MIN:
            continue
        wrong = _drawn(sorted({other for _, other in ends.values()} - {end}), own, CHOICES - 1)
        if len(wrong) == CHOICES - 1:
            yield _item(f"cloze {code} {number}", code, context, end, wrong, own)


def _end(line: str) -> tuple[str, str]:
    """A line without its last word, and that; its last quarter where there are no spaces."""
    context, space, end = line.rpartition(" ")
    if space and len(context) >= len(line) // 2:
        return context, end
    at = len(line) - max(2, len(line) // 4)
    return line[:at], line[at:]


def _translate(code: str, lines: dict[str, list[tuple[str, str]]]) -> Iterator[ChoiceItem]:
    if code == ENGLISH:
        return
    name = load_languages().name(code)
    all_own = sorted({own for own, _ in lines[code]})
    for number, (own, english) in enumerate(lines[code]):
        near = sorted((other for other in all_own if other != own), key=lambda other: abs(len(other) - len(own)))
        wrong = _drawn(near[: 4 * CHOICES], own, CHOICES - 1)
        if len(wrong) == CHOICES - 1:
            yield _item(f"translation {code} {number}", code, f"English: {english}\n{name}:", own, wrong, own)


def _item(key: str, code: str, context: str, right: str, wrong: Sequence[str], salt: str) -> ChoiceItem:
    options = sorted([right, *wrong], key=lambda option: _order(salt + "\0" + option))
    return ChoiceItem(key, code, context, tuple(options), options.index(right))


def _drawn(options: Sequence[str], salt: str, count: int) -> list[str]:
    return sorted(options, key=lambda option: _order(f"{salt}\1{option}"))[:count]


def _order(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "replace"), 11)
