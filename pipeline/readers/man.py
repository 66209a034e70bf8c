"""Manual pages (roff with `man` or `mdoc` macros) as plain text: one line a heading, paragraph or list item.

A line-based converter of what pages use in practice. Tables, equations and macro definitions are left out; lines
between `.nf` and `.fi` stay as they are.
"""

import unicodedata
from functools import lru_cache

import re2

_ESCAPES = {
    "aq": "'", "dq": '"', "oq": "‘", "cq": "’", "lq": "“", "rq": "”", "Fo": "«", "Fc": "»", "fo": "‹", "fc": "›",
    "bu": "•", "em": "—", "en": "–", "hy": "‐", "co": "©", "rg": "®", "tm": "™", "ha": "^", "ti": "~", "ga": "`",
    "aa": "´", "rs": "\\", "mu": "×", "di": "÷", "+-": "±", "<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "<-": "←",
    "ss": "ß", "sc": "§", "ps": "¶", "de": "°", "Do": "$", "at": "@", "sh": "#", "sl": "/", "ul": "_", "ba": "|",
    "or": "|", "br": "|", "lB": "[", "rB": "]", "lC": "{", "rC": "}", "la": "⟨", "ra": "⟩", "Eu": "€", "eu": "€",
    "oe": "œ", "OE": "Œ", "ae": "æ", "AE": "Æ", ",c": "ç", ",C": "Ç", "mc": "µ", "fm": "′", "12": "½", "14": "¼",
    "R": "®", "Tm": "™", "Bq": "„", "bq": "‚", "r!": "¡", "r?": "¿", "mi": "−", "pl": "+", "eq": "=", "**": "*",
}  # fmt: skip
_ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", ":": "\u0308", "~": "\u0303"}
_SIMPLE = {
    "-": "-", "e": "\\", "E": "\\", "\\": "\\", "~": " ", " ": " ", "0": " ", "'": "'", "`": "`", ".": ".", "_": "_",
    "t": "\t", "&": "", "|": "", "^": "", "/": "", ",": "", ")": "", ":": "", "%": "", "c": "", "{": "", "}": "",
    "u": "", "d": "", "r": "", "p": "", "!": "", "a": "",
}  # fmt: skip
_ESCAPE_PATTERN = (
    r"\\(?:"
    r"\[u([0-9A-F]{4,6})\]|\[([^\]]{1,40})\]|\((..)"  # characters by code or name
    r"|\*\[([^\]]{1,40})\]|\*\((..)|\*(.)"  # strings
    r"|[fgknFmMYV](?:\[[^\]]{0,40}\]|\(..|[^\[(])"  # fonts, registers, colours
    r"|s(?:[-+]?\d|[-+]?\(\d\d|\[[-+]?\d{1,3}\]|[-+]?'[-+]?\d{1,3}')"  # sizes
    r"|[hvwlLoDbBRSHXxNZC]'[^']{0,200}'"  # motions and drawings
    r'|(".*)|(.))'  # a comment, or any other character
)
_ESCAPE = re2.compile(_ESCAPE_PATTERN)
_WITHOUT_GROUPS = re2.Options()
_WITHOUT_GROUPS.never_capture = True  # re2 hands groups over slowly
_ANY_ESCAPE = re2.compile(_ESCAPE_PATTERN, _WITHOUT_GROUPS)
_ESCAPE_MAX = 256
"""Characters of an escape other than a comment, at most."""
_LONGER = ("", "[", "(")
"""What follows `\\f` or `\\*` where the name is not one character."""
_PARAGRAPHS = frozenset((
    "PP", "P", "LP", "Pp", "TP", "TQ", "IP", "HP", "sp", "RS", "RE", "br", "Bl", "El", "It", "Bd", "Ed", "D1", "Dl",
    "LI", "PD", "EX", "EE", "nf", "fi", "SY", "YS", "ti", "in",
))  # fmt: skip
_HEADINGS = frozenset(("SH", "SS", "Sh", "Ss"))
_FONTS = frozenset(("B", "I", "R", "SM", "SB", "BI", "BR", "IB", "IR", "RB", "RI", "OP"))
_ALTERNATING = frozenset(("BI", "BR", "IB", "IR", "RB", "RI"))
_WORD = re2.compile(r'"((?:[^"]|"")*)"?|(\S+)')
_MDOC_TEXT = frozenset((
    "Nm", "Nd", "Fl", "Ar", "Op", "Pa", "Xr", "Cm", "Ev", "Li", "Sy", "Em", "Ql", "Dq", "Sq", "Pq", "Bq", "Aq", "Dv",
    "Er", "Fn", "Fa", "Ft", "Va", "Vt", "Ic", "Ad", "An", "Lk", "Mt", "No", "Qq", "Tn", "Ux", "Fx", "Nx", "Ox", "Bx",
    "At", "St", "Rv", "Ex", "Ns", "Ap", "Brq", "Aq", "Oo", "Oc", "Bo", "Bc", "Po", "Pc", "Do", "Dc", "So", "Sc",
    "Qo", "Qc", "Xo", "Xc", "Lb", "In", "Cd", "Fd", "Eq", "Dl", "D1", "Ms", "Mv",
))  # fmt: skip
_QUOTES = {"Dq": "“”", "Sq": "‘’", "Ql": "‘’", "Qq": '""', "Pq": "()", "Bq": "[]", "Op": "[]", "Aq": "<>", "Brq": "{}"}
_SKIPPED_UNTIL = {"de": "..", "de1": "..", "am": "..", "ig": "..", "TS": ".TE", "EQ": ".EN", "PS": ".PE"}
_CLOSING = frozenset(".,:;?!)]")
_GLUE = "\ue001"
"""Begins a word that follows the one before without a space."""
_NAME_MAX = 200
"""Characters of a page's own name, which `.Nm` repeats."""


