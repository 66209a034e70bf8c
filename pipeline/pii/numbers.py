"""Cards and accounts: numbers that prove themselves by check digits, in the groups and with the issuers there are."""

from collections.abc import Iterator

import re2

from pipeline.pii.issuers import BBAN
from pipeline.pii.phones import Row, row_of

Span = tuple[int, int]

CARD_MIN, CARD_MAX = 13, 19  # digits (ISO/IEC 7812)

# First digits and lengths of the networks' numbers.
_ISSUER = re2.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}(?:[0-9]{3})?"  # Discover, RuPay
    r"|(?:60[0-9]{2}|81[0-9]{2}|82[0-9]{2}|508[5-9])[0-9]{12}"  # RuPay, Hipercard
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:506(?:099|1[0-9]{2})|50786[5-9]|5078[789][0-9]|5079[0-5][0-9]|50796[0-4]|6500[012][0-9])[0-9]{10,13}"  # Verve
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|3(?:0[0-59]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|9792[0-9]{12}"  # Troy
)
# Maestro's, Uzcard's, Napas', Humo's, UATP's and other prefixes, believed only behind a word such as "card".
_ISSUER_NAMED = re2.compile(
    r"(?:(?:5[06-9]|6[0-9]|[345])[0-9]{11,17}|(?:8600|9704|9860)[0-9]{12}(?:[0-9]{3})?|1[0-9]{14})"
)
_CARD_WORD = re2.compile(
    r"(?i)(?:\b|_)(?:cards?|visa|master ?card|amex|american express|maestro|verve|rupay|union ?pay|discover|diners|jcb|"
    r"debit|credit|cc|ccn|cardno|card_number|cardnumber|carte|tarjeta|tarjetas|cartão|cartao|targeta|txartela|kartu|"
    r"thẻ|kadi|ikhadi|ikarata|kaadi|carta|cvv|cvc|exp|(?:kredit|bank|debit)?karten?(?:nummer|nr)?|kaartnummer|kortnummer|kartnummer|kartica|karta)(?:\b|_|s\b)"
    r"|بطاقة|كارت|信用卡|"
    r"银行卡|卡号|卡號|銀行卡|"
    r"कार्ड|কার্ড|ਕਾਰਡ|કાર્ડ|କାର୍ଡ|கார்டு|அட்டை|కార్డ్|ಕಾರ್ಡ್|കാർഡ്|کارڈ"
)
_OTHER_WORD = re2.compile(
    r"(?i)\b(?:isbn|issn|imei|imsi|iccid|order|orders|tracking|invoice|serial|parcel|shipment|ticket|ref|reference|"
    r"barcode|ean|upc|gtin|doi|id|ids|uid|uuid|user_id|sku|timestamp|seed|hash|nonce|commit|number of|version|"
    r"transaction|case|doc|document|account|factura|facture|commande|pedido|pesanan|resi)\b[^0-9]{0,12}$"
    r"|[№#]\s?$|(?:订单|訂單|编号|編號|单号|單號)[^0-9]{0,12}$"
)
_OPERATOR_BEFORE = re2.compile(r"(?:[A-Za-z0-9_]\(|[-+*/^%=<>] ?|\([0-9]+, ?|0[xX])$")  # a number in a formula, a seed
_OPERATOR_AFTER = re2.compile(r"^ ?(?:[*/^%]|[-+] ?[0-9A-Za-z])")
_GROUPINGS = ([4, 4, 4, 4], [4, 6, 5], [4, 6, 4], [4, 4, 4, 4, 3], [4, 4, 4, 4, 2], [4, 4, 4, 4, 1], [6, 13], [8, 8],
              [4, 4, 4, 1], [6, 12], [6, 4, 4, 4], [4, 4, 5], [4, 4, 4, 3], [4, 4, 4, 6])  # fmt: skip


_DOUBLED = str.maketrans("0123456789", "0246813579")


def has_check_digit(digits: str) -> bool:
    """Whether the last digit is right by Luhn's formula (ISO/IEC 7812-1, annex B)."""
    odd = sum(map(int, digits[-1::-2]))
    even = sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    return (odd + even) % 10 == 0


