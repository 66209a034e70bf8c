"""One pass over the bytes of a batch that finds where personal data could be.

The sieve knows shapes only: an `@` with a domain behind it, a run of digits, four numbers with dots between them. It
must miss nothing that a judge (`redactor._JUDGES`) would accept, and should pass little else, for what it passes costs
a hundred times as much a byte. Each byte is looked at a bounded number of times, whatever the text.
"""

from collections.abc import Callable, Iterable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from configs.models import PII_KINDS
from pipeline.pii.issuers import BBAN, KEY_STARTS, PASSWORD_STARTS

KEY, EMAIL, USER, IP_ADDRESS, PHONE, IBAN, CREDIT_CARD, NATIONAL_ID = range(len(PII_KINDS))
KEY_START, KEY_URL = len(PII_KINDS), len(PII_KINDS) + 1
"""More kinds of candidates: where a word begins as an issuer's keys do; an address with a password in it."""

DIGIT, UPPER, LOWER, KEY_CHARACTER, LOCAL, HIGH, SEPARATOR, HEXADECIMAL, DIGIT_LEAD = (1 << bit for bit in range(9))
WORD = DIGIT | UPPER | LOWER | HIGH

LOCAL_MAX = 64  # octets of the part before `@` (RFC 5321, 4.5.3.1.1)
DOMAIN_MAX = 255  # octets of a domain (RFC 5321, 4.5.3.1.2)
KEY_MIN, KEY_MAX = 20, 256  # bytes of a secret; longer runs are data
IDENTIFIER_MIN, IDENTIFIER_MAX = 8, 24  # letters and digits of a national id
NUMBER_MIN, NUMBER_MAX = 7, 64  # digits of a row of numbers; the longest number looked for has 19 (ISO/IEC 7812)
CARD_MIN = 13  # digits
ROW_MAX = 240  # bytes of a row of numbers
USERINFO_MAX = 128  # bytes of `name:password` in an address
PASSWORD_NAME_MAX = 18  # bytes from the beginning of a password's name to the `=` or `:` behind it, at most
INTERPRETED_MAX = 1 << 16  # bytes scanned in a process before the compiled scan is loaded


_ZEROS = "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0e50\u0ed0\u0f20\u1040\u17e0\uff10"
"""Of the scripts beside ASCII that people write numbers in today: Arabic and its eastern form, N'Ko, Devanagari to
Malayalam, Thai, Lao, Tibetan, Burmese, Khmer; full width."""


def _classes() -> npt.NDArray[np.uint16]:
    table = np.zeros(256, dtype=np.uint16)
    for byte in range(256):
        character = chr(byte) if byte < 128 else ""
        table[byte] |= DIGIT * ("0" <= character <= "9") | UPPER * ("A" <= character <= "Z")
        table[byte] |= LOWER * ("a" <= character <= "z") | HIGH * (byte >= 128)
        table[byte] |= DIGIT_LEAD * (byte in {zero.encode()[0] for zero in _ZEROS})
        table[byte] |= HEXADECIMAL * (character != "" and character in "0123456789abcdefABCDEF")
        if character and (character.isalnum() or character in "_-+/="):
            table[byte] |= KEY_CHARACTER
        if character and (character.isalnum() or character in ".!#$%&'*+-/=?^_`{|}~"):
            table[byte] |= LOCAL
        if character and character in " -./()":
            table[byte] |= SEPARATOR
    return table


CLASSES = _classes()


def _start_table(starts: Iterable[bytes], size: int) -> npt.NDArray[np.int64]:
    """Hash of `size` bytes → the beginning of an issuer's key that has it, as a number; −1 where none has."""
    table = np.full(1 << 13, -1, dtype=np.int64)
    for start in starts:
        if min(len(start), 4) == size:
            value = _start.py_func(np.frombuffer(start.ljust(4), np.uint8), 0, size)  # no compiler at import
            place = _start_hash.py_func(value)
            if table[place] not in (-1, value):
                raise ValueError(f"the beginnings of keys {start!r} and {int(table[place])} have the same hash")
            table[place] = value
    return table


