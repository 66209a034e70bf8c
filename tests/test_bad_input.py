"""Rubbish in: each fault is named with file, cause and remedy, in the ledger too; the rest goes on."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
import pytest

GOOD = "All human beings are born free and equal in dignity and rights. They are endowed with reason. " * 3


def lines(count: int, word: str = "good") -> bytes:
    return b"".join(
        json.dumps({"text": f"{word} {n} {GOOD}", "id": f"{word}-{n}"}).encode() + b"\n" for n in range(count)
    )


def hostile_tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, kind in (
            ("../evil.jsonl", tarfile.REGTYPE),
            ("out.jsonl", tarfile.SYMTYPE),
            ("fine.jsonl", tarfile.REGTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            data = lines(2, "fine") if name == "fine.jsonl" else b"{}"
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


FAULTS = {
    "truncated.jsonl.gz": gzip.compress(lines(2000, "cut"))[:-500],
    "utf8.jsonl": lines(1, "first") + b'{"text": "\xff\xfe"}\n' + lines(1, "last"),
    "surrogate.jsonl": b'{"text": "\\ud800"}\n' + lines(1, "after"),
    "column.jsonl": b'{"txet": "misspelt"}\n',
    "type.jsonl": b'{"text": 17}\n',
    "hostile.tar.gz": hostile_tar(),
    "not-a-gzip.jsonl.gz": b"plainly not",
}


def recipe(folder: Path, **tables: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(
        f"""
name = "rubbish"
title = "Rubbish"
sources = ["in"]
keep_other_languages = true
[quality]
enabled = false
[deduplication]
exact = false
near = false
recurring_lines_documents_min = 1000000
[source.in]
title = "in"
reader = "jsonl"
licence = "CC0-1.0"
custodian = "nobody"
provenance = "made up"
packages = [{{ name = "{folder}/in" }}]
columns = {{ id = "id" }}
"""
    )
    return path


def run(folder: Path, *options: str, output: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openroots.cli", "build-corpus", "--recipe", str(folder / "recipe.toml")]
    command += ["--output", str(output or folder / "out"), "--cache", str(folder / "cache"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def rubbish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rubbish")
    (folder / "in").mkdir()
    (folder / "in" / "good.jsonl").write_bytes(lines(5))
    (folder / "in" / "twins.jsonl").write_bytes(lines(1, "twin") * 2)
    for name, data in FAULTS.items():
        (folder / "in" / name).write_bytes(data)
    recipe(folder)
    return folder


@pytest.fixture(scope="module")
def ledger(rubbish: Path) -> list[dict[str, str]]:
    done = run(rubbish)
    assert done.returncode == 0, done.stderr
    return ds.dataset(rubbish / "out" / "ledger", format="parquet").to_table().to_pylist()


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_a_ledger_row_with_cause_and_remedy(ledger: list[dict[str, str]], name: str) -> None:
    rows = [row for row in ledger if name in row["uri"] and row["reason"] == "unreadable"]
    assert rows
    assert all(len(row["detail"]) > 20 for row in rows)


def test_the_rest_goes_on(ledger: list[dict[str, str]], rubbish: Path) -> None:
    kept = {row["uri"].rsplit("/", 1)[-1] for row in ledger if row["decision"] == "kept"}
    assert {"good.jsonl", "utf8.jsonl", "surrogate.jsonl"} <= {uri.split("#")[0].split(":")[0] for uri in kept}
    assert sum(row["decision"] == "kept" and "truncated" in row["uri"] for row in ledger) > 100
    assert any(row["decision"] == "kept" and "fine.jsonl" in row["uri"] for row in ledger)


def test_documents_with_one_key_are_documents_of_their_own(ledger: list[dict[str, str]]) -> None:
    twins = [row for row in ledger if "twins" in row["uri"]]
    assert [row["decision"] for row in twins] == ["kept", "kept"]
    assert twins[0]["id"] != twins[1]["id"]


def test_nothing_of_the_machine_leaks_in(ledger: list[dict[str, str]]) -> None:
    assert not any("root:" in str(row) for row in ledger)


def test_strict_stops_at_the_first_and_names_it(rubbish: Path) -> None:
    done = run(rubbish, "--strict", output=rubbish / "strict")
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1 and "Traceback" not in done.stderr
    assert any(name in done.stderr for name in FAULTS)


def test_a_wrong_key_is_refused_with_the_nearest_right_one(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    path.write_text(path.read_text().replace("near = false", "naer = false"))
    done = run(tmp_path)
    assert done.returncode == 1
    assert "deduplication.naer" in done.stderr and "did you mean `near`" in done.stderr


def test_no_input_at_all_says_what_to_do(tmp_path: Path) -> None:
    recipe(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "in" in done.stderr


def test_a_folder_of_files_with_other_endings_says_which_and_what_to_do(tmp_path: Path) -> None:
    recipe(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.srt").write_text("1")
    done = run(tmp_path)
    assert done.returncode == 1 and ".srt 1" in done.stderr and "`include`" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_the_build_goes_on_later(tmp_path: Path, small_disk: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "many.jsonl").write_bytes(lines(10_000))
    recipe(tmp_path)
    done = run(tmp_path, output=small_disk / "out")
    assert done.returncode == 1
    assert "disk is full" in done.stderr and "Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert run(tmp_path, output=small_disk / "out").returncode == 0


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="a read-only mount needs root")
def test_a_read_only_output_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.jsonl").write_bytes(lines(2))
    recipe(tmp_path)
    place = tmp_path / "ro"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting needs root")
    try:
        done = run(tmp_path, output=place / "out")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
    assert done.returncode == 1
    assert "choose another --output" in done.stderr and "Traceback" not in done.stderr
