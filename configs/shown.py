"""How names that others chose are shown on a terminal: on one line, without control characters, not too long.

A file, a key or a language may be called anything: escape sequences that repaint the terminal, line breaks that forge
a message, marks that turn the direction of text, half a surrogate pair. Such characters are shown as escapes.
"""

import unicodedata
from collections.abc import Sequence

LONGEST = 300
MOST = 10
_ESCAPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
"""Zero-width joiners: format characters that Persian and the scripts of India need."""


def shown(value: object, longest: int = LONGEST) -> str:
    """A name or message as it may be printed: control characters as escapes, long ones without their middle."""
    text = str(value)
    if len(text) > longest:
        text = f"{text[: longest * 2 // 3]}…{text[-longest // 3 :]}"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _ESCAPED and c not in _JOINERS else c for c in text)


def shown_lines(value: object, longest: int = 20_000) -> str:
    """A message of several lines: as `shown`, except for the line breaks, which are ours."""
    return "\n".join(shown(line, longest) for line in str(value)[: 4 * longest].split("\n"))


def shown_list(names: Sequence[object], most: int = MOST) -> str:
    """Names joined by commas, the first few of many and how many more there are."""
    first = ", ".join(shown(name, 80) for name in names[:most])
    return f"{first} and {len(names) - most:,} more" if len(names) > most else first


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
