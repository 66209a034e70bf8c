"""Where Dolma keeps attributes of documents: `ROOT/documents/PATH` has them in `ROOT/attributes/NAME/PATH`."""

from contextlib import suppress
from pathlib import Path

from pipeline.readers.folders import local_path

DOCUMENTS, ATTRIBUTES = "documents", "attributes"


def attribute_files(uri: str) -> list[str]:
    """Files of attributes that belong to a local file of documents, by the names of their folders."""
    head, slash, rest = (local_path(uri) or "").rpartition(f"/{DOCUMENTS}/")
    if not slash:
        return []
    folder = Path(head) / ATTRIBUTES
    with suppress(OSError):
        return [str(path) for name in sorted(folder.iterdir()) if (path := name / rest).is_file()]
    return []


def is_attributes(path: str) -> bool:
    """Whether a path within a folder is one of attributes, not of documents."""
    return ATTRIBUTES in path.split("/")[:-1]
