"""Find documents of a finished corpus: by passage, address, source, author, e-mail address, id, or their own key.

What was dropped is found too: by the ledger, and by text as long as `.work` is there, which holds it.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ConfigurationError
from pipeline.corpus import passages, reading
from pipeline.corpus.plan import plan_of
from pipeline.corpus.reading import open_arrow
from pipeline.ledger import is_key
from pipeline.pii.outward import CHARACTERS_MAX, redactor_of
from pipeline.runtime import storage
from pipeline.text.columns import decode, hex_ids

TEXT_CHARACTERS_MAX = 1_000_000
TEXT_CHARACTERS_MIN = 12
"""A shorter passage is in too many texts to mean one."""

AUTHOR_KEYS = re.compile(
    r"authors?|creators?|byline|by|writers?|contributors?|translators?|owner|publisher|user(_?name)?|name|committer",
    re.I,
)
"""Keys of metadata whose values are people."""

_AUTHORSHIP = re.compile(r"copyright|\(c\)|©|authors?\b|written by|maintain|contribut|created by|\bby\b", re.I)
_NAMES = re.compile(r"[,;&|/]|\band\b|\bund\b|\bet\b|\by\b|\be\b|<[^>]*>", re.I)
_LINE_MAX = 400
_THREADS = 2


@dataclass(frozen=True)
class Wanted:
    """What is looked for; a document must fit all that is given."""

    text: str | None = None
    uri: str | None = None
    source: str | None = None
    author: str | None = None
    email: str | None = None
    id: str | None = None
    key: str | None = None

    def check(self) -> None:
        """Raises ConfigurationError where nothing, or too little to mean a document, is given."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        if not given:
            raise ConfigurationError("say what to find: --text, --uri, --source, --author, --email, --id or --key")
        for name, value in given.items():
            if not value.strip():
                raise ConfigurationError(f"`{name}` is empty")
            limit = TEXT_CHARACTERS_MAX if name == "text" else CHARACTERS_MAX
            if len(value) > limit:
                raise ConfigurationError(f"`{name}` has {len(value):,} characters; {limit:,} are the most")
        if self.text is not None and len(passages.normal(self.text).decode()) < TEXT_CHARACTERS_MIN:
            raise ConfigurationError(
                f"`text` has fewer than {TEXT_CHARACTERS_MIN} letters and digits: give about 20 or more"
            )
        if self.email is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", self.email.strip()):
            raise ConfigurationError("`email` is no e-mail address")
        if self.id is not None and not re.fullmatch(r"[0-9a-fA-F]{4,32}", self.id.strip()):
            raise ConfigurationError("`id` is 4 to 32 hexadecimal digits, as `why` and the ledger show them")

    @property
    def needs_text(self) -> bool:
        """Whether texts or metadata have to be looked at."""
        return any(value is not None for value in (self.text, self.author, self.email))


@dataclass
class Found:
    """Ledger rows of what was found, by id (32 hexadecimal digits), each with `files`, where it lies in the corpus."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(corpus: str, wanted: Wanted, progress: reading.Progress = lambda _: None) -> Found:
    """Find documents of the corpus in a folder (any fsspec path). Raises InputError, ConfigurationError."""
    wanted.check()
    manifest = reading.read_manifest(corpus)
    found = Found()
    places: dict[str, list[str]] | None = None
    if wanted.needs_text:
        places = _search(corpus, manifest, wanted, found, progress)
    found.rows = list(_ledger_rows(corpus, wanted, places))
    if places is None:
        places = _places(corpus, manifest, {row["id"]: row for row in found.rows if row["decision"] == "kept"})
    for row in found.rows:
        row["files"] = sorted(set(places.get(row["id"], ())))
    return found


def _ledger_rows(corpus: str, wanted: Wanted, places: dict[str, list[str]] | None) -> Iterator[dict[str, Any]]:
    ids = None if places is None else pa.array(sorted(places), pa.string())
    for batch in reading.ledger_batches(corpus):
        mask = np.ones(batch.num_rows, bool)
        if ids is not None:
            mask &= _mask(pc.is_in(batch["id"], ids))
        if wanted.id is not None:
            mask &= _mask(pc.starts_with(batch["id"], wanted.id.strip().lower()))
        if wanted.source is not None:
            mask &= _mask(pc.equal(batch["source"], wanted.source))
        if wanted.uri is not None:
            mask &= _mask(pc.starts_with(batch["uri"], wanted.uri))
        if wanted.key is not None:
            mask &= _mask(is_key(batch["key"], wanted.key))
        if mask.any():
            yield from batch.filter(pa.array(mask)).to_pylist()


def _mask(array: pa.Array) -> np.ndarray:
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False), bool)


def _places(corpus: str, manifest: dict[str, Any], rows: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Shards that hold documents, by id; only the ids of shards of their languages are looked at."""
    languages = {row["language"] for row in rows.values()}
    ids = pa.array(sorted(rows), pa.string())
    places: dict[str, list[str]] = {}
    for path, entry in reading.shard_paths(manifest).items():
        if entry["language"] not in languages:
            continue
        with open_arrow(storage.join(corpus, path)) as (_, batches):
            for batch in batches:
                mine = hex_ids(batch["id"])
                for name in mine.filter(pc.is_in(mine, ids)).to_pylist():
                    places.setdefault(name, []).append(path)
    return places


