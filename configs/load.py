"""Read TOML into the models of `configs.models`, and say clearly what is wrong where it does not fit."""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from configs import CONFIGS
from configs.errors import ConfigurationError
from configs.language_codes import LanguageCodes
from configs.models import Language, Languages, ProgrammingLanguage, QualityParameters, Recipe, Source

PROBLEMS_SHOWN_MAX = 10
VALUE_CHARACTERS_MAX = 200

ModelType = TypeVar("ModelType", bound=BaseModel)


@dataclass(frozen=True)
class Plan:
    """A recipe with all that it names: what a build is given."""

    recipe: Recipe
    languages: Languages
    sources: tuple[Source, ...]

    def source(self, source_id: str) -> Source:
        """The entry of a source; raises KeyError where the recipe does not name it."""
        return {source.id: source for source in self.sources}[source_id]

    @property
    def wanted_languages(self) -> tuple[str, ...]:
        """Codes of the languages that the corpus is to hold."""
        return self.languages.codes if self.recipe.languages == "all" else self.recipe.languages


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    """A file for reading; fsspec, which takes a while to import, only where a path asks for it."""
    if "://" not in path and "::" not in path:
        return open(Path(path).expanduser(), "rb")
    import fsspec

    opened: AbstractContextManager[BinaryIO] = fsspec.open(path, "rb")
    return opened


def read_toml(path: str) -> dict[str, Any]:
    """Parse a TOML file at any fsspec path; raises ConfigurationError that names file, line and cause."""
    try:
        with _opened(path) as stream:
            return tomllib.loads(stream.read().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: is a folder; give the path of a .toml file in it") from None
    except PermissionError:
        raise ConfigurationError(f"{path}: permission denied; check its permissions") from None
    except ValueError as error:
        if not isinstance(error, tomllib.TOMLDecodeError | UnicodeDecodeError):  # such as an unknown protocol
            raise ConfigurationError(f"{path}: {error}") from None
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from None
    except Exception as error:  # a store that does not answer, or whose package is not installed
        cause = " ".join(str(error).split())[:300] or type(error).__name__
        raise ConfigurationError(f"{path}: cannot be read: {cause}") from error


def validate(model: type[ModelType], data: Mapping[str, Any], where: str) -> ModelType:
    """Build `model` from `data`; raises ConfigurationError that names each wrong key and the nearest right one."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors()
        # A list whose entries are all wrong is called too short as well: that would be no help.
        wrong = {problem["loc"][:depth] for problem in problems for depth in range(1, len(problem["loc"]))}
        follows = "default_factory_not_called"  # a default that is made from a value that is wrong
        told = [problem for problem in problems if problem["loc"] not in wrong and problem["type"] != follows]
        lines = [f"{where}: {_explain(model, problem)}" for problem in told[:PROBLEMS_SHOWN_MAX]]
        if len(told) > PROBLEMS_SHOWN_MAX:
            lines.append(f"{where}: and {len(told) - PROBLEMS_SHOWN_MAX:,} more")
        raise ConfigurationError("\n".join(lines)) from None


def _explain(model: type[BaseModel], problem: Any) -> str:
    location = problem["loc"]
    path = ".".join(map(str, location))
    if problem["type"] == "extra_forbidden":
        names = _field_names(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.0)
        return f"unknown key `{path}`" + (f"; did you mean `{near[0]}`?" if near else "")
    if problem["type"] == "missing":
        return f"missing key `{path}`"
    if problem["type"] == "value_error":  # our own words
        said = str(problem["msg"]).removeprefix("Value error, ")
        return f"`{path}`: {said}" if path else said
    if problem["type"] in ("model_type", "dict_type"):
        return f"`{path}`: should be a table, in curly brackets: {{ key = value }} (got {shorten(problem['input'])})"
    if problem["type"] == "tuple_type":
        return f"`{path}`: should be a list, in square brackets (got {shorten(problem['input'])})"
    return f"`{path}`: {problem['msg']} (got {shorten(problem['input'])})"


def shorten(value: Any) -> str:
    """What was given, as far as a message has room for it."""
    shown = repr(value)
    return shown if len(shown) <= VALUE_CHARACTERS_MAX else f"{shown[:VALUE_CHARACTERS_MAX]}…"


def _field_names(model: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """Names that are right at `path` below `model`; steps that are indices or dict keys stay at the same model."""
    here = model
    for step in path:
        if step in here.model_fields:
            here = next(_models(here.model_fields[step].annotation), here)
    return list(here.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _parse_languages(
    data: dict[str, Any], where: str, default: dict[str, Any], known: Mapping[str, Language] = MappingProxyType({})
) -> dict[str, Language]:
    """Tables `natural.CODE`; one of a `known` language changes what it says and leaves the rest."""
    languages = {}
    for code, entry in _tables(data, f"{where}: natural"):
        given = dict(entry)
        changed = dict(next(_tables({"quality": given.pop("quality", {})}, f"{where}: natural.{code}"))[1])
        validate_keys(QualityParameters, changed, f"{where}: natural.{code}.quality")
        base = {**default, **(UNSPACED_QUALITY if given.get("unspaced") is True else {})}
        if code in known:
            described = known[code].model_dump()
            base = described.pop("quality")
            given = {**described, **given}
        given.pop("code", None)
        languages[code] = validate(
            Language, {"code": code, **given, "quality": {**base, **changed}}, f"{where}: natural.{code}"
        )
    return languages


def _tables(data: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and tables of a table of tables; raises ConfigurationError where something else stands for a table."""
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"{where} must be a table, not {data!r}")
    for name, entry in data.items():
        if not isinstance(entry, Mapping):
            raise ConfigurationError(f"{where}.{name} must be a table, not {entry!r}")
        yield name, entry


