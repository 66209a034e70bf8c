"""Tables over characters: each says of every code point what this Python's own Unicode data says."""

import unicodedata
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.deduplication.characters import ASSIGNED, SIZE, changed_by, kinds, spaces, tables
from pipeline.quality import characters as quality

EVERY = [chr(code) for code in range(0x110000)]


def test_what_is_not_looked_at_is_private_or_not_assigned() -> None:
    looked_at = {code for block in ASSIGNED for code in block}
    rest = [character for code, character in enumerate(EVERY) if code not in looked_at]
    assert {unicodedata.category(character) for character in rest} <= {"Cn", "Co"}
    assert not any(character.isspace() for character in rest)


def test_kinds_are_first_letters_of_general_categories() -> None:
    assert kinds().tobytes().decode() == "".join(unicodedata.category(character)[0] for character in EVERY[:SIZE])


def test_all_white_space_is_found() -> None:
    assert spaces().tolist() == [code for code, character in enumerate(EVERY) if character.isspace()]


@pytest.mark.parametrize("mapping", [str.lower, str.casefold])
def test_all_characters_that_a_mapping_changes_are_found(mapping: Callable[[str], str]) -> None:
    assert list(changed_by(mapping)) == [character for character in EVERY if mapping(character) != character]


def test_folds_are_those_of_single_characters() -> None:
    fold = tables().fold
    words = np.flatnonzero(np.isin(kinds(), list(b"LMN")))
    assert all(fold[code] == ord(EVERY[code].casefold()) for code in words.tolist() if len(EVERY[code].casefold()) == 1)


def test_quality_lowers_each_character_to_one() -> None:
    lowered = quality.table() & quality.CODE_MASK
    assert [chr(code) for code in lowered.tolist()] == [quality.lower(character) for character in EVERY]
