"""The kernels behind `governance.licence_comments`: which bytes of a file are comments, and what words they hold.

Strings are skipped: what they hold is data, even where it looks like a comment. All are linear in the text.
"""

import numpy as np
from numba import njit

SLASH, HASH, DASH, TRIPLE, LUA, RUBY, CHARACTERS, BACKTICK, PLAIN, NESTED = (1 << bit for bit in range(10))
"""What a language has: `//` and `/* */`; `#`; `--`; triple quotes; `--[[ ]]`; `=begin`; `'x'` is one character; strings
in backticks; no code at all, as in a licence file; comments within comments."""

RUST, CPP, VERBATIM, HEREDOC, DIRECTIVES = (1 << bit for bit in range(10, 15))
"""Strings of its own: `r#"…"#`; `R"x(…)x"`; `@"…"`; here-documents; `'use strict'`, which is no code yet."""

_ALWAYS = 1 << 15
_BEGINNINGS = np.zeros(256, np.uint16)
"""Syntaxes in which a byte of code may begin a comment, a string or a line."""
for _bytes, _syntax in (
    (b"\r\n<\"'", _ALWAYS), (b"/", SLASH), (b"#", HASH), (b"-", DASH), (b"`", BACKTICK), (b"=%", RUBY), (b"[", LUA),
    (b"r", RUST), (b"R", CPP), (b"@", VERBATIM),
):  # fmt: skip
    _BEGINNINGS[list(_bytes)] = _syntax


@njit(cache=True, nogil=True, inline="always")
def _is_word(byte: int) -> bool:
    """Whether a byte is an ASCII letter or digit."""
    return 97 <= byte <= 122 or 65 <= byte <= 90 or 48 <= byte <= 57


@njit(cache=True, nogil=True, inline="always")
def _byte_at(data: np.ndarray, at: int) -> int:
    """The byte at a place; 0 outside the text."""
    return int(data[at]) if 0 <= at < len(data) else 0


@njit(cache=True, nogil=True)
def _behind(data: np.ndarray, at: int, first: int, second: int, count: int, third: int) -> int:
    """Where a string ends that is closed by `first`, `count` times `second` and, if not 0, `third`."""
    size = len(data)
    while at < size:
        if data[at] == first:
            end = at + 1
            while end < size and end - at - 1 < count and data[end] == second:
                end += 1
            if end - at - 1 == count and (third == 0 or _byte_at(data, end) == third):
                return end + (third != 0)
        at += 1
    return size


@njit(cache=True, nogil=True)
def _string_end(data: np.ndarray, at: int, syntax: int) -> int:
    """Where a string ends that a language has for itself and that begins at `at`; 0: none does."""
    byte, following = data[at], _byte_at(data, at + 1)
    if syntax & RUST and byte == 114 and not _is_word(_byte_at(data, at - 1)):  # r#"…"#
        end = at + 1
        while _byte_at(data, end) == 35:
            end += 1
        if _byte_at(data, end) == 34:
            return _behind(data, end + 1, 34, 35, end - at - 1, 0)
    if syntax & CPP and byte == 82 and following == 34:  # R"x(…)x"
        end = at + 2
        while end < at + 19 and _byte_at(data, end) != 40:
            end += 1
        if _byte_at(data, end) != 40:
            return 0
        width = end - at - 2
        start = end + 1
        while start < len(data):
            if data[start] == 41 and _byte_at(data, start + 1 + width) == 34:
                same = True
                for place in range(width):
                    same &= _byte_at(data, start + 1 + place) == data[at + 2 + place]
                if same:
                    return start + width + 2
            start += 1
        return len(data)
    if (
        syntax & VERBATIM and byte == 64 and (following == 34 or (following == 36 and _byte_at(data, at + 2) == 34))
    ):  # @"…""…"
        end = at + 2 + (following == 36)
        while end < len(data):
            if data[end] == 34:
                if _byte_at(data, end + 1) != 34:
                    return end + 1
                end += 1
            end += 1
        return end
    if syntax & RUBY and byte == 37 and (following == 113 or following == 81) and not _is_word(_byte_at(data, at - 1)):
        opening = _byte_at(data, at + 2)  # %q{…}
        closing = (
            125 if opening == 123 else 93 if opening == 91 else 41 if opening == 40 else 62 if opening == 60 else 0
        )
        if closing == 0:
            return 0
        depth, end = 1, at + 3
        while end < len(data) and depth:
            if data[end] == opening:
                depth += 1
            elif data[end] == closing:
                depth -= 1
            end += 1 + (data[end] == 92)
        return end
    if syntax & LUA and byte == 91 and (following == 91 or following == 61):  # [[…]], [=[…]=]
        end = at + 1
        while _byte_at(data, end) == 61:
            end += 1
        if _byte_at(data, end) == 91:
            return _behind(data, end + 1, 93, 61, end - at - 1, 93)
    return 0


