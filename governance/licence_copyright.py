"""Files that give licences to paths: Debian's `copyright` (DEP-5), `.reuse/dep5` and `REUSE.toml`.

Of several entries that match a path the last one stands, as both formats say.
"""

import fnmatch
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache

from governance.licence_comments import comment_words
from governance.licence_metadata import said
from governance.licence_names import spdx_of
from governance.licence_notices import UNKNOWN, gnu_id, joined, notice_of
from governance.licence_words import PLAIN

ENTRIES_MAX = 2000
PATTERN_MAX = 500


@dataclass(frozen=True)
class Entry:
    """Paths, the licence they are given, and how it stands to what a file says itself: closest, aggregate, override."""

    pattern: "re.Pattern[str]"
    general: bool
    """Whether it fits every path."""
    licence: str
    precedence: str = "closest"


_DEP5_NAMES = {
    "expat": "MIT", "mit": "MIT", "x11": "X11", "bsd": "BSD-3-Clause", "bsd-2": "BSD-2-Clause", "bsd-3": "BSD-3-Clause",
    "bsd-style": "BSD-3-Clause", "artistic": "Artistic-1.0-Perl", "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
    "public-domain": "LicenseRef-public-domain", "zlib": "Zlib", "python": "PSF-2.0", "psf": "PSF-2.0",
    "cc0": "CC0-1.0", "permissive": "FSFAP", "fsfap": "FSFAP",
}  # fmt: skip
_DEP5_GNU = re.compile(r"(?i)([al]?)gpl(?:-?v?(\d(?:\.\d)?))?(\+|-or-later|-only)?")
_SPLIT = re.compile(r"(?i)\s*(?:,\s*)?(?<=[\s,)])(and/or|or|and)(?=[\s(])\s*|\s*([,|])\s*")
_WITH = re.compile(r"(?i)\s+with\s+.*$|-with-.*$|\s*exception.*$")


def dep5_expression(short: str, text: str = "") -> str | None:
    """The SPDX expression for a DEP-5 licence name (`GPL-2+ or Artistic`); its text tells where the name does not."""
    short = " ".join(short.split())
    if not short:
        return notice_of(*_words(text), plain=True)
    parts, relations = [], []
    at = 0
    for match in _SPLIT.finditer(short):
        parts.append(short[at : match.start()])
        relations.append("OR" if (match[1] or "").lower() in ("or", "and/or") or match[2] == "|" else "AND")
        at = match.end()
    parts.append(short[at:])
    names = [_dep5_name(part.strip(" ()")) for part in parts if part.strip(" ()")]
    if not names or not all(name and name != UNKNOWN for name in names):
        found = notice_of(*_words(text), plain=True) if text.strip() else None
        return found or UNKNOWN
    known = [name for name in names if name]
    if len(known) == 1:
        return known[0]
    if "AND" in relations and "OR" in relations:  # `and` binds closer
        groups: list[list[str]] = [[known[0]]]
        for name, relation in zip(known[1:], relations, strict=False):
            groups[-1].append(name) if relation == "AND" else groups.append([name])
        return joined([joined(group, "AND") for group in groups], "OR")
    return joined(known, relations[0])


def _dep5_name(name: str) -> str | None:
    plain = _WITH.sub("", name)
    if found := _DEP5_NAMES.get(plain.lower()):
        return found
    if match := _DEP5_GNU.fullmatch(plain):
        return gnu_id(f"{match[1].upper()}GPL", match[2] or "", (match[3] or "") in ("+", "-or-later"))
    return spdx_of(name) or spdx_of(plain) or (said(plain) if not plain[:1].isdigit() and "~" not in plain else None)


def _words(text: str) -> tuple[bytes, int]:
    return comment_words(text[: 1 << 16].encode(), PLAIN)


def is_dep5(text: str) -> bool:
    """Whether a copyright file is one for machines."""
    head = text[:4000]
    return bool(re.search(r"(?mi)^files:", text) and re.search(r"(?mi)^(?:format|format-specification|license):", head))


@lru_cache(16)
def dep5_entries(text: str) -> tuple[Entry, ...]:
    """The entries of a DEP-5 file, in its order. The packages of one source have the same file."""
    paragraphs = [_paragraph(part) for part in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n"))[: 2 * ENTRIES_MAX]]
    bodies = {
        entry["license"].split("\n", 1)[0].strip().lower(): entry["license"]
        for entry in paragraphs
        if "license" in entry and "files" not in entry
    }
    entries: list[Entry] = []
    for entry in paragraphs:
        if "files" not in entry or "license" not in entry:
            continue
        short, _, body = entry["license"].partition("\n")
        licence = dep5_expression(short, body or bodies.get(short.strip().lower(), "").partition("\n")[2])
        for pattern in entry["files"].split()[: ENTRIES_MAX - len(entries)]:
            entries.append(Entry(_dep5_pattern(pattern), pattern.rstrip("/") in ("*", "./*"), licence or UNKNOWN))
    return tuple(entries)


def _paragraph(part: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in part.split("\n"):
        if line[:1] in (" ", "\t") and name:
            fields[name] += "\n" + line.strip()
        elif (colon := line.find(":")) > 0 and line[0] != "#":
            name = line[:colon].strip().lower()
            fields[name] = line[colon + 1 :].strip()
    return fields


def _dep5_pattern(pattern: str) -> "re.Pattern[str]":
    pattern = pattern[:PATTERN_MAX].removeprefix("./").rstrip(",")
    return re.compile(fnmatch.translate(re.sub(r"\*+", "*", pattern).replace("[", "[[]")))


def reuse_entries(data: bytes) -> list[Entry]:
    """The annotations of a `REUSE.toml`, in its order; none where it cannot be read."""
    try:
        annotations = tomllib.loads(data.decode("utf-8-sig")).get("annotations", [])
    except (ValueError, RecursionError):
        return []
    entries: list[Entry] = []
    for entry in annotations if isinstance(annotations, list) else []:
        if not isinstance(entry, dict):
            continue
        paths, licences = _list(entry.get("path")), _list(entry.get("SPDX-License-Identifier"))
        if not licences:
            continue
        licence = joined([spdx_of(name) or UNKNOWN for name in licences], "AND")
        precedence = str(entry.get("precedence", "closest"))
        for path in paths[: ENTRIES_MAX - len(entries)]:
            entries.append(Entry(_reuse_pattern(path), path == "**", licence, precedence))
    return entries


def _list(value: object) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _reuse_pattern(path: str) -> "re.Pattern[str]":
    """`*` is all but `/`, `**` everything; a backslash escapes."""
    parts = []
    at = 0
    path = re.sub(r"\*{3,}", "**", path[:PATTERN_MAX])
    while at < len(path):
        if path[at] == "\\" and at + 1 < len(path):
            parts.append(re.escape(path[at + 1]))
            at += 2
        elif path.startswith("**", at):
            parts.append(".*")
            at += 2
        elif path[at] == "*":
            parts.append("[^/]*")
            at += 1
        else:
            parts.append(re.escape(path[at]))
            at += 1
    return re.compile("".join(parts) + r"\Z", re.DOTALL)