def find_cards(text: str, before: str, after: str, *, code: bool) -> Iterator[Span]:
    """Spans of the card numbers in a row of digits; `code`: in source code a word such as "card" must be near."""
    if before[-1:].isascii() and (before[-1:].isalnum() or before[-1:] in tuple("_.#$/")):
        return
    row = row_of(text)
    if not _may_hold_one(row):
        return
    cue = _CARD_WORD.search(before[-60:]) is not None or _CARD_WORD.search(after[:24]) is not None
    if (code and not cue) or (not cue and _OTHER_WORD.search(before) is not None):
        return
    first = 0
    while first < len(row.groups):
        last = _card_from(row, first, before, after, cue=cue)
        if last is None:
            first += 1
            continue
        yield row.groups[first][0], row.groups[last][1]
        first = last + 1


def _may_hold_one(row: Row) -> bool:
    """Whether any groups in a row have the length and the check digit of a card: nine of ten rows need no more."""
    for first in range(len(row.groups)):
        digits = ""
        for _, _, group in row.groups[first : first + 5]:
            digits += group
            if len(digits) > CARD_MAX:
                break
            if len(digits) >= CARD_MIN and digits[0] in "12345689" and has_check_digit(digits):
                return True
    return False


def _card_from(row: Row, first: int, before: str, after: str, *, cue: bool) -> int | None:
    digits, separator = "", None
    for last in range(first, min(first + 5, len(row.groups))):
        if last > first:
            between = row.text[row.groups[last - 1][1] : row.groups[last][0]]
            if separator not in (None, between) or len(between) > 1 or between in ("/", "(", ")"):
                return None
            separator = between
        digits += row.groups[last][2]
        if len(digits) > CARD_MAX:
            return None
        if len(digits) >= CARD_MIN and _is_card(row, first, last, digits, separator, before, after, cue=cue):
            return last
    return None


def _is_card(
    row: Row, first: int, last: int, digits: str, separator: str | None, before: str, after: str, *, cue: bool
) -> bool:
    if _ISSUER.fullmatch(digits) is None and not (cue and _ISSUER_NAMED.fullmatch(digits)):
        return False
    if len(set(digits)) < 2 or not has_check_digit(digits):
        return False
    lengths = [len(group) for _, _, group in row.groups[first : last + 1]]
    if len(lengths) > 1 and lengths not in _GROUPINGS:
        return False
    if last == len(row.groups) - 1:
        rest = after
        if rest[:1].isascii() and (rest[:1].isalnum() or rest[:1] in ("_", "%")):
            return False
        if rest[:1] in (".", "-", ",") and rest[1:2].isascii() and rest[1:2].isalnum():
            return False
        if len(lengths) == 1 and _OPERATOR_AFTER.search(rest) is not None:
            return False
    if first == 0 and len(lengths) == 1 and not cue and _OPERATOR_BEFORE.search(before) is not None:
        return False
    return cue or not _in_longer_row(row, first, last, separator)


def _in_longer_row(row: Row, first: int, last: int, separator: str | None) -> bool:
    """Whether the groups before or behind go on as those of the card do; an expiry date does not: `12/27`."""
    groups = row.groups
    if first > 0 and row.text[groups[first - 1][1] : groups[first][0]] in (separator, " ", "-", ".", ","):
        return True
    if last + 1 == len(groups) or row.text[groups[last][1] : groups[last + 1][0]] not in (separator, " ", "-"):
        return False
    follows = row.text[groups[last + 1][1] : groups[last + 1][1] + 1]
    return not (len(groups[last + 1][2]) <= 4 and follows in ("/", "-", ""))


def is_account(written: str, before: str, after: str) -> bool:
    """Whether `written` is an IBAN: its country's length and kinds of characters, and right check digits (ISO 7064)."""
    account = "".join(character for character in written if character.isascii() and character.isalnum())
    if not (account.isupper() or account.islower()):
        return False
    account = account.upper()
    if int(account[2:4]) < 2 or int(account[2:4]) > 98:
        return False
    position = 4
    for length, kind in BBAN[account[:2]]:
        part = account[position : position + length]
        position += length
        if (kind == "n" and not part.isdigit()) or (kind == "a" and not part.isalpha()):
            return False
    if position != len(account) or after[:1] == "_" or before[-1:] == "_":
        return False
    rotated = account[4:] + account[:4]
    return int("".join(str(int(character, 36)) for character in rotated)) % 97 == 1
