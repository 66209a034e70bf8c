"""A second look for personal data at a sample of what was kept: how much may be left, with an interval.

The text is looked at by recognisers that did not make it: Presidio's, without the rules that spare versions, dates and
the like, and ours for all kinds, written-out addresses included. They find false ones too, so that the shares are
nearer to the most that is left than to what is. Names of people are looked for where a model is given; see `persons`.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from configs.models import PII_KINDS
from pipeline.corpus.persons import Persons
from pipeline.corpus.plan import plan_of
from pipeline.corpus.sampled import sampled_batches, wilson
from pipeline.pii.redactor import Redactor

CHARACTERS_MAX = 50_000
"""Of a document that are looked at."""
_PIECE, _OVERLAP = 2_000, 100
_MARKER = re.compile(rf"PI:(?:{'|'.join(PII_KINDS)})(?:-[0-9a-f]{{12}})?")

Look = Callable[[str], bool]


@cache
def _presidio() -> dict[str, Look]:
    """By kind, whether Presidio's recogniser finds something in a short text."""
    from presidio_analyzer import predefined_recognizers as recognizers
    from tldextract import TLDExtract

    extract = TLDExtract(suffix_list_urls=(), cache_dir=None)  # fetches nothing

    class Emails(recognizers.EmailRecognizer):
        def validate_result(self, pattern_text: str) -> bool:
            return bool(extract(pattern_text).fqdn)

    found: dict[str, tuple[Any, str]] = {
        "EMAIL": (Emails(), "EMAIL_ADDRESS"),
        "IP_ADDRESS": (recognizers.IpRecognizer(), "IP_ADDRESS"),
        "PHONE": (recognizers.PhoneRecognizer(), "PHONE_NUMBER"),
        "IBAN": (recognizers.IbanRecognizer(), "IBAN_CODE"),
        "CREDIT_CARD": (recognizers.CreditCardRecognizer(), "CREDIT_CARD"),
    }

    def look(kind: str) -> Look:
        recognizer, entity = found[kind]
        return lambda text: bool(recognizer.analyze(text, [entity], None))

    return {kind: look(kind) for kind in found}


def second_look(
    corpus: str, manifest: dict[str, Any], documents: int, persons: Persons | None = None
) -> dict[str, Any]:
    """Shares of sampled documents in which something is found, by kind and of any, each with an interval of 95 %.

    `persons`, by language: the same of names of people, among the sampled documents of that language.
    """
    plan = plan_of(manifest)
    ours = Redactor(
        PII_KINDS, plan.languages.phone_regions, frozenset(plan.languages.programming), obfuscated_email=True
    )
    hits = dict.fromkeys((*PII_KINDS, "any"), 0)
    named: dict[tuple[str, str], list[bool]] = {}
    looked = size = 0
    for language, batch in sampled_batches(corpus, manifest, documents):
        plain = []
        for text in batch["text"].to_pylist():
            looked += 1
            size += len(text.encode())
            plain.append(_MARKER.sub(" ", text[:CHARACTERS_MAX]))
            found: set[str] = {kind for _, _, kind in ours.find(plain[-1], language)} | _by_presidio(plain[-1])
            for kind in found:
                hits[kind] += 1
            hits["any"] += bool(found)
        if persons is not None and (model := persons.model(language, language in plan.languages.programming)):
            named.setdefault((language, model), []).extend(persons.has_names(plain, language))
    return {
        "documents": looked,
        "bytes": size,
        "kinds": {kind: _share(documents_with, looked) for kind, documents_with in hits.items()},
        "persons": {
            language: {"model": model, "looked_at": len(has), **_share(sum(has), len(has))}
            for (language, model), has in sorted(named.items())
        },
    }


def _share(hits: int, looked: int) -> dict[str, float]:
    low, high = wilson(hits, looked)
    return {"documents": hits, "share": hits / max(looked, 1), "low": low, "high": high}


def _by_presidio(text: str) -> set[str]:
    """Kinds that Presidio finds; in short pieces, since its patterns backtrack."""
    pieces = [text[start : start + _PIECE] for start in range(0, max(len(text), 1), _PIECE - _OVERLAP)]
    suspects = [piece for piece in pieces if re.search(r"[0-9@:]", piece)]
    return {kind for kind, look in _presidio().items() if any(look(piece) for piece in suspects)}
