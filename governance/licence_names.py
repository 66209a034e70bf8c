"""How people write licences (`GPLv3`, `Apache License 2.0`, `cc-by-4.0`), brought to SPDX ids.

Only what has one meaning is mapped: `BSD`, `other` and `unknown` have none. A version without a word on later ones is
taken as that version only, which is what it says.
"""

import functools
import re

from license_expression import ExpressionError

from configs.load import spdx_list

OF_R = re.compile(r"(?i)\b([al]?gpl)\s*\(>=?\s*(\d(?:\.\d)?)\)")
"""`GPL (>= 2)`, as R's packages say it: which of GNU's licences, and from which version on."""

_WORDS = re.compile(r"gnu|licence|license|version|the|[\s_,-]|v(?=[0-9])")
_GNU = re.compile(r"(?P<kind>[al]?)gpl(?P<number>[1-3](?:\.[01])?)(?:only|(?P<later>\+|orlater))?")
_CREATIVE_COMMONS = re.compile(r"ccby(?P<parts>(?:sa|nc|nd|ncsa|ncnd)?)(?P<number>[1-4]\.[05])(?P<port>[a-z]{2,3})?")
_PLAIN = {
    "afl3": "AFL-3.0", "apache2": "Apache-2.0", "apache2.0": "Apache-2.0", "artistic2": "Artistic-2.0",
    "boost1.0": "BSL-1.0", "bsd2": "BSD-2-Clause", "bsd3": "BSD-3-Clause", "bsd2clause": "BSD-2-Clause",
    "bsd3clause": "BSD-3-Clause", "cc0": "CC0-1.0", "cc01.0": "CC0-1.0", "epl2": "EPL-2.0", "eupl1.2": "EUPL-1.2",
    "isc": "ISC", "mit": "MIT", "mpl2": "MPL-2.0", "mpl2.0": "MPL-2.0", "newbsd": "BSD-3-Clause",
    "odcby": "ODC-By-1.0", "odbl": "ODbL-1.0", "pddl": "PDDL-1.0", "publicdomaincc0": "CC0-1.0",
    "simplifiedbsd": "BSD-2-Clause", "unlicense": "Unlicense", "zlib": "Zlib",
}  # fmt: skip
_OF_SPDX = ("NOASSERTION",)
_OWN = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.+-]+")
_IDS = re.compile(r"[^\s()]+")


@functools.lru_cache(maxsize=4096)
def spdx_of(said: str) -> str | None:
    """The SPDX expression for what a document says of its licence; None where it says nothing that can be told.

    Ids come in SPDX's own spelling; deprecated ones as their successors (`GPL-3.0` is `GPL-3.0-only`).
    """
    said = said.strip()
    if _OWN.fullmatch(said):
        return said
    if said.upper() in _OF_SPDX:
        return said.upper()
    if plain := _of_name(said):
        return plain
    words = _IDS.findall(said)
    if not words or not all(word.casefold() in _known_words() or _OWN.fullmatch(word) for word in words):
        return None  # told without the parser, which is slow
    try:
        return str(spdx_list().parse(said).render())
    except (ExpressionError, IndexError, RecursionError, AttributeError):
        return None


@functools.cache
def _known_words() -> frozenset[str]:
    """What may stand in an expression, case-folded: ids, their former spellings, operators."""
    symbols = spdx_list().known_symbols.values()
    names = [name for symbol in symbols for name in (symbol.key, *symbol.aliases)]
    return frozenset(name.casefold() for name in (*names, *_OF_SPDX, "and", "or", "with"))


def _of_name(said: str) -> str | None:
    plain = _WORDS.sub("", said.casefold())
    plain = plain.replace("generalpublic", "gpl").replace("attribution", "by").replace("creativecommons", "cc")
    for word, short in (("sharealike", "sa"), ("noncommercial", "nc"), ("noderivatives", "nd"), ("noderivs", "nd")):
        plain = plain.replace(word, short)
    plain = plain.replace("lessergpl", "lgpl").replace("librarygpl", "lgpl").replace("afferogpl", "agpl")
    if plain in _PLAIN:
        return _PLAIN[plain]
    if match := _GNU.fullmatch(plain):
        number = match["number"] if "." in match["number"] else f"{match['number']}.0"
        spdx = f"{match['kind'].upper()}GPL-{number}-{'or-later' if match['later'] else 'only'}"
        return spdx if spdx in spdx_list().known_symbols else None
    if match := _CREATIVE_COMMONS.fullmatch(plain):
        parts = {"ncsa": "-NC-SA", "ncnd": "-NC-ND"}.get(match["parts"], f"-{match['parts'].upper()}".rstrip("-"))
        spdx = f"CC-BY{parts}-{match['number']}"
        ported = f"{spdx}-{match['port'].upper()}" if match["port"] else spdx
        return next((name for name in (ported, spdx) if name in spdx_list().known_symbols), None)
    return None
