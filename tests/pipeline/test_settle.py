"""From columns to fates: the balance, and what the ledger says."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.models import PersonalData
from pipeline.decide import language_verdict, personal_data_verdict
from pipeline.reasons import Verdict, first_verdict
from pipeline.runtime.done import Done
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import Task, TaskFolder
from pipeline.sampling import LanguageSample
from pipeline.settle import ShardFiles, count_phase, fates, histograms_of, settle_phase, sum_histograms
from pipeline.text.columns import encode, hex_ids
from pipeline.write import ledger_outward


def annotated(rows: int) -> pa.RecordBatch:
    texts = [f"document {row} " * (row % 7 + 1) for row in range(rows)]
    return pa.record_batch(
        {
            "id": pa.array([row.to_bytes(16, "big") for row in range(rows)], pa.binary(16)),
            "text": pa.array(texts, pa.large_string()),
            "source": encode(["one"] * rows),
            "language": encode(["sw" if row % 3 else "en" for row in range(rows)]),
            "uri": pa.array([f"file!{row}" for row in range(rows)]),
            "key": pa.array([f"file!{row}" for row in range(rows)]),
            "language_declared": encode(["sw"] * rows),
            "language_identified": encode(["sw" if row % 3 else "en" for row in range(rows)]),
            "language_score": pa.array([None if row % 2 else 0.9 for row in range(rows)], pa.float32()),
            "bytes_in": pa.array([len(text) + 1 for text in texts], pa.int64()),
            "bytes": pa.array([len(text) for text in texts], pa.int64()),
        }
    )


def write(path: Path, batches: list[pa.RecordBatch]) -> str:
    with pa.ipc.new_stream(str(path), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return str(path)


def shard(folder: Path, rows: int = 20, cuts: int = 7) -> ShardFiles:
    """A shard of which every fifth document fails a filter and every fourth is a duplicate."""
    batch = annotated(rows)
    fifth = pa.array([row % 5 == 0 for row in range(rows)])
    few = {"measure": "words", "value": pa.array([3] * rows), "threshold": 20}
    verdict = Verdict.passed("quality", rows).dropping(fifth, "words_min", **few)
    duplicate = pa.record_batch(
        {
            "reason": pa.array(["near_duplicate" if row % 4 == 0 else None for row in range(rows)], pa.string()),
            "kept_id": pa.array([bytes(15) + b"\1" if row % 4 == 0 else None for row in range(rows)], pa.binary(16)),
            "kept_source": pa.array(["two" if row % 4 == 0 else None for row in range(rows)], pa.string()),
            "similarity": pa.array([0.876 if row % 4 == 0 else None for row in range(rows)], pa.float32()),
            "cluster_size": pa.array([1] * rows, pa.int32()),
            "bytes_cut": pa.array([0] * rows, pa.int64()),
        }
    )
    pieces = [batch.slice(start, cuts) for start in range(0, rows, cuts)]
    return ShardFiles(
        write(folder / "annotated.arrow", pieces),
        write(folder / "decided.arrow", [first_verdict([verdict])]),
        write(folder / "deduplicated.arrow", [duplicate]),
    )


def settle(folder: Path, files: ShardFiles, samples: dict[str, LanguageSample]) -> tuple[Any, pa.Table]:
    phase = settle_phase(samples, 0)
    record = phase.run(Engine(), str(folder), [Task("shard", ("digest",), files)])[0]
    with pa.ipc.open_stream(str(folder / "settle" / "files" / "shard.ledger.arrow")) as reader:
        return record, pa.Table.from_batches([ledger_outward(batch) for batch in reader])


ALL = {code: LanguageSample(1, 1, 1.0, 1, 0) for code in ("en", "sw")}


def test_the_first_stage_that_drops_a_document_is_the_one_named(tmp_path: Path) -> None:
    _, ledger = settle(tmp_path, shard(tmp_path), ALL)
    rows = ledger.to_pylist()
    assert [rows[row]["stage"] for row in (0, 1, 4, 5)] == ["quality", "write", "deduplicate", "quality"]
    assert rows[4]["detail"] == "kept " + "00" * 15 + "01 of two, similarity 0.88"
    assert (rows[4]["kept_id"], rows[4]["kept_source"]) == ("00" * 15 + "01", "two")
    assert rows[4]["similarity"] == pytest.approx(0.876)
    assert rows[5]["detail"] == "words 3 < 20"
    assert (rows[5]["measure"], rows[5]["value"], rows[5]["threshold"]) == ("words", 3.0, 20.0)


def test_columns_that_say_why_are_null_where_a_document_is_kept(tmp_path: Path) -> None:
    _, ledger = settle(tmp_path, shard(tmp_path), ALL)
    why = ("measure", "value", "threshold", "kept_id", "kept_source", "similarity")
    kept = [row for row in ledger.to_pylist() if row["decision"] == "kept"]
    assert kept and all(row[name] is None for row in kept for name in why)


def test_the_ledger_says_what_was_declared_and_what_identified(tmp_path: Path) -> None:
    _, ledger = settle(tmp_path, shard(tmp_path), ALL)
    rows = ledger.to_pylist()
    assert [rows[row]["language_declared"] for row in (0, 1, 2)] == ["sw", "sw", "sw"]
    assert [rows[row]["language_identified"] for row in (0, 1, 2)] == ["en", None, "sw"]


@pytest.mark.parametrize("cuts", [1, 3, 20])
def test_how_batches_are_cut_does_not_matter(tmp_path: Path, cuts: int) -> None:
    files = shard(tmp_path, cuts=cuts)
    rows = [row for batch, _ in fates(files) for row in batch.select(["id", "stage", "reason"]).to_pylist()]
    assert [row["reason"] for row in rows[:6]] == ["words_min", None, None, None, "near_duplicate", "words_min"]


def test_every_document_has_one_ledger_row_and_bytes_balance(tmp_path: Path) -> None:
    files = shard(tmp_path)
    record, ledger = settle(tmp_path, files, ALL)
    batch = annotated(20)
    assert ledger["id"].to_pylist() == hex_ids(batch["id"]).to_pylist()
    assert sum(ledger["bytes"].to_pylist()) == sum(batch["bytes_in"].to_pylist())
    assert sum(entry[4] for entry in record.data["counts"]) == 20


def test_a_document_not_sampled_says_so(tmp_path: Path) -> None:
    none = {code: LanguageSample(1, 0, 0.25, 0, 0) for code in ("en", "sw")}
    _, ledger = settle(tmp_path, shard(tmp_path), none)
    row = ledger.to_pylist()[1]
    assert (row["decision"], row["stage"], row["reason"]) == ("dropped", "sample", "not_sampled")
    assert (row["detail"], row["measure"], row["value"]) == (f"0.25 epochs of {row['language']}", "epochs", 0.25)


def test_counting_sees_only_what_is_still_in(tmp_path: Path) -> None:
    files = shard(tmp_path)
    record = count_phase(0).run(Engine(), str(tmp_path), [Task("shard", ("digest",), files)])
    sums = histograms_of(sum_histograms(Done(str(tmp_path)), record))
    batch = annotated(20)
    still = [row for row in range(20) if row % 5 and row % 4]
    assert sum(int(histogram.sum()) for histogram in sums.values()) == sum(batch["bytes"].to_pylist()[r] for r in still)


def identified(declared: str, found: str, score: float | None, share: float = 1.0) -> pa.RecordBatch:
    """A document as `annotate` leaves it; `score` is the identifier's for `found`."""
    own = score if declared == found or score is None else 1.0 - score
    return pa.record_batch(
        {
            "language": encode([declared]),
            "language_declared": encode([declared]),
            "language_identified": encode([found]),
            "language_score": pa.array([own], pa.float32()),
            "language_share": pa.array([share], pa.float32()),
            "languages": [f"{found} {share}"],
        }
    )


