"""Decide: from the columns that `annotate` left, which documents go no further, and why. No text is looked at."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from configs.language_codes import UNDETERMINED
from configs.load import Plan
from configs.models import PersonalData, PiiAction
from pipeline.pii.policy import actions_of
from pipeline.quality import QualityRules
from pipeline.reasons import DECISION, FINDINGS, LANGUAGE_MISMATCH, Verdict, first_verdict
from pipeline.runtime import storage, stores
from pipeline.runtime.phases import OutputFile, Phase, Task, TaskFolder
from pipeline.runtime.shards import EXCERPT_CHARACTERS, beginnings, coarse
from pipeline.text.columns import decode

VERSION = 4
COLUMN_BYTES = 200
"""About what a document's columns take beside its text."""

_LEAVES: dict[PiiAction, str] = {"drop": "personal_data_found", "review": "personal_data_review"}
"""Reasons of documents that leave for any finding, by what the recipe asks for."""

ROWS_ENDING = ".rows.arrow"


def language_verdict(
    batch: pa.RecordBatch,
    wanted: frozenset[str],
    score_min: float,
    keep_other: bool,
    relatives: Mapping[str, Sequence[str]] = MappingProxyType({}),
    purity_min: float = 0.0,
) -> Verdict:
    """Drop documents whose declared language is denied with `score_min` or more, languages not wanted, and mixed
    documents of which less than `purity_min` is in their language.

    relatives: language → languages that the identifier cannot tell from it; where it answers one, it denies nothing.
    """
    language, found = decode(batch["language"]), decode(batch["language_identified"])
    denied_by = pc.subtract(pa.scalar(1.0, pa.float32()), batch["language_score"])
    denied = pc.fill_null(
        pc.and_(pc.not_equal(language, found), pc.greater_equal(denied_by, pa.scalar(score_min, pa.float32()))), False
    )
    mixed = pc.fill_null(pc.less(batch["language_share"], pa.scalar(purity_min, pa.float32())), False)
    for code in pc.unique(language).to_pylist():
        if code in relatives:
            related = pc.is_in(found, pa.array(relatives[code], pa.string()))
            taken = pc.invert(pc.and_(pc.equal(language, code), related))
            denied, mixed = pc.and_(denied, taken), pc.and_(mixed, taken)
    unwanted = pc.and_(pc.invert(pc.is_in(language, pa.array(sorted(wanted)))), pa.scalar(not keep_other))
    was_said = pc.not_equal(decode(batch["language_declared"]), UNDETERMINED)
    other = pc.binary_join_element_wise(pc.if_else(was_said, "declared ", "identified "), language, "")
    other = pc.if_else(pc.equal(language, UNDETERMINED), "its language is neither declared nor identified", other)
    unwanted = pc.and_(unwanted, pc.invert(denied))
    mixed = pc.and_(mixed, pc.invert(pc.or_(denied, unwanted)))
    score = {"measure": "language_score", "value": batch["language_score"], "threshold": round(1 - score_min, 6)}
    share = {"measure": "language_share", "value": batch["language_share"], "threshold": purity_min}
    return (
        Verdict.passed("language", batch.num_rows)
        .dropping(denied, LANGUAGE_MISMATCH, **score)
        .dropping(unwanted, "language_other", note=other)
        .dropping(mixed, "language_mixed", note=batch["languages"], **share)
    )


def personal_data_verdict(batch: pa.RecordBatch, policy: PersonalData) -> Verdict:
    """Drop documents in which more personal data was found than the recipe allows, or any where it asks for that."""
    kinds = [name for name in batch.schema.names if name.startswith("pii_")]
    verdict = Verdict.passed("personal_data", batch.num_rows)
    leaves = bool(policy.actions & set(_LEAVES))
    if (policy.drop_above is None and not leaves) or not kinds:
        return verdict
    total = batch[kinds[0]]
    for kind in kinds[1:]:
        total = pc.add(total, batch[kind])
    counted = {"measure": FINDINGS, "value": total, "note": _by_kind(batch, kinds)}
    if leaves:
        asked = pa.array([_LEAVES.get(action) for action in actions_of(batch, policy)], pa.string())
        verdict = verdict.dropping(pc.and_(pc.greater(total, 0), pc.is_valid(asked)), asked, **counted)
    if policy.drop_above is not None:
        over = pc.and_(pc.greater(total, policy.drop_above), pc.is_null(verdict.reason))
        verdict = verdict.dropping(over, "findings_max", threshold=policy.drop_above, **counted)
    return verdict


