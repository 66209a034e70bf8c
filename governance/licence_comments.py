"""The comments of a source file, reduced to words: what a licence notice is looked for in.

A notice speaks in a comment; in a string it is data (a licence chooser, a test of a scanner). So strings are passed
over, but for the string that opens a Python file. What is left is written as lower-case words with the decoration of
comments gone, so that one phrase fits a notice however it is wrapped and framed.
"""

import numpy as np
from numba import njit

SLASH, HASH, DASH, TRIPLE, LUA, RUBY, CHARACTERS, BACKTICK, PLAIN = (1 << bit for bit in range(9))
"""What a language has: `//` and `/* */`; `#`; `--`; triple quotes; `--[[ ]]`; `=begin`; `'x'` is one character; strings
in backticks; no code at all, as in a licence file."""

SYNTAX = {
    "c": SLASH | CHARACTERS, "cpp": SLASH | CHARACTERS, "csharp": SLASH | CHARACTERS,
    "java": SLASH | CHARACTERS | TRIPLE,
    "go": SLASH | CHARACTERS | BACKTICK, "rust": SLASH | CHARACTERS, "scala": SLASH | CHARACTERS | TRIPLE,
    "javascript": SLASH | BACKTICK, "typescript": SLASH | BACKTICK, "php": SLASH | HASH, "python": HASH | TRIPLE,
    "ruby": HASH | RUBY, "lua": DASH | LUA,
}  # fmt: skip
ANY = SLASH | HASH | DASH
"""Of a language that is not in the table."""

BLOCK, LINE = "\n", "|"
"""In the words: code stood between; a line ended (twice: a line was blank)."""


def comment_words(data: bytes | np.ndarray, syntax: int) -> tuple[bytes, int]:
    """The words of a file's comments, and how many bytes of them stand before its first code.

    Words are `a–z`, digits and what holds them together (`-`, `+`, `.`, `/`, `@`, `:`), in between one of: a space, `|`
    where a line ends, a line feed where code stood between. Quotes and parentheses are kept where a word begins or
    ends, full stops where a sentence does. Linear in the input.
    """
    source = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    words = np.empty(len(source) * 2 + 16, np.uint8)
    length, head = _words(source, syntax, words)
    return words[:length].tobytes(), head


@njit(cache=True, nogil=True, inline="always")
def _is_word(byte: int) -> bool:
    return 97 <= byte <= 122 or 65 <= byte <= 90 or 48 <= byte <= 57


@njit(cache=True, nogil=True, inline="always")
def _at(data: np.ndarray, at: int) -> int:
    return data[at] if 0 <= at < len(data) else 0


@njit(cache=True, nogil=True)
def _put(words: np.ndarray, length: int, data: np.ndarray, at: int) -> int:
    """Write one byte of a comment, as what it is among words; returns the new length."""
    byte = data[at]
    last = words[length - 1] if length else 10
    blank = last == 32 or last == 124 or last == 10
    if byte == 10 or (byte == 13 and _at(data, at + 1) != 10):  # a line ends
        if last == 32:
            length -= 1
            last = words[length - 1] if length else 10
        double = last == 124 and length > 1 and words[length - 2] == 124
        if last != 10 and not double:
            words[length] = 124
            length += 1
        return length
    if _is_word(byte):
        words[length] = byte + 32 if 65 <= byte <= 90 else byte
        return length + 1
    before, after = _is_word(_at(data, at - 1)), _is_word(_at(data, at + 1))
    kept = False
    if byte == 45 or byte == 43:  # - +
        kept = before and (after or byte == 43)
    elif byte == 46 or byte == 33 or byte == 63:  # . ! ?
        kept = before or last == 41 or last == 34
    elif byte == 47:  # /
        kept = (before or _at(data, at - 1) == 47 or _at(data, at - 1) == 58) and not blank
    elif byte == 58 or byte == 59:  # : ;
        kept = not blank
    elif byte == 64:  # @
        kept = after
    elif byte == 34 or byte == 96 or byte == 40 or byte == 41:  # " ` ( )
        kept = before or after or last == 41 or last == 34 or _at(data, at + 1) == 34 or byte == 41
        byte = 34 if byte == 96 else byte
    elif byte == 39:  # '
        if before and after:
            return length  # isn't → isnt
        kept, byte = after or before, 34
    if kept:
        words[length] = byte
        return length + 1
    if not blank:
        words[length] = 32
        length += 1
    return length


