"""Language identification: which of our languages a text is in, or which other."""

from pipeline.language_id.identifier import Identified, LanguageIdentifier, Shares, identify_lines, share_of
from pipeline.language_id.labels import same_language

__all__ = [
    "Identified",
    "LanguageIdentifier",
    "Shares",
    "identify_lines",
    "same_language",
    "share_of",
]
