"""Names of people in a text, by models of spaCy that a user has installed: for a second look, not for a build.

Such models know the language and the kind of text that they were trained on, find other names too and miss many; they
read some kilobytes to a megabyte a second. What is counted is documents, not people.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from configs.errors import ConfigurationError
from configs.shown import shown

ANY = "*"
"""In place of a language: all that have no model of their own, except programming languages."""
_LABELS = frozenset({"PERSON", "PER", "PRS", "persName"})
"""How models of different training data call people."""
_NEEDLESS = ("parser", "senter", "tagger", "morphologizer", "lemmatizer", "attribute_ruler", "textcat")


def models_of(said: Sequence[str]) -> dict[str, str]:
    """The model of each language, from `LANGUAGE=MODEL`. Raises ConfigurationError."""
    found: dict[str, str] = {}
    for each in said:
        language, _, model = each.partition("=")
        if not language or not model:
            raise ConfigurationError(f"--ner {shown(each)}: write LANGUAGE=MODEL, such as en=en_core_web_sm")
        if language in found:
            raise ConfigurationError(f"--ner names two models of {shown(language)}")
        found[language] = model
    return found


class Persons:
    """The models of some languages, each a package of spaCy's or a folder; all are loaded at once, for early errors."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self.models = dict(models)
        self._loaded: dict[str | None, Any] = {name: _load(name) for name in dict.fromkeys(self.models.values())}

    def model(self, language: str, is_code: bool = False) -> str | None:
        """The name of the model for a language; a programming language has one only where it is named itself: models
        take identifiers for people."""
        return self.models.get(language) or (None if is_code else self.models.get(ANY))

    def has_names(self, texts: Sequence[str], language: str) -> list[bool]:
        """Whether each text names a person; `language` has a model."""
        pipeline = self._loaded[self.model(language)]
        return [any(entity.label_ in _LABELS for entity in document.ents) for document in pipeline.pipe(texts)]


def _load(name: str) -> Any:
    try:
        import spacy
    except ImportError:
        raise ConfigurationError("spaCy is not installed; run: pip install spacy") from None
    try:
        pipeline = spacy.load(name, exclude=_NEEDLESS)
    except (OSError, ValueError, ImportError) as error:
        cause = str(error).split("\n", 1)[0][:200]
        remedy = f"Install it (python -m spacy download {shown(name)}) or name its folder"
        raise ConfigurationError(
            f"the model {shown(name)} of --ner can't be loaded: {shown(cause)} {remedy}"
        ) from error
    labels = {label for given in pipeline.pipe_labels.values() for label in given}
    if not labels & _LABELS:
        raise ConfigurationError(
            f"the model {shown(name)} of --ner finds no people; it knows {sorted(labels) or 'nothing'}"
        )
    return pipeline
