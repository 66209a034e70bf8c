"""The shapes of addresses, handles and numbers: from where in a document to where one may reach.

Kernels take the bytes of a batch, `data`, and the bounds `lo` and `hi` of the document in it. They accept what a judge
would refuse, never the reverse, and look at a bounded number of bytes.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.pii.characters import (
    CLASSES,
    DIGIT,
    HEXADECIMAL,
    HIGH,
    LOCAL,
    LOWER,
    UPPER,
    WORD,
    digit,
    dot,
    in_class,
    joined_before,
    latin_tail,
    separator,
)
from pipeline.pii.issuers import BBAN

LOCAL_MAX = 64  # octets of the part before `@` (RFC 5321, 4.5.3.1.1)
DOMAIN_MAX = 255  # octets of a domain (RFC 5321, 4.5.3.1.2)


def _account_lengths() -> npt.NDArray[np.int64]:
    """Characters of an IBAN by country, at 26 × first letter + second letter; 0: the country has none."""
    table = np.zeros(26 * 26, dtype=np.int64)
    for country, parts in BBAN.items():
        table[26 * (ord(country[0]) - 65) + ord(country[1]) - 65] = 4 + sum(length for length, _ in parts)
    return table


ACCOUNT_LENGTHS = _account_lengths()


@njit(cache=True, nogil=True)
def email_bounds(data: np.ndarray, at: int, lo: int, hi: int) -> tuple[int, int]:
    """The bounds of what may be an address around the `@` at `at`; (-1, -1) if it is none.

    Scripts without spaces write on directly before and after an address, so a part that is ASCII or Latin next to the
    `@` ends where another script begins.
    """
    if not (in_class(data, at - 1, lo, hi, LOCAL | HIGH) and in_class(data, at + 1, lo, hi, WORD)):
        return -1, -1
    any_script = data[at - 1] >= 0x80 and not latin_tail(data, at - 1, lo)
    start = at
    while start > lo and at - start <= LOCAL_MAX:
        byte = data[start - 1]
        if byte >= 0x80 and not any_script:
            if not latin_tail(data, start - 1, lo):
                break
            start -= 2
        elif CLASSES[byte] & (LOCAL | HIGH):
            start -= 1
        else:
            break
    while start < at and 0x80 <= data[start] < 0xC0:
        start += 1
    any_script = data[at + 1] >= 0x80 and not (0xC3 <= data[at + 1] <= 0xC9)
    end, dots = at + 1, 0
    while end < hi and end - at <= DOMAIN_MAX:
        byte = data[end]
        if byte == 0x2E:
            if not in_class(data, end + 1, lo, hi, WORD):
                break
            if data[end + 1] >= 0x80 and not any_script and not (0xC3 <= data[end + 1] <= 0xC9):
                break
            dots += 1
            end += 1
        elif byte >= 0x80 and not any_script:
            if not 0xC3 <= byte <= 0xC9:
                break
            end += 2
        elif CLASSES[byte] & WORD or byte == 0x2D or byte == 0x5F:
            end += 1
        else:
            break
    end = min(end, hi)
    if dots == 0 or at - start > LOCAL_MAX or end - at > DOMAIN_MAX:
        return -1, -1
    return start, end


@njit(cache=True, nogil=True)
def _mail_sign(data: np.ndarray, i: int, lo: int, hi: int) -> int:
    """Bytes of the letter, digit, `.`, `-`, `_` or `+` at `i`, ASCII or full width; 0 if there is none."""
    if not lo <= i < hi:
        return 0
    byte = data[i]
    if byte < 0x80:
        return 1 if CLASSES[byte] & (DIGIT | UPPER | LOWER) or byte in (0x2E, 0x2D, 0x5F, 0x2B) else 0
    if byte != 0xEF or i + 2 >= hi:
        return 0
    third = data[i + 2]
    if data[i + 1] == 0xBD:
        return 3 if 0x81 <= third <= 0x9A else 0
    if data[i + 1] != 0xBC:
        return 0
    return 3 if 0x90 <= third <= 0x99 or 0xA1 <= third <= 0xBA or third in (0x8B, 0x8D, 0x8E, 0xBF) else 0


@njit(cache=True, nogil=True)
def wide_email_bounds(data: np.ndarray, at: int, size: int, lo: int, hi: int) -> tuple[int, int]:
    """The bounds of what may be an address, some of it in full width, around the `@` of `size` bytes at `at`; (-1, -1)
    if it is none."""
    start, signs = at, 0
    while signs <= LOCAL_MAX:
        step = 3 if _mail_sign(data, start - 3, lo, start) == 3 else _mail_sign(data, start - 1, lo, start)
        if step == 0:
            break
        start -= step
        signs += 1
    end, length, dots = at + size, 0, 0
    while length <= DOMAIN_MAX:
        step = _mail_sign(data, end, lo, hi)
        if step == 0:
            break
        dots += dot(data, end, hi) > 0
        end += step
        length += 1
    if signs == 0 or dots == 0 or signs > LOCAL_MAX or length > DOMAIN_MAX:
        return -1, -1
    return start, end


@njit(cache=True, nogil=True)
def handle_end(data: np.ndarray, at: int, lo: int, hi: int) -> int:
    """End of the handle behind the `@` at `at`, or -1: letters, digits and `_`, with single `.` and `-` between."""
    if at > lo:
        before = data[at - 1]
        if before == 0x40 or before == 0x5C or (before != 0x27 and CLASSES[before] & (LOCAL | DIGIT)):
            return -1
        if before >= 0x80 and latin_tail(data, at - 1, lo):
            return -1
    end, letters = at + 1, 0
    while end < hi and end - at <= 41:
        if CLASSES[data[end]] & (DIGIT | UPPER | LOWER) or data[end] == 0x5F:
            letters += (CLASSES[data[end]] & (UPPER | LOWER)) != 0
        elif not (
            (data[end] == 0x2E or data[end] == 0x2D)
            and end > at + 1
            and in_class(data, end + 1, lo, hi, DIGIT | UPPER | LOWER)
        ):
            break
        end += 1
    if letters == 0 or end - at < 3 or end - at > 41:
        return -1
    if end < hi:
        after = data[end]
        if after == 0x2F or after == 0x40 or after == 0x28 or after == 0x7B or after == 0x3D or after == 0x5B:
            return -1
        if after == 0x3A and in_class(data, end + 1, lo, hi, WORD):
            return -1
    return end


@njit(cache=True, nogil=True)
def ip4_end(data: np.ndarray, start: int, lo: int, hi: int) -> int:
    """End of exactly four dotted numbers of up to three digits, of any script, that begin at `start`, or -1."""
    if start > lo and joined_before(data, start, lo):
        return -1
    i, groups = start, 0
    while True:
        digits = 0
        while i < hi:
            size = digit(data, i, hi)
            if size == 0:
                break
            digits += 1
            i += size
            if digits > 3:
                return -1
        if digits == 0:
            return -1
        groups += 1
        if groups == 4:
            break
        size = dot(data, i, hi)
        if size == 0:
            return -1
        i += size
    if i < hi and (CLASSES[data[i]] & (UPPER | LOWER) or data[i] == 0x5F):
        return -1
    size = dot(data, i, hi)
    if size and i + size < hi and (CLASSES[data[i + size]] & (UPPER | LOWER) or digit(data, i + size, hi)):
        return -1
    return i


@njit(cache=True, nogil=True)
def _group_before(data: np.ndarray, start: int, lo: int) -> bool:
    """Whether `:` stands before `start`, and before it one more group of an address, not a word."""
    if data[start - 1] != 0x3A:
        return False
    i = start - 1
    while i > lo and start - i < 8 and CLASSES[data[i - 1]] & HEXADECIMAL:
        i -= 1
    word = i > lo and (data[i - 1] >= 0x80 or CLASSES[data[i - 1]] & (UPPER | LOWER))
    return start - 1 - i <= 4 and not word


@njit(cache=True, nogil=True)
def ip6_bounds(data: np.ndarray, colon: int, lo: int, hi: int) -> tuple[int, int]:
    """Bounds of what may be an IPv6 address whose first `:` is at `colon`, or (-1, -1).

    Global addresses begin with 2 or 3 and have four digits there; `fe80` and `::ffff:` (IPv4-mapped) are passed too.
    """
    start = colon
    while start > lo and colon - start < 4 and CLASSES[data[start - 1]] & HEXADECIMAL:
        start -= 1
    if start == colon:
        if colon + 8 > hi or data[colon + 1] != 0x3A or data[colon + 6] != 0x3A or data[colon + 2] | 0x20 != 0x66:
            return -1, -1
    elif colon - start != 4 or data[start] | 0x20 not in (0x32, 0x33, 0x66):
        return -1, -1
    if start > lo and (_group_before(data, start, lo) or joined_before(data, start, lo)):
        return -1, -1
    i, colons, double = colon, 0, False
    while i < hi and i - start <= 46 and (CLASSES[data[i]] & HEXADECIMAL or data[i] == 0x3A or data[i] == 0x2E):
        if data[i] == 0x3A:
            colons += 1
            double |= i > lo and data[i - 1] == 0x3A
        i += 1
    while i > colon and (data[i - 1] == 0x2E or (data[i - 1] == 0x3A and data[i - 2] != 0x3A)):
        colons -= data[i - 1] == 0x3A
        i -= 1
    if i - start > 45 or (colons < 7 and not (double and colons >= 2)):
        return -1, -1
    if i < hi and (CLASSES[data[i]] & (DIGIT | UPPER | LOWER) or data[i] == 0x5F):
        return -1, -1
    return start, i


@njit(cache=True, nogil=True)
def iban_end(data: np.ndarray, start: int, lo: int, hi: int) -> int:
    """End of an IBAN of its country's length, in capitals or small letters, with single separators; -1 for none."""
    if start + 15 > hi or not (CLASSES[data[start + 2]] & DIGIT and CLASSES[data[start + 3]] & DIGIT):
        return -1
    if not CLASSES[data[start + 1]] & (UPPER | LOWER):
        return -1
    length = ACCOUNT_LENGTHS[26 * ((data[start] | 0x20) - 0x61) + (data[start + 1] | 0x20) - 0x61]
    if length == 0 or (start > lo and CLASSES[data[start - 1]] & (DIGIT | UPPER | LOWER)):
        return -1
    i, count = start + 4, 4
    while i < hi:
        if CLASSES[data[i]] & (DIGIT | UPPER | LOWER):
            if count == length:
                return -1
            count += 1
            i += 1
            if count == length and (i == hi or not CLASSES[data[i]] & (DIGIT | UPPER | LOWER)):
                return i
        else:
            size = separator(data, i, hi)
            if size == 0 or not CLASSES[data[i - 1]] & (DIGIT | UPPER | LOWER):
                return -1
            i += size
    return -1


