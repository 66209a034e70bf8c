"""Handles: `@name` where a person is meant. The same sign opens annotations, decorators, arrays, rules of style sheets.

A name is taken when nothing speaks against it in ordinary prose, and in technical text only when much speaks for it.
"""

from collections.abc import Iterator, Sequence

import re2

from pipeline.pii.words import MARKUP, MODULES

Span = tuple[int, int]
AROUND = 600  # bytes on each side of a handle that tell technical text from prose
NEAR = 48  # bytes in which words speak for or against a handle
SIGNS_MAX = 0.012  # share of the signs of code in prose; changelogs and manuals have more
_SIGNS = b"{}$\\=<>|`;[]*%~"

_STYLE = re2.compile(
    rb"(?i)^(?:-?(?:webkit|moz|ms|o)-.*|font-.*|counter-style|color-profile|position-try|starting-style|view-transition|"
    rb"custom-.*|tailwind.*|.*-(?:type|block|rule|module|plugin|core|utils|lib|js|ts|css|api|app|element|component))$"
)
_VERSION = re2.compile(rb"^(?:v?[0-9]+(?:\.|$)|[0-9]+[xX]$)")  # `package@v1.2`, `icon@2x`
_FILE = re2.compile(rb"(?i)\.(?:txt|lst|json|ya?ml|toml|xml|csv|tsv|conf|cfg|ini|log|md|rst|html?|c|h|py|rb|sh|rsp)$")
_CAMEL = re2.compile(rb"^[A-Z][a-z0-9]+[A-Z][A-Za-z0-9]*$")
_DOMAIN = re2.compile(rb"(?i)\.(?:com|org|net|edu|gov|io|co|uk|de|fr|info)$")  # what is left of an address of mail
_FOR = re2.compile(
    r"(?i)(?:\b(?:thanks|thank you|thx|ty|kudos|credits?|props|shout-?out|congrat[a-z]*|via|by|cc|hat tip|h/t|rt|"
    r"follow|following|followed|unfollow|twitter|tweet(?:s|ed)?|instagram|insta|ig|telegram|tiktok|threads|bluesky|"
    r"mastodon|facebook|youtube|twitch|snapchat|github|gitlab|discord|linkedin|reddit|medium|username|handle|"
    r"account|profile|dm|pm|ping|hi|hello|hey|dear|ask(?:ed)?|says?|said|wrote|posted|replied|reported by|"
    r"author|maintainers?|reviewers?|contributors?|mentioned|tagged|met|friend|merci|gracias|obrigad[oa]|gracies|gràcies|"
    r"eskerrik asko|terima kasih|makasih|asante|eṣé|ese|daalụ|daalu|enkosi|ngiyabonga|"
    r"murakoze|urakoze|kea leboha|webale|medaase|jerejef|seguir|segue|sigue|suivez|suivre|segueix|hola|olá|"
    r"bonjour|salut|halo|hai|habari|jambo|par|por|oleh|na|cảm ơn|theo dõi)\b"
    r"[:,]? ?(?:(?:on|en|sur|sa|di|to|a|à|with|from|the|is|user|our|my|mon|mi) ){0,2}[(\"']?|\b(?:RT|X|IG|TW|FB):? ?|"
    r"[A-Z][a-z]+ [A-Z][a-z]+ ?\()$"
)
_AGAINST = re2.compile(
    r"(?i)(?:\b(?:annotat[a-z]*|decorat[a-z]*|directives?|macros?|tags?|keywords?|arrays?|at-?rules?|scoped?|packages?|"
    r"imports?|syntax|attributes?|commands?|instance variables?|crontab|cron|javadoc|doxygen|texinfo|jsdoc|perl|"
    r"ruby|razor|blade|helper|selector|stylesheet|css|sass|scss|less|hooks?|props?|method|class|field|function|"
    r"fixture|compiler|operator|matrix|symbol|sign|character|placeholder|mail host|domain|shebang|alias|mixin)\b)"
)
_ARTICLE = re2.compile(r"(?i)\b(?:the|an|each|every) [`'\"(]?$")  # "if the @Column is set"
_AGAINST_AFTER = re2.compile(
    r"(?i)^[`'\"]?(?: and [@\w]+| or [@\w]+)? (?:annotations?|decorators?|directives?|macros?|tags?|keywords?|arrays?|"
    r"rules?|at-rules?|packages?|syntax|attributes?|commands?|variables?|scope|block|modifier|helper|imports?|blocks?|"
    r"parameters?|lines?|bean|element|decoration|property|field|method|notation|sign|symbol|list|hash|option|value)\b"
)
_DECORATED = re2.compile(
    r"^[ \t]*\r?\n[ \t]*(?:@|(?:\.\.\. *)?(?:def|class|async|public|private|protected|static|function|export)\b|"
    r"(?i)(?:\([^)\n]{1,20}\) )?(?:an? )?(?:[a-z]+ )?decorator\b)"
)
_CONSTANT = re2.compile(rb"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")  # `@WTMP_FILE@`, replaced when a program is built
_SIGIL = re2.compile(rb"\$[a-z_]\w*|\bmy \(?[$@%][a-z_]")
SIGILS_MIN, SIGILS_AROUND = 2, 1500  # so many in so many bytes on each side of an array of Perl
_ARRAY_AFTER = re2.compile(r"^(?:::|[ \t]*(?:=|\)))")
_LIST = re2.compile(r"(?i)^[\s,;&/()+]*(?:(?:and|y|et|e|i|eta|dan|và|na|und|or|o|ou|with)\b)?[\s,;&/()+]*$")


