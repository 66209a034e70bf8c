"""Samples of documents: characters are counted eight bytes at a time, from wherever a text begins."""

import random

import numpy as np
import pytest

from pipeline.language_id.parts import GLANCE, SAMPLE, glances, in_words, samples

LETTERS = {
    "Latin": "abc de. ",
    "accents": "aé ñ",
    "Cyrillic": "жык ",
    "Devanagari": "कखग ",
    "emoji": "a😀 ",
    "one": "漢",
}


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS)
def test_samples_and_glances_end_behind_whole_characters(letters: str) -> None:
    chance = random.Random(7)
    texts = [
        "".join(chance.choices(letters, k=length)) for length in (0, 1, 7, 8, 9, 199, 749, 750, 1200, 4000, 20_000)
    ]
    plain = [text.encode() for text in texts]
    offsets = np.cumsum([3, *map(len, plain)], dtype=np.int64)
    data = np.frombuffer(b"xyz" + b"".join(plain), np.uint8)
    words = in_words(data)

    edges, rows, _ = samples(offsets, data, words, SAMPLE, 10)
    seen = glances(edges, rows, data, words, GLANCE)

    numbers = [1 if 2 * len(text) < 3 * SAMPLE else min(10, -(-len(text) // SAMPLE)) for text in texts]
    assert np.bincount(rows, minlength=len(texts)).tolist() == numbers
    for (start, end), (begin, stop), row in zip(edges.tolist(), seen.tolist(), rows.tolist(), strict=True):
        sample, glance = bytes(data[start:end]).decode(), bytes(data[begin:stop]).decode()
        assert len(sample) <= SAMPLE + SAMPLE // 2
        assert sample in texts[row]
        assert sample.startswith(glance)
        if numbers[row] > 1 and end - start > GLANCE:
            assert GLANCE - GLANCE // 4 <= len(glance) <= GLANCE
        else:
            assert glance == sample


def test_texts_that_do_not_begin_at_whole_words_of_memory_are_counted_too() -> None:
    data = np.frombuffer(b"...." + "ñandú ".encode() * 500, np.uint8)[3:]
    offsets = np.array([1, len(data)], np.int64)

    edges, _, _ = samples(offsets, data, in_words(data), SAMPLE, 10)

    assert len(edges) == 6
