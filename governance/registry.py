"""What the source registry and the language table say, as rows for the command line and the cards."""

from collections.abc import Iterable
from typing import Any

from configs.load import Plan
from configs.models import Languages, Package, Source


def describe_sources(sources: Plan | Iterable[Source]) -> list[dict[str, Any]]:
    """A row for each source, in their order or that of a plan's recipe.

    Keys: id, title, kind, client, packages (names), reader, licences (SPDX, of the source and where packages differ),
    languages (codes), custodian, provenance, consent, personal_data. Values are strings or lists of strings.
    """
    return [
        {
            "id": source.id,
            "title": source.title,
            "kind": source.kind,
            "client": source.client,
            "packages": list(dict.fromkeys(package.name for package in source.packages)),
            "reader": source.reader,
            "licences": source_licences(source),
            "languages": source_languages(source),
            "custodian": source.custodian,
            "provenance": source.provenance,
            "consent": source.consent,
            "personal_data": source.personal_data,
        }
        for source in (sources.sources if isinstance(sources, Plan) else sources)
    ]


def source_licences(source: Source) -> list[str]:
    """SPDX expressions that documents of a source may carry, as far as its entry says."""
    return list(dict.fromkeys(package.licence or source.licence for package in source.packages))


def source_languages(source: Source) -> list[str]:
    """Codes of the languages that a source is known to hold, sorted; empty where nobody said."""
    codes = set(source.languages)
    for package in source.packages:
        codes |= package_languages(package)
    return sorted(codes)


def package_languages(package: Package) -> set[str]:
    """Codes that a package declares for its documents."""
    return {package.language} if package.language else set(package.languages_by_path.values())


def describe_languages(languages: Languages, plan: Plan | None = None) -> list[dict[str, Any]]:
    """A row for each language, natural ones first, with ROOTS' figures (BLOOM paper, Table 1).

    Keys: code, name, kind (natural | programming), iso639_3, script, roots_bytes (None for a programming language:
    Table 1 has one figure for all), roots_share (of all bytes of ROOTS; None as before), extensions, and with a plan
    `sources`, the ids of its sources that hold the language.
    """
    total = languages.roots_code_bytes + sum(entry.roots_bytes for entry in languages.natural.values())
    rows: list[dict[str, Any]] = [
        {
            "code": entry.code,
            "name": entry.name,
            "kind": "natural",
            "iso639_3": entry.iso639_3,
            "script": entry.script,
            "roots_bytes": entry.roots_bytes,
            "roots_share": entry.roots_bytes / total if total else 0.0,
            "extensions": [],
        }
        for entry in languages.natural.values()
    ]
    rows += [
        {
            "code": entry.code,
            "name": entry.name,
            "kind": "programming",
            "iso639_3": "",
            "script": "",
            "roots_bytes": None,
            "roots_share": None,
            "extensions": list(entry.extensions),
        }
        for entry in languages.programming.values()
    ]
    if plan is not None:
        held = {source.id: set(source_languages(source)) for source in plan.sources}
        for row in rows:
            row["sources"] = [source_id for source_id, codes in held.items() if row["code"] in codes]
    return rows
