"""The sieve: fingerprints come through packing as they were, and no key that is frequent is held back."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deduplication.sieve import (
    FindFrequent,
    Group,
    ReadFingerprints,
    ReadGroup,
    fingerprint_bits,
    group_count,
    group_file,
    grouped,
    in_order,
    pack,
    packed_bytes,
    unpack,
)

HASHES = st.integers(0, 2**64 - 1)


class Plain:
    """Keys of shards that are arrays of hashes; records are the hashes."""

    def load(self, shard):
        return np.array(shard, np.uint64)

    def hashes(self, loaded):
        return loaded

    def records(self, loaded, partitions, chosen, passing):
        yield 0, loaded[passing(loaded)].tobytes()


def sieved(shards, bits, least, partitions=3):
    """What each group still sends."""
    groups = [Group(number, tuple(part)) for number, part in enumerate(shards)]
    by_partition, by_group = {}, {}
    for group in groups:
        for partition, buffer in ReadFingerprints(Plain(), bits)(group, partitions, range(partitions)):
            by_partition.setdefault(partition, []).append(buffer)
    for partition, buffers in sorted(by_partition.items(), reverse=True):
        for name, buffer in FindFrequent(least)(partition, b"".join(buffers)):
            by_group.setdefault(name, []).append(buffer)
    return groups, {name: in_order(name, b"".join(buffers)) for name, buffers in by_group.items()}


def sent(shards, bits, least, folder, partitions=3):
    groups, files = sieved(shards, bits, least, partitions)
    for group in groups:
        paths = []
        if content := files.get(group_file(group.number)):
            (folder / group_file(group.number)).write_bytes(content)
            paths = [str(folder / group_file(group.number))]
        group = Group(group.number, group.shards, tuple(paths))
        for _, buffer in ReadGroup(Plain(), bits)(group, partitions, range(partitions)):
            yield from np.frombuffer(buffer, np.uint64).tolist()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.lists(HASHES, min_size=1))))
def test_packed_numbers_come_out_as_they_went_in(frames):
    given_frames = [(group, first, sorted(values)) for group, first, values in frames]
    packed = b"".join(pack(group, first, np.array(values, np.uint64)) for group, first, values in given_frames)
    assert [(group, first, values.tolist()) for group, first, values in unpack(packed)] == given_frames


def test_more_numbers_than_are_packed_at_a_time_take_what_is_reckoned():
    limit = 1 << fingerprint_bits(100_000, 2)
    values = np.sort(np.random.default_rng(3).integers(0, limit, 100_000).astype(np.uint64))
    packed = pack(0, 0, values)
    assert np.array_equal(next(unpack(packed))[2], values)
    assert len(packed) < packed_bytes(100_000, 1, 2) * 1.01


@given(st.lists(st.lists(st.lists(st.integers(0, 300).map(lambda n: n * 0x9E3779B97F4A7C15 % 2**64)), max_size=3)),
       st.integers(2, 4), st.sampled_from([4, 12, 60]))  # fmt: skip
def test_no_frequent_key_is_held_back(tmp_path_factory, shards, least, bits):
    folder = tmp_path_factory.mktemp("sieve")
    counts = Counter(key for group in shards for shard in group for key in shard)
    passed = Counter(sent(shards, bits, least, folder))
    assert all(passed[key] == count for key, count in counts.items() if count >= least)
    if bits == 60:
        assert all(counts[key] >= least for key in passed)


def test_shards_are_grouped_where_there_are_many():
    assert [len(grouped(range(count))) for count in (0, 1, 127, 1000, 100_000)] == [0, 1, 127, 67, 6250]
    assert all(group_count(count) == len(grouped(range(count))) for count in (0, 1, 255, 700, 5000))


def test_fingerprints_grow_with_the_number_of_keys_and_shrink_where_many_must_agree():
    assert fingerprint_bits(1 << 20, 2) == 26
    assert fingerprint_bits(1 << 21, 2) == 27
    assert fingerprint_bits(1 << 20, 10) < 20
