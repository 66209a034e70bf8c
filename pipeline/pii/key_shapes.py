"""The shapes of secrets: beginnings of issuers' keys, names of passwords, random runs of letters and digits."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.pii.characters import CLASSES, DIGIT, LOWER, UPPER
from pipeline.pii.issuers import KEY_STARTS, PASSWORD_STARTS

KEY_MIN, KEY_MAX = 20, 256  # bytes of a secret; longer runs are data
KEY_NAME_MAX = 48  # bytes before a value in which its name is looked for
USERINFO_MAX = 128  # bytes of `name:password` in an address
PASSWORD_NAME_MAX = 18  # bytes from the beginning of a password's name to the `=` or `:` behind it, at most


def _start_table(starts: Iterable[bytes], size: int) -> npt.NDArray[np.int64]:
    """Hash of `size` bytes → the beginning of an issuer's key that has it, as a number; −1 where none has."""
    table = np.full(1 << 13, -1, dtype=np.int64)
    for start in starts:
        if min(len(start), 4) == size:
            value = _start.py_func(np.frombuffer(start.ljust(4), np.uint8), 0, size)  # no compiler at import
            place = start_hash.py_func(value)
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
def start_hash(value: Any) -> Any:
    return ((value * 0x8A96C7D) >> 20) & 0x1FFF  # a factor that gives no two beginnings the same


STARTS_3, STARTS_4 = _start_table(KEY_STARTS, 3), _start_table(KEY_STARTS, 4)
PASSWORDS_4 = _start_table(PASSWORD_STARTS.split(), 4)


def _first_bytes() -> npt.NDArray[np.bool_]:
    """Hash of the first three bytes of a word → whether any beginning of a key has it: small, so it stays in cache."""
    table = np.zeros(1 << 13, np.bool_)
    for start in KEY_STARTS:
        table[start_hash.py_func(_start.py_func(np.frombuffer(start, np.uint8), 0, 3))] = True
    return table


FIRST_BYTES = _first_bytes()


@njit(cache=True, nogil=True)
def begins_as_key(data: np.ndarray, i: int, hi: int) -> bool:
    """Whether a word begins as an issuer's keys do, or as the name of a password with `=` or `:` not far behind it."""
    three = _start(data, i, 3)
    four = _start(data, i, 4)
    place = start_hash(four)
    if PASSWORDS_4[place] == four:  # nearly all that begin so are passages, passengers, what is passed
        at, stop = i, min(hi, i + PASSWORD_NAME_MAX)
        while at < stop and data[at] != 0x3D and data[at] != 0x3A:
            at += 1
        return at < stop
    return STARTS_4[place] == four or STARTS_3[start_hash(three)] == three


@njit(cache=True, nogil=True)
def password_address_end(data: np.ndarray, colon: int, lo: int, hi: int) -> int:
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
def is_secret_shape(data: np.ndarray, start: int, end: int) -> bool:
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
    """Whether the name of a secret could end right before `start`: what stands there ends it, and one of the words that
    such names have (`keys._SECRET_NAME`) is near."""
    if start == lo:
        return False
    byte = data[start - 1]
    quoted = byte == 0x22 or byte == 0x27 or byte == 0x60
    if not (quoted or byte == 0x3D or byte == 0x3E or byte == 0x3A or byte == 0x20 or byte == 0x09):
        return False
    three = np.int64(0)
    for i in range(max(lo, start - KEY_NAME_MAX), start):
        three = (three << 8 | np.int64(data[i]) | 0x20) & 0xFFFFFF
        if three == 0x6B6579 or three == 0x746F6B or three == 0x736563 or three == 0x706173:  # key, tok, sec, pas
            return True
        if three == 0x707764 or three == 0x637265 or three == 0x626561 or three == 0x626173:  # pwd, cre, bea, bas
            return True
    return False


@njit(cache=True, nogil=True)
def _is_discord(data: np.ndarray, start: int, end: int, hi: int) -> bool:
    """Whether a run could be the first part of a token of Discord's, which a dot ends."""
    first = data[start]
    return (first == 0x4D or first == 0x4E or first == 0x4F) and end < hi and data[end] == 0x2E and end - start <= 28


@njit(cache=True, nogil=True)
def may_be_key(data: np.ndarray, start: int, end: int, lo: int, hi: int) -> bool:
    """Whether a run of `KEY_MIN` bytes or more could be what `keys.find_key` takes, in its issuer's form or its name's.

    Nearly all runs are hashes, addresses and names in code, which have neither.
    """
    if not is_secret_shape(data, start, end):
        return False
    at = start
    while True:
        if _is_discord(data, at, end, hi):
            return True
        if at + 2 < hi and data[at] == 0x65 and data[at + 1] == 0x79 and data[at + 2] == 0x4A:  # eyJ, a web token
            return True
        # Behind a `=` a value begins, and what stands before it may be its name.
        equals, stop = at, min(end - 1, at + KEY_MAX)
        while equals < stop and data[equals] != 0x3D:
            equals += 1
        if equals >= stop or data[equals + 1] == 0x3D:
            return _named_before(data, at, lo)
        at = equals + 1


@njit(cache=True, nogil=True)
def is_armour_head(data: np.ndarray, i: int, lo: int, hi: int) -> bool:
    """`-BEGIN ` with `B` at `i`: the head of an armoured block."""
    if i + 6 > hi or i - 1 < lo or data[i - 1] != 0x2D or data[i + 1] != 0x45 or data[i + 2] != 0x47:
        return False
    return data[i + 3] == 0x49 and data[i + 4] == 0x4E and data[i + 5] == 0x20
