"""Which documents are kept: a document is dropped only for one that is kept and similar enough to it.

Documents come in one total order: those of finished builds, then by source priority, length and id. A document that is
similar to one that is kept already is dropped for it, for the most similar if there are several; any other is kept.
Two documents at the ends of a chain of similar ones are thus both kept. This is the lexicographically first maximal
independent set of the graph whose edges are pairs of similar documents. A connected component can be decided alone;
the answer depends neither on how documents arrived nor on how they were spread over shards, rounds and workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit

from pipeline.deduplication.graph import Graph, Pairs
from pipeline.deduplication.keys import by_bundle
from pipeline.deduplication.near import Signed
from pipeline.deduplication.orphans import Ahead, CrowdedBuckets, Orphans, add_orphan, most_similar
from pipeline.deduplication.packing import pack_records
from pipeline.deduplication.pairs import LEADERS_MAX
from pipeline.deduplication.records import (
    CLUSTERS,
    CUT,
    DROPPED,
    EMPTIED,
    KEPT,
    MEMBER,
    EdgeFile,
    read_records,
)

STATISTICS = "statistics"


@dataclass(frozen=True)
class ChooseKept:
    """Chooses the documents kept, of all components or of those in a partition.

    own         number of shards that get a result; behind them come those of finished builds, all of which are kept
    documents   files of records DOCUMENT by position of the shard
    cuts        files of records CUT by position
    signed      files of signatures by position; none without near-duplicates
    sources     by position: the place among all sources of each source of the shard
    files       all edges; none where the buffer of the partition holds them
    """

    own: int
    documents: tuple[str, ...]
    cuts: tuple[str, ...]
    signed: tuple[Signed, ...]
    sources: tuple[tuple[int, ...], ...]
    permutations: int
    bands: int
    matches_min: int
    files: tuple[EdgeFile, ...] = ()

    def __call__(self, _: int, buffer: bytes) -> Iterator[tuple[str, bytes]]:
        """Records MEMBER by bundle of shards, packed, and counts of clusters (records CLUSTERS)."""
        graph = Graph.of(Pairs(buffer, self.files), self.documents, self.sources)
        fate, matches = self._decide(graph)
        sizes = np.zeros(len(fate), np.uint32)
        _count(fate, sizes)
        yield from self._members(graph, fate, matches, sizes)
        several = np.flatnonzero(sizes > 1)
        if len(several):
            yield STATISTICS, _counted(sizes[several], graph.ids, graph.place[several]).tobytes()

    def _decide(self, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
        """By rank: the rank of the document kept, int32 (its own: it stays; -1: emptied), and how many values are
        equal, uint32.
        """
        count = len(graph.place)
        fate, matches = np.full(count, -1, np.int32), np.zeros(count, np.uint32)
        buckets = CrowdedBuckets(graph, self.signed, self.permutations, self.bands)
        flags = (graph.always, graph.tie, graph.crowded, graph.follows, self._emptied(graph))
        limits = (self.matches_min, LEADERS_MAX)
        for edges in graph.grouped():
            layout = (edges.keys, edges.start, edges.stop, edges.rank_bits, edges.matches_bits, edges.least)
            at, edge = edges.start, 0
            while True:
                at, edge = _decide_from(
                    at, edge, *layout, *flags, buckets.ahead, buckets.orphans, *limits, fate, matches
                )
                if at == edges.stop:
                    break
                buckets.read_ahead(at)
        return fate, matches

    def _emptied(self, graph: Graph) -> np.ndarray:
        """Which documents lost all their lines, bool by rank."""
        out = np.zeros(len(graph.place), bool)
        for position in graph.places.shards():
            cuts = read_records(self.cuts[position], CUT)
            out[graph.rank[graph.places.held(position, cuts["row"][cuts["nothing_left"] == 1])]] = True
        return out

    def _members(
        self, graph: Graph, fate: np.ndarray, matches: np.ndarray, sizes: np.ndarray
    ) -> Iterator[tuple[str, bytes]]:
        for first, numbers in graph.places.chunks():
            ranks = graph.rank[first : first + len(numbers)]
            kept = fate.take(ranks)  # `take` is many times as fast as brackets
            keeper = np.where(kept >= 0, kept, ranks)
            size = sizes.take(keeper)
            chosen = np.flatnonzero(((kept != ranks) | (size > 1)) & (numbers < np.uint64(self.own << 32)))
            ranks, kept, keeper = ranks.take(chosen), kept.take(chosen), graph.place.take(keeper.take(chosen))
            members = np.zeros(len(chosen), MEMBER)
            members["node"] = numbers.take(chosen)
            members["fate"] = np.where(kept < 0, EMPTIED, np.where(kept == ranks, KEPT, DROPPED))
            members["kept_high"], members["kept_low"] = graph.ids.take(keeper, axis=0).T
            members["kept_source"] = graph.sources.take(keeper)
            members["similarity"] = matches.take(ranks) / np.float32(self.permutations)
            members["size"] = np.maximum(size.take(chosen), 1)
            for bundle, part in by_bundle(members, members["node"]):
                yield bundle, pack_members(part)


def pack_members(members: np.ndarray) -> bytes:
    """Records MEMBER of a bundle as they are shuffled: the id of the one kept only of those that are dropped for it."""
    is_dropped = members["fate"] == DROPPED
    stays = members.compress(~is_dropped)
    stays["kept_high"], stays["kept_low"] = 0, 0
    return b"".join(pack_records(part) for part in (members.compress(is_dropped), stays) if len(part))


@njit(cache=True, nogil=True)
def _decide_from(
    at: int,
    edge: int,
    keys: np.ndarray,
    start: int,
    stop: int,
    rank_bits: int,
    matches_bits: int,
    least: int,
    always: int,
    tie: np.ndarray,
    crowded: np.ndarray,
    follows: np.ndarray,
    emptied: np.ndarray,
    ahead: Ahead,
    orphans: Orphans,
    matches_min: int,
    orphans_max: int,
    fate: np.ndarray,
    matches: np.ndarray,
) -> tuple[int, int]:
    """Decide documents from one on, whose edges begin at `edge` or after it.

    Returns the first whose signature is asked for and not ahead, or `stop`, and the edge to go on with.
    """
    key_bits = np.uint64(rank_bits + matches_bits)
    rank_mask, matches_mask = np.uint64((1 << rank_bits) - 1), np.uint64((1 << matches_bits) - 1)
    for document in range(at, stop):
        found, most = np.int64(-1), np.int64(-1)
        own = np.uint64(document - start)
        while edge < len(keys) and keys[edge] >> key_bits <= own:
            key = keys[edge]
            edge += 1
            other = np.int64((key >> np.uint64(matches_bits)) & rank_mask)
            equal = np.int64(key & matches_mask)
            if key >> key_bits == own and equal > most and fate[other] == other:  # of equally similar ones the first
                found, most = other, equal
        is_ours = document >= always
        if is_ours:
            winner = tie[document]
            if winner >= 0:
                if not emptied[winner]:
                    fate[document], matches[document] = fate[winner], matches[winner]
                continue
            if found >= 0:
                fate[document], matches[document] = found, most + least
                continue
        compares = is_ours and crowded[document] and orphans.used[0] > 0
        if compares or follows[document]:
            place = np.searchsorted(ahead.ranks, document)
            if place == len(ahead.ranks):
                return document, edge  # its edges need not be read again: none of them drops it
            if compares:
                found, most = most_similar(document, place, ahead, orphans)
                if found >= 0 and most >= matches_min:
                    fate[document], matches[document] = found, most
                    continue
            if follows[document]:
                add_orphan(document, place, ahead, orphans, orphans_max)
        fate[document] = document
    return stop, edge


@njit(cache=True, nogil=True)
def _count(fate: np.ndarray, sizes: np.ndarray) -> None:
    for kept in fate:
        if kept >= 0:
            sizes[kept] += 1


def _counted(sizes: np.ndarray, ids: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How many clusters of each size (id 0), and the largest with the id of the document kept (count 0).

    `ids` are those of `Graph`, `places` the rows of the documents kept.
    """
    distinct_sizes, count = np.unique(sizes, return_counts=True)
    histogram = np.zeros(len(distinct_sizes), CLUSTERS)
    histogram["size"], histogram["count"] = distinct_sizes, count
    if len(sizes) > LARGEST:
        large = sizes >= np.partition(sizes, -LARGEST)[-LARGEST]
        sizes, places = sizes[large], places[large]
    examples = np.zeros(len(sizes), CLUSTERS)
    examples["size"] = sizes
    examples["id_high"], examples["id_low"] = ids.take(places, axis=0).T
    return np.concatenate([histogram, largest(examples)])


LARGEST = 20


def largest(examples: np.ndarray) -> np.ndarray:
    """The largest clusters of records CLUSTERS, equal ones by id."""
    if len(examples) > LARGEST:
        examples = examples[examples["size"] >= np.partition(examples["size"], -LARGEST)[-LARGEST]]
    order = np.lexsort([examples["id_low"], examples["id_high"], -examples["size"].astype(np.int64)])
    return examples[order[:LARGEST]]
