"""Annotate: language, quality measures and redaction, a shard in, a shard out. Columns are added, no row is dropped.

The shard that is written holds its rows sorted by language, so that reading one language is one contiguous read.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from configs.language_codes import UNDETERMINED
from configs.load import Plan
from configs.models import Languages, PersonalData
from pipeline.language_id import LanguageIdentifier, Shares, same_language, share_of
from pipeline.pii.outward import redactor_of
from pipeline.pii.policy import actions_of, pseudonym_key, treated
from pipeline.quality import Measures
from pipeline.runtime import storage
from pipeline.runtime.phases import Phase, Task, TaskFolder, digest_of
from pipeline.runtime.shards import Sections, in_one
from pipeline.text.columns import Trimmed, decode, encode, string_bytes

VERSION = 12


Settled = tuple[str, str, float | None, float | None, str | None, str | None]
"""Language, identified language, score, share of the text in it, all languages by share, votes."""


@dataclass(frozen=True)
class Identification:
    """Settles a document's language from what its source declares and what the identifier finds."""

    languages: Languages
    identifier: LanguageIdentifier | None

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Add `language_declared`, `language_identified`, `language_score` and `language_share` (float32),
        `languages` and `language_votes` (string; see `language_id.Identified`), and set `language`.

        `language` is the declared one, or the identified one where the source does not say; `language_score` is what
        the identifier gives to it: where it denies the declared language with score s, 1 − s, the most that can be
        left for it. `language_share` is the share of the text in it. All are null for code, score and share for
        languages that the identifier does not know.
        """
        declared = decode(batch["language"]).to_pylist()
        settled = self._settled(batch["text"], declared)
        index = batch.schema.get_field_index("language")
        batch = batch.set_column(index, batch.schema.field("language"), encode([row[0] for row in settled]))
        return (
            batch.append_column("language_declared", encode(declared))
            .append_column("language_identified", encode([row[1] for row in settled]))
            .append_column("language_score", pa.array([row[2] for row in settled], pa.float32()))
            .append_column("language_share", pa.array([row[3] for row in settled], pa.float32()))
            .append_column("languages", pa.array([row[4] for row in settled], pa.string()))
            .append_column("language_votes", pa.array([row[5] for row in settled], pa.string()))
        )

    def _settled(self, texts: pa.LargeStringArray, declared: list[str]) -> list[Settled]:
        if self.identifier is None:
            return [_believed(said) for said in declared]
        ask = np.array([said not in self.languages.programming for said in declared], bool)
        found = self.identifier.identify_parts(texts if ask.all() else texts.filter(pa.array(ask)))
        columns = (found.language, found.score, found.languages, found.votes)
        answers = zip(*(column.to_pylist() for column in columns), found.shares, strict=True)
        return [
            _settle(said, self.identifier.knows(said), *next(answers)) if asked else _believed(said)
            for said, asked in zip(declared, ask.tolist(), strict=True)
        ]


def _believed(declared: str) -> Settled:
    return declared, declared, None, None, None, None


def _settle(
    declared: str, known: bool, found: str, score: float, languages: str, votes: str, shares: Shares
) -> Settled:
    if declared != UNDETERMINED and not known:
        return declared, declared, None, None, languages, votes
    language = found if declared == UNDETERMINED else declared
    share = share_of(shares, language)
    if declared != UNDETERMINED and not same_language(declared, found):
        return declared, found, 1.0 - score, share, languages, votes
    return language, language, score, share, languages, votes


def language_identifier(plan: Plan) -> LanguageIdentifier | None:
    """The identifier that a recipe asks for; None where it believes its sources."""
    settings = plan.recipe.language_identification
    return None if settings.model == "none" else LanguageIdentifier(plan.languages, settings)


class Annotator:
    """All annotations of one recipe over batches of documents."""

    def __init__(self, plan: Plan) -> None:
        recipe = plan.recipe
        self.identifier = language_identifier(plan)
        self.measures = Measures(plan.languages, recipe.quality)
        self._identify = Identification(plan.languages, self.identifier)
        self._redactor = redactor_of(plan)
        self._personal_data = recipe.personal_data

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Documents (schema DOCUMENT) with all annotation columns; personal data in `text` treated as the recipe says;
        `bytes` the text's UTF-8 length."""
        batch = self._identify(batch)
        for name, column in self.measures(batch["text"], batch["language"]).items():
            batch = batch.append_column(name, column)
        texts, counts = treated(batch, self._redactor, actions_of(batch, self._personal_data))
        batch = batch.set_column(batch.schema.get_field_index("text"), batch.schema.field("text"), texts)
        for name, column in counts.items():
            batch = batch.append_column(name, column)
        return batch.append_column("bytes", string_bytes(texts))


