"""Language identification: scripts, vote, spelling, odd input, languages of a recipe, recall on held-out text."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ModelError
from configs.load import load_languages
from configs.models import LanguageIdentification, Languages
from pipeline.language_id import LanguageIdentifier, identify_lines, same_language
from pipeline.language_id.labels import canonical
from pipeline.language_id.parts import Answer, combine, join
from pipeline.language_id.signs import LANGUAGES, signs
from pipeline.language_id.spelling import GROUPS, group_of

HELD_OUT = Path(__file__).parent.parent / "data" / "language_id" / "held_out.tsv"


@pytest.fixture(scope="module")
def languages() -> Languages:
    return load_languages()


@pytest.fixture(scope="module")
def identifier(languages: Languages) -> LanguageIdentifier:
    return LanguageIdentifier(languages, LanguageIdentification())


def one(identifier: LanguageIdentifier, text: str) -> str:
    return str(identifier.identify(pa.array([text], pa.large_string()))[0][0].as_py())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The committee will meet again in the spring to discuss the new proposal.", "en"),
        ("ସମସ୍ତ ମନୁଷ୍ୟ ଜନ୍ମକାଳରୁ ସ୍ୱାଧୀନ", "or"),
        ("સર્વ માનવો જન્મથી સ્વતંત્ર છે", "gu"),
        ("在中国的人们说这种语言", "zh-Hans"),
        ("這是繁體中文的句子，請閱讀說明", "zh-Hant"),
        ("日本語の文章をここに書きます", "ja"),
        ("এই গাঁৱৰ মানুহে নিজৰ ভাষাত কথা পাতে", "as"),
        ("Der Ausschuss wird sich im Frühjahr wieder treffen, um den Vorschlag zu beraten.", "de"),
        ("Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.", "tr"),
    ],
)
def test_plain_sentences(identifier: LanguageIdentifier, text: str, language: str) -> None:
    assert one(identifier, text) == language


@pytest.mark.parametrize("text", ["", " ", "123 456", "?!…", "\x00\x01", "🙂🙂", "\u0301"])
def test_nothing_can_be_said_without_letters(identifier: LanguageIdentifier, text: str) -> None:
    found, scores = identifier.identify(pa.array([text], pa.large_string()))
    assert (found[0].as_py(), scores[0].as_py()) == ("und", 0.0)


def test_controls_do_not_hide_the_language(identifier: LanguageIdentifier) -> None:
    text = "The committee will\x00 meet again\x07 in the spring\x85 to discuss\ufffe the new proposal."
    assert one(identifier, text) == "en"


def test_null_is_undetermined(identifier: LanguageIdentifier) -> None:
    found, _ = identifier.identify(pa.array([None, "The weather is fine in the north today."], pa.large_string()))
    assert found.to_pylist() == ["und", "en"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=6))
def test_any_text_has_an_answer_with_a_score(identifier: LanguageIdentifier, texts: list[str]) -> None:
    plain = [text.encode("utf-8", "replace").decode() for text in texts]
    found, scores = identifier.identify(pa.array(plain, pa.large_string()))
    assert len(found) == len(scores) == len(texts)
    assert found.null_count == 0
    assert scores.type == pa.float32()
    assert all(0 <= score <= 1 for score in scores.to_pylist())


def test_answers_do_not_depend_on_the_batch(identifier: LanguageIdentifier) -> None:
    rows = read_held_out()[::20]
    texts = pa.array([text for _, _, text in rows], pa.large_string())
    whole = identifier.identify(texts)
    assert identifier.identify(texts.slice(3, 10))[0].equals(whole[0].slice(3, 10))
    alone = [identifier.identify(texts.slice(row, 1)) for row in range(len(texts))]
    assert [found[0].as_py() for found, _ in alone] == whole[0].to_pylist()
    assert np.array_equal([float(score[0].as_py()) for _, score in alone], whole[1].to_pylist())


SWAHILI = "Watu wengi walikusanyika katika uwanja wa mji kusikiliza hotuba ya rais kuhusu kilimo na elimu. "
ENGLISH = "The committee will meet again in the spring to discuss the new proposal with all of its members. "
FRENCH = "Le conseil municipal se réunira au printemps pour examiner la nouvelle proposition des habitants. "
SPANISH = "El ayuntamiento se reunirá en primavera para estudiar la nueva propuesta de los vecinos del barrio viejo. "
PORTUGUESE = "A câmara municipal vai reunir-se na primavera para analisar a nova proposta dos moradores da cidade. "
ARABIC = "اجتمع المجلس البلدي أمس لمناقشة الاقتراح الجديد المقدم من سكان المدينة القديمة. "


def parts(identifier: LanguageIdentifier, text: str) -> tuple[str, float, dict[str, float]]:
    found = identifier.identify_parts(pa.array([text], pa.large_string()))
    shares = dict(entry.rsplit(" ", 1) for entry in found.languages[0].as_py().split(", "))
    return found.language[0].as_py(), found.score[0].as_py(), {name: float(share) for name, share in shares.items()}


def test_the_label_is_the_largest_part_of_the_whole_document(identifier: LanguageIdentifier) -> None:
    language, score, _ = parts(identifier, ENGLISH * 20 + "\n" + SWAHILI * 420)
    assert language == "sw"
    assert score > 0.9


@pytest.mark.parametrize(
    ("first", "second"),
    [(ARABIC, FRENCH), (ENGLISH, SWAHILI), (FRENCH, ARABIC), (SPANISH, PORTUGUESE), (PORTUGUESE, SPANISH)],
)
@pytest.mark.parametrize("times", [8, 40])
def test_a_document_in_two_languages_tells_both_and_is_sure_of_neither(
    identifier: LanguageIdentifier, first: str, second: str, times: int
) -> None:
    expected = {one(identifier, first), one(identifier, second)}
    language, score, shares = parts(identifier, first * times + "\n" + second * times)
    assert language in expected
    assert set(shares) == expected
    assert score < 0.8
    assert min(shares.values()) > 0.2


def test_one_language_is_told_with_certainty(identifier: LanguageIdentifier) -> None:
    assert parts(identifier, SWAHILI * 100) == ("sw", pytest.approx(0.99, abs=0.01), {"sw": 1.0})


@pytest.mark.parametrize(
    "text",
    [
        '<html><body class="main"><div id="x"><span></span></div></body></html>',
        "xkq zzwv qpl trrm bvvc wxyz nnkl qqrt",
        "c3RyaW5nIG9mIGJhc2U2NCBieXRlcw==QmFzZTY0IGlzIG5vdCB0ZXh0",
    ],
)
def test_noise_is_no_language(identifier: LanguageIdentifier, text: str) -> None:
    language, score = (column[0].as_py() for column in identifier.identify(pa.array([text], pa.large_string())))
    assert language == "und" or score < 0.5


def test_a_single_word_is_not_certain(identifier: LanguageIdentifier) -> None:
    words = pa.array(["Sannu", "Hola", "Molweni", "Dumela"], pa.large_string())
    assert max(identifier.identify(words)[1].to_pylist()) < 0.9


def test_an_unknown_neighbour_is_not_named_with_certainty(identifier: LanguageIdentifier) -> None:
    ndebele = "Abantu bonke bazalwa bekhululekile njalo belingana ngesithunzi langamalungelo. "
    language, score, _ = parts(identifier, ndebele * 8)
    assert language != "zu" or score < 0.8


def test_voters_are_told(identifier: LanguageIdentifier) -> None:
    votes = identifier.identify_parts(pa.array([SWAHILI, ENGLISH * 9], pa.large_string())).votes.to_pylist()
    assert votes[0].startswith("pycld2 sw 0.9") and ", bayes sw " in votes[0]
    assert votes[1].startswith("pycld2 en ")


def test_samples_count_for_what_they_stand_for() -> None:
    joined = join([Answer("sw", 0.9), Answer("en", 1.0), Answer("sw", 0.9)], [10.0, 70.0, 20.0])
    assert joined.label == "en"
    assert joined.shares == (("en", 0.7), ("sw", pytest.approx(0.3)))
    assert joined.score == pytest.approx(0.7)


def test_relatives_count_for_the_one_that_has_most() -> None:
    joined = join([Answer("zu", 0.9), Answer("xh", 0.8), Answer("zu", 0.9)], [1.0, 1.0, 1.0])
    assert joined.label == "zu"
    assert joined.shares == (("zu", 1.0),)


def test_two_models_that_agree_are_surer_and_two_that_differ_less_sure() -> None:
    agreed = combine(Answer("sw", 0.8), Answer("sw", 0.7))
    assert (agreed.label, agreed.score) == ("sw", pytest.approx(0.94))
    differed = combine(Answer("sw", 0.6), Answer("ny", 0.9))
    assert differed.label == "ny"
    assert 0.5 < differed.score < 0.9


def test_a_language_of_a_recipe_is_answered_by_its_code(languages: Languages) -> None:
    entry = languages.natural["id"].model_copy(
        update={"code": "x-korean", "name": "Korean", "iso639_3": "kor", "lid_labels": ("ko", "kor"), "udhr": ()}
    )
    added = languages.model_copy(update={"natural": {**languages.natural, "x-korean": entry}})
    identifier = LanguageIdentifier(added, LanguageIdentification())
    assert one(identifier, "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다") == "x-korean"
    assert identifier.knows("x-korean")


def test_languages_without_text_are_not_known(identifier: LanguageIdentifier, languages: Languages) -> None:
    assert {code for code in languages.natural if not identifier.knows(code)} == {"ki", "tum"}


def test_the_label_map_wins(languages: Languages) -> None:
    identifier = LanguageIdentifier(languages, LanguageIdentification(label_map={"de": "gsw"}))
    assert one(identifier, "Der Ausschuss wird sich im Frühjahr wieder treffen, um alles zu beraten.") == "gsw"


def test_the_digest_follows_the_settings(identifier: LanguageIdentifier, languages: Languages) -> None:
    again = LanguageIdentifier(languages, LanguageIdentification(disagreement_score_min=0.5))
    other = LanguageIdentifier(languages, LanguageIdentification(characters=500))
    assert identifier.digest == again.digest != other.digest


@pytest.mark.parametrize("declared, found", [("ak", "tw"), ("tw", "ak"), ("pt-BR", "pt"), ("nb", "nn"), ("hr", "sr")])
def test_same_language(declared: str, found: str) -> None:
    assert same_language(declared, found)


@pytest.mark.parametrize("declared, found", [("zh-Hans", "zh-Hant"), ("zu", "xh"), ("id", "ms"), ("en", "und")])
def test_other_language(declared: str, found: str) -> None:
    assert not same_language(declared, found)


@pytest.mark.parametrize(
    ("label", "language"),
    [("__label__kor_Hang", "ko"), ("iw", "he"), ("zho_Hant", "zh-Hant"), ("swh_Latn", "sw"), ("pt-BR", "pt")],
)
def test_labels_of_models_become_bcp47(label: str, language: str) -> None:
    assert canonical(label) == language


@pytest.mark.parametrize(
    ("language", "other", "text"),
    [
        ("rn", "rw", "Ibikorwa vyo gufuta no kwimura vyatanzwe"),
        ("rw", "rn", "Ikosora ryakozwe byemewe cyane"),
        ("xh", "zu", "abantu abaninzi kwaye iintombi ziyathetha"),
        ("zu", "xh", "abantu abaningi futhi izintombi ziyakhuluma"),
        ("tn", "nso", "batho botlhe ba tshwanetse go itse jaaka gape"),
        ("mr", "kok", "तो म्हणाला आणि ते घर आहे"),
        ("kok", "mr", "तो आयलो आनी तें घर आसा"),
    ],
)
def test_signs_tell_relatives_apart(language: str, other: str, text: str) -> None:
    group = group_of(language)
    assert group is not None
    weights = signs(group, text.encode())
    assert weights[language] > weights[other]


def test_names_are_no_signs() -> None:
    group = group_of("rw")
    assert group is not None
    assert signs(group, b"umuntu yagiye mu Canke na Chivyo Vyomba")["rn"] == 0


def test_in_headlines_capitals_are_no_names() -> None:
    group = group_of("rw")
    assert group is not None
    assert signs(group, b"Umuntu Yagiye mu Canke Na Chivyo Vyomba i Bujumbura ku Wa Mbere")["rn"] > 0


@given(st.text(alphabet="abcehilmntsuvy 'ɖɔ.é", max_size=80))
def test_signs_are_counted_as_by_plain_search(text: str) -> None:
    plain = f" {' '.join(text.replace('.', ' ').split())} "
    for group in GROUPS:
        counted = {
            name: sum(
                weight * sum(plain.startswith(sign, at) for at in range(len(plain))) for sign, weight in own.items()
            )
            for name, own in group.items()
        }
        assert signs(group, text.encode()) == counted


def test_every_language_of_a_group_has_a_column() -> None:
    assert sorted(LANGUAGES) == sorted({name for group in GROUPS for name in group})


def test_lines_come_back_in_order(identifier: LanguageIdentifier) -> None:
    lines = ["在中国的人们说这种语言", "", "The weather is fine in the north today."] * 700
    assert [language for language, _ in identify_lines(lines, identifier)] == ["zh-Hans", "und", "en"] * 700


def test_a_missing_model_is_named(languages: Languages) -> None:
    pytest.importorskip("fasttext")
    with pytest.raises(ModelError, match=r"no language model at nowhere\.bin"):
        LanguageIdentifier(languages, LanguageIdentification(model="nowhere.bin"))


def test_a_file_that_is_no_model_is_named(languages: Languages, tmp_path: Path) -> None:
    pytest.importorskip("fasttext")
    path = tmp_path / "model.bin"
    path.write_bytes(b"not a model" * 10)
    with pytest.raises(ModelError, match="is not a fastText model"):
        LanguageIdentifier(languages, LanguageIdentification(model=str(path)))


def read_held_out() -> list[tuple[str, str, str]]:
    with HELD_OUT.open(encoding="utf-8", newline="") as file:
        return [(row[0], row[1], row[2]) for row in csv.reader(file, "excel-tab", quoting=csv.QUOTE_NONE)]


def test_recall_on_held_out_sentences_does_not_fall(identifier: LanguageIdentifier, languages: Languages) -> None:
    rows = read_held_out()
    found = identifier.identify(pa.array([text for _, _, text in rows], pa.large_string()))[0].to_pylist()
    total, right, taken = Counter[str](), Counter[str](), []
    for (language, _, _), answer in zip(rows, found, strict=True):
        total[language] += 1
        right[language] += same_language(language, answer)
        if language not in languages.natural:
            taken.append(answer in languages.natural)
    recalls = {code: right[code] / total[code] for code in languages.natural if total[code]}
    assert len(recalls) >= 42
    assert np.mean(list(recalls.values())) >= 0.955, recalls
    assert np.mean(taken) <= 0.03
