"""From a document to the items that templates make prompts of: dictionaries of fields.

rows        the document itself: its `text`, and each key of its metadata (the other columns of a table)
passages    pieces of up to `characters_max` characters, cut where lines and sentences end: `text`, and its two halves,
            `first` and `second`
cloze       the same pieces with a word taken out (two characters, where there is no space between words): `text` with
            `____`, `word`
functions   Python functions that have a docstring: `code` without it, `docstring`, `name`

All have `language` (code), `language_name` (English) and `language_choices`: four names of languages of the same
source, in alphabetical order, of which one is right.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2
import xxhash

from configs.mixtures import PromptSet
from configs.models import Languages

Fields = dict[str, Any]

_BREAK = re2.compile(r"[.!?።।。！？؟]+[\s”\"')]*|\n+")
_WORD = re2.compile(r"\pL[\pL\pM'’-]{3,}")
_CODE_CHARACTERS_MAX = 500_000
_CHOICES = 4


@dataclass(frozen=True)
class ItemMaker:
    """Makes the items of a set; `named` are names of the languages of its source."""

    one: PromptSet
    languages: Languages
    named: tuple[str, ...]

    def items(self, text: str, metadata: str, language: str) -> Iterator[Fields]:
        """Items of a document in `language`; its metadata is a JSON object."""
        shared = self._shared(text, language)
        if self.one.make == "rows":
            yield {**json.loads(metadata), "text": text, **shared}
        elif self.one.make == "functions":
            made = _functions(text) if language == "python" else ()
            yield from ({**fields, **shared} for fields in _spread(list(made), self.one.items_max))
        else:
            known = self.languages.natural.get(language)
            unspaced = known is not None and known.unspaced
            for passage in _spread(list(passages(text, self.one.characters_max)), self.one.items_max):
                fields = _halves(passage) if self.one.make == "passages" else _cloze(passage, unspaced)
                if fields:
                    yield {**fields, **shared}

    def _shared(self, text: str, language: str) -> Fields:
        name = self.languages.name(language)
        others = [other for other in self.named if other != name]
        others.sort(key=lambda other: xxhash.xxh3_64_intdigest(f"{other}\0{text[:500]}".encode()))
        choices = sorted([name, *others[: _CHOICES - 1]])
        return {"language": language, "language_name": name, "language_choices": choices}


def passages(text: str, characters: int) -> Iterator[str]:
    """Pieces of a text in order, of whole sentences or lines where these are short enough, none above `characters`."""
    held = ""
    for sentence in _sentences(text):
        if held and len(held) + len(sentence) > characters:
            yield held.strip()
            held = ""
        held += sentence
        while len(held) > characters:
            cut = held.rfind(" ", characters // 2, characters)
            cut = cut if cut > 0 else characters
            yield held[:cut].strip()
            held = held[cut:]
    if held.strip():
        yield held.strip()


def _sentences(text: str) -> Iterator[str]:
    begin = 0
    for match in _BREAK.finditer(text):
        if piece := text[begin : match.end()]:
            yield piece
        begin = match.end()
    if begin < len(text):
        yield text[begin:]


def _spread(items: list[Any], most: int) -> list[Any]:
    """At most so many of them, at even distances."""
    if len(items) <= most:
        return items
    return [items[number * len(items) // most] for number in range(most)]


def _halves(passage: str) -> Fields:
    middle = len(passage) // 2
    cut = passage.find(" ", middle)
    cut = middle if cut < 0 else cut
    return {"text": passage, "first": passage[:cut].strip(), "second": passage[cut:].strip()}


def _cloze(passage: str, unspaced: bool) -> Fields | None:
    """A passage with one of its words of four letters or more taken out: that with the least hash, not the first.

    Where there is no space between words, two characters stand for one.
    """
    words = [match.span() for match in _WORD.finditer(passage)]
    if unspaced:
        words = [(at, at + 2) for begin, end in words for at in range(begin, end - 1, 2)]
    if len(words) < 2:
        return None
    begin, end = min(words[1:], key=lambda span: xxhash.xxh3_64_intdigest(f"{span[0]}\0{passage}".encode()))
    return {"text": f"{passage[:begin]}____{passage[end:]}", "word": passage[begin:end]}


def _functions(source: str) -> Iterator[Fields]:
    if len(source) > _CODE_CHARACTERS_MAX:
        return
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or len(node.body) < 2:
            continue
        docstring = ast.get_docstring(node)
        first, second = node.body[0], node.body[1]
        if not docstring or second.lineno <= (first.end_lineno or first.lineno):
            continue
        head, body = lines[node.lineno - 1 : first.lineno - 1], lines[first.end_lineno : node.end_lineno]
        yield {"code": _dedented("".join(head + body)), "docstring": docstring, "name": node.name}


def _dedented(code: str) -> str:
    indent = len(code) - len(code.lstrip(" "))
    return "\n".join(line[indent:] if not line[:indent].strip() else line for line in code.splitlines()).strip("\n")
