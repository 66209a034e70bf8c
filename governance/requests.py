"""A request to take documents down: a TOML file, checked key by key before anything is looked for."""

import datetime
import hashlib
import re
import tomllib
from typing import Any

import fsspec
from pydantic import Field, field_validator

from configs.errors import ConfigurationError
from configs.load import validate
from configs.models import Model
from configs.shown import shown

BYTES_MAX = 16 << 20
REMOVALS_MAX = 10_000
_WORD = re.compile(r"[^\W_]+")
_PERSONAL = ("text", "key", "uri", "author", "email")
_REASON_MAX = 2000
_NAME_MIN = 3  # letters and digits of a name or key that is worth hiding; fewer are in every sentence


class Removal(Model):
    """One thing asked for; a document must fit all that the table gives."""

    text: str | None = Field(default=None, description="a passage of it, about 20 characters or more")
    id: str | None = Field(default=None, description="hexadecimal, as the ledger and `why` show it")
    key: str | None = Field(default=None, description="the document's own key in its source")
    uri: str | None = Field(default=None, description="the beginning of where it came from")
    source: str | None = Field(default=None, description="id of a source")
    author: str | None = Field(default=None, description="a name, as metadata and headers of source code have it")
    email: str | None = Field(default=None, description="an address; found only while `.work` is there")

    @property
    def given(self) -> dict[str, str]:
        """The keys that are there, with their values."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class Request(Model):
    """What is asked, by its own id, when it came and why."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="letters, digits, `.`, `_`, `-`")
    received: datetime.date = Field(description="the day it came, such as 2026-11-26")
    reason: str = Field(max_length=_REASON_MAX, description="what the log says of it; personal data is redacted there")
    near_duplicates: bool = Field(default=True, description="remove what is nearly the same too")
    remove: tuple[Removal, ...] = Field(
        min_length=1, max_length=REMOVALS_MAX, description="a table for each thing to remove"
    )

    @property
    def reason_without_names(self) -> str:
        """The reason with what was asked for, and each word of an author's name, replaced by its kind: `[author]`.

        Who wants to be forgotten is not to stand in the log of those who were.
        """
        said, names = self.reason, set[tuple[tuple[str, ...], str]]()
        for removal in self.remove:
            for kind, value in removal.given.items():
                if kind in _PERSONAL and len(value) <= _REASON_MAX:
                    found = _WORD.findall(value)
                    names |= {(tuple(found), kind), *(((word,), kind) for word in found if kind == "author")}
        for words, kind in sorted(names, key=lambda name: -len("".join(name[0]))):  # an address before the name in it
            if len("".join(words)) >= (_NAME_MIN if "".join(words).isascii() else 2):
                said = re.sub(_anywhere(words), f"[{kind}]", said, flags=re.IGNORECASE)
        return said

    @field_validator("remove", mode="before")
    @classmethod
    def _are_tables(cls, value: Any) -> Any:
        if isinstance(value, dict):
            raise ValueError("is one table: write [[remove]], with two brackets, above each of them")
        return value

    @field_validator("remove")
    @classmethod
    def _says_something(cls, value: tuple[Removal, ...]) -> tuple[Removal, ...]:
        for number, removal in enumerate(value, 1):
            if not removal.given:
                raise ValueError(f"table {number} is empty: it would mean every document")
        return value


def _anywhere(words: tuple[str, ...]) -> str:
    """A pattern for words in this order, whatever stands between them; not within others where scripts have spaces."""
    spaced = [word[0] < "\u2e80" for word in (words[0], words[-1])]
    pattern = r"[\W_]*".join(map(re.escape, words))
    return (r"(?<![^\W_])" if spaced[0] else "") + pattern + (r"(?![^\W_])" if spaced[1] else "")


def read_request(path: str) -> tuple[Request, str]:
    """Read a request; returns it and the SHA-256 of its file. Raises ConfigurationError that says what is wrong."""
    where = shown(path)
    try:
        with fsspec.open(path, "rb") as stream:
            data = stream.read(BYTES_MAX + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigurationError(f"{where}: no such file") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{where}: cannot be read: {shown(error, 200)}") from None
    if len(data) > BYTES_MAX:
        raise ConfigurationError(f"{where}: has more than {BYTES_MAX >> 20} MB; split the request")
    return validate(Request, _parse(data, where), where), hashlib.sha256(data).hexdigest()


def _parse(data: bytes, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigurationError(f"{where}: is not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"{where}: not valid TOML: {shown(error, 200)}") from None
