"""gettext catalogues, plain (`.po`) and compiled (`.mo`): the translations.

Both are read here rather than by a library: `polib` opens a file where it is handed the path of one as text, and a
catalogue may hold nothing but a path.
"""

import struct
from collections.abc import Callable, Iterator

import re2

from configs.errors import InputError
from configs.text_encodings import text_encoding
from pipeline.readers.containers import Member, without_compression
from pipeline.readers.encodings import decode, split_lines
from pipeline.readers.messages import message_documents
from pipeline.readers.rows import Context, Row

Pair = tuple[str, str]
"""An original and its translation."""

_MAGIC = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}
_CHARSET = re2.compile(rb"(?i)\bContent-Type:[^\n]{0,100}?charset=([-\w.:]{1,40})")
_KEYWORD = re2.compile(r"^(msgctxt|msgid_plural|msgid|msgstr)(?:\[\d{1,9}\])?[ \t]*(\".*)$")
_ESCAPE = re2.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))")
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def read_gettext(member: Member, context: Context) -> Iterator[Row]:
    """A compiled (`.mo`) or plain (`.po`) catalogue, told by its first bytes.

    Its text is in the encoding that the source's entry names, else in that of the catalogue's own header.
    """
    data = member.stream.document()
    if not data:
        return
    if data[:4] in _MAGIC:
        pairs = mo_messages(data, context.source.encoding, member.name, context.on_problem)
    elif without_compression((member.path or member.name).lower()).endswith((".mo", ".gmo")):
        raise InputError(member.name, "not a gettext .mo file", "exclude it")
    else:
        text = decode(data, _encoding(data, context.source.encoding), member.name)
        pairs = po_messages(text, member.name, context.on_problem)
    yield from message_documents(pairs, context)


def _encoding(data: bytes, declared: str) -> str:
    """The source's encoding where it names one, else the header's; a template's says `CHARSET`."""
    if text_encoding(declared) != "utf-8":
        return declared
    match = _CHARSET.search(data[: 64 << 10])
    return (text_encoding(match.group(1).decode()) if match else None) or declared


def po_messages(text: str, name: str, on_problem: Callable[[InputError], None]) -> Iterator[Pair]:
    """Translated messages of a `.po` file (GNU gettext manual, "The Format of PO Files"), neither fuzzy nor obsolete.

    Lines that are none of that format are skipped, as a problem each.
    """
    entry, fuzzy = _Entry(), False
    for number, line in enumerate(split_lines(text), 1):
        line = line.strip()
        if line.startswith("#") or not line:
            if entry.translations:
                yield from entry.pairs(fuzzy)
                entry, fuzzy = _Entry(), False
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
            continue
        if line.startswith("domain "):
            continue
        match = None if line.startswith('"') else _KEYWORD.match(line)
        keyword, quoted = match.groups() if match else ("", line)
        if entry.translations and keyword in ("msgctxt", "msgid"):
            yield from entry.pairs(fuzzy)
            entry, fuzzy = _Entry(), False
        if len(quoted) < 2 or not quoted.startswith('"') or not quoted.endswith('"') or not entry.add(keyword, quoted):
            cause = "not a line of a .po file"
            on_problem(InputError(f"{name}, line {number}", cause, "the line is skipped; repair it"))
    yield from entry.pairs(fuzzy)


class _Entry:
    """An entry as it is read: the pieces of each of its strings."""

    def __init__(self) -> None:
        self.translations: list[list[str]] = []
        self._original: list[str] = []
        self._plural: list[str] = []
        self._open: list[str] | None = None

    def add(self, keyword: str, quoted: str) -> bool:
        """Take a string of the entry; without `keyword`, a further piece of the last. False: there is none."""
        if keyword == "msgstr":
            self._open = []
            self.translations.append(self._open)
        elif keyword:
            self._open = {"msgid": self._original, "msgid_plural": self._plural}.get(keyword, [])
        if self._open is None:
            return False
        self._open.append(quoted[1:-1])
        return True

    def pairs(self, fuzzy: bool) -> Iterator[Pair]:
        """Its translations; none of a fuzzy entry, of the header, or of one of whose forms any is missing."""
        original = _unescape("".join(self._plural or self._original))
        translations = [_unescape("".join(pieces)) for pieces in self.translations]
        if original and not fuzzy and all(translations):
            yield from ((original, translation) for translation in translations)


def _unescape(text: str) -> str:
    return str(_ESCAPE.sub(_character, text)) if "\\" in text else text


def _character(match: "re2._Match") -> str:
    octal, hexadecimal, simple = match.groups()
    if simple:
        return _SIMPLE.get(simple, simple)
    return chr(int(octal, 8) if octal else int(hexadecimal, 16))


def mo_messages(data: bytes, encoding: str, name: str, on_problem: Callable[[InputError], None]) -> Iterator[Pair]:
    """Messages of a `.mo` file (GNU gettext manual, "The Format of GNU MO Files"), bounds checked.

    A message that is not in the catalogue's encoding is a problem. Raises InputError where the tables or a message
    point behind the end of the file, or messages overlap.
    """
    order = _MAGIC.get(data[:4])
    if order is None or len(data) < 28:
        raise _damaged(name, "it ends within its header")
    count, originals, translations = struct.unpack_from(order + "III", data, 8)
    if max(originals, translations) + 8 * count > len(data):
        raise _damaged(name, "its tables point behind its end")
    places = [struct.iter_unpack(order + "II", data[table : table + 8 * count]) for table in (originals, translations)]
    charset, total = _encoding(data, encoding), 0
    for number, ((length, start), (other_length, other_start)) in enumerate(zip(*places, strict=True), 1):
        total += length + other_length
        if max(start + length, other_start + other_length) > len(data):
            raise _damaged(name, "a message points behind its end")
        if total > 2 * len(data):
            raise _damaged(name, "its messages overlap")
        try:
            original = data[start : start + length].decode(charset)
            translation = data[other_start : other_start + other_length].decode(charset)
        except UnicodeDecodeError as error:
            cause = f"not valid {charset.upper()} at byte {error.start}"
            on_problem(InputError(f"{name}, message {number}", cause, "it is skipped; set the source's `encoding`"))
            continue
        if original:  # else the header
            singular = original.rpartition("\4")[2].partition("\0")[0]
            yield from ((singular, form) for form in translation.split("\0"))


def _damaged(name: str, cause: str) -> InputError:
    return InputError(name, f"damaged: {cause}", "fetch the file again, or exclude it")
