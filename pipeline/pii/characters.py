"""What a byte or a character of UTF-8 is to the sieve: classes of ASCII, digits of all scripts, separators."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

DIGIT, UPPER, LOWER, KEY_CHARACTER, LOCAL, HIGH, SEPARATOR, HEXADECIMAL, DIGIT_LEAD = (1 << bit for bit in range(9))
WORD = DIGIT | UPPER | LOWER | HIGH
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
def digit_size(first: Any, second: Any, third: Any) -> Any:
    """Bytes of the decimal digit that begins with these, of any script that people write numbers in; 0 if none does."""
    if first < 0x80:
        return 1 if 0x30 <= first <= 0x39 else 0
    if first < 0xE0:
        return 2 if 0 <= second - DIGITS_2[first] <= 9 else 0
    return 3 if first < 0xF0 and 0 <= third - DIGITS_3[(first & 0xF) << 8 | second] <= 9 else 0


@njit(cache=True, nogil=True)
def digit(data: np.ndarray, i: int, hi: int) -> int:
    """Bytes of the decimal digit at `i`; 0 if there is none."""
    second = np.int64(data[i + 1]) if i + 1 < hi else 0
    third = np.int64(data[i + 2]) if i + 2 < hi else 0
    return int(digit_size(np.int64(data[i]), second, third))


@njit(cache=True, nogil=True)
def separator(data: np.ndarray, i: int, hi: int) -> int:
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
def dot(data: np.ndarray, i: int, hi: int) -> int:
    """Bytes of the full stop at `i`, ASCII or full width; 0 if there is none."""
    if i >= hi:
        return 0
    if data[i] == 0x2E:
        return 1
    return 3 if i + 2 < hi and data[i] == 0xEF and data[i + 1] == 0xBC and data[i + 2] == 0x8E else 0


@njit(cache=True, nogil=True)
def in_class(data: np.ndarray, i: int, lo: int, hi: int, mask: int) -> bool:
    return lo <= i < hi and (CLASSES[data[i]] & mask) != 0


@njit(cache=True, nogil=True)
def latin_tail(data: np.ndarray, i: int, lo: int) -> bool:
    """Whether byte `i` ends a two-byte letter of Latin script (U+00C0 to U+024F)."""
    return i - 1 >= lo and 0x80 <= data[i] < 0xC0 and 0xC3 <= data[i - 1] <= 0xC9


@njit(cache=True, nogil=True)
def joined_before(data: np.ndarray, start: int, lo: int) -> bool:
    """Whether a Latin letter, an ASCII digit, `_` or a full stop stands right before `start`; letters of other scripts
    part words."""
    byte = data[start - 1]
    if byte >= 0x80:
        return latin_tail(data, start - 1, lo) or (start - 3 >= lo and dot(data, start - 3, start) == 3)
    return byte == 0x2E or byte == 0x5F or (CLASSES[byte] & (DIGIT | UPPER | LOWER)) != 0
