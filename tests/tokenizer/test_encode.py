"""Encoding whole columns and files: the ids of `tokenizers`, whoever computes them."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Library

from configs.errors import InputError
from pipeline.runtime.engine import Engine
from tests.tokenizer.texts import tiny_texts
from tokenizer.count_phase import TextFile, corpus_files
from tokenizer.encode import encode_files
from tokenizer.load import Tokenizer
from tokenizer.model import train_tokenizer
from tokenizer.pretokenize import Pattern
from tokenizer.verify import differing_text

TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


@lru_cache(4)
def saved(pattern: str = "bloom") -> str:
    return train_tokenizer([tiny_texts()], 3_000, pattern=Pattern.named(pattern)).tokenizer.to_str()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([tiny_texts()], 3_000).save(str(place))
    return place


@pytest.mark.parametrize("pattern", ["bloom", "gpt2", "gpt4"])
def test_ids_are_those_of_tokenizers(pattern: str) -> None:
    library, texts = Library.from_str(saved(pattern)), tiny_texts()
    library.encode_special_tokens = True
    expected = [e.ids for e in library.encode_batch(texts.to_pylist(), add_special_tokens=False)]
    for backend in ("fastokens", "tokenizers"):
        assert Tokenizer(saved(pattern), {}, backend).encode_batch(texts).to_pylist() == expected


@pytest.mark.parametrize("pattern", ["bloom", "gpt2", "gpt4"])
def test_the_fast_encoder_passes_the_check(pattern: str) -> None:
    assert differing_text(saved(pattern)) is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(), max_size=5))
@example(["</s> is <s> text <pad>", "\x00\x85e\u0301\u200d", ""])
def test_text_comes_back_whole(texts: list[str]) -> None:
    tokenizer = Tokenizer(saved(), {}, "fastokens")
    ids = tokenizer.encode_batch(texts)
    assert [tokenizer.decode(row) for row in ids.to_pylist()] == texts


def test_special_tokens_are_text_unless_asked_for() -> None:
    tokenizer = Tokenizer(saved(), {}, "fastokens")
    text = ["a</s>b<s>"]
    special = set(tokenizer.special_tokens.values())
    assert not special & set(tokenizer.encode_batch(text).to_pylist()[0])
    assert {1, 2} <= set(tokenizer.encode_batch(text, special_tokens=True).to_pylist()[0])


def test_what_the_fast_encoder_gets_wrong_is_encoded_by_tokenizers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A BPE that drops half of its merges at random would be a mock; this one cuts words in a way of its own.
    library = Library.from_str(saved())
    cut = pre_tokenizers.Split(Regex(r"(?i)(?=l)l+(?!l)|[^l]+?(?=l|$)"), "isolated")
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    (tmp_path / "tokenizer.json").write_text(library.to_str())
    verdict = differing_text(library.to_str())
    tokenizer = Tokenizer.load(str(tmp_path))
    assert tokenizer.backend == ("fastokens" if verdict is None else "tokenizers")
    if verdict is not None:
        assert "fastokens differs" in caplog.text
    library.encode_special_tokens = True
    texts = tiny_texts().slice(0, 20)
    assert tokenizer.encode_batch(texts).to_pylist() == [library.encode(t).ids for t in texts.to_pylist()]


def test_rubbish_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    with pytest.raises(InputError, match="no such file"):
        Tokenizer.load(str(tmp_path))
    for content in (b"", b"{}", b"\xff\xfe", b'{"model": 3}'):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"tokenizer\.json"):
            Tokenizer.load(str(tmp_path))
    word_level = Library(models.WordLevel({"a": 0}, unk_token="a"))
    word_level.pre_tokenizer, word_level.decoder = pre_tokenizers.Whitespace(), decoders.WordPiece()
    file.write_text(word_level.to_str())
    with pytest.raises(InputError, match="not byte-level"):
        Tokenizer.load(str(tmp_path))


def test_shards_hold_every_document_with_its_id(folder: Path, tiny: tuple[Path, dict], tmp_path: Path) -> None:
    manifest = encode_files(corpus_files(str(tiny[0])), str(folder), str(tmp_path), corpus=tiny[1]["digest"])
    library = Library.from_file(str(folder / "tokenizer.json"))
    library.encode_special_tokens = True
    for shard in manifest["shards"]:
        with pa.ipc.open_file(tmp_path / shard["path"]) as reader:
            table = reader.read_all()
        source = tiny[0] / "data" / shard["language"] / Path(shard["path"]).name
        with pa.ipc.open_file(source) as reader:
            corpus = reader.read_all()
        assert table["id"].to_pylist() == corpus["id"].to_pylist()
        expected = [e.ids for e in library.encode_batch(corpus["text"].to_pylist())]
        assert table["input_ids"].to_pylist() == expected
        assert shard["tokens"] == sum(map(len, expected))
    assert manifest["tokenizer"]["eos_id"] == 2 and manifest["corpus"] == tiny[1]["digest"]
    from datasets import load_dataset

    rows = load_dataset(str(tmp_path), "sw", split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == manifest["languages"]["sw"]["documents"] and rows[0]["input_ids"]


@pytest.mark.slow
def test_the_same_digest_with_two_processes(folder: Path, tiny: tuple[Path, dict], tmp_path: Path) -> None:
    files = corpus_files(str(tiny[0]))
    one = encode_files(files, str(folder), str(tmp_path / "one"))
    two = encode_files(files, str(folder), str(tmp_path / "two"), engine=Engine(2, TWO_PROCESSES))
    assert one == two


def test_killed_it_goes_on_to_the_same_digest(folder: Path, tiny: tuple[Path, dict], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "openroots.cli", "encode", "--quiet", "--tokenizer", str(folder)]
    command += ["--input", str(tiny[0]), "--output"]
    process = subprocess.Popen([*command, str(tmp_path / "killed")], start_new_session=True)
    records = tmp_path / "killed" / ".work" / "encode" / "records"
    while process.poll() is None and not (records.exists() and len(list(records.rglob("*.json"))) > 2):
        time.sleep(0.01)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run([*command, str(tmp_path / "killed")], check=True)
    expected = encode_files(corpus_files(str(tiny[0])), str(folder), str(tmp_path / "whole"))
    assert json.loads((tmp_path / "killed" / "manifest.json").read_text())["digest"] == expected["digest"]
    assert not list((tmp_path / "killed").rglob("*.tmp"))


def test_an_unreadable_file_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no such thing")
    with pytest.raises(InputError, match=r"a\.parquet"):
        encode_files([TextFile(str(tmp_path / "a.parquet"))], str(folder), str(tmp_path / "out"))


def test_nulls_and_no_texts_have_no_ids() -> None:
    tokenizer = Tokenizer(saved(), {}, "fastokens")
    assert tokenizer.encode_batch(pa.array(["a", None], pa.large_string())).to_pylist()[1] == []
    assert len(tokenizer.encode_batch([])) == 0
    assert tokenizer.encode_batch(["a"]).flatten().to_numpy().dtype == np.uint32


def test_a_check_is_remembered_for_the_very_tokenizer_alone(folder: Path, tmp_path: Path) -> None:
    Tokenizer.load(str(folder), "tokenizers").save(str(tmp_path))
    assert Tokenizer.load(str(tmp_path)).backend == "tokenizers"
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text() + " ")
    assert Tokenizer.load(str(tmp_path)).backend == "fastokens"


@pytest.mark.parametrize("name", ["", "/", "/tokenizer.json"])
def test_a_tokenizer_is_read_from_a_store(folder: Path, name: str) -> None:
    place = f"memory://bucket-{uuid.uuid4().hex}/tokenizer"
    ours = Tokenizer.load(str(folder), "tokenizers")
    ours.save(place)
    read = Tokenizer.load(f"{place}{name}")
    assert (read.digest, read.configuration, read.backend) == (ours.digest, ours.configuration, "tokenizers")


def test_the_same_rows_have_the_same_ids_wherever_their_file_lies(folder: Path, tmp_path: Path) -> None:
    digests = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        long = json.dumps({"text": "x" * 9_000_000, "note": 1})
        (tmp_path / place / "t.jsonl").write_text(f'{{"text": "one", "note": [2]}}\n\n{long}\n')
        files = [TextFile(str(tmp_path / place / "t.jsonl"), "en")]
        manifest = encode_files(files, str(folder), str(tmp_path / place / "out"))
        assert manifest["languages"]["en"]["documents"] == 2
        digests.append(manifest["digest"])
    assert digests[0] == digests[1]
