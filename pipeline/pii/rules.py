"""What a recogniser's verdict leaves out: addresses and numbers of the right shape that belong to nobody.

Each rule looks at a finding and at most `CONTEXT` bytes on each side of it.
"""

import ipaddress

import re2

CONTEXT = 64  # bytes
NEAR = 24  # bytes in which a word of networks speaks for the number behind it

# Reserved for documentation (RFC 2606); `.test`, `.invalid`, `.example` have no public suffix and fail before.
_DOCUMENTATION_DOMAIN = re2.compile(r"(?i)@(?:[a-z0-9_-]+\.)*example\.(?:com|org|net|edu)$")
# Not mailboxes: `git@host:path`, `icon@2x.…`, `name@1.2.…` (a package and its version), `file.py` as a domain of code.
_NOT_MAILBOX = re2.compile(r"(?i)^(?:git|hg|svn|bzr)@|@v?[0-9]+(?:\.[0-9]+|x\.)")

_VERSION_BEFORE = re2.compile(
    rb"(?i)(?:\b|_)(?:v|ver|vers|version(?:s|en|e)?|versi(?:o|\xc3\xb3)n|release[ds]?|rev|revision|build|update|"
    rb"upgraded?|firmware|driver|section|sect?|chapter|clause|paragraph|table|figure|oid|rfc|since|"
    rb"[a-z]{1,24}version|\xe7\x89\x88\xe6\x9c\xac)"
    rb"[\"')\]]*(?:[ \t]*(?:[.:=,]|to|from|is|>=|<=|==|~>|\^)?[ \t]*)[\"'(\[]?$"
)
_UPDATED = re2.compile(
    rb"(?i)(?:updat|upgrad|downgrad|patch|bump|roll)[a-z]{0,3}\b[^\n]{0,40}\b(?:to|from) "
    rb"(?:[A-Za-z][A-Za-z0-9.+-]{0,15} )?[`'\"*_]{0,2}$"
)
_AFTER_DECIMAL = re2.compile(rb"(?:^|[^0-9.])[0-9]*\.[0-9]+ ?$")  # `2.12 3.51.98.32`, the path of a drawing
_COMPARED = re2.compile(rb"(?:[=<>~!]=|~>|\^)[ \t]*[\"']?$")  # `package>=1.2.3.4`
_NO_ADDRESS = (_VERSION_BEFORE, _COMPARED, _UPDATED, _AFTER_DECIMAL)
_NETWORK_WORD = re2.compile(
    rb"(?i)\b(?:ip|ipv4|ip4|host|server|addr|address|adresse|direcci|ping|https?://$|dns|nameserver|router|gateway|"
    rb"port|ssh|ftp|from|client|remote|login|logged|connect)"
)
_PHONE_WORD = re2.compile(
    r"(?i)\b(?:tel|tél|telephone|téléphone|teléfono|telefon[eo]?|phone|mobile|móvil|celular|cell|call|fax|"
    r"whatsapp|sms|simu|ponsel|telepon)\b|điện thoại|电话|電話|手机|手機|هاتف|تليفون|फ़ोन|फोन|ফোন|ਫ਼ੋਨ|ફોન|ଫୋନ|"
    r"போன்|ఫోన్|ಫೋನ್|ഫോൺ|فون"
)
_NORTH_AMERICAN = re2.compile(
    r"(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[- ])[2-9][0-9]{2}[- ][0-9]{4}|[2-9][0-9]{2}\.[2-9][0-9]{2}\.[0-9]{4}"
)
_DATE_OR_RANGE = re2.compile(
    r"(?:(?:18|19|20)[0-9]{2}[-./ ][0-9]{1,2}[-./ ][0-9]{1,2}.*"
    r"|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](?:18|19|20)[0-9]{2}.*|[0-9]{4} ?[-/] ?[0-9]{4}|97[89][- ].*"
    r"|\+[0-9]{4,}\.[0-9]+)"
)
_NUMBER_NAME = re2.compile(r"(?i)(?:isbn|issn|doi|arxiv|pmid|oclc|lccn|asin|[$€£¥#])[- :.0-9]{0,8}$")
_ID_WORD = re2.compile(
    r"(?i)(?:\b(?:ssn|social security|itin|taxpayer|social insurance|nhs|nino|national insurance|nif|dni|nie|"
    r"codice fiscale|steuer|idnr|rentenversicherung|pesel|hetu|personnummer|nric|tfn|tax file|medicare|"
    r"aadhaar|aadhar|uidai|pan card|permanent account|resident registration|rrn|nin|bvn|kimlik|tckn|"
    r"id number|identity number|identity card|national id|identification number|identificaci[oó]n|"
    r"cédula|documento de identidad|numéro de sécurité sociale)\b)|henkilötunnus|आधार|주민등록"
)
_ISSUER = re2.compile(r"(?:4[0-9]{15}|5[1-5][0-9]{14}|3[47][0-9]{13}|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}"
                      r"|62[0-9]{14,17}|35[2-8][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11})")  # fmt: skip