_loaded: dict[str, Annotator] = {}


def _annotator(digest: str, plan: Plan) -> Annotator:
    """Models load once a process, not once a shard. No two threads come here at a time: see `flow`."""
    return _loaded.get(digest) or _kept(digest, Annotator(plan))


def _kept(digest: str, annotator: Annotator) -> Annotator:
    """The annotator, in place of the one that was loaded."""
    _loaded.clear()
    _loaded[digest] = annotator
    return annotator


@dataclass
class AnnotateWork:
    """Does the annotation of one shard."""

    plan: Plan
    digest: str

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow`: the rows of the shard sorted by language, each language a stream of its own.

        `languages` of the file says what there is of each, and where its stream begins.
        """
        annotator = _annotator(self.digest, self.plan)
        with storage.open_stream(task.payload) as reader:
            batches = [annotator(batch) for batch in reader]
        documents = in_one(batches)
        del batches
        output = self.plan.recipe.output
        with folder.arrow(".arrow", documents.schema, writer=Sections) as shard:
            parts = []
            for language, portions in _by_language(documents, output.batch_documents, output.batch_bytes):
                at, documents_of_it, bytes_of_it = shard.begin(), 0, 0
                for batch in portions:
                    size = int(batch["bytes"].to_numpy().sum())
                    documents_of_it += batch.num_rows
                    bytes_of_it += size
                    shard.write(batch, size)
                parts.append({"language": language, "documents": documents_of_it, "bytes": bytes_of_it, "at": at})
            shard.extra["languages"] = parts


def _by_language(
    documents: pa.RecordBatch, most: int, most_bytes: int
) -> Iterator[tuple[str, Iterator[pa.RecordBatch]]]:
    """Languages in the order of their codes with their documents, in order of appearance: in batches of at most so many
    and about so many bytes of text."""
    names, indices = documents["language"].dictionary.to_pylist(), documents["language"].indices.to_numpy()
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    order = np.argsort(rank[indices], kind="stable")
    is_coded = [pa.types.is_dictionary(field.type) for field in documents.schema]
    coded = [
        Trimmed(column, order) if is_it else None for column, is_it in zip(documents.columns, is_coded, strict=True)
    ]
    plain = documents.select([field.name for field, is_it in zip(documents.schema, is_coded, strict=True) if not is_it])
    schema = documents.schema
    del documents
    plain = plain.take(pa.array(order))  # in one piece: some fifty languages of thirty columns each cost more
    borders = (np.flatnonzero(np.diff(indices[order])) + 1).tolist()
    for first, end in itertools.pairwise([0, *borders, len(order)] if len(order) else []):
        part = plain.slice(first, end - first)
        yield names[indices[order[first]]], _batches(schema, part, coded, first, most, most_bytes)


def _batches(
    schema: pa.Schema, part: pa.RecordBatch, coded: Sequence[Trimmed | None], first: int, most: int, most_bytes: int
) -> Iterator[pa.RecordBatch]:
    """Cut the columns of `part`, and those of `coded` from row `first` on, in between."""
    ends = np.cumsum(part["bytes"].to_numpy())
    start = 0
    while start < len(ends):
        base = ends[start - 1] if start else 0
        stop = min(start + most, max(start + 1, int(np.searchsorted(ends, base + most_bytes, side="right"))), len(ends))
        rest = iter(part.slice(start, stop - start).columns)
        arrays = [cut(first + start, first + stop) if cut else next(rest) for cut in coded]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        start = stop


def _policy(settings: PersonalData) -> list[Any]:
    """What texts depend on beside the kinds; of the key only that another one is another."""
    if settings.actions <= {"redact", "drop", "review"}:
        return []
    key = pseudonym_key(settings)
    return [settings.action, settings.by_language, settings.by_source, key and hashlib.sha256(key).hexdigest()]


def annotate_phase(plan: Plan) -> Phase:
    """The phase that annotates every ingested shard."""
    recipe, annotator = plan.recipe, Annotator(plan)
    configuration: dict[str, Any] = {
        "version": VERSION,
        "identifier": annotator.identifier.digest if annotator.identifier else None,
        "measures": annotator.measures.configuration,
        "pii": [recipe.personal_data.kinds, recipe.personal_data.obfuscated_email, *_policy(recipe.personal_data)],
        "regions": plan.languages.phone_regions,
        "batch": [recipe.output.batch_documents, recipe.output.batch_bytes],
    }
    digest = digest_of(configuration)
    _kept(digest, annotator)  # a process that asks for the phase is likely to do its tasks
    return Phase("annotate", configuration, AnnotateWork(plan, digest))
