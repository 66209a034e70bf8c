"""Calibration of one language from a user's own text: what `openroots calibrate` does before it writes."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.errors import OpenRootsError
from configs.load import UNSPACED_QUALITY, load_languages, quality_default
from configs.models import Language, Languages, Quality, QualityParameters
from pipeline.quality.calibration import Evidence, Values, calibrate, learnt_and_measured, measured
from pipeline.quality.letters import LetterModel, LetterModels, save_models

SENTENCES_MIN = 40
"""Fewer lines make no evidence."""


@dataclass(frozen=True)
class Calibration:
    """What was found for a language: the evidence, with the measures that it stands on."""

    language: str
    known: bool
    unspaced: bool
    sentences: int
    evidence: list[Evidence]
    good: Values
    junk: Mapping[str, Values]
    model: LetterModel

    def save_model(self, path: Path) -> None:
        """Write the letter model."""
        save_models(path, {self.language: self.model})


def calibrate_language(
    code: str, sentences: Sequence[str], junk: Mapping[str, Sequence[str]], unspaced: bool = False
) -> Calibration:
    """Thresholds of a language from lines of good text; `junk` takes the place of what is made from them.

    The lines are shuffled by a fixed seed. Raises OpenRootsError where there are too few.
    """
    if len(sentences) < SENTENCES_MIN:
        raise OpenRootsError(
            f"{len(sentences)} different lines of good text are too few: {SENTENCES_MIN} at the least, some hundred "
            "for figures to rely on"
        )
    languages, known = _with(code, unspaced)
    parameters = languages.natural[code].quality
    quality = Quality()
    order = sorted(sentences)
    random.Random(code).shuffle(order)
    model, good, made = learnt_and_measured(order, code, languages, quality)
    if junk:
        letters = LetterModels({code: model})
        made = {kind: measured(texts, code, languages, quality, letters) for kind, texts in junk.items()}
    segmented = parameters.segment_words_with_sentencepiece
    found = calibrate(good, made)
    return Calibration(code, known, segmented, len(order), found, good, made, model)


def _with(code: str, unspaced: bool) -> tuple[Languages, bool]:
    """The languages with this one among them, and whether it was before."""
    languages = load_languages()
    if code in languages.programming:
        raise OpenRootsError(f"`{code}` is a programming language; its filters are `[quality.code]` of a recipe")
    if code in languages.natural:
        return languages, True
    quality = QualityParameters.model_validate({**quality_default(), **(UNSPACED_QUALITY if unspaced else {})})
    language = Language(
        code=code, name=code, iso639_3="und", script="Zyyy", roots_bytes=0, lid_labels=(code,), quality=quality,
        unspaced=unspaced,
    )  # fmt: skip
    return languages.model_copy(update={"natural": {**languages.natural, code: language}}), False
