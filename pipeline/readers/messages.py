"""Messages of programs as running documents: gettext `.mo` and `.po`, Fluent `.ftl`, Java `.properties`.

Only translations count: a message equal to its original is left out, as are accelerator marks and tags in a message.
"""

import struct
from collections.abc import Iterable, Iterator

import polib
import re2

from configs.errors import InputError
from pipeline.readers.containers import Member, without_compression
from pipeline.readers.rows import Context, Row, join_messages
from pipeline.readers.streams import input_errors
from pipeline.readers.texts import decode

MESSAGES_MAX = 1_000_000
_TAG = re2.compile(r"</?[A-Za-z][^<>]{0,200}>")
_ACCELERATOR_KEY = re2.compile(r"\s?\([~_&]\w\)")  # 文件(~F): the key stands apart in scripts without Latin letters
_ACCELERATORS = {"~": re2.compile(r"~([\pL\pN])"), "_": re2.compile(r"\b_(\pL)"), "&": re2.compile(r"&(\pL)")}
_TEXT = re2.compile(r"\pL")


def clean_message(message: str) -> str:
    """A message without tags and accelerator marks, on one line; "" where no letter is left."""
    message = " ".join(message.replace("\\n", " ").split())
    if "<" in message:
        message = _TAG.sub("", message).strip()
    if "~" in message or "_" in message or "&" in message:
        message = _ACCELERATOR_KEY.sub("", message)
        for mark, pattern in _ACCELERATORS.items():
            if message.count(mark) == 1:  # two of them are no accelerators
                message = pattern.sub(r"\1", message)
    return message if _TEXT.search(message) else ""


def _documents(messages: Iterable[tuple[str, str]], context: Context) -> Iterator[Row]:
    """(original, translation) pairs to documents; each translation once a file."""
    seen: set[str] = set()

    def cleaned() -> Iterator[str]:
        for original, translation in messages:
            text = "" if translation == original else clean_message(translation)
            if text and text not in seen:
                seen.add(text)
                yield text

    return join_messages(cleaned(), int(context.source.document_bytes))


def read_gettext(member: Member, context: Context) -> Iterator[Row]:
    """A compiled (`.mo`) or plain (`.po`) catalogue."""
    data = member.stream.document()
    if not data:
        return
    with input_errors(member.name):
        if without_compression(member.path or member.name).endswith((".po", ".pot")):
            pairs = _po_messages(decode(data, context.source.encoding, member.name))
        else:
            pairs = _mo_messages(data, member.name)
        yield from _documents(pairs, context)


def _po_messages(text: str) -> list[tuple[str, str]]:
    return [
        (form, translation)
        for entry in polib.pofile(text)
        if entry.translated() and not entry.obsolete
        for form, translation in (
            [(entry.msgid, entry.msgstr)]
            if entry.msgstr
            else [(entry.msgid_plural, translation) for _, translation in sorted(entry.msgstr_plural.items())]
        )
    ]


def _mo_messages(data: bytes, name: str) -> list[tuple[str, str]]:
    """Messages of a `.mo` file (GNU gettext manual, "The Format of GNU MO Files"), bounds checked."""
    order = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}.get(data[:4])
    if order is None or len(data) < 28:
        raise InputError(name, "not a gettext .mo file", "exclude it")
    count, originals, translations = struct.unpack_from(order + "III", data, 8)
    if count > MESSAGES_MAX or max(originals, translations) + 8 * count > len(data):
        raise InputError(name, "damaged: its tables point behind its end", "fetch the file again, or exclude it")

    def text(table: int, index: int) -> str:
        length, offset = struct.unpack_from(order + "II", data, table + 8 * index)
        if offset + length > len(data):
            raise InputError(name, "damaged: a message points behind its end", "fetch the file again, or exclude it")
        return data[offset : offset + length].decode("utf-8")

    pairs: list[tuple[str, str]] = []
    for index in range(count):
        original, translation = text(originals, index), text(translations, index)
        if not original:  # the header
            continue
        singular = original.rpartition("\4")[2].partition("\0")[0]
        pairs += [(singular, form) for form in translation.split("\0")]
    return pairs


_FLUENT_ENTRY = re2.compile(r"^-?[A-Za-z][\w-]*\s*=\s*(.*)$")
_FLUENT_ATTRIBUTE = re2.compile(r"^\s+\.[A-Za-z][\w-]*\s*=\s*(.*)$")
_FLUENT_KEYS = re2.compile(r"^\s*\.?[\w-]*(?:accesskey|\.key|-key|shortcut|commandkey|style|keycode)\d*\s*=")
_FLUENT_VARIANT = re2.compile(r"^\s*\*?\[\s*[\w.-]+\s*\]\s*(.*)$")
_FLUENT_LITERAL = re2.compile(r'\{\s*"([^"{}]*)"\s*\}')
_FLUENT_NAME = re2.compile(r"\{\s*[-$]?([A-Za-z][\w-]*)[^{}]*\}")


def read_fluent(member: Member, context: Context) -> Iterator[Row]:
    """Values and attributes of a Fluent file, each variant of a choice as a message of its own.

    A placeable stays as its bare name in braces: `{ -brand-short-name }` becomes `{brand-short-name}`.
    """
    text = decode(member.stream.document(), "utf-8", member.name)
    yield from _documents((("", message) for message in fluent_messages(text)), context)


def fluent_messages(text: str) -> Iterator[str]:
    """The texts of a Fluent file in order."""
    held: list[str] = []
    for line in [*text.splitlines(), "#"]:
        match = _FLUENT_ENTRY.match(line) or _FLUENT_ATTRIBUTE.match(line) or _FLUENT_VARIANT.match(line)
        continues = line.startswith((" ", "\t")) or not line.strip() or line.startswith("}")
        if match or not continues:
            yield from _placeables(" ".join(held))
            held = [match.group(1)] if match and not _FLUENT_KEYS.match(line) else []
        elif line.strip() not in ("}", ""):
            held.append(line.strip())


def _placeables(message: str) -> Iterator[str]:
    message = message.strip()
    if message.endswith("->"):  # the head of a choice; what stands before it in the message is cut off from its end
        return
    if message.count("{") < message.count("}"):  # the end of a choice on the last variant's line
        message = message[: message.rindex("}")]
    message = _FLUENT_NAME.sub(r"{\1}", _FLUENT_LITERAL.sub(r"\1", message)).strip()
    if message:
        yield message


def read_properties(member: Member, context: Context) -> Iterator[Row]:
    """Values of a Java `.properties` file: `\\uXXXX` escapes, values continued over lines."""
    text = decode(member.stream.document(), context.source.encoding, member.name)
    yield from _documents((("", value) for value in property_values(text)), context)


_PROPERTY_ESCAPE = re2.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_PROPERTY = re2.compile(r"^(?:\\.|[^\\\s=:])+\s*[=:\s]\s*(.*)$")


def property_values(text: str) -> Iterator[str]:
    """The values of a `.properties` file in order (java.util.Properties)."""
    held = ""
    for line in text.splitlines():
        line = line.lstrip()
        if not held and line[:1] in ("#", "!", ""):
            continue
        held += line
        if (len(held) - len(held.rstrip("\\"))) % 2:
            held = held[:-1]
            continue
        match = _PROPERTY.match(held)
        held = ""
        if match:
            value = _PROPERTY_ESCAPE.sub(_property_escape, match.group(1))
            yield value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # pairs of escapes join


def _property_escape(match: "re2._Match") -> str:
    code, character = match.groups()
    if code:
        return chr(int(code, 16))
    return {"n": " ", "t": " ", "r": " ", "f": " "}.get(character, character)
