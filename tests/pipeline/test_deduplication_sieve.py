"""The sieve: fingerprints come through packing as they were, and no key that is frequent is held back."""

from collections import Counter
from dataclasses import replace

import fsspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deduplication.packing import pack_records, unpack_records
from pipeline.deduplication.records import KEYED, LINE, MEMBER, RANKED, Span, partition_of, read_span
from pipeline.deduplication.sieve import (
    BITS_MAX,
    FindFrequent,
    Group,
    ReadFingerprints,
    ReadFrequent,
    ReadGroup,
    by_group,
    fingerprint_bits,
    group_count,
    group_file,
    grouped,
    in_order,
    is_one,
    pack,
    packed_bytes,
    records_bytes,
    unpack,
)

HASHES = st.integers(0, 2**64 - 1)
KEYS = st.integers(0, 300).map(lambda n: n * 0x9E3779B97F4A7C15 % 2**64)


class Plain:
    """Keys of shards that are arrays of hashes; records are the hashes."""

    field = "hash"

    def load(self, shard, span):
        return np.array([key for key in shard if span.first <= key <= span.last], np.uint64)

    def hashes(self, loaded):
        return loaded

    def records(self, loaded, passing):
        return loaded[passing(loaded)].view([("hash", "<u8")])

    def pack(self, records):
        return records.tobytes()


def sieved(groups, read, reduce, partitions=3):
    """What each group still sends."""
    by_partition, answers = {}, {}
    for group in groups:
        for partition, buffer in read(group, partitions, range(partitions)):
            by_partition.setdefault(partition, []).append(buffer)
    for partition, buffers in sorted(by_partition.items(), reverse=True):
        for name, buffer in reduce(partition, b"".join(buffers)):
            answers.setdefault(name, []).append(buffer)
    return dict(file for name, buffers in answers.items() for file in in_order(name, b"".join(buffers)))


def sent(shards, bits, least, folder, partitions=3, parts=1):
    members = [tuple(part) for part in shards]
    every = [(part, Span.part(number, parts)) for part in members for number in range(parts)]
    groups = [Group(number, part, span) for number, (part, span) in enumerate(every)]
    if is_one(groups):
        bits = BITS_MAX
        files = sieved(groups, ReadFrequent(Plain(), least), by_group, partitions)
    else:
        files = sieved(groups, ReadFingerprints(Plain(), bits), FindFrequent(least), partitions)
    for group in groups:
        paths = []
        if content := files.get(group_file(group.number)):
            (folder / group_file(group.number)).write_bytes(content)
            paths = [str(folder / group_file(group.number))]
        group = replace(group, passed=tuple(paths))
        for partition, buffer in ReadGroup(Plain(), bits)(group, partitions, range(partitions)):
            found = np.frombuffer(buffer, np.uint64)
            assert (partition_of(found, partitions) == partition).all()
            yield from found.tolist()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.lists(HASHES, min_size=1))))
def test_packed_numbers_come_out_as_they_went_in(frames):
    given_frames = [(group, first, sorted(values)) for group, first, values in frames]
    packed = b"".join(pack(group, first, np.array(values, np.uint64)) for group, first, values in given_frames)
    assert [(group, first, values.tolist()) for group, first, values in unpack(packed)] == given_frames


def test_more_numbers_than_are_packed_at_a_time_take_what_is_reckoned():
    limit = 1 << fingerprint_bits(200_000, 2)  # of two groups
    values = np.sort(np.random.default_rng(3).integers(0, limit, 100_000).astype(np.uint64))
    packed = pack(0, 0, values)
    assert np.array_equal(next(unpack(packed))[2], values)
    assert len(packed) < packed_bytes(200_000, 2, 2) / 2 * 1.01


@given(st.lists(st.lists(st.lists(KEYS), max_size=3)) | st.lists(st.lists(KEYS), max_size=3).map(lambda one: [one]),
       st.integers(2, 9), st.sampled_from([4, 12, 60]), st.sampled_from([1, 3]))  # fmt: skip
def test_no_frequent_key_is_held_back(tmp_path_factory, shards, least, bits, parts):
    folder = tmp_path_factory.mktemp("sieve")
    counts = Counter(key for group in shards for shard in group for key in shard)
    passed = Counter(sent(shards, bits, least, folder, parts=parts))
    assert all(passed[key] == count for key, count in counts.items() if count >= least)
    if bits == BITS_MAX or len(shards) == 1:
        assert all(counts[key] >= least for key in passed)


def test_shards_are_grouped_and_read_part_by_part_where_there_are_many():
    sorted_ = [len(grouped(range(count), count << 20, True)) for count in (0, 1, 31, 5000, 100_000)]
    assert sorted_ == [0, 4, 64, 2 * 32, 25 * 32]
    unsorted = [len(grouped(range(count), count << 15, False)) for count in (0, 1, 31, 1000, 100_000)]
    assert unsorted == [0, 1, 4, 16, 196]
    assert all(
        group_count(count, count << 15, False) == len(grouped(range(count), count << 15, False))
        for count in (0, 1, 255, 5000)
    )
    assert [shard for group in grouped(range(1000), 1 << 25, False) for shard in group.shards] == list(range(1000))