@njit(cache=True, nogil=True)
def _start(data: np.ndarray, i: int, size: int) -> Any:
    """The first three or four bytes of a word as a number."""
    value = (np.int64(data[i]) << 16) | (np.int64(data[i + 1]) << 8) | np.int64(data[i + 2])
    return (value << 8) | np.int64(data[i + 3]) if size == 4 else value


@njit(cache=True, nogil=True)
def _start_hash(value: Any) -> Any:
    return ((value * 0x8A96C7D) >> 20) & 0x1FFF  # a factor that gives no two beginnings the same


STARTS_3, STARTS_4 = _start_table(KEY_STARTS, 3), _start_table(KEY_STARTS, 4)
PASSWORDS_4 = _start_table(PASSWORD_STARTS.split(), 4)


def _first_bytes() -> npt.NDArray[np.bool_]:
    """Hash of the first three bytes of a word → whether any beginning of a key has it: small, so it stays in cache."""
    table = np.zeros(1 << 13, np.bool_)
    for start in KEY_STARTS:
        table[_start_hash.py_func(_start.py_func(np.frombuffer(start, np.uint8), 0, 3))] = True
    return table


FIRST_BYTES = _first_bytes()


@njit(cache=True, nogil=True)
def _begins_as_key(data: np.ndarray, i: int, hi: int) -> bool:
    """Whether a word begins as an issuer's keys do, or as the name of a password with `=` or `:` not far behind it."""
    three = _start(data, i, 3)
    four = _start(data, i, 4)
    place = _start_hash(four)
    if PASSWORDS_4[place] == four:  # nearly all that begin so are passages, passengers, what is passed
        at, stop = i, min(hi, i + PASSWORD_NAME_MAX)
        while at < stop and data[at] != 0x3D and data[at] != 0x3A:
            at += 1
        return at < stop
    return STARTS_4[place] == four or STARTS_3[_start_hash(three)] == three


def _account_lengths() -> npt.NDArray[np.int64]:
    """Characters of an IBAN by country, at 26 × first letter + second letter; 0: the country has none."""
    table = np.zeros(26 * 26, dtype=np.int64)
    for country, parts in BBAN.items():
        table[26 * (ord(country[0]) - 65) + ord(country[1]) - 65] = 4 + sum(length for length, _ in parts)
    return table


ACCOUNT_LENGTHS = _account_lengths()


def _digit_tables() -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """First byte, or first two of three as the lower 12 bits, → the last byte of the zero there; 256 where none is."""
    two, three = np.full(1 << 8, 256, np.int16), np.full(1 << 12, 256, np.int16)
    for *head, last in (zero.encode() for zero in _ZEROS):
        if len(head) == 1:
            two[head[0]] = last
        else:
            three[(head[0] & 0xF) << 8 | head[1]] = last
    return two, three


DIGITS_2, DIGITS_3 = _digit_tables()


@njit(cache=True, nogil=True)
def _digit_size(first: Any, second: Any, third: Any) -> Any:
    """Bytes of the decimal digit that begins with these, of any script that people write numbers in; 0 if none does."""
    if first < 0x80:
        return 1 if 0x30 <= first <= 0x39 else 0
    if first < 0xE0:
        return 2 if 0 <= second - DIGITS_2[first] <= 9 else 0
    return 3 if first < 0xF0 and 0 <= third - DIGITS_3[(first & 0xF) << 8 | second] <= 9 else 0


@njit(cache=True, nogil=True)
def _digit(data: np.ndarray, i: int, hi: int) -> int:
    """Bytes of the decimal digit at `i`; 0 if there is none."""
    second = np.int64(data[i + 1]) if i + 1 < hi else 0
    third = np.int64(data[i + 2]) if i + 2 < hi else 0
    return int(_digit_size(np.int64(data[i]), second, third))


