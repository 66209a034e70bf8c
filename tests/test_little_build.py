"""Builds of little text are few pipelines, by the text that was read and not by the length of files."""

import gzip
from pathlib import Path
from typing import Any

from tests.small_build import build, write_inputs

ROUND = 20_000


def rounds_of(recipe: Path, shuffle_bytes: int) -> Path:
    """A copy of a recipe in which rounds shuffle so much."""
    copy = recipe.with_name("rounds.toml")
    setting = f"[deduplication]\nshuffle_bytes = {shuffle_bytes}"
    copy.write_text(recipe.read_text().replace("[deduplication]", setting))
    return copy


def has_sieves(manifest: dict[str, Any]) -> bool:
    return any(phase["name"].endswith("-sieve") for phase in manifest["phases"])


def test_two_pipelines_and_rounds_make_the_same_corpus(tmp_path: Path) -> None:
    recipe = write_inputs(tmp_path)
    little = build(recipe, tmp_path / "little")
    much = build(rounds_of(recipe, 3000), tmp_path / "much")
    assert has_sieves(much) and not has_sieves(little)
    assert much["digest"] == little["digest"]


def test_what_compressed_files_hold_is_counted(tmp_path: Path) -> None:
    recipe = write_inputs(tmp_path)
    for path in (tmp_path / "in").iterdir():
        line = (
            path.read_text().splitlines()[0].replace('{"text": "', '{"text": "' + "Once more, and once more. " * 2000)
        )
        path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(f"{line}\n".encode() * 4))
        path.unlink()
    assert sum(path.stat().st_size for path in (tmp_path / "in").iterdir()) < ROUND
    assert has_sieves(build(rounds_of(recipe, ROUND), tmp_path / "out"))


def test_a_finished_build_to_compare_with_is_never_little(tmp_path: Path) -> None:
    recipe = write_inputs(tmp_path)
    build(recipe, tmp_path / "first")
    second = recipe.with_name("second.toml")
    second.write_text(recipe.read_text().replace("[deduplication]", f'[deduplication]\nagainst = ["{tmp_path}/first"]'))
    assert has_sieves(build(second, tmp_path / "second"))
