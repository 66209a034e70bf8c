"""The recipes, sources and data that come with OpenRoots."""

import gzip
import json
from pathlib import Path

import pytest

from configs import CONFIGS
from configs.load import load_languages, load_recipe, load_sources
from governance.licences import LicenceGate, parse_expression

SOURCES = load_sources()


@pytest.mark.parametrize("name", ["tiny", "sample", "roots"])
def test_recipe_loads(name):
    assert load_recipe(name).recipe.name == name


@pytest.mark.parametrize("source", [*SOURCES.values(), *load_recipe("tiny").sources], ids=lambda source: source.id)
def test_licences_are_spdx(source):
    for licence in {source.licence, *(package.licence for package in source.packages if package.licence)}:
        parse_expression(licence)


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.id)
def test_entries_say_where_text_comes_from(source):
    assert source.custodian and source.provenance and source.consent and source.personal_data and source.languages


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.id)
def test_versions_are_pinned_where_registries_keep_old_ones(source):
    if source.client in ("pip", "npm"):
        assert all(package.version for package in source.packages)


@pytest.mark.parametrize("recipe", ["tiny", "sample"])
def test_recipe_holds_permissive_and_copyleft_code(recipe):
    plan = load_recipe(recipe)
    gate = LicenceGate(plan.recipe.licences, frozenset(plan.languages.programming))
    verdicts = {
        gate.judge(package.licence or source.licence, code=True).admitted
        for source in plan.sources
        if source.kind == "code"
        for package in source.packages
    }
    assert verdicts == {True, False}


def test_sample_reads_two_editions():
    packages = [(source.id, package.name) for source in load_recipe("sample").sources for package in source.packages]
    assert packages.count(("code-javascript", "lodash")) == packages.count(("code-python", "django")) == 2


def test_every_committed_file_is_in_the_notice():
    notice = (CONFIGS / "data/NOTICE.md").read_text()
    assert [file.name for file in (CONFIGS / "data/tiny").iterdir() if f"`{file.name}`" not in notice] == []


def test_committed_data_stays_small():
    assert sum(file.stat().st_size for file in (CONFIGS / "data").rglob("*")) < 1_500_000


def test_paths_of_tiny_exist():
    for source in load_recipe("tiny").sources:
        for package in source.packages:
            assert (CONFIGS / package.name.removeprefix("configs:")).exists()


def test_declaration_has_a_line_for_each_declared_language():
    lines = gzip.decompress((CONFIGS / "data/tiny/declaration.jsonl.gz").read_bytes()).decode().splitlines()
    declared = load_recipe("tiny").source("tiny-declaration").languages
    assert sorted({json.loads(line)["language"] for line in lines}) == sorted(declared)


def test_the_page_on_sources_names_each(request):
    page = (Path(request.config.rootpath) / "docs/sources.md").read_text()
    assert [source_id for source_id in SOURCES if f"`{source_id}`" not in page] == []


def test_roots_figures_are_those_of_table_1():
    languages = load_languages()
    assert sum(entry.roots_bytes for entry in languages.natural.values()) == pytest.approx(1.44e12, rel=0.02)
    assert languages.natural["en"].roots_bytes == 484_953_009_124
