"""Word tables: sums that no split changes, beside Python's `Counter`."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError, InputError
from pipeline.runtime.engine import Engine
from tests.tokenizer.texts import tiny_texts
from tokenizer.count import WORDS, WordCounter, count_words, language_weights
from tokenizer.count_phase import Counting, WordTable, corpus_files, count_files, read_words
from tokenizer.lines import SeenLines
from tokenizer.pretokenize import Pattern, pretokenize
from tokenizer.texts import Skipped, TextFile, read_blocks
from tokenizer.word_table import FIRST_WORDS

TEXTS = st.lists(st.one_of(st.none(), st.text(), st.text("ab .", max_size=30)), max_size=8)


def strings(texts: list[str | None]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def as_counter(words: pa.RecordBatch) -> Counter[bytes]:
    counts = dict(zip(words["word"].to_pylist(), words["count"].to_pylist(), strict=True))
    assert len(counts) == words.num_rows
    return Counter(counts)


def reference(texts: pa.LargeStringArray, name: str) -> Counter[bytes]:
    return Counter(word for words in pretokenize(texts, Pattern.named(name)).to_pylist() for word in words)


@pytest.mark.parametrize("name", ["bloom", "gpt2", "gpt4"])
@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_counts_are_those_of_the_pieces(name: str, texts: list[str | None]) -> None:
    assert as_counter(count_words([strings(texts)], Pattern.named(name))) == reference(strings(texts), name)


def test_real_text_outgrows_the_first_table_several_times() -> None:
    words = count_words([tiny_texts()])
    assert words.num_rows > 3 * FIRST_WORDS
    assert as_counter(words) == reference(tiny_texts(), "bloom")


def test_threads_count_the_same() -> None:
    parts = [tiny_texts()[i : i + 10] for i in range(0, len(tiny_texts()), 10)]
    assert as_counter(count_words(parts, workers=3)) == as_counter(count_words(parts))


def add_tables(*tables: pa.RecordBatch) -> pa.RecordBatch:
    counter = WordCounter()
    for table in tables:
        counter.add_words(table)
    return counter.words(is_sorted=True)


@settings(max_examples=50, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_addition_is_associative_and_commutative(one: list, two: list, three: list) -> None:
    a, b, c = (count_words([strings(texts)]) for texts in (one, two, three))
    whole = add_tables(count_words([strings(one), strings(two), strings(three)]))
    assert add_tables(add_tables(a, b), c).equals(whole)
    assert add_tables(c, add_tables(b, a)).equals(whole)


def test_a_weight_multiplies_beyond_32_bits() -> None:
    counter = WordCounter()
    counter.add_texts(strings(["a a b"]), 2**40)
    assert as_counter(counter.words()) == {b"a": 2**40, b" a": 2**40, b" b": 2**40}


def test_rare_words_are_left_out_when_asked() -> None:
    counter = WordCounter()
    counter.add_texts(strings(["a.a.b"]))
    assert as_counter(counter.words(count_min=2)) == {b"a": 2, b".": 2}


def test_weights_flatten_the_shares_of_languages() -> None:
    sizes = {"en": 1_000_000, "sw": 10_000, "none": 0}
    assert language_weights(sizes, 1) == {"en": 1, "sw": 1}
    assert language_weights(sizes, 0) == {"en": 16, "sw": 1600}
    assert language_weights(sizes, 0.5) == {"en": 16, "sw": 160}
    with pytest.raises(ConfigurationError, match="alpha = 2"):
        language_weights(sizes, 2)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.text("ab\n", max_size=12), max_size=5), max_size=4))
def test_a_line_is_kept_where_it_first_stands(batches: list[list[str]]) -> None:
    lines, seen = SeenLines(), set()
    for batch in batches:
        expected = []
        for text in batch:
            kept = ""
            for line in text.splitlines(keepends=True):
                kept += line if line == "\n" or line.strip("\n") not in seen else ""
                seen.add(line.strip("\n"))
            expected.append(kept)
        assert lines.new_lines(strings(batch)).to_pylist() == expected


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for language, texts in {"en": ["the cat", "the dog\nthe dog\n"], "sw": ["paka na mbwa"], "fr": ["le chat"]}.items():
        for number, text in enumerate(texts):
            path = tmp_path / "corpus" / "data" / language / f"shard-{number}.arrow"
            path.parent.mkdir(parents=True, exist_ok=True)
            batch = pa.record_batch({"text": strings([text])})
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write(batch)
    return tmp_path / "corpus"


def test_a_corpus_is_counted_by_language_and_weighted(corpus: Path, tmp_path: Path) -> None:
    table = count_files(corpus_files(str(corpus)), str(tmp_path / "work"), Counting(alpha=0))
    weights = {language: figures["weight"] for language, figures in table.languages.items()}
    assert weights["en"] == 16 < weights["sw"] < weights["fr"]
    words = as_counter(read_words(table.path))
    assert words[b" cat"] == 16
    assert words[b" mbwa"] == weights["sw"]
    assert table.languages["en"]["bytes"] == 23


def test_lines_that_come_back_count_once_when_asked(corpus: Path, tmp_path: Path) -> None:
    table = count_files(corpus_files(str(corpus)), str(tmp_path / "work"), Counting(unique_lines=True))
    assert as_counter(read_words(table.path))[b" dog"] == 1


def test_words_left_out_are_reported(corpus: Path, tmp_path: Path) -> None:
    table = count_files(corpus_files(str(corpus)), str(tmp_path / "work"), Counting(count_min=2))
    assert as_counter(read_words(table.path)) == {b"the": 3, b" dog": 2, b"\n": 2}
    assert table.languages["sw"]["words_left_out"] == 3


def test_any_number_of_workers_gives_the_same_table_and_a_rerun_does_nothing(corpus: Path, tmp_path: Path) -> None:
    files = corpus_files(str(corpus))
    one = count_files(files, str(tmp_path / "one"))
    many = Engine(workers=2, options=("--direct_num_workers=2", "--direct_running_mode=multi_threading"))
    two = count_files(files, str(tmp_path / "two"), engine=many)
    assert one.digest == two.digest
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert count_files(files, str(tmp_path / "one")) == one
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*") if path.is_file()}


def test_text_json_lines_and_parquet_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo")
    (tmp_path / "a.jsonl").write_text('{"text": "one\\ntwo", "other": 1}\n')
    pq.write_table(pa.table({"text": ["one\ntwo"]}), tmp_path / "a.parquet")
    for name in ("a.txt", "a.jsonl", "a.parquet"):
        blocks = read_blocks(TextFile(str(tmp_path / name), documents="file"), Skipped())
        assert "".join(text for batch in blocks for text in batch.to_pylist()) == "one\ntwo"


def test_by_line_plain_text_is_counted_as_it_is_encoded(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one two\r\n\r\none two\n\nthree")
    words = {}
    for documents in ("line", "file"):
        files = [TextFile(str(tmp_path / "a.txt"), documents=documents)]
        table = count_files(files, str(tmp_path / "work"))
        rows = read_words(table.path).to_pydict()
        words[documents] = dict(zip(rows["word"], rows["count"], strict=True))
    assert words["line"] == {b"one": 2, b" two": 2, b"three": 1}
    assert any(b"\n" in word for word in words["file"])


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 noir")
    with pytest.raises(InputError, match=r"a\.txt"):
        count_files([TextFile(str(tmp_path / "a.txt"))], str(tmp_path / "work"))
    with pytest.raises(InputError, match="build-corpus"):
        corpus_files(str(tmp_path))
    assert WORDS.names == ["word", "count"]


def tiny_files(folder: Path) -> list[TextFile]:
    files = []
    for number, text in enumerate(tiny_texts().to_pylist()[:40]):
        path = folder / f"{number:02}.txt"
        path.write_text(text)
        files.append(TextFile(str(path), ("en", "sw", "fr")[number % 3]))
    return files


@pytest.mark.parametrize("unique_lines", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_worker_processes_and_another_runner_give_the_same_table(unique_lines: bool, tmp_path: Path) -> None:
    from apache_beam.runners.portability.local_job_service import LocalJobServicer

    files, counting = tiny_files(tmp_path), Counting(unique_lines=unique_lines, alpha=0.3)
    alone = count_files(files, str(tmp_path / "alone"), counting)
    processes = Engine(
        options=("--direct_num_workers=2", "--direct_running_mode=multi_processing"), log=str(tmp_path / "log")
    )
    assert count_files(files, str(tmp_path / "processes"), counting, processes) == alone_at(
        alone, tmp_path, "processes"
    )
    server = LocalJobServicer(str(tmp_path / "staging"))
    port = server.start_grpc_server()
    try:
        options = ("--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK")
        portable = count_files(files, str(tmp_path / "portable"), counting, Engine(options=options))
    finally:
        server.stop()
    assert portable == alone_at(alone, tmp_path, "portable")


def alone_at(table: WordTable, folder: Path, name: str) -> WordTable:
    """The same table as it would be called under another folder."""
    return replace(table, path=table.path.replace(str(folder / "alone"), str(folder / name)))


def test_shards_are_known_by_the_digests_of_the_manifest(corpus: Path, tmp_path: Path) -> None:
    paths = sorted((corpus / "data").rglob("*.arrow"))
    shards = [{"path": str(path.relative_to(corpus)), "digest": f"digest {n}"} for n, path in enumerate(paths)]
    (corpus / "manifest.json").write_text(json.dumps({"languages": {"all": {"shards": shards}}}))
    count_files(corpus_files(str(corpus)), str(tmp_path / "work"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()}
    for path in paths:
        path.touch()
    count_files(corpus_files(str(corpus)), str(tmp_path / "work"))
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.is_file()}
    (corpus / "manifest.json").write_text('{"languages": []}')
    with pytest.raises(InputError, match=r"manifest\.json"):
        corpus_files(str(corpus))
