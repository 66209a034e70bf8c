"""Which documents are kept: a document is dropped only for one that is kept and similar enough to it.

Documents come in one total order: those of finished builds, then by source priority, length and id. A document that is
similar to one that is kept already is dropped for it, for the most similar if there are several; any other is kept.
Two documents at the ends of a chain of similar ones are thus both kept. This is the lexicographically first maximal
independent set of the graph whose edges are pairs of similar documents. A connected component can be decided alone;
the answer depends neither on how documents arrived nor on how they were spread over shards, rounds and workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numba import njit

from pipeline.deduplication.graph import Edges, Graph, Pairs
from pipeline.deduplication.keys import shard_file
from pipeline.deduplication.minhash import band_hashes
from pipeline.deduplication.near import Signed, gather_signatures
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
    shards_of,
)

STATISTICS = "statistics"
GATHERED_ROWS = 1 << 14
"""Signatures read ahead, 7 MB at 112 permutations."""


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
        """Records MEMBER by shard, and counts of clusters."""
        graph = Graph.of(Pairs(buffer, self.files), self.documents, self.sources)
        fate, matches = self._decide(graph)
        sizes = np.zeros(len(fate), np.uint32)
        _count(fate, sizes)
        yield from self._members(graph, fate, matches, sizes)
        leaders = np.flatnonzero(sizes > 1)
        if len(leaders):
            yield STATISTICS, _counted(sizes[leaders], graph.ids, graph.place[leaders]).tobytes()

    def _decide(self, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
        """By rank: the rank of the document kept, int32 (its own: it stays; -1: emptied), and how many values are
        equal, uint32.
        """
        count = len(graph.place)
        fate, matches = np.full(count, -1, np.int32), np.zeros(count, np.uint32)
        emptied = self._emptied(graph)
        orphans = _Orphans(self, graph)
        for edges in graph.grouped():
            at, edge = edges.start, 0
            while True:
                at, edge = _decide(at, edge, edges, graph, emptied, bool(orphans.ranks), fate, matches)
                if at == edges.stop:
                    break
                found = None if at < graph.always else orphans.most_similar(at)
                if found:
                    fate[at], matches[at] = found
                elif graph.follows[at]:
                    orphans.add(at)
                at += 1
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
            for position, mine in shards_of(members["node"]):
                yield shard_file(position), pack_records(members[mine])


@dataclass
class _Orphans:
    """Kept documents that were compared with leaders only, none of which was kept: those that come after are compared
    with these, in the buckets that they share, with at most LEADERS_MAX a bucket.
    """

    chooser: ChooseKept
    graph: Graph
    ranks: dict[int, list[int]] = field(default_factory=dict)
    _signatures: dict[int, np.ndarray] = field(default_factory=dict)
    _ahead: dict[int, np.ndarray] = field(default_factory=dict)

    @cached_property
    def _crowded(self) -> tuple[np.ndarray, np.ndarray]:
        """Ranks of documents in crowded buckets, in order, and their numbers."""
        ranks = np.flatnonzero(self.graph.crowded)
        return ranks, self.graph.places.numbers()[self.graph.place[ranks]]

    def most_similar(self, rank: int) -> tuple[int, int] | None:
        """Rank of the most similar document that is similar enough, the first of several, and the equal values."""
        if not self.ranks:
            return None
        own = self._signature(rank)
        candidates = {other for band in self._bands(own) for other in self.ranks.get(band, ())}
        scored = [(-int((self._signatures[other] == own).sum()), other) for other in candidates]
        scored = [score for score in scored if -score[0] >= self.chooser.matches_min]
        return (min(scored)[1], -min(scored)[0]) if scored else None

    def add(self, rank: int) -> None:
        """Let those that come after be compared with this document."""
        signature = self._signature(rank)
        for band in self._bands(signature):
            here = self.ranks.setdefault(band, [])
            if len(here) < LEADERS_MAX:
                here.append(rank)
                self._signatures[rank] = signature

    def _bands(self, signature: np.ndarray) -> list[int]:
        found: list[int] = band_hashes(signature[np.newaxis], self.chooser.bands)[0].tolist()
        return found

    def _signature(self, rank: int) -> np.ndarray:
        if rank not in self._ahead:
            ranks, numbers = self._crowded
            first = int(np.searchsorted(ranks, rank))
            ranks, numbers = ranks[first : first + GATHERED_ROWS], numbers[first : first + GATHERED_ROWS]
            order = np.argsort(numbers)
            values = gather_signatures(self.chooser.signed, numbers[order], self.chooser.permutations)
            self._ahead = dict(zip(ranks[order].tolist(), values, strict=True))
        return self._ahead[rank]


def _decide(
    at: int,
    edge: int,
    edges: Edges,
    graph: Graph,
    emptied: np.ndarray,
    orphans: bool,
    fate: np.ndarray,
    matches: np.ndarray,
) -> tuple[int, int]:
    layout = (edges.keys, edges.start, edges.stop, edges.rank_bits, edges.matches_bits, edges.least)
    flags = (graph.always, graph.tie, graph.crowded, graph.follows)
    at, edge = _decide_from(at, edge, *layout, *flags, emptied, orphans, fate, matches)
    return at, edge


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
    orphans: bool,
    fate: np.ndarray,
    matches: np.ndarray,
) -> tuple[int, int]:
    """Decide documents from one on, whose edges begin at `edge` or after it.

    Returns the first that stays unless it is similar to an orphan, or `stop`, and the edge to go on with.
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
        if document >= always:
            winner = tie[document]
            if winner >= 0:
                if not emptied[winner]:
                    fate[document], matches[document] = fate[winner], matches[winner]
                continue
            if found >= 0:
                fate[document], matches[document] = found, most + least
                continue
        fate[document] = document
        if follows[document] or (orphans and crowded[document]):
            return document, edge
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
