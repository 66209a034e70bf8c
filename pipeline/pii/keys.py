"""Keys: credentials that open an account, by the form their issuer gives them, or by the name they are assigned to.

An issuer's form is asked before anything is asked about digits and letters. All patterns run on RE2, on bytes, on a
bounded part of a document.
"""

import math
from collections import Counter

import re2

from pipeline.pii.issuers import ISSUED, KEY_STARTS, PASSWORD_STARTS
from pipeline.pii.key_shapes import KEY_MAX, KEY_NAME_MAX

Span = tuple[int, int]

_ISSUED = re2.compile(ISSUED)
_ISSUED_HEADS = frozenset(start[:2] for start in set(KEY_STARTS) - set(PASSWORD_STARTS.split()))
"""Without one of them in front there is no need to ask the long pattern."""
_TELEGRAM_NUMBER = re2.compile(rb"(?:^|[^0-9A-Za-z])([0-9]{6,12}:)$")
_DISCORD = re2.compile(rb"[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}")
WEB_TOKEN = re2.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")  # RFC 7519
WEB_TOKEN_MAX = 4096  # bytes

# The name a value is assigned to, right before it: `api_key = "…"`, `"client_secret": "…"`, `Authorization: Bearer …`.
_SECRET_NAME = re2.compile(
    rb"(?i)(?:(?:api|access|auth|account|private|secret|client|consumer|encryption|signing|master|service|app|bot|"
    rb"shared|storage|bearer|deploy|refresh|webhook|hmac|jwt|session|admin|root|license|registration)"
    rb"[ _.-]?(?:key|token|secret)[a-z_]{0,10}|secret|token|passw(?:or)?d|passwd|pwd|passphrase|credentials?|bearer)"
    rb"(?:[\"'`\]]{0,2}[ \t]{0,3}(?::=|=>|[=:])[ \t]{0,3}[br]?[\"'`]?|[ \t]{1,3}[\"'`])$"
    rb"|(?i)(?:\bbearer|\bbasic|--[a-z-]{0,24}(?:key|token|secret|password))[ =][\"']?$"
)
_NAME_ENDS = b"=>: \t\"'`br"
"""The last byte of such a name: nearly all runs stand behind another."""
# Names of values that identify content or are meant for everybody.
_OPEN_NAME = re2.compile(
    rb"(?i)(?:public|pub_?key|csrf|xsrf|hash|digest|md5|sha\d|checksum|commit|integrity|fingerprint|"
    rb"(?:next|page|continuation|client|request|idempotency|pagination|sync|resume|starting|change)[a-z_ -]{0,10}token|"
    rb":secret:$)"
)
_STRONG_NAME = re2.compile(rb"(?i)secret|api|private|access|passw")
_PLACEHOLDER = re2.compile(
    rb"(?i)example|placeholder|x{6}|your[_-]|dummy|change_?me|password|secret|token|credential|private_?key"
)
"""What a value that was drawn at random has not; names such as `testPrivateKey1` do."""
_ISSUED_PLACEHOLDER = re2.compile(rb"(?i)placeholder|x{6}|\*{4}|your[_-]|dummy|change_?me|redacted|insert[_-]")
_UUID = re2.compile(rb"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_HEXADECIMAL_RUN = re2.compile(rb"[0-9a-f]{32}")  # no word, though it may lack digits
_HEXADECIMAL = re2.compile(rb"[0-9A-Fa-f]+")
_PRIVATE_HEAD = re2.compile(rb"BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_BODY = re2.compile(rb"[A-Za-z0-9+/=\s\\\"',:.()-]+")
_PRIVATE_TAIL = re2.compile(rb"-----END (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")

# `://name:password@host`; the name may be empty, as Redis has it.
_URL_PASSWORD = re2.compile(rb"://[^\s:/@\"'<>`]{0,64}:([^\s/\"'<>`]{3,100})@")
# `Password=…;` among the settings of a connection to a database.
_CONNECTION_PASSWORD = re2.compile(
    rb"(?i)(?:password|passwd|pass|pwd) ?= ?[\"']?([^\s;,\"'&<>{}$%()\[\]]{6,80})(?:[;\"'\s&,]|$)"
)
_CONNECTION = re2.compile(
    rb"(?i)\b(?:server|data source|host|hostname|user ?id|uid|database|initial catalog|dbname|dsn|jdbc|accountname|"
    rb"username|user)[ ]?="
)
_PASSWORD_HEADS = (b"pa", b"pw")
"""What the names begin with in the pattern above and in the one below."""
# `password = "…"`, `DB_PASSWORD=…`: shorter than other secrets, so of at least three kinds of characters.
_PASSWORD = re2.compile(
    rb"(?i)(?:password|passwd|passphrase|pwd|pass)[\"']?\]?[ \t]{0,3}(?::=|=>|[=:])[ \t]{0,3}"
    rb"(?:\"([^\s\"$<>{}()]{8,80})\"|'([^\s'$<>{}()]{8,80})')"
)
_PASSWORD_WORDS = re2.compile(
    rb"(?i)pass|pwd|secret|example|test|dummy|change|your|\*{3}|x{4}|foo|bar|hunter2|qwert|abc|1234|^\w+\.\w+$"
)
_EXPANDED = re2.compile(rb"^[$%{<\[*#]|^x{3,}$|(?i)^(?:pass(?:word|wd)?\]?|pwd|secret|token|your[_-].*|\w*_?password)$")

PRIVATE_MIN, PRIVATE_MAX = 64, 16_384  # bytes of the body of a private key
HASH_LENGTHS = (32, 40, 64)  # hexadecimal digits of MD5, SHA-1, SHA-256: a key only where the name says so outright
CONNECTION_MAX = 160  # bytes on each side of a password in which the other settings of a connection are looked for
ISSUED_ENTROPY_MIN = 2.5  # bits a character; `AKIAXXXXXXXXXXXXXXXX` is below
ENTROPY_MIN = 3.2  # bits a character: below, a value repeats itself as words and placeholders do


def entropy(value: bytes) -> float:
    """Shannon entropy of the bytes of `value`, in bits a byte."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


def find_private_key(document: bytes, begin: int) -> Span | None:
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


def find_key(document: bytes, start: int, end: int) -> Span | None:
    """Bounds of the credential that the run `document[start:end]` of letters, digits and `_-+/=` holds, or None."""
    if document[start : start + 6] == b"BEGIN ":
        return find_private_key(document, start)
    while True:
        if document.startswith(b"eyJ", start):  # most runs end here, without a pattern
            web_token = WEB_TOKEN.match(document, start, min(len(document), start + WEB_TOKEN_MAX))
            if web_token is not None:
                return start, web_token.end()
        if document.startswith((b"M", b"N", b"O"), start):
            discord = _DISCORD.match(document, start, min(len(document), start + 80))
            if discord is not None and _is_mixed(discord[0]):
                return start, discord.end()
        equals = document.find(b"=", start, min(end - 1, start + KEY_MAX))
        if equals < 0 or document[equals + 1 : equals + 2] == b"=":
            return _assigned(document, start, end)
        start = equals + 1


def find_issued(document: bytes, start: int, end: int) -> Span | None:
    """Bounds of a key in an issuer's form that begins at `start`, or of a password whose name does."""
    head = document[start : start + 2]
    issued = _ISSUED.match(document, start, end) if head in _ISSUED_HEADS else None
    if issued is None:
        return _password(document, start, end) if head.lower() in _PASSWORD_HEADS else None
    stop = issued.end()
    while document[stop - 1] in b".-_" and stop - start > 20:
        stop -= 1  # the end of a sentence
    value = document[start:stop]
    if document[stop : stop + 1].isalnum() or _ISSUED_PLACEHOLDER.search(value) is not None:
        return None
    if value.startswith(b"AA"):
        number = _TELEGRAM_NUMBER.search(document[max(0, start - 14) : start])
        return None if number is None else (start - len(number[1]), stop)
    if value.startswith((b"hooks.", b"discord")):
        return start, stop
    if entropy(value) <= ISSUED_ENTROPY_MIN or not (
        value.isupper() or _is_mixed(value) or _HEXADECIMAL_RUN.search(value) is not None
    ):
        return None
    return start, stop


def find_url_password(document: bytes, start: int, end: int) -> Span | None:
    """Bounds of the password in `://name:password@`, which begins at `start` and ends at `end`."""
    found = _URL_PASSWORD.match(document, start, end)
    if found is None or _EXPANDED.search(found[1]) is not None or found[1].isdigit():
        return None
    return found.start(1), found.end(1)


def _password(document: bytes, start: int, end: int) -> Span | None:
    found = _CONNECTION_PASSWORD.match(document, start, end)
    if found is not None and _EXPANDED.search(found[1]) is None:
        before = document[max(0, start - CONNECTION_MAX) : start].rsplit(b"\n", 1)[-1]
        after = document[found.end() : found.end() + CONNECTION_MAX].split(b"\n", 1)[0]
        if _CONNECTION.search(before) is not None or _CONNECTION.search(after) is not None:
            return found.start(1), found.end(1)
    found = _PASSWORD.match(document, start, end)
    if found is None:
        return None
    group = 1 if found[1] is not None else 2
    value = found[group]
    if _kinds(value) < 3 or entropy(value) < 2.7 or _PASSWORD_WORDS.search(value) is not None:
        return None
    return found.start(group), found.end(group)


def _kinds(value: bytes) -> int:
    """How many of capitals, small letters, digits and signs there are in `value`."""
    marks = any(0x21 <= byte < 0x80 and not chr(byte).isalnum() for byte in value)
    text = value.decode("ascii", errors="ignore")
    return any(map(str.isupper, text)) + any(map(str.islower, text)) + any(map(str.isdigit, text)) + marks


def _is_mixed(value: bytes) -> bool:
    """Whether capitals, small letters and digits change as they do not in words."""
    changes, before = 0, 0
    for byte in value:
        kind = 1 if 0x30 <= byte <= 0x39 else 2 if 0x41 <= byte <= 0x5A else 3 if 0x61 <= byte <= 0x7A else 0
        changes += kind != 0 and before != 0 and kind != before
        before = kind or before
    return changes >= 4


def _assigned(document: bytes, start: int, end: int) -> Span | None:
    """A random-looking value behind the name of a secret."""
    if end - start > KEY_MAX:
        return None
    name = document[max(0, start - KEY_NAME_MAX) : start]
    if name[-1:] not in _NAME_ENDS or _SECRET_NAME.search(name) is None or _OPEN_NAME.search(name) is not None:
        return None
    value = document[start:end]
    if len(value.rstrip(b"=")) < 20 or _PLACEHOLDER.search(value) is not None:
        return None
    if _UUID.fullmatch(value) is not None:
        return None
    if value.count(b"/") > 2 > value.count(b"+") and not value.endswith(b"="):
        return None
    if len(value) in HASH_LENGTHS and _HEXADECIMAL.fullmatch(value) and _STRONG_NAME.search(name) is None:
        return None
    if not any(0x30 <= byte <= 0x39 for byte in value) and (b"_" in value or b"-" in value):
        return None  # an identifier in code
    return (start, end) if entropy(value) >= ENTROPY_MIN else None
