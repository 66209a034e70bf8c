"""One pass over the bytes of a batch that finds where personal data could be.

The sieve knows shapes only: an `@` followed by a domain, a run of digits, four numbers separated by dots. It must miss
nothing that a judge (`redactor._JUDGES`) would accept, and should pass little else, because a byte that it passes costs
a hundred times as much. Each byte is looked at a bounded number of times, whatever the text.
"""

from collections.abc import Callable
from functools import cache
from types import FunctionType

import numpy as np
import numpy.typing as npt
from numba import njit

from configs.models import PII_KINDS
from pipeline.pii import characters, key_shapes, shapes
from pipeline.pii.characters import CLASSES, DIGIT, DIGIT_LEAD, HIGH, KEY_CHARACTER, LOWER, UPPER, digit_size
from pipeline.pii.key_shapes import (
    FIRST_BYTES,
    KEY_MAX,
    KEY_MIN,
    begins_as_key,
    is_armour_head,
    may_be_key,
    password_address_end,
    start_hash,
)
from pipeline.pii.shapes import (
    digit_row,
    email_bounds,
    encoded_plus,
    handle_end,
    iban_end,
    identifier_run,
    ip4_end,
    ip6_bounds,
    number_may_end,
    wide_email_bounds,
)

KEY, EMAIL, USER, IP_ADDRESS, PHONE, IBAN, CREDIT_CARD, NATIONAL_ID = range(len(PII_KINDS))
KEY_START, KEY_URL = len(PII_KINDS), len(PII_KINDS) + 1
"""More kinds of candidates: where a word begins as an issuer's keys do; an address with a password in it."""

IDENTIFIER_MIN, IDENTIFIER_MAX = 8, 24  # letters and digits of a national id
NUMBER_MIN, NUMBER_MAX = 7, 64  # digits of a row of numbers; the longest number looked for has 19 (ISO/IEC 7812)
CARD_MIN = 13  # digits
ROW_MAX = 240  # bytes of a row of numbers
INTERPRETED_MAX = 1 << 16  # bytes scanned in a process before the compiled scan is loaded


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
                        end = iban_end(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, IBAN, i, end)
                    if enabled[KEY] and i + 8 < hi:
                        three = np.int64(byte) << 16 | np.int64(data[i + 1]) << 8 | np.int64(data[i + 2])
                        if FIRST_BYTES[start_hash(three)] and begins_as_key(data, i, hi):
                            n = _put(out, n, document, KEY_START, i, min(hi, i + KEY_MAX))
                        elif byte == 0x42 and is_armour_head(data, i, lo, hi):
                            n = _put(out, n, document, KEY, i, i + 6)
                end = i + 1
                while end < hi and CLASSES[data[end]] & letter:
                    end += 1
                if national and i >= identifier_until:
                    identifier_until = end
                    if end < hi and CLASSES[data[end]] & DIGIT:
                        stop, digits, total = identifier_run(data, i, hi)
                        identifier_until = stop
                        if digits >= 5 and IDENTIFIER_MIN <= total <= IDENTIFIER_MAX:
                            n = _put(out, n, document, NATIONAL_ID, i, stop)
                before, i = kinds, end
                continue
            if kinds & HIGH:
                if byte >= 0xC0 and i - run >= KEY_MIN and enabled[KEY] and may_be_key(data, run, i, lo, hi):
                    n = _put(out, n, document, KEY, run, i)
                while True:
                    second = np.int64(data[i + 1]) if i + 1 < hi else 0
                    third = np.int64(data[i + 2]) if i + 2 < hi else 0
                    if kinds & DIGIT_LEAD:
                        # Bytes are passed, not `data`: that would count its references, ten times the work.
                        size = digit_size(np.int64(byte), second, third)
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
                        start, end = wide_email_bounds(data, i, 3, lo, hi)
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
                if enabled[KEY] and i - run >= KEY_MIN and may_be_key(data, run, i, lo, hi):
                    n = _put(out, n, document, KEY, run, i)
                run = i + 1
                if byte == 0x40 and i < hi:
                    if enabled[EMAIL]:
                        start, end = email_bounds(data, i, lo, hi)
                        if start < 0:
                            start, end = wide_email_bounds(data, i, 1, lo, hi)
                        if start >= 0:
                            n = _put(out, n, document, EMAIL, start, end)
                    if enabled[USER] and not is_code[document]:
                        end = handle_end(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, USER, i, end)
                elif byte == 0x3A and i < hi:
                    if enabled[IP_ADDRESS] and i >= colon_until:
                        start, end = ip6_bounds(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, IP_ADDRESS, start, end)
                            colon_until = end
                    if enabled[KEY]:
                        end = password_address_end(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, KEY_URL, i, end)
            if size and enabled[IP_ADDRESS]:
                if i != digit_until:
                    end = ip4_end(data, i, lo, hi)
                    if end >= 0:
                        n = _put(out, n, document, IP_ADDRESS, i, end)
                digit_until = i + size
            if size and number and i >= row_until:
                end, digits, fraction = digit_row(data, i, hi)
                row_until = end
                joined = before & (UPPER | LOWER) and not encoded_plus(data, i, lo)
                joined |= i > lo and data[i - 1] == 0x5F
                if NUMBER_MIN <= digits <= NUMBER_MAX and end - i <= ROW_MAX and not joined:
                    decimal = fraction and not (i > lo and data[i - 1] == 0x2B)
                    if enabled[PHONE] and not decimal and number_may_end(data, end, hi):
                        n = _put(out, n, document, PHONE, i, end)
                    if enabled[CREDIT_CARD] and digits >= CARD_MIN:
                        n = _put(out, n, document, CREDIT_CARD, i, end)
            if national and i >= identifier_until and kinds & DIGIT:
                end, digits, total = identifier_run(data, i, hi)
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
    names = {**vars(characters), **vars(shapes), **vars(key_shapes), **globals()}
    for name, value in list(names.items()):
        if isinstance(value, np.ndarray):
            names[name] = value.tolist()
        elif hasattr(value, "py_func"):
            names[name] = FunctionType(value.py_func.__code__, names, name)
    scan = names["_scan"]

    def on_lists(data: np.ndarray, *arrays: np.ndarray) -> int:
        *rest, out = arrays
        return int(scan(data.tolist(), *(array.tolist() for array in rest), out))

    return on_lists
