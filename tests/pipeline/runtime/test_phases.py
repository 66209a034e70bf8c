"""Restartable phases, on the real DirectRunner."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import xxhash

from configs.errors import InputError, OutputError
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.flow import Link, ShardStep, run_steps
from pipeline.runtime.phases import Phase, Task, TaskFolder

SCHEMA = pa.schema([("value", pa.int64())])


def double(task: Task, folder: TaskFolder) -> None:
    with folder.arrow(".arrow", SCHEMA) as shard:
        shard.write(pa.record_batch({"value": [task.payload * 2]}), 8)
    folder.data["value"] = task.payload * 2


def fail_on_three(task: Task, folder: TaskFolder) -> None:
    if task.payload == 3:
        raise InputError("three.txt", "it is three", "Use another")
    double(task, folder)


def tasks(*values: int) -> list[Task]:
    return [Task(f"task-{value}", (f"digest {value}",), value, value) for value in values]


def modified(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.arrow")}


def test_records_come_back_in_the_order_of_the_tasks(tmp_path: Path) -> None:
    records = Phase("double", {}, double).run(Engine(), str(tmp_path), tasks(3, 1, 2))
    assert [record.data["value"] for record in records] == [6, 2, 4]


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    phase = Phase("double", {}, double)
    phase.run(Engine(), str(tmp_path), tasks(1, 2))
    before = modified(tmp_path)
    phase.run(Engine(), str(tmp_path), tasks(1, 2))
    assert modified(tmp_path) == before


def test_only_a_task_with_changed_input_is_done_again(tmp_path: Path) -> None:
    phase = Phase("double", {}, double)
    phase.run(Engine(), str(tmp_path), tasks(1, 2))
    before = modified(tmp_path)
    phase.run(Engine(), str(tmp_path), [*tasks(1), Task("task-2", ("other",), 5)])
    after = modified(tmp_path)
    assert after["task-1.arrow"] == before["task-1.arrow"]
    assert after["task-2.arrow"] != before["task-2.arrow"]


def test_a_changed_setting_redoes_the_phase(tmp_path: Path) -> None:
    Phase("double", {"setting": 1}, double).run(Engine(), str(tmp_path), tasks(1))
    before = modified(tmp_path)
    Phase("double", {"setting": 2}, double).run(Engine(), str(tmp_path), tasks(1))
    assert modified(tmp_path) != before


def test_files_of_tasks_that_are_gone_are_removed(tmp_path: Path) -> None:
    phase = Phase("double", {}, double)
    phase.run(Engine(), str(tmp_path), tasks(1, 2))
    phase.run(Engine(), str(tmp_path), tasks(2))
    assert set(modified(tmp_path)) == {"task-2.arrow"}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}'])
@pytest.mark.parametrize("stopped", [True, False])
def test_a_damaged_record_counts_as_missing(tmp_path: Path, damage: str, stopped: bool) -> None:
    phase = Phase("double", {}, double)
    phase.run(Engine(), str(tmp_path), tasks(1))
    record = tmp_path / "double" / "records" / "task-1.json"
    record.write_text(damage)
    if stopped:  # before the manifest was written; where it is there, a check finds the damage
        (tmp_path / "double" / "manifest.json").unlink()
    phase.run(Engine(check=not stopped), str(tmp_path), tasks(1))
    assert json.loads(record.read_text())["data"] == {"value": 2}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"parts": 1, "digest": "0"}'])
@pytest.mark.parametrize("name", ["manifest.json", "manifest/00000-*.json"])
def test_a_damaged_manifest_is_made_again(tmp_path: Path, damage: str, name: str) -> None:
    phase = Phase("double", {}, double)
    phase.run(Engine(), str(tmp_path), tasks(1, 2))
    before, (manifest,) = modified(tmp_path), (tmp_path / "double").glob(name)
    whole = manifest.read_text()
    manifest.write_text(damage)
    records = phase.run(Engine(), str(tmp_path), tasks(1, 2))
    assert [record.data["value"] for record in records] == [2, 4]
    assert modified(tmp_path) == before
    assert manifest.read_text() == whole


def test_a_missing_file_is_written_again(tmp_path: Path) -> None:
    phase = Phase("double", {}, double)
    phase.run(Engine(), str(tmp_path), tasks(1))
    (tmp_path / "double" / "files" / "task-1.arrow").unlink()
    phase.run(Engine(), str(tmp_path), tasks(1))
    assert set(modified(tmp_path)) == {"task-1.arrow"}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_ours_keeps_its_type_and_fields_across_workers(tmp_path: Path, workers: int) -> None:
    phase = Phase("double", {}, fail_on_three)
    engine = Engine(workers, log=str(tmp_path / "log"))
    with pytest.raises(InputError) as caught:
        phase.run(engine, str(tmp_path), [Task("task-3", ("d",), 3, 1 << 30)])
    assert (caught.value.file, caught.value.cause, caught.value.remedy) == ("three.txt", "it is three", "Use another")


def test_what_was_done_before_a_failure_stays(tmp_path: Path) -> None:
    phase = Phase("double", {}, fail_on_three)
    with pytest.raises(InputError):
        phase.run(Engine(), str(tmp_path), tasks(1, 2, 3))  # the largest, 3, is started first
    records = Phase("double", {}, double).run(Engine(), str(tmp_path), tasks(1, 2, 3))
    assert len(records) == 3


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with pytest.raises(ZeroDivisionError), storage.create(str(target)) as stream:
        stream.write(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another --output"), storage.create(str(tmp_path / "file" / "x")):
        pass


def test_a_file_in_memory_is_written_and_digested() -> None:
    with storage.create("memory://phases/test.json") as stream:
        stream.write(b"{}")
    assert storage.read_json("memory://phases/test.json") == {}
    assert stream.digest == xxhash.xxh3_128_hexdigest(b"{}")


@pytest.mark.parametrize("damage", [None, "{"])
def test_a_sum_of_records_that_is_gone_or_damaged_is_made_again(tmp_path: Path, damage: str | None) -> None:
    step = ShardStep(
        lambda _: tasks(1, 2),
        (Link("double", lambda _: Phase("double", {}, double)),),
        lambda _, records: sum(record.data["value"] for record in records),
    )
    assert run_steps(Engine(), str(tmp_path), [step]).summary("double") == 6
    before, path = modified(tmp_path), tmp_path / "double" / "summary.json"
    path.unlink()
    if damage is not None:
        path.write_text(damage)
    assert run_steps(Engine(), str(tmp_path), [step]).summary("double") == 6
    assert modified(tmp_path) == before


@pytest.mark.parametrize("name", ["names.json", "manifest.json", "progress.json", "summary.json"])
def test_what_a_killed_run_was_writing_is_removed(tmp_path: Path, name: str) -> None:
    phase = Phase("double", {}, double)
    phase.run(Engine(), str(tmp_path), tasks(1))
    half, other = tmp_path / "double" / f"{name}.404fd250.tmp", tmp_path / "double" / "notes.json.404fd250.tmp"
    half.write_bytes(b"")
    other.write_bytes(b"")
    phase.run(Engine(), str(tmp_path), tasks(1, 2))
    assert not half.exists() and other.exists()
