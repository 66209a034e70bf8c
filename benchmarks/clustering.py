"""From pairs of similar documents to those that are kept: ours beside connected components by others, at size.

    python -m benchmarks clustering

    python -m benchmarks.clustering --edges 100000000 --record     what fits in memory, at one size, beside these

Ours decides more than components: a document is dropped only for one that is kept and similar to it. Edges are made:
clusters of geometrically distributed sizes, each document linked to a random earlier one of its cluster, and one
cluster that holds a thousandth of all documents. They are written to files before; each run is a process of its own,
which begins with what it is given: files for ours, arrays or lists of edges for others.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import Settings, Table
from benchmarks.process import run
from pipeline.deduplication.clusters import star_components
from pipeline.deduplication.greedy import STATISTICS, ChooseKept
from pipeline.deduplication.packing import unpack_records
from pipeline.deduplication.records import CUT, DOCUMENT, DROPPED, MEMBER, PAIR, EdgeFile
from pipeline.runtime.engine import Engine

MATCHES = 100
"""Equal values of the signatures of each pair, of 112."""
MEAN_CLUSTER = 3.0
EXTRA = 0.5
"""Edges of a cluster beyond its tree, as a share of the tree's."""
SHARDS = 64
FILE_PAIRS = 1 << 20
"""Pairs of a file."""
RUNS = (
    ("greedy", (1_000_000, 10_000_000)),
    ("scipy", (1_000_000, 10_000_000)),
    ("networkx", (1_000_000,)),
    ("datatrove", (1_000_000,)),
    ("stars", (1_000_000, 10_000_000)),
)
NAMES = {
    "greedy": "OpenRoots: which documents to keep, in memory",
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


def prepare(folder: Path, count: int) -> None:
    """Write about `count` edges as a build leaves them and as an array, the documents, and how many these are."""
    folder.mkdir(parents=True, exist_ok=True)
    edges, documents = make_edges(count)
    edges.astype(np.int32).tofile(folder / "edges")
    a_shard = -(-documents // SHARDS)
    for number, start in enumerate(range(0, len(edges), FILE_PAIRS)):
        part = edges[start : start + FILE_PAIRS]
        pairs = np.empty(len(part), PAIR)
        pairs["left"], pairs["right"] = (part // a_shard << 32 | part % a_shard).T  # numbers as a build gives them
        pairs["matches"] = MATCHES
        pairs.tofile(folder / f"pairs-{number:06d}")
    random = np.random.default_rng(2)
    for shard in range(SHARDS):
        records = np.zeros(a_shard, DOCUMENT)
        records["alive"], records["priority"] = 1, 1
        records["length"] = random.integers(100, 10_000, a_shard)
        records["id_high"], records["id_low"] = random.integers(0, 1 << 63, (2, a_shard))
        records.tofile(folder / f"documents-{shard}")
        np.zeros(0, CUT).tofile(folder / f"cuts-{shard}")
    (folder / "counts.json").write_text(json.dumps({"edges": len(edges), "documents": documents}))


def _counts(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((folder / "counts.json").read_text())
    return found


def _edges(folder: Path) -> np.ndarray:
    """The edges, int32 (pairs, 2)."""
    return np.fromfile(folder / "edges", np.int32).reshape(-1, 2)


def _files(folder: Path) -> tuple[EdgeFile, ...]:
    return tuple(EdgeFile(str(path), True) for path in sorted(folder.glob("pairs-*")))


def _greedy(folder: Path) -> Callable[[], int]:
    """Documents dropped, by what a build runs where the graph fits in memory."""
    names = [tuple(str(folder / f"{kind}-{shard}") for shard in range(SHARDS)) for kind in ("documents", "cuts")]
    choose = ChooseKept(SHARDS, names[0], names[1], (), ((0,),) * SHARDS, 112, 14, 90, _files(folder))

    def dropped() -> int:
        parts = [part for name, part in choose(0, b"") if name != STATISTICS]  # a build holds all of them, too
        return sum(int((unpack_records(part, MEMBER)["fate"] == DROPPED).sum()) for part in parts)

    return dropped


def _stars(folder: Path) -> Callable[[], int]:
    """Files of components, by rounds over files in 64 MiB of memory a round."""
    return lambda: len(star_components(Engine(), str(folder / "stars"), _files(folder), "benchmark", 64 << 20))


def _scipy(folder: Path) -> Callable[[], int]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges, documents = _edges(folder), _counts(folder)["documents"]

    def components() -> int:
        graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), (documents, documents))
        return int(connected_components(graph, directed=False)[0])

    return components


def _networkx(folder: Path) -> Callable[[], int]:
    import networkx

    edges, documents = _edges(folder), _counts(folder)["documents"]

    def components() -> int:
        graph = networkx.Graph()
        graph.add_edges_from(edges.tolist())
        return sum(1 for _ in networkx.connected_components(graph)) + documents - len(graph)

    return components


def _datatrove(folder: Path) -> Callable[[], int]:
    """As `MinhashDedupCluster` does it: nodes (file, document) in a dictionary, path compression, union by size."""
    edges, documents = _edges(folder), _counts(folder)["documents"]
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


def measure_one(name: str, folder: Path) -> dict[str, float]:
    """Seconds, and the bytes that the process grew by at its peak; compiled kernels are loaded before."""
    MAKERS[name](folder / "warm")()
    work = MAKERS[name](folder)
    Path("/proc/self/clear_refs").write_text("5")  # the peak from now on
    before = _memory("VmRSS")
    began = time.process_time(), time.perf_counter()
    answer = work()
    grown = _memory("VmHWM") - before
    spent = time.process_time() - began[0], time.perf_counter() - began[1]
    return {
        "edges": _counts(folder)["edges"], "cpu": spent[0], "seconds": spent[1], "grown": float(grown), "answer": answer
    }  # fmt: skip


def _memory(name: str) -> int:
    """A figure of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


def measure(settings: Settings) -> list[Table]:
    """Each of RUNS in a process of its own, once."""
    data = {}
    for count in sorted({count for _, counts in RUNS for count in counts}):
        with _prepared(count, settings.work) as folder:
            for name in (name for name, counts in RUNS if count in counts):
                data[f"{name} {count}"] = _in_process(name, folder)
    return [_table(data)]


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
    columns = ["what", "edges", "processor seconds", "million edges a second", "memory growth, GB"]
    notes = [(__doc__ or "").split("\n\n")[3]]
    return Table("Clusters from pairs of similar documents", columns, rows, notes=notes, data=data)


@contextmanager
def _prepared(count: int, work: Path) -> Iterator[Path]:
    """A folder of edges, and in its `warm` of a few; made by a process of its own, whose memory is gone then."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        run([*_COMMAND, "--edges", str(count), "--prepare", folder])
        yield Path(folder)


_COMMAND = (sys.executable, "-m", "benchmarks.clustering")


def _in_process(name: str, folder: Path) -> dict[str, float]:
    done = run([*_COMMAND, "--one", name, "--prepared", folder])
    found: dict[str, float] = json.loads(done.output.strip().splitlines()[-1])
    return found


def main() -> None:
    """One run, or all in memory at one size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--one", choices=sorted(MAKERS))
    parser.add_argument("--work", type=Path, default=Settings().work)
    parser.add_argument("--record", action="store_true", help="add the rows to those of the results")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prepared", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.prepare / "warm", 1000)
        prepare(arguments.prepare, arguments.edges)
        return
    if arguments.prepared:
        print(json.dumps(measure_one(arguments.one, arguments.prepared)))
        return
    found = {}
    with _prepared(arguments.edges, arguments.work) as folder:
        for name in [arguments.one] if arguments.one else ["greedy", "scipy"]:
            found[f"{name} {arguments.edges}"] = _in_process(name, folder)
            print(name, json.dumps(found[f"{name} {arguments.edges}"]), flush=True)
    if arguments.record:
        from benchmarks.__main__ import record, recorded

        record({"clustering": [_table({**(recorded("clustering") or [{"data": {}}])[0]["data"], **found})]})


if __name__ == "__main__":
    main()
