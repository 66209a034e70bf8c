"""Names of character encodings that a source may have."""

import codecs

_NO_CHARSETS = frozenset(("idna", "punycode", "undefined", "raw-unicode-escape", "unicode-escape", "utf-7"))


def text_encoding(name: str) -> str | None:
    """Python's name of a character encoding; None for what is unknown, or a codec of Python's that is no charset."""
    try:
        codec = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        return None
    canonical = codec.name.replace("_", "-")
    return canonical if codec._is_text_encoding and canonical not in _NO_CHARSETS else None
