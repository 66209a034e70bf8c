"""SentencePiece models: the exported `tokenizer.json` gives SentencePiece's own ids."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from configs.errors import ConfigurationError
from tests.tokenizer.texts import tiny_texts
from tokenizer.count import WORDS, count_words
from tokenizer.sentencepiece_backend import SentencePiece, train_sentencepiece
from tokenizer.settings import Training

MODELS = ("sentencepiece-bpe", "sentencepiece-unigram")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="▁"))


@lru_cache(2)
def trained(model: str) -> SentencePiece:
    return train_sentencepiece(count_words([tiny_texts()]), Training(model=model, vocab_size=8_000))


@lru_cache(2)
def own(model: str) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=trained(model).proto)


@lru_cache(1)
def lines() -> list[str]:
    return [line for text in tiny_texts().to_pylist() for line in text.split("\n") if line][::3]


def test_bpe_ids_of_real_text_are_those_of_sentencepiece() -> None:
    tokenizer = trained("sentencepiece-bpe").tokenizer
    assert [e.ids for e in tokenizer.encode_batch(lines())] == own("sentencepiece-bpe").encode(lines())


def test_unigram_ids_of_real_text_differ_only_where_two_ways_have_the_same_score() -> None:
    ids = own("sentencepiece-unigram").encode(lines())
    tokenizer, different = trained("sentencepiece-unigram").tokenizer, 0
    for expected, encoded in zip(ids, tokenizer.encode_batch(lines()), strict=True):
        assert Counter(encoded.ids) == Counter(expected)
        different += encoded.ids != expected
    assert different < len(ids) / 500


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=200, deadline=None)
@given(TEXT)
@example("\x00\x85\t\r\n  e\u0301\u200d 🏳️‍🌈 ق۔ <0x0A> <unk></s> \u3000")
def test_text_comes_back_whole_but_for_the_sign_of_a_space(model: str, text: str) -> None:
    tokenizer = trained(model).tokenizer
    tokenizer.encode_special_tokens = True
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert not {0, 1, 2, 3} & set(ids)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


SPELLINGS = st.sampled_from(["<s>", "</s>", "<pad>", "<unk>", "<0x0A>", "<0xE2>", "<", ">", "/", "s", "0", "x", " "])


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=300, deadline=None)
@given(st.lists(SPELLINGS | st.text("aeiou <>/", max_size=3), max_size=12).map("".join))
@example("<s>strike</s>")
@example("a</s>b")
@example("x <unk> y")
@example("<html><s>x</s></html>")
def test_the_spelling_of_a_special_token_is_cut_as_sentencepiece_does(model: str, text: str) -> None:
    tokenizer = trained(model).tokenizer
    tokenizer.encode_special_tokens = True
    ids, expected = tokenizer.encode(text, add_special_tokens=False).ids, own(model).encode(text)
    assert ids == expected or (model.endswith("unigram") and score(ids) == pytest.approx(score(expected), abs=1e-3))
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def score(ids: list[int]) -> float:
    return sum(own("sentencepiece-unigram").get_score(ids))


@pytest.mark.parametrize("special", [("<unk>", "<é~>"), ("<unk>", "[x]")])
def test_special_tokens_of_characters_that_are_no_pieces_are_cut_too(special: tuple[str, ...]) -> None:
    words = pa.record_batch([[b"abab", b"x", b"a", b"b"], [9, 9, 9, 9]], schema=WORDS)
    training = Training(model="sentencepiece-unigram", vocab_size=261, special_tokens=special)
    made = train_sentencepiece(words, training)
    made.tokenizer.encode_special_tokens = True
    reference = sentencepiece.SentencePieceProcessor(model_proto=made.proto)
    for text in ("a<é~>b", "[x]", "ab[x]ab<é", "<unk>", "<0x0A>", "x~>é<"):
        assert made.tokenizer.encode(text, add_special_tokens=False).ids == reference.encode(text)


@pytest.mark.parametrize("model", MODELS)
def test_special_tokens_have_the_first_ids_and_files_open(model: str, tmp_path: Path) -> None:
    trained(model).save(str(tmp_path))
    read = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert [read.id_to_token(n) for n in range(4)] == ["<unk>", "<s>", "</s>", "<pad>"]
    assert read.get_vocab_size() == 8_000
    file = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    assert file.encode("Watu wote") == read.encode("Watu wote").ids


def test_counts_weigh_as_so_many_occurrences() -> None:
    words = pa.record_batch([[b"abab", b"cdcd", b"a", b"b", b"c", b"d"], [1, 2**40, 1, 1, 1, 1]], schema=WORDS)
    made = train_sentencepiece(words, Training(model="sentencepiece-bpe", vocab_size=266))
    assert "cd" in made.tokenizer.get_vocab() and "ab" not in made.tokenizer.get_vocab()


def test_a_vocabulary_that_the_words_do_not_yield_is_refused() -> None:
    words = count_words([pa.array(["a b c"], pa.large_string())])
    for model in MODELS:
        with pytest.raises(ConfigurationError, match="refuses 9,000 entries"):
            train_sentencepiece(words, Training(model=model, vocab_size=9_000))


def test_special_tokens_that_sentencepiece_cannot_place_are_refused() -> None:
    words = count_words([tiny_texts()[:3]])
    for names in (("<s>",), ("<mask>", "<unk>")):
        with pytest.raises(ConfigurationError, match="special token"):
            train_sentencepiece(words, Training(model=MODELS[0], vocab_size=600, special_tokens=names))
