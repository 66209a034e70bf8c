"""The whole build, on committed real text."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from configs.load import Plan, load_languages, load_recipe
from pipeline.build import STAGES, build_corpus
from pipeline.ledger import look_up
from pipeline.runtime.engine import Engine

Built = tuple[Path, dict[str, Any]]
ONE_OF_EACH_SCRIPT = ["sw", "ar", "bn", "gu", "hi", "kn", "ml", "or", "pa", "ta", "te", "zh-Hans", "zh-Hant", "python"]


def build(output: Path, engine: Engine | None = None, plan: Plan | None = None) -> dict[str, Any]:
    plan = plan or load_recipe("tiny")
    return build_corpus(plan, str(output), engine=engine or Engine(), cache=str(output.parent / "cache"))


@pytest.mark.parametrize("language", ONE_OF_EACH_SCRIPT)
def test_datasets_opens_each_language(tiny: Built, language: str, tmp_path: Path) -> None:
    rows = datasets.load_dataset(str(tiny[0]), language, split="train", cache_dir=str(tmp_path))
    assert len(rows) == tiny[1]["languages"][language]["documents"]
    assert all(row["text"].strip() for row in rows)


def test_every_language_that_has_text_is_there(tiny: Built) -> None:
    missing = set(load_languages().codes) - set(tiny[1]["languages"])
    assert missing <= {"ki", "tum"}


def test_the_ledger_balances_by_stage_source_and_language(tiny: Built) -> None:
    output, manifest = tiny
    ledger = ds.dataset(output / "ledger", format="parquet").to_table().to_pylist()
    assert len(ledger) == manifest["stages"][0]["documents_in"]
    assert sum(row["bytes"] for row in ledger) == manifest["stages"][0]["bytes_in"]
    kept = {row["id"] for row in ledger if row["decision"] == "kept"}
    written = {
        row
        for shard in (output / "data").rglob("*.arrow")
        for row in pa.ipc.open_file(shard).read_all()["id"].to_pylist()
    }
    assert kept == written
    for stage in manifest["stages"]:
        dropped = [row for row in ledger if row["stage"] == stage["stage"]]
        assert len(dropped) == stage["documents_dropped"] == stage["documents_in"] - stage["documents_kept"]
        assert sum(row["bytes"] for row in dropped) == stage["bytes_dropped"]


def test_kept_bytes_in_the_ledger_are_those_of_the_texts(tiny: Built) -> None:
    output, manifest = tiny
    ledger = ds.dataset(output / "ledger", format="parquet").to_table(filter=ds.field("decision") == "kept")
    texts = sum(
        pc.sum(pc.binary_length(pa.ipc.open_file(shard).read_all()["text"])).as_py()
        for shard in (output / "data").rglob("*.arrow")
    )
    assert pc.sum(ledger["bytes_kept"]).as_py() == texts == sum(x["bytes"] for x in manifest["languages"].values())


def test_every_stage_has_something_to_drop(tiny: Built) -> None:
    dropped = {stage["stage"]: stage["documents_dropped"] for stage in tiny[1]["stages"]}
    assert set(dropped) == set(STAGES)
    assert all(dropped[stage] for stage in ("licence", "language", "quality", "deduplicate"))


def test_no_copyleft_code_enters_and_permissive_code_does(tiny: Built) -> None:
    """ROOTS' gate had it upside down: it kept only what it meant to drop."""
    code = load_languages().programming
    licences = {
        licence
        for shard in (tiny[0] / "data").rglob("*.arrow")
        if shard.parent.name in code
        for licence in pa.ipc.open_file(shard).read_all()["licence"].cast(pa.string()).to_pylist()
    }
    assert licences and not any("GPL" in licence for licence in licences)


def test_why_finds_a_document_and_the_one_kept_instead(tiny: Built) -> None:
    ledger = ds.dataset(tiny[0] / "ledger", format="parquet")
    row = (
        ledger.to_table(filter=ds.field("reason").isin(["exact_duplicate", "near_duplicate"]))
        .slice(0, 1)
        .to_pylist()[0]
    )
    found = look_up(str(tiny[0]), row["id"])
    assert [entry["reason"] for entry in found] == [row["reason"]]
    kept = look_up(str(tiny[0]), found[0]["kept_id"])
    assert kept[0]["decision"] == "kept"


