"""Pre-tokens, beside those of the `tokenizers` library."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from tokenizer.pretokenize import PATTERNS, Pattern, gpt2_classes, library_classes, piece_ends, pretokenize

KERNELS = ["bloom", "gpt2"]
BORDERS = (
    "  .,!?|()[]'stmdrevl\t\n\r\v\f\x00\x1c\x1d\x1e\x1f\x85\xa0…。，、।۔،\u200b"
    "\u200c\u200d\u2028\u3000\ufeff\u0301٣½aя漢😀"
)
TEXTS = st.lists(st.one_of(st.text(), st.text(st.sampled_from(BORDERS))), max_size=5)


def library(text: str, name: str) -> list[bytes]:
    split = pre_tokenizers.Split(Regex(PATTERNS[name]), behavior="isolated", invert=False)
    return [piece.encode() for piece, _ in split.pre_tokenize_str(text)]


def ours(texts: list[str | None], name: str) -> list[list[bytes]]:
    return pretokenize(pa.array(texts, pa.large_string()), Pattern.named(name)).to_pylist()


@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example(["", " ", "  ", "a", " a", "  a", ". a", ".a ", "\n\n a"])
@example(["'s't're've'm'll'd'", "'", "'r", "'l'll", "x's", " 's", "'S"])
def test_pieces_are_those_of_the_library(name: str, texts: list[str]) -> None:
    assert ours(texts, name) == [library(text, name) for text in texts]


@pytest.mark.parametrize("name", KERNELS)
def test_every_character_between_letters_is_cut_as_the_library_cuts_it(name: str) -> None:
    codes = [*range(0xD800), *range(0xE000, 0x32000), *range(0xE0000, 0xE0200), *range(0x32000, 0x110000, 1009)]
    texts = ["".join(f"a{chr(code)}b " for code in codes[i : i + 4096]) for i in range(0, len(codes), 4096)]
    for text in texts:
        assert ours([text], name) == [library(text, name)]


def test_character_classes_are_those_of_the_installed_library() -> None:
    """If a new version of the library fails here: `tokenizer.pretokenize.write_classes()`."""
    np.testing.assert_array_equal(gpt2_classes(), library_classes())


def test_byte_level_changes_no_border() -> None:
    text = "Ça va ? — oui,  très bien…\n\n(fin)|x"
    pieces = Pattern().pre_tokenizer().pre_tokenize_str(text)
    assert [text[begin:end].encode() for _, (begin, end) in pieces] == ours([text], "bloom")[0]


def test_any_other_pattern_goes_through_the_library() -> None:
    assert ours(["12345 it's\n\nx", ""], "gpt4") == [library("12345 it's\n\nx", "gpt4"), []]


@pytest.mark.parametrize("name", [*KERNELS, "gpt4"])
def test_a_slice_has_the_pieces_of_its_own_rows_and_a_null_has_none(name: str) -> None:
    texts = pa.array(["zero", "one two", None, " three", "four"], pa.large_string()).slice(1, 3)
    assert pretokenize(texts, Pattern.named(name)).to_pylist() == [[b"one", b" two"], [], [b" three"]]


def test_ends_are_offsets_into_the_data_buffer() -> None:
    ends, pieces = piece_ends(pa.array(["ab cd", "é."], pa.large_string()), Pattern())
    np.testing.assert_array_equal(ends, [2, 5, 7, 8])
    np.testing.assert_array_equal(pieces, [0, 2, 4])
