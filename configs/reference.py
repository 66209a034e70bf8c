"""The tables of keys in `docs/recipes.md` and `docs/finetuning.md`, made from the models:
`python -m configs.reference docs/recipes.md docs/finetuning.md`."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from configs.load import quality_default
from configs.mixtures import Mixture, PromptSet, PromptTemplate
from configs.models import (
    BlockList,
    CodeParameters,
    Columns,
    ConsentPolicy,
    Decontamination,
    Deduplication,
    EvaluationSet,
    Language,
    LanguageIdentification,
    LicencePolicy,
    Output,
    Package,
    PersonalData,
    Quality,
    QualityParameters,
    Recipe,
    Sampling,
    Source,
)

TABLES: dict[str, type[BaseModel]] = {
    "recipe": Recipe,
    "licences": LicencePolicy,
    "consent": ConsentPolicy,
    "consent.block_lists": BlockList,
    "language_identification": LanguageIdentification,
    "quality": Quality,
    "quality.code": CodeParameters,
    "personal_data": PersonalData,
    "deduplication": Deduplication,
    "decontamination": Decontamination,
    "decontamination.sets": EvaluationSet,
    "sampling": Sampling,
    "output": Output,
    "source": Source,
    "source.packages": Package,
    "source.columns": Columns,
    "natural": Language,
    "natural.quality": QualityParameters,
}
"""Marker in the page → model whose keys stand there."""

PROMPT_TABLES: dict[str, type[BaseModel]] = {"mixture": Mixture, "set": PromptSet, "templates": PromptTemplate}
"""The same of `docs/finetuning.md`."""

_WHOLE = ("Recipe", "TrainingConfig", "Mixture")
_MARK = re.compile(r"(<!-- keys: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(page: str, tables: Mapping[str, type[BaseModel]] = TABLES) -> str:
    """The page with the table after each `<!-- keys: NAME -->` regenerated."""
    return _MARK.sub(lambda match: f"{match[1]}{keys(tables[match[2]])}{match[3]}", page)


def marked(page: str) -> list[str]:
    """Names of the tables that a page has places for."""
    return [match[2] for match in _MARK.finditer(page)]


def keys(model: type[BaseModel]) -> str:
    """A Markdown table of the keys of a model: what each takes, its default, what it means."""
    defaults = quality_default() if model is QualityParameters else {}
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if "taken from the name of the table" in (field.description or ""):
            continue
        if isinstance(field.default, BaseModel) and model.__name__ in _WHOLE:  # has a part of the page for itself
            continue
        default = _value(defaults.get(name)) if defaults else _default(field)
        rows.append(f"| `{name}` | {_takes(field)} | {default} | {(field.description or '').replace('|', '/')} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    return _value(PydanticUndefined if isinstance(field.default, BaseModel) else field.default)


def _value(value: Any) -> str:
    if value in (None, PydanticUndefined) or value in ((), {}, [], ""):
        return "–"
    if isinstance(value, ByteSize):
        return f"`{int(value)}`" if value % (1 << 10) else f'`"{value.human_readable().replace(".0", "")}"`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _takes(field: FieldInfo) -> str:
    words = list(dict.fromkeys(_words(field.annotation)))
    limits = [
        f"{sign} {getattr(limit, name)}" for limit in field.metadata for name, sign in _SIGNS if hasattr(limit, name)
    ]
    return " or ".join(words) + (f", {', '.join(limits)}" if limits else "")


_SIGNS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
_NAMES: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "true or false", ByteSize: 'bytes, or `"8MiB"`',
    Any: "value",
}  # fmt: skip


def _words(kind: Any) -> Iterator[str]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        yield " ".join(f"`{choice}`" for choice in arguments)
    elif origin is tuple:
        yield f"list of {next(_words(arguments[0]))}"
    elif origin is dict:
        yield f"table: name → {next(_words(arguments[1]))}"
    elif hasattr(kind, "__metadata__"):  # Annotated
        yield "share, 0 to 1"
    elif arguments:
        for argument in arguments:
            yield from _words(argument)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield "table"
    elif kind is not type(None):
        yield _NAMES[kind]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_tables(Path(name).read_text(), {**TABLES, **PROMPT_TABLES}))
