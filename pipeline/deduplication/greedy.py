"""Which documents are kept: a document is dropped only for one that is kept and similar enough to it.

Documents come in one total order: those of finished builds, then by source priority, length and id. A document that is
similar to one that is kept already is dropped for it, for the most similar if there are several; any other is kept.
Two documents at the ends of a chain of similar ones are thus both kept. This is the lexicographically first maximal
independent set of the graph whose edges are pairs of similar documents. A connected component can be decided alone;
the answer depends neither on how documents arrived nor on how they were spread over shards, rounds and workers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from pipeline.deduplication.graph import Graph
from pipeline.deduplication.keys import shard_file
from pipeline.deduplication.minhash import band_hashes
from pipeline.deduplication.near import Signed, gather_signatures
from pipeline.deduplication.pairs import LEADERS_MAX
from pipeline.deduplication.records import (
    CLUSTERS,
    CUT,
    DOCUMENT,
    DROPPED,
    EDGE,
    EMPTIED,
    KEPT,
    MEMBER,
    PAIR,
    TIE,
    EdgeFile,
    read_records,
    rows_of,
    shards_of,
    split,
)

STATISTICS = "statistics"
GATHERED_ROWS = 1 << 14
"""Signatures read ahead, 7 MB at 112 permutations."""


def read_edges(file: EdgeFile) -> np.ndarray:
    """Records PAIR of a file of edges; losers and winners become ties."""
    if file.is_pairs:
        return read_records(file.path, PAIR)
    edges = read_records(file.path, EDGE)
    ties = np.empty(len(edges), PAIR)
    ties["left"], ties["right"], ties["matches"] = edges["left"], edges["right"], TIE
    return ties


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
        pairs = np.concatenate([np.frombuffer(buffer, PAIR), *(read_edges(file) for file in self.files)])
        if not len(pairs):
            return
        graph = Graph.of(pairs, self.documents)
        del pairs
        fate, matches = self._decide(graph)
        sizes = np.bincount(fate[fate >= 0], minlength=len(fate))
        yield from self._members(graph, fate, matches, sizes)
        leaders = np.flatnonzero(sizes > 1)
        if len(leaders):
            yield STATISTICS, _counted(sizes[leaders], graph.records[leaders]).tobytes()

    def _decide(self, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
        """By rank: the rank of the document kept (its own: it stays; -1: emptied), and how many values are equal."""
        count = len(graph.records)
        fate, matches = np.full(count, -1, np.int64), np.zeros(count, np.uint32)
        always = graph.records["priority"] == 0
        emptied = self._emptied(graph)
        orphans = _Orphans(self, graph)
        at = 0
        while True:
            at = _decide(at, graph, always, emptied, bool(orphans.ranks), fate, matches)
            if at == count:
                return fate, matches
            found = None if always[at] else orphans.most_similar(at)
            if found:
                fate[at], matches[at] = found
            elif graph.follows[at]:
                orphans.add(at)
            at += 1

    def _emptied(self, graph: Graph) -> np.ndarray:
        """Which documents lost all their lines, bool by rank."""
        nodes = graph.records["node"]
        order = np.argsort(nodes)
        out = np.zeros(len(nodes), bool)
        for position, mine in shards_of(nodes[order]):
            cuts = read_records(self.cuts[position], CUT)
            rows = cuts["row"][cuts["nothing_left"] == 1]
            if len(rows):
                out[order[mine]] = np.isin(rows_of(nodes[order[mine]]), rows)
        return out

    def _members(
        self, graph: Graph, fate: np.ndarray, matches: np.ndarray, sizes: np.ndarray
    ) -> Iterator[tuple[str, bytes]]:
        nodes = graph.records["node"]
        position = (nodes >> np.uint64(32)).astype(np.int64)
        ranks = np.arange(len(nodes))
        chosen = np.flatnonzero(((fate != ranks) | (sizes > 1)) & (position < self.own))
        keeper = np.where(fate >= 0, fate, ranks)[chosen]
        kept = graph.records[keeper]
        members = np.zeros(len(chosen), MEMBER)
        members["node"] = nodes[chosen]
        members["fate"] = np.where(fate[chosen] < 0, EMPTIED, np.where(fate[chosen] == chosen, KEPT, DROPPED))
        members["kept_high"], members["kept_low"] = kept["id_high"], kept["id_low"]
        members["kept_source"] = self._sources(kept["node"])
        members["similarity"] = matches[chosen] / np.float32(self.permutations)
        members["size"] = np.maximum(sizes[keeper], 1)
        for number, part in split(members, position[chosen]):
            yield shard_file(number), part.tobytes()

    def _sources(self, nodes: np.ndarray) -> np.ndarray:
        """Places among all sources, uint32, of documents in any order."""
        order = np.argsort(nodes)
        out = np.zeros(len(nodes), np.uint32)
        for position, mine in shards_of(nodes[order]):
            local = read_records(self.documents[position], DOCUMENT)["source"][rows_of(nodes[order[mine]])]
            out[order[mine]] = np.array(self.sources[position], np.uint32)[local]
        return out


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
            ranks = rank + np.flatnonzero(self.graph.crowded[rank:])[:GATHERED_ROWS]
            nodes = self.graph.records["node"][ranks]
            order = np.argsort(nodes)
            values = gather_signatures(self.chooser.signed, nodes[order], self.chooser.permutations)
            self._ahead = dict(zip(ranks[order].tolist(), values, strict=True))
        return self._ahead[rank]


def _decide(
    at: int,
    graph: Graph,
    always: np.ndarray,
    emptied: np.ndarray,
    orphans: bool,
    fate: np.ndarray,
    matches: np.ndarray,
) -> int:
    edges = (graph.offsets, graph.better, graph.matches, graph.tie, graph.crowded, graph.follows)
    return int(_decide_from(at, *edges, always, emptied, orphans, fate, matches))


@njit(cache=True, nogil=True)
def _decide_from(
    at: int,
    offsets: np.ndarray,
    better: np.ndarray,
    edge_matches: np.ndarray,
    tie: np.ndarray,
    crowded: np.ndarray,
    follows: np.ndarray,
    always: np.ndarray,
    emptied: np.ndarray,
    orphans: bool,
    fate: np.ndarray,
    matches: np.ndarray,
) -> int:
    """Decide documents from one on; returns the first that stays unless it is similar to an orphan, or how many."""
    for document in range(at, len(tie)):
        if not always[document]:
            winner = tie[document]
            if winner >= 0:
                if not emptied[winner]:
                    fate[document], matches[document] = fate[winner], matches[winner]
                continue
            found = -1
            for edge in range(offsets[document], offsets[document + 1]):
                other = better[edge]
                if fate[other] == other and (
                    found < 0
                    or edge_matches[edge] > matches[document]
                    or (edge_matches[edge] == matches[document] and other < found)
                ):
                    found = other
                    matches[document] = edge_matches[edge]
            if found >= 0:
                fate[document] = found
                continue
        fate[document] = document
        if follows[document] or (orphans and crowded[document]):
            return document
    return len(tie)


def _counted(sizes: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """How many clusters of each size (id 0), and the largest with the id of the document kept (count 0)."""
    distinct_sizes, count = np.unique(sizes, return_counts=True)
    histogram, examples = np.zeros(len(distinct_sizes), CLUSTERS), np.zeros(len(sizes), CLUSTERS)
    histogram["size"], histogram["count"] = distinct_sizes, count
    examples["size"], examples["id_high"], examples["id_low"] = sizes, kept["id_high"], kept["id_low"]
    return np.concatenate([histogram, largest(examples)])


LARGEST = 20


def largest(examples: np.ndarray) -> np.ndarray:
    """The largest clusters of records CLUSTERS, equal ones by id."""
    if len(examples) > LARGEST:
        examples = examples[examples["size"] >= np.partition(examples["size"], -LARGEST)[-LARGEST]]
    order = np.lexsort([examples["id_low"], examples["id_high"], -examples["size"].astype(np.int64)])
    return examples[order[:LARGEST]]