@njit(cache=True, nogil=True)
def _separator(data: np.ndarray, i: int, hi: int) -> int:
    """Bytes of what may stand between the digits of one number at `i`; 0 if there is none.

    Space, hyphen, dot, slash, parentheses; their relatives in Unicode; marks of writing direction.
    """
    byte = data[i]
    if byte < 0x80:
        return 1 if CLASSES[byte] & SEPARATOR else 0
    if i + 1 >= hi:
        return 0
    second = data[i + 1]
    if byte == 0xC2:
        return 2 if second == 0xA0 or second == 0xB7 or second == 0xAD else 0
    if i + 2 >= hi:
        return 0
    third = data[i + 2]
    if byte == 0xE2:
        if second == 0x80:
            return 3 if third <= 0x95 or 0xAA <= third <= 0xAF else 0
        if second == 0x81:
            return 3 if third == 0xA0 or 0xA6 <= third <= 0xA9 else 0
        return 3 if second == 0x88 and third == 0x92 else 0
    if byte == 0xE3:
        return 3 if second == 0x80 and third == 0x80 else 0
    return 3 if byte == 0xEF and second == 0xBC and third in (0x88, 0x89, 0x8D, 0x8E, 0x8F) else 0


@njit(cache=True, nogil=True)
def _in_class(data: np.ndarray, i: int, lo: int, hi: int, mask: int) -> bool:
    return lo <= i < hi and (CLASSES[data[i]] & mask) != 0


@njit(cache=True, nogil=True)
def _latin_tail(data: np.ndarray, i: int, lo: int) -> bool:
    """Whether byte `i` ends a two-byte letter of Latin script (U+00C0 to U+024F)."""
    return i - 1 >= lo and 0x80 <= data[i] < 0xC0 and 0xC3 <= data[i - 1] <= 0xC9


@njit(cache=True, nogil=True)
def _email(data: np.ndarray, at: int, lo: int, hi: int) -> tuple[int, int]:
    """The bounds of what may be an address around the `@` at `at`; (-1, -1) if it is none.

    Scripts without spaces write on directly before and after an address, so a part that is ASCII or Latin next to the
    `@` ends where another script begins.
    """
    if not (_in_class(data, at - 1, lo, hi, LOCAL | HIGH) and _in_class(data, at + 1, lo, hi, WORD)):
        return -1, -1
    any_script = data[at - 1] >= 0x80 and not _latin_tail(data, at - 1, lo)
    start = at
    while start > lo and at - start <= LOCAL_MAX:
        byte = data[start - 1]
        if byte >= 0x80 and not any_script:
            if not _latin_tail(data, start - 1, lo):
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
            if not _in_class(data, end + 1, lo, hi, WORD):
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
def _wide_email(data: np.ndarray, at: int, size: int, lo: int, hi: int) -> tuple[int, int]:
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
        dots += _dot(data, end, hi) > 0
        end += step
        length += 1
    if signs == 0 or dots == 0 or signs > LOCAL_MAX or length > DOMAIN_MAX:
        return -1, -1
    return start, end


@njit(cache=True, nogil=True)
def _user(data: np.ndarray, at: int, lo: int, hi: int) -> int:
    """End of the handle behind the `@` at `at`, or -1: letters, digits and `_`, with single `.` and `-` between."""
    if at > lo:
        before = data[at - 1]
        if before == 0x40 or before == 0x5C or (before != 0x27 and CLASSES[before] & (LOCAL | DIGIT)):
            return -1
        if before >= 0x80 and _latin_tail(data, at - 1, lo):
            return -1
    end, letters = at + 1, 0
    while end < hi and end - at <= 41:
        if CLASSES[data[end]] & (DIGIT | UPPER | LOWER) or data[end] == 0x5F:
            letters += (CLASSES[data[end]] & (UPPER | LOWER)) != 0
        elif not (
            (data[end] == 0x2E or data[end] == 0x2D)
            and end > at + 1
            and _in_class(data, end + 1, lo, hi, DIGIT | UPPER | LOWER)
        ):
            break
        end += 1
    if letters == 0 or end - at < 3 or end - at > 41:
        return -1
    if end < hi:
        after = data[end]
        if after == 0x2F or after == 0x40 or after == 0x28 or after == 0x7B or after == 0x3D or after == 0x5B:
            return -1
        if after == 0x3A and _in_class(data, end + 1, lo, hi, WORD):
            return -1
    return end


