"""From pairs of similar documents to those that are kept: ours beside connected components by others, at size.

    python -m benchmarks clustering

    python -m benchmarks.clustering --edges 100000000 --record     what fits in memory, at one size, beside these

Ours decides more than components: a document is dropped only for one that is kept and similar to it. Edges are made:
clusters of geometrically distributed sizes, each document linked to a random earlier one of its cluster, and one
cluster that holds a thousandth of all documents. Each run is a process of its own.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import Settings, Table
from benchmarks.process import run
from pipeline.deduplication.clusters import star_components
from pipeline.deduplication.greedy import STATISTICS, ChooseKept
from pipeline.deduplication.records import CUT, DOCUMENT, DROPPED, MEMBER, PAIR, EdgeFile
from pipeline.runtime.engine import Engine

MATCHES = 100
"""Equal values of the signatures of each pair, of 112."""
MEAN_CLUSTER = 3.0
EXTRA = 0.5
"""Edges of a cluster beyond its tree, as a share of the tree's."""
SHARDS = 8
RUNS = (
    ("greedy", (1_000_000, 10_000_000)),
    ("scipy", (1_000_000, 10_000_000)),
    ("networkx", (1_000_000,)),
    ("datatrove", (1_000_000,)),
    ("stars", (1_000_000, 10_000_000)),
)
NAMES = {
    "greedy": "OpenRoots: whom to keep, in memory",
    "stars": "OpenRoots: star rounds over files (components only)",
    "scipy": "scipy.sparse.csgraph.connected_components",
    "networkx": "networkx.connected_components",
    "datatrove": "datatrove's union–find (its dictionary, its loop)",
}


