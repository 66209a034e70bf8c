"""Entries of a vocabulary by the script of their letters."""

import pytest

from tests.tokenizer.tokenizers_of_all_kinds import KINDS, encoder
from tokenizer.scripts import (
    DIGITS,
    OTHER,
    PARTIAL,
    SEVERAL,
    SIGNS,
    SPACE,
    SPECIAL,
    entries_by_script,
    kind_of_entry,
)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (b" the", "Latin"),
        ("क्षि".encode(), "Devanagari"),
        (" ন'".encode(), "Bengali"),
        ("の".encode(), "Hiragana"),
        ("漢字".encode(), "Han"),
        ("漢の".encode(), SEVERAL),
        ("ᚠ".encode(), OTHER),
        ("é".encode()[:1], PARTIAL),
        (b" 12", DIGITS),
        ("٣३".encode(), DIGITS),
        (b" ...", SIGNS),
        (b"\n\n", SPACE),
        (None, SPECIAL),
    ],
)
def test_an_entry_is_of_the_script_of_its_letters(entry: bytes | None, kind: str) -> None:
    assert kind_of_entry(entry) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_entries_of_all_scripts_are_all_entries(kind: str, tmp_path) -> None:
    opened = encoder(kind, tmp_path)
    assert sum(entries_by_script(opened.entries()).values()) == opened.size