def test_one_group_is_told_from_several():
    assert is_one([]) and is_one(grouped(range(4096), 1 << 40, True))
    assert not is_one(grouped(range(4097), 1 << 40, True))


@given(st.integers(1, 70), st.integers(1, 20), st.integers(1, 9))
def test_a_part_is_read_in_the_rounds_that_its_keys_are_in(parts, per_round, rounds):
    partitions = per_round * rounds
    for number in range(parts):
        span = Span.part(number, parts)
        first, last = partition_of(np.array([span.first, span.last], np.uint64), partitions).tolist()
        for turn in range(rounds):
            chosen = range(turn * per_round, (turn + 1) * per_round)
            group = Group(0, (), span)
            assert group.is_in(partitions, chosen) == any(first <= one <= last for one in chosen)


def test_few_keys_are_read_at_once():
    assert len(grouped(range(1000), 1000, True)) == len(grouped(range(1000), 1000, False)) == 1


def test_a_group_of_many_keys_is_read_part_by_part_or_has_fewer_shards():
    groups = grouped(range(8192), 2 * 64 * (1 << 27), True)
    assert len(groups) == 2 * 64
    assert [group.span.first for group in groups[:64]] == [number << 58 for number in range(64)]
    assert groups[63].span.last == (1 << 64) - 1
    assert [len(group.shards) for group in grouped(range(640), 640 * (1 << 23), False)] == [2] * 320


@pytest.mark.parametrize("is_remote", [False, True])
def test_a_span_is_read_from_a_file_that_is_sorted_source_by_source(tmp_path, is_remote):
    generator = np.random.default_rng(5)
    even = np.sort(generator.integers(0, 1 << 64, 100_000, np.uint64))
    crowded = np.sort(np.r_[np.full(3000, 7 << 60, np.uint64), generator.integers(0, 99, 500).astype(np.uint64)])
    records = np.zeros(len(even) + len(crowded), LINE)
    records["hash"], records["count"] = np.r_[even, crowded], np.arange(len(records))
    path = "memory://span/lines" if is_remote else str(tmp_path / "lines")
    with fsspec.open(path, "wb") as stream:
        stream.write(records.tobytes())
    for rows in (range(len(even)), range(len(even), len(records)), range(5, 5), range(9, 20)):
        for parts in (1, 2, 7, 1000):
            spans = [Span.part(number, parts) for number in range(parts)]
            found = [read_span(path, LINE, rows, span) for span in spans]
            assert np.array_equal(np.concatenate(found), records[rows.start : rows.stop])
            assert all(part["hash"].max() <= span.last for span, part in zip(spans, found, strict=True) if len(part))


@given(st.lists(st.lists(st.tuples(*[HASHES] * 2, st.integers(0, 3), *[HASHES] * 4), min_size=1)), st.booleans())
def test_packed_records_come_out_sorted_by_key(groups, is_id):
    given_groups = [
        np.array([(a, b, c, d, a if is_id else e, b if is_id else f, g) for a, b, c, d, e, f, g in group], RANKED)
        for group in groups
    ]
    found = unpack_records(b"".join(map(pack_records, given_groups)), RANKED)
    expected = [group[np.argsort(group["key_high"], kind="stable")] for group in given_groups]
    assert np.array_equal(found, np.concatenate([*expected, np.zeros(0, RANKED)]))


def test_records_with_floats_and_bytes_are_packed():
    members = np.zeros(9, MEMBER)
    members["node"], members["fate"] = np.arange(9)[::-1], [0, 1, 2] * 3
    members["similarity"], members["kept_low"] = np.linspace(0, 1, 9), (1 << 64) - 1
    assert np.array_equal(unpack_records(pack_records(members), MEMBER), members[::-1])


def test_packed_records_take_what_is_reckoned():
    generator, count = np.random.default_rng(6), 1 << 15
    records = np.zeros(count, KEYED)
    records["hash"] = generator.integers(0, 1 << 64, count, np.uint64)
    records["node"] = generator.integers(0, 2048, count, np.uint64) << 32
    records["node"] |= generator.integers(0, 33_000, count, np.uint64)
    assert len(pack_records(records)) < records_bytes(count, 1, 27 / 8) + 99


def test_fingerprints_grow_with_the_number_of_keys_and_shrink_where_many_must_agree():
    assert fingerprint_bits(1 << 20, 2) == 26
    assert fingerprint_bits(1 << 21, 2) == 27
    assert fingerprint_bits(1 << 20, 10) < 20
