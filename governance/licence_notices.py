"""Licence notices: what a comment, or a licence file, says of the licence of what it stands in.

A name alone says nothing: a file may talk *about* the GPL. It counts where the sentence grants or declares (`licensed
under`, `License: …`, `redistribute it and/or modify it under the terms of`), is no question, negation or hypothesis,
and is not quoted. Several licences are all to be satisfied (AND), unless the words offer a choice (OR).
"""

import functools
from dataclasses import dataclass
from itertools import pairwise

import re2
import xxhash
from license_expression import combine_expressions

from configs.load import spdx_list
from governance import licence_languages as elsewhere
from governance import licence_wording as wording
from governance.licence_comments import BLOCK
from governance.licence_names import spdx_of
from governance.licence_phrases import NAMES, TRIGGER, Name, any_name

WORDS_MAX = 1 << 20
"""Bytes of words that are looked through: a licence text of 10 MB is told by its first one."""

NAMES_MAX = 400
"""Names of licences that are weighed in one file; a list of thousands is data."""

UNKNOWN = "LicenseRef-unknown"
"""A licence is declared, in words that are not known."""

_BEFORE = 400
_AFTER = 420
_RIDER_BEFORE = 2000
_RIDER_AFTER = 2600
"""How far behind the beginning of a licence's text a rider to it is looked for: MIT's has 1,100 characters."""
_QUOTE = b'"'


@dataclass(frozen=True)
class Notice:
    """One licence that is declared: its SPDX expression, where in the words, and the words themselves."""

    spdx: str
    start: int
    end: int
    choice: bool = False


@functools.lru_cache(maxsize=16384)
def _cached(key: bytes, words: "_Words") -> str | None:
    return _judge(words.data, words.head, words.plain)


class _Words:
    """Words on their way into the cache: equal to any other, since their hash is the key."""

    __slots__ = ("data", "head", "plain")

    def __init__(self, data: bytes, head: int, plain: bool) -> None:
        self.data, self.head, self.plain = data, head, plain

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Words)

    def __hash__(self) -> int:
        return 0


def notice_of(words: bytes, head: int, *, plain: bool = False) -> str | None:
    """The SPDX expression that comments declare; None if they declare none, UNKNOWN if one that is not known.

    `words` and `head` are of `comment_words`; with `plain` they are of a text about a licence, where the licence that
    is named first counts, and not of comments. What was seen once is not weighed again.
    """
    words = words[:WORDS_MAX]
    if not TRIGGER.search(words):
        return None
    key = xxhash.xxh3_128_digest(words) + (b"p" if plain else b"c") + head.to_bytes(8)
    return _cached(key, _Words(words, head, plain))


def _judge(words: bytes, head: int, plain: bool) -> str | None:
    if b"-|" in words:
        words = wording.HYPHENATED.sub(_unbroken, words)
    if b"reuse-ignorestart" in words:
        words = wording.IGNORED.sub(lambda match: b" " * (match.end() - match.start()), words)
    tags = _tags(words)
    if tags:
        return joined(tags, "AND")
    notices = _notices(words, head, plain)
    if not notices:
        return None
    spdx = _combined(words, notices)
    end = min(len(words) if plain else head, notices[-1].end + _RIDER_AFTER)
    return with_riders(spdx, words[max(0, notices[0].start - _RIDER_BEFORE) : end])


def with_riders(spdx: str, near: bytes) -> str:
    """With what the words near a permissive licence add to it that takes some of it back: the Commons Clause, …"""
    if not wording.RIDDEN.search(spdx.encode()):
        return spdx
    if spdx == "MIT" and wording.GOOD_NOT_EVIL.search(near):
        spdx = "JSON"
    riders = (rider for pattern, rider in wording.RIDERS if rider not in spdx and pattern.search(near))
    return joined([spdx, *riders], "AND")


def _unbroken(match: "re2.Match") -> bytes:
    """A word of notices that was divided at the end of a line, whole again, as long as before."""
    whole: bytes = match.group(1) + match.group(2)
    if whole not in wording.VOCABULARY:
        return bytes(match.group(0))
    return whole + b" " * (match.end() - match.start() - len(whole))


def _tags(words: bytes) -> list[str]:
    """SPDX expressions of the tags that stand at the start of a comment's line."""
    found = []
    for match in wording.SPDX.finditer(words):
        start = max(words.rfind(b"|", 0, match.start()), words.rfind(b"\n", 0, match.start())) + 1
        before = words[start : match.start()]
        if (before.strip(b' "') == b"" and not before.endswith(_QUOTE)) or (
            not before.endswith(_QUOTE) and wording.SNIPPET_OR_FILE.search(before)
        ):
            found.append(_expression_in(match.group(1)))
    return list(dict.fromkeys(found))


