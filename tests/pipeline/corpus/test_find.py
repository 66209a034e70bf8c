"""Whoever asks "am I in it?" is answered, whether the document was kept or dropped."""

import json
import random
import shutil
import subprocess
import sys

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError
from openroots.cli import main
from pipeline.corpus import passages
from pipeline.corpus.find import Wanted, find
from tests import small_build
from tests.pipeline.corpus.conftest import PASSAGE


def keys(corpus, **wanted):
    return {(row["decision"], row["uri"]) for row in find(str(corpus), Wanted(**wanted)).rows}


KEPT, COPY = ("kept", "https://site-4.example/page/4"), ("dropped", "https://mirror.example/4")


def either(found):
    """The passage and its near copy: which one was kept is deduplication's business."""
    return {uri for _, uri in found} == {KEPT[1], COPY[1]} and {decision for decision, _ in found} == {
        "kept",
        "dropped",
    }


@pytest.mark.parametrize(
    "text",
    [
        PASSAGE,
        PASSAGE[30:55],
        PASSAGE.upper(),
        PASSAGE.replace(" ", "\n  "),
        "“Violet ink” — of ships; that NEVER came",
    ],
)
def test_a_passage_is_found_whatever_its_case_spaces_and_punctuation(whole, text):
    assert either(keys(whole, text=text))


def test_without_its_work_a_corpus_answers_for_what_it_kept_and_says_so(corpus):
    shutil.rmtree(corpus / ".work")
    found = find(str(corpus), Wanted(text=PASSAGE))
    assert [row["decision"] for row in found.rows] == ["kept"]
    assert "dropped" in found.notes[0]


def test_a_lost_or_foreign_sketch_costs_time_but_no_answer(corpus):
    sketches = sorted((corpus / "index" / "passages").rglob("*.passages"))
    sketches[0].unlink()
    sketches[-1].write_bytes(b"openroots passages 1\n{}\n")
    assert either(keys(corpus, text=PASSAGE))


def test_by_address_source_and_author(whole):
    assert keys(whole, uri="https://mirror.example/") <= {COPY, ("kept", COPY[1])}
    assert len(keys(whole, uri="https://site-2.example/page/")) == 12
    for as_typed in ("http://site-2.example/page/", " HTTPS://Site-2.Example/page/\n"):
        assert keys(whole, uri=as_typed) == keys(whole, uri="https://site-2.example/page/")
    assert keys(whole, uri="https://site-2.example/PAGE/") == set()
    assert len(find(str(whole), Wanted(source="in")).rows) == 62
    assert keys(whole, source="in", uri="https://nowhere") == set()
    assert either(keys(whole, author="ada  INK"))


def test_by_id_and_its_start_and_the_rows_own_key(whole):
    row = find(str(whole), Wanted(uri="https://site-2.example/page/7")).rows[0]
    assert find(str(whole), Wanted(id=row["id"])).rows == [row]
    assert row in find(str(whole), Wanted(id=row["id"][:8])).rows
    assert find(str(whole), Wanted(key="doc-7")).rows == [row]


def test_an_address_is_found_in_the_texts_before_redaction(whole, corpus):
    assert {uri for _, uri in keys(whole, email="Keeper@saltmarsh.org")} == {"https://site-3.example/page/8"}
    shutil.rmtree(corpus / ".work")
    found = find(str(corpus), Wanted(email="keeper@saltmarsh.org"))
    assert found.rows == []
    assert len(found.notes) == 2


def test_each_hit_names_the_files_it_lies_in(whole):
    for row in find(str(whole), Wanted(text=PASSAGE)).rows:
        assert any(file.startswith(".work/annotate/") for file in row["files"])
        assert any(file.startswith("data/") for file in row["files"]) == (row["decision"] == "kept")


@pytest.mark.parametrize("wanted", [{}, {"text": "too short"}, {"text": "… — …"}, {"id": "xyz"}, {"email": "nobody"}])
def test_what_can_mean_no_document_is_refused(whole, wanted):
    with pytest.raises(ConfigurationError):
        find(str(whole), Wanted(**wanted))


def test_the_command_prints_rows_and_ends_with_1_where_there_is_none(whole):
    result = CliRunner().invoke(main, ["find", str(whole), "--key", "doc-7", "--json"])
    assert (result.exit_code, json.loads(result.stdout)["uri"]) == (0, "https://site-2.example/page/7")
    assert CliRunner().invoke(main, ["find", str(whole), "--key", "no-such"]).exit_code == 1


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=40, max_size=300), st.integers(0, 20), st.integers(12, 60))
def test_a_text_has_all_chosen_grams_of_its_passages(text, start, length):
    folded = passages.normal(text)
    part = folded[start : start + length]
    if len(part) >= passages.SHORTEST:
        assert set(passages._asked(part)) <= set(passages._asked(folded)) or len(passages._asked(folded)) >= 32


