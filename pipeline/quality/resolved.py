"""The quality parameters of each language as a recipe leaves them."""

from collections.abc import Mapping

from configs.load import quality_default, roots_quality
from configs.models import Languages, Quality, QualityParameters


def resolve(languages: Languages, quality: Quality) -> tuple[dict[str, QualityParameters], QualityParameters]:
    """Parameters by natural language, and those for any other language.

    A recipe's override for `default` changes every language; one for a language goes before it. With
    `thresholds = "roots"` languages have the sets of ROOTS in place of ours.
    """
    everywhere = quality.overrides.get("default", {})
    roots = roots_quality() if quality.thresholds == "roots" else None
    resolved = {}
    for code, language in languages.natural.items():
        given = language.quality.model_dump()
        if roots is not None:
            given = {**roots["default"], **roots.get(code, {}), "letter_model": language.quality.letter_model}
        resolved[code] = _changed(given, everywhere, quality.overrides.get(code, {}))
    return resolved, _changed(roots["default"] if roots is not None else quality_default(), everywhere)


def _changed(given: Mapping[str, object], *changes: Mapping[str, object]) -> QualityParameters:
    merged = dict(given)
    for change in changes:
        merged.update(change)
    return QualityParameters.model_validate(merged)
