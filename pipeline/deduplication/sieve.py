"""What need not be shuffled: keys that no other document has, found by a first exchange of a few bits a key.

Almost all keys (ids, texts, bands, lines) are unlike all others. So where they are many, each group of shards first
sends fingerprints, the upper bits of its keys, sorted and packed (1.6 + log₂ of the step between two). A partition
counts equal ones and answers, by group, with the places of those that are frequent enough; the exchange proper then
sends these keys only, whole. Fingerprints may agree by chance, which costs a few keys sent for nothing; no key is
missed, so what comes of the exchange is the same.

The more shards a group has, the closer its fingerprints stand and the fewer bits each takes: one bit less for groups
twice as large. So that they need not fit in memory, keys that lie sorted in their files are read part by part. Where
these are of one group, whoever reads a part sees every key that there is in its span: it answers itself.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from pipeline.deduplication.packing import BITS_BESIDE_STEP, pack_sorted, unpack_sorted
from pipeline.deduplication.records import HASHES, Span, partition_of, read_all, split

GROUP_SHARDS_MAX = 4096
"""So many shards a group at most, so that what is read of each for a part is not tiny."""
GROUPS_MIN, PARTS_MIN, KEYS_MIN = 16, 64, 1 << 18
"""So many groups at least, of sorted keys so many parts of all groups, for many workers; each has so many keys."""
PART_KEYS, UNSORTED_KEYS = 1 << 27, 1 << 24
"""Keys that a worker holds at once, eight bytes each; fewer where it holds many of their records, too."""
BITS_MAX = 60
"""Of a fingerprint."""
BY_CHANCE = 1 / 64
"""Keys to a fingerprint, on average, where two equal ones are enough: so many keys are sent for nothing."""
FORM = 2
"""Goes up when files of a sieve are written otherwise."""
_FRAME = np.dtype([("group", "<u4"), ("first", "<u8"), ("count", "<u4")])
_THREADS, _AHEAD = 4, 32


class Keys(Protocol):
    """The keys of shards that an exchange groups by; `field` is the key's in its records."""

    field: ClassVar[str]

    def load(self, shard: Any, span: Span) -> Any:
        """What is read of a shard; where keys are sorted, of those within a span of hashes."""

    def hashes(self, loaded: Any) -> np.ndarray:
        """Its keys, evenly spread uint64 (n,), each as often as it counts."""

    def records(self, loaded: Any, passing: "Passing") -> np.ndarray:
        """Records (n,) of the keys that pass."""

    def pack(self, records: np.ndarray) -> bytes:
        """Records of a group, n ≥ 1, as they are shuffled."""


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
    """Shards that are read together, or those of their keys within a span of hashes.

    `passed` are the files of a sieve that tell which keys are sent, None: all.
    """

    number: int
    shards: tuple[Any, ...]
    span: Span = HASHES
    passed: tuple[str, ...] | None = None

    def is_in(self, partitions: int, chosen: range) -> bool:
        """Whether any of its keys may be in one of the chosen partitions."""
        first, last = ((key >> 32) * partitions >> 32 for key in (self.span.first, self.span.last))
        return first < chosen.stop and last >= chosen.start