def test_sketches_leave_out_most_blocks_and_never_the_right_one(tmp_path, monkeypatch):
    monkeypatch.setattr(passages, "BLOCK_BYTES", 20_000)
    chosen = random.Random(3)
    words = ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(5000)]
    batches = [[" ".join(chosen.choices(words, k=500)) for _ in range(4)] for _ in range(40)]
    schema = pa.schema([("text", pa.large_string())])
    with pa.ipc.new_file(str(tmp_path / "shard.arrow"), schema) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_arrays([pa.array(batch, pa.large_string())], schema=schema))
    (tmp_path / "sketch").write_bytes(passages.sketch(str(tmp_path / "shard.arrow"), "digest"))
    for number in (0, 17, 39):
        found = passages.candidates(str(tmp_path / "sketch"), "digest", [passages.normal(batches[number][2][900:960])])
        assert number in found
        assert len(found) <= 8
    assert passages.candidates(str(tmp_path / "sketch"), "another", [b"x" * 30]) is None


@pytest.mark.parametrize("batches", [1, 2, 3, 8, 9, 17])
def test_a_sketch_takes_about_an_eighth_of_the_text_however_few_its_blocks(batches, tmp_path, monkeypatch):
    monkeypatch.setattr(passages, "BLOCK_BYTES", 1000)  # each batch is a block
    chosen = random.Random(batches)
    texts = ["".join(chosen.choices("abcdefghijklmnop ", k=40_000)) for _ in range(batches)]
    schema = pa.schema([("text", pa.large_string())])
    with pa.ipc.new_file(str(tmp_path / "shard.arrow"), schema) as writer:
        for text in texts:
            writer.write_batch(pa.RecordBatch.from_arrays([pa.array([text], pa.large_string())], schema=schema))
    made = passages.sketch(str(tmp_path / "shard.arrow"), "digest")
    (tmp_path / "sketch").write_bytes(made)
    assert len(made) < 0.35 * sum(map(len, texts))
    for number, text in enumerate(texts):
        found = passages.candidates(str(tmp_path / "sketch"), "digest", [passages.normal(text[700:900])])
        assert number in found
        assert len(found) <= 2


def test_folding_agrees_with_python_for_every_character():
    characters = [chr(code) for code in range(0x3100) if not 0xD800 <= code < 0xE000]
    folded, _ = passages.fold(pa.array(characters, pa.large_string()))
    expected = ["".join(c for c in x.casefold() if passages.tables().fold[ord(c)]) for x in characters]
    assert folded.tobytes().decode().split("\n")[:-1] == expected


def test_searching_a_corpus_does_not_wait_for_beam_to_load():
    script = "import sys, pipeline.corpus.find, pipeline.corpus.takedown, pipeline.corpus.verify\n"
    script += "sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def looked_into(corpus, text):
    """How many files `find` opens for texts."""
    told = []
    find(str(corpus), Wanted(text=text), told.append)
    return int(told[0].split()[2]) if told else 0


def test_sketches_tell_where_dropped_texts_are_so_that_other_work_files_stay_closed(whole, corpus):
    nowhere = "wholly unheard of sentence that nobody has ever written down"
    assert looked_into(whole, nowhere) == 0
    assert looked_into(whole, PASSAGE) == 2  # the shard that has it, and the work shard with its near copy
    (corpus / ".work" / "seal.json").unlink()  # nothing says that the sketches are of these files
    assert looked_into(corpus, nowhere) == 1
    assert either(keys(corpus, text=PASSAGE))


def test_texts_that_were_cut_from_a_kept_document_are_sketched_too(tmp_path):
    recipe = small_build.write_inputs(tmp_path)
    small_build.build(recipe, tmp_path / "corpus")
    footer = "This line of the footer stands below a third of all documents"
    for shard in (tmp_path / "corpus" / "data").rglob("*.arrow"):
        assert footer.encode() not in shard.read_bytes()
    rows = find(str(tmp_path / "corpus"), Wanted(text=footer)).rows
    assert {row["decision"] for row in rows} == {"kept", "dropped"}


def test_a_sketch_of_what_was_dropped_holds_no_byte_of_text_and_lies_in_the_work_folder(whole):
    sketches = list(whole.rglob("*.passages"))
    assert any("dropped-passages" in path.parts for path in sketches)
    for path in sketches:
        assert "index" in path.parts or ".work" in path.parts
        assert b"Saltmarsh" not in path.read_bytes()
        assert b"saltmarsh" not in path.read_bytes()
