"""The fairness table: what each stage took from each language, against the mean, and who is flagged."""

import numpy as np
import pytest

from governance.figures import loss
from pipeline.report.fairness import by_language, fairness
from pipeline.report.tally import Tally

KINDS = {"sw": "natural", "xh": "natural", "en": "natural", "c": "programming"}
STAGES = ["ingest", "language", "quality", "deduplicate", "sample"]


def table(*fates, kinds=KINDS):
    tally = Tally()
    for code, stage, documents, size in fates:
        tally.add(("fate", code, "source", stage, "reason"), np.array([documents, size, 0], np.int64))
    return fairness(tally, kinds, STAGES)


FATES = (
    ("sw", "write", 95, 950), ("sw", "quality", 5, 50), ("en", "write", 100, 1000), ("xh", "write", 6, 60),
    ("xh", "quality", 291, 2910), ("c", "write", 1, 10), ("c", "quality", 1, 10),
)  # fmt: skip


def test_losses_are_shares_of_what_entered_beside_the_mean_of_languages():
    made = table(*FATES)
    assert made["languages"]["xh"]["documents"] == 297
    lost = made["languages"]["xh"]["stages"]["quality"]
    assert (lost["documents"], lost["bytes"]) == (291, 2910)
    assert lost["documents_share"] == pytest.approx(291 / 297)
    assert made["mean"]["natural"]["quality"]["documents_share"] == pytest.approx((0.05 + 291 / 297) / 3)
    assert made["mean"]["programming"]["quality"]["documents_share"] == 0.5


def test_a_language_far_above_the_mean_is_flagged_with_what_it_lost_of_what():
    (flag,) = table(*FATES)["flagged"]
    assert (flag["language"], flag["stage"], flag["documents"], flag["of_documents"]) == ("xh", "quality", 291, 297)


def test_ten_points_are_not_over_ten_points():
    assert table(("sw", "write", 80, 80), ("sw", "quality", 20, 20), ("xh", "write", 10, 10))["flagged"] == []


def test_bytes_alone_flag_too():
    made = table(("sw", "write", 99, 10), ("sw", "quality", 1, 990), ("xh", "write", 100, 1000))
    (flag,) = made["flagged"]
    assert flag["language"] == "sw"
    assert loss(flag) == "1.0 %, mean 0.50 %; of bytes 99.0 %, mean 49.5 %"


def test_copies_and_budgets_are_told_and_not_judged():
    made = table(("sw", "deduplicate", 90, 900), ("sw", "write", 10, 100), ("xh", "write", 100, 1000))
    assert made["flagged"] == []
    assert made["languages"]["sw"]["stages"]["deduplicate"]["documents_share"] == 0.9


def test_losses_of_a_language_add_up_to_what_did_not_stay():
    for code, entry in table(*FATES)["languages"].items():
        kept = sum(documents for fate, stage, documents, _ in FATES if fate == code and stage == "write")
        assert entry["documents"] - sum(lost["documents"] for lost in entry["stages"].values()) == kept


def test_nothing_entered_nothing_said():
    assert table() == {"stages": STAGES, "mean": {}, "languages": {}, "flagged": []}


def test_languages_are_counted_once_however_many_stages_took_too_much():
    flags = [{"language": code, "stage": stage} for code, stage in (("wo", "quality"), ("vi", "language"), ("wo", "x"))]

    assert by_language(flags) == {"wo": [flags[0], flags[2]], "vi": [flags[1]]}