@pytest.mark.parametrize(
    ("declared", "found", "score", "reason"),
    [
        ("sw", "sw", 0.9, None),
        ("sw", "en", 0.95, "language_mismatch"),
        ("sw", "en", 0.5, None),
        ("ki", "ki", None, None),
        ("de", "de", 0.99, "language_other"),
        ("python", "python", None, None),
    ],
)
def test_language_decisions(declared: str, found: str, score: float | None, reason: str | None) -> None:
    wanted = frozenset(["sw", "en", "ki", "python"])
    assert language_verdict(identified(declared, found, score), wanted, 0.8, False).reason.to_pylist() == [reason]


def test_a_recipe_can_ask_for_purity() -> None:
    mixed = identified("sw", "sw", 0.6, share=0.6)
    assert language_verdict(mixed, frozenset(["sw"]), 0.8, False).reason.to_pylist() == [None]
    verdict = language_verdict(mixed, frozenset(["sw"]), 0.8, False, purity_min=0.7)
    assert verdict.reason.to_pylist() == ["language_mixed"]
    assert (verdict.measure[0].as_py(), verdict.value[0].as_py(), verdict.threshold[0].as_py(),
            verdict.note[0].as_py()) == ("language_share", 0.6, 0.7, "sw 0.6")  # fmt: skip


def test_a_denied_language_keeps_the_score_that_denied_it() -> None:
    verdict = language_verdict(identified("sw", "en", 0.95), frozenset(["sw", "en"]), 0.8, False)
    assert verdict.measure[0].as_py() == "language_score"
    assert verdict.value[0].as_py() == pytest.approx(0.05)
    assert verdict.value[0].as_py() < verdict.threshold[0].as_py() == 0.2


def test_other_languages_stay_where_the_recipe_wants_them() -> None:
    assert language_verdict(identified("de", "de", 0.9), frozenset(["sw"]), 0.8, True).reason.to_pylist() == [None]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1), st.integers(0, 20))
def test_findings_are_added_over_kinds(counts: list[tuple[int, int]], limit: int) -> None:
    batch = pa.record_batch({f"pii_{k}": pa.array([row[k] for row in counts], pa.int32()) for k in (0, 1)})
    dropped = [
        reason is not None for reason in personal_data_verdict(batch, PersonalData(drop_above=limit)).reason.to_pylist()
    ]
    assert dropped == [sum(row) > limit for row in counts]


def test_a_task_folder_names_files_by_task(tmp_path: Path) -> None:
    folder = TaskFolder(str(tmp_path), "sw/shard-0")
    with folder.binary(".bin") as stream:
        stream.write(b"x")
    assert (tmp_path / "sw" / "shard-0.bin").read_bytes() == b"x"


@pytest.mark.parametrize(("found", "reason"), [("zu", None), ("en", "language_mismatch")])
def test_the_name_of_a_relative_denies_no_declared_language(found, reason):
    verdict = language_verdict(identified("xh", found, 0.99), frozenset(["xh"]), 0.8, False, {"xh": ("zu", "ss")})
    assert verdict.reason.to_pylist() == [reason]
