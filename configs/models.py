"""What a corpus is built from, as frozen, validated data: languages, sources, recipes.

Every model refuses unknown keys (`configs.load` turns that into a message that names the nearest right key) and
cannot be changed once read. Field names are the field's own terms; units are in the names.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, field_validator, model_validator

from configs.text_encodings import text_encoding

LanguageCode = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$", max_length=35)]
"""It names folders and files of a corpus (RFC 5646, section 4.4.1: 35 characters hold any tag in use)."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("should not be empty")
    return text


Said = Annotated[str, AfterValidator(_said)]
"""Text that says something."""


class Model(BaseModel):
    """Base of all configuration: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


Limit = Annotated[float | None, Field(ge=0.0, le=1.0)]
"""A threshold on a share; `false` in TOML: not applied."""


class QualityParameters(Model):
    """Parameters and thresholds of the text filters of one language.

    Thresholds ending in `_min` drop a document below them, those ending in `_max` above; `false` means that the
    threshold is not applied. All others say how the measures are taken.
    """

    strip_url_words: bool = Field(description="leave words that contain parts of URLs out of the measures")
    strip_long_words: bool = Field(description="leave words longer than `word_length_max` out of the measures")
    word_length_max: int = Field(ge=1, description="characters")
    segment_words_with_sentencepiece: bool = Field(
        description="for scripts without spaces between words: treat each character as a word"
    )
    words_min: int = Field(ge=0, description="words in a document")
    words_max: int = Field(ge=1, description="words in a document")
    character_ngram: int = Field(ge=1, description="length of the character n-grams whose repetition is measured")
    character_repetition_max: Limit = Field(description="share of the most frequent character n-grams")
    word_ngram: int = Field(ge=1, description="length of the word n-grams whose repetition is measured")
    word_repetition_max: Limit = Field(description="share of word n-grams that are repeated")
    special_characters_max: Limit = Field(description="share of digits, punctuation, emoji and white space")
    running_text_min: Limit = Field(
        default=None,
        description="share of words in lines of five words or more, or lines that end like a clause; 1 for verse and "
        "lists of phrases, not for menus, tags and keywords",
    )
    letter_order_min: float | None = Field(
        default=None,
        ge=-3,
        le=3,
        description="how much likelier the order of the letters is than chance, in nats per letter; letters of other "
        "scripts than the language's are not judged",
    )
    letter_model: str | None = Field(
        default=None, description="file of the language's letter model; default: OpenRoots' own, if any"
    )
    join_adjacent_words: bool = Field(description="also look up adjacent words joined together in the word lists")
    join_sizes: tuple[int, ...] = Field(description="how many adjacent words to join")
    closed_class_words_min: Limit = Field(description="share of function words")
    flagged_words_max: Limit = Field(description="share of words that are on the flagged-word list")
    language_score_min: Limit = Field(
        description="score of the identified language, for documents whose source declares none"
    )
    perplexity_max: float | None = Field(gt=0, description="under the KenLM model, if one is given")

    @field_validator(
        "character_repetition_max", "word_repetition_max", "special_characters_max", "running_text_min",
        "letter_order_min", "closed_class_words_min", "flagged_words_max", "language_score_min", "perplexity_max",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _not_applied(cls, value: Any) -> Any:
        return None if value is False else value  # TOML has no null


class Language(Model):
    """A natural language: one entry of `configs/languages.toml`; `code` is its BCP-47 tag."""

    code: LanguageCode = Field(description="BCP 47; taken from the name of the table")
    name: str = Field(description="in English")
    iso639_3: str = Field(pattern="^[a-z]{3}$", description="its ISO 639-3 code")
    script: str = Field(pattern="^[A-Z][a-z]{3}$", description="ISO 15924")
    roots_bytes: int = Field(ge=0, description="bytes in ROOTS; 0 for a language that ROOTS lacks")
    unspaced: bool = Field(default=False, description="written without spaces between words")
    lid_labels: tuple[str, ...] = Field(description="labels that language-ID models give it")
    relatives: tuple[str, ...] = Field(
        default=(),
        description="languages that identifiers confuse with it; being identified as one does not contradict it",
    )
    udhr: tuple[str, ...] = Field(default=(), description="its texts of the Universal Declaration, for `train-lid`")
    phone_regions: tuple[str, ...] = Field(default=(), description="ISO 3166 regions of its phone numbers")
    quality: QualityParameters = Field(description="what differs from the defaults, see below")


class ProgrammingLanguage(Model):
    """A programming language: one entry of `configs/languages.toml`."""

    code: LanguageCode
    name: str
    extensions: tuple[str, ...] = Field(min_length=1, description="with the leading dot; case matters")


class Languages(Model):
    """All languages the project knows, in the order of the file."""

    natural: dict[str, Language]
    programming: dict[str, ProgrammingLanguage]
    roots_code_bytes: int = Field(ge=0, description="bytes of all programming languages together in ROOTS")

    def __contains__(self, code: object) -> bool:
        return code in self.natural or code in self.programming

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes, natural languages first."""
        return (*self.natural, *self.programming)

    @property
    def phone_regions(self) -> dict[str, tuple[str, ...]]:
        """Regions whose phone numbers text in each natural language holds."""
        return {code: language.phone_regions for code, language in self.natural.items()}

    def name(self, code: str) -> str:
        """The English name of a language, or the code itself where it is not ours."""
        known = self.natural.get(code) or self.programming.get(code)
        return known.name if known else code


