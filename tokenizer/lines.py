"""Line deduplication of a training sample, as ROOTS did for its tokenizer: a line counts once in its language.

Lines are compared whole, by a 64-bit hash of their bytes; among 10^9 distinct lines about one line in 2 × 10^10 is
taken for another and lost. Blank lines are always kept.
"""

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.deduplication.lines import hash_bytes
from pipeline.text.columns import text_buffers


class SeenLines:
    """Remembers lines, 16 to 32 bytes for each distinct one."""

    def __init__(self) -> None:
        self._slots = np.zeros(1 << 14, np.uint64)
        self._size = 0

    def __len__(self) -> int:
        """Distinct lines seen."""
        return self._size

    def new_lines(self, texts: pa.Array) -> pa.LargeStringArray:
        """Texts without the lines that were seen before, in these texts or in earlier calls; nulls become empty."""
        texts = texts.cast(pa.large_string()).fill_null("")
        starts, data = text_buffers(texts)
        lines = len(texts) + int(np.count_nonzero(data[starts[0] : starts[-1]] == 10))
        wanted = 1 << (2 * (self._size + lines)).bit_length()
        if wanted > len(self._slots):
            larger = np.zeros(wanted, np.uint64)
            _insert_all(self._slots, larger)
            self._slots = larger
        out = np.empty(int(starts[-1] - starts[0]), np.uint8)
        ends = np.zeros(len(texts) + 1, np.int64)
        self._size += _keep_new(starts, data, self._slots, out, ends)
        kept = out[: ends[-1]].copy()
        return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(kept))


@njit(cache=True, nogil=True)
def _is_new(slots: np.ndarray, value: np.uint64) -> bool:
    """Put a hash into the set; false where it was there."""
    value = max(value, np.uint64(1))  # 0 marks a free slot
    mask = np.uint64(len(slots) - 1)
    slot = value & mask
    while slots[slot] != 0:
        if slots[slot] == value:
            return False
        slot = (slot + np.uint64(1)) & mask
    slots[slot] = value
    return True


@njit(cache=True, nogil=True)
def _insert_all(slots: np.ndarray, into: np.ndarray) -> None:
    for value in slots:
        if value != 0:
            _is_new(into, value)


@njit(cache=True, nogil=True)
def _keep_new(starts: np.ndarray, data: np.ndarray, slots: np.ndarray, out: np.ndarray, ends: np.ndarray) -> int:
    to, added = 0, 0
    for row in range(len(starts) - 1):
        at, stop = starts[row], starts[row + 1]
        while at < stop:
            end = at
            while end < stop and data[end] != 10:
                end += 1
            is_new = False
            if end > at:
                is_new = _is_new(slots, hash_bytes(data, at, end))
                added += is_new
            if end == at or is_new:
                for i in range(at, min(end + 1, stop)):
                    out[to] = data[i]
                    to += 1
            at = end + 1
        ends[row + 1] = to
    return added
