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
from tokenizer.count import count_words
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


def test_text_full_of_special_tokens_teaches_no_merge_that_makes_one() -> None:
    words = [pa.array(["<s><s>x </s> a<unk> <s>ab <pad>" * 50, "<<s>s>"], pa.large_string())]
    made = train_tokenizer(words, 1_000, allow_fewer=True)
    assert not {b"<unk>", b"<s>", b"</s>", b"<pad>"} & {made.merges.tokens[n] for n in made.merges.merges[:, 2]}
    library = made.tokenizer
    library.encode_special_tokens = True
    assert min(library.encode("<s> a<unk></s><pad>").ids) > 3
    library.encode_special_tokens = False
    assert library.encode("<s>ab</s>").ids[::2] == [1, 2]


def test_ordinary_text_keeps_the_merges_of_the_library_beside_special_tokens() -> None:
    words = count_words([tiny_texts()])
    extra = count_words([tiny_texts(), pa.array(["<s>"], pa.large_string())])
    assert train_tokenizer(extra, 3_000).merges.tokens == train_tokenizer(words, 3_000).merges.tokens


@pytest.mark.parametrize("names", [["<s>", "<s>"], [""], ["a"]])
def test_special_tokens_that_cannot_be_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="special token"):
        train_tokenizer(ABC, 1_000, special_tokens=names)


def test_reserved_tokens_keep_clear_of_words_that_look_like_them() -> None:
    text = [pa.array(["<reserved_1> " * 9], pa.large_string())]
    padded = train_tokenizer(text, 300, pad_with_reserved=True)
    assert padded.tokenizer.get_vocab_size() == 300
    assert b"<reserved_1>" in padded.merges.tokens