@njit(cache=True, nogil=True)
def _break(words: np.ndarray, length: int) -> int:
    """Note that code stands between two comments."""
    while length and (words[length - 1] == 32 or words[length - 1] == 124):
        length -= 1
    if length and words[length - 1] != 10:
        words[length] = 10
        length += 1
    return length


@njit(cache=True, nogil=True)
def _words(data: np.ndarray, syntax: int, words: np.ndarray) -> tuple[int, int]:
    slash, hashes, dash = (syntax & 1) != 0, (syntax & 2) != 0, (syntax & 4) != 0
    triple, lua, ruby, character, backtick = (
        (syntax & 8) != 0, (syntax & 16) != 0, (syntax & 32) != 0, (syntax & 64) != 0, (syntax & 128) != 0,
    )  # fmt: skip
    size, length, head, at = len(data), 0, -1, 0
    if syntax & 256:
        while at < size:
            length = _put(words, length, data, at)
            at += 1
        return length, length
    line_start = True
    while at < size:
        byte = data[at]
        if byte == 10 or byte == 13:
            line_start = True
            if (length and words[length - 1] != 10 and words[length - 1] != 124) or (
                length > 1 and words[length - 1] == 124 and words[length - 2] != 124 and byte == 10
            ):
                words[length] = 124
                length += 1
            at += 1
            continue
        if byte == 32 or byte == 9 or byte == 12 or (byte >= 0xEF and at < 3):
            at += 1
            continue
        following = _at(data, at + 1)
        start, end_a, end_b = -1, 0, 0  # of a comment, and the two bytes that end it; 0: the line's end
        if slash and byte == 47 and following == 47:
            start = at + 2
        elif slash and byte == 47 and following == 42:
            start, end_a, end_b = at + 2, 42, 47
        elif dash and byte == 45 and following == 45:
            start = at + 2
            if lua and _at(data, at + 2) == 91 and (_at(data, at + 3) == 91 or _at(data, at + 3) == 61):
                start, end_a, end_b = at + 4, 93, 93
                if _at(data, at + 3) == 61:
                    end_a = 61
        elif hashes and byte == 35:
            start = at + 1
        elif ruby and line_start and byte == 61 and following == 98 and _at(data, at + 2) == 101:  # =be(gin)
            start, end_a, end_b = at + 6, 61, 101
        elif byte == 60 and following == 33 and _at(data, at + 2) == 45 and _at(data, at + 3) == 45:
            start, end_a, end_b = at + 4, 45, 45
        elif byte == 60 and following == 63 and line_start and head < 0:  # <?php
            at += 2
            while at < size and _is_word(data[at]):
                at += 1
            continue
        if start >= 0:
            at = start
            while at < size:
                byte = data[at]
                if end_a == 0:
                    if byte == 10 or byte == 13:
                        break
                elif byte == end_a and _at(data, at + 1) == end_b and (end_b != 101 or data[at - 1] == 10):
                    at += 2
                    break
                length = _put(words, length, data, at)
                at += 1
            if length and words[length - 1] != 10 and words[length - 1] != 124 and words[length - 1] != 32:
                words[length] = 32
                length += 1
            line_start = False
            continue
        if triple and (byte == 34 or byte == 39) and following == byte and _at(data, at + 2) == byte:
            opens = head < 0 and hashes
            at += 3
            while at < size and not (data[at] == byte and _at(data, at + 1) == byte and _at(data, at + 2) == byte):
                if opens:
                    length = _put(words, length, data, at)
                at += 1 + (data[at] == 92 and not opens)
            at += 3
            line_start = False
            if not opens and head < 0:
                head = length
            continue
        length = _break(words, length)
        if head < 0:
            head = length
        line_start = False
        if character and byte == 39:
            if following == 92 and _at(data, at + 3) == 39:
                at += 4
            elif _at(data, at + 2) == 39:
                at += 3
            else:
                at += 1
            continue
        if byte == 34 or byte == 39 or (backtick and byte == 96):
            at += 1
            while at < size and data[at] != byte:
                if byte != 96 and data[at] == 10:
                    break
                at += 1 + (data[at] == 92)
            at += 1
            continue
        at += 1
    return length, length if head < 0 else head
