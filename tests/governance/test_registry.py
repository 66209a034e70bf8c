"""Rows that describe sources and languages."""

import json

import pytest

from configs.load import load_languages, load_recipe
from governance.registry import describe_languages, describe_sources


def test_sources_come_in_the_recipes_order():
    plan = load_recipe("sample")
    assert [row["id"] for row in describe_sources(plan)] == list(plan.recipe.sources)


def test_licences_of_packages_are_named_beside_the_sources():
    rows = {row["id"]: row for row in describe_sources(load_recipe("sample"))}
    assert rows["code-cpp"]["licences"] == ["BSD-3-Clause", "Apache-2.0"]
    assert rows["freedict"]["languages"] == ["sw", "wo"]


def test_shares_of_roots_add_up():
    rows = describe_languages(load_languages())
    code = load_languages().roots_code_bytes
    natural = sum(row["roots_bytes"] or 0 for row in rows)
    assert sum(row["roots_share"] or 0 for row in rows) == pytest.approx(natural / (natural + code))


def test_there_are_46_and_13():
    kinds = [row["kind"] for row in describe_languages(load_languages())]
    assert (kinds.count("natural"), kinds.count("programming")) == (46, 13)


@pytest.mark.parametrize("recipe", ["tiny", "sample"])
def test_every_language_has_a_source(recipe):
    plan = load_recipe(recipe)
    assert [row["code"] for row in describe_languages(plan.languages, plan) if not row["sources"]] == []


def test_rows_are_json():
    plan = load_recipe("tiny")
    json.dumps([describe_sources(plan), describe_languages(plan.languages, plan)])
