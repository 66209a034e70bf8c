"""The stage: each document is compared with all items of the evaluation sets, after deduplication, before sampling."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.models import Decontamination, EvaluationSet
from pipeline.decontamination.index import Index, build_index, words_of
from pipeline.decontamination.items import files_of, read_items, watched_sets
from pipeline.decontamination.match import TOGETHER_WORDS, Match, Matcher, cut_pieces, merged
from pipeline.deduplication.recurring import RecurringLines
from pipeline.runtime import storage
from pipeline.runtime.phases import Phase, Task, TaskFolder
from pipeline.settle import DECONTAMINATE, fates
from pipeline.text.columns import decode

VERSION = 3
INDEX = f"{DECONTAMINATE}-index"
REASON = "contaminated"
ITEM_SCORE = "item_score"
MATCHES_ENDING = ".matches.arrow"
NAMED_MAX = 3
"""Items of a document that the ledger names."""
SHORT_CHARACTERS = 100
"""A longer item isn't too short to be found."""
EXCERPT_BYTES = 300
"""Of the page, before and after the item, for `openroots decontaminate review`."""

FOUND = pa.schema(
    [
        pa.field("reason", pa.string()),  # null: the document stays
        pa.field("note", pa.string()),  # the items; null: it holds none
        pa.field("measure", pa.string()),  # null where the document stays, as are value and threshold
        pa.field("value", pa.float64()),  # score of the item that is most surely there
        pa.field("threshold", pa.float64()),
        pa.field("pieces", pa.list_(pa.int64())),  # first byte, byte behind, … of what is cut; null: nothing is
        pa.field("bytes_cut", pa.int64(), nullable=False),
    ]
)
"""One row for every document of a shard, in its order."""

