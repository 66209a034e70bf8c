"""Folders that must lie on this machine's disk."""

from pathlib import Path

from configs.errors import ConfigurationError
from configs.shown import shown


def on_disk(path: str | Path) -> Path:
    """A path of this machine's disk, for what maps files into memory or hands them to a library that opens them.

    Raises ConfigurationError for a URL: `Path` would take `s3://bucket` for a folder named `s3:`.
    """
    scheme, mark, _ = str(path).partition("://")
    if mark and scheme.isalnum():
        copy = {"s3": "aws s3 sync", "gs": "gcloud storage rsync -r"}.get(scheme, "your store's client")
        raise ConfigurationError(
            f"{shown(path)}: this is read and written on this machine's own disk, or a mounted one, not in a store; "
            f"copy it there or back ({copy})"
        )
    return Path(path)
