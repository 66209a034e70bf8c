# ruff: noqa: E501 - a pattern a line
"""What a row of data says of its licence, in the ways that data sets write it: addresses, full names, lists, choices.

Stricter than what is made of notices: the whole of it must be understood, since nothing around it tells more.
`MIT, but not for commerce` and `BSD` are refused, `https://creativecommons.org/licenses/by/4.0/` is `CC-BY-4.0`.
"""

import ast
import functools
import re

from governance.licence_comments import comment_words
from governance.licence_names import OF_R, spdx_of
from governance.licence_notices import id_of_name, joined
from governance.licence_phrases import NAMES, compiled
from governance.licence_words import PLAIN

PARTS_MAX = 12
"""Licences of one list or choice."""

_SITE = re.compile(r"(?i)https?://(?:www\.)?(?P<path>[a-z0-9.-]+\.[a-z]+/[^\s?#]*)(?:[?#]\S*)?")
_ADDRESSES = (
    (r"creativecommons\.org/licen[sc]es/([a-z-]+)/(\d\.\d)(?:/([a-z]{2,3}))?(?:/(?:deed|legalcode).*)?", "cc-{}-{}-{}"),
    (r"creativecommons\.org/publicdomain/zero/1\.0(?:/.*)?", "CC0-1.0"),
    (r"creativecommons\.org/publicdomain/mark/1\.0(?:/.*)?", "LicenseRef-public-domain"),
    (r"gnu\.org/(?:licen[sc]es|copyleft)/(?:old-licen[sc]es/)?([a-z]+)-(\d\.\d)(?:-standalone)?(?:\.[a-z.-]+)?", "{}-{}"),
    (r"gnu\.org/(?:licen[sc]es|copyleft)/([al]?gpl)(?:\.[a-z.-]+)?", "{}"),
    (r"apache\.org/licen[sc]es/license-(\d\.\d)(?:\.\w+)?", "apache-{}"),
    (r"mozilla\.org/(?:en-us/)?mpl/(\d\.\d)(?:/.*|\.\w+)?", "mpl-{}"),
    (r"eclipse\.org/legal/epl-(?:v)?(\d)\.?(0)(?:/.*|\.\w+)?", "epl-{}.{}"),
    (r"(?:spdx\.org|opensource\.org|choosealicense\.com|licenses\.nuget\.org)(?:/licen[sc]es?)?/([\w.+-]+?)(?:\.html|\.json|\.php)?", "{}"),
    (r"opendatacommons\.org/licen[sc]es/(by|odbl|pddl)(?:/.*)?", "odc-{}"),
    (r"unlicense\.org", "Unlicense"), (r"wtfpl\.net(?:/.*)?", "WTFPL"), (r"boost\.org/license_1_0\.txt", "BSL-1.0"),
    (r"nationalarchives\.gov\.uk/doc/open-government-licen[sc]e/version/([123])", "OGL-UK-{}.0"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), form) for pattern, form in _ADDRESSES)
