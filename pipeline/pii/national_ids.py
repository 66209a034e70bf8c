"""Numbers that a state gives to a person: judged by Presidio's recognisers, where a word near says what they are.

Each recogniser works alone, without a language model. With one check digit chance accepts a tenth of all numbers, so
a number without such a word is left.
"""

import importlib
import importlib.util
import logging
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import re2

Span = tuple[int, int]

JUDGED_MAX = 2000  # numbers a document that are judged; in longer lists of ids the form is enough
WINDOW_MAX = 64  # characters; Presidio's patterns run on a backtracking engine

# Recognisers, the entity each reports, and the form of the number without its separators: a recogniser takes a
# hundred times as long to say no.
_NATIONAL_IDS = (
    ("UsSsnRecognizer", "US_SSN", "[0-9]{9}"),
    ("UsItinRecognizer", "US_ITIN", "9[0-9]{8}"),
    ("CaSinRecognizer", "CA_SIN", "[0-9]{9}"),
    ("NhsRecognizer", "UK_NHS", "[0-9]{10}"),
    ("UkNinoRecognizer", "UK_NINO", "[A-Z]{2}[0-9]{6}[A-Z]"),
    ("EsNifRecognizer", "ES_NIF", "[0-9]{7,8}[A-Z]"),
    ("EsNieRecognizer", "ES_NIE", "[XYZ][0-9]{7,8}[A-Z]"),
    ("ItFiscalCodeRecognizer", "IT_FISCAL_CODE", "[A-Z]{6}[0-9A-Z]{10}"),
    ("DeTaxIdRecognizer", "DE_TAX_ID", "[0-9]{11}"),
    ("DeSocialSecurityRecognizer", "DE_SOCIAL_SECURITY", "[0-9]{8}[A-Z][0-9]{3}"),
    ("PlPeselRecognizer", "PL_PESEL", "[0-9]{11}"),
    ("FiPersonalIdentityCodeRecognizer", "FI_PERSONAL_IDENTITY_CODE", "[0-9]{6}[A-Y]?[0-9]{3}[0-9A-Z]"),
    ("SePersonnummerRecognizer", "SE_PERSONNUMMER", "[0-9]{10}|[0-9]{12}"),
    ("SgFinRecognizer", "SG_NRIC_FIN", "[A-Z][0-9]{7}[A-Z]"),
    ("AuTfnRecognizer", "AU_TFN", "[0-9]{9}"),
    ("AuMedicareRecognizer", "AU_MEDICARE", "[0-9]{10}"),
    ("InAadhaarRecognizer", "IN_AADHAAR", "[0-9]{12}"),
    ("InPanRecognizer", "IN_PAN", "[A-Z]{5}[0-9]{4}[A-Z]"),
    ("KrRrnRecognizer", "KR_RRN", "[0-9]{13}"),
    ("KrFrnRecognizer", "KR_FRN", "[0-9]{13}"),
    ("ThTninRecognizer", "TH_TNIN", "[0-9]{13}"),
    ("TrNationalIdRecognizer", "TR_NATIONAL_ID", "[0-9]{11}"),
    ("NgNinRecognizer", "NG_NIN", "[0-9]{11}"),
    ("ZaIdNumberRecognizer", "ZA_ID_NUMBER", "[0-9]{13}"),
)
WEAK = 0.05  # Presidio's score of a shape without a checksum that many other numbers have too

_ID_WORD = re2.compile(
    r"(?i)(?:\b(?:ssn|social security|itin|taxpayer|social insurance|nhs|nino|national insurance|nif|dni|nie|"
    r"codice fiscale|steuer|idnr|rentenversicherung|pesel|hetu|personnummer|nric|tfn|tax file|medicare|"
    r"aadhaar|aadhar|uidai|pan card|permanent account|resident registration|rrn|nin|bvn|kimlik|tckn|"
    r"id number|identity number|identity card|national id|identification number|identificaci[oó]n|"
    r"cédula|documento de identidad|numéro de sécurité sociale)\b)|henkilötunnus|आधार|주민등록"
)
_FORMS = tuple((name, entity, re.compile(form)) for name, entity, form in _NATIONAL_IDS)
_SEPARATORS = re.compile(r"[^0-9A-Za-z]")


_BASES = (
    "analysis_explanation", "recognizer_result", "entity_recognizer", "local_recognizer", "pattern",
    "pattern_recognizer",
)  # fmt: skip
"""Modules of Presidio that its recognisers are made of, in the order in which they need each other."""


@cache
def _recognizer(name: str) -> Any:
    """Presidio's recogniser of that class name, made at first use."""
    return _classes()[name]()


@cache
def _classes() -> dict[str, Any]:
    """Presidio's recognisers by class name, without the rest of Presidio.

    Its packages import spaCy and, where they are installed, PyTorch and Transformers: five seconds for nothing that a
    recogniser needs. So the modules are imported under packages that hold only what they ask for. These leave with
    them: who imports Presidio itself gets the whole.
    """
    logging.getLogger("presidio-analyzer").disabled = True  # it logs what it fails to validate: personal data
    found = importlib.util.find_spec("presidio_analyzer")
    assert found is not None and found.submodule_search_locations is not None
    folder = Path(found.submodule_search_locations[0])
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "presidio_analyzer"}
    try:
        package = _package("presidio_analyzer", folder)
        for name in _BASES:
            vars(package).update(vars(importlib.import_module(f"presidio_analyzer.{name}")))
        return {name: getattr(_module(folder, name), name) for name, _, _ in _NATIONAL_IDS}
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "presidio_analyzer"]:
            del sys.modules[name]
        sys.modules.update(before)


def _package(name: str, folder: Path) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return package


def _module(folder: Path, name: str) -> ModuleType:
    """The module of a recogniser, by its class: us_ssn_recognizer of `UsSsnRecognizer`, uk_nhs_recognizer of `Nhs…`."""
    file = re.sub("(?<!^)([A-Z])", r"_\1", name).lower()
    found = folder.glob(f"predefined_recognizers/country_specific/*/*{file}.py")
    path = min(found, key=lambda path: len(path.name))
    parents = path.parent.relative_to(folder).parts
    for depth in range(1, len(parents) + 1):
        _package(".".join(("presidio_analyzer", *parents[:depth])), folder.joinpath(*parents[:depth]))
    return importlib.import_module(".".join(("presidio_analyzer", *parents, path.stem)))


def find_ids(window: str, before: str, after: str, *, judged: bool = True) -> Iterator[Span]:
    """Spans of characters of the national ids in `window`, where a word near says that there is one.

    Without `judged` the form of a number is enough: for documents with so many that judging them would take minutes.
    """
    if len(window) > WINDOW_MAX or len({character for character in window if character.isdigit()}) < 3:
        return  # a filler
    if before[-1:].isalnum() or before[-1:] in ("/", "#", "_", "-", ".") or after[:1].isalnum():
        return
    if _ID_WORD.search(before + " " + after) is None:
        return
    bare = _SEPARATORS.sub("", window).upper()
    for name, entity, form in _FORMS:
        if form.search(bare) is None:
            continue
        if not judged:
            yield 0, len(window)
            return
        for result in _recognizer(name).analyze(window, [entity], None):
            if result.score > WEAK:
                yield result.start, result.end
