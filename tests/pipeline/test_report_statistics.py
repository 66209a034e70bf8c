"""Statistics of a finished corpus: they add up to the ledger, whatever the order of counting."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow.dataset as ds
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.phase import tallies, tally_phase, tally_tasks
from pipeline.report.statistics import assemble, collect, corpus_files
from pipeline.report.tally import BINS, Bins, merge, tally_file
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import OutputFile, Record
from tests.pipeline.small_corpus import SmallCorpus, plausible


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallCorpus, dict[str, Any], dict[str, Any]]:
    """A corpus, its manifest and its statistics."""
    corpus = plausible(tmp_path_factory.mktemp("corpus"))
    manifest = corpus.write()
    return corpus, manifest, collect(str(corpus.folder), corpus.plan, manifest, {}, corpus.examples)


def _ledger(corpus: SmallCorpus) -> list[dict[str, Any]]:
    return ds.dataset(corpus.folder / "ledger").to_table().to_pylist()


def test_totals_equal_the_ledgers(built):
    corpus, _, statistics = built
    rows = _ledger(corpus)
    assert statistics["entered"] == {"documents": len(rows), "bytes": sum(row["bytes"] for row in rows)}
    kept = [row for row in rows if row["decision"] == "kept"]
    assert statistics["documents"] == len(kept)
    assert statistics["bytes"] == sum(row["bytes_kept"] for row in kept)


def test_each_language_entered_is_kept_plus_dropped(built):
    corpus, _, statistics = built
    rows = _ledger(corpus)
    for code, entry in statistics["languages"].items():
        mine = [row for row in rows if row["language"] == code]
        assert entry["entered"]["documents"] == len(mine)
        assert entry["documents"] + sum(drop["documents"] for drop in entry["dropped"]) == len(mine)
        assert sum(drop["bytes"] for drop in entry["dropped"]) == sum(
            row["bytes"] for row in mine if row["decision"] == "dropped"
        )


def test_each_source_entered_is_kept_plus_dropped(built):
    corpus, _, statistics = built
    for name, entry in statistics["sources"].items():
        mine = [row for row in _ledger(corpus) if row["source"] == name]
        assert entry["documents"] + sum(drop["documents"] for drop in entry["dropped"]) == len(mine)


def test_languages_and_others_make_up_all_that_entered(built):
    statistics = built[2]
    parts = [entry["entered"] for entry in statistics["languages"].values()]
    parts += statistics["other_languages"].values()
    assert sum(part["documents"] for part in parts) == statistics["entered"]["documents"]
    assert list(statistics["other_languages"]) == ["de"]


def test_personal_data_equals_the_columns(built):
    corpus, _, statistics = built
    assert statistics["personal_data"]["EMAIL"] == {
        "findings": sum(row["pii_email"] for row in corpus.kept),
        "documents": sum(row["pii_email"] > 0 for row in corpus.kept),
    }


def test_histograms_count_each_kept_document_once(built):
    for entry in built[2]["languages"].values():
        if entry["documents"]:
            assert sum(entry["histograms"]["bytes"]["counts"]) == entry["documents"]


def test_thresholds_are_those_of_the_language_and_its_overrides(tmp_path):
    corpus = plausible(tmp_path, ("en", "sw", "python"))
    corpus.recipe = {"quality": {"overrides": {"default": {"words_min": 3}, "en": {"words_min": 7}}}}
    statistics = corpus.report()
    words = {code: statistics["languages"][code]["histograms"]["words"]["min"] for code in ("en", "sw")}
    assert words == {"en": 7, "sw": 3}
    assert statistics["languages"]["python"]["histograms"]["characters"]["max"] == 200_000


def test_mismatches_name_both_languages(built):
    pairs = {(pair["declared"], pair["identified"]) for pair in built[2]["mismatches"]}
    assert pairs and pairs <= {(code, "de") for code in built[2]["languages"]}


def test_a_wanted_language_without_text_is_said_openly(built):
    statistics = built[2]
    assert statistics["missing"] == ["wo"]
    assert statistics["languages"]["wo"]["documents"] == 0


def test_shares_sum_to_one(built):
    entries = built[2]["languages"].values()
    assert sum(entry["share"] for entry in entries) == pytest.approx(1)
    assert sum(entry["target_share"] or 0 for entry in entries) == pytest.approx(1)


def test_epochs_weigh_the_bytes(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw",))
    corpus.keep("sw", "abcd", epochs=3)
    corpus.keep("sw", "ab", epochs=1)
    statistics = corpus.report()
    assert (statistics["bytes"], statistics["bytes_weighted"]) == (6, 14)


def test_clusters_are_counted_by_size_and_the_largest_named(tmp_path):
    corpus = SmallCorpus(tmp_path, ("sw",))
    for size in (1, None, 2, 3, 9):
        corpus.keep("sw", f"text {size}", cluster_size=size)
    duplicates = corpus.report()["duplicates"]
    assert duplicates["clusters"] == [{"from": 2, "to": 3, "clusters": 2}, {"from": 8, "to": 15, "clusters": 1}]
    assert [cluster["size"] for cluster in duplicates["largest"]] == [9, 3, 2]


def test_order_of_files_does_not_matter(built):
    corpus, manifest, statistics = built
    files = corpus_files(str(corpus.folder), manifest)
    tallies = [tally_file(str(corpus.folder), path) for path in reversed(files)]
    halves = merge([merge(tallies[:3]), merge(tallies[3:])])
    again = assemble(halves, corpus.plan, manifest, {}, corpus.examples)
    assert json.dumps(again) == json.dumps(statistics)


def test_beam_maps_and_combines_to_the_same(built):
    corpus, manifest, statistics = built
    output, plan, examples = str(corpus.folder), corpus.plan, corpus.examples

    def same(found: list[Any]) -> None:
        assert json.dumps(assemble(found[0], plan, manifest, {}, examples)) == json.dumps(statistics)

    with beam.Pipeline() as pipeline:
        tally = (
            pipeline
            | beam.Create(corpus_files(output, manifest))
            | beam.Map(lambda path: tally_file(output, path))
            | beam.CombineGlobally(merge)
        )
        assert_that(tally, same)


def test_a_phase_counts_the_same_and_goes_on_from_its_records(built, tmp_path):
    corpus, manifest, statistics = built
    output = str(corpus.folder)

    def record(path: str) -> Record:
        file = OutputFile(path.split("/", 1)[1], digest="0", documents=0, bytes=0)
        return Record(path, "0", (file,), {})

    paths = corpus_files(output, manifest)
    finished = {name: [record(path) for path in paths if path.startswith(name)] for name in ("data", "ledger")}
    tasks = tally_tasks(finished)
    assert [path for task in tasks for path in task.payload] == paths
    phase = tally_phase(output)
    for _ in range(2):
        counted = tallies(phase.files(str(tmp_path)), phase.run(Engine(), str(tmp_path), tasks))
        again = collect(output, corpus.plan, manifest, {}, corpus.examples, counted)
        assert json.dumps(again, sort_keys=True) == json.dumps(statistics, sort_keys=True)


def test_memory_file_systems_are_read_too(built):
    import fsspec

    corpus, manifest, statistics = built
    memory = fsspec.filesystem("memory")
    memory.put(str(corpus.folder), "/small", recursive=True)
    again = collect("memory://small", corpus.plan, manifest, {}, corpus.examples)
    assert json.dumps(again) == json.dumps(statistics)


@given(st.lists(st.floats(0.001, 1e7), max_size=50), st.sampled_from(sorted(BINS)))
def test_bins_equal_numpys_histogram(values, name):
    bins = BINS[name]
    inside = np.clip(np.array(values), bins.low, bins.high)
    expected, _ = np.histogram(inside, bins.edges)
    assert bins.counted(inside).tolist() == expected.tolist()


def test_bins_are_increasing():
    for bins in (*BINS.values(), Bins(1, 8, 3, log=True)):
        assert all(left < right for left, right in pairwise(bins.edges))


def test_a_finished_build_is_counted_whole(tiny: tuple[Path, dict[str, Any]]):
    output, manifest = tiny
    statistics = json.loads((output / "statistics.json").read_text("utf-8"))
    assert statistics["entered"]["documents"] == manifest["stages"][0]["documents_in"]
    assert statistics["documents"] == sum(entry["documents"] for entry in manifest["languages"].values())
    assert {drop["reason"]: drop["documents"] for drop in statistics["drops"]} == {
        drop["reason"]: drop["documents"] for drop in manifest["drops"] if drop["documents"]
    }