class Package(Model):
    """One package or path of a source, and what to read in it."""

    name: Said = Field(
        description="package; or path or URL pattern (fsspec); `configs:` is data that comes with OpenRoots"
    )
    version: str | None = Field(default=None, description="pinned, where the registry keeps old versions")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="the only file accepted")
    include: tuple[str, ...] = Field(
        default=(), description="member patterns (fnmatch) to read; empty: names that end as the reader expects"
    )
    exclude: tuple[str, ...] = Field(default=(), description="member patterns (fnmatch) not to read")
    language: str | None = Field(default=None, description="language of all documents in the package")
    languages_by_path: dict[str, str] = Field(
        default={}, description="member pattern (fnmatch) → language; the first match wins"
    )
    licence: str | None = Field(default=None, description="SPDX expression, if different from the source's")
    sdist: bool = Field(default=False, description="pip only: the source distribution instead of the wheel")


class Columns(Model):
    """Which column (or JSON key) of tabular input holds what."""

    text: str = Field(default="text", description="the document's text")
    id: str | None = Field(default=None, description="the document's own key in its file; default: the row number")
    language: str | None = Field(default=None, description="its language, a code that `openroots languages` lists")
    licence: str | None = Field(default=None, description="its licence, SPDX; default: the source's")
    uri: str | None = Field(default=None, description="where it came from; default: the file")
    metadata: tuple[str, ...] = Field(
        default=(), description='columns copied into `metadata`; `["*"]`: all that are not mapped'
    )


ReaderName = Literal[
    "jsonl", "datatrove", "dolma", "parquet", "arrow", "csv", "tsv", "text", "html", "gettext", "fluent",
    "properties", "man", "code", "json", "warc", "wet", "dictd", "datasets",
]  # fmt: skip


_OF_OTHERS: dict[str, Any] = {"id": "id", "uri": "url", "metadata": ["*"]}
"""Columns of datatrove's and Dolma's files, unless the source's entry says otherwise."""
_OWN_ENCODING = ("parquet", "arrow", "datasets", "warc", "wet")


