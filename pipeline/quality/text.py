"""Measures of natural-language text: the filters of the web part of ROOTS (arXiv 2303.03915, section 3 and appendix).

Words are runs without white space, lower-cased, special characters taken off at both ends (`characters.is_special`);
runs of special characters alone are no words. Where the language's parameters say so, runs that hold a fragment of a
URL and runs longer than `word_length_max` characters are left out of all measures (the kept text keeps them). The
measured text is what remains, one space between runs; n-grams of characters are taken of it as it is written.

`segment_words_with_sentencepiece` stands in ROOTS for a SentencePiece model of an unspaced script. No such model comes
with OpenRoots; instead each character of such a script is a word and special characters part words. Pairs of adjacent
words (`join_sizes`) then give back the two-character words of Chinese.

A document longer than `MEASURED_BYTES` is measured by its beginning.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from configs.models import QualityParameters
from pipeline.quality import kernels
from pipeline.quality.characters import table
from pipeline.quality.letters import LetterModels
from pipeline.quality.words import WordLists
from pipeline.text.columns import encode, text_buffers

MEASURED_BYTES = 16 << 20
"""Memory for one document stays below 32 times this."""

TEXT_RATIOS = (
    "character_repetition", "word_repetition", "special_characters", "closed_class_words", "flagged_words",
    "running_text", "letter_order",
)  # fmt: skip
TEXT_MEASURES = ("words", *TEXT_RATIOS)

PARAMETERS = (
    "strip_url_words", "strip_long_words", "word_length_max", "segment_words_with_sentencepiece", "character_ngram",
    "word_ngram", "join_adjacent_words", "join_sizes", "letter_model",
)  # fmt: skip
"""The fields of QualityParameters that measures depend on; all others are thresholds."""


def measure_text(
    texts: pa.LargeStringArray,
    languages: pa.Array,
    parameters: Mapping[str, QualityParameters],
    default: QualityParameters,
    words: WordLists,
    programming: frozenset[str] = frozenset(),
    letters: LetterModels | None = None,
) -> dict[str, pa.Array]:
    """Measure documents: `words` int32, and ratios 0…1 as float32, a row a document (names: TEXT_MEASURES).

    `languages` (strings or a dictionary column) names the language of each; rows in a `programming` language are null.
    Languages without an entry in `parameters` are measured by `default`; the share of closed-class or flagged words is
    null where `words` has no such list for the language, `letter_order` where `letters` has no model for it or the text
    has too few letters. Neither input has nulls.
    """
    encoded = encode(languages)
    codes = encoded.dictionary.to_pylist()
    of_code = np.array([-1 if code in programming else row for row, code in enumerate(codes)], np.int32)
    rows = of_code[encoded.indices.to_numpy(zero_copy_only=False)] if codes else np.zeros(0, np.int32)
    settings, sizes, keys, kinds = compiled([(code, parameters.get(code, default)) for code in codes], words)
    letter_keys, letter_weights, places = (letters or LetterModels()).table(tuple(codes))
    settings[: len(places), kernels.LETTERS_START :] = places
    offsets, data = text_buffers(texts)
    counts, ratios = np.zeros(len(texts), np.int32), np.zeros((len(texts), len(TEXT_RATIOS)), np.float32)
    kernels.measure(
        offsets, data, rows, settings, sizes, keys, kinds, letter_keys, letter_weights, table(), MEASURED_BYTES,
        counts, ratios,
    )  # fmt: skip
    null = rows < 0
    columns = {"words": pa.array(counts, mask=null)}
    lists = {"closed_class_words": words.closed_class, "flagged_words": words.flagged}
    for position, name in enumerate(TEXT_RATIOS):
        listed = np.array([name not in lists or bool(lists[name].get(code)) for code in codes] + [True], bool)
        values = np.ascontiguousarray(ratios[:, position])
        columns[name] = pa.array(values, mask=null | ~listed[rows] | np.isnan(values))
    return columns


def compiled(
    languages: list[tuple[str, QualityParameters]], words: WordLists
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Parameters and words of languages as the kernel takes them: settings, join sizes, keys and kinds of words."""
    settings = np.zeros((max(1, len(languages)), 13), np.int64)
    sizes: list[int] = []
    tables = [words.table(code) for code, _ in languages]
    start = 0
    for row, (_, given) in enumerate(languages):
        joins = given.join_sizes if given.join_adjacent_words else ()
        slots = len(tables[row][0])
        known = bool(tables[row][1].any())
        settings[row, : kernels.LETTERS_START] = (
            given.strip_url_words,
            given.word_length_max if given.strip_long_words else 0,
            given.segment_words_with_sentencepiece,
            given.character_ngram,
            given.word_ngram,
            len(sizes),
            len(sizes) + len(joins),
            start,
            slots - 1 if known else -1,
        )
        sizes.extend(joins)
        start += slots
    keys = np.concatenate([np.zeros(0, np.uint64), *(keys for keys, _ in tables)])
    kinds = np.concatenate([np.zeros(0, np.uint8), *(kinds for _, kinds in tables)])
    return settings, np.array(sizes, np.int64), keys, kinds
