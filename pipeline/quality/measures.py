"""All quality measures of a batch, by the parameters of one recipe."""

from typing import Any

import pyarrow as pa

from configs.models import Languages, Quality
from pipeline.quality.code import CODE_MEASURES, measure_code
from pipeline.quality.letters import LetterModels
from pipeline.quality.perplexity import PerplexityModels
from pipeline.quality.resolved import resolve
from pipeline.quality.text import PARAMETERS, TEXT_MEASURES, TextMeasures
from pipeline.quality.words import WordLists

VERSION = 3
"""Goes up when a measure of the same text changes."""

MEASURES = (*TEXT_MEASURES, "perplexity", *CODE_MEASURES)


class Measures:
    """Measures of documents as columns; what they depend on is `configuration`."""

    def __init__(
        self,
        languages: Languages,
        quality: Quality,
        words: WordLists | None = None,
        letters: LetterModels | None = None,
    ) -> None:
        self._parameters, self._default = resolve(languages, quality)
        self._words = words or WordLists.load(languages.natural)
        self._letters = letters or LetterModels.load(
            {code: given.letter_model for code, given in self._parameters.items()}
        )
        self._programming = frozenset(languages.programming)
        self._scripts = {code: language.script for code, language in languages.natural.items()}
        self._text = TextMeasures(
            self._parameters, self._default, self._words, self._letters, self._programming, self._scripts
        )
        self._perplexity = PerplexityModels(quality.perplexity_models)

    def __call__(self, texts: pa.LargeStringArray, languages: pa.Array) -> dict[str, pa.Array]:
        """Columns named in MEASURES, a row a document; those of text are null for code and the other way round.

        Raises ModelError where a model that the recipe names cannot be loaded.
        """
        columns = self._text(texts, languages)
        columns["perplexity"] = self._perplexity(texts, languages)
        return columns | measure_code(texts, languages, self._programming)

    @property
    def configuration(self) -> dict[str, Any]:
        """All that the measures depend on and no threshold, as JSON: for the digest of the phase that measures."""
        names = set(PARAMETERS) - {"letter_model"}  # its digest counts, not where it lies
        return {
            "version": VERSION,
            "default": self._default.model_dump(mode="json", include=names),
            "languages": {
                code: [
                    parameters.model_dump(mode="json", include=names),
                    self._words.digest(code),
                    self._letters.digest(code),
                    self._scripts[code],
                ]
                for code, parameters in self._parameters.items()
            },
            "programming": sorted(self._programming),
            "perplexity": self._perplexity.configuration(),
        }
