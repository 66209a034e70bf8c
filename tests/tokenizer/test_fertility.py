"""Measures equal an independent computation; laws of the summary."""

from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from uniseg.wordbreak import words

from configs.errors import ConfigurationError
from tests.tokenizer.tokenizers_of_all_kinds import byte_level, encoder, gpt2, word_piece
from tokenizer.encoders import Encoded, Encoder, LibraryEncoder
from tokenizer.fertility import Row, WordPlaces, count_whole, gini, measure, measure_all, on_declaration, premium
from tokenizer.parallel_text import declaration, parallel_texts
from tokenizer.samples import LanguageText


def row(opened: Encoder, *texts: str, language: str = "und") -> Row:
    return measure(opened, LanguageText(language, "text", texts), parallel_texts().get(language))[0]


def naive_words(text: str) -> list[str]:
    return [word for word in words(text) if any(map(str.isalnum, word))]


def naive_whole(library: tokenizers.Tokenizer, text: str) -> int:
    """By the offsets of `tokenizers`, which leave out the space before a word or take it in."""
    spans = library.encode(text, add_special_tokens=False).offsets
    whole, begin = 0, 0
    for word in words(text):
        end = begin + len(word)
        touching = [span for span in spans if span[0] < end and span[1] > begin]
        if any(map(str.isalnum, word)) and len(touching) == 1:
            [(first, last)] = touching
            whole += last == end and (first == begin or (first == begin - 1 and text[first].isspace()))
        begin = end
    return whole


@pytest.mark.parametrize("kind", ["byte-level", "gpt2", "wordpiece", "unigram"])
@pytest.mark.parametrize("language", ["en", "sw", "hi"])
def test_measures_equal_a_plain_computation(kind: str, language: str, tmp_path: Path) -> None:
    opened = encoder(kind, tmp_path)
    library = opened._library if isinstance(opened, LibraryEncoder) else opened._tokenizer.library
    text = declaration()[language].texts[1]
    found = row(opened, text, language=language)
    tokens, count = len(library.encode(text, add_special_tokens=False).ids), len(naive_words(text))
    assert (found.tokens, found.words, found.characters) == (tokens, count, len(text))
    assert found.tokens_per_word == tokens / count
    assert found.tokens_per_character is None
    assert found.bytes_per_token == len(text.encode()) / tokens
    assert found.characters_per_token == len(text) / tokens
    assert found.words_whole == naive_whole(library, text) / count
    distinct = len(set(library.encode(text, add_special_tokens=False).ids))
    assert found.vocabulary_use == distinct / library.get_vocab_size()
    ours, english = (
        sum(len(library.encode(pair[side], add_special_tokens=False).ids) for pair in declaration()[language].pairs)
        for side in (0, 1)
    )
    assert found.premium == ours / english


def test_sentencepiece_has_the_measures_of_its_tokenizer_json(tmp_path: Path) -> None:
    one, two = (row(encoder(kind, tmp_path), *declaration()["sw"].texts[:2]) for kind in ("sentencepiece", "unigram"))
    assert one.words_whole == two.words_whole
    assert one.tokens == two.tokens


def test_a_word_is_whole_with_one_space_before_it_and_nothing_else() -> None:
    opened = gpt2()
    assert row(opened, "the people the").words_whole == 1
    assert row(opened, "xyzzyq").words_whole == 0
    # ` don` and `'t` are two tokens, but one word.
    assert row(opened, "they don't").words_whole == 1 / 2
    places = WordPlaces(np.array([2]), np.array([5]), np.array([1]))

    def whole(*spans: tuple[int, int]) -> int:
        starts, ends = np.array(spans, np.int64).T
        return count_whole(places, Encoded(np.zeros(len(spans), np.uint32), starts, ends, np.array([0, len(spans)])))

    assert whole((0, 2), (2, 5)) == whole((0, 1), (1, 5)) == 1
    assert whole((0, 5)) == whole((0, 1), (1, 6)) == whole((2, 3), (3, 5)) == whole((2, 5), (2, 5)) == 0


def test_text_without_spaces_is_measured_by_the_character() -> None:
    found = row(gpt2(), "人人生而自由", language="zh-Hant")
    assert found.tokens_per_word is found.words_whole is found.words is None
    assert found.tokens_per_character == found.figure == found.tokens / 6
    assert found.unit == "character"
    assert row(gpt2(), "มนุษย์ทั้งหลาย").unit == "character"
    assert row(gpt2(), "?!").unit == "character"