def test_thresholds_are_columns_that_a_query_compares(tiny: Built) -> None:
    ledger = ds.dataset(tiny[0] / "ledger", format="parquet")
    below, above = ds.field("value") < ds.field("threshold"), ds.field("value") > ds.field("threshold")
    reasons = {side: ledger.to_table(filter=rows)["reason"].to_pylist() for side, rows in (("<", below), (">", above))}
    assert set(reasons["<"]) >= {"letter_order_min", "language_mismatch"}
    assert all(reason.endswith("_max") for reason in reasons[">"]) and reasons[">"]
    drops = {drop["reason"]: drop["documents"] for drop in tiny[1]["drops"]}
    assert reasons["<"].count("letter_order_min") == drops["letter_order_min"]


def test_each_duplicate_names_a_document_of_the_ledger(tiny: Built) -> None:
    rows = ds.dataset(tiny[0] / "ledger", format="parquet").to_table().to_pylist()
    kept = {row["id"]: row["source"] for row in rows if row["decision"] == "kept"}
    copies = [row for row in rows if row["kept_id"]]
    assert {row["reason"] for row in copies} == {"exact_duplicate", "near_duplicate"}
    assert all(kept[row["kept_id"]] == row["kept_source"] for row in copies)
    assert all((row["similarity"] is None) == (row["reason"] == "exact_duplicate") for row in copies)


def test_a_second_build_does_nothing_and_has_the_same_digest(tiny: Built) -> None:
    output, manifest = tiny
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.arrow")}
    assert build(output)["digest"] == manifest["digest"]
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.arrow")} == before


def test_two_worker_processes_give_the_same_bytes(tiny: Built, tmp_path: Path) -> None:
    engine = Engine(
        options=("--direct_num_workers=2", "--direct_running_mode=multi_processing"), log=str(tmp_path / "log")
    )
    assert build(tmp_path / "corpus", engine)["digest"] == tiny[1]["digest"]


def test_the_portable_job_service_gives_the_same_bytes(tiny: Built, tmp_path: Path) -> None:
    from apache_beam.runners.portability.local_job_service import LocalJobServicer

    server = LocalJobServicer(str(tmp_path / "staging"))
    port = server.start_grpc_server()
    try:
        options = ("--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK")
        assert build(tmp_path / "corpus", Engine(options=options))["digest"] == tiny[1]["digest"]
    finally:
        server.stop()


def test_dask_gives_the_same_bytes(tiny: Built, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        options = (
            "--runner=DaskRunner",
            f"--dask_client_address={cluster.scheduler_address}",
        )
        assert build(tmp_path / "corpus", Engine(options=options))["digest"] == tiny[1]["digest"]


def test_the_order_of_sources_changes_no_document(tiny: Built, tmp_path: Path) -> None:
    plan = load_recipe("tiny")
    turned = Plan(plan.recipe, plan.languages, plan.sources[::-1])
    manifest = build(tmp_path / "corpus", plan=turned)
    assert {c: x["documents"] for c, x in manifest["languages"].items()} == {
        c: x["documents"] for c, x in tiny[1]["languages"].items()
    }


def test_a_changed_threshold_redoes_only_what_depends_on_it(tmp_path: Path) -> None:
    output = tmp_path / "corpus"
    build(output)
    before = {path: path.stat().st_mtime_ns for path in (output / ".work").rglob("files/*.arrow")}
    plan = load_recipe("tiny")
    quality = plan.recipe.quality.model_copy(update={"overrides": {"sw": {"words_min": 10_000}}})
    stricter = Plan(plan.recipe.model_copy(update={"quality": quality}), plan.languages, plan.sources)
    manifest = build(output, plan=stricter)
    assert "sw" not in manifest["languages"]
    changed = {path.parts[-3] for path, when in before.items() if path.exists() and path.stat().st_mtime_ns != when}
    assert not changed & {"ingest", "annotate"}
    assert "decide" in changed


def test_clean_leaves_no_text_from_before_redaction(tiny: Built, tmp_path: Path) -> None:
    output = tmp_path / "corpus"
    manifest = build_corpus(load_recipe("tiny"), str(output), engine=Engine(), cache=str(tmp_path), clean=True)
    assert manifest["digest"] == tiny[1]["digest"]
    assert not (output / ".work").exists() and (output / ".lock").read_text() == ""


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_killed_at_any_moment_it_goes_on_to_the_same_digest(tiny: Built, tmp_path: Path, seed: int) -> None:
    output = tmp_path / "corpus"
    moments = random.Random(seed)
    command = [
        sys.executable,
        "-m",
        "openroots.cli",
        "build-corpus",
        "--recipe",
        "tiny",
        "--output",
        str(output),
        "--quiet",
    ]
    for _ in range(3):
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(2.0, 9.0))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, check=True).returncode == 0
    assert json.loads((output / "manifest.json").read_text())["digest"] == tiny[1]["digest"]
    assert not list(output.rglob("*.tmp"))
