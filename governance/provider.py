"""What only the provider of a model can say for the public summary of training content: `provider.toml`."""

import datetime
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from configs.load import read_toml, validate
from configs.models import Model

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What changes how a page or a terminal shows the rest: no part of a statement."""

Answer = Literal["yes", "no", "not applicable"]

ATTESTATIONS: dict[str, str] = {
    "licensed_data": "Have you concluded transactional commercial licensing agreement(s) with rightsholder(s) or with "
    "their representatives?",
    "other_private_data": "Have you obtained private datasets from third parties that are not licensed as described in "
    "Section 2.2.1?",
    "crawlers": "Were crawlers used by the provider or on its behalf?",
    "user_data_model": "Was data from user interactions with the AI model (e.g. user input and prompts) used to train "
    "the model?",
    "user_data_services": "Was data collected from user interactions with the provider's other services or products "
    "used to train the model?",
    "synthetic_data": "Was synthetic AI-generated data created by the provider or on its behalf to train the model?",
    "other_data": "Have data sources other than those described in Sections 2.1 to 2.5 been used to train the model?",
    "code_of_practice": "Are you a Signatory to the Code of Practice for general-purpose AI models that includes "
    "commitments to respect reservations of rights from the TDM exception or limitation?",
}
"""Questions that a person answers, in the words of the template."""

COMMENTED = ("1.3", "2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6", "3.1")
"""Sections that end with `Additional comments (optional)`."""


DESCRIPTIONS = (
    "reservations",
    "illegal_content",
    "other_processing",
    "public_data",
    "known_private_data",
    "synthetic_models",
    "synthetic_other_models",
)
"""What is described in words beside the answers to these questions."""


class Provider(Model):
    """Who is answerable."""

    name: Said = Field(description="of the provider")
    contact: Said = Field(description="an address, electronic or postal")
    representative: str = Field(default="", description="the authorised representative in the Union, with contact")
    sme: bool = Field(default=False, description="small or medium-sized: the shorter list of domains is enough")


class TrainedModel(Model):
    """The model that the summary is about."""

    names: tuple[Said, ...] = Field(min_length=1, description="with versions")
    dependencies: str = Field(default="", description="the model it was made of, with a link to its summary; or `none`")
    placed_on_market: datetime.date | None = Field(default=None, description="in the Union")
    tokens: int | None = Field(default=None, ge=0, description="of text; estimated from the corpus where not given")
    content: str = Field(default="", description="kinds of content, such as fiction, non-fiction, scientific text")
    latest_acquisition: datetime.date | None = Field(default=None, description="of any data")
    continuous: Answer | None = Field(default=None, description="trained on new data after that date")
    characteristics: str = Field(
        default="", description="what else marks the data, such as regions or groups of people that it speaks of"
    )
    comments: str = Field(default="", description="anything else on the data as a whole")


class Document(Model):
    """The summary as a document; what the published grading of such summaries looks for beside the template."""

    source: str = Field(default="", description="address where the provider publishes it: its authoritative source")
    versions: str = Field(default="", description="address that lists all its versions")
    notices: str = Field(default="", description="where changes of it are announced")


class Crawler(Model):
    """A crawler."""

    name: Said = Field(description="its name, as its user agent says it")
    purpose: str = Field(default="", description="what it collects for")


class Crawling(Model):
    """How data was crawled."""

    crawlers: tuple[Crawler, ...] = Field(default=(), description="all of them")
    behaviour: str = Field(default="", description="which preferences they respect, and how")
    begin: datetime.date | None = Field(default=None, description="of collection")
    end: datetime.date | None = Field(default=None, description="of collection")

    @model_validator(mode="after")
    def _check(self) -> "Crawling":
        if self.begin and self.end and self.end < self.begin:
            raise ValueError(f"`end` ({self.end}) is before `begin` ({self.begin})")
        return self


class SourceKinds(Model):
    """Ids of sources by how they were obtained; those not named are crawled if they are web archives, else public."""

    crawled: tuple[str, ...] = ()
    licensed: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "SourceKinds":
        named: dict[str, str] = {}
        for kind, sources in self:
            for source in sources:
                if named.setdefault(source, kind) != kind:
                    raise ValueError(f"source `{source}` is named as {named[source]} and as {kind}")
        return self


class Change(Model):
    """A version of the summary."""

    version: str
    date: datetime.date
    change: str


class Statements(Model):
    """The content of `provider.toml`."""

    provider: Provider
    model: TrainedModel
    attestations: dict[str, Answer] = Field(default={}, description="yes, no or not applicable, by question")
    descriptions: dict[str, str] = Field(
        default={}, description="in words, by question; `reservations`, `illegal_content`"
    )
    crawling: Crawling = Crawling()
    sources: SourceKinds = SourceKinds()
    comments: dict[str, str] = Field(default={}, description="additional comments, by number of the section")
    document: Document = Document()
    changes: tuple[Change, ...] = Field(default=(), description="versions of the summary, the newest last")


def read_provider(path: str) -> Statements:
    """Read and check `provider.toml`. Raises ConfigurationError."""
    from configs.errors import ConfigurationError

    said = read_toml(path)
    for where, text in _strings(said, ""):
        if found := _CONTROL.search(text):
            raise ConfigurationError(f"{path}: `{where}` holds the control character U+{ord(found[0]):04X}")
    statements = validate(Statements, said, path)
    known = {*ATTESTATIONS, *DESCRIPTIONS}
    for table, names in (("attestations", set(ATTESTATIONS)), ("descriptions", known)):
        for name in getattr(statements, table):
            if name not in names:
                raise ConfigurationError(f"{path}: unknown key `{table}.{name}`; there are {', '.join(sorted(names))}")
    for number in statements.comments:
        if number not in COMMENTED:
            raise ConfigurationError(f"{path}: unknown key `comments.{number}`; there are {', '.join(COMMENTED)}")
    return statements


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """All strings below a value of TOML, each with its path."""
    if isinstance(value, str):
        yield where, value
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from _strings(entry, f"{where}.{key}" if where else str(key))
