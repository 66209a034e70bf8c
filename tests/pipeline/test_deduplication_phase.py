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
from pipeline.deduplication import keys as keys_module
from pipeline.deduplication import pairs as pairs_module
from pipeline.deduplication import sieve as sieve_module
from pipeline.deduplication.clusters import star_components
from pipeline.deduplication.exchange import exchanged
from pipeline.deduplication.keys import DeduplicationContext, ShardInput
from pipeline.deduplication.lines import cut_lines
from pipeline.deduplication.minhash import band_hashes, signatures
from pipeline.deduplication.pairs import BUCKET_ALL_PAIRS_MAX
from pipeline.deduplication.phase import PAIRS, RECURRING, DeduplicationResult, deduplicate, sieve_of
from pipeline.deduplication.records import EDGE, EdgeFile, read_all
from pipeline.deduplication.resolve import RESULT
from pipeline.runtime import storage
from pipeline.runtime.done import Done
from pipeline.runtime.engine import Engine

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
    sieves = {path.name for path in (tmp_path / "other").glob("*-sieve")}
    assert sieves == {f"deduplicate-{name}-sieve" for name in ("ids", "exacts", "pairs")}  # of lines there are too few
    assert not list((tmp_path / "plain").glob("*-sieve"))


@pytest.mark.parametrize(("group_shards", "groups"), [(2, 3), (4096, 1)])
def test_sieves_groups_and_bundles_do_not_change_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group_shards: int, groups: int
) -> None:
    """Six shards with duplicates of all kinds: whole keys at once, beside sieves of groups that are read in parts."""
    shards = []
    for shard in range(6):
        rows = []
        for row in range(12):
            first = 300 * (5 * shard + row) if row % 3 else 40_000 * (shard + 1) + 300 * row
            text = f"Home | About us\n{words(first, 60)}\n{words(first + 60, 80 - shard)}\nfoot {row}"
            text = words(7, 30 + row) if row == shard % 3 else text
            rows.append((f"{shard if row % 5 else 'same'} {row}", text, "web" if row % 2 else "books", "en"))
        shards.append(write_shard(tmp_path / "in", str(shard), rows))
    plain = run(shards, tmp_path / "plain", recurring_lines_documents_min=5)
    assert set(plain.statistics["dropped"]) == {"duplicate_id", "exact_duplicate", "near_duplicate"}
    assert all(plain.statistics["recurring_lines"].values())
    monkeypatch.setattr(keys_module, "BUNDLES_MAX", 4)
    monkeypatch.setattr(sieve_module, "GROUP_SHARDS_MAX", group_shards)
    monkeypatch.setattr(sieve_module, "KEYS_MIN", 30)
    settings = {"recurring_lines_documents_min": 5, "shuffle_bytes": 600}
    sieved = run(shards, tmp_path / "sieved", **settings)
    assert sieved.digests == plain.digests
    assert sieved.statistics == plain.statistics
    assert [Path(path).read_bytes() for path in sieved.recurring_lines.values()] == [
        Path(path).read_bytes() for path in plain.recurring_lines.values()
    ]
    done = Done(str(tmp_path / "sieved"))
    for name, keys in ((RECURRING, 6 * 12 * 3), (PAIRS, 6 * 12 * SETTINGS.bands)):
        found = exchanged(done, sieve_of(name))
        assert name == RECURRING or len(found.all_names) > groups  # these are read in parts
        assert 0 < sum(int(passing) for group in found.all_names for passing in found.about(group)) < keys


def test_deciding_component_by_component_gives_the_same_result(
    shards: list[ShardInput], whole: DeduplicationResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "BUNDLES_MAX", 2)
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
        "near_duplicate",
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
    files = star_components(
        Engine(), str(folder / "work"), [EdgeFile(path, False) for path in paths], "key", 1 << 20, parts=2
    )
    assert sorted(read_all(files, EDGE).tolist()) == plain_components(pairs)


