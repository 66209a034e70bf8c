"""What a source's entry leaves unsaid or says oddly: so that a registry can be kept as carefully as code."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from configs.errors import ConfigurationError
from configs.language_codes import LanguageCodes
from configs.load import check_licences
from configs.models import Languages, LicencePolicy, Source
from governance.licences import LicenceGate
from governance.registry import source_languages, source_licences

ERROR, WARNING = "error", "warning"
_PLACE = re.compile(r"https?://|\S+\s+\S+")
_UNKNOWN = ("", "-", "?", "n/a", "none", "nobody", "tbd", "todo", "unknown")


@dataclass(frozen=True)
class Finding:
    """Something about a source: `error` is refused by a build or breaks it; `warning` is for a person to settle."""

    source: str
    level: str
    finding: str


def check_sources(sources: Iterable[Source], languages: Languages, policy: LicencePolicy) -> list[Finding]:
    """Check entries of the registry: licences, languages, custodian, provenance, consent, pinned packages."""
    return [Finding(source.id, *found) for source in sources for found in _check(source, languages, policy)]


def _check(source: Source, languages: Languages, policy: LicencePolicy) -> Iterator[tuple[str, str]]:
    try:
        check_licences(source, source.id)
    except ConfigurationError as error:
        yield ERROR, str(error).removeprefix(f"{source.id}: ")
    else:
        gate = LicenceGate(policy, frozenset(languages.programming))
        for licence in source_licences(source):
            if licence == "NOASSERTION":
                yield WARNING, "its licence is not known (NOASSERTION)"
            ruling = gate.judge(licence, source.kind == "code")
            if not ruling.admitted:
                yield WARNING, f"the policy refuses it: {ruling.detail}"
    codes = LanguageCodes(languages)
    for code in source_languages(source):
        if code not in languages:
            meant = codes.resolve(code) or codes.nearest(code)
            yield ERROR, f"unknown language `{code}`" + (f"; did you mean `{meant}`?" if meant else "")
    if source.custodian.strip().casefold() in _UNKNOWN:
        yield WARNING, "no custodian is named"
    if not _PLACE.search(source.provenance):
        yield WARNING, "its provenance is neither an address nor a sentence"
    for name in ("consent", "personal_data"):
        if not getattr(source, name).strip():
            yield WARNING, f"`{name}` is not said"
    if source.client in ("pip", "npm"):
        for package in source.packages:
            if package.version is None and package.sha256 is None:
                yield WARNING, f"package {package.name} has no pinned version: a later build may read another"
