"""Declared languages become codes of ours, BCP-47, or nothing; none of them is a path."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.language_codes import LanguageCodes
from configs.load import load_languages

CODES = LanguageCodes(load_languages())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("EN", "en"), ("eng", "en"), ("eng_Latn", "en"), ("en-US", "en"), ("en_GB.UTF-8", "en"), ("English", "en"),
        ("pt_BR", "pt"), ("swa", "sw"), ("sw-TZ", "sw"), ("arb", "ar"), ("ara_Arab", "ar"), ("fre", "fr"),
        ("zh", "zh-Hans"), ("zho", "zh-Hans"), ("zh-CN", "zh-Hans"), ("ZH-HANS", "zh-Hans"), ("cmn_Hans", "zh-Hans"),
        ("zh_TW", "zh-Hant"), ("zh-HK", "zh-Hant"), ("zh-Hant-MO", "zh-Hant"), ("Chinese (traditional)", "zh-Hant"),
        ("C++", "cpp"), ("Python", "python"), ("c#", "csharp"), ("py", "python"), ("in", "id"), ("hi-Deva", "hi"),
    ],
)  # fmt: skip
def test_spellings_of_our_languages_become_our_codes(said: str, code: str) -> None:
    assert CODES.resolve(said) == code


@pytest.mark.parametrize("code", load_languages().codes)
def test_our_own_codes_stay(code: str) -> None:
    assert CODES.resolve(code) == code


@pytest.mark.parametrize(
    ("said", "tag"), [("de", "de"), ("ko-KR", "ko"), ("sr_Latn", "sr-Latn"), ("hi-Latn", "hi-Latn"), ("iw", "he")]
)
def test_other_languages_become_bcp_47(said: str, tag: str) -> None:
    assert CODES.resolve(said) == tag


@pytest.mark.parametrize("said", ["", " ", "und", "unknown", "None", "mul", "N/A"])
def test_what_says_nothing_is_undetermined(said: str) -> None:
    assert CODES.resolve(said) == "und"


@pytest.mark.parametrize("said", ["../../x", "/en", "x", "e n", "x-secret", "en-", "en\0", "Inglese", "a" * 999])
def test_what_is_no_language_is_refused(said: str) -> None:
    assert CODES.resolve(said) is None


@given(st.one_of(st.text(max_size=70), st.from_regex(r"[a-zA-Z./_-]{0,20}")))
def test_whatever_is_said_names_a_folder_or_nothing(said: str) -> None:
    code = CODES.resolve(said)
    assert code is None or re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*", code)


def test_a_near_miss_is_named() -> None:
    assert CODES.nearest("Englisch") == "en"
    assert CODES.nearest("../../etc/passwd") is None
