"""Why a document left, as columns: what was compared with what, or which document was kept instead; and their words.

Stages write columns only. `detail`, which people read, is worded from them where the ledger leaves us.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.text.columns import decode, encode, hex_ids
from pipeline.text.schema import COMPARED, DICTIONARY, KEPT_INSTEAD, LEDGER

TAKEDOWN = "takedown"
"""Stage, and reason, of documents that a takedown asked to leave out; see `pipeline.corpus.tombstones`."""
OPTED_OUT = "opted_out"
"""Reason of documents whose site does not consent to their use."""
LANGUAGE_MISMATCH = "language_mismatch"
FINDINGS = "findings"
"""The measure of personal data: pieces found."""
EPOCHS = "epochs"
"""The measure of sampling: how often a trainer sees a document of the language, on average."""

DECISION = pa.schema([("stage", DICTIONARY), ("reason", DICTIONARY), *COMPARED])
"""One row for every document of a shard, in its order; null throughout where the document survives."""


@dataclass(frozen=True)
class Verdict:
    """What a stage says of each row of a batch.

    reason     string; null where the row passes
    note       string; what the other columns do not say
    measure    string; what was measured, null where nothing was
    value      float64; how much
    threshold  float64; what it was compared with, null where any value is too much
    """

    stage: str
    reason: pa.StringArray
    note: pa.StringArray
    measure: pa.StringArray
    value: pa.DoubleArray
    threshold: pa.DoubleArray

    @classmethod
    def passed(cls, stage: str, rows: int) -> "Verdict":
        """All rows pass."""
        return cls(stage, *(pa.nulls(rows, kind) for kind in _KINDS.values()))

    def dropping(self, rows: pa.BooleanArray, reason: str | pa.StringArray, **compared: Any) -> "Verdict":
        """The same, but `rows` leave for `reason`; `compared` are columns, or one value for all."""
        if not rows.true_count:
            return self
        given = {"reason": reason, **compared}
        if "value" in given:
            given["value"] = _plain_numbers(given["value"])
        columns = {
            name: pc.if_else(rows, given.get(name, pa.scalar(None, kind)), getattr(self, name)).cast(kind)
            for name, kind in _KINDS.items()
        }
        return replace(self, **columns)

    @property
    def columns(self) -> list[pa.Array]:
        """Those of DECISION, as plain strings and numbers."""
        return [pc.if_else(pc.is_valid(self.reason), self.stage, None), *(getattr(self, name) for name in _KINDS)]


_KINDS = {
    "reason": pa.string(),
    "note": pa.string(),
    "measure": pa.string(),
    "value": pa.float64(),
    "threshold": pa.float64(),
}


def _plain_numbers(values: pa.Array) -> pa.DoubleArray:
    """Numbers as float64; of float32 the shortest that stand for them, so that 0.1 stays 0.1.

    What was above a threshold in float32 is above it still.
    """
    return (values.cast(pa.string()) if pa.types.is_float32(values.type) else values).cast(pa.float64())


def first_verdict(verdicts: Sequence[Verdict]) -> pa.RecordBatch:
    """The first stage that drops a row decides (schema DECISION)."""
    first, *rest = verdicts
    columns = first.columns
    for verdict in rest:
        takes = pc.and_(pc.is_null(columns[0]), pc.is_valid(verdict.reason))
        if takes.true_count:
            columns = [pc.if_else(takes, new, old) for new, old in zip(verdict.columns, columns, strict=True)]
    encoded = [
        encode(column) if field.type == DICTIONARY else column.cast(field.type)
        for column, field in zip(columns, DECISION, strict=True)
    ]
    return pa.RecordBatch.from_arrays(encoded, schema=DECISION)


def ledger_batch(rows: int, **columns: pa.Array) -> pa.RecordBatch:
    """Ledger rows (schema LEDGER) of some columns; the others are null."""
    return pa.RecordBatch.from_arrays(
        [columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in LEDGER],
        schema=LEDGER,
    )


def details(rows: pa.RecordBatch) -> pa.StringArray:
    """What there is to say of each row, in words; an empty string where there is nothing.

    Reads the columns of COMPARED and KEPT_INSTEAD, `reason`, `language` and `language_identified`.
    """
    columns = {name: decode(rows[name]) if _is_named(rows[name]) else rows[name] for name in _READ}
    said = pc.fill_null(columns["note"], "")
    for mask, words in (
        (pc.is_valid(columns["measure"]), _compared),
        (pc.equal(columns["measure"], EPOCHS), _sampled),
        (pc.equal(columns["reason"], LANGUAGE_MISMATCH), _denied),
        (pc.is_valid(columns["kept_id"]), _kept_instead),
    ):
        mask = pc.fill_null(mask, False)
        if mask.true_count:
            mine = {name: column.filter(mask) for name, column in columns.items()}
            said = pc.replace_with_mask(said, mask, words(mine))
    return said


_READ = ("reason", *COMPARED.names, *KEPT_INSTEAD.names, "language", "language_identified")
_Columns = dict[str, pa.Array]


def _is_named(column: pa.Array) -> bool:
    return bool(pa.types.is_dictionary(column.type))


def _compared(columns: _Columns) -> pa.StringArray:
    """`words 3 < 20`; with a note `NOTE; language_share 0.6 < 0.7`; of findings `3 findings > 2: NOTE`."""
    note, measure, value, threshold = (columns[name] for name in COMPARED.names)
    is_findings, number = pc.equal(measure, FINDINGS), _written(value, threshold)
    said = pc.if_else(is_findings, _joined(number, measure), _joined(measure, number))
    sign = pc.if_else(pc.less(value, threshold), "<", pc.if_else(pc.equal(value, threshold), "=", ">"))
    said = pc.coalesce(_joined(said, sign, _written(threshold, threshold)), said)
    noted = pc.if_else(is_findings, _joined(said, note, between=": "), _joined(note, said, between="; "))
    return pc.coalesce(noted, said)


def _sampled(columns: _Columns) -> pa.StringArray:
    """`0.5 epochs of sw`."""
    return _joined(_written(columns["value"], columns["threshold"]), "epochs of", columns["language"])


def _denied(columns: _Columns) -> pa.StringArray:
    """`declared sw, identified en with 0.93`: what identification gives to languages other than the declared one."""
    shares = pa.array([f"{1 - score:.2f}" for score in columns["value"].to_pylist()], pa.string())
    found = _joined("identified", columns["language_identified"], "with", shares)
    return _joined(_joined("declared", columns["language"]), found, between=", ")


def _kept_instead(columns: _Columns) -> pa.StringArray:
    """`kept ID of SOURCE, similarity 0.88`."""
    alike = [None if one is None else f"similarity {one:.2f}" for one in columns["similarity"].to_pylist()]
    said = _joined("kept", hex_ids(columns["kept_id"]), "of", columns["kept_source"])
    return pc.coalesce(_joined(said, pa.array(alike, pa.string()), between=", "), said)


def _joined(*parts: pa.Array | str, between: str = " ") -> pa.StringArray:
    """Parts as one string; null where one is."""
    return pc.binary_join_element_wise(*parts, between)


def _written(values: pa.DoubleArray, limits: pa.DoubleArray) -> pa.StringArray:
    # Four places, unless rounding would make the value look equal to its threshold.
    rounded = pc.round(values, 4)
    hides = pc.and_(pc.not_equal(values, limits), pc.equal(rounded, pc.round(limits, 4)))
    text = pc.if_else(pc.fill_null(hides, False), values, rounded).cast(pa.string())
    return pc.replace_substring_regex(text, r"\.0+$", "")


def outward_ids(ids: pa.Array) -> pa.StringArray:
    """Ids, binary(16), of which some are null, in hexadecimal digits."""
    return pc.if_else(pc.is_valid(ids), hex_ids(pc.fill_null(ids, bytes(16))), None)