_AGAIN = re.compile(r"(.{2,120}?)\s*\(([^()]{2,40})\)")
_COMMA = re.compile(r"\s*[,;]\s+(?!(?:v|version)\b)", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")
_PIPE = re.compile(r"\s*\|\s*")
_FILE = re.compile(r"(?i)\s*\+\s*file licen[cs]e$")
_DOUBT = re.compile(r"[*?!]")
_STROKE = re.compile(r"\s*/\s*")
_OR = re.compile(r"\s+or\s+(?!(?:\(at|any|later|newer|higher|above)\b)", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+(?!(?:above|later|newer|up|upwards|distribution)\b)", re.IGNORECASE)
_DUAL = re.compile(r"(?i)^dual[ -]?(?:licen[sc]ed?)?[: ]\s*")
_FILLING = re.compile(r"(?i)\b(?:international|unported|generic|universal|public licen[sc]e(?=$|[\s,]*\d))\b")
_EXACT = {
    "expat": "MIT", "psf": "PSF-2.0", "psfl": "PSF-2.0", "alv2": "Apache-2.0", "zlib/libpng": "Zlib", "asl2": "Apache-2.0",
    "open government licence v3.0": "OGL-UK-3.0", "open government licence v2.0": "OGL-UK-2.0",
    "licence ouverte 2.0": "etalab-2.0", "odc-by": "ODC-By-1.0", "odc-odbl": "ODbL-1.0", "odc-pddl": "PDDL-1.0",
    "open data commons attribution license": "ODC-By-1.0", "open database license": "ODbL-1.0",
    "boost": "BSL-1.0", "agpl": "AGPL-3.0-or-later", "gpl": "GPL-1.0-or-later", "lgpl": "LGPL-2.0-or-later",
}  # fmt: skip
"""What patterns don't reach."""
_REST = compiled(
    r'^[ "():,.;+-]*(?:(?:the|licen[cs]ed?|public|v|ver|version|revision|only|or|any|later|newer|at your option|international|unported|generic|universal|new|revised|modified|simplified|clause|software|\d+(?:\.\d+)*\+?)[ "():,.;+-]*)*$'
)
_START = compiled(r'^(?:[ "(:]|the )*')
_NAMES = tuple((compiled(f"^(?:{name.phrase})"), name) for name in NAMES if not name.full)


@functools.lru_cache(maxsize=4096)
def row_licence(said: str) -> str | None:
    """The SPDX expression for what a row says of its licence; None where that cannot be told for all of it."""
    said = " ".join(said.split()).rstrip(".;,")
    if not said:
        return None
    return spdx_of(said) or _of_list(said) or _of_address(said) or _of_words(said)


def _of_list(said: str) -> str | None:
    """`["MIT", "Apache-2.0"]`: all hold."""
    if not (said.startswith("[") and said.endswith("]")):
        return None
    try:
        values = ast.literal_eval(said)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not isinstance(values, list) or not 0 < len(values) <= PARTS_MAX:
        return None
    return _all([row_licence(value) if isinstance(value, str) else None for value in values], "AND")


def _all(parts: list[str | None], relation: str) -> str | None:
    known = [part for part in parts if part]
    return joined(list(dict.fromkeys(known)), relation) if known and len(known) == len(parts) else None


def _of_address(said: str) -> str | None:
    match = _SITE.fullmatch(said)
    if not match:
        return None
    path = match["path"].lower().rstrip("/")
    for pattern, form in _PATTERNS:
        if found := pattern.fullmatch(path):
            name = form.format(*(group or "" for group in found.groups())).rstrip("-")
            return (
                _EXACT.get(name.lower())
                or spdx_of(name)
                or (spdx_of(name.rsplit("-", 1)[0]) if name.startswith("cc-") else None)
            )
    return None


def _of_words(said: str) -> str | None:
    if said.count("(") != said.count(")") or _DOUBT.search(said):
        return None
    said = _FILE.sub("", said)  # of R's packages: the year and names of a template
    if match := OF_R.fullmatch(said):
        return spdx_of(f"{match[1]}-{match[2]}+")
    if said.lower().startswith("license ::"):
        said = said.rsplit("::", 1)[1].strip()
    if exact := _EXACT.get(said.lower()):
        return exact
    if (again := _AGAIN.fullmatch(said)) and (first := _of_one(again[1])):
        second = row_licence(again[2])
        same = second is not None and second.split("-")[0] == first.split("-")[0]
        return second if same else first if second is None and _REST.match(again[2].lower().encode()) else None
    plain = _DUAL.sub("", said)
    either = "AND" if plain == said else "OR"  # a stroke alone does not say which: both are to be kept
    for separator, relation in ((_COMMA, either), (_AND, "AND"), (_OR, "OR"), (_PIPE, "OR"), (_STROKE, either)):
        parts = separator.split(plain)
        if 1 < len(parts) <= PARTS_MAX and (found := _all([row_licence(part) for part in parts], relation)):
            return found
    return _of_one(said)


def _of_one(said: str) -> str | None:
    """One licence by its name, all of which must be understood."""
    if spdx := spdx_of(_FILLING.sub("", said)):
        return spdx
    words = comment_words(f"{said}\n".encode("utf-8", "replace"), PLAIN)[0].rstrip(b"| ")
    start = _START.match(words).end()
    for pattern, name in _NAMES:
        match = pattern.match(words[start:])
        if not match or not _REST.match(words[start + match.end() :]):
            continue
        spdx = id_of_name(words, start, start + match.end(), name) or ""
        version = rb"\d\.\d" if name.spdx == "CC" else rb"\d"
        says_version = bool(re.search(version, words)) or not ("{}" in name.spdx or name.spdx in ("CC", "BSD-3-Clause"))
        is_told = bool(spdx) and says_version and not spdx.startswith("LicenseRef-")
        return spdx if is_told and _numbers(words.decode()) <= _numbers(spdx) else None
    return None


def _numbers(said: str) -> set[str]:
    """The versions that are said, `2` for `2.0`: `GPL v9` is no licence that is known. Years are left out."""
    return {number.removesuffix(".0") for number in re.findall(r"\d+(?:\.\d+)*", said) if not _YEAR.fullmatch(number)}
