"""The comments of a source file, reduced to words: what a licence notice is looked for in.

A notice speaks in a comment; in a string it is data (a licence chooser, a test of a scanner). So strings are
skipped, except for the string that opens a Python file. What is left is written as lower-case words with the decoration
of comments gone, so that one phrase fits a notice however it is wrapped and framed.
"""

import numpy as np

from governance.licence_words import (
    BACKTICK,
    CHARACTERS,
    CPP,
    DASH,
    DIRECTIVES,
    HASH,
    HEREDOC,
    LUA,
    NESTED,
    RUBY,
    RUST,
    SLASH,
    TRIPLE,
    VERBATIM,
    words_of,
)

SYNTAX = {
    "c": SLASH | CHARACTERS, "cpp": SLASH | CHARACTERS | CPP, "csharp": SLASH | CHARACTERS | VERBATIM | TRIPLE,
    "java": SLASH | CHARACTERS | TRIPLE, "go": SLASH | CHARACTERS | BACKTICK,
    "rust": SLASH | CHARACTERS | NESTED | RUST, "scala": SLASH | CHARACTERS | TRIPLE | NESTED,
    "javascript": SLASH | BACKTICK | DIRECTIVES, "typescript": SLASH | BACKTICK | DIRECTIVES,
    "php": SLASH | HASH | HEREDOC, "python": HASH | TRIPLE, "ruby": HASH | RUBY | HEREDOC, "lua": DASH | LUA,
}  # fmt: skip
ANY = SLASH | HASH | DASH
"""Of a language that is not in the table."""

BLOCK, LINE = "\n", "|"
"""In the words: code stood between; a line ended (twice: a line was blank)."""


def comment_words(data: bytes | np.ndarray, syntax: int) -> tuple[bytes, int]:
    """The words of a file's comments, and how many bytes of them stand before its first code.

    Words are lower-case letters (those of other scripts in UTF-8), digits and what holds them together (`-`, `+`, `.`,
    `/`, `@`, `:`), in between one of: a space, `|` where a line or a part of a banner ends, a line feed where code
    stood between. Quotes and parentheses are kept where a word begins or ends, full stops where a sentence does; a
    hyphen at the end of a line stands before its `|`. Linear in the input.
    """
    source = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    words = np.empty(len(source) * 2 + 16, np.uint8)
    length, head = words_of(source, syntax, words)
    return words[:length].tobytes(), head
