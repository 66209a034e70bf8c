"""`transformers` opens the tokenizer's folder without a network, and gives the ids of `tokenizers`."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.tokenizer.texts import tiny_texts
from tokenizer.model import train_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([tiny_texts()], 5_000).save(str(path))
    return path


@lru_cache(2)
def opened(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def test_it_opens_with_its_special_tokens(folder: Path) -> None:
    tokenizer = opened(folder)
    assert tokenizer.is_fast and len(tokenizer) == 5_000
    roles = (tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert roles == (0, 1, 2, 3)
    assert tokenizer.padding_side == "left"
    assert tokenizer(["a b c", "a"], padding=True)["input_ids"][1][0] == 3


def test_ids_are_those_of_the_library(folder: Path) -> None:
    library = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = tiny_texts().to_pylist()[:60]
    assert opened(folder)(texts)["input_ids"] == [encoding.ids for encoding in library.encode_batch(texts)]


@settings(max_examples=300, deadline=None)
@given(st.text())
@example("\x00\x85 e\u0301\u200d\u0301 🏳️‍🌈 ق۔ 。,  \n\n a'b(c|d) n't . , ?")
@example("a <s> b</s> <unk>")
@example(" leading and trailing ")
def test_text_comes_back_whole_and_is_never_unknown(folder: Path, text: str) -> None:
    tokenizer = opened(folder)
    ids = tokenizer.encode(text, split_special_tokens=True)
    assert not {0, 1, 2, 3} & set(ids)
    for given_ids in (ids, tokenizer.encode(text)):
        decoded = tokenizer.decode(given_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        assert decoded == text
    assert tokenizer.decode(ids) == text


def test_saved_again_by_transformers_it_is_the_same(folder: Path, tmp_path: Path) -> None:
    opened(folder).save_pretrained(tmp_path)
    text = "Watu wote wamezaliwa huru <s> 1234"
    assert opened(tmp_path).encode(text) == opened(folder).encode(text)


def test_reserved_tokens_are_there_and_no_text_yields_them(tmp_path: Path) -> None:
    train_tokenizer([tiny_texts()[:1]], 40_000, pad_with_reserved=True).save(str(tmp_path))
    tokenizer = opened(tmp_path)
    assert len(tokenizer) == 40_000
    name = tokenizer.convert_ids_to_tokens(39_999)
    assert name.startswith("<reserved_")
    assert 39_999 not in tokenizer.encode(f"text {name} text", split_special_tokens=True)
