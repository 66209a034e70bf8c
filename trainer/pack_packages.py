"""Packed text in the forms of MosaicML Streaming and litdata, written by their own packages.

    OUTPUT/mds/LANGUAGE/PART/       shards of MosaicML Streaming: a sample a sequence of L tokens, int32, none in two
    OUTPUT/litdata/LANGUAGE/PART/   litdata's optimized stream of tokens, int32, for blocks of L + 1
What is less than a sequence at a language's end is left out of `mds`; litdata's loader passes over what is less than a
block. Either package writes to this machine's disk only. A folder is written beside its place and then put there.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import ConfigurationError, OutputError
from configs.extras import need
from pipeline.runtime import storage
from trainer.order import PARTS

PACKAGES = {"mds": "streaming", "litdata": "litdata"}
"""By format, the package that writes it."""
_SHARD_TOKENS = 16 << 20


def check_package(form: str, output: str) -> None:
    """Refuse a form whose package is missing, or a place that it cannot write to. Raises ConfigurationError."""
    need(PACKAGES[form], form)
    if not storage.is_local(output):
        raise ConfigurationError(f"{output}: --format {form} writes to a local folder only; copy it from there")


def convert_by_package(output: str, manifest: dict[str, Any], form: str, blocks: Callable[[str], Any]) -> list[str]:
    """Write all languages and parts in a form; `blocks` reads a .npy file. Returns the files, relative to the form's.

    Raises ConfigurationError, see `check_package`, and OutputError where something cannot be written.
    """
    check_package(form, output)
    root = Path(storage.filesystem(storage.join(output, form))[1])
    write = {"mds": _mds, "litdata": _litdata}[form]
    length = manifest["sequence_length"]
    for language, parts in manifest["languages"].items():
        for part in PARTS:
            source = storage.join(output, "data", language, f"{part}-tokens.npy")
            target, fresh = root / language / part, root / language / f".{part}"
            try:
                for old in (target, fresh):
                    shutil.rmtree(old, ignore_errors=True)
                if parts[part]["tokens"] > length:
                    write(fresh, blocks(source), length)
                    fresh.rename(target)
            except OSError as error:
                raise OutputError(f"{target} cannot be written: {error}; free some room and start again") from error
    return sorted(path.relative_to(root).as_posix() for path in root.glob("*/*/**/*") if path.is_file())


def _mds(target: Path, blocks: Iterator[np.ndarray], length: int) -> None:
    from streaming import MDSWriter

    columns = {"tokens": f"ndarray:int32:{length}"}
    with MDSWriter(out=str(target), columns=columns, size_limit=4 * _SHARD_TOKENS, hashes=["xxh128"]) as writer:
        for piece in _pieces(blocks, length):
            if len(piece) == length:
                writer.write({"tokens": piece})


def _litdata(target: Path, blocks: Iterator[np.ndarray], length: int) -> None:
    import torch
    from litdata import TokensLoader
    from litdata.streaming import Cache

    block = length + 1
    size = max(1, _SHARD_TOKENS // block) * block
    target.mkdir(parents=True)
    cache = Cache(str(target), chunk_size=size, item_loader=TokensLoader(block))
    number = -1
    for number, piece in enumerate(_pieces(blocks, size)):
        cache[number] = torch.from_numpy(piece)
    cache.done()
    cache.merge()


def _pieces(blocks: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Numbers as int32 in pieces of `size`; the last may be shorter."""
    held = np.zeros(0, np.int32)
    for block in blocks:
        held = np.concatenate([held, block.astype(np.int32)])
        whole = len(held) // size * size
        for begin in range(0, whole, size):
            yield held[begin : begin + size].copy()
        held = held[whole:]
    if len(held):
        yield held
