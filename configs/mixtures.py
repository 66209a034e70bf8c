"""What a mixture of prompts is made from, as frozen, validated data, and how its TOML file is read."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from configs import CONFIGS
from configs.errors import ConfigurationError
from configs.load import (
    Plan,
    check_licences,
    load_languages,
    load_recipe,
    load_sources,
    parse_sources,
    read_toml,
    unknown_language,
    validate,
)
from configs.models import Languages, LicencePolicy, Model, PersonalData, Recipe, Share, Source

Make = Literal["rows", "passages", "cloze", "functions"]
"""What items are made of a document; see `pipeline.prompts.items`."""


class PromptTemplate(Model):
    """A template in promptsource's Jinja: what stands before `|||` is the input, what stands behind it the target."""

    name: str = Field(min_length=1, max_length=200, description="unique within the set")
    jinja: str = Field(min_length=1, description="input ||| target")
    answer_choices: str | None = Field(
        default=None, description="Jinja; answers separated by |||, `answer_choices` in it"
    )
    input_language: str | None = Field(default=None, description="of the input; default: the item's")
    target_language: str | None = Field(default=None, description="of the target; default: the item's")
    languages: tuple[str, ...] = Field(default=(), description="of the items it applies to; empty: all")


class PromptSet(Model):
    """Items of a source, and the templates that make prompts of them: an entry `[set.NAME]`."""

    id: str = Field(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=100, description="taken from the name of the table")
    source: str = Field(description="from the registry, this file, or a recipe in `recipes`")
    make: Make = Field(default="rows", description="what items a document becomes, see above")
    characters_max: int = Field(default=300, ge=20, description="of a passage")
    items_max: int = Field(default=8, ge=1, description="items per document, spread over it; not for `rows`")
    templates: tuple[PromptTemplate, ...] = Field(default=(), description="see below")
    promptsource: str | None = Field(
        default=None, min_length=1, description="a promptsource set, such as `xnli/en`, or the path of a templates.yaml"
    )
    leave_out: tuple[str, ...] = Field(default=(), description="names of templates to skip")
    hidden: dict[str, tuple[str | int | float | bool, ...]] = Field(
        default={}, description="field → values that mean a hidden label: such items are left out"
    )
    evaluation: bool = Field(default=False, description="for evaluation: none of it is trained on")

    @model_validator(mode="after")
    def _has_templates(self) -> "PromptSet":
        if not self.templates and self.promptsource is None:
            raise ValueError("give [[templates]], or `promptsource`")
        names = [template.name for template in self.templates]
        if len(set(names)) != len(names):
            raise ValueError("two templates have one name")
        return self


class Mixture(Model):
    """All that decides what a mixture holds: same file, same inputs → the same bytes."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]*$", description="lower-case letters, digits, hyphens")
    title: str = Field(description="its name for people")
    description: str = Field(default="", description="a sentence or two for the card")
    seed: int = Field(default=0, ge=0, lt=1 << 63, description="for choosing what is held out and what exceeds a limit")
    recipes: tuple[str, ...] = Field(default=(), description="recipes whose sources may be used besides the registry's")
    examples_max: int = Field(default=100_000, ge=1, description="per set and template, as in xP3")
    held_out: Share = Field(default=0.02, description="share of items kept out of training, by a hash of their text")
    characters_max: int = Field(default=20_000, ge=1, description="of an input, and of a target")
    weights: dict[str, float] = Field(
        default={}, description="of languages in training; default: by the number of prompts"
    )
    licences: LicencePolicy = LicencePolicy()
    personal_data: PersonalData = PersonalData()

    @model_validator(mode="after")
    def _makes_sense(self) -> "Mixture":
        if self.held_out >= 1:
            raise ValueError("held_out must be less than 1: there would be nothing to train on")
        if any(not 0 < weight < float("inf") for weight in self.weights.values()):
            raise ValueError("weights must be over 0")
        return self


@dataclass(frozen=True)
class MixturePlan:
    """A mixture with its sets, and the plan by which their sources are read."""

    mixture: Mixture
    sets: tuple[PromptSet, ...]
    plan: Plan


def load_mixture(name: str) -> MixturePlan:
    """Read a mixture by the name of one that comes with the package, or by path. Raises ConfigurationError."""
    built_in = CONFIGS / "prompts" / f"{name}.toml"
    path = str(built_in) if built_in.exists() else name
    if not path.endswith(".toml"):
        known = sorted(file.stem for file in (CONFIGS / "prompts").glob("*.toml"))
        raise ConfigurationError(f"no mixture `{name}`; there is {', '.join(known)}, or give the path of a .toml file")
    data = read_toml(path)
    own = parse_sources(data.pop("source", {}), path)
    tables = data.pop("set", {})
    if not isinstance(tables, dict) or not tables:
        raise ConfigurationError(f"{path}: there is no [set.NAME]")
    sets = tuple(
        validate(PromptSet, {"id": key, **(entry if isinstance(entry, dict) else {"": entry})}, f"{path}: set.{key}")
        for key, entry in tables.items()
    )
    mixture = validate(Mixture, data, path)
    registry = {**load_sources(), **_of_recipes(mixture), **own}
    languages = load_languages()
    for one in sets:
        if one.source not in registry:
            near = difflib.get_close_matches(one.source, registry, n=1, cutoff=0.0)[0]
            raise ConfigurationError(f"{path}: set.{one.id}: unknown source `{one.source}`; did you mean `{near}`?")
        check_licences(registry[one.source], f"{path}: source.{one.source}")
    _check_codes(mixture.weights, languages, f"{path}: weights")
    for one in sets:
        for template in one.templates:
            named_codes = [template.input_language, template.target_language, *template.languages]
            _check_codes([c for c in named_codes if c], languages, f"{path}: set.{one.id}, template `{template.name}`")
    named = tuple(dict.fromkeys(one.source for one in sets))
    recipe = Recipe(
        name=mixture.name,
        title=mixture.title,
        sources=named,
        keep_other_languages=True,
        licences=mixture.licences,
        personal_data=mixture.personal_data,
    )
    return MixturePlan(mixture, sets, Plan(recipe, languages, tuple(registry[source] for source in named)))


def _check_codes(codes: Iterable[str], languages: Languages, where: str) -> None:
    for code in codes:
        if code not in languages:
            raise ConfigurationError(f"{where}: {unknown_language(code, languages)}")


def _of_recipes(mixture: Mixture) -> dict[str, Source]:
    return {source.id: source for name in mixture.recipes for source in load_recipe(name).sources}