@njit(cache=True, nogil=True)
def digit_row(data: np.ndarray, start: int, hi: int) -> tuple[int, int, bool]:
    """The row of digits with up to three separators between that begins at `start`: end, digits, whether it has the
    form of a decimal fraction, `123.4567`."""
    i, last, digits, apart, separators, dots = start, start, 0, 0, 0, 0
    while i < hi:
        size = digit(data, i, hi)
        if size:
            digits += 1
            i += size
            last, apart = i, 0
            continue
        size = separator(data, i, hi)
        if size == 0 or apart == 3:
            break
        dots += data[i] == 0x2E
        separators += 1
        apart += 1
        i += size
    return last, digits, separators - apart == 1 and dots - (data[last] == 0x2E if last < hi else 0) == 1


@njit(cache=True, nogil=True)
def number_may_end(data: np.ndarray, end: int, hi: int) -> bool:
    """Whether a telephone number could end at `end`: no letter or digit follows, as in hashes, but for one that may
    begin an extension (`x`, `ext`) or a marker (`PI:`)."""
    if end >= hi or not (CLASSES[data[end]] & (DIGIT | UPPER | LOWER) or data[end] == 0x5F):
        return True
    return data[end] in (0x78, 0x65, 0x50)


@njit(cache=True, nogil=True)
def encoded_plus(data: np.ndarray, i: int, lo: int) -> bool:
    """Whether `%2B`, a `+` in the address of a page, stands right before `i`."""
    return i - 3 >= lo and data[i - 3] == 0x25 and data[i - 2] == 0x32 and data[i - 1] | 0x20 == 0x62


@njit(cache=True, nogil=True)
def identifier_run(data: np.ndarray, start: int, hi: int) -> tuple[int, int, int]:
    """The run of ASCII letters and digits with single `-`, `.`, `/`, `+` or space before a digit: end, digits, all."""
    i, digits, total = start, 0, 0
    while i < hi:
        byte = data[i]
        if CLASSES[byte] & (DIGIT | UPPER | LOWER):
            digits += (CLASSES[byte] & DIGIT) != 0
            total += 1
        elif not (
            (byte == 0x2D or byte == 0x2E or byte == 0x2F or byte == 0x20 or byte == 0x2B or byte == 0x3A)
            and digits > 0
            and i + 1 < hi
            and CLASSES[data[i + 1]] & (DIGIT | UPPER)
            and CLASSES[data[i - 1]] & (DIGIT | UPPER)
        ):
            break
        i += 1
    return i, digits, total