@dataclass
class _Look:
    """A file to look into, how, and the batches of it that may hold something (None: all)."""

    path: str
    matcher: Callable[[pa.RecordBatch], np.ndarray]
    batches: set[int] | None = None


def _search(
    corpus: str, manifest: dict[str, Any], wanted: Wanted, found: Found, progress: reading.Progress
) -> dict[str, list[str]]:
    """Files that hold fitting documents, by id: shards, and work files for what was dropped or redacted."""
    matcher = Matcher(wanted, manifest)
    looks = []
    for path, entry in reading.shard_paths(manifest).items():
        if matcher.needles and wanted.author is None:
            chosen = passages.candidates(passages.sketch_path(corpus, path), entry["digest"], matcher.needles)
            if chosen is not None and not chosen:
                continue
            looks.append(_Look(path, matcher, chosen))
        else:
            looks.append(_Look(path, matcher))
    work = reading.UNREDACTED if wanted.email is not None else reading.TEXTS
    of_work = reading.files_below(corpus, work, ".arrow")
    looks += [_Look(path, matcher) for path in of_work if not path.endswith(".dropped.arrow")]
    if not of_work:
        missing = "texts that were dropped" if wanted.email is None else "texts before redaction"
        found.notes.append(f"there is no .work: {missing} could not be searched")
    if wanted.email is not None and not of_work:
        found.notes.append("e-mail addresses are replaced by PI:EMAIL in a corpus, unless its recipe says otherwise")
    places: dict[str, list[str]] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for number, (look, ids) in enumerate(
            zip(looks, pool.map(lambda look: _look(corpus, look), looks), strict=True)
        ):
            progress(f"{number + 1} of {len(looks)} files")
            for name in ids:
                places.setdefault(name, []).append(look.path)
    return places


def _look(corpus: str, look: _Look) -> list[str]:
    ids: list[str] = []
    with open_arrow(storage.join(corpus, look.path)) as (schema, batches):
        if "text" not in schema.names:
            return ids
        for number, batch in enumerate(batches):
            if look.batches is None or number in look.batches:
                rows = look.matcher(batch)
                ids += hex_ids(batch["id"].take(pa.array(rows))).to_pylist()
    return ids


class Matcher:
    """Says which rows of a batch of documents fit what is wanted of text, author and e-mail address."""

    def __init__(self, wanted: Wanted, manifest: dict[str, Any]) -> None:
        self._wanted = wanted
        self._code = frozenset(plan_of(manifest).languages.programming)
        self.needles: list[bytes] = []
        if wanted.text is not None:
            redacted = redactor_of(plan_of(manifest)).redact_text(wanted.text, None)
            self.needles = list(dict.fromkeys(map(passages.normal, (wanted.text, redacted))))
        self._author = passages.normal(wanted.author) if wanted.author is not None else b""
        self._email = wanted.email.strip().casefold() if wanted.email is not None else ""

    def __call__(self, batch: pa.RecordBatch) -> np.ndarray:
        """Rows that fit, sorted, int64."""
        rows = np.arange(batch.num_rows)
        if self.needles:
            rows = rows[passages.rows_with(batch["text"], self.needles)]
        if self._email and len(rows):
            rows = self._with_email(batch, rows)
        if self._author and len(rows):
            rows = self._with_author(batch, rows)
        return rows

    def _with_email(self, batch: pa.RecordBatch, rows: np.ndarray) -> np.ndarray:
        folded = passages.normal(self._email)
        held = set()
        for name in ("text", "metadata", "uri"):
            column = batch[name].take(pa.array(rows))
            for place in passages.rows_with(column, [folded]).tolist():
                if self._email in column[place].as_py().casefold():
                    held.add(int(rows[place]))
        return np.array(sorted(held), np.int64)

    def _with_author(self, batch: pa.RecordBatch, rows: np.ndarray) -> np.ndarray:
        metadata = batch["metadata"].take(pa.array(rows))
        held = {
            int(rows[place])
            for place in passages.rows_with(metadata, [self._author]).tolist()
            if self._is_author(metadata[place].as_py())
        }
        languages = decode(batch["language"]).take(pa.array(rows))
        code = rows[_mask(pc.is_in(languages, pa.array(sorted(self._code), pa.string())))]
        if len(code):
            texts = batch["text"].take(pa.array(code))
            for place in passages.rows_with(texts, [self._author]).tolist():
                if self._signs(texts[place].as_py()):
                    held.add(int(code[place]))
        return np.array(sorted(held), np.int64)

    def _is_author(self, metadata: str) -> bool:
        """Whether a value of metadata that names people names this one."""
        try:
            stack = [("", json.loads(metadata))]
        except (ValueError, RecursionError):
            return False
        while stack:
            key, value = stack.pop()
            if isinstance(value, dict):
                stack += value.items()
            elif isinstance(value, list):
                stack += [(key, item) for item in value]
            elif isinstance(value, str) and AUTHOR_KEYS.fullmatch(key):
                names = [value, *_NAMES.split(value[:10_000])]
                if any(passages.normal(name) == self._author for name in names if name.strip()):
                    return True
        return False

    def _signs(self, text: str) -> bool:
        """Whether a line of source code names this author as such."""
        lines = (line for line in text.splitlines() if len(line) <= _LINE_MAX)
        return any(_AUTHORSHIP.search(line) and self._author in passages.normal(line) for line in lines)
