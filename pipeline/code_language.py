"""Which programming language a file holds: by its extension, and by its first bytes where others share the extension.

Linear time: bytes methods and RE2 over the first kilobytes.
"""

from functools import cache

import re2

from configs.load import load_languages

HEAD_BYTES = 8192
"""More of a file is not looked at."""

_CPP = re2.compile(
    rb"(?m)^[ \t]*(?:class[ \t]+\w|namespace\b|template[ \t]*<|using[ \t]+(?:namespace\b|\w+[ \t]*=)"
    rb"|(?:public|private|protected)[ \t]*:|extern[ \t]+\"C\+\+\"|typename\b"
    rb"|#[ \t]*include[ \t]*<(?:algorithm|array|atomic|chrono|cmath|cstddef|cstdint|cstdio|cstdlib|cstring|exception"
    rb"|fstream|functional|initializer_list|iosfwd|iostream|iterator|limits|list|map|memory|mutex|new|optional|ostream"
    rb"|queue|set|sstream|stdexcept|string|string_view|thread|tuple|type_traits|typeinfo|unordered_map|unordered_set"
    rb"|utility|variant|vector|[\w/]+\.hpp)>)"
    rb"|\bstd::\w|\b(?:static|const|dynamic|reinterpret)_cast[ \t]*<|\bvirtual[ \t]+~?\w"
    rb"|\boperator[ \t]*[=+\-*/<>!\[(&|]|\)[ \t]*(?:const[ \t]*)?(?:noexcept|override|final)\b"
    rb"|\bconstexpr\b|\bnullptr\b|\w::~?\w"
)
"""What C++ has and C lacks, at the start of a line or unmistakable anywhere."""

_OBJECTIVE_C = re2.compile(rb"(?m)^[ \t]*(?:@(?:interface|protocol|implementation|class|end)\b|#[ \t]*import\b)")
_COMMENT_OR_STRING = re2.compile(rb"(?s)//[^\n]*|/\*.*?(?:\*/|\z)|\"(?:[^\"\\\n]|\\.)*\"")
_PHP_TAG = re2.compile(rb"(?i)<\?(?:php\b|=|\s)")
_TRANSPORT_PACKET = 188


def identify_code(path: str, head: bytes) -> str | None:
    """The programming language (code of `languages.toml`) of a file, from its path and first bytes; None: not ours.

    `.h` is C++ where it holds what C lacks, Objective-C headers are neither; `.H` and `.C` are C++; `.ts` may also be
    a Qt translation (XML) or an MPEG transport stream; files with zero bytes and XML files are no source code; PHP has
    a tag `<?`. The extension counts with its case, else in lower case.
    """
    name = path.rsplit("/", 1)[-1].rsplit("!", 1)[-1]
    if "." not in name:
        return None
    extension = name[name.rindex(".") :]
    known = _extensions()
    language = known.get(extension) or known.get(extension.lower())
    head = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
    if language is None or b"\0" in head or _is_binary(head) or _is_markup(head, language):
        return None
    if language == "php":
        return "php" if not head or _PHP_TAG.search(head) else None
    if language == "c" and extension == ".h":
        return _header(head)
    return language


@cache
def _extensions() -> dict[str, str]:
    languages = load_languages().programming
    return {extension: code for code, entry in languages.items() for extension in entry.extensions}


def _is_binary(head: bytes) -> bool:
    """MPEG transport streams have packets of 188 bytes, each beginning with G; other video has control bytes."""
    if head[:1] == b"G" and len(head) > _TRANSPORT_PACKET and head[_TRANSPORT_PACKET : _TRANSPORT_PACKET + 1] == b"G":
        starts = head[::_TRANSPORT_PACKET]
        if starts == b"G" * len(starts) and b"\n" not in head[:_TRANSPORT_PACKET]:
            return True
    controls = len(head) - len(head.translate(None, bytes([*range(1, 9), *range(14, 27), *range(28, 32)])))
    return controls * 50 > len(head)


def _is_markup(head: bytes, language: str) -> bool:
    """XML under the name of code: Qt translations (.ts), RSS feeds (.rs) and the like."""
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<?xml", b"<!doctype ts", b"<ts ", b"<ts>", b"<rss", b"<rdf")):
        return language != "php" or b"<?php" not in head
    return language in ("typescript", "rust", "csharp", "lua") and start.startswith((b"<!doctype", b"<html"))


def _header(head: bytes) -> str | None:
    bare = _COMMENT_OR_STRING.sub(b" ", head)
    if _OBJECTIVE_C.search(bare):
        return None
    guarded = _without_guards(head, bare)
    return "cpp" if _CPP.search(guarded) else "c"


def _without_guards(head: bytes, bare: bytes) -> bytes:
    """C headers made fit for C++ hold `#ifdef __cplusplus` parts; what they contain is no sign of C++."""
    if b"__cplusplus" not in head:
        return bare
    kept, depth, skipping = [], 0, 0
    for line in bare.split(b"\n"):
        word = line.lstrip()
        directive = word[1:].lstrip() if word.startswith(b"#") else b""
        if directive.startswith(b"if"):
            depth += 1
            if not skipping and b"__cplusplus" in directive and not directive.startswith((b"ifndef", b"if !")):
                skipping = depth
        elif directive.startswith((b"else", b"elif")) and skipping == depth:
            skipping = 0
        elif directive.startswith(b"endif"):
            if skipping == depth:
                skipping = 0
            depth -= 1
        if not skipping:
            kept.append(line)
    return b"\n".join(kept)
