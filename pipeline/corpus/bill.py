"""The bill of materials of a finished corpus (`governance.bill_of_materials`), of the files that lie in it."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError, InputError
from governance.bill_of_materials import Published, TrainedModel, bill_of_materials
from pipeline.corpus.reading import read_manifest
from pipeline.runtime import storage


def bill_of(
    corpus: str,
    supplier: str,
    location: str | None = None,
    released: datetime | None = None,
    model: TrainedModel | None = None,
) -> dict[str, Any]:
    """The SPDX 3.0.1 bill of the corpus in a folder (any fsspec path). Raises InputError, ConfigurationError."""
    manifest = read_manifest(corpus)
    path = storage.join(corpus, "statistics.json")
    try:
        statistics = storage.read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "Build the corpus again: it redoes the report") from error
    now = _now()
    built = now
    manifest_path = Path(corpus, "manifest.json")
    if "SOURCE_DATE_EPOCH" not in os.environ and storage.is_local(corpus) and manifest_path.exists():
        built = datetime.fromtimestamp(int(manifest_path.stat().st_mtime), UTC)
    return bill_of_materials(statistics, manifest, Published(supplier, built, now, released, location), model)


def _now() -> datetime:
    said = os.environ.get("SOURCE_DATE_EPOCH")
    if said is None:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(said), UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigurationError(f"SOURCE_DATE_EPOCH is not a number of seconds: {said[:40]!r}") from None
