"""The parallel text says the same in every language, as far as lengths can tell."""

import unicodedata

import numpy as np

from tokenizer.parallel_text import DECLARATION, MESSAGES, declaration, parallel_texts


def test_44_languages_have_parallel_text_two_of_them_messages() -> None:
    found = parallel_texts()
    assert len(found) == 44
    assert {code for code, one in found.items() if one.origin == MESSAGES} == {"as", "or"}
    assert all(one.origin == DECLARATION for code, one in found.items() if code not in ("as", "or"))


def test_parts_hold_the_same_paragraphs_long_where_english_is_long() -> None:
    for code, parallel in declaration().items():
        lines = [
            (len(ours), len(english))
            for pair in parallel.pairs
            for ours, english in zip(*(text.split("\n") for text in pair), strict=True)
        ]
        assert len(lines) >= 50, code
        assert np.corrcoef(np.array(lines).T)[0, 1] > 0.8, code


def test_english_is_parallel_with_itself_and_two_translations_count_alike() -> None:
    found = declaration()
    assert all(text == english for text, english in found["en"].pairs)
    assert {code for code, one in found.items() if len(one.texts) == 8} == {"pt", "tw"}
    english = [english for _, english in found["pt"].pairs]
    assert all(english.count(text) == 2 for text in english)


def test_messages_are_translated_and_have_letters() -> None:
    for code in ("as", "or"):
        pairs = parallel_texts()[code].pairs
        assert len(pairs) > 900
        assert all(text != english and any(map(str.isalpha, text)) for text, english in pairs)


def test_text_is_composed_as_documents_are() -> None:
    assert all(unicodedata.is_normalized("NFC", text) for one in parallel_texts().values() for text in one.texts)