def variants(changes: Sequence[tuple[int, int]]) -> list[str]:
    """Texts in families; the more two numbers of a family differ, the less similar its texts are."""
    texts = []
    for family, cut in changes:
        texts.append(words(1000 * family + cut, 100) + " end" * (cut % 3))
    return texts


def oracle(rows: Sequence[Row], jaccard_min: float) -> list[tuple[bytes | None, float | None, int]]:
    """Greedy in plain Python over all pairs that share a band: (id kept instead, similarity, cluster size) by row."""
    texts = [row[1] for row in rows]
    values, _ = signatures(pa.array(texts, pa.large_string()), np.zeros(len(texts), np.uint8))
    bands = band_hashes(values, SETTINGS.bands)
    order = sorted(range(len(rows)), key=lambda n: (CONTEXT.priorities[rows[n][2]], -len(texts[n]), key(rows[n][0])))
    fate: dict[int, tuple[int, float | None]] = {}
    equal: dict[str, int] = {}
    for n in order:
        if texts[n] in equal:  # equal texts share a fate
            first = equal[texts[n]]
            fate[n] = (fate[first][0], fate[first][1])
            continue
        equal[texts[n]] = n
        similar = [
            (-(values[n] == values[other]).mean(), order.index(other), other)
            for other in fate
            if fate[other][0] == other and (bands[n] == bands[other]).any()
        ]
        similar = [entry for entry in similar if -entry[0] >= jaccard_min]
        fate[n] = (min(similar)[2], -min(similar)[0]) if similar else (n, None)
    sizes = [sum(kept == n for kept, _ in fate.values()) for n in range(len(rows))]
    return [(None if k == n else key(rows[k][0]), s, sizes[k]) for n, (k, s) in sorted(fate.items())]


def told(result: DeduplicationResult) -> list[tuple[bytes | None, float | None, int]]:
    rows = [(row["kept_id"], row["similarity"], row["cluster_size"]) for row in rows_of(result)]
    return [(kept, None if similarity is None else pytest.approx(similarity), size) for kept, similarity, size in rows]


CHANGES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60)), min_size=2, max_size=30)


@pytest.mark.parametrize(("in_memory", "examples"), [(True, 3), pytest.param(False, 2, marks=pytest.mark.slow)])
def test_a_document_is_dropped_only_for_a_similar_one_that_is_kept(
    tmp_path_factory: pytest.TempPathFactory, in_memory: bool, examples: int
) -> None:
    """Oracle: greedy over every pair of documents that shares a band, whatever the shards, rounds and components."""

    @given(st.data())
    @settings(max_examples=examples, deadline=None)
    def check(data: st.DataObject) -> None:
        folder = tmp_path_factory.mktemp("near")
        sources = st.sampled_from(["web", "books"])
        rows = [(str(n), text, data.draw(sources), "en") for n, text in enumerate(variants(data.draw(CHANGES)))]
        border = data.draw(st.integers(0, len(rows)))
        shards = [write_shard(folder, name, part) for name, part in (("x", rows[:border]), ("y", rows[border:]))]
        chosen = {"in_memory_edges_max": 0}
        if in_memory:
            chosen = {"shuffle_bytes": data.draw(st.sampled_from([3000, 1 << 20]))}
        assert told(run(shards, folder / "work", **chosen)) == oracle(rows, 0.7)

    check()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 2, 3))])
