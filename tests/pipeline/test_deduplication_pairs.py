"""Pairs of a partition: whatever is compared at once, they are those that plain Python finds bucket by bucket."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deduplication import pairs as pairs_module
from pipeline.deduplication.near import Signed
from pipeline.deduplication.packing import pack_records
from pipeline.deduplication.pairs import FindPairs
from pipeline.deduplication.records import DOCUMENT, FOLLOWS, KEYED, LINK, PAIR, Shard

SHARDS, ROWS, PERMUTATIONS, MATCHES_MIN = 3, 12, 6, 3
Pair = tuple[int, int, int]


def write_shards(folder: Path, random: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray], list[Signed]]:
    """Records DOCUMENT, signatures and their files."""
    documents, signatures, signed = [], [], []
    for position in range(SHARDS):
        records = np.zeros(ROWS, DOCUMENT)
        records["priority"], records["length"] = random.integers(1, 3, ROWS), random.integers(1, 3, ROWS)
        records["id_low"] = random.integers(0, 1 << 60, ROWS)
        values = random.integers(0, 2, (ROWS, PERMUTATIONS)).astype("<u4")
        names = [str(folder / f"{kind}-{position}") for kind in ("documents", "rows", "signatures", "bands")]
        for name, content in zip(names, (records, np.arange(ROWS, dtype="<u4"), values), strict=False):
            content.tofile(name)
        documents.append(records)
        signatures.append(values)
        signed.append(Signed(Shard(position, names[0], ROWS), *names[1:]))
    return documents, signatures, signed


def plain_pairs(
    buckets: list[list[int]], documents: list[np.ndarray], signatures: list[np.ndarray], small: int, leaders_max: int
) -> set[Pair]:
    def order(node: int) -> tuple[int, ...]:
        record = documents[node >> 32][node & 0xFFFFFFFF]
        return int(record["priority"]), -int(record["length"]), int(record["id_low"])

    def equal(one: int, other: int) -> int:
        values = (signatures[node >> 32][node & 0xFFFFFFFF] for node in (one, other))
        return int(np.equal(*values).sum())

    found = set()
    for bucket in buckets:
        members, leaders = sorted(bucket, key=order), list[int]()
        for place, member in enumerate(members):
            with_whom = leaders if len(members) > small else members[:place]
            edges = [(min(member, other), max(member, other), equal(member, other)) for other in with_whom]
            edges = [edge for edge in edges if edge[2] >= MATCHES_MIN]
            found |= set(edges)
            if len(members) > small:
                leads = not edges and len(leaders) < leaders_max
                leaders += [member] if leads else []
                found.add((members[0], member, int(LINK if leads else LINK | FOLLOWS)))
    return found


@given(
    st.integers(0, 1 << 32),
    st.lists(st.integers(1, SHARDS * ROWS), min_size=1, max_size=12),
    st.sampled_from([1, 3, 8, 50]),
    st.sampled_from([1, 3, 64]),
    st.sampled_from([1, 7, 1 << 20]),
    st.sampled_from([1, 8, 70, 1 << 10]),
)
@settings(max_examples=100, deadline=None)
def test_pairs_are_those_of_plain_python(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    sizes: list[int],
    small: int,
    leaders_max: int,
    a_file: int,
    gathered: int,
) -> None:
    random = np.random.default_rng(seed)
    documents, signatures, signed = write_shards(tmp_path_factory.mktemp("pairs"), random)
    nodes = np.array([shard << 32 | row for shard in range(SHARDS) for row in range(ROWS)], np.uint64)
    buckets = [random.choice(nodes, size, replace=False) for size in sizes]
    records = np.zeros(sum(sizes), KEYED)
    records["hash"] = np.repeat(random.permutation(len(sizes)).astype(np.uint64) << np.uint64(50), sizes)
    records["node"] = np.concatenate(buckets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_module, "BUCKET_ALL_PAIRS_MAX", small)
        patch.setattr(pairs_module, "LEADERS_MAX", leaders_max)
        patch.setattr(pairs_module, "FILE_PAIRS", a_file)
        patch.setattr(pairs_module, "GATHERED_ROWS", gathered)
        files = list(FindPairs(tuple(signed), PERMUTATIONS, MATCHES_MIN)(4, pack_records(records)))
    parts = [np.frombuffer(content, PAIR) for _, content in files]
    assert {pair for part in parts for pair in part.tolist()} == plain_pairs(
        [bucket.tolist() for bucket in buckets if len(bucket) > 1], documents, signatures, small, leaders_max
    )
    assert len({name for name, _ in files}) == len(files)
    assert all(len(part) and len(np.unique(part)) == len(part) for part in parts)
