"""The pages of the audit and of the public summary: self-contained HTML, everything from a corpus escaped."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from governance.rendering import html_environment

FOLDER = Path(__file__).parent
MARK = b'content="OpenRoots"'
"""By what our pages are known, so that nobody else's file is overwritten."""


def ratio(share: float | None, other: float | None) -> str:
    """How many times as large a share is as another, in words: `3.1 ×`, `1/12`, `–` where one is not known."""
    if share is None or other is None or other == 0:
        return "–"
    value = share / other
    if value == 0:
        return "none"
    if value >= 10:
        return f"{value:,.0f} ×"
    return f"{value:.1f} ×" if value >= 0.55 else f"1/{1 / value:,.0f}"


def tone(share: float | None, other: float | None) -> str:
    """`over`, `under` or ``: whether a share is more than twice, or less than half, another."""
    if share is None or other is None or other == 0:
        return ""
    value = math.log2(share / other) if share else -math.inf
    return "over" if value > 1 else "under" if value < -1 else ""


def coefficient(value: float | None) -> str:
    """A coefficient with two digits; `–` for None."""
    return "–" if value is None else f"{value:.2f}"


def audit_page(found: Mapping[str, Any]) -> str:
    """`audit.html` of what `audit` returns."""
    return _page("audit.html.j2", a=found)


def summary_page(summary: Mapping[str, Any]) -> str:
    """The public summary as HTML."""
    return _page("summary.html.j2", s=summary)


def _page(name: str, **values: Any) -> str:
    environment = html_environment(FOLDER)
    environment.filters["coefficient"] = coefficient
    environment.globals |= {"ratio": ratio, "tone": tone}
    style = Markup((FOLDER / "pages.css").read_text("utf-8"))  # ours, not a source's
    return environment.get_template(name).render(style=style, **values)
