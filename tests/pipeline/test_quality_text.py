"""The measures of text equal a slow, plain reference, on any text."""

import gzip
import json
import re
import unicodedata
from collections import Counter
from functools import cache
from math import isqrt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import CONFIGS
from configs.load import load_languages, quality_default
from configs.models import Quality, QualityParameters
from pipeline.quality.characters import BREAKS, CLAUSE_ENDS
from pipeline.quality.resolved import resolve
from pipeline.quality.text import MEASURED_BYTES, TEXT_MEASURES, TextMeasures
from pipeline.quality.words import WordLists

LANGUAGES = load_languages()
PARAMETERS, DEFAULT = resolve(LANGUAGES, Quality())
LISTS = WordLists(
    closed_class={"en": frozenset({"the", "of", "and"}), "vi": frozenset({"của", "tất cả"}), "zh": frozenset("的是在")},
    flagged={"en": frozenset({"damn", "é"}), "zh": frozenset({"笨蛋", "坏"})},
)


def is_special(character):
    if character in "\u200c\u200d":
        return False
    return unicodedata.category(character)[0] in "PSNZC" or character in "\u20e3\ufe0e\ufe0f"


def is_han(character):
    code = ord(character)
    return not is_special(character) and any(
        a <= code <= b for a, b in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x323AF), (0x3040, 0x30FF))
    )


def lowered(text):
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def stripped(run):
    while run and is_special(run[0]):
        run = run[1:]
    while run and is_special(run[-1]):
        run = run[:-1]
    return run


def is_url(run):
    run = "".join(lowered(c) if ord(lowered(c)) < 128 else "\0" for c in run)
    return any(fragment in run for fragment in ("http", "www", ".com", "href", "//"))


def segmented(run):
    words, current = [], ""
    for character in run:
        if is_special(character) or is_han(character):
            words.append(current)
            current = ""
        if is_han(character):
            words.append(character)
        elif not is_special(character):
            current += character
    return [word for word in [*words, current] if word]


def repetition(items, n):
    return Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def share(words, given, known):
    joined = list(words)
    for size in given.join_sizes if given.join_adjacent_words else ():
        glue = "" if given.segment_words_with_sentencepiece else " "
        joined += [glue.join(words[i : i + size]) for i in range(len(words) - size + 1)]
    return min(1.0, sum(word in known for word in joined) / len(words)) if words else 0.0


def running(text, given):
    """Share of words in stretches between breaks that are long or end like a clause; 1 for verse and lists."""
    least = 10 if given.segment_words_with_sentencepiece else 5
    total = count = words = 0
    stretches, found = [], []
    closed = False
    for run, gap in re.findall(r"(\S+)(\s*)", text):
        known = not (given.strip_url_words and is_url(run))
        known = known and not (given.strip_long_words and len(stripped(run)) > given.word_length_max)
        if known:
            here = segmented(run) if given.segment_words_with_sentencepiece else [stripped(run)]
            found += [lowered(word) for word in here if word]
            words += sum(map(bool, here))
        for character in run:
            closed = (closed or character in CLAUSE_ENDS) if is_special(character) else False
        if set(BREAKS) & set(run + gap):
            total, count = total + words, count + (words if closed or words >= least else 0)
            stretches.append(words)
            words, closed = 0, False
    total, count = total + words, count + (words if closed or words >= least else 0)
    stretches = [each for each in [*stretches, words] if each]
    if stretches and 2 * count <= total and total / len(stretches) >= 0.6 * least:
        beginning = found[:1000]
        different = 1.5 if given.segment_words_with_sentencepiece else 1.0
        if len(set(beginning)) * total >= different * len(stretches) * len(beginning):
            return 1.0
    return count / total if total else 0.0


def reference(text, given, closed, flagged):
    """ROOTS' measures, as plainly as they can be written."""
    runs = text.split()
    if given.strip_url_words:
        runs = [run for run in runs if not is_url(run)]
    if given.strip_long_words:
        runs = [run for run in runs if len(stripped(run)) <= given.word_length_max]
    measured = " ".join(runs)
    if given.segment_words_with_sentencepiece:
        words = [lowered(word) for run in runs for word in segmented(run)]
    else:
        words = [lowered(word) for word in map(stripped, runs) if word]
    grams = repetition(measured, given.character_ngram)
    most = sorted(grams.values(), reverse=True)[: isqrt(len(grams))]
    sequences = repetition(words, given.word_ngram)
    again = sum(count for count in sequences.values() if count > 1)
    return {
        "words": len(words),
        "character_repetition": sum(most) / sum(grams.values()) if grams else 0.0,
        "word_repetition": again / sum(sequences.values()) if sequences else 0.0,
        "special_characters": sum(map(is_special, measured)) / len(measured) if measured else 0.0,
        "running_text": running(text, given),
        "letter_order": None,
        "closed_class_words": share(words, given, closed) if closed else None,
        "flagged_words": share(words, given, flagged) if flagged else None,
    }