class Source(Model):
    """A source of text: an entry of the registry (`configs/sources/*.toml`)."""

    id: str = Field(pattern="^[a-z0-9][a-z0-9-]*$", description="taken from the name of the table")
    title: Said = Field(description="its name for people")
    kind: Literal["text", "code"] = Field(
        default="text", description="code is kept byte for byte, not converted to NFC"
    )
    client: Literal["pip", "npm", "apt", "path"] = Field(default="path", description="what fetches its packages")
    packages: tuple[Package, ...] = Field(min_length=1, description="what to read, see below")
    reader: ReaderName = Field(description="the format of its files")
    columns: Columns = Field(default=Columns(), description="for tabular formats, see below")
    encoding: str = Field(
        default="utf-8",
        description="of its text; UTF-16 and UTF-32 are recognised, and byte order marks take precedence",
    )
    documents: Literal["file", "line", "message"] = Field(
        default="file",
        description="what a document is: a file or, for `text`, a line; for gettext and dictd, a `message`",
    )
    document_bytes: ByteSize = Field(
        default=ByteSize(3000), description="gettext, fluent, properties, dictd: messages are joined up to this size"
    )
    licence: str = Field(min_length=1, description="SPDX expression")
    custodian: Said = Field(description="who publishes or keeps it")
    provenance: Said = Field(description="where it came from, a URL or a sentence")
    languages: tuple[str, ...] = Field(default=(), description="languages it is known to contain; empty: unknown")
    consent: str = Field(default="", description="what its authors agreed to")
    personal_data: str = Field(default="", description="what personal data to expect")
    priority: int = Field(
        default=100, ge=0, le=255, description="of near-duplicates, the one with the lowest number is kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _columns_of_others(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("reader") in ("datatrove", "dolma"):
            columns = data.get("columns", {})
            if isinstance(columns, Columns):
                columns = columns.model_dump(exclude_unset=True)
            if isinstance(columns, dict):
                return {**data, "columns": {**_OF_OTHERS, **columns}}
        return data

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if text_encoding(value) is None:
            raise ValueError(f"{value[:50]!r} is not a character encoding that Python knows, such as latin-1 or cp1252")
        return value

    @model_validator(mode="after")
    def _reader_heeds(self) -> "Source":
        if self.reader in _OWN_ENCODING and text_encoding(self.encoding) != "utf-8":
            raise ValueError(f"encoding: {self.reader} files say themselves how their text is encoded; leave it out")
        heeding = {"line": ("text",), "message": ("gettext", "dictd")}.get(self.documents, (self.reader,))
        if self.reader not in heeding:
            named = " and ".join(f"`{reader}`" for reader in heeding)
            raise ValueError(f"documents: only {named} can take a {self.documents} for a document")
        return self


class LicencePolicy(Model):
    """Which licences may enter. A document's SPDX expression passes if one way to satisfy it is allowed.

    Patterns are fnmatch over SPDX ids (`GPL-*`). `deny` wins over `allow`; an empty `allow` allows all that is not
    denied. `deny_code` applies to programming languages only; ROOTS meant to drop these and kept only them. A licence
    is unknown where all that is said is `NOASSERTION`, a `LicenseRef-…` that no source of the recipe declares, or a
    text that is not recognised.
    """

    allow: tuple[str, ...] = Field(default=(), description="patterns; empty: everything not denied")
    deny: tuple[str, ...] = Field(
        default=(
            "CC-BY-NC-*", "CC-BY-ND-*", "SSPL-*", "BUSL-*", "Elastic-*", "PolyForm-*", "NCGL-*", "Aladdin",
        ),
        description="patterns; takes precedence over `allow`",
    )  # fmt: skip
    deny_code: tuple[str, ...] = Field(
        default=(
            "GPL-*", "LGPL-*", "AGPL-*", "MPL-*", "EPL-*", "CDDL-*", "EUPL-*", "OSL-*", "CECILL-*", "CPL-1.0",
            "IPL-1.0", "MS-RL", "APSL-*", "NPL-*", "SPL-1.0", "RPL-*", "RPSL-1.0", "CPAL-1.0", "QPL-1.0", "Sleepycat",
            "Nokia", "LPL-*", "CC-BY-SA-*", "CERN-OHL-S-*", "CERN-OHL-W-*", "ODbL-1.0",
        ),
        description="patterns, for programming languages only; default: strong and weak copyleft",
    )  # fmt: skip
    unknown: Literal["drop", "keep", "review"] = Field(
        default="drop",
        description="what to do with documents whose licence is unknown; `review` drops them with a reason of its own",
    )
    detect: bool = Field(
        default=True, description="look for licences in code files and beside all files; false: trust the sources"
    )


class BlockList(Model):
    """Domains whose pages are not used."""

    path: str = Field(description="a file with one domain per line; subdomains are included")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="of the list, such as `2026-11-30`")


