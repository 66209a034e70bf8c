"""Deduplication of shards, end to end on the real DirectRunner."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError, InputError
from configs.models import Deduplication
from pipeline import storage
from pipeline.deduplication import DeduplicationContext, DeduplicationResult, ShardInput, cut_lines, deduplicate
from pipeline.deduplication.clusters import components, star_components
from pipeline.deduplication.minhash import band_hashes, jaccard, signatures
from pipeline.deduplication.near import BUCKET_ALL_PAIRS_MAX
from pipeline.deduplication.records import EDGE, read_all
from pipeline.deduplication.resolve import RESULT
from pipeline.engine import Engine

SETTINGS = Deduplication(recurring_lines_documents_min=None)
CONTEXT = DeduplicationContext(priorities={"books": 1, "web": 9}, unspaced=frozenset({"zh"}), code=frozenset({"c"}))
Row = tuple[str, str, str, str]  # key, text, source, language


def words(first: int, count: int) -> str:
    return " ".join(f"word{number}" for number in range(first, first + count))


def write_shard(folder: Path, name: str, rows: Sequence[Row], dropped: Sequence[int] = ()) -> ShardInput:
    folder.mkdir(parents=True, exist_ok=True)
    batch = pa.record_batch(
        {
            "id": pa.array([key(row[0]) for row in rows], pa.binary(16)),
            "text": pa.array([row[1] for row in rows], pa.large_string()),
            "source": pa.array([row[2] for row in rows], pa.string()).dictionary_encode(),
            "language": pa.array([row[3] for row in rows], pa.string()).dictionary_encode(),
        }
    )
    reasons = pa.record_batch(
        {"reason": pa.array([("x" if i in dropped else None) for i in range(len(rows))], pa.string())}
    )
    paths = []
    for suffix, content in (("text", batch), ("decisions", reasons)):
        path = folder / f"{name}.{suffix}.arrow"
        with pa.ipc.new_stream(str(path), content.schema) as writer:
            for start in range(0, max(1, content.num_rows), 3):
                writer.write_batch(content.slice(start, 3))
        paths.append(str(path))
    digest = xxhash.xxh3_128_hexdigest(b"".join(Path(path).read_bytes() for path in paths))
    return ShardInput(name, paths[0], paths[1], digest)


def run(shards: Sequence[ShardInput], work: Path, **changed: object) -> DeduplicationResult:
    index = changed.pop("index", None)
    engine = changed.pop("engine", Engine())
    return deduplicate(engine, shards, SETTINGS.model_copy(update=changed), CONTEXT, str(work), index=index)


def rows_of(result: DeduplicationResult) -> list[dict]:
    rows = []
    for path in result.results:
        with storage.open_stream(path) as reader:
            assert reader.schema == RESULT
            rows += reader.read_all().to_pylist()
    return rows


def reasons(result: DeduplicationResult) -> list[str | None]:
    return [row["reason"] for row in rows_of(result)]


def key(name: str) -> bytes:
    return xxhash.xxh3_128_digest(name.encode())


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[ShardInput]:
    folder = tmp_path_factory.mktemp("shards")
    base = words(0, 200)
    first = [
        ("a", base, "web", "en"),
        ("b", "Something else entirely, said once.", "web", "en"),
        ("c", base.upper() + "!", "books", "en"),
        ("d", words(500, 200), "web", "en"),
        ("gone", base, "books", "en"),
    ]
    second = [
        ("e", words(0, 195) + " another ending of it", "web", "en"),
        ("b", "Something else entirely, said once. And more.", "web", "en"),
        ("f", "...", "web", "en"),
        ("g", words(500, 196), "web", "en"),
    ]
    return [
        write_shard(folder, "one", first, dropped=[4]),
        write_shard(folder, "two", second),
    ]


@pytest.fixture(scope="module")
def whole(shards: list[ShardInput], tmp_path_factory: pytest.TempPathFactory) -> DeduplicationResult:
    return run(shards, tmp_path_factory.mktemp("whole") / "work")


def test_each_kind_of_duplicate_has_its_reason(whole: DeduplicationResult) -> None:
    assert reasons(whole) == [
        "exact_duplicate", "duplicate_id", None, None, None, "near_duplicate", None, None, "near_duplicate",
    ]  # fmt: skip


def test_source_priority_then_length_decide_which_is_kept(whole: DeduplicationResult) -> None:
    rows = rows_of(whole)
    assert [rows[at]["kept_id"] for at in (0, 1, 5, 8)] == [key("c"), key("b"), key("c"), key("d")]


def test_cluster_sizes_count_exact_duplicates_too(whole: DeduplicationResult) -> None:
    rows = rows_of(whole)
    assert [row["cluster_size"] for row in rows] == [3, 2, 3, 2, 0, 3, 2, 1, 2]


def test_statistics_add_up(whole: DeduplicationResult) -> None:
    statistics = json.loads(json.dumps(whole.statistics))
    dropped = sum(drop["documents"] for drop in statistics["dropped"].values())
    assert statistics["documents_in"] == statistics["documents_kept"] + dropped == 8
    assert statistics["cluster_sizes"] == {"2": 2, "3": 1}
    assert statistics["largest_clusters"][0] == {"kept_id": key("c").hex(), "documents": 3}


def test_a_second_run_writes_nothing(shards: list[ShardInput], tmp_path: Path) -> None:
    work = tmp_path / "work"
    first = run(shards, work, recurring_lines_documents_min=2)
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*")}
    second = run(shards, work, recurring_lines_documents_min=2)
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*")} == before
    assert second == first


def test_an_interrupted_run_ends_with_the_same_files(
    shards: list[ShardInput], whole: DeduplicationResult, tmp_path: Path
) -> None:
    run(shards, tmp_path / "stopped")
    files = sorted(path for path in (tmp_path / "stopped").rglob("*") if path.is_file())
    for path in files[::3]:
        path.unlink()
    result = run(shards, tmp_path / "stopped")
    assert result.digests == whole.digests
    assert [Path(path).read_bytes() for path in result.results] == [Path(path).read_bytes() for path in whole.results]


def test_rounds_and_workers_do_not_change_the_result(shards: list[ShardInput], tmp_path: Path) -> None:
    plain = run(shards, tmp_path / "plain", recurring_lines_documents_min=2)
    other = run(
        shards, tmp_path / "other", recurring_lines_documents_min=2, shuffle_bytes=250,
        engine=Engine(options=("--direct_num_workers=2", "--direct_running_mode=multi_threading")),
    )  # fmt: skip
    assert other.digests == plain.digests
    assert other.statistics == plain.statistics


def test_star_rounds_give_the_result_of_union_find(
    shards: list[ShardInput], whole: DeduplicationResult, tmp_path: Path
) -> None:
    assert run(shards, tmp_path, in_memory_edges_max=0).digests == whole.digests


def test_recurring_lines_are_cut_and_counted(tmp_path: Path) -> None:
    rows = [(str(n), f"Home | About us\n{words(100 * n, 50)}\n  Home | About us", "web", "en") for n in range(3)]
    rows += [("only", "Home | About us", "web", "en"), ("other", "Home | About us\nfoot", "books", "en")]
    rows += [(f"c{n}", f"Home | About us\nint {words(n, 9)};", "web", "c") for n in range(3)]
    result = run([write_shard(tmp_path / "in", "one", rows)], tmp_path / "work", recurring_lines_documents_min=3)
    found = rows_of(result)
    assert [row["bytes_cut"] for row in found] == [34, 34, 34, 15, 0, 0, 0, 0]
    assert [row["reason"] for row in found[:5]] == [None, None, None, "recurring_lines_only", None]
    lines = np.fromfile(result.recurring_lines["web"], "<u8")
    assert cut_lines(pa.array([rows[0][1]], pa.large_string()), lines).to_pylist() == [words(0, 50)]
    assert set(result.recurring_lines) == {"web"}


def test_exact_duplicates_do_not_make_lines_recur(tmp_path: Path) -> None:
    rows = [(str(n), f"{words(0, 30)}\n{words(50, 30)}", "web", "en") for n in range(5)]
    result = run([write_shard(tmp_path / "in", "one", rows)], tmp_path / "work", recurring_lines_documents_min=3)
    assert result.recurring_lines == {}
    assert reasons(result).count(None) == 1


@pytest.mark.parametrize("jaccard_min", [0.7, None])
def test_more_documents_in_a_bucket_than_are_compared_pair_by_pair(tmp_path: Path, jaccard_min: float | None) -> None:
    rows = [(str(n), f"{words(0, 300)} copy{n}", "web", "en") for n in range(BUCKET_ALL_PAIRS_MAX + 10)]
    rows.append(("other", words(900, 300), "web", "en"))
    result = run([write_shard(tmp_path / "in", "one", rows)], tmp_path / "work", verify_jaccard_min=jaccard_min)
    assert [row["cluster_size"] for row in rows_of(result)] == [len(rows) - 1] * (len(rows) - 1) + [1]
    assert reasons(result).count(None) == 2


def test_documents_of_a_finished_build_win(shards: list[ShardInput], tmp_path: Path) -> None:
    run(shards[1:], tmp_path / "work one", index=str(tmp_path / "one" / "index"))
    result = run(shards[:1], tmp_path / "work two", against=(str(tmp_path / "one"),))
    rows = rows_of(result)
    assert [row["reason"] for row in rows] == [
        "exact_duplicate",
        "duplicate_id",
        "near_duplicate",
        "near_duplicate",
        None,
    ]
    assert [row["kept_id"] for row in rows[:4]] == [key("e"), key("b"), key("e"), key("g")]


def test_an_index_made_otherwise_is_refused(shards: list[ShardInput], tmp_path: Path) -> None:
    run(shards[1:], tmp_path / "work one", index=str(tmp_path / "one" / "index"))
    with pytest.raises(ConfigurationError, match="index was made with"):
        run(shards[:1], tmp_path / "work two", against=(str(tmp_path / "one"),), seed=2)


def test_a_build_without_index_is_refused(shards: list[ShardInput], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no index"):
        run(shards, tmp_path / "work", against=(str(tmp_path),))


def test_empty_shards_and_no_shards_are_fine(tmp_path: Path) -> None:
    assert run([], tmp_path / "none").results == []
    result = run([write_shard(tmp_path / "in", "empty", [])], tmp_path / "work")
    assert rows_of(result) == []


def test_any_file_system_serves(shards: list[ShardInput], whole: DeduplicationResult, tmp_path: Path) -> None:
    remote = deduplicate(Engine(), shards, SETTINGS, CONTEXT, f"memory://{tmp_path.name}")
    assert remote.digests == whole.digests


def plain_components(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    smallest = {node: node for pair in pairs for node in pair}
    changed = True
    while changed:
        changed = False
        for left, right in pairs:
            low = min(smallest[left], smallest[right])
            changed |= smallest[left] != low or smallest[right] != low
            smallest[left] = smallest[right] = low
    return sorted(smallest.items())


GRAPHS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)).filter(lambda p: p[0] != p[1]), max_size=40)


@given(GRAPHS)
@settings(deadline=None)
def test_components_are_the_connected_ones(pairs: list[tuple[int, int]]) -> None:
    assert components(np.array(pairs, EDGE)).tolist() == plain_components(pairs)


@given(GRAPHS.filter(bool))
@settings(max_examples=2, deadline=None)
def test_star_components_are_the_connected_ones(tmp_path_factory: pytest.TempPathFactory, pairs: list) -> None:
    check_stars(tmp_path_factory.mktemp("stars"), pairs)


def test_stars_on_a_long_path(tmp_path: Path) -> None:
    check_stars(tmp_path, [(n, n + 1) for n in range(40)] + [(90, 91)])


def check_stars(folder: Path, pairs: Sequence[tuple[int, int]]) -> None:
    edges = np.array(pairs, EDGE)
    paths = []
    for number, part in enumerate((edges[::2], edges[1::2])):
        paths.append(str(folder / f"{number}.edges"))
        part.tofile(paths[-1])
    files = star_components(Engine(), str(folder / "work"), paths, "key", 1 << 20, parts=2)
    assert sorted(read_all(files, EDGE).tolist()) == plain_components(pairs)


@given(st.data())
@settings(max_examples=3, deadline=None)
def test_near_duplicates_are_the_components_of_all_pairs(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Oracle: every pair of documents that shares a band and has the estimated Jaccard, whatever the shards."""
    folder = tmp_path_factory.mktemp("near")
    changes = data.draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), min_size=2, max_size=24, unique=True)
    )
    texts = [
        f"{words(1000 * base, 100 - cut // 2)} end{cut} {words(1000 * base + 200, cut // 2)}" for base, cut in changes
    ]
    rows = [(str(number), text, "web", "en") for number, text in enumerate(texts)]
    border = data.draw(st.integers(0, len(rows)))
    shards = [write_shard(folder, name, part) for name, part in (("x", rows[:border]), ("y", rows[border:]))]
    found = rows_of(run(shards, folder / "work", shuffle_bytes=data.draw(st.sampled_from([3000, 1 << 20]))))

    values, _ = signatures(pa.array(texts, pa.large_string()), np.zeros(len(texts), np.uint8))
    bands = band_hashes(values, SETTINGS.bands)
    pairs = [
        (a, b) for a in range(len(texts)) for b in range(a)
        if (bands[a] == bands[b]).any() and jaccard(values[a : a + 1], values[b : b + 1])[0] >= 0.7
    ]  # fmt: skip
    members: dict[int, list[int]] = {}
    for node, root in plain_components(pairs):
        members.setdefault(root, []).append(node)
    expected: dict[int, tuple] = dict.fromkeys(range(len(texts)), (None, 1))
    for group in members.values():
        best = min(group, key=lambda number: (-len(texts[number]), key(str(number))))
        for number in group:
            expected[number] = (None if number == best else key(str(best)), len(group))
    assert {n: (row["kept_id"], row["cluster_size"]) for n, row in enumerate(found)} == expected