def _expression_in(said: bytes) -> str:
    """The longest start of what a tag says that is an expression."""
    tokens = said.decode("ascii", "replace").replace('"', " ").split()
    for end in range(len(tokens), 0, -1):
        text = " ".join(tokens[:end]).rstrip(".;:/-")
        if text.startswith("licenseref-") and end == 1:
            return f"LicenseRef-{text.removeprefix('licenseref-')}"
        text = text.replace("licenseref-", "LicenseRef-")
        if spdx := spdx_of(text):
            return spdx
        if end <= 2 and (spdx := spdx_of(text.strip("()"))):
            return spdx
    return UNKNOWN


def _notices(words: bytes, head: int, plain: bool) -> list[Notice]:
    notices: list[Notice] = []
    end = 0
    for count, match in enumerate(any_name().finditer(words)):
        if count == NAMES_MAX:
            break
        if match.start() < end:
            continue
        group = match.lastindex - 1  # the wrapper's `groups()` cuts out all 68, a third of the work
        name = NAMES[group] if group < len(NAMES) else NAMES[0]
        end = match.end()
        if notice := _weigh(words, match.start(), end, name, head, plain, notices):
            notices.append(notice)
            end = max(end, notice.end)
            if plain and name.full:
                break
    return notices


def _weigh(
    words: bytes, start: int, end: int, name: Name, head: int, plain: bool, before: list[Notice]
) -> Notice | None:
    """The notice that a name belongs to, or None where it is only mentioned."""
    if name.full:
        if _is_quoted(words, start):
            return None
        return _full(words, start, end, name)
    if words[end : end + 1].isalnum():
        return None
    block = words.rfind(BLOCK.encode(), 0, start) + 1
    sentence = _sentence_start(words, max(block, start - _BEFORE), start)
    lead = words[sentence:start]
    own = wording.STRONG.search(words[sentence:end]) or wording.LICENSED_BEHIND.search(words[end : end + 20])
    if not (_declares(words, lead, start, end, plain, block) or _continues(words, start, before)):
        return None
    if not own and not plain:
        after = words[end : end + 120].split(BLOCK.encode(), 1)[0].split(b"||", 1)[0]
        if wording.ASIDE.search(after) and not wording.LICENCE_LINE.match(lead):
            return None
        if start >= head and not before and not elsewhere.FREE.search(words[block:start]):
            return None
    spdx = id_of_name(words, start, end, name)
    return Notice(spdx, start, end) if spdx else None


def _sentence_start(words: bytes, start: int, end: int) -> int:
    """Where the sentence begins that holds `end`: behind a full stop, a blank line, or at `start`."""
    best = start
    for mark in (b". ", b".|", b"||", b"! ", b"? ", b";|"):
        best = max(best, words.rfind(mark, start, end) + len(mark) if words.rfind(mark, start, end) >= 0 else start)
    at = end
    for _ in range(12):
        if (at := words.rfind(b"|", best, at)) < 0:
            break
        # a line of its own begins, though nothing ends the one before
        if wording.LICENCE_LINE.match(words, at + 1) and not wording.GOES_ON.search(words[max(best, at - 24) : at]):
            return at + 1
    return best


def _is_quoted(words: bytes, start: int) -> bool:
    return words[max(0, start - 1) : start] == _QUOTE


def _declares(words: bytes, lead: bytes, start: int, end: int, plain: bool, block: int) -> bool:
    """Whether the words around a name make it a declaration."""
    if lead.startswith(_QUOTE) and not plain and lead.count(_QUOTE) % 2:
        return False
    line = lead[lead.rfind(b"|") + 1 :]
    if (
        wording.TITLE_ONLY.search(line)
        and wording.REST_OF_TITLE.search(words[end : end + 60])
        and not _is_quoted(words, start)
    ):
        if len(words[start:end].split()) > 1 or b"licen" in words[start : end + 20] or plain:
            return True
        signed = wording.COPYRIGHT.search(words[max(block, start - 200) : start])
        if signed or wording.BANNER.search(words[block:start]) or _is_paragraph(words, start, end):
            return True
    if wording.TAGGED.search(words[max(block, start - 200) : start]):
        return True
    talk = wording.OTHER_PARTS.sub(b" ", lead)
    ends = wording.REST_OF_TITLE.search(words[end : end + 60])
    if ends and (wording.HEADLINE.search(lead) or wording.COPYRIGHT_LINE.search(line)):
        return True
    if wording.INDEFINITE.search(lead) or wording.NOT.search(talk):
        return False
    if wording.LICENSED_BEHIND.search(words[end : end + 20]):
        return True
    if wording.STATEMENT.search(lead) and ends and not words[block : start - len(lead)].strip(b" |"):
        return True
    if (said := _declares_elsewhere(words, lead, end, block)) is not None:
        return said
    whole = lead
    for _ in range(40):
        if wording.LEAD.search(lead) and not wording.NAMED.search(lead):
            if wording.COPULA.search(lead):  # `readline is GPL` is talk, `this file is GPL` is none
                return b"licen" in lead or bool(wording.STRONG.search(whole))
            return True
        match = wording.GLUE.search(lead)
        if not match or match.start() == match.end():
            return False
        lead = lead[: match.start()]
    return False


