"""Language identification: which of our languages a text is in, or which other."""

from pipeline.language_id.bayes import LanguageModelError
from pipeline.language_id.identifier import LanguageIdentifier, identify_lines
from pipeline.language_id.labels import same_language
from pipeline.language_id.training import train, train_command

__all__ = [
    "LanguageIdentifier",
    "LanguageModelError",
    "identify_lines",
    "same_language",
    "train",
    "train_command",
]
