"""dictd dictionaries: a `.index` of headwords and a `.dict` (or `.dict.dz`) of entries, which belong together."""

import string
from collections.abc import Iterator

import re2

from configs.errors import InputError
from pipeline.readers.containers import Member, without_compression
from pipeline.readers.encodings import split_lines
from pipeline.readers.messages import message_rows
from pipeline.readers.rows import Context, Row, join_messages

_DIGITS = {character: value for value, character in enumerate(string.ascii_uppercase + string.ascii_lowercase)} | {
    character: 52 + value for value, character in enumerate(string.digits + "+/")
}
_ASIDE = re2.compile(r"/[^/]*/|<[^>]*>|\([^)]*\)|\[[^\]]*\]")
_NUMBER = re2.compile(r"^1\. ")
_REFERENCE = re2.compile(r"[{}]|</?[a-z]{1,6}>")


_DIGITS_MAX = 10
_WAITING_BYTES_MAX = 256 << 20
_OVERLAP_MAX = 4


class Dictionaries:
    """Pairs the two files of each dictionary as they come, in any order, and yields the documents of complete ones."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Member, bytes]] = {}
        self._bytes = 0

    def read(self, member: Member, context: Context) -> Iterator[Row]:
        """Entries of a dictionary, in the order of its file, as documents of up to `document_bytes`."""
        stem, _, kind = without_compression(member.name).rpartition(".")
        data = member.stream.document()
        if not data:
            return
        other = self._waiting.pop(stem, None)
        if other is None:
            self._wait(stem, member, data)
            return
        self._bytes -= len(other[1])
        index, entries = (data, other[1]) if kind == "index" else (other[1], data)
        name = member.name if kind == "index" else other[0].name
        messages = dictionary_entries(index, entries, name, context)
        if context.source.documents == "message":
            yield from message_rows(filter(None, map(headword_and_meaning, messages)))
        else:
            yield from join_messages(messages, int(context.source.document_bytes))

    def _wait(self, stem: str, member: Member, data: bytes) -> None:
        if self._bytes + len(data) > _WAITING_BYTES_MAX:
            cause = f"dictionaries of more than {_WAITING_BYTES_MAX >> 20} MiB wait for their other halves"
            raise InputError(member.name, cause, "put the two files of each beside each other")
        self._bytes += len(data)
        self._waiting[stem] = member, data

    def incomplete(self) -> Iterator[InputError]:
        """A problem for each file whose other half did not come."""
        for stem, (member, _) in self._waiting.items():
            cause = f"its other half ({stem}.index and {stem}.dict[.dz] belong together) is missing"
            yield InputError(member.name, cause, "put both into one archive or folder")


def headword_and_meaning(entry: str) -> tuple[str, str] | None:
    """(headword, meaning) of an entry: its first line without pronunciation and kind of word, and the rest."""
    first, _, rest = entry.partition("\n")
    headword, meaning = _ASIDE.sub("", first).strip(" ,"), _NUMBER.sub("", " ".join(rest.split()))
    return (headword, meaning) if headword and meaning else None


def dictionary_entries(index: bytes, entries: bytes, name: str, context: Context) -> Iterator[str]:
    """Texts of the entries that `index` (headword, offset, length; tab-separated, base 64) points to (dictd(8)).

    A line or an entry that is damaged is a problem. Raises InputError where entries overlap to many times their size.
    """
    encoding, total = context.source.encoding, 0
    for offset, length in sorted(_places(index, name, context)):
        where = f"{name}, entry at byte {offset}"
        entry = entries[offset : offset + length]
        total += length
        if len(entry) < length:
            cause = "an entry points behind the end of the dictionary"
            context.on_problem(InputError(where, cause, "fetch the file again, or exclude it"))
        elif total > _OVERLAP_MAX * len(entries):
            raise InputError(name, "damaged: its entries overlap", "fetch the file again, or exclude it")
        else:
            try:
                text = entry.decode(encoding)
            except UnicodeDecodeError as error:
                cause = f"not valid {error.encoding.upper()} at byte {error.start}"
                context.on_problem(InputError(where, cause, "it is skipped; set the source's `encoding`"))
                continue
            lines = (" ".join(_REFERENCE.sub("", line).split()) for line in split_lines(text))
            yield "\n".join(line for line in lines if line)


def _places(index: bytes, name: str, context: Context) -> set[tuple[int, int]]:
    """Offset and length of each entry, in bytes; several headwords may share one."""
    places: set[tuple[int, int]] = set()
    for number, line in enumerate(index.split(b"\n"), 1):
        line = line.rstrip(b"\r")
        if not line or (line.startswith(b"00") and b"database" in line):
            continue
        try:
            fields = line.split(b"\t", 3)
            places.add((_base64(fields[1]), _base64(fields[2])))
        except (IndexError, KeyError):
            problem = InputError(f"{name}, line {number}", "not an index line", "the entry is skipped; repair it")
            context.on_problem(problem)
    return places


def _base64(digits: bytes) -> int:
    """A number in base 64, most significant digit first; raises KeyError where it is none, or absurdly long."""
    if not 0 < len(digits) <= _DIGITS_MAX:
        raise KeyError(digits)
    value = 0
    for digit in digits.decode("latin-1"):
        value = value * 64 + _DIGITS[digit]
    return value