class ConsentPolicy(Model):
    """Whether pages of the web are used whose sites refuse that; see `docs/licences.md`."""

    agents: tuple[str, ...] = Field(
        default=(
            "GPTBot", "ClaudeBot", "CCBot", "Google-Extended", "Applebot-Extended", "meta-externalagent", "Bytespider",
            "Amazonbot", "PerplexityBot", "cohere-training-data-crawler", "AI2Bot", "Diffbot",
        ),
        description="AI crawlers: a page that `robots.txt` denies to any of them is not used",
    )  # fmt: skip
    robots: bool = Field(default=True, description="honour `robots.txt` as crawled")
    ai_txt: bool = Field(default=True, description="honour `ai.txt` as crawled")
    tdm: bool = Field(default=True, description="honour TDM reservations: `tdmrep.json`, header, meta tag")
    noai: bool = Field(default=True, description="honour `noai` in `X-Robots-Tag` and meta tags")
    signals: bool = Field(default=True, description="honour Content-Signal and Content-Usage")
    rsl: bool = Field(default=True, description="leave out content that RSL puts under a licence")
    block_lists: tuple[BlockList, ...] = Field(default=(), description="lists of domains, see below")


class LanguageIdentification(Model):
    """How languages are identified."""

    model: str = Field(
        default="vote",
        description="`vote`; the path of a fastText .bin/.ftz file; `none`: trust what sources declare",
    )
    label_map: dict[str, str] = Field(
        default={}, description="label of the model → our code, in addition to `lid_labels`"
    )
    also: tuple[str, ...] = Field(
        default=(),
        description="paths of fastText files that join the vote; if they disagree, the likelier answer wins",
    )
    characters: int = Field(
        default=2000, ge=100, description="characters read of each document, in samples spread over it"
    )
    disagreement_score_min: Share = Field(
        default=0.8, description="drop a document whose declared language the identifier contradicts with this score"
    )
    purity_min: Share = Field(
        default=0.0,
        description="drop a document if a smaller share of it is in its language; 0 drops none for being mixed",
    )


class CodeParameters(Model):
    """Filters for source code (ROOTS, code part)."""

    characters_min: int = Field(default=100, description="characters in a file")
    characters_max: int = Field(default=200_000, description="characters in a file")
    longest_line_min: int = Field(default=20, description="characters in its longest line")
    longest_line_max: int = Field(default=1000, description="characters in its longest line")
    non_word_characters_min: Share = Field(default=0.15, description="share of characters not letters, digits or `_`")
    non_word_characters_max: Share = Field(default=0.65, description="share of characters not letters, digits or `_`")
    token_length_deviation_min: float = Field(default=3.0, description="standard deviation of token lengths")
    file_bytes_max: ByteSize = Field(default=ByteSize(1 << 20), description="size of a file")


class Quality(Model):
    """Quality filters of the recipe; thresholds of a language come from `languages.toml` unless overridden here."""

    enabled: bool = Field(default=True, description="false: measure but drop nothing")
    thresholds: Literal["measured", "roots"] = Field(
        default="measured",
        description="`measured`: per language, measured to keep good text; `roots`: those that ROOTS used",
    )
    overrides: dict[str, dict[str, Any]] = Field(default={}, description="language or `default` → changed parameters")
    skip_measures: dict[str, tuple[str, ...]] = Field(
        default={}, description="source id → thresholds not applied to it"
    )
    code: CodeParameters = Field(default=CodeParameters(), description="filters for source code, see below")
    perplexity_models: dict[str, str] = Field(default={}, description="language → folder with a KenLM model")


PiiKind = Literal["KEY", "EMAIL", "USER", "IP_ADDRESS", "PHONE", "IBAN", "CREDIT_CARD", "NATIONAL_ID"]
PII_KINDS: tuple[PiiKind, ...] = get_args(PiiKind)


PiiAction = Literal["detect", "redact", "drop", "pseudonymise", "review"]