def make_edges(count: int, seed: int = 1) -> tuple[np.ndarray, int]:
    """About `count` pairs, int64 (pairs, 2), of documents numbered from 0, and how many documents there are."""
    random = np.random.default_rng(seed)
    documents = int(count / (1 + EXTRA) * MEAN_CLUSTER / (MEAN_CLUSTER - 1))
    sizes = random.geometric(1 / MEAN_CLUSTER, int(documents / MEAN_CLUSTER)).astype(np.int64)
    sizes[0] = max(documents // 1000, 2)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.arange(len(first)) - first
    linked = np.flatnonzero(place > 0)
    more = random.choice(linked, int(len(linked) * EXTRA))
    right = np.concatenate([linked, more])
    left = first[right] + (random.random(len(right)) * place[right]).astype(np.int64)
    shuffled = random.permutation(len(first))
    return np.stack([shuffled[left], shuffled[right]], axis=1), len(first)


def _nodes(numbers: np.ndarray, documents: int) -> np.ndarray:
    """Numbers of documents as a build gives them: shard << 32 | row."""
    a_shard = -(-documents // SHARDS)
    return (numbers // a_shard << 32 | numbers % a_shard).astype(np.uint64)


def _write_edges(path: Path, edges: np.ndarray, documents: int) -> EdgeFile:
    pairs = np.empty(len(edges), PAIR)
    pairs["left"], pairs["right"], pairs["matches"] = *_nodes(edges, documents).T, MATCHES
    pairs.tofile(path)
    return EdgeFile(str(path), True)


def _greedy(folder: Path, edges: np.ndarray, documents: int) -> Callable[[], int]:
    """Documents dropped, by what a build runs where the graph fits in memory."""
    file = _write_edges(folder / "edges", edges, documents)
    a_shard = -(-documents // SHARDS)
    random = np.random.default_rng(2)
    for shard in range(SHARDS):
        records = np.zeros(a_shard, DOCUMENT)
        records["alive"], records["priority"] = 1, 1
        records["length"] = random.integers(100, 10_000, a_shard)
        records["id_high"], records["id_low"] = random.integers(0, 1 << 63, (2, a_shard))
        records.tofile(folder / f"documents-{shard}")
        np.zeros(0, CUT).tofile(folder / f"cuts-{shard}")
    names = [tuple(str(folder / f"{kind}-{shard}") for shard in range(SHARDS)) for kind in ("documents", "cuts")]
    choose = ChooseKept(SHARDS, names[0], names[1], (), ((0,),) * SHARDS, 112, 14, 90, (file,))

    def dropped() -> int:
        parts = [np.frombuffer(part, MEMBER) for name, part in choose(0, b"") if name != STATISTICS]
        return sum(int((part["fate"] == DROPPED).sum()) for part in parts)

    return dropped


def _stars(folder: Path, edges: np.ndarray, documents: int) -> Callable[[], int]:
    """Files of components, by rounds over files in 64 MiB of memory a round."""
    file = _write_edges(folder / "edges", edges, documents)
    return lambda: len(star_components(Engine(), str(folder / "stars"), [file], "benchmark", 64 << 20))


def _scipy(_: Path, edges: np.ndarray, documents: int) -> Callable[[], int]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def components() -> int:
        graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), (documents, documents))
        return int(connected_components(graph, directed=False)[0])

    return components


def _networkx(_: Path, edges: np.ndarray, documents: int) -> Callable[[], int]:
    import networkx

    def components() -> int:
        graph = networkx.Graph()
        graph.add_edges_from(edges.tolist())
        return sum(1 for _ in networkx.connected_components(graph)) + documents - len(graph)

    return components


def _datatrove(_: Path, edges: np.ndarray, documents: int) -> Callable[[], int]:
    """As `MinhashDedupCluster` does it: nodes (file, document) in a dictionary, path compression, union by size."""
    a_file = -(-documents // SHARDS)
    pairs = [((a // a_file, a % a_file), (b // a_file, b % a_file)) for a, b in edges.tolist()]

    def components() -> int:
        parent: dict[tuple[int, int], tuple[int, int]] = {}
        size: dict[tuple[int, int], int] = {}

        def root(node: tuple[int, int]) -> tuple[int, int]:
            path = []
            while (above := parent.get(node, node)) != node:
                path.append(node)
                node = above
            for passed in path:
                parent[passed] = node
            return node

        for left, right in pairs:
            a, b = root(left), root(right)
            if a != b:
                if size.get(a, 1) < size.get(b, 1):
                    a, b = b, a
                parent[b] = a
                size[a] = size.get(a, 1) + size.get(b, 1)
        return documents - len(parent)

    return components


MAKERS = {"greedy": _greedy, "stars": _stars, "scipy": _scipy, "networkx": _networkx, "datatrove": _datatrove}


def measure_one(name: str, count: int, folder: Path) -> dict[str, float]:
    """Seconds, and the bytes that the process grew by; compiled kernels are loaded before."""
    warm = folder / "warm"
    warm.mkdir()
    MAKERS[name](warm, *make_edges(1000))()
    edges, documents = make_edges(count)
    work = MAKERS[name](folder, edges, documents)
    edges_made = len(edges)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time(), time.perf_counter()
    answer = work()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    spent = time.process_time() - began[0], time.perf_counter() - began[1]
    return {"edges": edges_made, "cpu": spent[0], "seconds": spent[1], "grown": grown * 1024.0, "answer": answer}


def measure(settings: Settings) -> list[Table]:
    """Each of RUNS in a process of its own, once."""
    return [
        _table(
            {f"{name} {count}": _in_process(name, count, settings.work) for name, counts in RUNS for count in counts}
        )
    ]


def _table(data: dict[str, dict[str, float]]) -> Table:
    """A row for each run, `NAME EDGES`, in the order of NAMES."""
    rows = []
    for name, found in sorted(data.items(), key=lambda run: (list(NAMES).index(run[0].split()[0]), run[1]["edges"])):
        rows.append(
            [
                NAMES[name.split()[0]],
                f"{int(found['edges']):,}",
                f"{found['cpu']:.1f}",
                f"{found['edges'] / found['cpu'] / 1e6:.2f}",
                f"{found['grown'] / 1e9:.2f}",
            ]
        )
    columns = ["what", "edges", "processor seconds", "million edges a second", "memory it grew by, GB"]
    notes = [(__doc__ or "").split("\n\n")[3]]
    return Table("Clusters from pairs of similar documents", columns, rows, notes=notes, data=data)


def _in_process(name: str, count: int, work: Path) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    done = run([sys.executable, "-m", "benchmarks.clustering", "--one", name, "--edges", str(count), "--work", work])
    found: dict[str, float] = json.loads(done.output.strip().splitlines()[-1])
    return found


def main() -> None:
    """One run, or all in memory at one size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, required=True)
    parser.add_argument("--one", choices=sorted(MAKERS))
    parser.add_argument("--work", type=Path, default=Settings().work)
    parser.add_argument("--record", action="store_true", help="add the rows to those of the results")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.one:
        with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
            print(json.dumps(measure_one(arguments.one, arguments.edges, Path(folder))))
        return
    found = {}
    for name in ("greedy", "scipy"):
        found[f"{name} {arguments.edges}"] = _in_process(name, arguments.edges, arguments.work)
        print(name, json.dumps(found[f"{name} {arguments.edges}"]), flush=True)
    if arguments.record:
        from benchmarks.__main__ import record, recorded

        record({"clustering": [_table({**(recorded("clustering") or [{"data": {}}])[0]["data"], **found})]})


if __name__ == "__main__":
    main()