def test_crowded_buckets_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Documents compared with leaders only are kept and dropped as if all pairs had been compared."""
    monkeypatch.setattr(pairs_module, "BUCKET_ALL_PAIRS_MAX", 1)
    generator = np.random.default_rng(seed)
    changes = [(0, int(cut)) for cut in generator.integers(0, 90, 40)]
    rows = [(str(n), text, str(generator.choice(["web", "books"])), "en") for n, text in enumerate(variants(changes))]
    shards = [write_shard(tmp_path, "x", rows[:15]), write_shard(tmp_path, "y", rows[15:])]
    found, expected = told(run(shards, tmp_path / "one")), oracle(rows, 0.7)
    assert [kept is None for kept, _, _ in found] == [kept is None for kept, _, _ in expected]
    assert told(run(shards[::-1], tmp_path / "two")) == [*found[15:], *found[:15]]
    if seed == 0:
        assert told(run(shards, tmp_path / "three", in_memory_edges_max=0)) == found


def test_a_chain_is_no_cluster(tmp_path: Path) -> None:
    rows = [(str(n), words(20 * n, 200), "web", "en") for n in range(60)]
    found = rows_of(run([write_shard(tmp_path / "in", "one", rows)], tmp_path / "work"))
    kept = [set(row[1].split()) for row, fate in zip(rows, found, strict=True) if fate["reason"] is None]
    assert len(kept) > 10
    texts = {key(row[0]): set(row[1].split()) for row in rows}
    for row, fate in zip(rows, found, strict=True):
        if fate["reason"]:
            own, other = set(row[1].split()), texts[fate["kept_id"]]
            assert other in kept
            assert len(own & other) / len(own | other) > 0.55
            assert fate["similarity"] >= 0.7


def test_an_exact_duplicate_of_a_document_dropped_is_told_of_the_one_kept(tmp_path: Path) -> None:
    long, short = words(0, 200), words(0, 195)
    rows = [("a", long, "web", "en"), ("b", short, "web", "en"), ("c", short.upper(), "web", "en")]
    found = rows_of(run([write_shard(tmp_path / "in", "one", rows)], tmp_path / "work"))
    assert [row["reason"] for row in found] == [None, "near_duplicate", "near_duplicate"]
    assert [row["kept_id"] for row in found] == [None, key("a"), key("a")]
    assert [row["kept_source"] for row in found] == [None, "web", "web"]
    assert found[1]["similarity"] == found[2]["similarity"] >= 0.7


def test_documents_of_a_finished_build_are_all_kept(tmp_path: Path) -> None:
    """Each is compared with, though they are similar to one another and an earlier step would have dropped some."""
    first, second = words(0, 200), words(20, 200)
    for name, text in (("one", first), ("two", second)):
        run([write_shard(tmp_path / name, "x", [(name, text, "web", "en")])], tmp_path / f"{name} work",
            index=str(tmp_path / name / "index"))  # fmt: skip
    against = (str(tmp_path / "one"), str(tmp_path / "two"))
    new = [("left", words(0, 199), "web", "en"), ("right", words(21, 199), "web", "en")]
    found = rows_of(run([write_shard(tmp_path / "in", "x", new)], tmp_path / "work", against=against))
    assert [row["kept_id"] for row in found] == [key("one"), key("two")]
    assert [row["kept_source"] for row in found] == list(against)


THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิต่างมีเหตุผลและมโนธรรมและควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ"
CHINESE = (
    "人人生而自由在尊严和权利上一律平等他们赋有理性和良心并应以兄弟关系的精神相对待"
    "人人有资格享有本宣言所载的一切权利和自由不分种族肤色性别"
)
KHMER = "មនុស្សទាំងអស់កើតមកមានសេរីភាពនិងសមភាពក្នុងផ្នែកសេចក្ដីថ្លៃថ្នូរនិងសិទ្ធិមនុស្សមានវិចារណញ្ញាណនិងសតិសម្បជញ្ញៈជាប់ពីកំណើត"


def test_scripts_without_spaces_need_no_language(tmp_path: Path) -> None:
    rows = []
    for number, text in enumerate((THAI, CHINESE, KHMER)):
        rows += [(f"a{number}", text * 2 + " one two", "web", "und"), (f"b{number}", text * 2, "web", "en")]
    found = reasons(run([write_shard(tmp_path / "in", "one", rows)], tmp_path / "work"))
    assert found == [None, "near_duplicate"] * 3