def man_to_text(page: str) -> str:
    """Convert a page; "" where it holds no text of its own (`.so`)."""
    reader = _Page()
    lines = iter(page.split("\n"))
    for line in lines:
        until = reader.line(line.rstrip("\r"))
        if until:
            for skipped in lines:
                if skipped.startswith((until, f"'{until[1:]}")):
                    break
    reader.end_paragraph()
    return "\n".join(reader.text)


def unescape(text: str) -> str:
    """A line of roff without escapes: characters by name, no fonts, no motions.

    The commonest are taken apart here, the others by the pattern, which takes ten times as long.
    """
    pieces, at = [], 0
    while (found := text.find("\\", at)) >= 0:
        pieces.append(text[at:found])
        kind = text[found + 1 : found + 2]
        if kind in _SIMPLE:
            pieces.append(_SIMPLE[kind])
            at = found + 2
        elif kind in ("f", "*") and text[found + 2 : found + 3] not in _LONGER:
            pieces.append("" if kind == "f" else _ESCAPES.get(text[found + 2], ""))
            at = found + 3
        elif kind == "(" and len(text) > found + 3:
            pieces.append(_character(text[found + 2 : found + 4]))
            at = found + 4
        elif kind in ("", '"'):  # a backslash that ends the line; a comment
            return "".join((*pieces, "" if kind else "\\"))
        else:
            escape = _ANY_ESCAPE.match(text[found : found + _ESCAPE_MAX]).group()
            pieces.append(_escape(escape))
            at = found + len(escape)
    return "".join((*pieces, text[at:])) if at else text


@lru_cache(maxsize=4096)
def _escape(escape: str) -> str:
    match = _ESCAPE.fullmatch(escape)
    code, name, pair, *strings, comment, simple = match.groups()
    if code:
        return chr(int(code, 16)) if int(code, 16) < 0x110000 and not 0xD800 <= int(code, 16) < 0xE000 else ""
    if name or pair:
        return _character(name or pair)
    string = next((string for string in strings if string), "")
    if string:
        return _ESCAPES.get(string, "")
    return _SIMPLE.get(simple, simple or "") if not comment else ""


def _character(name: str) -> str:
    if name in _ESCAPES:
        return _ESCAPES[name]
    if len(name) == 2 and name[0] in _ACCENTS and name[1].isalpha():
        return unicodedata.normalize("NFC", name[1] + _ACCENTS[name[0]])
    return ""


def arguments(rest: str) -> list[str]:
    """Arguments of a macro: words, or what stands between quotes."""
    protected = rest.replace("\\ ", "\ue000")
    found = [(quoted or "").replace('""', '"') if quoted is not None else word for quoted, word in _pairs(protected)]
    return [unescape(argument.replace("\ue000", " ")) for argument in found]


def _pairs(text: str) -> list[tuple[str | None, str]]:
    if not any(mark in text for mark in '"\t\f\r\n'):
        return [(None, word) for word in text.split(" ") if word]
    return [(match.group(1), match.group(2)) for match in _WORD.finditer(text)]