def _is_paragraph(words: bytes, start: int, end: int) -> bool:
    """Whether a name, in parentheses perhaps, is all that stands between two blank lines: `(LGPL)`."""
    before, after = words[:start].rstrip(b" ("), words[end : end + 40].lstrip(b" ).")
    return before[-2:] in (b"", b"||") and (not after or after[:1] == b"\n" or after[:2] == b"||" or after == b"|")


def _declares_elsewhere(words: bytes, lead: bytes, end: int, block: int) -> bool | None:
    """Whether words of another language around a name make it a declaration; None where none stand there."""
    after = words[end : end + 120].split(BLOCK.encode(), 1)[0]
    if elsewhere.FREE.search(words[max(block, end - 2 * _BEFORE) : end]):
        return True
    if not (elsewhere.LEAD.search(lead) or elsewhere.TAIL.search(after)):
        return None
    return not elsewhere.NOT.search(lead + after.split(b". ", 1)[0])


def _continues(words: bytes, start: int, before: list[Notice]) -> bool:
    """Whether a name goes on a list that began with a declared one: `MIT or GPL`, `MPL/GPL/LGPL`."""
    if not before or start - before[-1].end > 80:
        return False
    between = words[before[-1].end : start]
    return bool(wording.BETWEEN_OR.search(between) or wording.CONTINUES.search(between))


def id_of_name(words: bytes, start: int, end: int, name: Name) -> str | None:
    """The SPDX id of a licence whose name stands from `start` to `end`; what follows may tell the version."""
    kind: str = name.spdx
    if kind == "GNU":
        return _gnu(words, start, end)
    if kind == "CC":
        return _creative_commons(words[start : end + 40])
    if "{}" not in kind:
        return kind
    near = wording.VERSION.search(words[end : end + 24])
    own = wording.NUMBER_AT_END.search(words[start:end])
    said = (own or near).group(1).decode() if (own or near) else ""
    if not said and (far := wording.VERSION_FAR.search(words[end : end + 90])):
        said = (far.group(1) or far.group(3)).decode()
    versions = name.versions
    version = next((v for v in versions if v in (said, f"{said}.0")), name.bare)
    return kind.format(version)


def _gnu(words: bytes, start: int, end: int) -> str:
    """Which of the GNU licences, which version, and whether later ones too."""
    said = words[start:end]
    kind = "AGPL" if b"affero" in said or b"agpl" in said else "GPL"
    if any(mark in said for mark in (b"lesser", b"library", b"lgpl")):
        kind = "LGPL"
    after = words[end : end + _AFTER]
    own = wording.GNU_NUMBER_AT_END.search(said)
    near = wording.VERSION.search(after[:26])
    number, plus = "", False
    if own:
        more = wording.NUMBER_GOES_ON.search(after)
        number, plus = own.group(1).decode() + (more.group(1) or b"").decode(), bool(more.group(2))
    elif near and near.start() < 14:
        number, plus = near.group(1).decode(), bool(near.group(2))
    else:
        earlier = wording.VERSION_BEFORE.search(words[max(0, start - 90) : start])
        far = wording.VERSION_FAR.search(after[:300])
        if earlier:
            number, plus = earlier.group(1).decode(), bool(earlier.group(2) or b"later" in earlier.group(0))
        elif far:
            number, plus = (far.group(1) or far.group(3)).decode(), bool(far.group(2))
    later = plus or bool(wording.LATER.search(after[:200]))
    return gnu_id(kind, number, later)


def gnu_id(kind: str, number: str, later: bool) -> str:
    """The SPDX id of a licence of the GNU family; without a number any version may be chosen."""
    lowest = {"GPL": "1.0", "LGPL": "2.0", "AGPL": "3.0"}[kind]
    if not number:
        return f"{kind}-{lowest}-or-later"
    number = number if "." in number else f"{number}.0"
    spdx = f"{kind}-{number}-{'or-later' if later else 'only'}"
    if spdx in spdx_list().known_symbols:
        return spdx
    return f"{kind}-{ {'LGPL': '2.1' if number.startswith('2') else '3.0'}.get(kind, lowest) }-or-later"


