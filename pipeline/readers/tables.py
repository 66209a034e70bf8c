"""Rows of tables (JSON lines, CSV, Parquet, Arrow) as documents, by the columns that the source's entry maps."""

from collections.abc import Iterable, Sequence
from typing import Any

from configs.errors import InputError
from configs.models import Columns
from pipeline.readers.rows import Row, metadata_json

ALL = "*"
"""As a column of `metadata`: whatever else there is."""
_NAMES_MAX, _NAME_MAX = 10, 60


def missing_column(name: str, column: str, there: Sequence[str]) -> InputError:
    """The problem of a table without a column that the source's entry names; ten of those it has are listed."""
    shown = ", ".join(_shown(str(one)) for one in there[:_NAMES_MAX]) or "none"
    more = f" and {len(there) - _NAMES_MAX:,} more" if len(there) > _NAMES_MAX else ""
    cause = f"no column `{column}`; there are: {shown}{more}"
    return InputError(name, cause, "map the columns in the source's entry, [source.ID.columns]; or --text NAME")


def _shown(name: str) -> str:
    return name if len(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 1]}…"


def wrong_type(name: str, column: str, kind: str) -> InputError:
    """The problem of a text column that holds no text."""
    return InputError(name, f"column `{column}` holds {kind}, not text", "map the text column in the source's entry")


def wanted_columns(columns: Columns) -> tuple[str, ...]:
    """The columns that a source reads, each once, the text first."""
    named = (columns.text, columns.id, columns.language, columns.licence, columns.uri, *columns.metadata)
    return tuple(dict.fromkeys(name for name in named if name and name != ALL))


def metadata_columns(columns: Columns, there: Iterable[str]) -> list[str]:
    """The columns of a table or record that are carried into `metadata`."""
    if ALL not in columns.metadata:
        return [name for name in columns.metadata if name in there]
    mapped = (columns.text, columns.id, columns.language, columns.licence, columns.uri)
    return [name for name in there if name not in mapped]


def said(value: Any) -> str | None:
    """A value as text; None where it says nothing."""
    return None if value is None or value == "" else str(value)


def row_of(record: dict[str, Any], columns: Columns, name: str, suffix: str) -> Row:
    """A record as a document; raises InputError that names the column and those that there are."""
    for column in (columns.text, columns.id):
        if column and column not in record:
            raise missing_column(name, column, tuple(record))
    text = record[columns.text]
    if text is None:
        raise InputError(name, f"column `{columns.text}` is null", "the document is skipped")
    if not isinstance(text, str):
        raise wrong_type(name, columns.text, type(text).__name__)
    metadata = "{}"
    if columns.metadata:
        metadata = metadata_json({key: record[key] for key in metadata_columns(columns, record)})
    key = said(record[columns.id]) if columns.id else None
    if columns.id and not key:
        suffix = f"#\0{suffix}"  # the place of a row without a key is no key of another
    return Row(
        text,
        suffix,
        key,
        said(record.get(columns.language)) if columns.language else None,
        said(record.get(columns.licence)) if columns.licence else None,
        said(record.get(columns.uri)) if columns.uri else None,
        metadata,
    )