class _Page:
    """The page so far: finished lines, and the words of the paragraph that is being filled."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self._words: list[str] = []
        self._filled = True
        self._name = ""
        self._tag = False  # the next line is the tag of a list item
        self._heading = False  # the next line is a heading
        self._depth = 0  # of `.if` blocks that are skipped

    def end_paragraph(self) -> None:
        """Close the paragraph: its words become one line."""
        line = " ".join(" ".join(self._words).replace(f" {_GLUE}", "").replace(_GLUE, "").split())
        if line and line not in ("•", "*", "-", "o"):
            self.text.append(line)
        self._words = []

    def line(self, line: str) -> str:
        """Take a line of the page; returns the line up to which all is to be skipped, or ""."""
        if self._depth:
            self._depth += line.count("\\{") - line.count("\\}")
            return ""
        if line.startswith((".", "'")) and not line.startswith("'\\\""):
            return self._request(line[1:].lstrip())
        if not line.startswith("'\\\""):
            self._add(unescape(line), line)
        return ""

    def _add(self, text: str, line: str = "") -> None:
        if not self._filled:
            if text.strip():
                self.text.append(text.rstrip())
        elif not text.strip() and not line.strip():
            self.end_paragraph()
        else:
            if line.startswith(" "):
                self.end_paragraph()
            self._words.append(text)
        if text.strip() and (self._tag or self._heading):
            self._tag = self._heading = False
            self.end_paragraph()

    def _request(self, line: str) -> str:
        name, _, rest = line.partition(" ") if "\t" not in line[:4] else line.partition("\t")
        name = name.strip()
        if name in ("if", "ie", "el", "while"):
            # conditions tell typesetters apart; a text page needs none of them
            self._depth = max(0, rest.count("\\{") - rest.count("\\}"))
        elif name in _SKIPPED_UNTIL:
            self.end_paragraph()
            return _SKIPPED_UNTIL[name]
        elif name in _HEADINGS:
            self._head(rest)
        elif name in _PARAGRAPHS:
            self._paragraph(name, rest)
        elif name in _FONTS:
            self._font(name, rest)
        elif name in ("UR", "MT"):
            self._add(" ".join(arguments(rest)[:1]))
        elif name in ("UE", "ME") and rest.strip() and self._words:
            self._words.append(_GLUE + unescape(rest.strip()))
        elif name in _MDOC_TEXT:
            self._mdoc(name, rest)
        return ""

    def _head(self, rest: str) -> None:
        self._filled = True
        self._tag = False
        self.end_paragraph()
        if rest.strip():
            self._words = [" ".join(arguments(rest))]
            self.end_paragraph()
        else:
            self._heading = True

    def _paragraph(self, name: str, rest: str) -> None:
        if name in ("PD", "ti", "in"):
            return
        self.end_paragraph()
        self._tag = name in ("TP", "TQ")
        if name in ("nf", "EX", "Bd", "SY"):
            self._filled = name in ("SY",) or (name == "Bd" and "-literal" not in rest and "-unfilled" not in rest)
        elif name in ("fi", "EE", "Ed"):
            self._filled = True
        elif name == "IP":
            self._words = arguments(rest)[:1]
            if self._words and len(self._words[0]) > 2:
                self.end_paragraph()
        elif name in ("It", "D1", "Dl") and rest.strip():
            self._mdoc("No", rest)
            self.end_paragraph()

    def _font(self, name: str, rest: str) -> None:
        words = arguments(rest)
        if not words:
            return
        self._add("".join(words) if name in _ALTERNATING else " ".join(words))

    def _mdoc(self, name: str, rest: str) -> None:
        """An mdoc line: its words, callable macros within it carried out, punctuation closed up."""
        if name == "Nm":
            words = arguments(rest)
            self._name = self._name or (words[0][:_NAME_MAX] if words and words[0] not in _CLOSING else "")
            rest = rest if words and words[0] not in _CLOSING else f"{self._name} {rest}"
        text = _mdoc_text([name, *arguments(rest)])
        if name == "Nd":
            text = f"– {text}"
        if name in ("Pc", "Dc", "Bc", "Oc", "Ns") and self._words:
            self._words.append(_GLUE + text)
        elif text:
            self._add(text)


def _mdoc_text(words: list[str]) -> str:
    out = ""
    closing: list[str] = []
    flag = glue = False
    end = len(words)
    while end > 1 and words[end - 1] in _CLOSING:  # punctuation at the end stands behind closing quotes
        end -= 1
    tail, words = "".join(words[end:]), words[:end]
    for index, word in enumerate(words):
        if word in _MDOC_TEXT and (index == 0 or word[:1].isupper()):
            flag = word == "Fl"
            glue = glue or word in ("Ns", "Ap")
            if word in _QUOTES:
                out += ("" if not out or glue else " ") + _QUOTES[word][0]
                closing.append(_QUOTES[word][1])
                glue = True
            if flag and (index + 1 == len(words) or words[index + 1] in _MDOC_TEXT):
                out += " -" if out and not glue else "-"
            continue
        if index > 1 and words[index - 2] == "Xr" and word.isalnum():
            out += f"({word})"
        elif word in _CLOSING:
            out += word
        else:
            out += ("" if not out or glue else " ") + ("-" if flag else "") + word
        glue = False
    return out + "".join(reversed(closing)) + tail
