"""Deduplication kernels against plain Python and `datasketch`."""

import re
import time
import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deduplication.characters import is_word_character
from pipeline.deduplication.exact import exact_hashes
from pipeline.deduplication.lines import count_hashes, cut_lines, line_hashes
from pipeline.deduplication.minhash import (
    CHARACTERS,
    CODE,
    WORDS,
    are_similar,
    band_hashes,
    signatures,
)
from pipeline.text.hashing import M1, M2, OFFSET, PRIME
from pipeline.text.scripts import letters_table

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SPACED = st.lists(
    st.sampled_from(["Straße", "ŉa", "İki", "हिन्दी", "x_1", "=>", "ﬁn", "\n", "文字", "𐐀", "!", "A1"])
).map(" ".join)
TEXTS = st.lists(TEXT | SPACED, max_size=8)
LINES = st.lists(
    st.sampled_from(
        [
            *("menu", " menu\t", "text a", "\u3000", "", "Fuß\u00a0", "text b", "\u2028x"),
            *("版权", "あ版", "한 a", "ኣለም", "\U00020000", "กข"),
            *("```", "````", " ```c", "~~~", "``` `x", "}", "---", "____"),
        ]
    ),
    max_size=12,
)


def column(texts: list[str]) -> pa.LargeStringArray:
    """Texts as a slice, so that kernels that forget the array's offset fail."""
    return pa.array(["before", *texts, "after"], pa.large_string()).slice(1, len(texts))


def plain_exact(text: str, is_code: bool) -> tuple[int, int]:
    if is_code:
        normal = "".join(c for c in text if not c.isspace())
    else:
        text = unicodedata.normalize("NFC", text)
        normal = "".join(c for c in text.casefold() if unicodedata.category(c)[0] in "LMN")
    value = xxhash.xxh3_128_intdigest((normal or text).encode())
    return value >> 64, value & (1 << 64) - 1


@given(TEXTS, st.booleans())
@settings(deadline=None)
def test_exact_keys_equal_plain_python(texts: list[str], is_code: bool) -> None:
    keys = exact_hashes(column(texts), np.full(len(texts), is_code))
    assert [tuple(map(int, key)) for key in keys] == [plain_exact(text, is_code) for text in texts]


@pytest.mark.parametrize(
    ("left", "right", "is_code", "equal"),
    [
        ("The Cat, sat.", "the cat SAT", False, True),
        ("STRASSE", "straße", False, True),
        ("e\u0301t\u00e9", "\u00e9te\u0301", False, True),
        ("कि", "का", False, False),
        ("!!!", "???", False, False),
        ("if (a) { b }", "if(a){b}", True, True),
        ("If (a)", "if (a)", True, False),
    ],
)
def test_what_counts_as_the_same_text(left: str, right: str, is_code: bool, equal: bool) -> None:
    keys = exact_hashes(column([left, right]), np.full(2, is_code))
    assert (keys[0] == keys[1]).all() == equal


def fenced(lines: list[str]) -> set[int]:
    """Numbers of the lines in closed code fences, the fences too."""
    inside: set[int] = set()
    for number, line in enumerate(lines):
        opening = re.match(r"(`{3,})[^`]*$|(~{3,})", line.strip(), re.DOTALL)
        if number in inside or not opening:
            continue
        mark = opening[1] or opening[2]
        for end in range(number + 1, len(lines)):
            closing = lines[end].strip()
            if len(closing) >= len(mark) and set(closing) == {mark[0]}:
                inside |= set(range(number, end + 1))
                break
    return inside


def plain_cut(text: str, recurring: set[str]) -> str:
    lines = text.split("\n")
    inside = fenced(lines)
    recurring = {line for line in recurring if says(line)}
    return "\n".join(line for n, line in enumerate(lines) if n in inside or line.strip() not in recurring)


def says(line: str) -> bool:
    return any(unicodedata.category(c)[0] in "LMN" for c in line)


def letters_of(line: str) -> int:
    table = letters_table().tolist()
    return sum(table[ord(c)] if ord(c) < len(table) else 1 for c in line)


@given(
    st.lists(LINES.map("\n".join) | TEXT, max_size=6),
    st.sets(st.sampled_from(["menu", "text a", "Fuß", "x", "}", "---"])),
)
@settings(deadline=None)
def test_cut_lines_equals_plain_python(texts: list[str], recurring: set[str]) -> None:
    hashes, _ = line_hashes(column(["\n".join(recurring)]))
    cut = cut_lines(column(texts), hashes)
    cut.validate(full=True)
    assert cut.to_pylist() == [plain_cut(text, recurring) for text in texts]


@given(st.lists(LINES.map("\n".join) | TEXT, max_size=6), st.integers(0, 6))
@settings(deadline=None)
def test_line_hashes_tell_distinct_lines(texts: list[str], characters_min: int) -> None:
    hashes, rows = line_hashes(column(texts), characters_min)
    for text, start, end in zip(texts, rows, rows[1:], strict=False):
        lines = text.split("\n")
        outside = {line.strip() for number, line in enumerate(lines) if number not in fenced(lines)}
        wanted = {line for line in outside if letters_of(line) >= max(1, characters_min) and says(line)}
        assert end - start == len(wanted)
        assert list(hashes[start:end]) == sorted(set(hashes[start:end].tolist()))