def validate_keys(model: type[BaseModel], data: Mapping[str, Any], where: str) -> None:
    """Refuse keys that `model` lacks, where only a part of its fields is given."""
    for key in data:
        if key not in model.model_fields:
            near = difflib.get_close_matches(key, model.model_fields, n=1, cutoff=0.0)[0]
            raise ConfigurationError(f"{where}: unknown key `{key}`; did you mean `{near}`?")


@cache
def load_languages(path: str = str(CONFIGS / "languages.toml")) -> Languages:
    """Read `languages.toml`."""
    data = read_toml(path)
    unknown = set(data) - {"roots_code_bytes", "quality_default", "natural", "programming"}
    if unknown:
        raise ConfigurationError(f"{path}: unknown key `{sorted(unknown)[0]}`")
    default = validate(QualityParameters, data["quality_default"], f"{path}: quality_default").model_dump()
    programming = {
        code: validate(ProgrammingLanguage, {"code": code, **entry}, f"{path}: programming.{code}")
        for code, entry in data["programming"].items()
    }
    return Languages(
        natural=_parse_languages(data["natural"], path, default),
        programming=programming,
        roots_code_bytes=data["roots_code_bytes"],
    )


def quality_default() -> dict[str, Any]:
    """Parameters of a language that has none of its own."""
    return dict(read_toml(str(CONFIGS / "languages.toml"))["quality_default"])


@cache
def roots_quality() -> dict[str, dict[str, Any]]:
    """The parameters that ROOTS used: `default`, and by language code what differs from it."""
    return read_toml(str(CONFIGS / "roots_quality.toml"))


UNSPACED_QUALITY = {"segment_words_with_sentencepiece": True, "words_min": 10, "word_repetition_max": 0.96}
"""What a language written without spaces has in place of the default set: each character is a word."""


@cache
def load_sources(folder: str = str(CONFIGS / "sources")) -> dict[str, Source]:
    """Read the source registry: every TOML file of a folder, each with tables `[source.ID]`."""
    sources: dict[str, Source] = {}
    for path in sorted(Path(folder).glob("*.toml")):
        sources.update(parse_sources(read_toml(str(path)).get("source", {}), str(path)))
    return sources


def parse_sources(data: dict[str, Any], where: str) -> dict[str, Source]:
    """Validate tables `[source.ID]`; a source without a licence is refused."""
    return {
        source_id: validate(Source, {"id": source_id, **entry}, f"{where}: source.{source_id}")
        for source_id, entry in _tables(data, f"{where}: source")
    }


def load_recipe(name: str) -> Plan:
    """Read a recipe by the name of one that comes with the package, or by path.

    Beside the fields of `Recipe`, a recipe may hold `[natural.CODE]` (another language, or what changes of one) and
    `[source.ID]` (a source more), in the form they have in `languages.toml` and `sources/*.toml`. Raises
    ConfigurationError.
    """
    built_in = CONFIGS / "recipes" / f"{name}.toml"
    if built_in.exists():
        path = str(built_in)
    elif name.endswith(".toml"):
        path = name
    else:
        known = sorted(file.stem for file in (CONFIGS / "recipes").glob("*.toml"))
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean `{near[0]}`? There" if near else "there"
        raise ConfigurationError(f"no recipe `{name}`; {hint} are {', '.join(known)}, or give the path of a .toml file")
    data = read_toml(path)
    languages = load_languages()
    more = _parse_languages(data.pop("natural", {}), path, quality_default(), languages.natural)
    if more:
        languages = languages.model_copy(update={"natural": {**languages.natural, **more}})
    registry = {**load_sources(), **parse_sources(data.pop("source", {}), path)}
    recipe = validate(Recipe, data, path)
    _check_names(recipe, languages, registry, path)
    return Plan(recipe, languages, tuple(registry[source_id] for source_id in recipe.sources))


