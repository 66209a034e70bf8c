"""Templates in promptsource's Jinja, rendered in a sandbox (Bach et al. 2022, "PromptSource").

A template renders to `input ||| target`. It may use the fields of an item, `answer_choices`, and promptsource's
`choice`, `most_frequent` and `zip`. What could make a short template run or write without end is refused: multiplied
strings, padding to a width, long ranges, `STEPS_MAX` turns of loops and calls, values of more than `SIZE_MAX`, and more
text than the mixture allows.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml
from jinja2 import (
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
    nodes,
    pass_context,
    pass_eval_context,
)
from jinja2.filters import do_join, do_replace
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from configs.errors import ConfigurationError, InputError
from configs.mixtures import PromptSet, PromptTemplate

SEPARATOR = "|||"
_ESCAPED = "\ufdd0\ufdd0\ufdd0"
"""Stands for the separator in fields; these are no characters, so that no text holds them."""
_RANGE_MAX = 1000
STEPS_MAX = 20_000
"""Turns of loops, and calls, of one rendering: loops in loops may write nothing and yet never end."""
SIZE_MAX = 1_000_000
"""Characters, or elements, of a value on the way: texts that are put together over and over double each time."""
_PADDING = frozenset({"center", "expandtabs", "format", "format_map", "ljust", "rjust", "zfill"})
_FILTERS_REFUSED = ("center", "format", "indent", "wordwrap", "pprint", "xmlattr", "urlize", "batch", "slice")


class Prompt(NamedTuple):
    """A rendered template; `choices` are the answers there are, if they are given."""

    input: str
    target: str
    choices: tuple[str, ...]


class PromptError(Exception):
    """A template that cannot be rendered for an item; its text says why."""


@dataclass(frozen=True)
class Compiled:
    """A template, ready to be rendered."""

    about: PromptTemplate
    body: Template
    choices: Template | None
    characters_max: int

    def render(self, fields: Mapping[str, Any], seed: str) -> Prompt | None:
        """The prompt of an item; None where the template says nothing for it. Raises PromptError.

        `seed` decides what `choice` takes.
        """
        given = {name: _escape(value) for name, value in fields.items()}
        given["choice"] = _chooser(seed)
        try:
            choices = self._split(self.choices, given) if self.choices else ()
            if choices:
                given["answer_choices"] = list(choices)
            parts = self._split(self.body, given)
        except RecursionError:
            raise PromptError("it is nested too deep") from None
        except (TemplateError, SecurityError) as error:
            raise PromptError(str(error)) from None
        except Exception as error:  # whatever an expression does to a value of another kind than it expects
            raise PromptError(f"{type(error).__name__}: {error}") from None
        if len(parts) != 2 or not all(parts):
            if len(parts) > 2:
                raise PromptError(f"it has {len(parts) - 1} targets")
            return None
        return Prompt(parts[0], parts[1], choices)

    def _split(self, template: Template, fields: Mapping[str, Any]) -> tuple[str, ...]:
        size, pieces = 0, []
        if isinstance(template.environment, _Sandbox):
            template.environment.steps = 0
        for piece in template.generate(**fields):
            size += len(piece)
            if size > 2 * self.characters_max + 1000:
                raise PromptError(f"it makes more than {self.characters_max:,} characters")
            pieces.append(piece)
        text = "".join(pieces)
        if not text.strip():
            return ()
        parts = tuple(part.strip().replace(_ESCAPED, SEPARATOR) for part in text.split(SEPARATOR))
        if any(len(part) > self.characters_max for part in parts):
            raise PromptError(f"it makes more than {self.characters_max:,} characters")
        return parts


class _Bounded(NodeTransformer):
    """Makes loops count their turns, and `~` what it puts together."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  Jinja's name
        node.iter = _call("counted", [cast(nodes.Expr, node.iter)])
        self.generic_visit(node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call("joined", node.nodes)


def _call(name: str, given: list[nodes.Expr]) -> nodes.Call:
    """A call of a method of the environment."""
    return nodes.Call(nodes.EnvironmentAttribute(name), given, [], None, None)


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%", "+"})
    steps = 0

    def _parse(self, *arguments: Any) -> nodes.Template:
        tree: nodes.Template = _Bounded().visit(super()._parse(*arguments))
        return tree

    def step(self) -> None:
        """Count a turn or a call of this rendering."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise SecurityError(f"it takes more than {STEPS_MAX:,} turns and calls")

    def counted(self, values: Iterable[Any]) -> Iterator[Any]:
        """The values of a loop."""
        for value in values:
            self.step()
            yield value

    def joined(self, *values: Any) -> str:
        """Texts put together."""
        texts = [str(value) for value in values]
        _fits(sum(map(len, texts)))
        return "".join(texts)

    def call(self, context: Any, called: Any, /, *arguments: Any, **named: Any) -> Any:
        self.step()
        text, name = getattr(called, "__self__", None), getattr(called, "__name__", "")
        if isinstance(text, str) and name == "join" and len(arguments) == 1:
            arguments = (_joinable(arguments[0], text),)
        elif isinstance(text, str) and name == "replace" and len(arguments) > 1:
            _fits(_replaced_size(text, str(arguments[0]), str(arguments[1])))
        return super().call(context, called, *arguments, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            if isinstance(left, Sized) and isinstance(right, Sized):
                _fits(len(left) + len(right))
            return super().call_binop(context, operator, left, right)
        if not all(isinstance(side, int | float) and abs(side) < 1e9 for side in (left, right)):
            raise SecurityError(f"`{operator}` takes numbers only")
        if operator == "**" and abs(right) > 8:
            raise SecurityError("a power may have an exponent of 8 at most")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str | bytes) and attr in _PADDING:
            return False
        return super().is_safe_attribute(obj, attr, value)


def _fits(size: int) -> None:
    if size > SIZE_MAX:
        raise SecurityError(f"it makes a value of more than {SIZE_MAX:,} characters or elements")


def _joinable(values: Iterable[Any], between: str) -> list[Any]:
    """The values, if they are short enough to be joined."""
    kept = list(islice(values, SIZE_MAX + 1))
    _fits(sum(len(value) if isinstance(value, str) else 1 for value in kept) + len(between) * len(kept))
    return kept


def _replaced_size(text: str, old: str, new: str) -> int:
    return len(text) + text.count(old) * len(new)


@pass_eval_context
def _join(context: Any, values: Iterable[Any], between: str = "", attribute: Any = None) -> str:
    """`join` as a filter."""
    return do_join(context, _joinable(values, between), between, attribute)


@pass_eval_context
def _replace(context: Any, text: str, old: str, new: str, count: int | None = None) -> str:
    """`replace` as a filter."""
    _fits(_replaced_size(str(text), str(old), str(new)))
    return do_replace(context, text, old, new, count)


def _environment(undefined: type[Undefined]) -> _Sandbox:
    made = _Sandbox(undefined=undefined, autoescape=False, keep_trailing_newline=False)
    made.globals.clear()
    made.globals |= {
        "range": _range,
        "most_frequent": _most_frequent,
        "zip": _zip,
        "dict": dict,
        "namespace": Namespace,
    }
    for name in _FILTERS_REFUSED:
        made.filters.pop(name, None)
    made.filters |= {"choice": _choose, "random": _choose, "most_frequent": _most_frequent, "highlight": str}
    made.filters |= {"join": _join, "replace": _replace}
    return made


def compile_templates(one: PromptSet, characters_max: int) -> list[Compiled]:
    """The templates of a set except those it leaves out. Raises ConfigurationError, InputError."""
    own, theirs = _environment(StrictUndefined), _environment(Undefined)  # theirs take what is missing for empty
    found = [(own, template) for template in one.templates]
    if one.promptsource is not None:
        found += [(theirs, template) for template in read_promptsource(one.promptsource)]
    names = [template.name for _, template in found]
    for name in one.leave_out:
        if name not in names:
            raise ConfigurationError(f"set.{one.id}: leave_out: there is no template `{name}`")
    compiled = []
    for environment, template in found:
        if template.name not in one.leave_out:
            compiled.append(_compile(environment, template, one.id, characters_max))
    return compiled


def _compile(environment: _Sandbox, template: PromptTemplate, where: str, characters_max: int) -> Compiled:
    if SEPARATOR not in template.jinja:
        raise ConfigurationError(f"set.{where}: template `{template.name}` has no `{SEPARATOR}` before its target")
    try:
        body = environment.from_string(template.jinja)
        choices = None if template.answer_choices is None else environment.from_string(template.answer_choices)
    except (TemplateSyntaxError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
        raise ConfigurationError(f"set.{where}: template `{template.name}`{line}: {error}") from None
    return Compiled(template, body, choices, characters_max)


def read_promptsource(name: str) -> list[PromptTemplate]:
    """Templates of the installed package `promptsource`, read as data, or of a templates.yaml. Raises InputError."""
    path = Path(name)
    if not name.endswith((".yaml", ".yml")):
        spec = find_spec("promptsource")
        if spec is None or not spec.submodule_search_locations:
            raise InputError(
                f"promptsource:{name}",
                "the package promptsource is not installed",
                "pip install --no-deps --ignore-requires-python promptsource, or give the path of a templates.yaml",
            )
        path = Path(spec.submodule_search_locations[0]) / "templates" / name / "templates.yaml"
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise InputError(f"promptsource:{name}", "is not the name of a set", "Give one such as xnli/en")
    try:
        data = yaml.load(path.read_text(), _Loader)
        templates = data["templates"].values()
        return [
            PromptTemplate(
                name=str(entry["name"]), jinja=entry["jinja"], answer_choices=entry.get("answer_choices") or None
            )
            for entry in sorted(templates, key=lambda entry: str(entry["name"]))
            if entry.get("jinja") and SEPARATOR in entry["jinja"]
        ]
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "Give a set of promptsource, such as xnli/en") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise InputError(str(path), f"holds no templates of promptsource ({error})", "Repair it") from error


class _Loader(yaml.SafeLoader):
    """Takes promptsource's classes for plain mappings; makes no object of any class."""


def _mapping(loader: yaml.SafeLoader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.YAMLError("a template is not a mapping")
    return dict(loader.construct_mapping(node, deep=True))


for _tag in ("!Template", "!TemplateMetadata"):
    _Loader.add_constructor(_tag, _mapping)


def _escape(value: Any) -> Any:
    """A field's value with the separator of templates out of the way in its strings."""
    if isinstance(value, str):
        return value.replace(SEPARATOR, _ESCAPED) if SEPARATOR in value else value
    if isinstance(value, dict):
        return {str(key): _escape(item) for key, item in value.items()}
    return [_escape(item) for item in value] if isinstance(value, list | tuple) else value


def _chooser(seed: str) -> Callable[[Sequence[Any]], Any]:
    """Promptsource's random choice, but of the item alone: the nth call for one takes the same each time."""
    calls = 0

    def choose(choices: Sequence[Any]) -> Any:
        nonlocal calls
        calls += 1
        number = int.from_bytes(hashlib.blake2b(f"{seed}:{calls}".encode(), digest_size=8).digest(), "little")
        return choices[number % len(choices)] if len(choices) else ""

    return choose


@pass_context
def _choose(context: Context, choices: Sequence[Any]) -> Any:
    """`choice` as a filter."""
    return context["choice"](list(choices))


def _most_frequent(items: Sequence[Any]) -> list[Any]:
    """The items that come most often."""
    counted = Counter(items).most_common()
    return [item for item, count in counted if count == counted[0][1]]


def _zip(*sequences: Sequence[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*sequences, strict=False))


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > _RANGE_MAX:
        raise SecurityError(f"a range may have {_RANGE_MAX:,} numbers at most")
    return made