@pytest.mark.parametrize(
    ("line", "long_enough"),
    [
        ("Home and search", True),
        ("Home or search", False),
        ("Écoute ça, été", False),
        ("版权所有，未经许可不得转载", True),
        ("加入收藏夹", True),
        ("版权所有", False),
        ("無断転載を禁じます", True),
        ("プロフィール", False),
        ("무단 전재 및 재배포", True),
        ("로그인 하기", False),
        ("መብቱ በሕግ የተጠበቀ", True),
        ("สงวนลิขสิทธิ์ทั้งหมด", True),
        ("หน้าหลัก เมนู", False),
        ("\U00020000\U00020001\U00020002\U00020003\U00020004", True),
    ],
)
def test_a_line_is_long_by_what_its_characters_say(line: str, long_enough: bool) -> None:
    assert len(line_hashes(column([line]), 15)[0]) == long_enough


def test_a_character_stands_for_no_more_letters_than_it_has_bytes() -> None:
    for code, letters in enumerate(letters_table().tolist()):
        if letters > 1:
            assert letters <= len(chr(code).encode())


def test_fences_that_stay_open_cost_one_pass() -> None:
    text = "\n".join(["```x"] * 50_000 + ["~~~"] + ["the same line"])
    started = time.process_time()
    hashes, _ = line_hashes(column([text]))
    assert len(hashes) == 2
    assert time.process_time() - started < 5


def test_the_same_line_has_the_same_hash_in_every_document() -> None:
    hashes, rows = line_hashes(column(["a\nthe menu of all pages", "\tthe menu of all pages \nb"]))
    assert len(np.intersect1d(hashes[: rows[1]], hashes[rows[1] :])) == 1


def test_counts_add_up() -> None:
    distinct, counts = count_hashes(np.array([7, 3, 7, 9], np.uint64), np.array([1, 2, 3, 4]))
    assert (distinct.tolist(), counts.tolist()) == ([3, 7, 9], [2, 4, 4])


BASE, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def shingle_hash(tokens: Sequence[str]) -> int:
    """The 32-bit hash of a shingle in plain Python: what the kernel computes."""
    total = 0
    for token in tokens:
        value = int(OFFSET)
        for character in token:
            value = ((value ^ ord(character)) * int(PRIME)) & MASK
        total = (total * int(BASE) + finish(value)) & MASK
    return finish(total) >> 32


def finish(value: int) -> int:
    value = ((value ^ (value >> 33)) * int(M1)) & MASK
    value = ((value ^ (value >> 33)) * int(M2)) & MASK
    return value ^ (value >> 33)


def shingles_of(text: str, mode: int, ngram: int = 5) -> list[list[str]]:
    """The shingles of one text in plain Python: the definition that the kernel is tested against."""
    if mode == CODE:
        tokens = code_tokens(text)
    else:
        # A character that folds to nothing but marks or punctuation still parts or joins words as its fold does.
        folded = ["".join(part for part in c.casefold() if is_word_character(part)) for c in text]
        if mode == CHARACTERS:
            tokens = list("".join(folded))
        else:
            tokens = "".join(part or " " for part in folded).split(" ")
            tokens = [token for token in tokens if token]
    if not tokens:
        return []
    return [tokens[start : start + ngram] for start in range(max(1, len(tokens) - ngram + 1))]


def code_tokens(text: str) -> list[str]:
    tokens = []
    current = ""
    for character in text:
        if character == "_" or is_word_character(character):
            current += character
            continue
        if current:
            tokens.append(current)
        current = ""
        if not character.isspace():
            tokens.append(character)
    return [*tokens, current] if current else tokens


@given(TEXTS, st.sampled_from([WORDS, CHARACTERS, CODE]), st.integers(1, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_signatures_are_those_of_datasketch(texts: list[str], mode: int, ngram: int, seed: int) -> None:
    ours, sizes = signatures(column(texts), np.full(len(texts), mode), count=32, seed=seed, ngram=ngram)
    for text, signature, size in zip(texts, ours, sizes, strict=True):
        shingles = shingles_of(text, mode, ngram)
        theirs = MinHash(32, seed, hashfunc=shingle_hash)
        theirs.update_batch(shingles)
        assert size == len(shingles)
        np.testing.assert_array_equal(signature, theirs.hashvalues)


def test_a_document_without_words_has_no_shingles() -> None:
    signature, sizes = signatures(column(["...", ""]), np.zeros(2, np.uint8))
    assert sizes.tolist() == [0, 0]
    assert (signature == 0xFFFFFFFF).all()


def test_a_short_document_is_one_shingle() -> None:
    _, sizes = signatures(column(["three short words", "one two three four five six"]), np.zeros(2, np.uint8))
    assert sizes.tolist() == [1, 2]


def test_estimated_jaccard_is_near_the_true_one() -> None:
    words = [f"w{number}" for number in range(1000)]
    pair, _ = signatures(column([" ".join(words[:750]), " ".join(words[250:])]), np.zeros(2, np.uint8), count=1024)
    true = 496 / (746 + 746 - 496)
    assert abs((pair[0] == pair[1]).mean() - true) < 0.06


def test_similar_to_one_of_others_is_what_shares_enough_values() -> None:
    values = np.random.default_rng(1).integers(0, 3, (60, 10)).astype(np.uint32)
    one, others = values[:50], values[50:]
    shares = (one[:, np.newaxis] == others).mean(axis=2).max(axis=1)
    for least in np.unique(shares):
        np.testing.assert_array_equal(are_similar(one, others, least), shares >= least)
    assert not are_similar(one, others[:0], 0.1).any()


def test_bands_are_equal_where_all_their_rows_are() -> None:
    signature = np.arange(24, dtype=np.uint32).reshape(1, 24).repeat(2, 0)
    signature[1, 9] += 1
    bands = band_hashes(signature, 6)
    assert (bands[0] == bands[1]).tolist() == [True, True, False, True, True, True]
    assert len(np.unique(bands[0])) == 6