def find_handles(document: bytes, candidates: Sequence[Span]) -> Iterator[Span]:
    """Spans of those candidates `@name` in a document that are persons' names in a network."""
    names = [_trimmed(document, start, end) for start, end in candidates]
    known = sum(_is_known(document[start + 1 : end]) for start, end in names)
    technical = 4 * known > len(names) or known > 20
    taken = []
    verdicts = [_verdict(document, start, end, technical=technical, annotated=known > 0) for start, end in names]
    for index, (start, end) in enumerate(names):
        accepted = verdicts[index] > 0
        if verdicts[index] == 0:
            # In a list with one that is surely a person.
            accepted = any(
                0 <= other < len(names) and verdicts[other] == 2 and _listed(document, names, index, other)
                for other in (index - 1, index + 1)
            )
            if accepted:
                verdicts[index] = 2
        if accepted:
            taken.append((start, end))
    yield from taken


def _trimmed(document: bytes, start: int, end: int) -> Span:
    """`@jane.Then` is `@jane` and the next sentence; a file's ending is none of a name."""
    name = document[start:end]
    dot = name.rfind(b".")
    if dot > 2 and (name[dot + 1 : dot + 2].isupper() and not name[1:2].isupper()):
        return start, start + dot
    return start, end


def _listed(document: bytes, names: list[Span], one: int, other: int) -> bool:
    first, second = sorted((names[one], names[other]))
    return (
        second[0] - first[1] <= 12
        and _LIST.search(document[first[1] : second[0]].decode("utf-8", errors="ignore")) is not None
    )


def _is_known(name: bytes) -> bool:
    lower = name.lower().decode("ascii", errors="replace")
    return lower in MARKUP or lower.split(".")[0] in (MODULES if "." in lower else ()) or lower.isdigit()


def _verdict(document: bytes, start: int, end: int, *, technical: bool, annotated: bool) -> int:
    """2: surely a person; 1: a person, as far as one sees; 0: not said; -1: none.

    `technical` and `annotated` tell of the whole document: known words of mark-up are many of its names, or some.
    """
    name = document[start + 1 : end]
    before = document[max(0, start - NEAR) : start].decode("utf-8", errors="ignore")
    after = document[end : end + NEAR].decode("utf-8", errors="ignore")
    if before[-1:] in tuple(";)]}`<=$") or after[:1] in tuple("`;>"):
        return -1
    if _is_known(name) or any(
        not_one.search(name) is not None for not_one in (_STYLE, _DOMAIN, _VERSION, _FILE, _CONSTANT)
    ):
        return -1
    if before[-1:] in ("'", '"') and before[-1:] == after[:1]:
        return -1
    if before[-1:] == "[" and after[:1] == "]" and after[1:2] != "(":
        return -1  # what may be left out, in a manual: `name[@term]`
    if _DECORATED.search(after) is not None or _AGAINST_AFTER.search(after) is not None:
        return -1
    says_so = _FOR.search(before) is not None
    if (not says_so or _ARRAY_AFTER.search(after) is not None) and _has_sigils(document, start, end):
        return -1
    joined = b"." in name or b"-" in name
    if not joined and (_AGAINST.search(before[-32:]) or (not says_so and _ARTICLE.search(before))):
        return -1
    marked = technical or _is_technical(document, start, end)
    if marked:
        return 2 if joined or (says_so and not _is_identifier(name)) else -1 if not says_so else 0
    if annotated and not says_so and _CAMEL.search(name) is not None:
        return 0  # `@OnMessage` beside `@Override`; where no annotation is known it may be a public figure
    if joined or says_so or any(0x30 <= byte <= 0x39 for byte in name):
        return 2
    return 1 if _is_in_prose(before, after) else 0


def _is_identifier(name: bytes) -> bool:
    """`FooBar` and `foo_bar` are written by programmers too."""
    return name[:1].isupper() or b"_" in name


def _is_technical(document: bytes, start: int, end: int) -> bool:
    around = document[max(0, start - AROUND) : start] + document[end : end + AROUND]
    signs = len(around) - len(around.translate(None, _SIGNS))
    return signs > max(2, SIGNS_MAX * len(around))


def _has_sigils(document: bytes, start: int, end: int) -> bool:
    """Whether variables of Perl stand around a name."""
    around = document[max(0, start - SIGILS_AROUND) : end + SIGILS_AROUND]
    return b"$" in around and len(_SIGIL.findall(around)) >= SIGILS_MIN


def _is_in_prose(before: str, after: str) -> bool:
    """Words on the same line, before or behind."""
    line = before.rsplit("\n", 1)[-1] + " " + after.split("\n", 1)[0]
    return sum(map(str.isalpha, line)) >= (8 if line.isascii() else 3)
