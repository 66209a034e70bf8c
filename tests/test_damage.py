"""Damage to any file of a finished build: a rerun makes it whole again, to the byte."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.hostile import DAMAGES, flip
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import Watch
from tests.small_build import build, write_inputs

Damage = Callable[[Path], None]


def flip_unseen(path: Path) -> None:
    """As a disk does that ages: neither length nor time of change tell."""
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


TIMED = ("manifest.json", ".lock", ".openroots.json")
"""Files with times in them, or that say nothing of the corpus."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    build(write_inputs(folder), folder / "out")
    return folder


def files(output: Path) -> list[str]:
    found = (str(path.relative_to(output)) for path in output.rglob("*") if path.is_file() and path.stat().st_size)
    return sorted(name for name in found if Path(name).name not in TIMED)


def contents(output: Path) -> dict[str, bytes]:
    """All that a build leaves, but for records, which tell times."""
    return {name: (output / name).read_bytes() for name in files(output) if not name.endswith(".json")}


def copied(finished: Path, tmp_path: Path) -> Path:
    output = tmp_path / "out"
    shutil.copytree(finished / "out", output, symlinks=True, copy_function=shutil.copy2)
    return output


class Told(Watch):
    def __init__(self) -> None:
        self.paths: list[str] = []

    def damaged(self, phase: str, paths: object) -> None:
        self.paths += [f"{phase}/{path}" for path in paths]  # type: ignore[attr-defined]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_rerun_repairs_all_files_at_once(finished: Path, tmp_path: Path, damage: str) -> None:
    output = copied(finished, tmp_path)
    whole = contents(output)
    for name in files(output):
        DAMAGES[damage](output / name)
    build(finished / "recipe.toml", output)
    assert contents(output) == whole


@pytest.mark.parametrize("place", ["data", "ledger", "index", ".work/annotate/files", ".work/deduplicate-exacts"])
def test_a_flipped_byte_is_told_and_repaired(finished: Path, tmp_path: Path, place: str) -> None:
    output = copied(finished, tmp_path)
    whole = contents(output)
    name = next(name for name in files(output) if name.startswith(place) and not name.endswith(".json"))
    flip(output / name)
    told = Told()
    build(finished / "recipe.toml", output, watch=told)
    assert contents(output) == whole
    assert any(Path(path).name == Path(name).name for path in told.paths) or "deduplicate-" in place


def test_check_finds_what_length_and_time_do_not_tell(finished: Path, tmp_path: Path) -> None:
    output = copied(finished, tmp_path)
    whole = contents(output)
    for name in files(output):
        flip_unseen(output / name)
    build(finished / "recipe.toml", output, Engine(check=True))
    assert contents(output) == whole


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_rerun_repairs_each_file_alone(finished: Path, tmp_path: Path, damage: str) -> None:
    output = copied(finished, tmp_path)
    whole = contents(output)
    for name in files(output):
        if not (output / name).exists():
            continue  # a manifest: it is named by its content, which tells times, and an earlier rerun wrote another
        DAMAGES[damage](output / name)
        build(finished / "recipe.toml", output)
        assert contents(output) == whole, name


def test_a_file_of_the_user_among_ours_stays(finished: Path, tmp_path: Path) -> None:
    output = copied(finished, tmp_path)
    theirs = [
        output / name
        for name in (
            "notes.txt",
            "notes.md.0a1b2c3d.tmp",
            "data/en/mine.arrow",
            "data/statistics.json.e13ad516.tmp",
            "ledger/accounts.xlsx",
            "index/precious.txt",
            ".work/annotate/files/mine.arrow",
            ".work/annotate/records/mine.json",
            ".work/deduplicate-exacts/round-00000/notes.txt",
        )
    ]
    for path in theirs:
        path.write_text("mine")
    recipe = finished / "recipe.toml"
    changed = tmp_path / "recipe.toml"
    changed.write_text(recipe.read_text().replace('["en", "fr"]', '["en"]'))  # French goes, with all its files
    build(changed, output)
    assert [path.read_text() for path in theirs] == ["mine"] * len(theirs)
    assert not (output / "data" / "fr" / "shard-00000-of-00001.arrow").exists()
