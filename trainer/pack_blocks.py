"""The numbers of packed text, read in blocks, so that no more than a block is in memory."""

from collections.abc import Iterator

import numpy as np
from numpy.lib import format as npy

from configs.errors import InputError
from pipeline.runtime import storage

_BLOCK = 4 << 20


def read_blocks(path: str) -> Iterator[np.ndarray]:
    """The numbers of a one-dimensional .npy file, block by block. Raises InputError."""
    fs, inner = storage.filesystem(path)
    try:
        with fs.open(inner, "rb") as stream:
            npy.read_magic(stream)  # type: ignore[no-untyped-call]
            (left,), _, dtype = npy.read_array_header_2_0(stream)  # type: ignore[no-untyped-call]
            while left:
                count = min(left, _BLOCK)
                data = stream.read(count * dtype.itemsize)
                if len(data) != count * dtype.itemsize:
                    raise ValueError("it ends early")
                left -= count
                yield np.frombuffer(data, dtype)
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "Pack again: it redoes what is damaged") from error


def pieces(blocks: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
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