@njit(cache=True, nogil=True)
def _ip4(data: np.ndarray, start: int, lo: int, hi: int) -> int:
    """End of exactly four dotted numbers of up to three digits, of any script, that begin at `start`, or -1."""
    if start > lo and _joined_before(data, start, lo):
        return -1
    i, groups = start, 0
    while True:
        digits = 0
        while i < hi:
            size = _digit(data, i, hi)
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
        size = _dot(data, i, hi)
        if size == 0:
            return -1
        i += size
    if i < hi and (CLASSES[data[i]] & (UPPER | LOWER) or data[i] == 0x5F):
        return -1
    size = _dot(data, i, hi)
    if size and i + size < hi and (CLASSES[data[i + size]] & (UPPER | LOWER) or _digit(data, i + size, hi)):
        return -1
    return i


@njit(cache=True, nogil=True)
def _dot(data: np.ndarray, i: int, hi: int) -> int:
    """Bytes of the full stop at `i`, ASCII or full width; 0 if there is none."""
    if i >= hi:
        return 0
    if data[i] == 0x2E:
        return 1
    return 3 if i + 2 < hi and data[i] == 0xEF and data[i + 1] == 0xBC and data[i + 2] == 0x8E else 0


@njit(cache=True, nogil=True)
def _joined_before(data: np.ndarray, start: int, lo: int) -> bool:
    """Whether a Latin letter, an ASCII digit, `_` or a full stop stands right before `start`; letters of other scripts
    part words."""
    byte = data[start - 1]
    if byte >= 0x80:
        return _latin_tail(data, start - 1, lo) or (start - 3 >= lo and _dot(data, start - 3, start) == 3)
    return byte == 0x2E or byte == 0x5F or (CLASSES[byte] & (DIGIT | UPPER | LOWER)) != 0


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
def _ip6(data: np.ndarray, colon: int, lo: int, hi: int) -> tuple[int, int]:
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
    if start > lo and (_group_before(data, start, lo) or _joined_before(data, start, lo)):
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
def _iban(data: np.ndarray, start: int, lo: int, hi: int) -> int:
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
            size = _separator(data, i, hi)
            if size == 0 or not CLASSES[data[i - 1]] & (DIGIT | UPPER | LOWER):
                return -1
            i += size
    return -1


@njit(cache=True, nogil=True)
def _row(data: np.ndarray, start: int, hi: int) -> tuple[int, int, bool]:
    """The row of digits with up to three separators between that begins at `start`: end, digits, whether it has the
    form of a decimal fraction, `123.4567`."""
    i, last, digits, apart, separators, dots = start, start, 0, 0, 0, 0
    while i < hi:
        size = _digit(data, i, hi)
        if size:
            digits += 1
            i += size
            last, apart = i, 0
            continue
        size = _separator(data, i, hi)
        if size == 0 or apart == 3:
            break
        dots += data[i] == 0x2E
        separators += 1
        apart += 1
        i += size
    return last, digits, separators - apart == 1 and dots - (data[last] == 0x2E if last < hi else 0) == 1


@njit(cache=True, nogil=True)
def _encoded_plus(data: np.ndarray, i: int, lo: int) -> bool:
    """Whether `%2B`, a `+` in the address of a page, stands right before `i`."""
    return i - 3 >= lo and data[i - 3] == 0x25 and data[i - 2] == 0x32 and data[i - 1] | 0x20 == 0x62


