"""Builds over stores that fail: nothing is lost, nothing is left half done, and little is asked for twice."""

import json
import uuid
from pathlib import Path

import pytest

from configs.errors import InputError, StorageError
from pipeline.runtime import recall, storage, stores
from pipeline.runtime.engine import Engine
from tests.faulty_store import AWAY, FaultyStore, faults
from tests.small_build import build, write_inputs

REQUESTS_MAX = 330
"""Of the small build with nothing to resume, over its two languages."""
REQUESTS_AGAIN_MAX = 50


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(stores, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(stores, "_LONGEST_WAIT", 0.01)
    monkeypatch.setattr("pipeline.readers.streams._WAITS", (0.01,))


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> tuple[Path, str]:
    """A recipe of local files, and the digest of its corpus on a local disk."""
    folder = tmp_path_factory.mktemp("local")
    recipe = write_inputs(folder)
    return recipe, build(recipe, folder / "out")["digest"]


@pytest.fixture
def remote(local, tmp_path) -> tuple[Path, str]:
    """A recipe of the same files in a store, and a folder there."""
    bucket = f"faulty://{uuid.uuid4().hex}"
    for path in sorted((local[0].parent / "in").iterdir()):
        storage.write_text(f"{bucket}/in/{path.name}", path.read_text())
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(local[0].read_text().replace(f"{local[0].parent}/in", f"{bucket}/in"))
    return recipe, bucket


def run(recipe: Path, output: str, **options) -> str:
    return str(build(recipe, output, Engine(), **options)["digest"])  # type: ignore[arg-type]


@pytest.mark.slow
def test_calls_that_fail_now_and_then_change_nothing(local, remote):
    recipe, bucket = remote
    count = 0

    def every_fifth(*_):
        nonlocal count
        count += 1
        return AWAY if count % 5 == 0 else None

    with faults(every_fifth):
        assert run(recipe, f"{bucket}/out") == local[1]


def test_a_store_that_stays_away_ends_the_build_and_the_next_one_loses_nothing(local, remote, monkeypatch):
    recipe, bucket = remote
    monkeypatch.setenv("OPENROOTS_STORE_PATIENCE", "0.02")
    away = faults(lambda kind, path: AWAY if kind == "get" and path.endswith("/in/1.jsonl") else None)
    with away, pytest.raises(StorageError, match=r"in/1\.jsonl: the store does not answer"):
        run(recipe, f"{bucket}/out")
    assert "manifest.json" not in storage.names_in(f"{bucket}/out")
    assert not storage.exists(f"{bucket}/out/lock.json")
    assert run(recipe, f"{bucket}/out") == local[1]
    assert storage.read_json(f"{bucket}/out/manifest.json")["problems"] == []


@pytest.mark.slow
def test_an_input_that_is_gone_or_refused_is_never_a_row_of_the_ledger(local, remote):
    recipe, bucket = remote
    for error in (FileNotFoundError("gone"), PermissionError("Access Denied")):
        gone = faults(lambda kind, path, error=error: error if kind == "get" and path.endswith("2.jsonl") else None)
        with gone, pytest.raises(StorageError, match=r"2\.jsonl"):
            run(recipe, f"{bucket}/out")
    assert run(recipe, f"{bucket}/out") == local[1]


def test_a_build_that_ends_in_an_error_commits_no_half_file(local, remote):
    recipe, bucket = remote
    path = f"{bucket}/in/2.jsonl"
    storage.write_text(path, storage.read_bytes(path).decode() + "{\n")
    with pytest.raises(InputError):
        run(recipe, f"{bucket}/out", strict=True)
    files = storage.list_files(f"{bucket}/out")
    assert not [name for name in files if name.startswith(".work/ingest/files/")]
    assert "lock.json" not in files


@pytest.mark.slow
def test_objects_of_others_stay(local, remote):
    recipe, bucket = remote
    assert run(recipe, f"{bucket}/out") == local[1]
    theirs = ("data/en/notes.txt", "ledger/old.parquet", "index/x", "data/theirs/shard-0.bin", "other/lock.json")
    for name in theirs:
        storage.write_text(f"{bucket}/out/{name}", name)
    recipe.write_text(
        recipe.read_text().replace("seed = ", "seed = ").replace('title = "Small"', 'title = "Small"\nseed = 7')
    )
    run(recipe, f"{bucket}/out")
    assert {name: storage.read_bytes(f"{bucket}/out/{name}").decode() for name in theirs} == {n: n for n in theirs}


@pytest.mark.slow
def test_signs_of_patterns_in_the_output_harm_no_other_build(local, remote):
    recipe, bucket = remote
    storage.write_text(f"{bucket}/x/lock.json", json.dumps({"owner": "another"}))
    assert run(recipe, f"{bucket}/[x]*") == local[1]
    assert storage.exists(f"{bucket}/x/lock.json")


def test_large_shards_are_read_by_language_and_without_texts_where_none_is_asked_for(local, remote, monkeypatch):
    recipe, bucket = remote
    monkeypatch.setattr(stores, "BLOCK", 3000)
    monkeypatch.setattr(recall, "ENTRY_BYTES", 3000)
    monkeypatch.setattr(recall, "DISK_BYTES", 0)  # as on a cluster, where another machine has written it
    asked: list[str] = []
    with faults(lambda kind, path: asked.append(path) if kind == "get" else None):
        assert run(recipe, f"{bucket}/out") == local[1]
    assert [path for path in asked if path.endswith(".rows.arrow")]


def test_what_is_known_is_not_asked_for(local, remote):
    recipe, bucket = remote
    FaultyStore.requests.clear()
    assert run(recipe, f"{bucket}/out") == local[1]
    assert sum(FaultyStore.requests.values()) <= REQUESTS_MAX, FaultyStore.requests
    FaultyStore.requests.clear()
    assert run(recipe, f"{bucket}/out") == local[1]
    assert sum(FaultyStore.requests.values()) <= REQUESTS_AGAIN_MAX, FaultyStore.requests
    damaged = next(name for name in storage.list_files(f"{bucket}/out") if name.endswith(".arrow") and "data/" in name)
    storage.remove(f"{bucket}/out", [damaged])
    assert run(recipe, f"{bucket}/out") == local[1]
    assert storage.exists(f"{bucket}/out/{damaged}")
