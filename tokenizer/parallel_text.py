"""Text that says the same in many languages, with its English: what a premium is measured on.

Two texts come with OpenRoots, see `configs/data/NOTICE.md`:

declaration  the Universal Declaration of Human Rights in 42 languages. Compared are its articles, in three parts of
             ten; not the preamble, of which many translations leave out recitals or carry a publisher's heading. A part
             is compared where it has as many lines as the English one: some translations leave out a paragraph. The two
             translations of `tw` (Akan) and `pt` count alike.
messages     interface strings of LibreOffice in Assamese and Odia, which lack the Declaration, with the English
             originals that gettext catalogues hold. Short strings, no running text: the premium is a rough one.

Both are brought to Unicode's normal form C, as the documents of a corpus are.
"""

import gzip
import json
import tarfile
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from configs import CONFIGS
from configs.errors import ConfigurationError, InputError
from pipeline.readers.gettext import mo_messages
from pipeline.readers.messages import clean_message

DECLARATION, MESSAGES, OWN = "declaration", "messages", "own"
_FOLDER = CONFIGS / "data" / "tiny"
_WITHOUT_DECLARATION = ("as", "or")


@dataclass(frozen=True)
class ParallelText:
    """What one language has of a parallel text.

    origin  DECLARATION, MESSAGES or, of the user's files, OWN
    texts   all of it, for measures that need no English
    pairs   (text, English of the same meaning)
    """

    language: str
    origin: str
    texts: tuple[str, ...] = field(repr=False)
    pairs: tuple[tuple[str, str], ...] = field(repr=False)


@lru_cache(1)
def parallel_texts() -> dict[str, ParallelText]:
    """Parallel texts by language: the Declaration, for languages without it the messages."""
    return declaration() | {code: _messages(code) for code in _WITHOUT_DECLARATION}


def own_parallel(texts: Mapping[str, Mapping[str, str]], english: str = "en") -> dict[str, ParallelText]:
    """Parallel texts from files: language → number of the line or row → text.

    Two say the same where they have the same number; a number that English or the language lacks (an empty line) is not
    compared. Raises ConfigurationError without English, or where a language has less than half of its lines in common
    with English: the files are no translations of each other then.
    """
    if english not in texts:
        raise ConfigurationError("parallel text needs English to compare with: --parallel en=FILE")
    found = {}
    for language, own in sorted(texts.items()):
        common = [number for number in own if number in texts[english]]
        lines = {name: len(texts[name]) for name in (language, english)}
        if 2 * len(common) < max(lines.values()):
            raise ConfigurationError(
                f"parallel text: {language} has {lines[language]:,} lines, {english} {lines[english]:,}, and "
                f"{len(common):,} of them in common; line by line they must say the same"
            )
        pairs = tuple((_composed(own[number]), _composed(texts[english][number])) for number in common)
        found[language] = ParallelText(language, OWN, tuple(text for text, _ in pairs), pairs)
    return found


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@lru_cache(1)
def declaration() -> dict[str, ParallelText]:
    """The Declaration by language; English is parallel with itself."""
    with gzip.open(_FOLDER / "declaration.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(unicodedata.normalize("NFC", line)) for line in stream]
    english = {part: row["text"] for row in rows if row["language"] == "en" for part in [_part(row)]}
    found = {}
    for code in sorted({row["language"] for row in rows}):
        own = [row for row in rows if row["language"] == code]
        pairs = tuple((row["text"], english[_part(row)]) for row in own if _is_parallel(row, english[_part(row)]))
        found[code] = ParallelText(code, DECLARATION, tuple(row["text"] for row in own), pairs)
    return found


def _part(row: dict[str, str]) -> str:
    return row["id"].rpartition("/")[2]


def _is_parallel(row: dict[str, str], english: str) -> bool:
    return _part(row) != "preamble" and row["text"].count("\n") == english.count("\n")


def _messages(code: str) -> ParallelText:
    pairs = tuple(dict.fromkeys(_message_pairs(code)))
    return ParallelText(code, MESSAGES, tuple(text for text, _ in pairs), pairs)


def _message_pairs(code: str) -> Iterator[tuple[str, str]]:
    """(translation, English) of each message that was translated, both without tags and accelerator marks."""
    with tarfile.open(_FOLDER / "messages.tar.xz") as archive, tempfile.TemporaryDirectory() as folder:
        members = [member for member in archive.getmembers() if member.name.startswith(f"{code}/")]
        archive.extractall(folder, members, filter="data")
        for path in sorted(Path(folder).rglob("*.mo")):
            for original, translation in mo_messages(path.read_bytes(), "utf-8", path.name, _refuse):
                text, english = (_composed(clean_message(message)) for message in (translation, original))
                if text and english and text != english:
                    yield text, english


def _refuse(problem: InputError) -> None:
    raise problem
