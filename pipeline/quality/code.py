"""Measures of source code: ROOTS' filters for its GitHub part.

Characters are code points. Word characters are `A–Z a–z 0–9 _`. A token is a run without white space: so measured, the
deviation of token lengths sets hand-written code apart from tables of numbers and from encoded data.
"""

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.deduplication.characters import decode
from pipeline.quality.characters import SPACE, table
from pipeline.text.columns import encode, text_buffers

CODE_MEASURES = ("characters", "longest_line", "non_word_characters", "token_length_deviation")

_SPACE = np.uint32(SPACE)
_NEWLINE, _RETURN = 10, 13


def measure_code(texts: pa.LargeStringArray, languages: pa.Array, programming: frozenset[str]) -> dict[str, pa.Array]:
    """Measure documents in `programming` languages; all other rows are null. No input has nulls.

    `characters` int32; `longest_line` int32, characters without the line end (`\\n`, `\\r\\n`); `non_word_characters`
    float32, their share of all; `token_length_deviation` float32, the population's standard deviation in characters.
    """
    encoded = encode(languages)
    is_code = np.array([code in programming for code in encoded.dictionary.to_pylist()], bool)
    chosen = is_code[encoded.indices.to_numpy(zero_copy_only=False)] if len(is_code) else np.zeros(0, bool)
    offsets, data = text_buffers(texts)
    counts, ratios = np.zeros((2, len(texts)), np.int32), np.zeros((2, len(texts)), np.float32)
    _measure(offsets, data, chosen, table(), counts, ratios)
    columns = (*counts, *ratios)
    return {name: pa.array(column, mask=~chosen) for name, column in zip(CODE_MEASURES, columns, strict=True)}


@njit(cache=True, nogil=True, inline="always")
def _is_word(code: int) -> bool:
    return 97 <= code <= 122 or 65 <= code <= 90 or 48 <= code <= 57 or code == 95


@njit(cache=True, nogil=True)
def _measure(
    offsets: np.ndarray,
    data: np.ndarray,
    chosen: np.ndarray,
    entries: np.ndarray,
    counts: np.ndarray,
    ratios: np.ndarray,
) -> None:
    for i in range(len(chosen)):
        if not chosen[i]:
            continue
        characters = longest = line = token = tokens = total = squares = word_characters = 0
        at, end = offsets[i], offsets[i + 1]
        before = 0
        while at < end:
            code, at = decode(data, at)
            characters += 1
            word_characters += _is_word(code)
            if code == _NEWLINE:
                longest = max(longest, line - (before == _RETURN and line > 0))
                line = 0
            else:
                line += 1
            before = code
            if entries[code] & _SPACE:
                if token:
                    tokens += 1
                    total += token
                    squares += token * token
                token = 0
            else:
                token += 1
        if token:
            tokens += 1
            total += token
            squares += token * token
        counts[0, i] = characters
        counts[1, i] = max(longest, line)
        ratios[0, i] = (characters - word_characters) / characters if characters else 0.0
        if tokens:
            # Integers to the last step: exact whatever the lengths.
            ratios[1, i] = np.sqrt(max(0.0, float(tokens * squares - total * total))) / tokens