def _creative_commons(said: bytes) -> str | None:
    """A Creative Commons licence by its words; one without a version is taken for 4.0."""
    if b"zero" in said[:60] or b"cc0" in said[:8]:
        return "CC0-1.0"
    parts = "CC-BY"
    if re2.search(rb"\bnc\b|-nc\b|non-?commercial", said):
        parts += "-NC"
    if re2.search(rb"\bnd\b|-nd\b|no-?[ |]?deriv", said):
        parts += "-ND"
    elif re2.search(rb"\bsa\b|-sa\b|share-?[ |]?alike", said):
        parts += "-SA"
    version = re2.search(rb"([1-4]\.[05])", said)
    return f"{parts}-{version.group(1).decode() if version else '4.0'}"


def _full(words: bytes, start: int, end: int, name: Name) -> Notice:
    """Which licence a licence's own text is of, where several begin alike."""
    after = words[end : end + 2600]
    spdx: str = name.spdx
    stop = end
    if spdx == "BSD":
        spdx = "BSD-2-Clause"
        if wording.BSD_ADVERTISING.search(after):
            spdx = "BSD-4-Clause"
        elif wording.BSD_NAMES.search(after):
            spdx = "BSD-3-Clause"
        elif not wording.BSD_ONE.search(after):
            spdx = "BSD-1-Clause"
    elif spdx == "MIT":
        if wording.NCSA.search(after[:300]):
            spdx = "NCSA"
        elif not wording.MIT_KEPT.search(after[:1200]):
            spdx = "MIT-0"
        elif wording.NO_ADVERTISING.search(after):
            spdx = "X11"
    elif spdx == "ISC" and not wording.NOTICE_KEPT.search(after[:400]):
        spdx = "0BSD"
    return Notice(spdx, start, stop)


def _combined(words: bytes, notices: list[Notice]) -> str:
    """One expression of all notices of a file."""
    notices = _precise(notices)
    first, last = notices[0], notices[-1]
    if len({notice.spdx for notice in notices}) == 1:
        return _with_exception(words, first.spdx)
    around = words[max(0, first.start - 200) : last.end + 160]
    around = wording.OPTION_LATER.sub(lambda match: b" " * (match.end() - match.start()), around)
    choice = wording.CHOICE.search(around) or all(
        wording.BETWEEN_OR.search(words[a.end : b.start]) for a, b in pairwise(notices)
    )
    parts = list(dict.fromkeys(_with_exception(words, notice.spdx) for notice in notices))
    return joined(parts, "OR" if choice else "AND")


def _precise(notices: list[Notice]) -> list[Notice]:
    """Without the names that only repeat a licence already named with its version."""

    def family(spdx: str) -> str:
        return spdx.split("-")[0]

    vague = ("GPL-1.0-or-later", "LGPL-2.0-or-later")
    exact = {family(notice.spdx) for notice in notices if notice.spdx not in vague}
    kept = [notice for notice in notices if notice.spdx not in vague or family(notice.spdx) not in exact]
    later = {notice.spdx for notice in kept if notice.spdx.endswith("-or-later")}
    kept = [notice for notice in kept if notice.spdx.replace("-only", "-or-later") not in later - {notice.spdx}]
    if any(notice.spdx.startswith("BSD-") and notice.spdx != "BSD-3-Clause" for notice in kept):
        kept = [notice for notice in kept if notice.spdx != "BSD-3-Clause"]
    names = {notice.spdx for notice in kept}
    if "CC0-1.0" in names or "Unlicense" in names:
        kept = [notice for notice in kept if notice.spdx != "LicenseRef-public-domain"]
    if names & {"BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause"}:  # bzip2's has a clause of zlib's
        kept = [notice for notice in kept if notice.spdx != "Zlib"]
    texts = {"MIT-0", "X11"}
    if any(notice.spdx in texts for notice in kept):
        kept = [notice for notice in kept if notice.spdx != "MIT"]
    return kept


def _with_exception(words: bytes, spdx: str) -> str:
    if not spdx.startswith(("GPL-", "LGPL-", "Apache-")) or b"exception" not in words:
        return spdx
    for pattern, exception in wording.EXCEPTION:
        if spdx.startswith("Apache") != (exception == "LLVM-exception"):
            continue
        if pattern.search(words):
            return f"{spdx} WITH {exception}"
    return spdx


def joined(expressions: list[str], relation: str) -> str:
    """Expressions as one, each once."""
    if len(expressions) == 1:
        return expressions[0]
    return str(combine_expressions(expressions, relation=relation, unique=True, licensing=spdx_list()).render())
