"""What need not be shuffled: keys that no other document has, found by a first exchange of a few bits a key.

Almost all keys (ids, texts, bands, lines) are unlike all others. So where they are many, each group of shards first
sends fingerprints, the upper bits of its keys, sorted and packed as Elias and Fano do (about 2 + log₂ of the step
between two). A partition counts equal ones and answers, by group, with the places of those that are frequent enough;
the exchange proper then sends these keys only, whole. Fingerprints may agree by chance, which costs a few keys sent in
vain; no key is missed, so what comes of the exchange is the same.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.deduplication.records import partition_of, read_all

GROUPS_MIN, GROUP_SHARDS_MAX = 64, 16
"""So many groups at least, for many workers; so many shards a group at most, for their memory."""
BY_CHANCE = 1 / 64
"""Keys to a fingerprint, on average, where two equal ones are enough: so many keys are sent in vain."""
_FRAME = np.dtype(
    [("group", "<u4"), ("first", "<u8"), ("count", "<u4"), ("start", "<u8"), ("low_bits", "u1"), ("high_bytes", "<u4")]
)
_CHUNK = 1 << 14
"""Keys whose bits are taken apart at a time; their bits end with a byte."""


class Keys(Protocol):
    """The keys of shards that an exchange groups by."""

    def load(self, shard: Any) -> Any:
        """What is read of a shard, once for both of these."""

    def hashes(self, loaded: Any) -> np.ndarray:
        """All keys of a shard, evenly spread uint64 (n,), each as often as it counts."""

    def records(self, loaded: Any, partitions: int, chosen: range, passing: "Passing") -> Iterator[tuple[int, bytes]]:
        """Records of a shard by partition of their keys: those whose keys pass."""


@dataclass(frozen=True)
class Passing:
    """Which keys are to be sent: those with these fingerprints (sorted, distinct); None: all."""

    fingerprints: np.ndarray | None = None
    shift: int = 0

    def __call__(self, hashes: np.ndarray) -> np.ndarray:
        """Bool (n,)."""
        if self.fingerprints is None:
            return np.ones(len(hashes), bool)
        mine = hashes >> np.uint64(self.shift)
        if not len(self.fingerprints):
            return np.zeros(len(hashes), bool)
        places = np.minimum(np.searchsorted(self.fingerprints, mine), len(self.fingerprints) - 1)
        found: np.ndarray = self.fingerprints[places] == mine
        return found


@dataclass(frozen=True)
class Group:
    """Shards that are read together; `passed` are the files of a sieve that tell which keys are sent, None: all."""

    number: int
    shards: tuple[Any, ...]
    passed: tuple[str, ...] | None = None


def grouped(shards: Sequence[Any]) -> list[Group]:
    """Shards in groups, in their order."""
    size = _group_shards(len(shards))
    parts = [tuple(shards[start : start + size]) for start in range(0, len(shards), size)]
    return [Group(number, part) for number, part in enumerate(parts)]


def group_count(shards: int) -> int:
    """How many groups so many shards make."""
    return -(-shards // _group_shards(shards))


def _group_shards(shards: int) -> int:
    return min(max(shards // GROUPS_MIN, 1), GROUP_SHARDS_MAX)


def group_file(number: int) -> str:
    """Name of the file that a sieve writes for a group."""
    return f"group-{number:06d}"


def fingerprint_bits(keys: int, least: int) -> int:
    """Upper bits of keys that make a fingerprint; of so many keys those are sought that come `least` times."""
    by_chance = max(BY_CHANCE, least / 3 - 1)
    return min(60, max(1, math.ceil(math.log2(max(keys, 1) / by_chance))))


def packed_bytes(keys: int, groups: int, least: int) -> int:
    """About what fingerprints take when they are shuffled."""
    step = fingerprint_bits(keys, least) - math.log2(max(1.0, keys / max(groups, 1)))
    return math.ceil(keys * (2 + max(0.0, step)) / 8)


@dataclass(frozen=True)
class ReadGroup:
    """Gives the records of a group, by partition, without those that its sieve held back."""

    keys: Keys
    bits: int = 64

    def __call__(self, group: Group, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """Buffers of all shards together."""
        loaded = [self.keys.load(shard) for shard in group.shards]
        passing = self._passing(group, loaded)
        found: dict[int, list[bytes]] = {}
        for one in loaded:
            for partition, buffer in self.keys.records(one, partitions, chosen, passing):
                found.setdefault(partition, []).append(buffer)
        for partition in list(found):
            yield partition, b"".join(found.pop(partition))

    def _passing(self, group: Group, loaded: Sequence[Any]) -> Passing:
        if group.passed is None:
            return Passing()
        shift = 64 - self.bits
        places = [found for _, _, found in unpack(read_all(group.passed, np.dtype("u1")).tobytes())]
        fingerprints = _fingerprints(self.keys, loaded, shift)
        return Passing(np.unique(fingerprints[np.concatenate([*places, np.zeros(0, np.uint64)])]), shift)


@dataclass(frozen=True)
class ReadFingerprints:
    """Gives the fingerprints of a group by partition."""

    keys: Keys
    bits: int

    def __call__(self, group: Group, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """One frame a partition."""
        shift = 64 - self.bits
        fingerprints = _fingerprints(self.keys, [self.keys.load(shard) for shard in group.shards], shift)
        where = partition_of(fingerprints << np.uint64(shift), partitions)
        borders = np.searchsorted(where, np.arange(chosen.start, chosen.stop + 1))
        for partition, first, stop in zip(chosen, borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            if first < stop:
                yield partition, pack(group.number, first, fingerprints[first:stop])


def _fingerprints(keys: Keys, loaded: Sequence[Any], shift: int) -> np.ndarray:
    """Those of all keys of a group, sorted, uint64."""
    found = np.concatenate([*(keys.hashes(one) for one in loaded), np.zeros(0, np.uint64)])
    found >>= np.uint64(shift)
    found.sort()  # in place: of lines there are 100 MB a group
    return found


@dataclass(frozen=True)
class FindFrequent:
    """Tells each group which of its fingerprints come `least` times among all."""

    least: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """By group, the places of its keys among all of the group, in order."""
        frames = list(unpack(buffer))
        ordered = np.sort(np.concatenate([values for _, _, values in frames]))
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        frequent = ordered[starts[np.diff(np.r_[starts, len(ordered)]) >= self.least]]
        passing = Passing(frequent)
        for group, first, values in frames:
            places = np.flatnonzero(passing(values)).astype(np.uint64)
            if len(places):
                yield group_file(group), pack(group, first, places + np.uint64(first))


def in_order(_: str, buffer: bytes) -> bytes:
    """The frames of a group by their place in it."""
    frames = sorted(unpack(buffer), key=lambda frame: frame[1])
    return b"".join(pack(group, first, values) for group, first, values in frames)


def count_passing(content: bytes) -> str:
    """How many keys of a group pass, from its file."""
    return str(sum(len(values) for _, _, values in unpack(content)))


def pack(group: int, first: int, values: np.ndarray) -> bytes:
    """Sorted numbers, uint64 (n,), n ≥ 1, as Elias and Fano write them: some low bits each, the rest as a bitmap."""
    steps = values - values[0]
    low_bits = max(0, (int(steps[-1]) // len(steps)).bit_length() - 1)
    high = (steps >> np.uint64(low_bits)).astype(np.int64) + np.arange(len(steps))
    bitmap = np.zeros(int(high[-1]) + 1, np.uint8)
    bitmap[high] = 1
    upper = np.packbits(bitmap).tobytes()
    frame = np.array([(group, first, len(values), values[0], low_bits, len(upper))], _FRAME)
    return frame.tobytes() + upper + _low(steps, low_bits)


def unpack(buffer: bytes) -> Iterator[tuple[int, int, np.ndarray]]:
    """Group, first place and numbers of all that was packed, one behind the other."""
    at = 0
    while at < len(buffer):
        frame = np.frombuffer(buffer, _FRAME, 1, at)[0]
        count, low_bits, size = int(frame["count"]), int(frame["low_bits"]), int(frame["high_bytes"])
        at += _FRAME.itemsize
        upper = np.flatnonzero(np.unpackbits(np.frombuffer(buffer, np.uint8, size, at)))[:count]
        at += size
        values = (upper - np.arange(count)).astype(np.uint64) << np.uint64(low_bits)
        size = -(-count * low_bits // 8)
        values |= _unpacked_low(np.frombuffer(buffer, np.uint8, size, at), count, low_bits)
        at += size
        yield int(frame["group"]), int(frame["first"]), values + frame["start"]


def _low(values: np.ndarray, bits: int) -> bytes:
    parts = []
    for start in range(0, len(values) if bits else 0, _CHUNK):
        part = values[start : start + _CHUNK].astype(">u8").view(np.uint8).reshape(-1, 8)
        parts.append(np.packbits(np.unpackbits(part, axis=1)[:, 64 - bits :]).tobytes())
    return b"".join(parts)


def _unpacked_low(data: np.ndarray, count: int, bits: int) -> np.ndarray:
    values = np.zeros(count, np.uint64)
    for start in range(0, count if bits else 0, _CHUNK):
        here = min(_CHUNK, count - start)
        part = np.zeros((here, 64), np.uint8)
        part[:, 64 - bits :] = np.unpackbits(data[start * bits // 8 :], count=here * bits).reshape(here, bits)
        values[start : start + here] = np.packbits(part, axis=1).view(">u8")[:, 0]
    return values
