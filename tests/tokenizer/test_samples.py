"""Samples of text are bounded, and depend on what the documents are, not on their order."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from tokenizer.count_phase import TextFile, corpus_files
from tokenizer.samples import Sample, sample_files


def sampled(texts: list[str], limit: int, step: int = 7) -> tuple[str, ...]:
    sample = Sample(limit)
    for begin in range(0, len(texts), step):
        part = texts[begin : begin + step]
        sample.add([text.encode() for text in part], pa.array(part, pa.large_string()))
    return sample.texts()


@given(st.lists(st.text(max_size=9).filter(lambda text: text.strip()), max_size=60), st.integers(1, 80), st.integers())
def test_a_sample_keeps_to_its_limit_whatever_the_order_of_documents(texts: list[str], limit: int, seed: int) -> None:
    found = sampled(texts, limit)
    assert sum(len(text.encode()) for text in found) <= limit
    shuffled = texts.copy()
    random.Random(seed).shuffle(shuffled)
    assert sampled(shuffled, limit, 5) == found
    larger = sampled(texts, 2 * limit)
    assert larger[: len(found) - 1] == found[:-1]


def test_all_is_taken_where_there_is_little() -> None:
    texts = ["one", "two", "three"]
    assert sorted(sampled(texts, 1000)) == sorted(texts)


def test_a_long_document_is_cut_at_white_space() -> None:
    assert sampled(["one two three four"], 12) == ("one two",)


def write_corpus(folder: Path, texts: dict[str, list[str]], order: int = 1) -> None:
    schema = pa.schema({"id": pa.binary(16), "text": pa.large_string()})
    for language, documents in texts.items():
        path = folder / "data" / language / "shard-00000-of-00001.arrow"
        path.parent.mkdir(parents=True)
        rows = [(number.to_bytes(16, "big"), text) for number, text in enumerate(documents)][::order]
        batch = pa.record_batch([pa.array([r[0] for r in rows], pa.binary(16)), pa.array([r[1] for r in rows])], schema)
        with pa.OSFile(str(path), "wb") as stream, pa.ipc.new_stream(stream, schema) as writer:
            writer.write_batch(batch)


def test_a_corpus_is_sampled_by_language_and_document_id(tmp_path: Path) -> None:
    texts = {"sw": [f"watu {number}" for number in range(500)], "en": ["people"]}
    write_corpus(tmp_path / "a", texts)
    write_corpus(tmp_path / "b", texts, order=-1)
    one, two = (sample_files(corpus_files(str(tmp_path / name)), 200) for name in "ab")
    assert one == two
    assert [text.language for text in one] == ["en", "sw"]
    assert one[1].texts != tuple(texts["sw"][: len(one[1].texts)])


@pytest.mark.parametrize("name", ["t.txt", "t.jsonl", "t.parquet"])
def test_files_of_each_kind_give_the_same_sample(tmp_path: Path, name: str) -> None:
    lines = ["kwa heri", "habari gani", "asante sana"]
    path = tmp_path / name
    if name == "t.txt":
        path.write_text("\n".join(lines) + "\n\n")
    elif name == "t.jsonl":
        path.write_text("".join(f'{{"text": "{line}"}}\n' for line in lines))
    else:
        pq.write_table(pa.table({"text": lines}), path)
    [found] = sample_files([TextFile(str(path), "sw")])
    assert sorted(found.texts) == sorted(lines)


def test_a_file_without_text_is_refused_and_a_language_without_text_left_out(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty.txt", tmp_path / "full.txt"
    empty.write_text("\n \n")
    full.write_text("watu")
    with pytest.raises(InputError, match="no text in it"):
        sample_files([TextFile(str(empty), "sw")])
    found = sample_files([TextFile(str(empty), "sw"), TextFile(str(full), "en")])
    assert [text.language for text in found] == ["en"]
