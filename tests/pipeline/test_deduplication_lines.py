"""Counted lines on their way through a shuffle: packed and unpacked, nothing changes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deduplication.recurring import PACKED_BYTES, pack_lines, unpack_lines

LINES = st.dictionaries(st.integers(0, 2**64 - 1), st.integers(1, 2**32 - 1), min_size=1, max_size=50)


def columns(lines: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    hashes = sorted(lines)
    return np.array(hashes, np.uint64), np.array([lines[key] for key in hashes], np.uint32)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), LINES), max_size=4))
def test_what_is_packed_comes_back(parts: list[tuple[int, dict[int, int]]]) -> None:
    packed = b"".join(pack_lines(source, *columns(lines)) for source, lines in parts)
    back = [
        (source, dict(zip(hashes.tolist(), counts.tolist(), strict=True)))
        for source, hashes, counts in unpack_lines(packed)
    ]
    assert back == parts


def test_a_line_takes_about_as_many_bytes_as_is_planned_for() -> None:
    hashes = np.unique(np.random.default_rng(1).integers(0, 2**64, 2_000_000, np.uint64))
    counts = np.where(np.arange(len(hashes)) % 50, 1, 3)
    assert len(pack_lines(0, hashes, counts)) <= PACKED_BYTES * len(hashes)
