"""Hashing inside of kernels: FNV-1a over characters, and a finaliser that spreads what it leaves."""

from typing import Any

import numpy as np
from numba import njit

OFFSET = np.uint64(0xCBF29CE484222325)
"""What FNV-1a begins with; each character: (value ^ character) * PRIME."""
PRIME = np.uint64(0x100000001B3)
M1, M2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
"""Factors of the finaliser."""
_S33 = np.uint64(33)


@njit(cache=True, nogil=True, inline="always")
def finish64(value: Any) -> Any:
    """The finaliser of MurmurHash3 (64 bits), uint64."""
    value = (value ^ (value >> _S33)) * M1
    value = (value ^ (value >> _S33)) * M2
    return value ^ (value >> _S33)
