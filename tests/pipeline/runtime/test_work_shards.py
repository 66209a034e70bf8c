"""Work shards: languages that can be read alone, rows in other portions, texts that are not looked at."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime import storage
from pipeline.runtime.phases import TaskFolder
from pipeline.runtime.shards import Rows, Sections, coarse, excerpt, open_shard
from pipeline.text.columns import encode


def batch(language: str, texts: list[str]) -> pa.RecordBatch:
    columns = {"language": encode([language] * len(texts)), "text": pa.array(texts, pa.large_string())}
    return pa.record_batch(columns)


SHARD = [("en", [["one", "two"], ["three"]]), ("sw", [["moja"]]), ("yo", [["ọ̀kan", "èjì", "ẹ̀ta"]])]


@pytest.fixture
def shard(tmp_path: Path) -> tuple[str, dict[str, storage.Span]]:
    """The path of a shard, and where each language is."""
    folder, places = TaskFolder(str(tmp_path), "shard"), {}
    with folder.arrow(".arrow", batch("en", [""]).schema, writer=Sections) as target:
        for language, batches in SHARD:
            places[language] = target.begin()
            for texts in batches:
                target.write(batch(language, texts))
    path = tmp_path / "shard.arrow"
    size = path.stat().st_size
    ends = [*list(places.values())[1:], size]
    return str(path), {name: storage.Span(at, end, size) for (name, at), end in zip(places.items(), ends, strict=True)}


def test_a_language_is_read_without_the_others(shard: tuple[str, dict[str, storage.Span]]) -> None:
    path, places = shard
    for language, batches in SHARD:
        with storage.open_stream(path, span=places[language]) as reader:
            assert [part["text"].to_pylist() for part in reader] == batches


@pytest.mark.parametrize("mapped", [True, False])
def test_all_languages_are_read_one_after_the_other(shard: tuple[str, dict[str, storage.Span]], mapped: bool) -> None:
    with storage.open_stream(shard[0], mapped=mapped) as reader:
        assert [part["text"].to_pylist() for part in reader] == [texts for _, batches in SHARD for texts in batches]


def test_readers_of_shards_of_any_format_see_all_languages(shard: tuple[str, dict[str, storage.Span]]) -> None:
    with open_shard(shard[0]) as batches:
        assert [part["language"][0].as_py() for part in batches] == ["en", "en", "sw", "yo"]


def test_a_shard_on_an_object_store_is_read_alike(shard: tuple[str, dict[str, storage.Span]]) -> None:
    fs, inner = storage.filesystem("memory://shards/shard.arrow")
    fs.pipe_file(inner, Path(shard[0]).read_bytes())
    with storage.open_stream("memory://shards/shard.arrow") as reader:
        assert sum(part.num_rows for part in reader) == 7
    with storage.open_stream("memory://shards/shard.arrow", span=shard[1]["yo"]) as reader:
        assert sum(part.num_rows for part in reader) == 3


def test_a_shard_without_rows_has_a_schema(tmp_path: Path) -> None:
    schema = batch("en", [""]).schema
    with TaskFolder(str(tmp_path), "empty").arrow(".arrow", schema, writer=Sections):
        pass
    with storage.open_stream(str(tmp_path / "empty.arrow")) as reader:
        assert reader.schema == schema
        assert list(reader) == []


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 3))
def test_rows_come_in_any_portions(portions: list[int], skipped: int) -> None:
    sink = pa.BufferOutputStream()
    numbers = pa.array(range(30), pa.int32())
    with pa.ipc.new_stream(sink, pa.schema([("n", pa.int32())])) as writer:
        for start in (0, 7, 7, 8, 20):
            writer.write_batch(pa.record_batch({"n": numbers.slice(start, {0: 7, 7: 1, 8: 12, 20: 10}[start])}))
    whole = [*range(7), 7, 7, *range(8, 20), *range(20, 30)]
    rows = Rows(storage.Streams(pa.BufferReader(sink.getvalue())))
    rows.skip(skipped)
    taken = [row for portion in portions for row in rows.take(portion)["n"].to_pylist()]
    assert taken == whole[skipped : skipped + sum(portions)]


def test_more_rows_than_there_are_is_an_error() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("n", pa.int32())])) as writer:
        writer.write_batch(pa.record_batch({"n": pa.array([1, 2], pa.int32())}))
    with pytest.raises(pa.ArrowInvalid, match="fewer rows"):
        Rows(storage.Streams(pa.BufferReader(sink.getvalue()))).take(3)


def test_small_batches_are_joined_and_their_texts_found() -> None:
    batches = [batch(language, texts) for language, parts in SHARD for texts in parts]
    [(joined, texts)] = coarse(batches)
    assert joined["language"].to_pylist() == ["en"] * 3 + ["sw"] + ["yo"] * 3
    assert "text" not in joined.schema.names
    assert [excerpt(texts, row, 3) for row in range(7)] == ["one", "two", "thr", "moj", "ọ̀k", "èjì", "ẹ̀t"]