@njit(cache=True, nogil=True)
def _heredoc_end(data: np.ndarray, at: int, reach: int) -> int:
    """Where a here-document ends that begins at `at` with `<<`; 0: none does within `reach` bytes."""
    start = at + 2
    php = _byte_at(data, start) == 60
    start += php
    if _byte_at(data, start) == 45 or _byte_at(data, start) == 126:  # <<-, <<~
        start += 1
    while php and _byte_at(data, start) == 32:
        start += 1
    quoted = _byte_at(data, start) == 34 or _byte_at(data, start) == 39
    start += quoted
    end = start
    while _is_word(_byte_at(data, end)) or _byte_at(data, end) == 95:
        end += 1
    width = end - start
    if width == 0 or not (quoted or php or 65 <= data[start] <= 90):
        return 0
    stop = min(len(data), end + reach)
    while end < stop:
        if data[end] == 10:
            line = end + 1
            while _byte_at(data, line) == 32 or _byte_at(data, line) == 9:
                line += 1
            same = not _is_word(_byte_at(data, line + width))
            for place in range(width):
                same = same and _byte_at(data, line + place) == data[start + place]
            if same:
                return line + width
        end += 1
    return 0


@njit(cache=True, nogil=True)
def _line_ends(data: np.ndarray, at: int) -> bool:
    """Whether nothing but what frames a comment stands before the end of the line, so far as that is near."""
    stop = min(len(data), at + 160)
    while at < stop and (data[at] == 32 or data[at] == 42 or data[at] == 35 or data[at] == 124):
        at += 1
    return at >= stop or data[at] == 10 or data[at] == 13


@njit(cache=True, nogil=True)
def _put_letter(words: np.ndarray, length: int, data: np.ndarray, at: int) -> int:
    """Write one byte of a character beyond ASCII: letters as they are, in lower case, punctuation as ASCII's."""
    byte, second, third = int(data[at]), _byte_at(data, at + 1), _byte_at(data, at + 2)
    last = words[length - 1] if length else 10
    if byte < 0xC0:  # the rest of a character
        if last < 128:
            return length
        if (last == 0xC3 and byte <= 0x9E) or (data[at - 1] == 0xD0 and 0x90 <= byte <= 0x9F):
            byte += 32
        elif data[at - 1] == 0xD0 and 0xA0 <= byte <= 0xAF:
            byte -= 32
        words[length] = byte
        return length + 1
    mark = 32
    if byte == 0xE2 and second == 0x80 and 0x98 <= third <= 0x9E:
        if third <= 0x99 and _is_word(_byte_at(data, at - 1)) and _is_word(_byte_at(data, at + 3)):
            return length  # isn’t → isnt
        mark = 34
    elif (byte == 0xC2 and (second == 0xAB or second == 0xBB)) or (
        byte == 0xE3 and second == 0x80 and 0x8C <= third <= 0x8F
    ):
        mark = 34
    elif byte == 0xE3 and second == 0x80 and third == 0x82:
        mark = 46
    elif byte == 0xEF and second == 0xBC:
        mark = 58 if third == 0x9A else 40 if third == 0x88 else 41 if third == 0x89 else 32
    elif byte != 0xC2 and byte != 0xE2 and byte < 0xEF and not (byte == 0xE3 and second == 0x80):
        words[length] = 0xD1 if byte == 0xD0 and 0xA0 <= second <= 0xAF else byte
        return length + 1
    if mark != 32:
        words[length] = mark
        length += 1
        last = mark
    if (mark == 32 or mark == 46) and last != 32 and last != 124 and last != 10:
        words[length] = 32
        length += 1
    return length


