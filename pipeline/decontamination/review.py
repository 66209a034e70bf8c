"""What decontamination found, for people: page and item side by side."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from configs.errors import InputError
from configs.shown import shown
from pipeline.decontamination.stage import MATCHES_ENDING
from pipeline.runtime import storage
from pipeline.runtime.finished import manifest_records
from pipeline.runtime.ownership import WORK
from pipeline.runtime.phases import files_of
from pipeline.settle import DECONTAMINATE

CHARACTERS_MAX = 1500


def found_items(output: str, work: str | None = None) -> Iterator[dict[str, Any]]:
    """Every item found in a finished build: page, item and scores (`stage.MATCHES`), ids as hexadecimal digits.

    Raises InputError where the build looked for no items, or its work folder is gone.
    """
    folder = (work or "").rstrip("/") or storage.join(output, WORK)
    records = manifest_records(folder, DECONTAMINATE)
    if not records:
        cause = "there are no pages here that contain items of evaluation sets"
        remedy = (
            "Build with [[decontamination.sets]], or `openroots decontaminate`, and keep the work folder; or --work"
        )
        raise InputError(folder, cause, remedy)
    place = files_of(folder, DECONTAMINATE)
    for record in records.values():
        for file in record.files:
            if file.path.endswith(MATCHES_ENDING):
                with storage.open_stream(storage.join(place, file.path)) as reader:
                    for batch in reader:
                        for row in batch.to_pylist():
                            yield {**row, "id": row["id"].hex()}


def print_items(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """The page at the left, what it holds of the item marked; the item at the right."""
    for row in rows:
        title = f"{row['id']}  {row['decision']}  {row['source']} · {row['language']} · {row['uri']}"
        console.print(Text(shown(title, 500).rstrip(), style="bold"), soft_wrap=True)
        width = max(30, (console.width - 2) // 2)
        page = Text(_inline(row["before"]), style="dim")
        page.append(_inline(row["page"]), style="not dim bold red")
        page.append(_inline(row["after"]))
        item = Text(_inline(row["item_question"]))
        for answer in row["item_answers"]:
            item.append("\n\n" + _inline(answer), style="green")
        if row["item_passage"]:
            item.append("\n\n" + _inline(row["item_passage"]), style="dim")
        shares = " · ".join(f"{name} {row[name]:.2f}" for name in ("question", "answer", "passage") if row[name] > 0)
        right = Text(shown(f"{row['set']} {row['item']}", 60))
        panels = [
            Panel(page, title="page", width=width),
            Panel(item, title=right, subtitle=f"score {row['score']:.2f}: {shares}", width=width),
        ]
        console.print(Columns(panels, padding=(0, 1)))


def _inline(text: str) -> str:
    """Text that can't command the terminal, lines kept."""
    lines = "\n".join(shown(line, CHARACTERS_MAX) for line in text.split("\n"))
    return lines if len(lines) <= CHARACTERS_MAX else lines[:CHARACTERS_MAX] + " …"
