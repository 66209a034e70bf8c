"""Telephone numbers: valid in the numbering plan of their region, and written as one writes a number to call.

A plan's patterns are those of `phonenumbers`, compiled for RE2 once a process; a number is valid exactly where
`phonenumbers.is_valid_number` says so. A national number wants more than validity, for years, prices and orders are
valid numbers somewhere: a word such as "phone", or the grouping and the leading zero of its region.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from typing import Any

import re2

from pipeline.pii.addresses import in_ascii
from pipeline.pii.words import AMBIGUOUS_PHONE_WORDS, PHONE_BEGINNINGS, PHONE_WORDS

Span = tuple[int, int]

TYPES = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip
DIGITS_MIN, DIGITS_MAX = 7, 17  # with trunk prefix; a country's code and number have at most 15 (E.164)
GROUPS_MAX = 7  # groups of digits in a number
UNNAMED_REGIONS_MAX = 6  # of a language's regions, whose numbers are told without a word before them
INTERNATIONAL_DIGITS_MAX = 15  # E.164
SHORT_DIGITS = 10  # fewer, and a number may be only the valid part of a longer one
CUE_DISTANCE = 40  # characters between a word such as "phone" and the number

# Numbers by country's code as they were until a plan got longer or shorter ones, which `phonenumbers` no longer knows.
_OLDER = {
    "225": "[0-8][0-9]{7}",  # Côte d'Ivoire, until 2021
    "229": "[2-9][0-9]{7}",  # Benin, until 2024
    "230": "(?:25|4[29]|7[0-9]|9[0-9])[0-9]{5}",  # Mauritius, mobile, until 2013
    "237": "(?:[79][0-9]|22|33)[0-9]{6}",  # Cameroon, until 2014
    "55": "[1-9][1-9][6-9][0-9]{7}",  # Brazil, mobile, until 2016
    "57": "[1245678][2-8][0-9]{6}",  # Colombia, fixed, until 2021
    "84": "1(?:2[0-9]|6[2-9]|8[68]|99)[0-9]{7}|4[0-9]{8}",  # Viet Nam: mobile, until 2018; Hanoi, until 2017
}


def _alternatives(words: list[str]) -> str:
    return "|".join(re.escape(word).replace("_", r"[\s\p{Zs}]") for word in sorted(set(words), key=len, reverse=True))


_CUE = re2.compile(
    rf"(?i)(?:^|[^\p{{L}}\p{{M}}])(?:(?:{_alternatives(PHONE_WORDS)})(?:[^\p{{L}}\p{{M}}]|$)|(?:{_alternatives(PHONE_BEGINNINGS)}))"
    r"|\p{Han}(?:电话|電話|手机|手機|热线|熱線|致电|致電|联系|聯絡)"
    r"|(?:^|[\s|,;(•·])[TMPFC][:.] ?$|(?:^|[^\p{L}])(?:fon|tel|telefon)[oaei]?\w{0,3}[:.]"
)
_AMBIGUOUS_CUE = re2.compile(
    rf"(?i)(?:^|[^\p{{L}}\p{{M}}\p{{N}}._/>-])(?:{_alternatives(AMBIGUOUS_PHONE_WORDS)})(?:[^\p{{L}}\p{{M}}\p{{N}}\n._(\[-]|$)"
)
_SHORT_WORDS = re2.compile(r"[ \x{a0}:,.]{0,3}(?:\p{Ll}+[ \x{a0}:]{1,3}){0,4}[+(]?")  # `call` me on `0712 345 678`
_CUE_AFTER = re2.compile(
    r"(?i)^ ?[(\[—–-]? ?(?:(?:office|home|work|voice|portable) ?(?:[)\],;:./\n]|$)|"
    r"tel|phone|mobile|mob|cell|fax|whatsapp|sms|hotline|téléphone|móvil|celular|mobil|电话|手机|電話|手機|पर कॉल|"
    r"पर फोन|पर संपर्क|নম্বরে|ਤੇ ਕਾਲ|પર કૉલ|پر کال|پر رابطہ|எண்ணில்|నంబర్|এ কল|ನಲ್ಲಿ|on whatsapp|ext\b)"
)
# Words that say the number behind them is something else; the nearest word decides.
_OTHER = re2.compile(
    r"(?i)(?:^|[^\p{L}])(?:isbn|issn|doi|cve|arxiv|pmid|oclc|lccn|asin|imei|iban|account|acct|invoice|order|orders|tracking|"
    r"parcel|serial|ticket|case|ref|reference|refs|booking|receipt|id|uid|no|nr|part|model|sku|barcode|ean|upc|vat|"
    r"version|build|revision|rev|commit|issue|bug|patent|policy|licen[cs]e|registration|population|total|votes|"
    r"page|pages|pp|chapter|section|year|years|lat|lon|latitude|longitude|timestamp|unix|epoch|seconds|bytes|size|"
    r"pin|otp|code|codes|code postal|swift|bic|zip|factura|facture|commande|pedido|encomenda|konto|cuenta|conta|compte|"
    r"siret|siren|cnpj|cpf|nif|dni|rut|nit|curp|bvn|nin|pan|gst|gstin|tin|pesanan|resi|rekening|faktur|mã|đơn hàng|"
    r"oda|agizo|rangi|order number|version)\.?(?:[^\p{L}]|$)"
    r"|[$€£¥₹₦₵]|[№#]|(?:订单|訂單|编号|編號|单号|單號|账号|帳號|版本|身份证|邮编|طلب|فاتورة|حساب|रसीद|ऑर्डर|खाता|অর্ডার|ஆர்டர்|ఆర్డర్|آرڈر|"
    r"USD|EUR|Rs\.?|INR|NGN|KES|KSh|FCFA|CFA)[\s:.]*"
)
_JOINED_BEFORE = re2.compile(r"(?:[\p{L}\p{N}_]|[\p{N}][.,:/=-]|[-=#$%&/\\@.,*^])$")
_NATIONAL_JOIN = re2.compile(r"[\p{Latin}\p{N}_]$|[#$%&\\@*^=]$|\p{N}[.,:/-]$|/$")
# Addresses that call or write to the number behind them, a country's code first, with `+`, `%2B` or neither.
_LINK = re2.compile(
    r"(?i)(?:\bwa\.me/(?:c/|p/[0-9]{1,20}/)?|\bwhatsapp(?:\.com|:/)/send/?\?(?:[^\s#?]*&)?phone=|\bviber://[a-z]+/?\?number=|"
    r"\bsignal\.me/#p/|[?&](?:phone|tel|mobile|msisdn)=)(?:[+＋]|%2B)?$"
)
_LINK_ENDS = ("/", "=", "+", "＋", "B", "b")
_DATE_OR_RANGE = re2.compile(
    r"(?:(?:1[5-9]|20)[0-9]{2}[-./ ][0-9]{1,2}[-./ ][0-9]{1,2}.*"
    r"|[0-9]{1,2}[-./ ]{1,2}[0-9]{1,2}[-./ ]{1,2}(?:1[5-9]|20)[0-9]{2}.*"
    r"|(?:1[5-9]|20)[0-9]{2} ?[-/–] ?(?:1[5-9]|20)[0-9]{2}|97[89][- ].*"
    r"|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2}|[0-9]+\.[0-9]+|(?:[0-9]{4} ){3,}[0-9]+|[0-9]{1,3}(?:\.[0-9]{1,3}){3})"
)
_DATE_WITHIN = re2.compile(r"\b(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}\b")
_NORTH_AMERICAN = re2.compile(
    r"(?:[2-9][0-9]{2}\) ?|[2-9][0-9]{2}[- ])[2-9][0-9]{2}[- ][0-9]{4}|[2-9][0-9]{2}\.[2-9][0-9]{2}\.[0-9]{4}"
)
_POSTCODE = re2.compile(r"[0-9]{5}-[0-9]{4}")  # of the United States, `WA 98226-9062`
_LOCAL_NORTH_AMERICAN = re2.compile(r"[2-9][0-9]{2}-[0-9]{4}")
_THOUSANDS = re2.compile(r"[0-9]{1,3}(?:[. \x{a0}\x{202f}][0-9]{3})+")
_PLUS_NUMBER = re2.compile(r"\+[0-9]{4,}\.[0-9]+")


@dataclass(frozen=True)
class Plan:
    """The numbering plan of one region."""

    code: str
    pattern: str
    trunk: Any
    transform: str | None
    valid: Any
    mobile: Any
    formats: tuple[tuple[Any, Any, str], ...]
    uses_trunk: bool

    def national(self, digits: str) -> tuple[str, bool] | None:
        """The national number in `digits` without trunk prefix, and whether it had one; None if it is not valid."""
        if self.trunk is not None:
            found = self.trunk.match(digits)
            if found is not None and found.end() > 0:
                rest = digits[found.end() :]
                if self.transform is not None and found.lastindex and found[found.lastindex] is not None:
                    rest = found.expand(self.transform) + rest
                if self.valid.fullmatch(rest):
                    return rest, True
        return (digits, False) if self.valid.fullmatch(digits) else None

    def is_grouped_so(self, national: str, groups: list[int]) -> bool:
        """Whether the region writes `national` in groups of those lengths; the first may hold the trunk prefix."""
        for pattern, leading, form in self.formats:
            if leading is not None and leading.match(national) is None:
                continue
            found = pattern.fullmatch(national)
            if found is None:
                continue
            lengths = [len(found[int(number)]) for number in re.findall(r"\\([0-9])", form)]
            if len(lengths) > 1 and groups[-len(lengths) + 1 :] == lengths[1:] and len(groups) >= len(lengths):
                return True
        return False


@cache
def plan(region: str) -> Plan | None:
    """The numbering plan of a region (ISO 3166), compiled at first use; None for a region without one."""
    from phonenumbers import PhoneMetadata

    data = PhoneMetadata.metadata_for_region(region)
    if data is None:
        return None
    formats = data.number_format
    if not formats:  # Canada writes its numbers as the United States do
        main = PhoneMetadata.metadata_for_region(_country_codes()[str(data.country_code)][0])
        formats = main.number_format if main is not None else []
    prefix = data.national_prefix_for_parsing or data.national_prefix
    return Plan(
        str(data.country_code),
        _types(data, TYPES),
        re.compile(prefix) if prefix else None,
        data.national_prefix_transform_rule,
        re2.compile(_types(data, TYPES)),
        re2.compile(_types(data, ("mobile",)) or r"\b\B"),
        tuple(
            (
                re.compile(entry.pattern),  # on at most 17 digits, where RE2 takes ten times as long to be called
                re.compile(entry.leading_digits_pattern[-1]) if entry.leading_digits_pattern else None,
                entry.format or "",
            )
            for entry in formats
        ),
        data.national_prefix is not None and data.national_prefix == "0",
    )


def _types(data: Any, names: tuple[str, ...]) -> str:
    found = (getattr(data, name) for name in names)
    return "|".join(f"(?:{kind.national_number_pattern})" for kind in found if kind and kind.national_number_pattern)


@cache
def _country_codes() -> dict[str, tuple[str, ...]]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return {str(code): regions for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if regions != ("001",)}


@cache
def _numbers_of(code: str) -> Any:
    """The set of patterns of national numbers behind a country's code, one a region, in the regions' order."""
    patterns = re2.Set.FullMatchSet()
    for region in _country_codes()[code]:
        of_it = plan(region)
        # People write `+44 (0)20 …`; `phonenumbers` takes that too.
        patterns.Add(f"{'0?' if of_it is not None and of_it.uses_trunk else ''}(?:{of_it.pattern if of_it else ''})")
    patterns.Compile()
    return patterns


@cache
def _numbers_within(regions: tuple[str, ...]) -> Any:
    """The set of patterns of what is dialled within each region, with or without its trunk prefix."""
    patterns = re2.Set.FullMatchSet()
    for region in regions:
        of_it = plan(region)
        if of_it is not None:
            patterns.Add(f"(?:{of_it.trunk.pattern if of_it.trunk is not None else ''})?(?:{of_it.pattern})")
    patterns.Compile()
    return patterns


def _dialled_within(digits: str, regions: tuple[str, ...]) -> list[str]:
    """The regions in which `digits` are valid; those that rewrite what is dialled may be among them needlessly."""
    known = [region for region in regions if plan(region) is not None]
    matched = set(_numbers_within(regions).Match(digits) or ())
    return [region for index, region in enumerate(known) if index in matched or _rewrites(region)]


def _rewrites(region: str) -> bool:
    of_it = plan(region)
    return of_it is not None and of_it.transform is not None


@lru_cache(maxsize=65_536)
def is_international(digits: str, regions: tuple[str, ...] | None = None) -> bool:
    """Whether `digits` are a country's code and a number valid there, now or until lately; with `regions`, now and in
    one of them."""
    for length in (1, 2, 3):
        found = _country_codes().get(digits[:length])
        if found is None:
            continue
        matched = _numbers_of(digits[:length]).Match(digits[length:]) or ()
        if any(regions is None or found[index] in regions for index in matched):
            return True
        if regions is None and (older := _OLDER.get(digits[:length])) and re2.fullmatch(older, digits[length:]):
            return True
    return False


@lru_cache(maxsize=65_536)
def is_national(digits: str, regions: tuple[str, ...]) -> bool:
    """Whether `digits` are a number valid within one of the regions, with its trunk prefix or without."""
    if not regions:
        return False
    if _numbers_within(regions).Match(digits):
        return True
    rewriting = (of_it for of_it in map(plan, regions) if of_it is not None and of_it.transform is not None)
    return any(of_it.national(digits) is not None for of_it in rewriting)


@dataclass(frozen=True)
class Row:
    """A row of digits, 0 to 9: its groups as spans of characters."""

    text: str
    groups: tuple[tuple[int, int, str], ...]


_GROUP = re.compile(r"[0-9]+")
_TIE = re.compile(r"[-.‐‑]|\) ?-?")  # what stands within a number and not between two
_SPACE = re.compile(r"[ \u00a0\u2009\u202f\u3000]")
_YEAR = re.compile(r"(?:1[5-9]|20)[0-9]{2}")
_AMOUNT = re2.compile(
    r"(?i)^(?::[0-9]|[\s\p{Zs}]?(?:\p{Sc}|%|元|円|(?:EUR|USD|GBP|INR|NGN|KES|KSh|TSh|F?CFA|Rs|VND|IDR|BRL)\b))"
)

_QUAD = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![.0-9])")


def row_of(text: str) -> Row:
    """The groups of digits of a row; digits of any script."""
    plain = text if text.isascii() else in_ascii(text)
    return Row(plain, tuple((found.start(), found.end(), found[0]) for found in _GROUP.finditer(plain)))


class Cue(IntEnum):
    """Whether a word beside a row of digits says that it is a telephone number."""

    NONE = 0
    AMBIGUOUS = 1  # such as "call": it says so only of what is written as such numbers are
    CLEAR = 2


def find_phones(
    text: str, before: str, after: str, regions: tuple[str, ...], *, plus: bool, code: bool
) -> Iterator[Span]:
    """Spans of the telephone numbers in a row of digits.

    Args:
        text: the row, from its first digit on.
        before: what stands before it, with the `+` or `(`; of `text` a few dozen characters suffice.
        after: what stands behind it.
        regions: whose national numbers to look for.
        plus: whether a `+` stands right before the row.
        code: whether the document is source code: there a national number needs a word such as "phone".
    """
    # What needs no pattern comes first: in names and tables nearly all rows of digits end there.
    behind = after[:1]
    if behind.isascii() and (behind.isalnum() or behind == "_") and not after.startswith(("x", "ext")):
        return
    if behind in (".", ",", "-", "/", ":") and after[1:2].isdigit():
        return
    row = row_of(text)
    linked = before[-1:] in _LINK_ENDS and _LINK.search(before) is not None
    encoded = before[-3:] in ("%2B", "%2b")
    if encoded:
        before = before[:-3]
    plus = plus or linked or encoded
    whole = "".join(group for _, _, group in row.groups)
    whole_is_valid = DIGITS_MIN <= len(whole) <= DIGITS_MAX and _is_valid(whole, regions)
    if not plus and not whole_is_valid and len(row.groups) == 1:
        return  # most long numbers end here
    if not plus and _is_joined(before.rstrip("+＋(")[-2:], before.rstrip("(")[-2:]):
        return
    if plus and before.rstrip("+＋(")[-1:].isalnum() and before.rstrip("+＋(")[-1:].isascii():
        return
    if behind == "%" and not linked:
        return
    cue = _cue(before, after)
    if not plus and not cue:
        if before[-1:] == "`" or (before[-1:] == "-" and before[-2:-1].isalpha()):
            return  # a commit's digest, `Mar-02 3014 1990`
        if behind == "-" and after[1:2].isalpha():
            return  # `1990-Mar-02 3`
        last = len(row.groups) - 1
        if whole_is_valid and _is_phone(
            row, 0, last, whole, regions, cue=cue, plus=False, code=code, whole=True, before=before
        ):
            yield row.groups[0][0], row.groups[last][1]
        return
    first = 0
    while first < len(row.groups):
        stop = _longest(row, first, regions, cue=cue, plus=plus and first == 0, code=code, before=before)
        if stop is None:
            if plus and first == 0 and not cue:
                return
            first += 1
            continue
        if cue:
            joined = _tied(row, first, stop)
            alone = joined == (first, stop) and not (plus and first == 0)
            whole_first, stop = _spaced(row, first, stop, regions, after) if alone else joined
            if whole_first < first and _DATE_OR_RANGE.fullmatch(
                row.text[row.groups[whole_first][0] : row.groups[stop][1]]
            ):
                first = stop + 1
                continue
            first = whole_first
        yield row.groups[first][0], row.groups[stop][1]
        first = stop + 1


@lru_cache(maxsize=4096)
def _is_joined(end: str, end_with_plus: str) -> bool:
    """Whether a row of digits is part of what stands before it, of which the last two characters tell."""
    return _JOINED_BEFORE.search(end) is not None and _NATIONAL_JOIN.search(end_with_plus) is not None


def _is_valid(digits: str, regions: tuple[str, ...]) -> bool:
    if digits.startswith("00"):
        return is_international(digits[2:]) or is_national(digits, regions)
    return is_national(digits, regions) or (len(digits) >= 10 and is_international(digits, regions))


def _cue(before: str, after: str) -> Cue:
    near = before[-CUE_DISTANCE - 24 :]
    cues = [found.end() for found in _CUE.finditer(near)]
    named = bool(cues) and len(near) - cues[-1] <= CUE_DISTANCE
    follows = _CUE_AFTER.search(after) is not None
    called = _ambiguous_cue(near)
    if not named and not follows and called is None:
        return Cue.NONE
    others = [found.end() for found in _OTHER.finditer(near)]
    if (named and (not others or others[-1] < cues[-1])) or (follows and not others):
        return Cue.CLEAR
    return Cue.AMBIGUOUS if called is not None and (not others or others[-1] < called) else Cue.NONE


def _ambiguous_cue(near: str) -> int | None:
    """Where the last ambiguous word before a number on its line ends; None where there is none."""
    ends = [found.end() for found in _AMBIGUOUS_CUE.finditer(near)]
    return ends[-1] if ends and len(near) - ends[-1] <= CUE_DISTANCE and "\n" not in near[ends[-1] :] else None


def _longest(
    row: Row, first: int, regions: tuple[str, ...], *, cue: Cue, plus: bool, code: bool, before: str
) -> int | None:
    """Index of the last group of the longest telephone number that begins with group `first`."""
    digits, ends = "", []
    for index in range(first, min(first + GROUPS_MAX, len(row.groups))):
        digits += row.groups[index][2]
        if len(digits) > DIGITS_MAX:
            break
        ends.append((index, digits))
    for index, digits in reversed(ends):
        if len(digits) < DIGITS_MIN:
            break
        abroad = cue and len(digits) >= SHORT_DIGITS and index - first > 1  # another country's code, without its `+`
        if not (plus or _is_valid(digits, regions) or (abroad and is_international(digits))):
            continue
        whole = first == 0 and index == len(row.groups) - 1
        if _is_phone(row, first, index, digits, regions, cue=cue, plus=plus, code=code, whole=whole, before=before):
            return index
    return None


def _tied(row: Row, first: int, last: int) -> tuple[int, int]:
    """First and last group of the number that groups `first` to `last` are part of.

    In a number of another country (`859-292-3680` in a Spanish text) an end can be valid here; the rest goes along.
    """
    start, stop = first, last
    while start > 0 and _TIE.fullmatch(row.text[row.groups[start - 1][1] : row.groups[start][0]]):
        start -= 1
    while stop + 1 < len(row.groups) and _TIE.fullmatch(row.text[row.groups[stop][1] : row.groups[stop + 1][0]]):
        stop += 1
    is_short = sum(len(group) for _, _, group in row.groups[start : stop + 1]) <= DIGITS_MAX
    return (start, stop) if is_short else (first, last)


def _spaced(row: Row, first: int, last: int, regions: tuple[str, ...], after: str) -> tuple[int, int]:
    """The same for a number of another country whose groups are parted by spaces (`255 292 3680`).

    Before a number, what stands first behind the word goes along, unless the number has its own zero; behind it, groups
    like its own, where it is short and not in the groups of its region. Neither are years, dates or amounts.
    """
    found = "".join(group for _, _, group in row.groups[first : last + 1])
    start, stop = first, last
    while start > 0 and found[0] != "0" and _SPACE.fullmatch(row.text[row.groups[start - 1][1] : row.groups[start][0]]):
        start -= 1
    before = [group for _, _, group in row.groups[:first]]
    if start > 0 or any(len(group) > 4 or _YEAR.fullmatch(group) for group in before):
        start = first
    if len(found) < SHORT_DIGITS and not _is_grouped(found, row, first, last, regions):
        stop = _last_spaced(row, last, regions, after)
    size = sum(len(group) for _, _, group in row.groups[start : stop + 1])
    return (start, stop) if size <= INTERNATIONAL_DIGITS_MAX else (first, last)


def _last_spaced(row: Row, last: int, regions: tuple[str, ...], after: str) -> int:
    """Index of the last group that goes along behind group `last`; `last` where none does."""
    rest = row.groups[last + 1 :]
    if not rest or _DATE_OR_RANGE.fullmatch(row.text[rest[0][0] : rest[-1][1]]) or _AMOUNT.search(after):
        return last
    shortest = min(3, len(row.groups[last][2]))
    for (_, end, _), (start, _, group) in zip(row.groups[last:], rest, strict=False):
        alike = shortest <= len(group) <= 4 and _YEAR.fullmatch(group) is None
        if not alike or _SPACE.fullmatch(row.text[end:start]) is None:
            return last
    others = "".join(group for _, _, group in rest)
    return last if len(others) >= DIGITS_MIN and _is_valid(others, regions) else last + len(rest)


def _is_grouped(digits: str, row: Row, first: int, last: int, regions: tuple[str, ...]) -> bool:
    """Whether a region in which `digits` are valid writes them in the groups that they are in."""
    groups = [len(group) for _, _, group in row.groups[first : last + 1]]
    for region in _dialled_within(digits, regions):
        of_it = plan(region)
        national = of_it.national(digits) if of_it is not None else None
        if of_it is not None and national is not None and of_it.is_grouped_so(national[0], groups):
            return True
    return False


def _is_phone(
    row: Row,
    first: int,
    last: int,
    digits: str,
    regions: tuple[str, ...],
    *,
    cue: Cue,
    plus: bool,
    code: bool,
    whole: bool,
    before: str,
) -> bool:
    start, end = row.groups[first][0], row.groups[last][1]
    written = row.text[start:end]
    if not plus and any(quad.start() < end and start < quad.end() for quad in _QUAD.finditer(row.text) if _is_ip(quad)):
        return False
    if plus:
        is_decimal = row.text[end : end + 1] == "." and row.text[end + 1 : end + 2].isdigit()
        return not is_decimal and _PLUS_NUMBER.fullmatch("+" + written) is None and is_international(digits)
    if _DATE_OR_RANGE.fullmatch(written) and not (cue is Cue.CLEAR and digits[0] == "0"):
        return False
    if len(set(digits)) < 3 or (not cue and digits[0] != "0" and _THOUSANDS.fullmatch(written)):
        return False
    if cue is Cue.CLEAR:
        return True
    groups = [group for _, _, group in row.groups[first : last + 1]]
    if not _is_told_from_tables(row, written, digits, groups):
        return False
    if cue is Cue.AMBIGUOUS:
        return _is_called(written, digits, before if first == 0 else None, code=code)
    if code or not whole or _OTHER.search(before[-24:]) is not None:
        return False
    lengths = [len(group) for group in groups]
    if digits.startswith("00"):
        return len(lengths) > 2 and is_international(digits[2:])
    near = regions[:UNNAMED_REGIONS_MAX]
    return is_national(digits, near) and any(
        _looks_national(region, digits, lengths, row.text, before) for region in _dialled_within(digits, near)
    )


def _is_told_from_tables(row: Row, written: str, digits: str, groups: list[str]) -> bool:
    """Whether a number that no word tells is not a piece of a table, a list of versions, a formula, or counted up."""
    if len(groups[-1]) == 1 or sum(len(group) == 1 for group in groups) > 1:
        return False  # `0-11-000322-5`, `1 0 5 7 1 0 30`
    if (
        _POSTCODE.fullmatch(written) is not None
        or "  " in written
        or ("/" in written and digits[0] != "0")
        or _DATE_WITHIN.search(row.text) is not None
    ):
        return False
    if written.count("(") > 1 or written.count("(") > written.count(")"):
        return False
    if "." in written and not written.endswith(")") and _SPACE.search(written.rpartition(")")[2].strip()):
        return False  # `02 3.014 1990`
    return not (
        _is_counted([int(digit) for digit in digits])
        or _is_counted([int(group) for group in groups])
        or (len(digits) % 2 == 0 and _is_counted([int(digits[at : at + 2]) for at in range(0, len(digits), 2)]))
    )


def _is_counted(numbers: list[int]) -> bool:
    """Whether each of at least three numbers is the one before and one: `0123456789`, `01 02 03 04 05`."""
    return len(numbers) > 2 and all(after - before == 1 for before, after in itertools.pairwise(numbers))


def _is_called(written: str, digits: str, before: str | None, *, code: bool) -> bool:
    """Whether a number near an ambiguous word is written so that the word means a call; `before` is None where other
    numbers stand between."""
    if _NORTH_AMERICAN.search(written) is not None or _LOCAL_NORTH_AMERICAN.fullmatch(written) is not None:
        return True
    if code:
        return False
    if digits[0] == "0":
        return len(digits) >= SHORT_DIGITS - 1
    near = "" if before is None else before[-CUE_DISTANCE - 24 :]
    end = _ambiguous_cue(near)
    if end is None or _SHORT_WORDS.fullmatch(near[end:]) is None:
        return False
    alone = written.isdigit() or _THOUSANDS.fullmatch(written) is not None
    return len(digits) >= SHORT_DIGITS - 1 or not alone


def _is_ip(quad: re.Match[str]) -> bool:
    """Whether four groups with dots are an IP address. Four of two digits are how some countries write numbers."""
    parts = quad[0].split(".")
    return max(map(int, parts)) <= 255 and {len(part) for part in parts} != {2}


def _looks_national(region: str, digits: str, groups: list[int], written: str, before: str) -> bool:
    """Whether a number without a word before it is written as the region writes its numbers."""
    of_it = plan(region)
    found = of_it.national(digits) if of_it is not None else None
    if of_it is None or found is None:
        return False
    national, with_trunk = found
    in_parentheses = before.endswith("(") and ")" in written
    if len(groups) == 1:
        is_long = len(digits) >= 10
        if with_trunk or of_it.code == "86":
            return is_long and of_it.mobile.fullmatch(national) is not None and not before.endswith("(")
        return False
    if len(digits) < 8 or (len(groups) == 2 and min(groups) < 3 and not in_parentheses and not with_trunk):
        return False
    grouped = of_it.is_grouped_so(national, groups)
    if of_it.code == "1":
        return _NORTH_AMERICAN.fullmatch(written) is not None
    if in_parentheses:
        return with_trunk or grouped
    if with_trunk:
        return grouped or (len(groups) <= 5 and of_it.mobile.fullmatch(national) is not None)
    if of_it.uses_trunk and of_it.code != "86":
        # `98765 43210`: written without the zero only where mobile numbers are.
        return grouped and len(groups) == 2 and len(national) == 10 and of_it.mobile.fullmatch(national) is not None
    return grouped and len(groups) > 2 and of_it.mobile.fullmatch(national) is not None
