"""Packed text as litdata's optimized stream of tokens, int32, for blocks of L + 1, written by litdata itself.

    OUTPUT/litdata/LANGUAGE/PART/

Its loader passes over what is less than a block at a language's end. The package writes to this machine's disk only. A
folder is written beside its place and then put there.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import ConfigurationError, OutputError
from configs.extras import need
from pipeline.runtime import storage
from trainer.order import PARTS
from trainer.pack_blocks import pieces, read_blocks

_SHARD_TOKENS = 16 << 20


def check_litdata(output: str) -> None:
    """Refuse where the package is missing, or a place that it cannot write to. Raises ConfigurationError."""
    need("litdata", "litdata")
    if not storage.is_local(output):
        raise ConfigurationError(f"{output}: --format litdata writes to a local folder only; copy it from there")


def write_litdata(output: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write all languages and parts; returns the files, relative to OUTPUT/litdata, with length and digest.

    Raises ConfigurationError, see `check_litdata`, and OutputError where something cannot be written.
    """
    check_litdata(output)
    root = Path(storage.filesystem(storage.join(output, "litdata"))[1])
    length = manifest["sequence_length"]
    for language, parts in manifest["languages"].items():
        for part in PARTS:
            source = storage.join(output, "data", language, f"{part}-tokens.npy")
            target, fresh = root / language / part, root / language / f".{part}"
            try:
                for old in (target, fresh):
                    shutil.rmtree(old, ignore_errors=True)
                if parts[part]["tokens"] > length:
                    _write(fresh, read_blocks(source), length + 1)
                    fresh.rename(target)
            except OSError as error:
                raise OutputError(f"{target} cannot be written: {error}; free some room and start again") from error
    paths = sorted(path for path in root.glob("*/*/**/*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): {"bytes": path.stat().st_size, "xxh3": storage.file_digest(str(path))}
        for path in paths
    }


def _write(target: Path, blocks: Iterator[np.ndarray], block: int) -> None:
    import torch
    from litdata import TokensLoader
    from litdata.streaming import Cache

    size = max(1, _SHARD_TOKENS // block) * block
    target.mkdir(parents=True)
    cache = Cache(str(target), chunk_size=size, item_loader=TokensLoader(block))
    for number, piece in enumerate(pieces(blocks, size)):
        cache[number] = torch.from_numpy(piece)
    cache.done()
    cache.merge()
