"""The console on which commands speak: what others named is shown escaped, and a closed pipe stops nothing."""

import os
import sys
from collections.abc import Collection
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.shown import shown_lines

_WIDTH_MIN = 20


class Terminal(Console):
    """Rich's console without its markup: square brackets and `:names:` in paths and keys are themselves."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if self.width < _WIDTH_MIN:  # COLUMNS=0, as some who start programs have it: nothing would be shown
            self.width = 80

    def render_str(self, text: str, **options: Any) -> Text:
        """Text for strings wherever they stand, in tables too; control characters as escapes."""
        return super().render_str(shown_lines(text), **options)

    def on_broken_pipe(self) -> None:
        """Nobody listens any more: fall silent, work on."""
        self.quiet = True


def plain_table(*names: str, left: Collection[str] | None = None) -> Table:
    """A table without lines. Columns are right-aligned except those named `left`: by default, the first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in (names[:1] if left is None else left) else "right")
    return table


def standard_error() -> Terminal:
    """A console on a duplicate of standard error: the descriptor itself is lent to worker processes meanwhile."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    stream = open(os.dup(2), "w", encoding=encoding, errors="backslashreplace")  # noqa: SIM115 - as long as the process
    return Terminal(file=stream, soft_wrap=True)