@njit(cache=True, nogil=True)
def _put(words: np.ndarray, length: int, data: np.ndarray, at: int) -> int:
    """Write one byte of a comment, as what it is among words; returns the new length."""
    byte = data[at]
    last = words[length - 1] if length else 10
    blank = last == 32 or last == 124 or last == 10
    if byte == 10 or (byte == 13 and _byte_at(data, at + 1) != 10):  # a line ends
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
    before, after = _is_word(_byte_at(data, at - 1)), _is_word(_byte_at(data, at + 1))
    kept = False
    if byte >= 128:
        return _put_letter(words, length, data, at)
    if byte == 45 or byte == 43:  # - +
        kept = before and (after or byte == 43 or _line_ends(data, at + 1))
    elif byte == 124:  # | between the parts of a banner
        kept = last == 32 and length > 1 and words[length - 2] != 124 and not _line_ends(data, at + 1)
        if kept:
            length -= 1
    elif byte == 46 or byte == 33 or byte == 63:  # . ! ?
        kept = before or last == 41 or last == 34
    elif byte == 47:  # /
        kept = (before or _byte_at(data, at - 1) == 47 or _byte_at(data, at - 1) == 58) and not blank
    elif byte == 58 or byte == 59:  # : ;
        kept = not blank
    elif byte == 64:  # @
        kept = after
    elif byte == 34 or byte == 96 or byte == 40 or byte == 41:  # " ` ( )
        kept = before or after or last == 41 or last == 34 or _byte_at(data, at + 1) == 34 or byte == 41
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
def words_of(data: np.ndarray, syntax: int, words: np.ndarray) -> tuple[int, int]:
    """Write the words of comments to `words`; returns their bytes, and those of them before the first code."""
    slash, hashes, dash = (syntax & SLASH) != 0, (syntax & HASH) != 0, (syntax & DASH) != 0
    nested, heredoc, directives = (syntax & NESTED) != 0, (syntax & HEREDOC) != 0, (syntax & DIRECTIVES) != 0
    triple, lua, ruby = (syntax & TRIPLE) != 0, (syntax & LUA) != 0, (syntax & RUBY) != 0
    character, backtick = (syntax & CHARACTERS) != 0, (syntax & BACKTICK) != 0
    size, length, head, at = len(data), 0, -1, 0
    beginnings = np.uint16(syntax | _ALWAYS)
    if syntax & PLAIN:
        while at < size:
            length = _put(words, length, data, at)
            at += 1
        return length, length
    line_start = True
    reach = 4 * size  # how far ends of here-documents may be looked for in vain, in all
    if _byte_at(data, 0) == 35 and _byte_at(data, 1) == 33 and _byte_at(data, 2) != 91:  # #!/usr/bin/env
        while at < size and data[at] != 10:
            at += 1
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
        if head >= 0 and not _BEGINNINGS[byte] & beginnings:  # most bytes of code
            length = _break(words, length)
            line_start = False
            while at < size and not _BEGINNINGS[data[at]] & beginnings:
                at += 1
            continue
        following = _byte_at(data, at + 1)
        start, end_a, end_b = -1, 0, 0  # of a comment, and the two bytes that end it; 0: the line's end
        if slash and byte == 47 and following == 47:
            start = at + 2
        elif slash and byte == 47 and following == 42:
            start, end_a, end_b = at + 2, 42, 47
        elif dash and byte == 45 and following == 45:
            start = at + 2
            if lua and _byte_at(data, at + 2) == 91 and (_byte_at(data, at + 3) == 91 or _byte_at(data, at + 3) == 61):
                start, end_a, end_b = at + 4, 93, 93
                if _byte_at(data, at + 3) == 61:
                    end_a = 61
        elif hashes and byte == 35:
            start = at + 1
        elif ruby and line_start and byte == 61 and following == 98 and _byte_at(data, at + 2) == 101:  # =be(gin)
            start, end_a, end_b = at + 6, 61, 101
        elif byte == 60 and following == 33 and _byte_at(data, at + 2) == 45 and _byte_at(data, at + 3) == 45:
            start, end_a, end_b = at + 4, 45, 45
        elif byte == 60 and following == 63 and line_start and head < 0:  # <?php
            at += 2
            while at < size and _is_word(data[at]):
                at += 1
            continue
        if start >= 0:
            at, depth = start, 0
            if length and words[length - 1] == 32:
                words[length - 1] = 124  # another comment on the same line
            while at < size:
                byte = data[at]
                if _is_word(byte):  # most bytes of comments
                    words[length] = byte | 32
                    length += 1
                    at += 1
                    continue
                if byte == 47 and _byte_at(data, at + 1) == 42 and length and words[length - 1] == 32:
                    words[length - 1] = 124  # a comment begins within this one
                if end_a == 0:
                    if byte == 10 or byte == 13:
                        break
                elif nested and byte == 47 and _byte_at(data, at + 1) == 42:
                    depth += 1
                elif depth and byte == 42 and _byte_at(data, at + 1) == 47:
                    depth -= 1
                    if length and words[length - 1] == 32:
                        words[length - 1] = 124  # what follows is said apart from it
                elif byte == end_a and _byte_at(data, at + 1) == end_b and (end_b != 101 or data[at - 1] == 10):
                    at += 2
                    break
                length = _put(words, length, data, at)
                at += 1
            if length and words[length - 1] != 10 and words[length - 1] != 124 and words[length - 1] != 32:
                words[length] = 32
                length += 1
            line_start = False
            continue
        if triple and hashes and head < 0 and line_start and _is_word(byte) and _byte_at(data, at + 2) == following:
            quoted = following == 34 or following == 39
            if (
                quoted
                and (byte == 114 or byte == 82 or byte == 117 or byte == 85)
                and _byte_at(data, at + 3) == following
            ):
                at += 1  # r"""…"""
                continue
        if triple and (byte == 34 or byte == 39) and following == byte and _byte_at(data, at + 2) == byte:
            opens = head < 0 and hashes
            at += 3
            while at < size and not (
                data[at] == byte and _byte_at(data, at + 1) == byte and _byte_at(data, at + 2) == byte
            ):
                if opens:
                    length = _put(words, length, data, at)
                at += 1 + (data[at] == 92 and not opens)
            at += 3
            line_start = False
            if not opens and head < 0:
                head = length
            continue
        if directives and head < 0 and line_start and (byte == 34 or byte == 39) and following == 117:  # 'use strict';
            at += 1
            while at < size and data[at] != byte and data[at] != 10:
                at += 1
            at += 1 + (_byte_at(data, at + 1) == 59)
            continue
        length = _break(words, length)
        if head < 0:
            head = length
        line_start = False
        end = _string_end(data, at, syntax)
        if end:
            at = end
            continue
        if heredoc and byte == 60 and following == 60 and reach > 0:
            end = _heredoc_end(data, at, reach)
            if end:
                at = end
                continue
            reach -= min(size - at, reach)
            at += 2
            continue
        if character and byte == 39:
            if following == 92 and _byte_at(data, at + 3) == 39:
                at += 4
            elif _byte_at(data, at + 2) == 39:
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
