"""One pass over the bytes of a batch that finds where personal data could be.

The sieve knows shapes only: an `@` with a domain behind it, a run of digits, four numbers with dots between them. It
must miss nothing that a recogniser would accept under `pipeline.pii.rules`, and should pass little else, for what it
passes costs a hundred times as much a byte. Each byte is looked at a bounded number of times, whatever the text.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from configs.models import PII_KINDS

KEY, EMAIL, USER, IP_ADDRESS, PHONE, IBAN, CREDIT_CARD, NATIONAL_ID = range(len(PII_KINDS))

DIGIT, UPPER, LOWER, KEY_CHARACTER, LOCAL, HIGH, SEPARATOR, HEXADECIMAL = (1 << bit for bit in range(8))
WORD = DIGIT | UPPER | LOWER | HIGH

LOCAL_MAX = 64  # octets of the part before `@` (RFC 5321, 4.5.3.1.1)
DOMAIN_MAX = 255  # octets of a domain (RFC 5321, 4.5.3.1.2)
KEY_MIN, KEY_MAX = 20, 256  # bytes of a secret; longer runs are data
IDENTIFIER_MIN, IDENTIFIER_MAX = 8, 24  # letters and digits of a national id
PHONE_MIN, PHONE_MAX = 7, 15  # digits (E.164 ends at 15)
CARD_MIN, CARD_MAX = 14, 19  # digits (ISO/IEC 7812)


def _classes() -> npt.NDArray[np.uint16]:
    table = np.zeros(256, dtype=np.uint16)
    for byte in range(256):
        character = chr(byte) if byte < 128 else ""
        table[byte] |= DIGIT * ("0" <= character <= "9") | UPPER * ("A" <= character <= "Z")
        table[byte] |= LOWER * ("a" <= character <= "z") | HIGH * (byte >= 128)
        table[byte] |= HEXADECIMAL * (character != "" and character in "0123456789abcdefABCDEF")
        if character and (character.isalnum() or character in "_-+/="):
            table[byte] |= KEY_CHARACTER
        if character and (character.isalnum() or character in ".!#$%&'*+-/=?^_`{|}~"):
            table[byte] |= LOCAL
        if character and character in " -./()":
            table[byte] |= SEPARATOR
    return table


CLASSES = _classes()


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
def _user(data: np.ndarray, at: int, lo: int, hi: int) -> int:
    """End of the handle behind the `@` at `at`, or -1."""
    if at > lo:
        before = data[at - 1]
        if before == 0x40 or before == 0x5C or (before != 0x27 and CLASSES[before] & (LOCAL | DIGIT)):
            return -1
        if before >= 0x80 and _latin_tail(data, at - 1, lo):
            return -1
    end, letters = at + 1, 0
    while end < hi and end - at <= 31 and (CLASSES[data[end]] & (DIGIT | UPPER | LOWER) or data[end] == 0x5F):
        letters += (CLASSES[data[end]] & (UPPER | LOWER)) != 0
        end += 1
    if letters == 0 or end - at < 3 or end - at > 31:
        return -1
    if end < hi:
        after = data[end]
        if after == 0x2F or after == 0x40 or after == 0x28 or after == 0x7B or after == 0x3D or after == 0x2D:
            return -1
        if (after == 0x2E or after == 0x3A) and _in_class(data, end + 1, lo, hi, WORD):
            return -1
    return end


@njit(cache=True, nogil=True)
def _ip4(data: np.ndarray, start: int, lo: int, hi: int) -> int:
    """End of exactly four dotted numbers of up to three digits that begin at `start`, or -1."""
    if start > lo and (data[start - 1] == 0x2E or CLASSES[data[start - 1]] & WORD or data[start - 1] == 0x5F):
        return -1
    i, groups = start, 0
    while True:
        digits = 0
        while i < hi and CLASSES[data[i]] & DIGIT:
            digits += 1
            i += 1
            if digits > 3:
                return -1
        if digits == 0:
            return -1
        groups += 1
        if groups == 4:
            break
        if i >= hi or data[i] != 0x2E:
            return -1
        i += 1
    if i < hi and (CLASSES[data[i]] & (DIGIT | UPPER | LOWER) or data[i] == 0x5F):
        return -1
    if i + 1 < hi and data[i] == 0x2E and CLASSES[data[i + 1]] & (DIGIT | UPPER | LOWER):
        return -1
    return i


@njit(cache=True, nogil=True)
def _ip6(data: np.ndarray, colon: int, lo: int, hi: int) -> int:
    """End of what may be a global IPv6 address whose first `:` is at `colon` (it starts 4 bytes before), or -1."""
    start = colon - 4
    if start < lo or not (data[start] == 0x32 or data[start] == 0x33):
        return -1
    if start > lo and (CLASSES[data[start - 1]] & WORD or data[start - 1] in (0x3A, 0x5F, 0x2E)):
        return -1
    for i in range(start, colon):
        if not CLASSES[data[i]] & HEXADECIMAL:
            return -1
    i, colons, double = colon, 0, False
    while i < hi and i - start <= 46 and (CLASSES[data[i]] & HEXADECIMAL or data[i] == 0x3A or data[i] == 0x2E):
        if data[i] == 0x3A:
            colons += 1
            double |= data[i - 1] == 0x3A
        i += 1
    while i > colon and (data[i - 1] == 0x2E or (data[i - 1] == 0x3A and data[i - 2] != 0x3A)):
        colons -= data[i - 1] == 0x3A
        i -= 1
    if i - start > 45 or (colons < 7 and not (double and colons >= 3)):
        return -1
    if i < hi and (CLASSES[data[i]] & WORD or data[i] == 0x5F):
        return -1
    return i


@njit(cache=True, nogil=True)
def _iban(data: np.ndarray, start: int, lo: int, hi: int) -> int:
    """End of two capitals, two digits and 11 to 30 capitals and digits with single separators, or -1."""
    if start + 15 > hi or not (CLASSES[data[start + 1]] & UPPER):
        return -1
    if not (CLASSES[data[start + 2]] & DIGIT and CLASSES[data[start + 3]] & DIGIT):
        return -1
    if start > lo and CLASSES[data[start - 1]] & (DIGIT | UPPER | LOWER):
        return -1
    i, count = start + 4, 4
    while i < hi and i - start < 48:
        if CLASSES[data[i]] & (DIGIT | UPPER):
            count += 1
        elif not ((data[i] == 0x20 or data[i] == 0x2D) and CLASSES[data[i - 1]] & (DIGIT | UPPER)):
            break
        i += 1
    return i if count >= 15 else -1


@njit(cache=True, nogil=True)
def _digits(data: np.ndarray, start: int, hi: int) -> tuple[int, int, bool]:
    """The run of digits with up to two separators between that begins at `start`: its end, its digits, and whether
    only spaces and hyphens separate them."""
    i, last, digits, plain = start, start, 0, True
    tight = True
    while i < hi:
        byte = data[i]
        if CLASSES[byte] & DIGIT:
            digits += 1
            plain = plain and tight
            last = i + 1
        elif CLASSES[byte] & SEPARATOR and i - last < 2:
            tight = tight and (byte == 0x20 or byte == 0x2D) and i == last
        else:
            break
        i += 1
        if last == i:
            tight = True
    return last, digits, plain


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
    return digits >= 2 and letters >= 2 and changes >= 3


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
    number = enabled[PHONE] or enabled[CREDIT_CARD]
    for document in range(len(offsets) - 1):
        lo, hi = offsets[document], offsets[document + 1]
        run, number_until, identifier_until, colon_until = lo, lo, lo, lo
        for i in range(lo, hi + 1):
            # One step past the end closes the last run.
            byte = data[i] if i < hi else np.uint8(0)
            kinds = CLASSES[byte] if i < hi else np.uint16(0)
            if not kinds & KEY_CHARACTER:
                if enabled[KEY] and i - run >= KEY_MIN and _is_secret_shape(data, run, i):
                    n = _put(out, n, document, KEY, run, i)
                run = i + 1
                if byte == 0x40 and i < hi:
                    start, end = _email(data, i, lo, hi)
                    if start >= 0:
                        if enabled[EMAIL]:
                            n = _put(out, n, document, EMAIL, start, end)
                    elif enabled[USER] and not is_code[document]:
                        end = _user(data, i, lo, hi)
                        if end >= 0:
                            n = _put(out, n, document, USER, i, end)
                elif byte == 0x3A and i >= colon_until and i < hi and enabled[IP_ADDRESS]:
                    end = _ip6(data, i, lo, hi)
                    if end >= 0:
                        n = _put(out, n, document, IP_ADDRESS, i - 4, end)
                        colon_until = end
            elif kinds & DIGIT:
                first = i == lo or not CLASSES[data[i - 1]] & DIGIT
                if first and enabled[IP_ADDRESS]:
                    end = _ip4(data, i, lo, hi)
                    if end >= 0:
                        n = _put(out, n, document, IP_ADDRESS, i, end)
                if number and i >= number_until:
                    end, digits, plain = _digits(data, i, hi)
                    number_until = end
                    if enabled[PHONE] and PHONE_MIN <= digits <= PHONE_MAX:
                        n = _put(out, n, document, PHONE, i, end)
                    if enabled[CREDIT_CARD] and plain and CARD_MIN <= digits <= CARD_MAX:
                        n = _put(out, n, document, CREDIT_CARD, i, end)
            elif kinds & UPPER:
                if enabled[IBAN]:
                    end = _iban(data, i, lo, hi)
                    if end >= 0:
                        n = _put(out, n, document, IBAN, i, end)
                if byte == 0x42 and enabled[KEY] and _is_begin(data, i, lo, hi):
                    n = _put(out, n, document, KEY, i, i + 6)
            if enabled[NATIONAL_ID] and i >= identifier_until and kinds & (DIGIT | UPPER | LOWER):
                end, digits, total = _identifier(data, i, hi)
                identifier_until = end
                if digits >= 5 and IDENTIFIER_MIN <= total <= IDENTIFIER_MAX:
                    n = _put(out, n, document, NATIONAL_ID, i, end)
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
        int64, shape (candidates, 4): document, index of the kind in `PII_KINDS`, first byte and end in `data`; by
        document, then roughly by position.
    """
    size = int(offsets[-1] - offsets[0])
    out = np.empty((256 + size // 256, 4), dtype=np.int64)
    n = _scan(data, offsets, is_code, enabled, out)
    if n > len(out):
        out = np.empty((n, 4), dtype=np.int64)
        n = _scan(data, offsets, is_code, enabled, out)
    return out[:n]
