"""How the templates of reports and cards are rendered."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from governance import figures


def html_environment(folder: Path) -> Environment:
    """For HTML: every value is escaped, figures have filters. A name that a template does not get is an error."""
    environment = _environment(folder, is_html=True)
    shown = (figures.count, figures.counted, figures.size, figures.percent, figures.kind, figures.stage, figures.reason)
    environment.filters |= {form.__name__: form for form in shown}
    return environment


def markdown_environment(folder: Path) -> Environment:
    """For Markdown: nothing is escaped, so that values from outside must pass `governance.cards.markdown`."""
    return _environment(folder, is_html=False)


def _environment(folder: Path, *, is_html: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not is_html,
    )
