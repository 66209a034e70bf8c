"""Keys: credentials that open an account, by the prefix their issuer gives them, or by the name they are assigned to.

All patterns run on RE2, on bytes, on a bounded part of a document.
"""

import math
from collections import Counter

import re2

from pipeline.pii.sieve import KEY_MAX

# Token formats with a prefix that issuers documented so that scanners recognise them.
ISSUED = re2.compile(
    rb"(?:A(?:KIA|SIA)[A-Z0-9]{16}"  # Amazon Web Services
    rb"|gh[pousr]_[A-Za-z0-9]{36,80}|github_pat_[A-Za-z0-9_]{40,100}"
    rb"|glpat-[A-Za-z0-9_-]{20,60}"
    rb"|xox[abeoprs]-[A-Za-z0-9-]{16,200}"  # Slack
    rb"|AIza[A-Za-z0-9_-]{35}"  # Google
    rb"|[sr]k_live_[A-Za-z0-9]{20,120}"  # Stripe
    rb"|sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,200}"
    rb"|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,40}|pypi-AgE[A-Za-z0-9_-]{40,200}"
    rb"|shpat_[a-f0-9]{32}|dop_v1_[a-f0-9]{64})"
)
WEB_TOKEN = re2.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")  # RFC 7519
WEB_TOKEN_MAX = 4096  # bytes

# The name a value is assigned to, right before it: `api_key = "…"`, `"client_secret": "…"`, `Authorization: Bearer …`.
_SECRET_NAME = re2.compile(
    rb"(?i)(?:(?:api|access|auth|account|private|secret|client|consumer|encryption|signing|master|service|app|bot)"
    rb"[ _.-]?(?:key|token|secret)[a-z_]{0,10}|secret|token|passw(?:or)?d|passwd|pwd|credentials?|bearer)"
    rb"(?:[\"'`\]]{0,2}[ \t]{0,3}(?::=|=>|[=:])[ \t]{0,3}[br]?[\"'`]?|[ \t]{1,3}[\"'`])$"
    rb"|(?i)(?:\bbearer|--[a-z-]{0,24}(?:key|token|secret|password))[ =][\"']?$"
)
# Names of values that identify content or are meant for everybody.
_OPEN_NAME = re2.compile(
    rb"(?i)(?:public|pub_?key|csrf|xsrf|hash|digest|md5|sha\d|checksum|commit|integrity|fingerprint|"
    rb"(?:next|page|continuation|client|request|idempotency|pagination|sync|resume|starting|change)[a-z_ -]{0,10}token|"
    rb":secret:$)"
)
_STRONG_NAME = re2.compile(rb"(?i)secret|api|private|access|passw")
_PLACEHOLDER = re2.compile(rb"(?i)example|placeholder|x{6}|your[_-]|dummy|change_?me")
_UUID = re2.compile(rb"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_HEXADECIMAL = re2.compile(rb"[0-9A-Fa-f]+")
_PRIVATE_HEAD = re2.compile(rb"BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_BODY = re2.compile(rb"[A-Za-z0-9+/=\s\\\"',:.()-]+")
_PRIVATE_TAIL = re2.compile(rb"-----END (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")

PRIVATE_MIN, PRIVATE_MAX = 64, 16_384  # bytes of the body of a private key
HASH_LENGTHS = (32, 40, 64)  # hexadecimal digits of MD5, SHA-1, SHA-256: a key only where the name says so outright
NAME_MAX = 48  # bytes before a value in which its name is looked for
ISSUED_ENTROPY_MIN = 2.5  # bits a character; `AKIAXXXXXXXXXXXXXXXX` is below
ENTROPY_MIN = 3.2  # bits a character: below, a value repeats itself as words and placeholders do


def entropy(value: bytes) -> float:
    """Shannon entropy of the bytes of `value`, in bits a byte."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


def find_private_key(document: bytes, begin: int) -> tuple[int, int] | None:
    """Bounds of the armoured private key whose `BEGIN` is at `begin`, head and tail included."""
    head = _PRIVATE_HEAD.match(document, begin, min(len(document), begin + 64))
    if head is None:
        return None
    dashes = document.find(b"-----", head.end(), head.end() + PRIVATE_MAX)
    if dashes - head.end() < PRIVATE_MIN:
        return None
    tail = _PRIVATE_TAIL.match(document, dashes, min(len(document), dashes + 64))
    if tail is None or _PRIVATE_BODY.fullmatch(document, head.end(), dashes) is None:
        return None
    start = begin
    while start > 0 and document[start - 1] == 0x2D and begin - start < 5:
        start -= 1
    return start, tail.end()


def find_key(document: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Bounds of the credential that the run `document[start:end]` holds, or None."""
    if document[start : start + 6] == b"BEGIN ":
        return find_private_key(document, start)
    web_token = WEB_TOKEN.match(document, start, min(len(document), start + WEB_TOKEN_MAX))
    if web_token is not None:
        return start, web_token.end()
    issued = ISSUED.search(document[start : min(end, start + KEY_MAX)])
    if (
        issued is not None
        and _is_apart(document, start + issued.start())
        and entropy(issued[0]) > ISSUED_ENTROPY_MIN
        and _PLACEHOLDER.search(issued[0]) is None
    ):
        return start + issued.start(), start + issued.end()
    return _assigned(document, start, end)


def _is_apart(document: bytes, start: int) -> bool:
    return start == 0 or not document[start - 1 : start].isalnum()


def _assigned(document: bytes, start: int, end: int) -> tuple[int, int] | None:
    """A random-looking value behind the name of a secret; the run may hold the name too (`token=…`)."""
    while (equals := document.find(b"=", start, end - 1)) >= 0 and document[equals + 1 : equals + 2] != b"=":
        start = equals + 1
    value = document[start:end]
    if len(value.rstrip(b"=")) < 20 or _PLACEHOLDER.search(value) is not None:
        return None
    name = document[max(0, start - NAME_MAX) : start]
    if _SECRET_NAME.search(name) is None or _OPEN_NAME.search(name) is not None:
        return None
    if _UUID.fullmatch(value) is not None or value.count(b"/") > 2 > value.count(b"+"):
        return None
    if len(value) in HASH_LENGTHS and _HEXADECIMAL.fullmatch(value) and _STRONG_NAME.search(name) is None:
        return None
    return (start, end) if entropy(value) >= ENTROPY_MIN else None
