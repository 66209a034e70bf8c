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

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from configs.language_codes import UNDETERMINED
from configs.models import QualityParameters
from pipeline.quality import kernels
from pipeline.quality.characters import table
from pipeline.quality.letters import LetterModels
from pipeline.quality.words import WordLists
from pipeline.text.columns import encode, text_buffers
from pipeline.text.scripts import scripts_of

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


class TextMeasures:
    """The measures of text by the parameters of each language.

    Languages without an entry in `parameters` are measured by `default`. `scripts`: language → ISO 15924 code of the
    script whose letters are judged by their order; of a language without an entry all are. What the kernel reads of a
    language is made at its first text and kept.
    """

    def __init__(
        self,
        parameters: Mapping[str, QualityParameters],
        default: QualityParameters,
        words: WordLists,
        letters: LetterModels | None = None,
        programming: frozenset[str] = frozenset(),
        scripts: Mapping[str, str] | None = None,
    ) -> None:
        self._parameters, self._default = parameters, default
        self._words, self._letters = words, letters or LetterModels()
        self._programming, self._scripts = programming, scripts or {}
        self._rows: dict[str, int] = {}
        self._tables = _Tables()

    def __call__(self, texts: pa.LargeStringArray, languages: pa.Array) -> dict[str, pa.Array]:
        """Measure documents: `words` int32, and ratios 0…1 as float32, a row a document (names: TEXT_MEASURES).

        `languages` (strings or a dictionary column) names the language of each; rows in a `programming` language are
        null. The share of closed-class or flagged words is null where there is no such list for the language,
        `letter_order` where there is no model for it or the text has too few letters. Neither input has nulls.
        """
        encoded = encode(languages)
        codes = encoded.dictionary.to_pylist()
        row_of = np.array([*self._known(codes), -1], np.int32)
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        rows = row_of[indices]
        offsets, data = text_buffers(texts)
        counts, ratios = np.zeros(len(texts), np.int32), np.zeros((len(texts), len(TEXT_RATIOS)), np.float32)
        turns = np.argsort(rows, kind="stable")
        kernels.measure(offsets, data, rows, turns, *self._tables, table(), MEASURED_BYTES, counts, ratios)
        null = rows < 0
        columns = {"words": pa.array(counts, mask=null)}
        lists = {"closed_class_words": self._words.closed_class, "flagged_words": self._words.flagged}
        for position, name in enumerate(TEXT_RATIOS):
            listed = np.array([name not in lists or bool(lists[name].get(code)) for code in codes] + [True], bool)
            values = np.ascontiguousarray(ratios[:, position])
            columns[name] = pa.array(values, mask=null | ~listed[indices] | np.isnan(values))
        return columns

    def _known(self, codes: Sequence[str]) -> list[int]:
        """The row of each language in the tables, which grow by languages not seen before; −1 for code."""
        names = [self._name(code) for code in codes]
        new = [name for name in dict.fromkeys(names) if name is not None and name not in self._rows]
        if new:
            self._rows |= {name: row for row, name in enumerate(new, len(self._rows))}
            made = [
                _made(name, self._parameters.get(name, self._default), self._words, self._letters, self._scripts)
                for name in new
            ]
            self._tables = self._tables.joined(made)
        return [-1 if name is None else self._rows[name] for name in names]

    def _name(self, code: str) -> str | None:
        """The language by whose parameters one is measured: itself, or UNDETERMINED; None for code."""
        if code in self._programming:
            return None
        lists = (self._parameters, self._words.closed_class, self._words.flagged, self._letters.models)
        return code if any(code in known for known in lists) else UNDETERMINED


class _Tables(NamedTuple):
    """Languages as the kernel takes them; see `kernels` for the columns of `settings`.

    settings      int64 (languages, COLUMNS)
    sizes         int64: join sizes of all
    keys, kinds   uint64 and uint8: their words
    letters       uint32: slots of their letter models
    """

    settings: np.ndarray = np.zeros((0, kernels.COLUMNS), np.int64)
    sizes: np.ndarray = np.zeros(0, np.int64)
    keys: np.ndarray = np.zeros(0, np.uint64)
    kinds: np.ndarray = np.zeros(0, np.uint8)
    letters: np.ndarray = np.zeros(0, np.uint32)

    def joined(self, others: Sequence["_Tables"]) -> "_Tables":
        """These languages and then the others, each with its places behind those before it."""
        all_of_them = (self, *others)
        at = np.zeros(3, np.int64)
        settings = []
        for each in all_of_them:
            moved = each.settings.copy()
            moved[:, [kernels.JOIN_FIRST, kernels.JOIN_END]] += at[0]
            moved[:, kernels.LOOKUP_START] += at[1]
            moved[:, kernels.LETTERS_START] += at[2]
            settings.append(moved)
            at += (len(each.sizes), len(each.keys), len(each.letters))
        rest = (np.concatenate(columns) for columns in zip(*(each[1:] for each in all_of_them), strict=True))
        return _Tables(np.concatenate(settings), *rest)


def _made(
    code: str, given: QualityParameters, words: WordLists, letters: LetterModels, scripts: Mapping[str, str]
) -> _Tables:
    joins = given.join_sizes if given.join_adjacent_words else ()
    keys, kinds = words.table(code)
    slots, letters_of_it = letters.table(code)
    row = (
        given.strip_url_words,
        given.word_length_max if given.strip_long_words else 0,
        given.segment_words_with_sentencepiece,
        given.character_ngram,
        given.word_ngram,
        0,
        len(joins),
        0,
        len(keys) - 1 if kinds.any() else -1,
        0,
        *letters_of_it,
        sum(1 << script for script in {0, *scripts_of(scripts.get(code, "Zyyy"))}),
    )
    return _Tables(np.array([row], np.int64), np.array(joins, np.int64), keys, kinds, slots)
