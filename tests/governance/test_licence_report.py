"""Licences in figures, and what the file of attributions says."""

import pytest

from governance.licence_report import attribution, licence_rows, licence_statistics, obligations
from tests.pipeline.small_corpus import HOSTILE, SmallCorpus

COUNTED = [
    ["MIT", "GPL-3.0-only", "GPL-3.0-only", "licence_conflict!", 2, 20],
    ["MIT", "", "MIT", "admitted", 5, 50],
    ["MIT", "", "MIT", "admitted", 1, 10],
    ["GPL-2.0-only", "MIT", "MIT", "admitted!", 1, 10],
]


def test_counts_of_tasks_add_up_and_conflicts_are_told():
    rows = licence_rows(COUNTED)
    assert [(row["documents"], row["reason"], row["conflict"]) for row in rows] == [
        (6, "admitted", False), (2, "licence_conflict", True), (1, "admitted", True),
    ]  # fmt: skip
    found = licence_statistics(rows, {"MIT": {"documents": 4, "bytes": 40}})
    assert found["by_licence"] == {
        "MIT": {"entered": 7, "admitted": 7, "kept": 4, "bytes": 40},
        "GPL-3.0-only": {"entered": 2, "admitted": 0, "kept": 0, "bytes": 0},
    }
    assert found["reasons"] == {"licence_conflict": 2} and len(found["conflicts"]) == 2


@pytest.mark.parametrize(
    ("licence", "asked"),
    [
        ("CC0-1.0", ""),
        ("CC0-1.0 OR Apache-2.0", ""),
        ("MIT", "keep the copyright notice, pass on the licence's text"),
        ("CC-BY-4.0", "credit the authors"),
        ("CC-BY-SA-4.0", "credit the authors, pass changed works on under the same licence"),
    ],
)
def test_what_licences_ask(licence, asked):
    assert obligations(licence) == asked


def test_attribution_names_works_and_whom_to_credit_and_shows_hostile_names_as_text(tmp_path):
    corpus = SmallCorpus(tmp_path)
    plan = corpus.plan
    source = plan.sources[0].model_copy(update={"title": HOSTILE, "custodian": "Somebody"})
    plan = plan.__class__(plan.recipe, plan.languages, (source,))
    statistics = {
        "title": "T", "digest": "d", "sources": {"good": {"licences": {"MIT": {"documents": 3, "bytes": 9}}}}
    }  # fmt: skip
    page = attribution(statistics, {"packages": [{"source": "good", "package": "rich", "version": "15"}]}, plan)
    assert "## MIT" in page and "Somebody" in page and "rich 15" in page and "<script>" not in page
