"""Which documents the quality thresholds drop, and by which threshold: from columns, without reading a text."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.language_codes import UNDETERMINED
from configs.models import CodeParameters, Languages, Quality, QualityParameters
from pipeline.quality.resolved import resolve
from pipeline.reasons import Verdict
from pipeline.text.columns import decode, encode

TEXT_THRESHOLDS = (
    ("words_min", "words"),
    ("words_max", "words"),
    ("character_repetition_max", "character_repetition"),
    ("word_repetition_max", "word_repetition"),
    ("special_characters_max", "special_characters"),
    ("running_text_min", "running_text"),
    ("letter_order_min", "letter_order"),
    ("closed_class_words_min", "closed_class_words"),
    ("flagged_words_max", "flagged_words"),
    ("language_score_min", "language_score"),
    ("perplexity_max", "perplexity"),
)
"""Thresholds of natural language and the column each looks at; the first that fails is the reason (ROOTS' order, ours
between)."""

CODE_THRESHOLDS = (
    ("file_bytes_max", "bytes_in"),
    ("characters_min", "characters"),
    ("characters_max", "characters"),
    ("longest_line_min", "longest_line"),
    ("longest_line_max", "longest_line"),
    ("non_word_characters_min", "non_word_characters"),
    ("non_word_characters_max", "non_word_characters"),
    ("token_length_deviation_min", "token_length_deviation"),
)
"""The same for source code."""

THRESHOLDS = (*TEXT_THRESHOLDS, *CODE_THRESHOLDS)
_ORDER = {name: position for position, (name, _) in enumerate(THRESHOLDS)}


@dataclass(frozen=True)
class QualityRules:
    """The thresholds of one recipe, resolved by language; picklable."""

    languages: Languages
    quality: Quality
    _text: dict[str, QualityParameters] = field(init=False, repr=False)
    _other: QualityParameters = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text, other = resolve(self.languages, self.quality)
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "_other", other)

    def decide(self, batch: pa.RecordBatch) -> Verdict:
        """The first threshold that each document fails, if any.

        Reads the columns `language`, `language_declared`, `source` and those that THRESHOLDS names. A null measure
        fails nothing. Measures of float32 are compared with the threshold in float32, so that 0.2 is not above 0.2.
        """
        verdict = Verdict.passed("quality", batch.num_rows)
        if not self.quality.enabled or batch.num_rows == 0:
            return verdict
        languages = encode(batch["language"])
        for name, measure in THRESHOLDS:
            limits = [self._limit(code, name) for code in languages.dictionary.to_pylist()]
            if all(limit is None for limit in limits):
                continue
            values = batch[measure]
            limit = pa.array(limits, pa.float64()).take(languages.indices)
            border = limit.cast(values.type, safe=False)
            fails = pc.less(values, border) if name.endswith("_min") else pc.greater(values, border)
            fails = pc.and_(pc.fill_null(fails, False), pc.is_null(verdict.reason))
            fails = self._unless_skipped(fails, batch["source"], name)
            if name == "language_score_min" and self.quality.thresholds == "measured":
                # Of a declared language the stage `language` has judged already.
                fails = pc.and_(fails, pc.equal(decode(batch["language_declared"]), UNDETERMINED))
            if fails.true_count:
                verdict = verdict.dropping(fails, name, measure=measure, value=values, threshold=limit)
        return verdict

    def decision_configuration(self) -> dict[str, Any]:
        """All that decisions depend on beyond the measures, as JSON: for the digest of the phase that decides."""
        names = {name for name, _ in TEXT_THRESHOLDS}
        return {
            "enabled": self.quality.enabled,
            "thresholds": self.quality.thresholds,
            "order": [name for name, _ in THRESHOLDS],
            "default": self._other.model_dump(mode="json", include=names),
            "languages": {code: given.model_dump(mode="json", include=names) for code, given in self._text.items()},
            "code": self.quality.code.model_dump(mode="json"),
            "skip": {source: sorted(names) for source, names in sorted(self.quality.skip_measures.items())},
        }

    def _limit(self, language: str, name: str) -> float | None:
        """A threshold of a language; None where it is not applied or not among those of its kind."""
        is_code = language in self.languages.programming
        if is_code != (_ORDER[name] >= len(TEXT_THRESHOLDS)):
            return None
        given: CodeParameters | QualityParameters
        given = self.quality.code if is_code else self._text.get(language, self._other)
        value = getattr(given, name)
        return None if value is None else float(value)

    def _unless_skipped(self, fails: pa.BooleanArray, sources: pa.Array, name: str) -> pa.BooleanArray:
        skipping = [source for source, names in self.quality.skip_measures.items() if name in names]
        if not skipping:
            return fails
        return pc.and_(fails, pc.invert(pc.is_in(decode(sources), pa.array(skipping, pa.string()))))
