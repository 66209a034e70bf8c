"""Which script the entries of a vocabulary are written in."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import re2

PARTIAL, SPECIAL, SEVERAL, DIGITS, SPACE, SIGNS, OTHER = (
    "part of a character",
    "special token",
    "several scripts",
    "digits",
    "white space",
    "punctuation and symbols",
    "another script",
)
"""What an entry is where it is not all in one script."""

SCRIPTS = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Georgian", "Hebrew", "Arabic", "Syriac", "Thaana", "Nko", "Devanagari",
    "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao",
    "Tibetan", "Myanmar", "Khmer", "Mongolian", "Ethiopic", "Tifinagh", "Vai", "Adlam", "Cherokee",
    "Canadian_Aboriginal", "Han", "Hiragana", "Katakana", "Bopomofo", "Hangul", "Yi",
)  # fmt: skip
"""Names of the Unicode property Script that RE2 knows and that text is likely to hold."""

_PATTERN = re2.compile("|".join(rf"(\p{{{name}}})" for name in SCRIPTS))


@lru_cache(1 << 16)
def script_of(character: str) -> str | None:
    """Script of a letter or mark, one of `SCRIPTS` or `OTHER`; None for digits, signs, and what scripts share."""
    category = unicodedata.category(character)
    if category[0] not in "LM":
        return None
    found = _PATTERN.fullmatch(character)
    if found:
        return SCRIPTS[found.lastindex - 1].replace("_", " ")
    return OTHER if category in ("Lu", "Ll", "Lt", "Lo") else None


def kind_of_entry(entry: bytes | None) -> str:
    """The script of an entry's letters, or what else it is; a byte-level entry may be no whole character."""
    if entry is None:
        return SPECIAL
    try:
        text = entry.decode()
    except UnicodeDecodeError:
        return PARTIAL
    found = {script for script in map(script_of, text) if script}
    if found:
        return found.pop() if len(found) == 1 else SEVERAL
    if any(character.isnumeric() for character in text):
        return DIGITS
    return SPACE if not text.strip() else SIGNS


def entries_by_script(entries: Iterable[bytes | None]) -> dict[str, int]:
    """Number of entries of each kind, the most frequent first."""
    return dict(sorted(Counter(map(kind_of_entry, entries)).items(), key=lambda item: (-item[1], item[0])))
