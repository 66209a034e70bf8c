"""The lists of words: each with its origin, and as the kernel looks them up."""

import tomllib

import pyarrow as pa
import pytest

from configs import CONFIGS
from configs.load import load_languages
from configs.models import Quality
from pipeline.quality import Measures
from pipeline.quality.words import KINDS, folded, load_words

LANGUAGES = load_languages()
SOURCES = tomllib.loads((CONFIGS / "words" / "sources.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_names_packages_and_licence(kind):
    files = {path.stem for path in (CONFIGS / "words" / kind).glob("*.txt")}
    assert files == set(SOURCES[kind])
    assert all(entry["packages"] and entry["licence"] for entry in SOURCES[kind].values())


def test_closed_class_words_are_there_for_all_languages_but_two():
    missing = {code for code in load_languages().natural if not load_words("closed_class", code)}
    assert missing == {"ki", "tum"}


def test_words_of_the_lists_are_folded():
    for code in load_languages().natural:
        for kind in KINDS:
            words = load_words(kind, code)
            assert {folded(word) for word in words} == words


def test_an_unknown_language_has_no_words():
    assert load_words("closed_class", "tlh") == frozenset()


@pytest.mark.parametrize("code", sorted(SOURCES["flagged"]))
def test_words_with_an_ordinary_meaning_are_not_flagged(code):
    left_out = SOURCES["flagged"][code]["left_out"]
    assert len(left_out) == len(set(left_out)) and {folded(word) for word in left_out} == set(left_out)
    assert not load_words("flagged", code) & set(left_out)
    assert len(load_words("flagged", code)) >= 15


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "She lifted 120 kilograms in the snatch and won the women's skeet and the hardcore scissoring hold."),
        ("en", "The rapist was sentenced for rape and sexual assault; the court heard of incest and of pornography."),
        ("en", "Intercourse without a condom, the vagina, the penis and masturbation are part of sex education."),
        ("fr", "Les autorités ont déposé une gerbe; chaque citoyen doit jouir de ses droits et baiser le drapeau."),
        ("es", "La policía halló drogas, heroína y un martillo tras el asesinato de la prostituta."),
        ("pt", "O frango assado com cerveja no saco de pau: comer, consolo e aborto, mulher lésbica e homosexual."),
        ("ar", "الفرج بعد الشدة قضيب من حديد في فرج قريب"),
        ("zh-Hans", "今日你好,新娘的妈妈的体操比赛,结构刚度,成人教育,合肥西站。"),
    ],
)
def test_news_medicine_and_daily_life_hold_no_flagged_word(code, text):
    measured = Measures(LANGUAGES, Quality())(pa.array([text], pa.large_string()), pa.array([code]))
    assert measured["flagged_words"].to_pylist() == [0.0]


def test_obscene_words_are_flagged():
    measured = Measures(LANGUAGES, Quality())(
        pa.array(["fuck this motherfucker", "putain de merde"], pa.large_string()), pa.array(["en", "fr"])
    )
    assert min(measured["flagged_words"].to_pylist()) > 0.3
