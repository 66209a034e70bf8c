"""Words of running text are those of UAX #29 that hold a letter or a digit."""

from hypothesis import example, given
from hypothesis import strategies as st
from uniseg.wordbreak import word_boundaries

from tokenizer.parallel_text import declaration
from tokenizer.words import RUN_MAX, is_unspaced, word_spans

HARD = st.sampled_from(" \n\u202f\u200b\u180e\u200d\u0301\xad'\"’.,:;_-()aéאבגि्5٣カ漢ไ\U0001f1f0\u2764\ufe0f\U0001e030")


def naive(text: str) -> list[tuple[int, int]]:
    spans, begin = [], 0
    for end in word_boundaries(text):
        if any(character.isalnum() for character in text[begin:end]):
            spans.append((begin, end))
        begin = end
    return spans


def words(text: str) -> list[str]:
    return [text[begin:end] for begin, end in word_spans(text)]


@given(st.one_of(st.text(max_size=12), st.text(HARD, max_size=12)))
@example("a\u202fb")
@example(" \u0301abc")
@example("3.5, can't l'home. (e.g.)")
def test_words_are_those_of_uniseg(text: str) -> None:
    assert word_spans(text) == naive(text)


def test_words_of_real_text_in_all_languages_are_those_of_uniseg() -> None:
    for parallel in declaration().values():
        line = parallel.texts[0][:600]
        assert word_spans(line) == naive(line), parallel.language


def test_punctuation_and_white_space_are_no_words() -> None:
    assert words("« Oui ! », dit-elle — 3.5 %, can't.") == ["Oui", "dit", "elle", "3.5", "can't"]


def test_a_run_without_end_is_segmented_in_pieces() -> None:
    spans = word_spans("a" + "\u0301" * 100_000)
    assert spans[0] == (0, RUN_MAX)


def test_chinese_and_thai_are_unspaced_and_other_languages_are_not() -> None:
    found = {code for code, parallel in declaration().items() if is_unspaced(parallel.texts[0])}
    assert found == {"zh-Hans", "zh-Hant"}
    assert is_unspaced("มนุษย์ทั้งหลายเกิดมามีอิสระ")
    assert not is_unspaced("")