def test_what_a_tokenizer_cannot_write_is_said(tmp_path: Path) -> None:
    opened = encoder("wordpiece", tmp_path)
    found = row(opened, declaration()["ta"].texts[1])
    unknown = word_piece().encode(declaration()["ta"].texts[1], add_special_tokens=False).tokens.count("[UNK]")
    assert found.unknown == unknown / found.tokens > 0.5
    assert row(encoder("byte-level", tmp_path), declaration()["ta"].texts[1]).unknown == 0


def test_premiums_are_over_english_and_of_the_order_of_the_published_ones() -> None:
    # GPT-2 on 2,000 parallel sentences of news, English 1.
    published = {"ar": 4.5, "hi": 7.6, "ml": 16.1, "ta": 16.2, "yo": 5.1, "sw": 2.1}
    known: dict[str, int] = {}
    assert premium(gpt2(), declaration()["en"], known) == 1
    for code, expected in published.items():
        assert expected / 1.25 < premium(gpt2(), declaration()[code], known) < expected * 1.25


def test_what_is_known_of_other_languages_changes_no_premium() -> None:
    known: dict[str, int] = {}
    for code in ("en", "sw", "pt"):
        assert premium(gpt2(), declaration()[code], known) == premium(gpt2(), declaration()[code])


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30), st.floats(0.5, 8))
def test_gini_is_half_the_mean_difference_over_the_mean(values: list[float], factor: float) -> None:
    differences = [abs(one - other) for one in values for other in values]
    assert gini(values) == pytest.approx(np.mean(differences) / (2 * np.mean(values)), abs=1e-9)
    assert 0 <= gini(values) + 1e-12 < 1
    assert gini([value * factor for value in values]) == pytest.approx(gini(values), abs=1e-9)
    assert gini([values[0]] * len(values)) == pytest.approx(0, abs=1e-9)


def test_the_summary_says_the_worst_the_spread_and_who_needs_fewest_tokens(tmp_path: Path) -> None:
    encoders = [encoder("byte-level", tmp_path), gpt2()]
    texts = [LanguageText(code, "declaration", declaration()[code].texts[:1]) for code in ("en", "hi", "sw", "zh-Hans")]
    report = measure_all(encoders, texts, declaration())
    assert [(one.tokenizer, one.language) for one in report.rows] == [
        (opened.name, text.language) for opened in encoders for text in texts
    ]
    summary = report.summaries[1]
    premiums = [one.premium for one in report.of("gpt2")]
    assert (summary.worst, summary.worst_premium) == ("hi", max(premiums))
    assert summary.spread == max(premiums) / min(premiums)
    assert summary.over_limit == sum(value > 2 for value in premiums) == 3
    pairs = list(zip(report.of(encoders[0].name), report.of("gpt2"), strict=True))
    fewest = [sum(one.tokens < two.tokens for one, two in pairs), sum(one.tokens > two.tokens for one, two in pairs)]
    assert [one.fewest_tokens for one in report.summaries] == fewest
    assert min(fewest) > 0
    assert sum(summary.scripts.values()) == summary.entries
    assert [one.language for one in report.failures({"en": 0.5, "sw": 99})] == ["en", "en"]
    assert measure_all([gpt2()], texts, declaration()).summaries[0].fewest_tokens is None
    with pytest.raises(ConfigurationError, match="at least one tokenizer"):
        measure_all([], texts, declaration())


def test_a_card_has_a_row_for_each_language_of_the_declaration(tmp_path: Path) -> None:
    rows = on_declaration(encoder("byte-level", tmp_path))
    assert [one["language"] for one in rows] == sorted(declaration())
    assert all((one["tokens_per_word"] is None) != (one["tokens_per_character"] is None) for one in rows)
    english = next(one for one in rows if one["language"] == "en")
    text = declaration()["en"].texts
    tokens = sum(len(byte_level().encode(part).ids) for part in text)
    assert english["premium"] == 1
    assert english["tokens_per_word"] == pytest.approx(tokens / sum(len(naive_words(part)) for part in text), abs=1e-4)
