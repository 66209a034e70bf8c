"""How sorted numbers and records are written where they are shuffled, in as few bits as differ.

Keys are spread evenly, so that steps from one sorted key to the next are all of some length: Rice's code writes the
lower bits of a step as they are and counts the rest in ones and noughts, about 1.55 + log₂ of the mean step together.
Other fields go as what they have above the least of theirs, in the bits that the largest takes: of the number of a
document some 11 bits tell the shard among those of a group, and 15 the row. Nothing is rounded or cut.
"""

import numpy as np

BITS_BESIDE_STEP = 1.6
"""Of a number, beside log₂ of the mean step: at most, of keys that are spread evenly."""
_SORTED = np.dtype([("start", "<u8"), ("low_bits", "u1"), ("high_bytes", "<u4")])
FRAME_BYTES = _SORTED.itemsize
_COLUMN = np.dtype([("least", "<u4"), ("bits", "u1")])
_SAME = 255
"""In place of bits: as the half of an earlier field that `least` tells."""
_COUNT_BYTES = 4
_CHUNK = 1 << 14
"""Numbers whose bits are taken apart at a time; their bits end with a byte."""


def pack_sorted(values: np.ndarray) -> bytes:
    """Sorted numbers, uint64 (n,), n ≥ 1."""
    steps = np.diff(values, prepend=values[:1])
    mean = int(values[-1] - values[0]) // len(values)
    low_bits = max(0, mean.bit_length() - 1)
    ones = np.cumsum((steps >> np.uint64(low_bits)).astype(np.int64) + 1) - 1
    bitmap = np.zeros(int(ones[-1]) + 1, np.uint8)
    bitmap[ones] = 1
    upper = np.packbits(bitmap).tobytes()
    return np.array([(values[0], low_bits, len(upper))], _SORTED).tobytes() + upper + pack_bits(steps, low_bits)


def unpack_sorted(buffer: bytes, count: int, at: int) -> tuple[np.ndarray, int]:
    """So many numbers that were packed, and where in `buffer` they end."""
    frame = np.frombuffer(buffer, _SORTED, 1, at)[0]
    at += FRAME_BYTES
    size = int(frame["high_bytes"])
    ones = np.flatnonzero(np.unpackbits(np.frombuffer(buffer, np.uint8, size, at)))[:count]
    low_bits = int(frame["low_bits"])
    steps = (np.diff(ones, prepend=-1) - 1).astype(np.uint64) << np.uint64(low_bits)
    low, at = unpack_bits(buffer, count, low_bits, at + size)
    steps |= low
    steps[0] = frame["start"]
    return np.cumsum(steps, dtype=np.uint64), at


def pack_bits(values: np.ndarray, bits: int) -> bytes:
    """The lowest bits of numbers, uint64 (n,)."""
    parts = []
    for start in range(0, len(values) if bits else 0, _CHUNK):
        part = values[start : start + _CHUNK].astype(">u8").view(np.uint8).reshape(-1, 8)
        parts.append(np.packbits(np.unpackbits(part, axis=1)[:, 64 - bits :]).tobytes())
    return b"".join(parts)


def unpack_bits(buffer: bytes, count: int, bits: int, at: int) -> tuple[np.ndarray, int]:
    """So many numbers, uint64, and where in `buffer` they end."""
    size = -(-count * bits // 8)
    data, values = np.frombuffer(buffer, np.uint8, size, at), np.zeros(count, np.uint64)
    for start in range(0, count if bits else 0, _CHUNK):
        here = min(_CHUNK, count - start)
        part = np.zeros((here, 64), np.uint8)
        part[:, 64 - bits :] = np.unpackbits(data[start * bits // 8 :], count=here * bits).reshape(here, bits)
        values[start : start + here] = np.packbits(part, axis=1).view(">u8")[:, 0]
    return values, at + size


def pack_records(records: np.ndarray) -> bytes:
    """Records (n,), n ≥ 1, the first field a key of 64 unsigned bits; they come out sorted by it.

    Other fields are unsigned, or floats of 32 bits, whose bits go as they are.
    """
    names = records.dtype.names
    assert names is not None
    records = records.take(np.argsort(records[names[0]], kind="stable"))
    halves = [half for name in names for half in _halves(records[name])]
    parts = [len(records).to_bytes(_COUNT_BYTES, "little"), pack_sorted(np.ascontiguousarray(records[names[0]]))]
    for number, half in enumerate(halves[2:], 2):
        same = next((n for n in range(number) if half[0] == halves[n][0] and np.array_equal(half, halves[n])), None)
        if same is not None:  # an id that is the key itself, say
            parts.append(np.array([(same, _SAME)], _COLUMN).tobytes())
            continue
        least = half.min()
        bits = int(half.max() - least).bit_length()
        parts += [np.array([(least, bits)], _COLUMN).tobytes(), pack_bits(half - least, bits)]
    return b"".join(parts)


def unpack_records(buffer: bytes, dtype: np.dtype) -> np.ndarray:
    """Records of all that was packed, one behind the other."""
    parts, at = [np.zeros(0, dtype)], 0
    while at < len(buffer):
        part, at = _unpacked(buffer, dtype, at)
        parts.append(part)
    return np.concatenate(parts)


def _unpacked(buffer: bytes, dtype: np.dtype, at: int) -> tuple[np.ndarray, int]:
    count = int.from_bytes(buffer[at : at + _COUNT_BYTES], "little")
    key, at = unpack_sorted(buffer, count, at + _COUNT_BYTES)
    assert dtype.names is not None
    records, halves = np.zeros(count, dtype), list[np.ndarray]()
    for number, name in enumerate(dtype.names):
        value = np.zeros(count, np.uint64)
        for half in range(-(-dtype[name].itemsize // 4)):
            if number == 0:
                halves.append(_halves(key)[half])
            else:
                column = np.frombuffer(buffer, _COLUMN, 1, at)[0]
                least, bits = int(column["least"]), int(column["bits"])
                at += _COLUMN.itemsize
                if bits == _SAME:
                    halves.append(halves[least])
                else:
                    found, at = unpack_bits(buffer, count, bits, at)
                    halves.append(found + np.uint64(least))
            value = value << np.uint64(32) | halves[-1]
        records[name] = value.astype(np.uint32).view(np.float32) if dtype[name].kind == "f" else value
    return records, at


def _halves(values: np.ndarray) -> list[np.ndarray]:
    """The upper and the lower half, uint64, of numbers of 64 bits; such of 32 bits or fewer are one."""
    wide = (values.view(np.uint32) if values.dtype.kind == "f" else values).astype(np.uint64)
    return [wide] if values.dtype.itemsize <= 4 else [wide >> np.uint64(32), wide & np.uint64(0xFFFFFFFF)]
