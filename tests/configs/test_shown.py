"""Names that others chose, as a terminal may show them."""

import pytest

from configs.shown import shown, shown_lines, shown_list


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain name.txt", "plain name.txt"),
        ("Kiswahili ñ 中文 हिन्दी", "Kiswahili ñ 中文 हिन्दी"),
        ("نمی\u200cخواهم", "نمی\u200cخواهم"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nerror: b", "a\\nerror: b"),
        ("exe\u202egnp.txt", "exe\\u202egnp.txt"),
        ("\u2066x\u2069 \x9b1m", "\\u2066x\\u2069 \\x9b1m"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_control_and_bidi_characters_are_escaped_and_scripts_are_not(name: str, expected: str) -> None:
    assert shown(name) == expected


def test_long_names_lose_their_middle() -> None:
    assert len(shown("a" * 10_000_000)) < 400
    assert shown("a" * 1000 + ".txt").endswith(".txt")


def test_a_message_keeps_its_lines() -> None:
    assert shown_lines("one\n\x1btwo") == "one\n\\x1btwo"


def test_of_many_names_ten_are_listed() -> None:
    assert shown_list(range(100_000)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 99,990 more"