@njit(cache=True, nogil=True)
def _password_address(data: np.ndarray, colon: int, lo: int, hi: int) -> int:
    """End of `//name:password@` behind the `:` at `colon`, or -1."""
    if colon + 8 > hi or data[colon + 1] != 0x2F or data[colon + 2] != 0x2F:
        return -1
    if colon == lo or not CLASSES[data[colon - 1]] & (DIGIT | UPPER | LOWER):
        return -1
    colons = 0
    for i in range(colon + 3, min(hi, colon + 3 + USERINFO_MAX)):
        byte = data[i]
        if byte <= 0x20 or byte == 0x2F or byte == 0x22 or byte == 0x3C or byte == 0x3E or byte == 0x60:
            return -1
        colons += byte == 0x3A
        if byte == 0x40:
            return i + 1 if colons else -1
    return -1


@njit(cache=True, nogil=True)
def _identifier(data: np.ndarray, start: int, hi: int) -> tuple[int, int, int]:
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


@njit(cache=True, nogil=True)
def _is_secret_shape(data: np.ndarray, start: int, end: int) -> bool:
    """Letters and digits that change often between capitals, small letters and digits, as words do not.

    A run over `KEY_MAX` is data, unless it begins as a JSON Web Token (`eyJ`).
    """
    if end - start > KEY_MAX:
        return data[start] == 0x65 and data[start + 1] == 0x79 and data[start + 2] == 0x4A
    digits, letters, changes, before = 0, 0, 0, 0
    for i in range(start, end):
        kind = CLASSES[data[i]] & (DIGIT | UPPER | LOWER)
        digits += kind == DIGIT
        letters += kind & (UPPER | LOWER) != 0
        changes += kind != 0 and before != 0 and kind != before
        before = kind
    return letters >= 2 and ((digits >= 2 and changes >= 3) or changes >= 7)


@njit(cache=True, nogil=True)
def _named_before(data: np.ndarray, start: int, lo: int) -> bool:
    """Whether the name of a secret could end right before `start`: most runs stand behind a word or a stroke."""
    if start == lo:
        return False
    byte = data[start - 1]
    if byte == 0x3D or byte == 0x3E or byte == 0x3A or byte == 0x22 or byte == 0x27 or byte == 0x60:  # = > : " ' `
        return True
    i = start
    while i > lo and start - i <= 3 and (data[i - 1] == 0x20 or data[i - 1] == 0x09):
        i -= 1
    if i in (start, lo) or start - i > 3:
        return False
    byte = data[i - 1]
    if byte == 0x3D or byte == 0x3E or byte == 0x3A:
        return True
    if start - i > 1:
        return False
    byte |= 0x20  # bearer, basic; --key, --token, --secret, --password
    return byte == 0x72 or byte == 0x63 or byte == 0x79 or byte == 0x6E or byte == 0x74 or byte == 0x64


@njit(cache=True, nogil=True)
def _may_be_key(data: np.ndarray, start: int, end: int, lo: int) -> bool:
    """Whether a run of `KEY_MIN` bytes or more could be what `keys.find_key` takes, in its issuer's form or its name's.

    Nearly all runs are hashes and addresses, which have neither.
    """
    if not _is_secret_shape(data, start, end):
        return False
    first = data[start]
    if first == 0x4D or first == 0x4E or first == 0x4F:  # Discord's
        return True
    if first == 0x65 and data[start + 1] == 0x79 and data[start + 2] == 0x4A:  # eyJ, a web token
        return True
    for i in range(start, min(end - 1, start + KEY_MAX)):
        if data[i] == 0x3D:
            if data[i + 1] != 0x3D:
                return True  # a name, and its value
            break
    return _named_before(data, start, lo)


@njit(cache=True, nogil=True)
def _is_begin(data: np.ndarray, i: int, lo: int, hi: int) -> bool:
    """`-BEGIN ` with `B` at `i`: the head of an armoured block."""
    if i + 6 > hi or i - 1 < lo or data[i - 1] != 0x2D or data[i + 1] != 0x45 or data[i + 2] != 0x47:
        return False
    return data[i + 3] == 0x49 and data[i + 4] == 0x4E and data[i + 5] == 0x20


