"""Items of evaluation sets in documents: found however a page changes them, and nothing else is."""

import random

import numpy as np
import pyarrow as pa
import pytest

from pipeline.decontamination.index import Index, build_index
from pipeline.decontamination.items import Item
from pipeline.decontamination.match import Matcher, cut_pieces
from tokenizer.parallel_text import declaration

QUESTIONS = {
    "en": "A farmer has seventeen sheep, and all but nine of them run away over the hill. How many sheep does he have?",
    "fr": "Un train quitte Lyon à huit heures et roule à cent kilomètres à l'heure : quand arrive-t-il à Marseille ?",
    "fi": "Kuinka monta kilometriä vuosittaisessa polkupyöräkilpailussa ajettiin ennen välipysähdystä?",
    "ar": "كم عدد الطلاب الذين حضروا المحاضرة الأولى إذا غاب ثلثهم بسبب المرض؟",
    "hi": "यदि एक दुकानदार प्रतिदिन पचास किताबें बेचता है, तो वह एक महीने में कितनी किताबें बेचेगा?",
    "zh": "小明每天早上七点出门，步行二十分钟到学校，他几点能够到达学校的大门口？",
    "ja": "毎朝六時に起きて三十分間走る人は、一週間で合計何時間走ることになるでしょうか。",
    "th": "ชาวสวนคนหนึ่งเก็บมะม่วงได้วันละสี่สิบผลเป็นเวลาหกวันเขาเก็บมะม่วงได้ทั้งหมดกี่ผล",
    "km": "កសិករម្នាក់ប្រមូលផលស្វាយបានសែសិបផ្លែក្នុងមួយថ្ងៃតើគាត់ប្រមូលបានប៉ុន្មានផ្លែក្នុងប្រាំមួយថ្ងៃ",
    "ko": "한 농부가 하루에 사과를 마흔 개씩 엿새 동안 땄다면 모두 몇 개의 사과를 땄을까요?",
    "sw": "Mkulima ana mbuzi kumi na saba, na wote isipokuwa tisa wamekimbia; amebaki na mbuzi wangapi?",
}
FILLER = {code: text.texts for code, text in declaration().items()}


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    items = [Item("quiz", code, question) for code, question in QUESTIONS.items()]
    items.append(Item("quiz", "short", "Where was she born?", ("Ouagadougou",)))
    items.append(Item("quiz", "passage", "What did the fox see?", ("a crow",), FILLER["en"][1]))
    items.append(Item("canary", "mark", "5d1f0f9e-7c2a-4b6e-9a51-0b8e3a7c44d2", is_mark=True))
    return Matcher(build_index(items))


def _found(matcher: Matcher, text: str) -> set[str]:
    rows = matcher(pa.array([text], pa.large_string()))
    return {match.item.id for match in rows.get(0, ())}