def grouped(shards: Sequence[Any], keys: int, is_sorted: bool) -> list[Group]:
    """Shards in groups, in their order, each as often as it is read in parts.

    `keys` is how many all have, `is_sorted` whether their files have them in order.
    """
    count = group_count(len(shards), keys, is_sorted)
    members = [tuple(shards[len(shards) * n // count : len(shards) * (n + 1) // count]) for n in range(count)]
    parts = 1
    if is_sorted and shards:
        parts = max(-(-min(PARTS_MIN, -(-keys // KEYS_MIN)) // count), -(-keys // (count * PART_KEYS)))
    spans = [Span.part(number, parts) for number in range(parts)]
    every = [(part, span) for part in members for span in spans]
    return [Group(number, part, span) for number, (part, span) in enumerate(every)]


def group_count(shards: int, keys: int, is_sorted: bool) -> int:
    """How many groups of shards so many make."""
    least = -(-shards // GROUP_SHARDS_MAX)
    if is_sorted:
        return least
    return min(shards, max(least, min(GROUPS_MIN, -(-keys // KEYS_MIN)), -(-keys // UNSORTED_KEYS)))


def is_one(groups: Sequence[Group]) -> bool:
    """Whether all are one group, or parts of one."""
    return all(group.shards is groups[0].shards for group in groups)


def group_file(number: int) -> str:
    """Name of the file that a sieve writes for a group."""
    return f"group-{number:06d}"


def fingerprint_bits(keys: int, least: int) -> int:
    """Upper bits of keys that make a fingerprint; of so many keys those are sought that come `least` times."""
    by_chance = max(BY_CHANCE, least / 3 if least > 3 else 0)
    return min(BITS_MAX, max(1, math.ceil(math.log2(max(keys, 1) / by_chance))))


def packed_bytes(keys: int, groups: int, least: int) -> int:
    """About what fingerprints take when they are shuffled; of one group the places of frequent ones, at most."""
    if groups == 1:
        return math.ceil(keys * BITS_BESIDE_STEP / 8)
    step = fingerprint_bits(keys, least) - math.log2(max(1.0, keys / max(groups, 1)))
    return math.ceil(keys * (BITS_BESIDE_STEP + max(0.0, step)) / 8)


def records_bytes(keys: int, groups: int, beside: float) -> int:
    """About what so many records take, packed, of which each has so many bytes beside its key."""
    step = 64 - math.log2(max(1.0, keys / max(groups, 1)))
    return math.ceil(keys * (beside + (BITS_BESIDE_STEP + step) / 8))


@dataclass(frozen=True)
class ReadGroup:
    """Gives the records of a group, by partition, without those that its sieve held back."""

    keys: Keys
    bits: int = 64

    def __call__(self, group: Group, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """A buffer a partition."""
        if not group.is_in(partitions, chosen):
            return
        passing, found, places = self._passing(group), list[np.ndarray](), list[np.ndarray]()
        for one in _loaded(self.keys, group):
            records = self.keys.records(one, passing)
            where = partition_of(records[self.keys.field], partitions)
            mine = (where >= chosen.start) & (where < chosen.stop)
            found.append(records[mine])
            places.append(where[mine])
        if found:
            for partition, part in split(np.concatenate(found), np.concatenate(places)):
                yield partition, self.keys.pack(part)

    def _passing(self, group: Group) -> Passing:
        if group.passed is None:
            return Passing()
        shift = 64 - self.bits
        places = [found for _, _, found in unpack(read_all(group.passed, np.dtype("u1")).tobytes())]
        fingerprints = _fingerprints(self.keys, group, shift) if places else np.zeros(0, np.uint64)
        return Passing(np.unique(fingerprints[np.concatenate([*places, np.zeros(0, np.uint64)])]), shift)


@dataclass(frozen=True)
class ReadFingerprints:
    """Gives the fingerprints of a group by partition."""

    keys: Keys
    bits: int

    def __call__(self, group: Group, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """One frame a partition."""
        if not group.is_in(partitions, chosen):
            return
        shift = 64 - self.bits
        fingerprints = _fingerprints(self.keys, group, shift)
        borders = np.searchsorted(fingerprints, _borders(partitions, chosen, shift))
        for partition, first, stop in zip(chosen, borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            if first < stop:
                yield partition, pack(group.number, first, fingerprints[first:stop])


@dataclass(frozen=True)
class ReadFrequent:
    """Gives the places of the keys of a part that come `least` times: where there is one group, it has all of them."""

    keys: Keys
    least: int

    def __call__(self, group: Group, partitions: int, chosen: range) -> Iterator[tuple[int, bytes]]:
        """One frame."""
        partition = group.number % partitions
        if partition in chosen:
            fingerprints = _fingerprints(self.keys, group, 64 - BITS_MAX)
            places = np.flatnonzero(_are_frequent(fingerprints, self.least))
            if len(places):
                yield partition, pack(group.number, 0, places.astype(np.uint64))


def by_group(_: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """Answers by the group that they are for."""
    for group, first, values in unpack(buffer):
        yield group_file(group), pack(group, first, values)


def _are_frequent(ordered: np.ndarray, least: int) -> np.ndarray:
    """Which of sorted numbers come `least` times, bool (n,)."""
    found, reach = np.zeros(len(ordered), bool), 1
    ends = ordered[least - 1 :]
    found[: len(ends)] = ends == ordered[: len(ends)]  # of `least` in a row the first
    while reach < least:
        step = min(reach, least - reach)
        found[step:] |= found[:-step]
        reach += step
    return found


def _fingerprints(keys: Keys, group: Group, shift: int) -> np.ndarray:
    """Those of all keys of a group, sorted, uint64."""
    gathered = bytearray()  # grows where it lies, as half a gigabyte of keys should
    for loaded in _loaded(keys, group):
        gathered += (keys.hashes(loaded) >> np.uint64(shift)).data
    found = np.frombuffer(gathered, np.uint64)
    found.sort()
    return found


def _loaded(keys: Keys, group: Group) -> Iterator[Any]:
    """What is read of each shard, a few ahead: parts are small, and a store takes its time to answer."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(group.shards), _AHEAD):
            yield from pool.map(lambda shard: keys.load(shard, group.span), group.shards[start : start + _AHEAD])


def _borders(partitions: int, chosen: range, shift: int) -> np.ndarray:
    """The least fingerprints of partitions, and of that after the last, uint64: as `partition_of` divides them."""
    upper = [-(-(number << 32) // partitions) for number in range(chosen.start, chosen.stop + 1)]
    return np.array([-(-(half << 32) >> shift) for half in upper], np.uint64)


@dataclass(frozen=True)
class FindFrequent:
    """Tells each group which of its fingerprints come `least` times among all."""

    least: int

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """By group, the places of its keys among all of the group, in order."""
        frames = list(unpack(buffer))
        ordered = np.concatenate([values for _, _, values in frames])
        ordered.sort()
        passing = Passing(np.unique(ordered[_are_frequent(ordered, self.least)]))
        for group, first, values in frames:
            places = np.flatnonzero(passing(values)).astype(np.uint64)
            if len(places):
                yield group_file(group), pack(group, first, places + np.uint64(first))


def in_order(name: str, buffer: bytes) -> Iterator[tuple[str, bytes]]:
    """The frames of a group by their place in it."""
    frames = sorted(unpack(buffer), key=lambda frame: frame[1])
    yield name, b"".join(pack(group, first, values) for group, first, values in frames)


def count_passing(content: bytes) -> str:
    """How many keys of a group pass, from its file."""
    return str(sum(len(values) for _, _, values in unpack(content)))


def pack(group: int, first: int, values: np.ndarray) -> bytes:
    """Sorted numbers, uint64 (n,), n ≥ 1, of a group, and the place of the first of them among all of the group."""
    return np.array([(group, first, len(values))], _FRAME).tobytes() + pack_sorted(values)


def unpack(buffer: bytes) -> Iterator[tuple[int, int, np.ndarray]]:
    """Group, first place and numbers of all that was packed, one behind the other."""
    at = 0
    while at < len(buffer):
        frame = np.frombuffer(buffer, _FRAME, 1, at)[0]
        values, at = unpack_sorted(buffer, int(frame["count"]), at + _FRAME.itemsize)
        yield int(frame["group"]), int(frame["first"]), values