def _by_kind(batch: pa.RecordBatch, kinds: Sequence[str]) -> pa.StringArray:
    """`EMAIL 2, PHONE 1`: how many pieces of each kind were found."""
    said = pa.nulls(batch.num_rows, pa.string())
    for kind in kinds:
        count = batch[kind].cast(pa.string())
        name = pc.binary_join_element_wise(kind.removeprefix("pii_").upper(), count, " ")
        more = pc.if_else(pc.greater(batch[kind], 0), name, None)
        said = pc.coalesce(pc.binary_join_element_wise(said, more, ", "), said, more)
    return said


@dataclass
class DecideWork:
    """Does the decisions of one annotated shard."""

    plan: Plan
    rules: QualityRules

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow` in schema DECISION; leave counts of the drops.

        Where the shard is a large file of a store, write also `TASK.rows.arrow`: it with the beginnings of its texts
        only, for stages that need the other columns. On a disk they leave the texts where they are.
        """
        recipe = self.plan.recipe
        dropped: Counter[tuple[str, str]] = Counter()
        wanted = frozenset(self.plan.wanted_languages)
        relatives = _relatives(self.plan)
        with (
            storage.open_stream(task.payload) as reader,
            _rows_apart(task.payload, reader.schema, folder) as write_rows,
            folder.arrow(".arrow", DECISION) as shard,
        ):
            for batch, texts in coarse(reader):
                write_rows(batch, texts)
                verdicts = [
                    language_verdict(
                        batch,
                        wanted,
                        recipe.language_identification.disagreement_score_min,
                        recipe.keep_other_languages,
                        relatives,
                        recipe.language_identification.purity_min,
                    ),
                    self.rules.decide(batch),
                    personal_data_verdict(batch, recipe.personal_data),
                ]
                decisions = first_verdict(verdicts)
                shard.write(decisions)
                pairs = zip(
                    decode(decisions["stage"]).to_pylist(), decode(decisions["reason"]).to_pylist(), strict=True
                )
                dropped.update(pair for pair in pairs if pair[1])
        folder.data["dropped"] = [[*key, count, 0] for key, count in sorted(dropped.items())]


@contextmanager
def _rows_apart(
    path: str, schema: pa.Schema, folder: TaskFolder
) -> Iterator[Callable[[pa.RecordBatch, Sequence[pa.Array]], None]]:
    """What writes rows and the beginnings of their texts into a file of their own; nothing where that saves nothing."""
    if storage.is_local(path) or storage.size_of(path) <= stores.BLOCK:
        yield lambda *_: None
        return
    with folder.arrow(ROWS_ENDING, schema, aside=True) as rows:

        def write(batch: pa.RecordBatch, texts: Sequence[pa.Array]) -> None:
            batch = batch.append_column("text", beginnings(texts, EXCERPT_CHARACTERS))
            rows.write(batch.select(schema.names).cast(schema))

        yield write


def _relatives(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {code: language.relatives for code, language in plan.languages.natural.items() if language.relatives}


def _leaving(policy: PersonalData) -> dict[str, object]:
    if not policy.actions & set(_LEAVES):
        return {}
    return {"personal_data": [policy.action, policy.by_language, policy.by_source]}


def decide_phase(plan: Plan) -> Phase:
    """The phase that decides over every annotated shard."""
    recipe = plan.recipe
    rules = QualityRules(plan.languages, recipe.quality)
    configuration = {
        "version": VERSION,
        "languages": plan.wanted_languages,
        "keep_other": recipe.keep_other_languages,
        "relatives": _relatives(plan),
        "disagreement": recipe.language_identification.disagreement_score_min,
        "purity": recipe.language_identification.purity_min,
        "quality": rules.decision_configuration(),
        "drop_above": recipe.personal_data.drop_above,
        **_leaving(recipe.personal_data),
    }
    return Phase("decide", configuration, DecideWork(plan, rules))


def shard_task(place: str, shard: OutputFile, *, text: bool = True) -> Task:
    """The task of a phase on a shard, named like its file; `place` is the folder of the phase that wrote it.

    `text`: whether the work reads the texts; without them there is little to read.
    """
    size = shard.bytes if text else shard.documents * COLUMN_BYTES
    return Task(shard_name(shard), (shard.digest,), storage.join(place, shard.path), size)


def shard_name(shard: OutputFile) -> str:
    """The name of a work shard: its file name without the ending; the same in all phases."""
    return shard.path.removesuffix(".arrow")
