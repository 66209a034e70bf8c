"""Stages that serve alone: plans for work on any files, without a recipe."""

from collections.abc import Sequence
from typing import Literal

from configs.load import Plan, load_languages
from configs.models import (
    Columns,
    ConsentPolicy,
    Deduplication,
    LanguageIdentification,
    LicencePolicy,
    PersonalData,
    Quality,
    Recipe,
)
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
    source = read_files(patterns, columns=Columns(text=text, id=key, metadata=("*",)))
    if source.reader == "text":
        source = source.model_copy(update={"documents": documents})
    if language is not None:
        packages = tuple(package.model_copy(update={"language": language}) for package in source.packages)
        source = source.model_copy(update={"packages": packages})
    recipe = Recipe(
        name="deduplicated",
        title=f"Deduplicated: {', '.join(patterns)}",
        sources=(source.id,),
        keep_other_languages=True,
        licences=LicencePolicy(deny=(), deny_code=(), unknown="keep", detect=False),
        consent=ConsentPolicy(robots=False, ai_txt=False, tdm=False, noai=False, signals=False, rsl=False),
        language_identification=LanguageIdentification(model="none"),
        quality=Quality(enabled=False),
        personal_data=PersonalData(kinds=()),
        deduplication=Deduplication(near=near, verify_jaccard_min=jaccard_min, recurring_lines_documents_min=None),
    )
    return Plan(recipe, load_languages(), (source,))
