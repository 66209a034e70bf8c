"""Find documents of a finished corpus: by passage, address, source, author, e-mail address, id, or their own key.

What was dropped is found too: by the ledger, and by text as long as the work files are there, which hold it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ConfigurationError, InputError
from pipeline.corpus import passages, reading, seal
from pipeline.corpus.plan import plan_of
from pipeline.corpus.reading import open_arrow
from pipeline.ledger import has_id, has_key, mask_of, rows_where
from pipeline.pii.outward import redactor_of
from pipeline.runtime import storage
from pipeline.text.columns import decode, hex_ids
from pipeline.text.schema import CHARACTERS_MAX

TEXT_CHARACTERS_MAX = 1_000_000
TEXT_CHARACTERS_MIN = 12
"""A shorter passage is in too many texts to mean one."""

AUTHOR_KEYS = re.compile(
    r"authors?|creators?|byline|by|writers?|contributors?|translators?|owner|publisher|user(_?name)?|name|committer",
    re.I,
)
"""Keys of metadata whose values are people."""

_WEB = re.compile(r"https?://([^/?#]*)(.*)", re.I | re.S)
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
            raise ConfigurationError("`email` is not an email address")
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


def find(corpus: str, wanted: Wanted, progress: reading.Progress = lambda _: None, work: str | None = None) -> Found:
    """Find documents of the corpus in a folder (any fsspec path), whose work files may lie elsewhere (`work`).

    Raises InputError, ConfigurationError.
    """
    wanted.check()
    manifest = reading.read_manifest(corpus)
    try:
        of_work = reading.work_folder(corpus, work)
    except ValueError as error:
        raise InputError(storage.join(corpus, reading.ELSEWHERE), str(error), "Say where they are by --work") from None
    found, places = Found(), dict[str, list[str]]()
    if wanted.needs_text:
        places = _search(corpus, manifest, of_work, wanted, found, progress)
    if places or not wanted.needs_text:
        found.rows = list(rows_where(corpus, lambda batch: _fits(batch, wanted, places)))
    _add_places(corpus, manifest, of_work, found.rows, places)
    for row in found.rows:
        row["files"] = sorted(set(places.get(row["id"], ())))
    return found


def _fits(batch: pa.RecordBatch, wanted: Wanted, places: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Which rows of the ledger fit; `places` has the ids of those whose text does."""
    mask = np.ones(batch.num_rows, bool)
    if wanted.needs_text:
        mask &= mask_of(pc.is_in(batch["id"], pa.array(sorted(places), pa.string())))
    if wanted.id is not None:
        mask &= has_id(batch, wanted.id.strip())
    if wanted.source is not None:
        mask &= mask_of(pc.equal(batch["source"], wanted.source))
    if wanted.uri is not None:
        starts = [mask_of(pc.starts_with(batch["uri"], start)) for start in starts_of(wanted.uri)]
        mask &= np.logical_or.reduce(starts)
    if wanted.key is not None:
        mask &= has_key(batch, wanted.key)
    return mask


def starts_of(uri: str) -> tuple[str, ...]:
    """How addresses begin that are meant by a beginning: of the web, with http as with https, and the host's name in
    lower case."""
    uri = uri.strip()
    match = _WEB.fullmatch(uri)
    if not match:
        return (uri,)
    return tuple(dict.fromkeys((uri, *(f"{scheme}://{match[1].lower()}{match[2]}" for scheme in ("http", "https")))))


def _add_places(
    corpus: str,
    manifest: dict[str, Any],
    work: reading.WorkFolder,
    rows: Sequence[dict[str, Any]],
    places: dict[str, list[str]],
) -> None:
    """Add the shards and work files that hold documents whose text was not searched for there; only ids are read."""
    kept = {row["id"]: row["language"] for row in rows if row["decision"] == "kept"}
    missing = {name for name in kept if not any(place.startswith("data/") for place in places.get(name, ()))}
    languages = {kept[name] for name in missing}
    looks = [
        (path, storage.join(corpus, path), missing)
        for path, entry in reading.shard_paths(manifest).items()
        if entry["language"] in languages
    ]
    everyone = {row["id"] for row in rows}
    if storage.is_local(work.path):  # elsewhere the ids of a file come with its texts
        for folder in (reading.TEXTS, reading.UNREDACTED):
            looks += [(name, path, everyone) for name, path in _texts(work, folder).items() if everyone]
    for name, path, ids in looks:
        for identifier in _ids_in(path, sorted(ids)):
            places.setdefault(identifier, []).append(name)


