"""A rebuild that is stopped half-way: readers see a whole corpus, or that there is none; the same command ends it."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from pipeline.runtime.phases import Watch
from tests.small_build import build, write_inputs


class StopAt(Watch):
    """Ends the build, as Ctrl-C would, once a phase has begun: at the latest when the pipeline it is in has ended."""

    def __init__(self, phase: str) -> None:
        self.phase = phase

    def begin(self, phase: str, *_: Any) -> None:
        if phase == self.phase:
            raise KeyboardInterrupt


@pytest.fixture
def rebuilt(tmp_path: Path) -> tuple[Path, Path]:
    """A finished corpus, and a recipe with another threshold."""
    recipe = write_inputs(tmp_path)
    build(recipe, tmp_path / "out")
    changed = tmp_path / "changed.toml"
    changed.write_text(recipe.read_text().replace("[deduplication]", "[deduplication]\nexact = false\nnear = false"))
    return tmp_path / "out", changed


def rows(output: Path, cache: Path) -> int:
    return len(datasets.load_dataset(str(output), "en", split="train", cache_dir=str(cache)))


@pytest.mark.parametrize("phase", ["annotate", "deduplicate-sign"])  # both in the first of two pipelines
def test_before_the_first_shard_changes_the_old_corpus_is_whole(rebuilt: tuple[Path, Path], phase: str) -> None:
    output, changed = rebuilt
    manifest = json.loads((output / "manifest.json").read_text())
    with pytest.raises(KeyboardInterrupt):
        build(changed, output, watch=StopAt(phase))
    assert json.loads((output / "manifest.json").read_text()) == manifest
    assert rows(output, output.parent / "cache") == manifest["languages"]["en"]["documents"]


@pytest.mark.parametrize("phase", ["ledger", "tally"])
def test_after_it_there_is_no_corpus_until_the_new_one_is_whole(rebuilt: tuple[Path, Path], phase: str) -> None:
    output, changed = rebuilt
    with pytest.raises(KeyboardInterrupt):
        build(changed, output, watch=StopAt(phase))
    assert not (output / "manifest.json").exists() and not (output / "croissant.json").exists()
    assert "Being rebuilt" in (output / "README.md").read_text()
    with pytest.raises(ValueError, match="BuilderConfig"):
        rows(output, output.parent / "cache")
    manifest = build(changed, output)
    assert rows(output, output.parent / "cache") == manifest["languages"]["en"]["documents"]