class PersonalData(Model):
    """Which kinds of personal data are looked for, and what is done where they are found."""

    kinds: tuple[PiiKind, ...] = Field(
        default=("KEY", "EMAIL", "USER", "IP_ADDRESS", "PHONE", "IBAN", "CREDIT_CARD"),
        description="empty: none; NATIONAL_ID is off unless listed",
    )
    action: PiiAction = Field(
        default="redact",
        description="`redact`: replace by `PI:KIND`; `pseudonymise`: by `PI:KIND-` and digits, the same for the same "
        "value; `detect`: count only; `drop`, `review`: leave the document out, `review` with a reason of its own so "
        "that someone can look",
    )
    by_language: dict[LanguageCode, PiiAction] = Field(default={}, description="action for documents in a language")
    by_source: dict[str, PiiAction] = Field(
        default={}, description="action for a source; takes precedence over the language's"
    )
    key_file: str | None = Field(
        default=None,
        description="for `pseudonymise`: a file with a secret of 16 bytes or more, readable by the workers",
    )
    obfuscated_email: bool = Field(default=False, description="`name [at] host [dot] org` counts as EMAIL")
    drop_above: int | None = Field(default=None, ge=0, description="drop documents with more findings than this")

    @property
    def actions(self) -> frozenset[PiiAction]:
        """All that the recipe asks for anywhere."""
        return frozenset((self.action, *self.by_language.values(), *self.by_source.values()))


class Deduplication(Model):
    """Exact, recurring-line and near-duplicate removal (design, section 4)."""

    exact: bool = Field(
        default=True, description="drop documents equal except for case and punctuation (code: white space)"
    )
    recurring_lines_documents_min: int | None = Field(
        default=10, ge=2, description="cut lines that occur in at least this many documents of one source; false: never"
    )
    recurring_lines_characters_min: int = Field(
        default=15, ge=0, description="shorter lines are kept; of Han, a character counts as three"
    )
    near: bool = Field(default=True, description="drop near-duplicates, by MinHash")
    permutations: int = Field(default=112, ge=2, description="hashes of a MinHash signature")
    bands: int = Field(default=14, ge=1, description="bands of a signature; must divide `permutations`")
    ngram: int = Field(
        default=5, ge=1, description="words per shingle; tokens for code, characters for unspaced scripts"
    )
    seed: int = Field(default=1, description="for the permutations")
    verify_jaccard_min: Share | None = Field(
        default=0.7, description="least estimated Jaccard of a duplicate pair; false: every candidate is one"
    )
    in_memory_edges_max: int = Field(
        default=200_000_000, description="pairs above which Beam decides by component; below, 75 bytes of memory each"
    )
    shuffle_bytes: ByteSize = Field(default=ByteSize(32 << 20), description="keys shuffled in one round")
    against: tuple[str, ...] = Field(
        default=(), description="finished builds whose documents take precedence over this one's"
    )

    @field_validator("recurring_lines_documents_min", "verify_jaccard_min", mode="before")
    @classmethod
    def _switched_off(cls, value: Any) -> Any:
        return None if value is False else value  # TOML has no null

    @model_validator(mode="after")
    def _bands_divide(self) -> "Deduplication":
        if self.permutations % self.bands:
            raise ValueError(f"bands ({self.bands}) must divide permutations ({self.permutations})")
        return self


class EvaluationSet(Model):
    """An evaluation set whose items a corpus must not hold."""

    name: str = Field(min_length=1, max_length=100, description="what the ledger calls it")
    files: tuple[str, ...] = Field(
        min_length=1,
        description="paths, patterns, folders, URLs or installed packages; JSON lines, JSON, Parquet, Arrow, CSV, text",
    )
    fields: tuple[str, ...] = Field(default=(), description="fields of an item to search for; empty: all text")
    id: str | None = Field(
        default=None, description="field that identifies an item; default: `id`, `task_id`, … or its position"
    )