def _page(middle: str, code: str = "en") -> str:
    texts = FILLER.get({"zh": "zh-Hans"}.get(code, code), FILLER["en"])
    return f"{texts[0][:600]}\n{middle}\n{texts[0][600:]}"


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_question_is_found_as_it_is(matcher: Matcher, code: str) -> None:
    assert _found(matcher, _page(QUESTIONS[code], code)) == {code}


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_question_is_found_in_other_case_and_punctuation(matcher: Matcher, code: str) -> None:
    table = str.maketrans({",": "，", ".": "…", "?": "？", "；": ";", "，": ", ", "？": "?", "'": "’", ":": "—"})
    assert _found(matcher, _page(QUESTIONS[code].upper().translate(table), code)) == {code}


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_question_is_found_mistyped(matcher: Matcher, code: str) -> None:
    letters = list(QUESTIONS[code])
    for place in range(11, len(letters), 36):
        letters[place] = "x"
    assert _found(matcher, _page("".join(letters), code)) == {code}


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_question_is_found_split_over_paragraphs(matcher: Matcher, code: str) -> None:
    question = QUESTIONS[code]
    middle = question.find(" ", len(question) // 2) + 1 or len(question) // 2
    between = "\n\nThis stands between the two halves, and says nothing of either.\n\n"
    assert _found(matcher, _page(question[:middle] + between + question[middle:], code)) == {code}


def test_accents_vowel_points_and_forms_of_digits_and_letters_do_not_matter(matcher: Matcher) -> None:
    french = "Un train quitte Lyon a huit heures et roule a cent kilometres a l'heure: quand arrive-t-il a Marseille"
    assert _found(matcher, french) == {"fr"}
    assert _found(matcher, "كَم عَدَد الطُلّاب الذينَ حضروا المحاضرة الاولى اذا غاب ثلثهم بسبب المرض") == {"ar"}


def test_a_short_question_needs_its_answer_nearby(matcher: Matcher) -> None:
    assert _found(matcher, "Where was she born? Nobody knows.") == set()
    assert _found(matcher, "Q: Where was she born?\nA: in Ouagadougou.") == {"short"}
    assert _found(matcher, "Where was she born?" + " Nobody knows it." * 200 + " Ouagadougou") == set()


def test_a_passage_alone_is_the_text_that_the_item_was_made_from(matcher: Matcher) -> None:
    assert _found(matcher, FILLER["en"][1]) == set()
    assert _found(matcher, FILLER["en"][1] + "\nWhat did the fox see? A crow!") == {"passage"}


def test_a_mark_counts_only_whole(matcher: Matcher) -> None:
    assert _found(matcher, "# canary 5D1F0F9E-7C2A-4B6E-9A51-0B8E3A7C44D2 do not train") == {"mark"}
    assert _found(matcher, "# canary 5D1F0F9E-7C2A-4B6E-9A51-0B8E3A7C0000 do not train") == set()


def test_clean_text_of_all_languages_holds_nothing(matcher: Matcher) -> None:
    texts = [text for part in FILLER.values() for text in part]
    assert matcher(pa.array(texts, pa.large_string())) == {}


def test_half_a_question_is_not_the_question(matcher: Matcher) -> None:
    assert (
        _found(matcher, "A farmer has seventeen sheep, and all but nine of them were sold at the market in May.")
        == set()
    )


def test_what_is_cut_leaves_the_rest_of_the_page(matcher: Matcher) -> None:
    text = f"Before it.\n{QUESTIONS['en']} And after it.".encode()
    match = matcher(pa.array([text.decode()], pa.large_string()))[0][0]
    assert cut_pieces(text, match.pieces).decode() == "Before it.\nAnd after it."


def test_a_written_index_finds_the_same(matcher: Matcher, tmp_path: object) -> None:
    import io

    stream = io.BytesIO()
    matcher.index.save(stream)
    again = Matcher(Index.load(stream.getvalue()))
    assert _found(again, _page(QUESTIONS["sw"])) == {"sw"}


def test_random_bytes_and_empty_texts_are_no_trouble(matcher: Matcher) -> None:
    chance = random.Random(1)
    letters = (65, 0x4E00, 0x301, 0x1F600, 32)
    noise = ["".join(chr(chance.choice(letters)) for _ in range(300)) for _ in range(20)]
    texts = ["", " ", "\u0301\u200b", *noise]
    assert matcher(pa.array(texts, pa.large_string())) == {}


def test_a_line_of_the_same_template_is_another_line() -> None:
    line = "Choose Extras, open the menu of an entry and select Change or New, then the page {} of the window."
    matcher = Matcher(build_index([Item("menus", "1", line.format("Alignment"))]))
    pages = [line.format(name) for name in ("Alignment", "Allignment", "Position of Tables", "Footers")]
    assert sorted(matcher(pa.array(pages, pa.large_string()))) == [0, 1]


def test_a_short_word_that_is_met_again_does_not_lead_astray() -> None:
    line = "U khothalletsoa hore u bōpe ak'haonte 'me u kene; leha ho le joalo, ha hoa lokela"
    mistyped = line.replace("khoth", "khot").replace("hore u", "hore e")  # the next `u` is three words back
    matcher = Matcher(build_index([Item("sesotho", "1", line)]))
    assert sorted(matcher(pa.array([f"Sehlooho\n{mistyped}\nTlhaloso"], pa.large_string()))) == [0]


def test_likeness_is_none_where_it_is_less_than_asked_for_and_else_exact() -> None:
    from pipeline.decontamination.tokens import likeness

    chance, rows = random.Random(2), np.empty((3, 50), np.int32)
    for _ in range(2000):
        a, b = ("".join(chance.choice("abcd") for _ in range(chance.randrange(9))) for _ in range(2))
        letters = [np.array([ord(letter) for letter in word] + [0], np.uint32) for word in (a, b)]
        whole = likeness(letters[0], len(a), letters[1], len(b), rows, 0.0)
        asked = likeness(letters[0], len(a), letters[1], len(b), rows, 0.6)
        assert asked == (whole if whole > 0.6 - 1e-9 else 0.0)


@pytest.mark.parametrize("mistyped", ["请问下列一哪项不属于可再生能源？", "请问下列哪一项不属丁可再生能源？"])
def test_a_mistyped_or_swapped_character_without_spaces_is_no_other_question(mistyped: str) -> None:
    matcher = Matcher(build_index([Item("energy", "1", "请问下列哪一项不属于可再生能源？")]))
    pages = [f"第三题\n{mistyped}\n答案", "第三题\n请问下列哪一种能源属于可再生能源？\n答案"]
    assert sorted(matcher(pa.array(pages, pa.large_string()))) == [0]


def test_a_short_question_alone_must_be_there_whole() -> None:
    matcher = Matcher(build_index([Item("capitals", "1", "What is the capital of Burkina Faso?", ("Ouagadougou",))]))
    pages = ["Quiz: WHAT IS THE CAPITAL OF BURKINA FASO", "Quiz: what was the capital of Burkina Faso before?"]
    assert sorted(matcher(pa.array(pages, pa.large_string()))) == [0]
