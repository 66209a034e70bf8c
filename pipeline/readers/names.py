"""Names of files and members as people can read them, whatever bytes they are made of."""

import re

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, marks that change the direction of what follows, and bytes that are not UTF-8."""

VISIBLE_CHARACTERS_MAX = 2000


def visible(name: str) -> str:
    r"""A name in which nothing hides: control characters, and bytes that are not UTF-8, as `\x0a` and the like.

    Bytes that are no UTF-8 are those that Python's `surrogateescape` brought in. Raises nothing.
    """
    if len(name) > VISIBLE_CHARACTERS_MAX:
        name = f"{name[:VISIBLE_CHARACTERS_MAX]}…"
    return _HIDDEN.sub(_escape, name)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