class Decontamination(Model):
    """Which evaluation sets are looked for, and what happens to documents that contain their items."""

    sets: tuple[EvaluationSet, ...] = Field(default=(), description="evaluation sets, see below")
    watch: tuple[Literal["canaries", "humaneval"], ...] | None = Field(
        default=None, description="built-in sets: BIG-bench's canary, HumanEval; default: both if `sets` has any"
    )
    threshold: float = Field(default=0.8, ge=0.5, le=1, description="least score at which an item counts as found")
    policy: Literal["drop", "cut"] = Field(default="drop", description="drop the document, or cut the item out of it")

    @property
    def is_on(self) -> bool:
        """Whether anything is looked for."""
        return bool(self.sets) or bool(self.watch)

    @property
    def watched(self) -> tuple[str, ...]:
        """The known sets to look for."""
        return self.watch if self.watch is not None else ("canaries", "humaneval") if self.sets else ()

    @field_validator("sets")
    @classmethod
    def _named_once(cls, value: tuple[EvaluationSet, ...]) -> tuple[EvaluationSet, ...]:
        if len({one.name for one in value}) != len(value):
            raise ValueError("two sets have the same name")
        return value


class Sampling(Model):
    """Per-language budgets. A target is `share × total`; α flattens the shares; epochs are capped."""

    budget_bytes: ByteSize | None = Field(default=None, description="target for total bytes; default: keep everything")
    shares: dict[str, float] = Field(default={}, description='language → share, for `proportions = "shares"`')
    proportions: Literal["as-found", "roots", "shares"] = Field(
        default="as-found", description="of the languages: as in the sources, as in ROOTS, or by `shares`"
    )
    alpha: float = Field(default=1.0, gt=0, le=1, description="shares are raised to this power and normalised")
    epochs_max: float = Field(default=1.0, ge=1, description="how often a document of a small language may be repeated")
    language_bytes_max: dict[str, ByteSize] = Field(default={}, description="language → most bytes to keep")

    @model_validator(mode="after")
    def _has_shares(self) -> "Sampling":
        if not all(0 <= share < float("inf") for share in self.shares.values()):
            raise ValueError("`shares` are numbers of 0 or above")
        if self.proportions == "shares" and not any(self.shares.values()):
            raise ValueError('`proportions` is "shares": give `shares` of which one is above 0')
        if self.shares and self.proportions != "shares":
            raise ValueError('`shares` counts only where `proportions` is "shares"')
        return self


class Output(Model):
    """Form and sizes of what is written."""

    format: Literal["arrow", "parquet", "jsonl.zst"] = Field(
        default="arrow",
        description="Arrow IPC files, which can be memory-mapped; Parquet (zstd); Dolma's JSON lines",
    )
    shard_bytes: ByteSize = Field(default=ByteSize(256 << 20), ge=1 << 10, description="most text per output shard")
    batch_documents: int = Field(default=1000, ge=1, description="most documents per batch")
    batch_bytes: ByteSize = Field(default=ByteSize(8 << 20), ge=1 << 10, description="approximate most text per batch")
    work_shard_bytes: ByteSize = Field(
        default=ByteSize(32 << 20), ge=1 << 10, description="most text per intermediate shard, which one task holds"
    )


class Recipe(Model):
    """All that decides what a corpus holds: same recipe, same inputs → the same bytes."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]*$", description="lower-case letters, digits, hyphens")
    title: Said = Field(description="the corpus's name for people")
    description: str = Field(default="", description="a sentence or two for the cards")
    licence: str = Field(default="NOASSERTION", description="of the compilation; documents keep their own")
    seed: int = Field(default=0, ge=0, lt=1 << 63, description="for sampling")
    languages: tuple[str, ...] | Literal["all"] = Field(default="all", description="codes of the languages to keep")
    sources: tuple[str, ...] = Field(min_length=1, description="ids, from the registry or this recipe")
    keep_other_languages: bool = Field(default=False, description="also keep documents in other languages")
    licences: LicencePolicy = LicencePolicy()
    consent: ConsentPolicy = ConsentPolicy()
    language_identification: LanguageIdentification = LanguageIdentification()
    quality: Quality = Quality()
    personal_data: PersonalData = PersonalData()
    deduplication: Deduplication = Deduplication()
    decontamination: Decontamination = Decontamination()
    sampling: Sampling = Sampling()
    output: Output = Output()

    @field_validator("languages")
    @classmethod
    def _some(cls, value: tuple[str, ...] | str) -> tuple[str, ...] | str:
        if not value:
            raise ValueError("name a language, or leave the key out for all")
        return value

    @field_validator("sources")
    @classmethod
    def _unique(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a source is named twice")
        return value