_OPERATOR_BEFORE = re2.compile(r"(?:[A-Za-z0-9_]\(|[-+*/^%] ?|\([0-9]+, ?)$")  # a number in a formula, a seed
_OPERATOR_AFTER = re2.compile(r"^ ?(?:[*/^%]|[-+] ?[0-9A-Za-z])")
_DECORATED = re2.compile(
    rb"^[ \t]*\r?\n[ \t]*(?:@|(?:def|class|async|public|private|protected|static|function|export)\b)"
)

# `@` words of documentation markup and style sheets, which are nobody's name.
MARKUP = frozenset(
    """
    after all anchor author autowired before brief chapter charset cindex class code command default deprecated
    dfn end enumerate env example exception file findex function import include inject interface internal item
    itemize keyframes kindex link media menu method module namespace node noindent note option override page param
    params private property protected public pxref ref return returns samp section see since static subsection
    supports table template test throws todo type typedef uref var version xref
    """.split()  # noqa: SIM905
)


def is_mailbox(found: str, after: bytes) -> bool:
    """Whether an address may be a person's: not of a documentation domain, not a repository, not a version."""
    if after[:1] in (b"(", b"["):
        return False
    return _DOCUMENTATION_DOMAIN.search(found) is None and _NOT_MAILBOX.search(found) is None


def is_public_ip(found: str, before: bytes, after: bytes) -> bool:
    """Whether an IP address may lead to a person.

    Private, loopback, link-local, multicast, reserved and documentation ranges (RFC 6890) lead to nobody. Neither do
    version and section numbers, told by the word before, by what is joined to them, or by four small numbers without
    a word of networks near.
    """
    try:
        address = ipaddress.ip_interface(found).ip
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return True
    octets = address.packed
    if octets[2:] == b"\0\0" or (octets[3] == 0 and octets[1] < 20):
        return False
    if before[-1:] in (b"-", b"_", b"~", b"^") and not before[-2:-1].isdigit():
        return False
    if after[:1] in (b"-", b"+", b"~") and after[1:2].isalpha():
        return False
    if any(pattern.search(before) is not None for pattern in _NO_ADDRESS):
        return False
    # `2.5.29.35` is an object identifier of X.500 (arcs 0 to 2, then under 40), `3.2.4.1` a section.
    ambiguous = max(octets) < 20 or (octets[0] <= 2 and octets[1] < 40)
    return not ambiguous or _NETWORK_WORD.search(before[-NEAR:]) is not None


def may_be_phone(window: str, before: str) -> bool:
    """A cheap test that holds wherever `is_phone` does, so that most numbers never reach the recogniser."""
    return "+" in window or _NORTH_AMERICAN.search(window) is not None or _PHONE_WORD.search(before) is not None


def is_phone(found: str, before: str, after: str) -> bool:
    """Whether a number valid for its region is written as a phone number: in international form, in North American
    groups, or behind a word such as "phone"; dates, ISBN, prices and ranges of years are left."""
    joined = before[-1:].isalnum() or before[-1:] in tuple("_.,-/=#$%&")
    if joined and not (before[-1:] in tuple("=.,/") and found.startswith("+")):
        return False
    if after[:1].isalnum() or after[:1] in ("_", "%"):
        return False
    if after[:1] in (".", ",", "-", "/") and after[1:2].isdigit():
        return False
    if _DATE_OR_RANGE.fullmatch(found) or _NUMBER_NAME.search(before):
        return False
    if found.startswith("+") or _NORTH_AMERICAN.fullmatch(found):
        return True
    return _PHONE_WORD.search(before) is not None


def is_card(found: str, before: str, after: str) -> bool:
    """Whether a number with a right Luhn digit has an issuer's prefix and length, stands alone and is grouped so."""
    if before[-1:].isalnum() or before[-1:] in ("_", ".", "-", "+", "/", "#") or after[:1] in ("_", "%"):
        return False
    if after[:1].isalnum() or (after[:1] in (".", "-", ",") and after[1:2].isalnum()):
        return False
    groups = [len(group) for group in found.replace("-", " ").split(" ")]
    if groups not in ([len(found)], [4, 4, 4, 4], [4, 6, 5], [4, 6, 4]):
        return False
    if len(groups) == 1 and (_OPERATOR_BEFORE.search(before) or _OPERATOR_AFTER.search(after)):
        return False
    digits = found.replace("-", "").replace(" ", "")
    return _ISSUER.fullmatch(digits) is not None and len(set(digits)) > 1


def names_an_id(around: str) -> bool:
    """Whether a word near says that a number is a national id: with one check digit, chance alone accepts a tenth."""
    return _ID_WORD.search(around) is not None


def is_national_id(found: str, before: bytes, after: bytes) -> bool:
    """Whether a number that a recogniser accepts stands alone, is no part of a path, and is no filler of one digit."""
    if before[-1:].isalnum() or before[-1:] in (b"/", b"#", b"_", b"-", b".") or after[:1].isalnum():
        return False
    return len({character for character in found if character.isdigit()}) > 2


def is_handle(name: str, before: bytes, after: bytes) -> bool:
    """Whether `@name` may be a person's name in a network: no word of markup, no key of JSON, no decorator."""
    if name.lower() in MARKUP or before[-1:] in (b";", b")", b"]", b"}"):
        return False
    if before[-1:] in (b'"', b"'") and before[-1:] == after[:1]:
        return False
    return _DECORATED.search(after) is None
