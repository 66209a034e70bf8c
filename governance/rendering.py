"""How the templates of reports and cards are rendered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from governance import figures

_REPAINTING = dict.fromkeys(
    [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0x85), *range(0x86, 0xA0), 0x202D, 0x202E], "\ufffd"
)
"""Control characters and overrides of direction: a terminal obeys them, a page is not valid with them."""


def html_environment(folder: Path) -> Environment:
    """For HTML: every value is escaped, figures have filters. A name that a template does not get is an error."""
    environment = _environment(folder, is_html=True)
    shown = (figures.count, figures.counted, figures.kind, figures.stage, figures.reason)
    environment.filters |= {form.__name__: form for form in shown}
    environment.filters |= {form.__name__: _unbroken(form) for form in (figures.size, figures.percent)}
    environment.filters["loss"] = lambda flag: figures.loss(flag).replace(" %", "\N{NO-BREAK SPACE}%")
    return environment


def markdown_environment(folder: Path) -> Environment:
    """For Markdown: nothing is escaped, so that values from outside must pass `governance.cards.markdown`."""
    return _environment(folder, is_html=False)


def _unbroken(form: Callable[[Any], str]) -> Callable[[Any], str]:
    """A form of figures whose number and unit stay on one line."""
    return lambda value: form(value).replace(" ", "\N{NO-BREAK SPACE}")


def _environment(folder: Path, *, is_html: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not is_html,
        finalize=_visible,
    )


def _visible(value: Any) -> Any:
    return value.translate(_REPAINTING) if isinstance(value, str) else value
