"""Which documents are kept: arrays beside plain Python, over graphs with everything that pairs can tell."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import OpenRootsError
from pipeline.deduplication import graph as graph_module
from pipeline.deduplication import greedy as greedy_module
from pipeline.deduplication import keys as keys_module
from pipeline.deduplication import orphans as orphans_module
from pipeline.deduplication import places as places_module
from pipeline.deduplication.greedy import LARGEST, STATISTICS, ChooseKept
from pipeline.deduplication.keys import shard_file
from pipeline.deduplication.minhash import band_hashes
from pipeline.deduplication.near import Signed
from pipeline.deduplication.pairs import LEADERS_MAX
from pipeline.deduplication.records import (
    CLUSTERS,
    CUT,
    DOCUMENT,
    DROPPED,
    EDGE,
    EMPTIED,
    FOLLOWS,
    KEPT,
    LINK,
    MEMBER,
    PAIR,
    TIE,
    EdgeFile,
    Shard,
)
from pipeline.deduplication.resolve import merge_members

ROWS, PERMUTATIONS, BANDS, MATCHES_MIN = 70, 8, 4, 3
Member = tuple[int, int, int, int, int, float, int]


@dataclass(frozen=True)
class Case:
    """A graph: records DOCUMENT by shard, rows emptied by shard, signatures by shard, records PAIR."""

    documents: list[np.ndarray]
    emptied: list[np.ndarray]
    signatures: list[np.ndarray]
    pairs: np.ndarray
    own: int


def make_case(seed: int, shards: int, pairs: int, kinds: Iterable[str]) -> Case:
    """Few priorities, lengths and ids, so that all rules of the order are asked; shard 1 is in no pair."""
    random = np.random.default_rng(seed)
    own = int(random.integers(1, shards + 1))
    documents, emptied, signatures = [], [], []
    for position in range(shards):
        records = np.zeros(ROWS, DOCUMENT)
        records["priority"] = 0 if position >= own else random.integers(1, 3, ROWS)
        records["length"] = random.integers(1, 4, ROWS)
        records["id_high"], records["id_low"] = random.integers(0, 3, ROWS), random.integers(0, 1 << 60, ROWS)
        records["source"] = random.integers(0, 2, ROWS)
        documents.append(records)
        emptied.append(np.flatnonzero(random.random(ROWS) < 0.2))
        signatures.append(random.integers(0, 3, (ROWS, PERMUTATIONS)).astype(np.uint32))
    shard = random.choice([position for position in range(shards) if position != 1], (2, pairs)).astype(np.uint64)
    nodes = shard << np.uint64(32) | random.integers(0, ROWS, (2, pairs), np.uint64)
    found = np.zeros(pairs, PAIR)
    found["left"], found["right"] = nodes
    kind = random.choice(sorted(kinds), pairs)
    found["matches"] = np.select(
        [kind == "tie", kind == "link", kind == "follows"],
        [TIE, LINK, LINK | FOLLOWS],
        random.integers(MATCHES_MIN, PERMUTATIONS + 1, pairs),
    )
    found = found[(found["left"] != found["right"]) | (found["matches"] & LINK != 0)]
    case = Case(documents, emptied, signatures, found, own)
    return replace(case, pairs=np.array(list(one_winner(case)), PAIR))


def one_winner(case: Case) -> Iterator[tuple[int, int, int]]:
    """Of ties only the first of each loser, whose winner comes before it."""
    seen = set()
    for left, right, matches in case.pairs.tolist():
        if matches & TIE:
            left, right = sorted((left, right), key=lambda node: order_of(case, node), reverse=True)
            if left in seen:
                continue
            seen.add(left)
        yield left, right, matches


def order_of(case: Case, node: int) -> tuple[int, ...]:
    record = case.documents[node >> 32][node & 0xFFFFFFFF]
    return (
        int(record["priority"]), -int(record["length"]), int(record["id_high"]), int(record["id_low"]), node
    )  # fmt: skip


def write_case(folder: Path, case: Case, files: int = 1) -> ChooseKept:
    """The files of a case; ties of losers and winners in a file of their own."""
    signed = []
    for position, records in enumerate(case.documents):
        records.tofile(folder / f"documents-{position}")
        cuts = np.zeros(len(case.emptied[position]) + 1, CUT)
        cuts["row"][:-1], cuts["nothing_left"][:-1] = case.emptied[position], 1
        cuts["row"][-1] = ROWS - 1
        cuts.tofile(folder / f"cuts-{position}")
        np.arange(ROWS, dtype="<u4").tofile(folder / f"rows-{position}")
        case.signatures[position].tofile(folder / f"signatures-{position}")
        names = [str(folder / f"{kind}-{position}") for kind in ("documents", "rows", "signatures", "bands")]
        signed.append(Signed(Shard(position, names[0], ROWS), *names[1:]))
    ties = case.pairs[case.pairs["matches"] == TIE]
    edges = np.zeros(len(ties), EDGE)
    edges["left"], edges["right"] = ties["left"], ties["right"]
    edges.tofile(folder / "ties")
    found = [EdgeFile(str(folder / "ties"), False)]
    for number, part in enumerate(np.array_split(case.pairs[case.pairs["matches"] != TIE], files)):
        part.tofile(folder / f"pairs-{number}")
        found.append(EdgeFile(str(folder / f"pairs-{number}"), True))
    shards = range(len(case.documents))
    return ChooseKept(
        own=case.own,
        documents=tuple(str(folder / f"documents-{position}") for position in shards),
        cuts=tuple(str(folder / f"cuts-{position}") for position in shards),
        signed=tuple(signed),
        sources=tuple((position, 10 + position) for position in shards),
        permutations=PERMUTATIONS,
        bands=BANDS,
        matches_min=MATCHES_MIN,
        files=tuple(found),
    )


def oracle(case: Case, orphans_max: int = LEADERS_MAX) -> dict[int, tuple[int | None, int]]:
    """Document → the document kept (itself: it stays; None: emptied) and equal values, in plain Python.

    Of a band that the best document of a crowded bucket has, only the first `orphans_max` orphans are compared with.
    """
    better: dict[int, list[tuple[int, int]]] = {}
    tie, crowded, follows, best = {}, set(), set(), set()
    nodes = sorted({*case.pairs["left"].tolist(), *case.pairs["right"].tolist()}, key=lambda n: order_of(case, n))
    for left, right, matches in case.pairs.tolist():
        if matches & TIE:
            tie[left] = right
        elif matches & LINK:
            best.add(left)
            crowded |= {left, right}
            follows |= {right} if matches & FOLLOWS else set()
        else:
            one, other = sorted((left, right), key=nodes.index)
            better.setdefault(other, []).append((-matches, nodes.index(one)))
    signature = {node: case.signatures[node >> 32][node & 0xFFFFFFFF] for node in nodes}
    bands = {node: set(band_hashes(signature[node][np.newaxis], BANDS)[0].tolist()) for node in nodes}
    orphans: dict[int, list[int]] = {band: [] for node in best for band in bands[node]}
    fate: dict[int, tuple[int | None, int]] = {}
    for node in nodes:
        is_ours = order_of(case, node)[0] > 0
        if is_ours and node in tie:
            winner = tie[node]
            is_emptied = winner & 0xFFFFFFFF in case.emptied[winner >> 32]
            fate[node] = (None, 0) if is_emptied else fate[winner]
            continue
        found = [edge for edge in better.get(node, []) if fate[nodes[edge[1]]][0] == nodes[edge[1]]]
        if is_ours and not found and (node in crowded or node in follows):
            near = {other for band in bands[node] for other in orphans.get(band, ())}
            scored = [(-int((signature[other] == signature[node]).sum()), nodes.index(other)) for other in near]
            found = [score for score in scored if -score[0] >= MATCHES_MIN]
        if is_ours and found:
            fate[node] = nodes[min(found)[1]], -min(found)[0]
        else:
            fate[node] = node, 0
            for band in bands[node] if node in follows else ():
                if len(orphans.get(band, range(orphans_max))) < orphans_max:
                    orphans[band].append(node)
    return fate


def expected_members(case: Case, orphans_max: int = LEADERS_MAX) -> list[Member]:
    fate = oracle(case, orphans_max)
    sizes = {node: sum(kept == node for kept, _ in fate.values()) for node in fate}
    members = []
    for node, (kept, matches) in sorted(fate.items()):
        if (kept == node and sizes[node] < 2) or node >> 32 >= case.own:
            continue
        keeper = node if kept is None else kept
        record = case.documents[keeper >> 32][keeper & 0xFFFFFFFF]
        what = EMPTIED if kept is None else KEPT if kept == node else DROPPED
        source = (keeper >> 32) + 10 * int(record["source"])
        similarity = float(np.float32(matches / PERMUTATIONS))
        identity = (int(record["id_high"]), int(record["id_low"])) if what == DROPPED else (0, 0)
        told = (node, what, *identity, source, similarity, max(sizes[keeper], 1))
        members.append(told)
    return members


def members_of(found: list[tuple[str, bytes]]) -> list[Member]:
    """Of all files that the bundles make, one a shard."""
    bundles: dict[str, bytes] = {}
    for name, part in found:
        if name != STATISTICS:
            bundles[name] = bundles.get(name, b"") + part
    files = [file for name, content in bundles.items() for file in merge_members(name, content)]
    assert len(dict(files)) == len(files)
    members: list[Member] = []
    for name, content in files:
        records = np.frombuffer(content, MEMBER)
        assert {shard_file(int(node) >> 32) for node in records["node"]} == {name}
        assert (np.diff(records["node"]) > 0).all()
        members += records.tolist()
    return sorted(members)


KINDS = st.sets(st.sampled_from(["edge", "tie", "link", "follows"]), min_size=1)


@given(st.integers(0, 1 << 32), st.integers(2, 5), st.integers(1, 150), KINDS, st.sampled_from([12, 14, 64]))
@settings(max_examples=60, deadline=None)
def test_what_is_kept_is_what_plain_python_keeps(
    tmp_path_factory: pytest.TempPathFactory, seed: int, shards: int, pairs: int, kinds: set[str], bits: int
) -> None:
    """`bits`: keys of edges so short that documents are decided some at a time."""
    case = make_case(seed, shards, pairs, kinds)
    choose = write_case(tmp_path_factory.mktemp("case"), case, files=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_module, "KEY_BITS", bits)
        patch.setattr(graph_module, "CHUNK", 16)
        patch.setattr(places_module, "CHUNK", 16)
        patch.setattr(keys_module, "BUNDLES_MAX", 3)
        found = list(choose(0, b""))
    assert members_of(found) == expected_members(case)


@given(st.integers(0, 1 << 32), st.integers(1, 300), st.sampled_from([1, 5, 1000]), st.sampled_from([1, 3, 64]))
@settings(max_examples=60, deadline=None)
def test_orphans_are_compared_with_however_few_are_read_ahead(
    tmp_path_factory: pytest.TempPathFactory, seed: int, pairs: int, ahead: int, orphans_max: int
) -> None:
    case = make_case(seed, 3, pairs, {"edge", "follows", "link"})
    choose = write_case(tmp_path_factory.mktemp("case"), case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orphans_module, "AHEAD_ROWS", ahead)
        patch.setattr(greedy_module, "LEADERS_MAX", orphans_max)
        assert members_of(list(choose(0, b""))) == expected_members(case, orphans_max)


def test_pairs_of_a_partition_are_decided_like_those_of_files(tmp_path: Path) -> None:
    case = make_case(3, 4, 120, {"edge", "tie"})
    choose = write_case(tmp_path, case)
    assert members_of(list(replace(choose, files=())(0, case.pairs.tobytes()))) == expected_members(case)


def test_no_pairs_have_no_members(tmp_path: Path) -> None:
    case = make_case(3, 2, 5, {"edge"})
    choose = write_case(tmp_path, replace(case, pairs=case.pairs[:0]))
    assert list(choose(0, b"")) == []


def test_clusters_are_counted_and_the_largest_named(tmp_path: Path) -> None:
    case = make_case(8, 3, 60, {"edge"})
    found = dict(write_case(tmp_path, case)(0, b""))
    fate = oracle(case)
    sizes = {node: sum(kept == node for kept, _ in fate.values()) for node in fate}
    clusters = np.frombuffer(found[STATISTICS], CLUSTERS)
    counted = clusters[clusters["count"] > 0]
    large = [size for size in sizes.values() if size > 1]
    assert dict(zip(counted["size"].tolist(), counted["count"].tolist(), strict=True)) == {
        size: large.count(size) for size in set(large)
    }
    named = [(-size, *order_of(case, node)[2:4]) for node, size in sizes.items() if size > 1]
    largest = [(-int(c["size"]), int(c["id_high"]), int(c["id_low"])) for c in clusters[clusters["count"] == 0]]
    assert largest == sorted(named)[:LARGEST]


def test_too_many_documents_for_one_worker_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "DOCUMENTS_MAX", 10)
    with pytest.raises(OpenRootsError, match="in_memory_edges_max"):
        list(write_case(tmp_path, make_case(3, 4, 120, {"edge"}))(0, b""))
