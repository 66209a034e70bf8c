"""The quality parameters of each language as a recipe leaves them."""

from collections.abc import Mapping

from configs.load import quality_default
from configs.models import Languages, Quality, QualityParameters


def resolve(languages: Languages, quality: Quality) -> tuple[dict[str, QualityParameters], QualityParameters]:
    """Parameters by natural language, and those for any other language.

    A recipe's override for `default` changes every language; one for a language goes before it.
    """
    everywhere = quality.overrides.get("default", {})
    resolved = {
        code: _changed(language.quality.model_dump(), everywhere, quality.overrides.get(code, {}))
        for code, language in languages.natural.items()
    }
    return resolved, _changed(quality_default(), everywhere)


def _changed(given: Mapping[str, object], *changes: Mapping[str, object]) -> QualityParameters:
    merged = dict(given)
    for change in changes:
        merged.update(change)
    return QualityParameters.model_validate(merged)