def _ids_in(path: str, ids: Sequence[str]) -> list[str]:
    """Those of the ids (32 hexadecimal digits) that documents of a file have."""
    found: list[str] = []
    written, packed = pa.array(ids, pa.string()), pa.array(map(bytes.fromhex, ids), pa.binary(16))
    with open_arrow(path) as (_, batches):
        for batch in batches:
            mine = batch["id"]
            hits = pc.is_in(mine, packed if mine.type == packed.type else written)
            if hits.true_count:
                found += hex_ids(mine.filter(hits)).to_pylist()
    return found


@dataclass
class _Look:
    """A file to look into, how it is named and opened, and the batches that may hold something (None: all)."""

    name: str
    path: str
    batches: set[int] | None = None


def _search(
    corpus: str,
    manifest: dict[str, Any],
    work: reading.WorkFolder,
    wanted: Wanted,
    found: Found,
    progress: reading.Progress,
) -> dict[str, list[str]]:
    """Files that hold fitting documents, by id: shards, and work files for what was dropped or redacted."""
    matcher = Matcher(wanted, manifest)
    looks = []
    for name, entry in reading.shard_paths(manifest).items():
        look = _Look(name, storage.join(corpus, name))
        if matcher.needles and wanted.author is None:
            look.batches = passages.candidates(passages.sketch_path(corpus, name), entry["digest"], matcher.needles)
        if look.batches is None or look.batches:
            looks.append(look)
    of_work = _texts(work, reading.UNREDACTED if wanted.email is not None else reading.TEXTS)
    by_sketch = bool(matcher.needles) and wanted.author is None and wanted.email is None
    of_shards = _digests_of_work(work, manifest["digest"]) if by_sketch else {}
    for name, path in of_work.items():
        look = _Look(name, path)
        if digest := of_shards.get(name):
            look.batches = passages.candidates(passages.dropped_path(work.path, name), digest, matcher.needles)
        if look.batches is None or look.batches:
            looks.append(look)
    if not of_work:
        missing = "texts that were dropped" if wanted.email is None else "texts before redaction"
        found.notes.append(f"there is no {work.name}: {missing} could not be searched; --work says where it is now")
    if wanted.email is not None and not of_work:
        found.notes.append("email addresses are replaced by PI:EMAIL in a corpus, unless its recipe says otherwise")
    places: dict[str, list[str]] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for number, (look, ids) in enumerate(
            zip(looks, pool.map(lambda look: _look(look, matcher), looks), strict=True)
        ):
            progress(f"{number + 1} of {len(looks)} files")
            for identifier in ids:
                places.setdefault(identifier, []).append(look.name)
    return places


def _digests_of_work(work: reading.WorkFolder, corpus_digest: str) -> dict[str, str]:
    """Digests of work files by name, where their seal says that they are of this corpus; else none."""
    try:
        sealed = seal.read_seal(work.path)
    except (OSError, ValueError):
        return {}
    if sealed.get("corpus") != corpus_digest:
        return {}
    return {f"{work.name}/{name}": entry.get("xxh3", "") for name, entry in sealed["files"].items()}


def _texts(work: reading.WorkFolder, folder: str) -> dict[str, str]:
    """Work files with documents: name → path that opens. Those of refused documents hold their fates alone."""
    return {name: path for name, path in work.files(folder, ".arrow").items() if not name.endswith(".dropped.arrow")}


def _look(look: _Look, matcher: "Matcher") -> list[str]:
    ids: list[str] = []
    with open_arrow(look.path) as (schema, batches):
        if "text" not in schema.names:
            return ids
        for number, batch in enumerate(batches):
            if look.batches is None or number in look.batches:
                ids += hex_ids(batch["id"].take(pa.array(matcher(batch)))).to_pylist()
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
        code = rows[mask_of(pc.is_in(languages, pa.array(sorted(self._code), pa.string())))]
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
