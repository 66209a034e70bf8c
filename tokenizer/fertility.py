"""How many tokens a language costs: measures of tokenizers on text by language, and how fair they are to each other.

Fertility is tokens per word (Rust et al. 2021, arXiv 2012.15613, section 3); the premium is tokens over those of
English for the same meaning (Petrov et al. 2023, arXiv 2305.15425, section 3). `docs/fertility.md` says what each
measure means.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from configs.errors import ConfigurationError
from configs.load import load_languages
from tokenizer.encoders import Encoded, Encoder, byte_places
from tokenizer.parallel_text import ParallelText, declaration
from tokenizer.samples import LanguageText
from tokenizer.scripts import entries_by_script
from tokenizer.words import is_unspaced, word_spans

FORMAT = 1
ENGLISH = "en"
PREMIUM_LIMIT = 2.0
"""More than twice the tokens of English is what the summary counts as unfair."""


@dataclass(frozen=True)
class Row:
    """One language and one tokenizer. None stands where a measure has no meaning.

    origin                what the measures but the premium were taken on: the corpus, files, or a parallel text
    tokens_per_word       None for text written without spaces
    tokens_per_character  None for text written with spaces
    words_whole           share of words that one token covers, alone or with one white-space character before it
    vocabulary_use        share of the vocabulary's entries that occur in this language's text
    unknown               share of tokens that stand for what the tokenizer cannot write
    lost                  share of bytes that no token of a byte-level tokenizer covers: they vanish
    premium               tokens of the parallel text over those of its English
    parallel              which parallel text
    """

    tokenizer: str
    language: str
    name: str
    origin: str
    bytes: int
    characters: int
    words: int | None
    tokens: int
    tokens_per_word: float | None
    tokens_per_character: float | None
    bytes_per_token: float
    characters_per_token: float
    words_whole: float | None
    vocabulary_use: float
    unknown: float
    lost: float
    premium: float | None
    parallel: str | None

    @property
    def figure(self) -> float:
        """Tokens per word, or a character where the language is written without spaces."""
        return self.tokens_per_character if self.tokens_per_word is None else self.tokens_per_word  # type: ignore[return-value]

    @property
    def unit(self) -> str:
        """What `figure` is counted by."""
        return "character" if self.tokens_per_word is None else "word"


@dataclass(frozen=True)
class Summary:
    """One tokenizer over all languages.

    vocabulary_use  share of entries that occur in any text
    scripts         entries by script
    languages       with a premium; `gini`, `worst`, `spread` (largest over smallest) and `over_limit` are theirs
    losses          why the tokenizer cannot give every text back; empty where it can
    fewest_tokens   languages whose text this tokenizer writes in fewer tokens than any other given; None if it is alone
    """

    tokenizer: str
    kind: str
    entries: int
    vocabulary_use: float
    scripts: dict[str, int]
    languages: int
    gini: float | None
    worst: str | None
    worst_premium: float | None
    spread: float | None
    over_limit: int
    fewest_tokens: int | None
    losses: str = ""


@dataclass(frozen=True)
class Report:
    """All rows, tokenizer by tokenizer in the order given and languages sorted, and a summary of each tokenizer."""

    rows: tuple[Row, ...]
    summaries: tuple[Summary, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without times or paths."""
        return {
            "format": FORMAT,
            "tokenizers": [asdict(summary) for summary in self.summaries],
            "languages": [asdict(row) for row in self.rows],
        }

    def of(self, tokenizer: str) -> list[Row]:
        """Rows of one tokenizer."""
        return [row for row in self.rows if row.tokenizer == tokenizer]

    def failures(self, limits: Mapping[str, float]) -> list[Row]:
        """Rows whose `figure` is above the limit of their language."""
        return [row for row in self.rows if row.figure > limits.get(row.language, np.inf)]


@dataclass(frozen=True)
class WordPlaces:
    """Words of texts: int64 (words,), bytes counted over the UTF-8 of all texts one after another.

    spaced  the begin, or one character earlier where white space stands before the word
    """

    starts: np.ndarray
    ends: np.ndarray
    spaced: np.ndarray