MATCHES = pa.schema(
    [
        pa.field("id", pa.binary(16)),
        pa.field("source", pa.string()),
        pa.field("language", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("decision", pa.string()),  # dropped | cut
        pa.field("set", pa.string()),
        pa.field("item", pa.string()),
        *(pa.field(name, pa.float32()) for name in ("score", "question", "answer", "passage")),
        pa.field("before", pa.string()),
        pa.field("page", pa.string()),
        pa.field("after", pa.string()),
        pa.field("item_question", pa.string()),
        pa.field("item_answers", pa.list_(pa.string())),
        pa.field("item_passage", pa.string()),
    ]
)
"""A row for every item found: what `review` shows. It stays in the work folder, beside the texts."""


def check_sets(settings: Decontamination) -> list[dict[str, Any]]:
    """Read all items once, so that a build with an unreadable set stops before it begins.

    Returns a row for each set with items that are too short to be found: `set`, `items`, and how many are `too_short`.
    """
    counts, brief = Counter[str](), list[tuple[str, str]]()
    for item in read_items(watched_sets(settings)) if settings.is_on else ():
        counts[item.set] += 1
        text = "\n".join([item.question, max(item.answers, key=len, default=""), item.passage])
        if not item.is_mark and len(text) <= SHORT_CHARACTERS:
            brief.append((item.set, text))
    words = words_of([text for _, text in brief]) if brief else ()
    short = Counter(name for (name, _), length in zip(brief, words, strict=True) if length < TOGETHER_WORDS)
    return [{"set": name, "items": counts[name], "too_short": count} for name, count in short.items()]


@dataclass
class IndexWork:
    """Builds the index of all sets."""

    sets: tuple[EvaluationSet, ...]

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.index`; leave the number of items by set."""
        index = build_index(read_items(self.sets))
        with folder.binary(".index", len(index.items)) as stream:
            index.save(stream)
        counts = {one.name: sum(item.set == one.name for item in index.items) for one in self.sets}
        folder.data["items"] = counts


def index_phase(settings: Decontamination) -> Phase:
    """The phase that indexes the items of all sets."""
    watched = _with_files(settings)
    sets = [{"name": one.name, "files": len(one.files), "fields": one.fields, "id": one.id} for one in watched]
    return Phase(INDEX, {"version": VERSION, "sets": sets}, IndexWork(watched))


def index_tasks(settings: Decontamination) -> list[Task]:
    """Its one task."""
    paths = [path for one in _with_files(settings) for path in one.files]
    names = (path.rsplit("/", 1)[-1] for path in paths)  # an item without an id is named by its file
    digests = (f"{name} {storage.file_digest(path)}" for name, path in zip(names, paths, strict=True))
    return [Task("items", tuple(digests), None, sum(map(storage.size_of, paths)))]


def _with_files(settings: Decontamination) -> tuple[EvaluationSet, ...]:
    """The sets with the files that their patterns name, as workers with other working directories find them."""
    return tuple(
        one.model_copy(update={"files": tuple(map(storage.absolute, files_of(one)))}) for one in watched_sets(settings)
    )


_loaded: dict[tuple[str, str, float], Matcher] = {}


def _matcher(path: str, digest: str, threshold: float) -> Matcher:
    """An index is loaded once a process, not once a shard."""
    key = (path, digest, threshold)
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = Matcher(Index.load(storage.read_bytes(path)), threshold)
    return _loaded[key]


@dataclass
class FindWork:
    """Looks for items in the documents of one shard that are still in.

    `recurring`: source → file of the line hashes that are cut before; never from `code`. `index` and `digest` are the
    file of the index and its digest.
    """

    settings: Decontamination
    recurring: Mapping[str, str]
    code: frozenset[str]
    index: str
    digest: str

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow` (schema FOUND), batch for batch, and `TASK.matches.arrow` (MATCHES)."""
        matcher, recurring = _matcher(self.index, self.digest, self.settings.threshold), RecurringLines(self.recurring)
        with folder.arrow(MATCHES_ENDING, MATCHES, aside=True) as matches, folder.arrow(".arrow", FOUND) as found:
            for batch, texts in _by_texts(fates(task.payload)):
                rows, shown = self._found(batch, texts, matcher, recurring)
                found.write(rows)
                if shown:
                    matches.write(pa.RecordBatch.from_pylist(shown, MATCHES))

    def _found(
        self, batch: pa.RecordBatch, texts: pa.LargeStringArray, matcher: Matcher, recurring: RecurringLines
    ) -> tuple[pa.RecordBatch, list[dict[str, Any]]]:
        still = np.flatnonzero(pc.is_null(batch["reason"]).to_numpy(zero_copy_only=False))
        rows: list[dict[str, Any]] = [dict.fromkeys(FOUND.names) | {"bytes_cut": 0} for _ in range(batch.num_rows)]
        shown: list[dict[str, Any]] = []
        if len(still):
            left, texts = batch.take(pa.array(still)), texts.take(pa.array(still))
            if decode(left["language"])[0].as_py() not in self.code:  # texts of a piece are of one language
                texts = recurring.cut(texts, left["source"])
            for row, found in sorted(matcher(texts).items()):
                text = texts[row].as_buffer().to_pybytes()
                rows[still[row]] = self._fate(text, found)
                about = {name: left[name][row].as_py() for name in ("id", "source", "language", "uri")}
                decision = "dropped" if rows[still[row]].get("reason") else "cut"
                shown += [{**about, "decision": decision, **_shown(text, match)} for match in found[:NAMED_MAX]]
        return pa.RecordBatch.from_pylist(rows, FOUND), shown

    def _fate(self, text: bytes, found: Sequence[Match]) -> dict[str, Any]:
        named = "; ".join(match.detail for match in found[:NAMED_MAX])
        if len(found) > NAMED_MAX:
            named += f"; and {len(found) - NAMED_MAX:,} more"
        if self.settings.policy == "cut":
            pieces = merged([piece for match in found for piece in match.pieces])
            left = cut_pieces(text, pieces)
            if left.strip():
                flat = [place for piece in pieces for place in piece]
                size = len(text) - len(left)
                return {"note": f"{size:,} bytes cut: {named}", "pieces": flat, "bytes_cut": size}
        score = {"measure": ITEM_SCORE, "value": round(found[0].score, 4), "threshold": self.settings.threshold}
        return {"reason": REASON, "note": named, "bytes_cut": 0, **score}


def _by_texts(
    shard: Iterator[tuple[pa.RecordBatch, list[pa.Array]]],
) -> Iterator[tuple[pa.RecordBatch, pa.LargeStringArray]]:
    """Rows of a shard with their texts, as these lie in it."""
    for batch, pieces in shard:
        at = 0
        for texts in pieces:
            yield batch.slice(at, len(texts)), texts
            at += len(texts)


def _shown(text: bytes, match: Match) -> dict[str, Any]:
    first, last = match.pieces[0][0], match.pieces[-1][1]
    before, page, after = text[max(0, first - EXCERPT_BYTES) : first], text[first:last], text[last:][:EXCERPT_BYTES]
    record = match.item.record
    return {
        "set": match.item.set,
        "item": match.item.id,
        "score": match.score,
        "question": match.question,
        "answer": match.answer,
        "passage": match.passage,
        "before": before.decode("utf-8", "ignore"),
        "page": page[: 20 * EXCERPT_BYTES].decode("utf-8", "ignore"),
        "after": after.decode("utf-8", "ignore"),
        "item_question": record["question"],
        "item_answers": record["answers"],
        "item_passage": record["passage"],
    }


def find_phase(
    settings: Decontamination, recurring: Mapping[str, str], code: frozenset[str], index: str, digest: str
) -> Phase:
    """The phase that looks for items in every shard; `digest` is that of the file `index`."""
    lines = {source: storage.file_digest(path) for source, path in recurring.items()}
    configuration = {
        "version": VERSION,
        "threshold": settings.threshold,
        "policy": settings.policy,
        "index": digest,
        "recurring_lines": lines,
        "code": sorted(code),
    }
    return Phase(DECONTAMINATE, configuration, FindWork(settings, recurring, code, index, digest))


def cut_found(texts: pa.LargeStringArray, found: pa.RecordBatch) -> pa.LargeStringArray:
    """Texts without the pieces that the stage found (rows of schema FOUND)."""
    rows = np.flatnonzero(pc.is_valid(found["pieces"]).to_numpy(zero_copy_only=False))
    if not len(rows):
        return texts
    changed = [
        cut_pieces(texts[row].as_buffer().to_pybytes(), list(zip(flat[0::2], flat[1::2], strict=True)))
        for row, flat in zip(rows.tolist(), found["pieces"].take(pa.array(rows)).to_pylist(), strict=True)
    ]
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array([text.decode() for text in changed], pa.large_string()))
