"""Real text in many scripts, from the committed data of the recipe `tiny`."""

import tarfile
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

TINY = Path(__file__).resolve().parents[2] / "configs" / "data" / "tiny"
ARCHIVES = ("help", "installation-guide", "messages", "wiki-messages", "wolof-french")


@lru_cache(1)
def tiny_texts() -> pa.LargeStringArray:
    """Members of the committed archives that are valid UTF-8, whole."""
    texts = []
    for name in ARCHIVES:
        with tarfile.open(TINY / f"{name}.tar.xz") as archive:
            for member in archive:
                if member.isfile():
                    try:
                        texts.append(archive.extractfile(member).read().decode())
                    except UnicodeDecodeError:
                        continue
    return pa.array(texts, pa.large_string())