@lru_cache(256)
def word_places(texts: tuple[str, ...]) -> WordPlaces:
    """Where the words of texts are (UAX #29); found once for all tokenizers."""
    parts, base = [], 0
    for text in texts:
        places = byte_places(text) + base
        spans = np.array(word_spans(text), np.int64).reshape(-1, 2)
        before = np.array([begin - (begin > 0 and text[begin - 1].isspace()) for begin in spans[:, 0]], np.int64)
        parts.append((places[spans[:, 0]], places[spans[:, 1]], places[before]))
        base = int(places[-1])
    return WordPlaces(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def count_whole(words: WordPlaces, encoded: Encoded) -> int:
    """Words that are one token, which holds nothing else but at most one white-space character before the word."""
    order = np.argsort(encoded.ends, kind="stable")
    ends = encoded.ends[order]
    first, last = np.searchsorted(ends, words.ends, "left"), np.searchsorted(ends, words.ends, "right")
    alone = last - first == 1
    begins = encoded.starts[order][first[alone]]
    return int(np.count_nonzero((begins == words.starts[alone]) | (begins == words.spaced[alone])))


def measure(
    encoder: Encoder, text: LanguageText, parallel: ParallelText | None = None, known: dict[str, int] | None = None
) -> tuple[Row, np.ndarray]:
    """The row of one language and tokenizer, and the ids that occur, each once. For `known` see `premium`."""
    languages = load_languages()
    entry = languages.natural.get(text.language)
    encoded = encoder.encode(text.texts)
    tokens = max(len(encoded), 1)
    characters = sum(map(len, text.texts))
    size = sum(len(one.encode()) for one in text.texts)
    used = np.unique(encoded.ids)
    words = None
    if not ((entry is not None and entry.unspaced) or is_unspaced("\n".join(text.texts))):
        words = word_places(text.texts)
    count = None if words is None else len(words.starts)
    row = Row(
        tokenizer=encoder.name,
        language=text.language,
        name=languages.name(text.language) if text.language != "und" else "Undetermined",
        origin=text.origin,
        bytes=size,
        characters=characters,
        words=count,
        tokens=len(encoded),
        tokens_per_word=len(encoded) / count if count else None,
        tokens_per_character=None if count else len(encoded) / characters,
        bytes_per_token=size / tokens,
        characters_per_token=characters / tokens,
        words_whole=count_whole(words, encoded) / count if words is not None and count else None,
        vocabulary_use=len(used) / encoder.size,
        unknown=float(np.count_nonzero(encoded.ids == encoder.unknown_id)) / tokens
        if encoder.unknown_id is not None
        else 0,
        lost=1 - covered(encoded) / max(1, size) if encoder.kind == "byte-level BPE" and encoder.losses else 0,
        premium=premium(encoder, parallel, known) if parallel else None,
        parallel=parallel.origin if parallel else None,
    )
    return row, used


def covered(encoded: Encoded) -> int:
    """Bytes of the texts that some token covers."""
    order = np.argsort(encoded.starts, kind="stable")
    ends = np.maximum.accumulate(encoded.ends[order]) if len(order) else encoded.ends
    before = np.concatenate([[0], ends[:-1]])
    return int(np.maximum(ends - np.maximum(encoded.starts[order], before), 0).sum())


def premium(encoder: Encoder, parallel: ParallelText, known: dict[str, int] | None = None) -> float | None:
    """Tokens of a parallel text over those of its English; a text with two translations counts its English twice.

    known  tokens of texts that this encoder was given before, to which those of these are added: all languages share
           their English
    """
    known = {} if known is None else known
    new = [text for text in dict.fromkeys(text for pair in parallel.pairs for text in pair) if text not in known]
    known.update(zip(new, np.diff(encoder.encode(new).borders).tolist(), strict=True))
    ours, english = (sum(known[pair[side]] for pair in parallel.pairs) for side in (0, 1))
    return ours / english if english else None


def measure_all(
    encoders: Sequence[Encoder], texts: Sequence[LanguageText], parallel: Mapping[str, ParallelText]
) -> Report:
    """Rows of every tokenizer and language, with summaries. Raises ConfigurationError where there is no tokenizer."""
    if not encoders:
        raise ConfigurationError("give at least one tokenizer")
    rows: list[Row] = []
    seen: dict[str, np.ndarray] = {}
    for encoder in encoders:
        known: dict[str, int] = {}
        measured = [measure(encoder, text, parallel.get(text.language), known) for text in texts]
        rows += [row for row, _ in measured]
        seen[encoder.name] = np.unique(np.concatenate([used for _, used in measured]))
    summaries = [_summary(encoder, rows, len(seen[encoder.name])) for encoder in encoders]
    return Report(tuple(rows), tuple(summaries))


def on_declaration(encoder: Encoder) -> list[dict[str, Any]]:
    """Rows for a tokenizer's card, by language: measures on the Universal Declaration, to four digits."""
    names = ("tokens_per_word", "tokens_per_character", "bytes_per_token", "premium")
    rows, known = [], dict[str, int]()
    for code, parallel in sorted(declaration().items()):
        row, _ = measure(encoder, LanguageText(code, parallel.origin, parallel.texts), parallel, known)
        values = {name: getattr(row, name) for name in names}
        rows.append({"language": code} | {n: None if v is None else round(v, 4) for n, v in values.items()})
    return rows


def _summary(encoder: Encoder, rows: Sequence[Row], seen: int) -> Summary:
    own = [row for row in rows if row.tokenizer == encoder.name]
    premiums = {row.language: row.premium for row in own if row.premium is not None}
    worst = max(premiums, key=lambda code: (premiums[code], code)) if premiums else None
    return Summary(
        tokenizer=encoder.name,
        kind=encoder.kind,
        entries=encoder.size,
        vocabulary_use=seen / encoder.size,
        scripts=entries_by_script(encoder.entries()),
        languages=len(premiums),
        gini=gini(premiums.values()) if premiums else None,
        worst=worst,
        worst_premium=premiums[worst] if worst else None,
        spread=max(premiums.values()) / min(premiums.values()) if premiums and min(premiums.values()) else None,
        over_limit=sum(value > PREMIUM_LIMIT for value in premiums.values()),
        fewest_tokens=_fewest(encoder.name, rows),
        losses=encoder.losses,
    )


def _fewest(name: str, rows: Sequence[Row]) -> int | None:
    others: dict[str, int] = {}
    for row in rows:
        if row.tokenizer != name:
            others[row.language] = min(row.tokens, others.get(row.language, row.tokens))
    if not others:
        return None
    return sum(row.tokens < others[row.language] for row in rows if row.tokenizer == name)


def gini(values: Iterable[float]) -> float:
    """Gini coefficient of positive values: 0 where all are equal, towards 1 where one has everything.

    Half the mean difference of two values, over their mean.
    """
    ordered = np.sort(np.fromiter(values, float))
    count = len(ordered)
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return float((ranks * ordered).sum() / (count * ordered.sum()))
