"""dictd dictionaries: a `.index` of headwords and a `.dict` (or `.dict.dz`) of entries, which belong together."""

import string
from collections.abc import Iterator

import re2

from configs.errors import InputError
from pipeline.readers.containers import Member, without_compression
from pipeline.readers.encodings import decode
from pipeline.readers.rows import Context, Row, join_messages

_DIGITS = {character: value for value, character in enumerate(string.ascii_uppercase + string.ascii_lowercase)} | {
    character: 52 + value for value, character in enumerate(string.digits + "+/")
}
_REFERENCE = re2.compile(r"[{}]|</?[a-z]{1,6}>")


class Dictionaries:
    """Pairs the two files of each dictionary as they come, in any order, and yields the documents of complete ones."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Member, bytes]] = {}

    def read(self, member: Member, context: Context) -> Iterator[Row]:
        """Entries of a dictionary, in the order of its file, as documents of up to `document_bytes`."""
        stem, _, kind = without_compression(member.name).rpartition(".")
        data = member.stream.document()
        if not data:
            return
        other = self._waiting.pop(stem, None)
        if other is None:
            self._waiting[stem] = member, data
            return
        index, entries = (data, other[1]) if kind == "index" else (other[1], data)
        name = member.name if kind == "index" else other[0].name
        messages = dictionary_entries(decode(index, "utf-8", name), entries, name, context)
        yield from join_messages(messages, int(context.source.document_bytes))

    def incomplete(self) -> Iterator[InputError]:
        """A problem for each file whose other half did not come."""
        for stem, (member, _) in self._waiting.items():
            cause = f"its other half ({stem}.index and {stem}.dict[.dz] belong together) is missing"
            yield InputError(member.name, cause, "put both into one archive or folder")


def dictionary_entries(index: str, entries: bytes, name: str, context: Context) -> Iterator[str]:
    """Texts of the entries that `index` (headword, offset, length; tab-separated, base 64) points to (dictd(8))."""
    places: set[tuple[int, int]] = set()
    for number, line in enumerate(index.splitlines(), 1):
        fields = line.split("\t")
        if line.startswith("00") and "database" in line:
            continue
        try:
            places.add((_base64(fields[1]), _base64(fields[2])))
        except (IndexError, KeyError):
            problem = InputError(f"{name}, line {number}", "not an index line", "the entry is skipped; repair it")
            context.on_problem(problem)
    for offset, length in sorted(places):
        entry = entries[offset : offset + length]
        if len(entry) < length:
            cause = "an entry points behind the end of the dictionary"
            raise InputError(name, cause, "fetch the file again, or exclude it")
        text = decode(entry, "utf-8", name)
        lines = (" ".join(_REFERENCE.sub("", line).split()) for line in text.splitlines())
        yield "\n".join(line for line in lines if line)


def _base64(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 64 + _DIGITS[digit]
    return value
