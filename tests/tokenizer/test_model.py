"""The trained tokenizer: files that the library opens, and text that comes back whole."""

import json
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from configs.errors import ConfigurationError
from tests.tokenizer.texts import tiny_texts
from tokenizer.model import Trained, train_tokenizer
from tokenizer.pretokenize import Pattern

ABC = [pa.array(["abc abc"], pa.large_string())]


@lru_cache(1)
def trained() -> Trained:
    return train_tokenizer([tiny_texts()], 5_000)


@settings(max_examples=300, deadline=None)
@given(st.text())
@example("\x00\x85 e\u0301\u200d\u0301 🏳️‍🌈 ق۔ 。,  \n\n a'b(c|d)")
@example("<s> and </s> in text")
def test_text_comes_back_whole(text: str) -> None:
    tokenizer = trained().tokenizer
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_no_text_needs_the_unknown_token() -> None:
    text = "".join(map(chr, range(1, 0xD800, 7)))
    assert 0 not in trained().tokenizer.encode(text).ids


def test_saved_files_give_the_same_tokenizer(tmp_path: Path) -> None:
    trained().save(str(tmp_path))
    read = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in tiny_texts().to_pylist()[:50]:
        assert read.encode(text).ids == trained().tokenizer.encode(text).ids
    assert read.get_vocab_size() == 5_000
    assert [read.id_to_token(number) for number in range(4)] == ["<unk>", "<s>", "</s>", "<pad>"]
    roles = json.loads((tmp_path / "special_tokens_map.json").read_text())
    assert roles == {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["add_prefix_space"] is False


def test_too_little_text_is_refused_with_the_number_of_merges() -> None:
    with pytest.raises(ConfigurationError, match="yields 3 merges, a vocabulary of 263 tokens instead of 1,000"):
        train_tokenizer(ABC, 1_000)


def test_reserved_tokens_fill_up_only_when_asked_for() -> None:
    assert train_tokenizer(ABC, 1_000, allow_fewer=True).tokenizer.get_vocab_size() == 263
    padded = train_tokenizer(ABC, 1_000, pad_with_reserved=True).tokenizer
    assert padded.get_vocab_size() == 1_000
    assert padded.id_to_token(999) == "<reserved_736>"


@pytest.mark.parametrize("name", ["gpt2", "gpt4"])
def test_another_pattern_is_kept_in_the_file(name: str, tmp_path: Path) -> None:
    other = train_tokenizer([tiny_texts()[:20]], 1_000, pattern=Pattern.named(name))
    other.save(str(tmp_path))
    read = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert read.encode("it's 12345").ids == other.tokenizer.encode("it's 12345").ids
    assert read.decode(read.encode("it's 12345").ids) == "it's 12345"
