"""Messages of programs as running documents: Fluent `.ftl`, Java `.properties`; `gettext` has a module of its own.

Only translations count: a message equal to its original is left out, as are accelerator marks and tags in a message.
"""

from collections.abc import Iterable, Iterator

import re2

from configs.errors import InputError
from configs.text_encodings import text_encoding
from pipeline.readers.containers import Member
from pipeline.readers.encodings import decode, split_lines
from pipeline.readers.rows import Context, Row, join_messages, metadata_json

_TAG = re2.compile(r"</?[A-Za-z][^<>]{0,200}>")
_ACCELERATOR_KEY = re2.compile(r"\s?\([~_&]\w\)")  # 文件(~F): the key stands apart in scripts without Latin letters
_ACCELERATORS = {"~": re2.compile(r"~([\pL\pN])"), "_": re2.compile(r"\b_(\pL)"), "&": re2.compile(r"&(\pL)")}


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
    return message if any(map(str.isalpha, message)) else ""


def message_documents(messages: Iterable[tuple[str, str]], context: Context) -> Iterator[Row]:
    """(original, translation) pairs to documents; each translation once a file.

    Where a message is a document its original is in the metadata.
    """
    seen: set[str] = set()

    def cleaned() -> Iterator[tuple[str, str]]:
        for original, translation in messages:
            text = "" if translation == original else clean_message(translation)
            if text and text not in seen:
                seen.add(text)
                yield original, text

    if context.source.documents == "message":
        return message_rows(((clean_message(original), text) for original, text in cleaned()))
    return join_messages((text for _, text in cleaned()), int(context.source.document_bytes))


def message_rows(pairs: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """A document a pair: the translation, and its original in the metadata."""
    for number, (original, text) in enumerate(pairs):
        yield Row(text, f"#{number}", metadata=metadata_json({"original": original}))


_FLUENT_ENTRY = re2.compile(r"^-?[A-Za-z][\w-]*\s*=\s*(.*)$")
_FLUENT_ATTRIBUTE = re2.compile(r"^\s+\.[A-Za-z][\w-]*\s*=\s*(.*)$")
_FLUENT_KEYS = re2.compile(r"^\s*\.?[\w-]*(?:accesskey|\.key|-key|shortcut|commandkey|style|keycode)\d*\s*=")
_FLUENT_KEY_PARTS = ("key", "shortcut", "style")
"""One of them is in what _FLUENT_KEYS matches."""
_FLUENT_VARIANT = re2.compile(r"^\s*\*?\[\s*[\w.-]+\s*\]\s*(.*)$")
_FLUENT_LITERAL = re2.compile(r'\{\s*"([^"{}]*)"\s*\}')
_FLUENT_NAME = re2.compile(r"\{\s*[-$]?([A-Za-z][\w-]*)[^{}]*\}")


def read_fluent(member: Member, context: Context) -> Iterator[Row]:
    """Values and attributes of a Fluent file, each variant of a choice as a message of its own.

    A placeable stays as its bare name in braces: `{ -brand-short-name }` becomes `{brand-short-name}`.
    """
    text = decode(member.stream.document(), context.source.encoding, member.name)
    yield from message_documents((("", message) for message in fluent_messages(text)), context)


def fluent_messages(text: str) -> Iterator[str]:
    """The texts of a Fluent file in order."""
    held: list[str] = []
    for line in [*split_lines(text), "#"]:
        match = _fluent_start(line)
        continues = line.startswith((" ", "\t")) or not line.strip() or line.startswith("}")
        if match or not continues:
            yield from _placeables(" ".join(held))
            held = [match.group(1)] if match and not _is_key(line) else []
        elif line.strip() not in ("}", ""):
            held.append(line.strip())


def _fluent_start(line: str) -> "re2._Match | None":
    """The match of a line that begins an entry, an attribute or a variant. A line's first character rules out most
    patterns: re2 takes some microseconds a call.
    """
    if line[:1] == "-" or line[:1].isalpha():
        return _FLUENT_ENTRY.match(line) if "=" in line else None
    first = line.lstrip()[:1]
    if first == ".":
        return _FLUENT_ATTRIBUTE.match(line)
    return _FLUENT_VARIANT.match(line) if first in ("*", "[") else None


def _is_key(line: str) -> bool:
    """Whether an entry or attribute is a key to press or a style, and no text."""
    return any(part in line for part in _FLUENT_KEY_PARTS) and bool(_FLUENT_KEYS.match(line))


def _placeables(message: str) -> Iterator[str]:
    message = message.strip()
    if message.endswith("->"):  # the head of a choice; what stands before it in the message is cut off from its end
        return
    if message.count("{") < message.count("}"):  # the end of a choice on the last variant's line
        message = message[: message.rindex("}")]
    if "{" in message:
        message = _FLUENT_NAME.sub(r"{\1}", _FLUENT_LITERAL.sub(r"\1", message)).strip()
    if message:
        yield message


def read_properties(member: Member, context: Context) -> Iterator[Row]:
    """Values of a Java `.properties` file: `\\uXXXX` escapes, values continued over lines.

    A file that is not UTF-8, where the source names no other encoding, is ISO 8859-1, as Java takes it (JEP 226).
    """
    data, encoding = member.stream.document(), context.source.encoding
    try:
        text = decode(data, encoding, member.name)
    except InputError:
        if text_encoding(encoding) != "utf-8":
            raise
        text = data.decode("latin-1")
    yield from message_documents((("", value) for value in property_values(text)), context)


_PROPERTY_ESCAPE = re2.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_PROPERTY = re2.compile(r"^(?:\\.|[^\\\s=:])+\s*[=:\s]\s*(.*)$")


def property_values(text: str) -> Iterator[str]:
    """The values of a `.properties` file in order (java.util.Properties)."""
    held: list[str] = []
    for line in [*split_lines(text), ""]:
        line = line.lstrip(" \t\f")
        if not held and line[:1] in ("#", "!", ""):
            continue
        if (len(line) - len(line.rstrip("\\"))) % 2:
            held.append(line[:-1])
            continue
        match = _PROPERTY.match("".join((*held, line)))
        held = []
        if match:
            value = match.group(1)
            if "\\" in value:
                value = _PROPERTY_ESCAPE.sub(_property_escape, value)
                value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # pairs of escapes join
            yield value


def _property_escape(match: "re2._Match") -> str:
    code, character = match.groups()
    if code:
        return chr(int(code, 16))
    return {"n": " ", "t": " ", "r": " ", "f": " "}.get(character, character)
