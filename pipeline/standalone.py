"""Stages that serve alone: plans for work on any files, without a recipe."""

from collections.abc import Sequence
from typing import Any, Literal

from configs.load import Plan, load_languages
from configs.models import (
    Columns,
    ConsentPolicy,
    Decontamination,
    Deduplication,
    LanguageIdentification,
    LicencePolicy,
    PersonalData,
    Quality,
    Recipe,
)
from pipeline.decontamination.items import evaluation_sets
from pipeline.readers import read_files


def deduplication_plan(
    patterns: Sequence[str],
    *,
    text: str = "text",
    key: str | None = None,
    language: str | None = None,
    jaccard_min: float = 0.7,
    near: bool = True,
    documents: Literal["line", "file"] = "line",
) -> Plan:
    """A plan that removes duplicates from files and does nothing else.

    Every licence passes, languages are believed, nothing is filtered, redacted or cut. `language` is that of all
    documents; without it the script of each decides how it is cut into shingles. Columns other than text and id go
    along in `metadata`; `documents` is what of plain text is one. Raises ConfigurationError where the format of the
    files cannot be told from their names.
    """
    settings = Deduplication(near=near, verify_jaccard_min=jaccard_min, recurring_lines_documents_min=None)
    return _plan("deduplicated", patterns, text, key, language, documents, deduplication=settings)


def decontamination_plan(
    patterns: Sequence[str],
    against: Sequence[str],
    *,
    fields: Sequence[str] = (),
    threshold: float = 0.8,
    policy: Literal["drop", "cut"] = "drop",
    text: str = "text",
    key: str | None = None,
    language: str | None = None,
    documents: Literal["line", "file"] = "line",
) -> Plan:
    """A plan that removes what evaluation sets hold from files and does nothing else.

    `against`: files, patterns, folders or installed packages; each file is a set, named by its stem. `key` names a
    document, and an item where it has such a field. Raises ConfigurationError where `against` names nothing.
    """
    settings = Decontamination(sets=evaluation_sets(against, fields, key), watch=(), threshold=threshold, policy=policy)
    nothing = Deduplication(exact=False, near=False, recurring_lines_documents_min=None)
    return _plan(
        "decontaminated", patterns, text, key, language, documents, deduplication=nothing, decontamination=settings
    )


def _plan(
    name: str,
    patterns: Sequence[str],
    text: str,
    key: str | None,
    language: str | None,
    documents: Literal["line", "file"],
    **settings: Any,
) -> Plan:
    """A plan in which every document passes all stages but those with `settings`."""
    source = read_files(patterns, columns=Columns(text=text, id=key, metadata=("*",)))
    if source.reader == "text":
        source = source.model_copy(update={"documents": documents})
    if language is not None:
        packages = tuple(package.model_copy(update={"language": language}) for package in source.packages)
        source = source.model_copy(update={"packages": packages})
    recipe = Recipe(
        name=name,
        title=f"{name.capitalize()}: {', '.join(patterns)}",
        sources=(source.id,),
        keep_other_languages=True,
        licences=LicencePolicy(deny=(), deny_code=(), unknown="keep", detect=False),
        consent=ConsentPolicy(robots=False, ai_txt=False, tdm=False, noai=False, signals=False, rsl=False),
        language_identification=LanguageIdentification(model="none"),
        quality=Quality(enabled=False),
        personal_data=PersonalData(kinds=()),
        **settings,
    )
    return Plan(recipe, load_languages(), (source,))