def _check_names(recipe: Recipe, languages: Languages, registry: Mapping[str, Source], path: str) -> None:
    """Every language and source that a recipe names must exist."""
    named_languages = [*(() if recipe.languages == "all" else recipe.languages)]
    named_languages += [*recipe.sampling.shares, *recipe.sampling.language_bytes_max]
    named_languages += [*(code for code in recipe.quality.overrides if code != "default")]
    named_languages += [*recipe.personal_data.by_language]
    for source_id in (*recipe.sources, *recipe.quality.skip_measures, *recipe.personal_data.by_source):
        _known(source_id, registry, f"{path}: unknown source")
    for source_id in recipe.sources:
        source = registry[source_id]
        check_licences(source, f"{path}: source.{source_id}")
        named_languages += [*source.languages, *(p.language for p in source.packages if p.language)]
        named_languages += [code for p in source.packages for code in p.languages_by_path.values()]
    for code in dict.fromkeys(named_languages):
        if code not in languages:
            raise ConfigurationError(f"{path}: {unknown_language(code, languages)}")
    for code, changed in recipe.quality.overrides.items():
        validate_keys(QualityParameters, changed, f"{path}: quality.overrides.{code}")
        if code != "default":
            merged = {**languages.natural[code].quality.model_dump(), **changed}
            validate(QualityParameters, merged, f"{path}: quality.overrides.{code}")
    for source_id, measures in recipe.quality.skip_measures.items():
        validate_keys(QualityParameters, dict.fromkeys(measures), f"{path}: quality.skip_measures.{source_id}")


@cache
def spdx_list() -> Any:
    """The SPDX list of licences, loaded where it is first needed."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def check_language(code: str) -> None:
    """Refuse a language that we do not know, with the nearest that we do. Raises ConfigurationError."""
    known = load_languages()
    if code not in known:
        raise ConfigurationError(unknown_language(code, known))


def unknown_language(code: str, languages: Languages) -> str:
    """What to say of a language that is none of `languages`, with the one that is meant, or the nearest."""
    codes = LanguageCodes(languages)
    near = difflib.get_close_matches(code, languages.codes, n=1, cutoff=0.85)
    meant = codes.resolve(code)
    hint = near[0] if near else meant if meant in languages else codes.nearest(code)
    return f"unknown language `{code}`" + (
        f"; did you mean `{hint}`?" if hint else "; `openroots languages` lists them"
    )


def check_licences(source: Source, where: str) -> None:
    """Refuse licences that are no SPDX expression of ids on the SPDX list, with the nearest that is.

    `NOASSERTION` and names of the user's own (`LicenseRef-…`) are admitted, as SPDX has it. Raises ConfigurationError.
    """
    from license_expression import ExpressionError

    spdx = spdx_list()
    given = (source.licence, *(package.licence or source.licence for package in source.packages))
    for expression in dict.fromkeys(given):
        try:
            unknown = [] if expression.strip() else [expression]
            unknown += [
                key
                for key in spdx.unknown_license_keys(expression)
                if key not in ("NOASSERTION", "NONE") and not key.startswith(("LicenseRef-", "DocumentRef-"))
            ]
        except (ExpressionError, IndexError, RecursionError):
            unknown = [expression]
        if unknown:
            ids = {key.lower(): key for key in spdx.known_symbols}
            near = difflib.get_close_matches(unknown[0].lower(), ids, n=1)
            hint = f"; did you mean `{ids[near[0]]}`?" if near else "."
            raise ConfigurationError(
                f"{where}: licence `{unknown[0]}` is not on the SPDX list (https://spdx.org/licenses){hint} "
                f"A licence that SPDX lacks is written `LicenseRef-NAME`"
            )


def _known(name: str, names: Iterable[str], what: str) -> None:
    names = list(names)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        raise ConfigurationError(f"{what} `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""))
