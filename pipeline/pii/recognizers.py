"""Presidio's recognisers, each alone (no language model), made once a process and never given more than a window.

Presidio logs what it fails to validate and, with `tldextract`, would fetch a suffix list. Here neither happens: its
logger is off, and the suffix list is the one that comes with the package.
"""

import importlib
import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

WINDOW_MAX = 330  # characters; Presidio's patterns run on a backtracking engine

# Recognisers of numbers that a state gives to a person, with the entity each reports.
NATIONAL_IDS = (
    ("UsSsnRecognizer", "US_SSN"),
    ("UsItinRecognizer", "US_ITIN"),
    ("CaSinRecognizer", "CA_SIN"),
    ("NhsRecognizer", "UK_NHS"),
    ("UkNinoRecognizer", "UK_NINO"),
    ("EsNifRecognizer", "ES_NIF"),
    ("EsNieRecognizer", "ES_NIE"),
    ("ItFiscalCodeRecognizer", "IT_FISCAL_CODE"),
    ("DeTaxIdRecognizer", "DE_TAX_ID"),
    ("DeSocialSecurityRecognizer", "DE_SOCIAL_SECURITY"),
    ("PlPeselRecognizer", "PL_PESEL"),
    ("FiPersonalIdentityCodeRecognizer", "FI_PERSONAL_IDENTITY_CODE"),
    ("SePersonnummerRecognizer", "SE_PERSONNUMMER"),
    ("SgFinRecognizer", "SG_NRIC_FIN"),
    ("AuTfnRecognizer", "AU_TFN"),
    ("AuMedicareRecognizer", "AU_MEDICARE"),
    ("InAadhaarRecognizer", "IN_AADHAAR"),
    ("InPanRecognizer", "IN_PAN"),
    ("KrRrnRecognizer", "KR_RRN"),
    ("KrFrnRecognizer", "KR_FRN"),
    ("ThTninRecognizer", "TH_TNIN"),
    ("TrNationalIdRecognizer", "TR_NATIONAL_ID"),
    ("NgNinRecognizer", "NG_NIN"),
    ("ZaIdNumberRecognizer", "ZA_ID_NUMBER"),
)

WEAK = 0.05  # Presidio's score of a shape without a checksum that many other numbers have too


@cache
def _module() -> Any:
    logging.getLogger("presidio-analyzer").disabled = True
    return importlib.import_module("presidio_analyzer.predefined_recognizers")


@cache
def _email() -> Any:
    from tldextract import TLDExtract

    known_suffix = TLDExtract(suffix_list_urls=(), cache_dir=None)

    class OfflineEmailRecognizer(_module().EmailRecognizer):  # type: ignore[misc]
        """Presidio's, with the suffix list of the installed package."""

        def validate_result(self, pattern_text: str) -> bool:
            return known_suffix(pattern_text).fqdn != ""

    return OfflineEmailRecognizer()


@cache
def recognizer(name: str) -> Any:
    """Presidio's recogniser of that class name, made at first use."""
    return _email() if name == "EmailRecognizer" else getattr(_module(), name)()


@cache
def phone_recognizer(regions: tuple[str, ...]) -> Any:
    """The recogniser of phone numbers of `regions` (ISO 3166); without regions, of international form only."""
    return _module().PhoneRecognizer(supported_regions=regions or ("ZZ",))


def spans(found_by: Any, entity: str, window: str, above: float = 0.0) -> Iterator[tuple[int, int]]:
    """First character and end of what a recogniser finds in `window` with a score over `above`.

    A window longer than `WINDOW_MAX` is not looked at: the sieve makes none.
    """
    if len(window) > WINDOW_MAX:
        return
    for result in found_by.analyze(window, [entity], None):
        if result.score > above:
            yield result.start, result.end


def national_ids(window: str) -> Iterator[tuple[int, int]]:
    """What any recogniser of national ids accepts in `window`; checksums and shapes, not context, are judged here."""
    for name, entity in NATIONAL_IDS:
        yield from spans(recognizer(name), entity, window, WEAK)