def measured(texts, codes, parameters=None, lists=LISTS):
    given = {"zh": PARAMETERS["zh-Hans"], **PARAMETERS, **(parameters or {})}
    columns = TextMeasures(given, DEFAULT, lists)(pa.array(texts, pa.large_string()), pa.array(codes, pa.string()))
    return [{name: columns[name][row].as_py() for name in TEXT_MEASURES} for row in range(len(texts))]


def assert_equal(texts, codes, parameters=None):
    given = {"zh": PARAMETERS["zh-Hans"], **PARAMETERS, **(parameters or {})}
    for text, code, found in zip(texts, codes, measured(texts, codes, parameters), strict=True):
        expected = reference(text, given[code], LISTS.closed_class.get(code, ()), LISTS.flagged.get(code, ()))
        assert found == pytest.approx(expected, abs=1e-6), (code, text[:200])


@cache
def real_texts():
    with gzip.open(CONFIGS / "data/tiny/declaration.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["text"], row["language"]) for row in rows if row["language"] in PARAMETERS]


WORDS = st.sampled_from(
    [
        *(
            "the",
            "of",
            "The,",
            "damn!",
            "Damn",
            "của",
            "tất",
            "cả",
            "的",
            "笨蛋",
            "我们是",
            "http://a.b",
            "WWW.x",
            "//",
        ),
        *("a", "x" * 30, "é", "e\u0301", "İx", "👩\u200d👩\u200d👧", "1\ufe0f\u20e3", "क्षि", "نمی\u200cخواهم", "12"),
        *("…", "ΟΔΟΣ", "K.Com", "href=", "\0"),
    ]
)
GAPS = st.sampled_from([" ", "  ", "\n", "\t", "\u3000", "\u00a0", "\u2028", "", "\u200b", "。"])
TEXTS = st.one_of(
    st.text(max_size=300),
    st.text("ab", max_size=200),
    st.lists(st.tuples(WORDS, GAPS), max_size=80).map(lambda parts: "".join(a + b for a, b in parts)),
)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(["en", "vi", "zh", "sw", "ur"]))
def test_measures_equal_the_reference_on_any_text(text, code):
    assert_equal([text], [code])


@settings(max_examples=100, deadline=None)
@given(
    TEXTS, st.integers(1, 12), st.integers(1, 8), st.booleans(), st.booleans(), st.lists(st.integers(2, 4), max_size=2)
)
def test_measures_equal_the_reference_for_any_parameters(text, characters, words, strip, segment, sizes):
    given = QualityParameters.model_validate(
        quality_default()
        | {"character_ngram": characters, "word_ngram": words, "strip_url_words": strip, "strip_long_words": strip}
        | {"word_length_max": 3 * words, "segment_words_with_sentencepiece": segment}
        | {"join_adjacent_words": bool(sizes), "join_sizes": tuple(sizes)}
    )
    assert_equal([text, "", text], ["en"] * 3, {"en": given})


def test_measures_equal_the_reference_on_real_text():
    texts, codes = zip(*real_texts(), strict=True)
    assert_equal(texts, codes)
    assert len(set(codes)) > 35


def test_a_slice_is_measured_like_the_whole():
    texts, codes = zip(*real_texts()[:30], strict=True)
    whole = measured(texts, codes)
    array = pa.array(texts, pa.large_string())[7:20]
    columns = TextMeasures(PARAMETERS, DEFAULT, LISTS)(array, pa.array(codes).dictionary_encode()[7:20])
    assert columns["words"].to_pylist() == [row["words"] for row in whole[7:20]]


def test_documents_in_programming_languages_are_null():
    measures = TextMeasures({}, DEFAULT, LISTS, programming=frozenset({"c"}))
    columns = measures(pa.array(["int x;", "the end"], pa.large_string()), pa.array(["c", "en"]))
    null = {name: column.is_null().to_pylist() for name, column in columns.items()}
    assert null.pop("letter_order") == [True, True]  # no model was given
    assert list(null.values()) == [[True, False]] * (len(TEXT_MEASURES) - 1)


def test_no_documents_give_empty_columns():
    columns = TextMeasures({}, DEFAULT, LISTS)(pa.array([], pa.large_string()), pa.array([], pa.string()))
    assert {len(column) for column in columns.values()} == {0}


@pytest.mark.parametrize(
    ("text", "words", "characters", "sequences"),
    [("a" * 1_000_000, 1, 1.0, 0.0), ("ab " * 300_000, 300_000, 1 / 3, 1.0), ("☃" * 300_000, 0, 1.0, 0.0)],
)
def test_a_long_monotonous_text_is_measured(text, words, characters, sequences):
    (found,) = measured([text], ["sw"])
    assert found["words"] == words
    assert (found["character_repetition"], found["word_repetition"]) == pytest.approx((characters, sequences), abs=1e-6)


def test_a_document_beyond_the_limit_is_measured_by_its_beginning():
    text = "é " * (MEASURED_BYTES // 3 + 1000)
    (found,) = measured([text], ["sw"])
    assert found["words"] == MEASURED_BYTES // 3


def test_a_language_without_a_list_has_no_share():
    columns = TextMeasures(PARAMETERS, DEFAULT, LISTS)(pa.array(["a b c"], pa.large_string()), pa.array(["sw"]))
    assert columns["closed_class_words"].null_count == columns["flagged_words"].null_count == 1