@njit(cache=True, nogil=True)
def _put(out: np.ndarray, n: int, document: int, kind: int, start: int, end: int) -> int:
    """Write candidate `n` if there is room; the number of candidates so far."""
    if n < len(out):
        out[n, 0], out[n, 1], out[n, 2], out[n, 3] = document, kind, start, end
    return n + 1


@njit(cache=True, nogil=True)
def _scan(data: np.ndarray, offsets: np.ndarray, is_code: np.ndarray, enabled: np.ndarray, out: np.ndarray) -> int:
    """Fill `out` with candidates as `candidates` says; how many there are, whether or not `out` had room."""
    # No array is made or reassigned in here: reference counting in the loop would cost nine tenths of the speed.
    n = 0
    number, national = enabled[PHONE] or enabled[CREDIT_CARD], enabled[NATIONAL_ID]
    letter, alphanumeric = np.uint16(UPPER | LOWER), np.uint16(DIGIT | UPPER | LOWER)
    for document in range(len(offsets) - 1):
        lo, hi = offsets[document], offsets[document + 1]
        run, identifier_until, colon_until, row_until, digit_until = lo, lo, lo, lo, lo - 1
        before = np.uint16(0)
        i = lo
        while i <= hi:
            # One step past the end closes the last run.
            byte = data[i] if i < hi else np.uint8(0)
            kinds = CLASSES[byte] if i < hi else np.uint16(0)
            size, wide_at = 0, False
            # Most bytes by far stand within a word, where nothing begins or ends: a word is one step, and so are
            # letters of other scripts.
            if kinds & letter:
                if not before & alphanumeric:
                    if enabled[IBAN] and i + 15 <= hi and CLASSES[data[i + 2]] & DIGIT:
                        end = _iban(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, IBAN, i, end)
                    if enabled[KEY] and i + 8 < hi:
                        three = np.int64(byte) << 16 | np.int64(data[i + 1]) << 8 | np.int64(data[i + 2])
                        if FIRST_BYTES[_start_hash(three)] and _begins_as_key(data, i, hi):
                            n = _put(out, n, document, KEY_START, i, min(hi, i + KEY_MAX))
                        elif byte == 0x42 and _is_begin(data, i, lo, hi):
                            n = _put(out, n, document, KEY, i, i + 6)
                end = i + 1
                while end < hi and CLASSES[data[end]] & letter:
                    end += 1
                if national and i >= identifier_until:
                    identifier_until = end
                    if end < hi and CLASSES[data[end]] & DIGIT:
                        stop, digits, total = _identifier(data, i, hi)
                        identifier_until = stop
                        if digits >= 5 and IDENTIFIER_MIN <= total <= IDENTIFIER_MAX:
                            n = _put(out, n, document, NATIONAL_ID, i, stop)
                before, i = kinds, end
                continue
            if kinds & HIGH:
                if byte >= 0xC0 and i - run >= KEY_MIN and enabled[KEY] and _may_be_key(data, run, i, lo):
                    n = _put(out, n, document, KEY, run, i)
                while True:
                    second = np.int64(data[i + 1]) if i + 1 < hi else 0
                    third = np.int64(data[i + 2]) if i + 2 < hi else 0
                    if kinds & DIGIT_LEAD:
                        # Bytes are passed, not `data`: that would count its references, ten times the work.
                        size = _digit_size(np.int64(byte), second, third)
                        wide_at = byte == 0xEF and second == 0xBC and third == 0xA0
                        if size or wide_at:
                            break
                    # Most letters have three bytes, or two of which the second is a step.
                    step = 3 if byte >= 0xE0 and second & third & 0xC0 == 0x80 else 1
                    before = kinds
                    i += step
                    if i == hi:
                        break
                    byte = data[i]
                    kinds = CLASSES[byte]
                    if not kinds & HIGH:
                        break
                run = i
                if wide_at:
                    if enabled[EMAIL]:
                        start, end = _wide_email(data, i, 3, lo, hi)
                        if start >= 0:
                            n = _put(out, n, document, EMAIL, start, end)
                    before = kinds
                    i += 3
                    run = i
                if not size:
                    continue
                run = i + 1
            elif kinds & DIGIT:
                size = 1
            elif not kinds & KEY_CHARACTER:
                if enabled[KEY] and i - run >= KEY_MIN and _may_be_key(data, run, i, lo):
                    n = _put(out, n, document, KEY, run, i)
                run = i + 1
                if byte == 0x40 and i < hi:
                    if enabled[EMAIL]:
                        start, end = _email(data, i, lo, hi)
                        if start < 0:
                            start, end = _wide_email(data, i, 1, lo, hi)
                        if start >= 0:
                            n = _put(out, n, document, EMAIL, start, end)
                    if enabled[USER] and not is_code[document]:
                        end = _user(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, USER, i, end)
                elif byte == 0x3A and i < hi:
                    if enabled[IP_ADDRESS] and i >= colon_until:
                        start, end = _ip6(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, IP_ADDRESS, start, end)
                            colon_until = end
                    if enabled[KEY]:
                        end = _password_address(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, KEY_URL, i, end)
            if size and enabled[IP_ADDRESS]:
                if i != digit_until:
                    end = _ip4(data, i, lo, hi)
                    if end >= 0:
                        n = _put(out, n, document, IP_ADDRESS, i, end)
                digit_until = i + size
            if size and number and i >= row_until:
                end, digits, fraction = _row(data, i, hi)
                row_until = end
                joined = before & (UPPER | LOWER) and not _encoded_plus(data, i, lo)
                joined |= i > lo and data[i - 1] == 0x5F
                if NUMBER_MIN <= digits <= NUMBER_MAX and end - i <= ROW_MAX and not joined:
                    if enabled[PHONE] and not (fraction and not (i > lo and data[i - 1] == 0x2B)):
                        n = _put(out, n, document, PHONE, i, end)
                    if enabled[CREDIT_CARD] and digits >= CARD_MIN:
                        n = _put(out, n, document, CREDIT_CARD, i, end)
            if national and i >= identifier_until and kinds & DIGIT:
                end, digits, total = _identifier(data, i, hi)
                identifier_until = end
                if digits >= 5 and IDENTIFIER_MIN <= total <= IDENTIFIER_MAX:
                    n = _put(out, n, document, NATIONAL_ID, i, end)
            before = kinds
            i += 1
    return n


