"""Thresholds of one language from evidence: how a measure lies on good text, and on junk made of it.

A threshold is put between good text and the nearest kind of junk that the measure can tell from it, a quarter of the
way from the junk: text of another kind than the one measured lies nearer to junk, and losing good text is the graver
fault. Good text ends at the value that GOOD_LOST of it lies beyond; junk begins at the value that CAUGHT of a kind lies
beyond. Where they overlap for every kind, or where there is too little good text, the threshold is not applied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from configs.models import Languages, Quality
from pipeline.quality.decision import TEXT_THRESHOLDS
from pipeline.quality.junk import make_junk
from pipeline.quality.letters import LetterModel, LetterModels, make_model
from pipeline.quality.measures import Measures
from pipeline.quality.words import WordLists

GOOD_LOST = 0.005
CAUGHT = 0.95
FROM_JUNK = 0.25
FOLDS = 4
DOCUMENT = 15
"""Sentences of a document that is made for measuring."""
WORDS_MIN, CHARACTERS_MIN = 6, 12
"""A shorter sentence is no document; characters count where words are not spaced."""
GOOD_MIN = 40
"""Fewer good texts say too little of where good text ends."""

CALIBRATED = (
    "character_repetition_max", "word_repetition_max", "special_characters_max", "running_text_min",
    "letter_order_min", "closed_class_words_min",
)  # fmt: skip
"""Thresholds that are found; `words_min` is what keeps four words out, the others no good text can show."""

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Evidence:
    """What is known of one threshold of a language.

    value       the threshold; None where it is not applied, and `why` says why not
    good        good texts measured; `lost` the share of them that the threshold drops
    caught      kind of junk → share that it drops
    """

    threshold: str
    value: float | None
    good: int
    lost: float
    caught: dict[str, float]
    why: str = ""


def measured(
    texts: Sequence[str], code: str, languages: Languages, quality: Quality, letters: LetterModels | None = None
) -> Values:
    """All measures of texts in one language: name → float64 (n,), NaN where a measure is null.

    letters: in place of the letter models that the languages name.
    """
    measures = Measures(languages, quality, WordLists.load([code]), letters)
    columns = measures(pa.array(texts, pa.large_string()), pa.array([code] * len(texts)))
    return {
        name: column.cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)
        for name, column in columns.items()
    }


def good_texts(sentences: Sequence[str], unspaced: bool) -> list[str]:
    """What good text is measured by: its sentences, those that are long enough, and documents of fifteen of them."""
    alone = [
        text for text in sentences if (len(text) >= CHARACTERS_MIN if unspaced else len(text.split()) >= WORDS_MIN)
    ]
    step = max(1, min(DOCUMENT, len(sentences) // 60))
    space = "" if unspaced else " "
    documents = [
        ("\n" if number % 2 else space).join(sentences[start : start + DOCUMENT])
        for number, start in enumerate(range(0, len(sentences) - DOCUMENT + 1, step))
    ]
    return alone + documents


def learnt_and_measured(
    sentences: Sequence[str], code: str, languages: Languages, quality: Quality
) -> tuple[LetterModel, Values, dict[str, Values]]:
    """A letter model of sentences, and the measures of good text and junk made of them (see `calibrate`).

    The model that measures a sentence was made without it: the sentences are measured in FOLDS parts, each by a model
    of the others. The model that is returned is of all of them.
    """
    unspaced = languages.natural[code].quality.segment_words_with_sentencepiece
    good: list[Values] = []
    junk: dict[str, list[Values]] = {}
    for fold in range(FOLDS):
        mine = list(sentences[fold::FOLDS])
        others = [(text, 1) for number, text in enumerate(sentences) if number % FOLDS != fold]
        letters = LetterModels({code: make_model(others)})
        if texts := good_texts(mine, unspaced):
            good.append(measured(texts, code, languages, quality, letters))
        for kind, made in make_junk(mine, unspaced, 25, fold).items():
            if made:
                junk.setdefault(kind, []).append(measured(made, code, languages, quality, letters))
    return make_model((text, 1) for text in sentences), _joined(good), {k: _joined(v) for k, v in junk.items()}


def _joined(parts: Sequence[Values]) -> Values:
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def calibrate(good: Values, junk: Mapping[str, Values]) -> list[Evidence]:
    """Evidence for each of CALIBRATED from the measures of good text and of each kind of junk."""
    measures = dict(TEXT_THRESHOLDS)
    return [_evidence(name, good.get(measures[name], np.zeros(0)), _of(junk, measures[name])) for name in CALIBRATED]


def lost(name: str, value: float | None, values: np.ndarray) -> float:
    """The share of values that a threshold drops; a missing measure drops nothing."""
    if value is None or not len(values):
        return 0.0
    return float(np.mean(values < value if name.endswith("_min") else values > value))


def _of(junk: Mapping[str, Values], measure: str) -> dict[str, np.ndarray]:
    return {kind: values[measure] for kind, values in junk.items()}


def _evidence(name: str, good: np.ndarray, junk: Mapping[str, np.ndarray]) -> Evidence:
    known = good[~np.isnan(good)]
    if not len(known):
        return Evidence(name, None, 0, 0.0, {}, "not measured: no list of words or no letter model")
    if len(known) < GOOD_MIN:
        return Evidence(name, None, len(known), 0.0, {}, f"too little good text: {len(known)}, {GOOD_MIN} are needed")
    sign = 1.0 if name.endswith("_min") else -1.0
    end = float(np.quantile(sign * known, GOOD_LOST))
    starts = {kind: _start(sign * values) for kind, values in junk.items()}
    apart = [start for start in starts.values() if start < end]
    if not apart:
        return Evidence(name, None, len(known), 0.0, {}, "no kind of junk lies apart from good text")
    value = round(sign * (max(apart) + FROM_JUNK * (end - max(apart))), 3)
    caught = {kind: lost(name, value, values) for kind, values in junk.items()}
    return Evidence(name, value, len(known), lost(name, value, known), caught)


def _start(values: np.ndarray) -> float:
    """Where a kind of junk begins; infinite where the measure is mostly missing."""
    known = values[~np.isnan(values)]
    return float(np.quantile(known, CAUGHT)) if len(known) >= CAUGHT * len(values) > 0 else np.inf