def candidates(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    is_code: npt.NDArray[np.bool_],
    enabled: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Where personal data could be in a batch of documents.

    Args:
        data: uint8, UTF-8 of all documents.
        offsets: int64, shape (documents + 1,), into `data`.
        is_code: bool, shape (documents,); handles are not looked for in code, where `@` begins decorators.
        enabled: bool, shape (8,), which of `PII_KINDS` to look for.

    Returns:
        int64, shape (candidates, 4): document, index of the kind in `PII_KINDS` (or KEY_START, KEY_URL), first byte and
        end in `data`; by document, then roughly by position.
    """
    size = int(offsets[-1] - offsets[0])
    global _interpreted_bytes
    _interpreted_bytes += size
    scan = _scan if _scan.signatures or _interpreted_bytes > INTERPRETED_MAX else _interpreted()
    out = np.empty((256 + size // 256, 4), dtype=np.int64)
    n = scan(data, offsets, is_code, enabled, out)
    if n > len(out):
        out = np.empty((n, 4), dtype=np.int64)
        n = scan(data, offsets, is_code, enabled, out)
    return out[:n]


_interpreted_bytes = 0


@cache
def _interpreted() -> Callable[..., int]:
    """The scan as plain Python: about a microsecond a byte, where compiled code takes half a second to load."""
    names = dict(globals())
    for name, value in globals().items():
        if isinstance(value, np.ndarray):
            names[name] = value.tolist()
        elif hasattr(value, "py_func"):
            names[name] = FunctionType(value.py_func.__code__, names, name)
    scan = names["_scan"]

    def on_lists(data: np.ndarray, *arrays: np.ndarray) -> int:
        *rest, out = arrays
        return int(scan(data.tolist(), *(array.tolist() for array in rest), out))

    return on_lists
