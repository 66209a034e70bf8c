"""The language identifier: script first, then a vote of pycld2 and our naive Bayes classifier, then spelling."""

import itertools
import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from configs.models import LanguageIdentification, Languages
from pipeline.language_id.kernels import SCRIPTS, buffers, han_table, look, script_table
from pipeline.language_id.labels import UNDETERMINED, Labels, canonical

VERSION = 3  # of the rules below: a change of answers must change the digest
LINES_AT_ONCE = 1000
SHORTCUT_SHARE = 0.7  # of the letters; less is mixed text, which the vote decides
HAN_LETTERS = 3.0  # a Chinese character is half a word or more, and stands for about three letters of one
HAN_SHARE = 0.5  # of the text, so counted; less is a quotation
KANA_SHARE = 0.05  # Japanese writes its grammar in kana; Chinese text holds a quoted character at most

# Scripts that one language writes, or one so much that a vote would only add noise.
ONE_LANGUAGE = {
    "Guru": "pa", "Gujr": "gu", "Orya": "or", "Taml": "ta", "Telu": "te", "Knda": "kn", "Mlym": "ml", "Sinh": "si",
    "Thai": "th", "Laoo": "lo", "Geor": "ka", "Hang": "ko", "Khmr": "km", "Grek": "el", "Armn": "hy",
}  # fmt: skip


class Classifier(Protocol):
    """What decides where the script does not."""

    digest: str
    labels: frozenset[str]

    def classify(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> list[tuple[str, float]]:
        """Label and score in 0..1 of each text `data[starts[i]:ends[i]]` (UTF-8), mostly in `SCRIPTS[scripts[i]]`."""
        ...


class LanguageIdentifier:
    """Identifies the language of texts: ours by our code, others by their BCP-47 code."""

    def __init__(self, languages: Languages, settings: LanguageIdentification) -> None:
        """Load the model that `settings.model` names.

        Raises LanguageModelError where a file is no fastText model or the extra that reads it is missing.
        """
        self._labels = Labels(languages, settings.label_map)
        self._characters = settings.characters
        self._vote = settings.model == "vote"
        self._classifier = _classifier(settings, languages)
        self._known = frozenset(self._labels.answer(label) for label in self._classifier.labels)
        if self._vote:
            self._known |= {self._labels.answer(code) for code in (*ONE_LANGUAGE.values(), "zh", "zh-Hant", "ja", "as")}
        described = [VERSION, settings.characters, self._vote, self._labels.described, self._classifier.digest]
        self._digest = xxhash.xxh3_128_hexdigest(json.dumps(described, sort_keys=True).encode())

    @property
    def digest(self) -> str:
        """Hexadecimal xxh3-128 of all that answers depend on: rules, settings, labels and the bytes of the model."""
        return self._digest

    def knows(self, code: str) -> bool:
        """True if the identifier can answer this language; of others the declared language has to be believed."""
        return self._labels.answer(code) in self._known

    def identify(self, texts: pa.LargeStringArray) -> tuple[pa.StringArray, pa.FloatArray]:
        """Language (string) and score (float32, 0..1) of each text, read at its start.

        The language is our code, or the BCP-47 code of another language, or `und` with score 0 where nothing can be
        said: no letters, or a null. The score is comparable with the thresholds `language_score_min` of ROOTS.
        """
        if len(texts) == 0:
            return pa.array([], pa.string()), pa.array([], pa.float32())
        offsets, data = buffers(texts)
        starts = offsets[:-1]
        ends, letters, marks = look(offsets, data, self._characters, script_table(), han_table(), len(SCRIPTS))
        answers = self._by_script(letters, marks) if self._vote else _empty(letters)
        open_rows = np.array([row for row, answer in enumerate(answers) if answer is None], np.int64)
        scripts = letters[open_rows, 1:].argmax(axis=1) + 1
        decided = self._classifier.classify(starts[open_rows], ends[open_rows], data, scripts)
        for row, answer in zip(open_rows.tolist(), decided, strict=True):
            answers[row] = answer
        found = [(self._labels.answer(label), score) for label, score in (answer for answer in answers if answer)]
        languages = pa.array([language for language, _ in found], pa.string())
        return languages, pa.array(np.array([score for _, score in found], np.float32))

    def _by_script(
        self, letters: npt.NDArray[np.int32], marks: npt.NDArray[np.int32]
    ) -> list[tuple[str, float] | None]:
        """What the script alone decides; None where it does not."""
        answers = _empty(letters)
        totals = letters[:, 1:].sum(axis=1)
        for script, language in ONE_LANGUAGE.items():
            own = letters[:, SCRIPTS.index(script)]
            for row in np.flatnonzero((own > 0) & (own >= SHORTCUT_SHARE * totals)):
                answers[row] = (language, float(own[row] / totals[row]))
        kana, han = letters[:, SCRIPTS.index("Kana")], letters[:, SCRIPTS.index("Hani")]
        east = HAN_LETTERS * (kana + han)
        shares = east / np.maximum(east + totals - kana - han, 1)
        for row in np.flatnonzero(shares >= HAN_SHARE):
            share = float(shares[row])
            if kana[row] > KANA_SHARE * (kana[row] + han[row]):
                answers[row] = ("ja", share)
            else:
                answers[row] = ("zh-Hant" if marks[row, 1] > marks[row, 0] else "zh", share)
        for row in np.flatnonzero((marks[:, 2] > 0) & (marks[:, 2] >= 0.002 * totals)):
            if letters[row, SCRIPTS.index("Beng")] >= SHORTCUT_SHARE * totals[row]:
                answers[row] = ("as", float(letters[row, SCRIPTS.index("Beng")] / totals[row]))
        return answers


def _empty(letters: npt.NDArray[np.int32]) -> list[tuple[str, float] | None]:
    """`und` for texts without letters, None for the others."""
    return [None if total else (UNDETERMINED, 0.0) for total in letters[:, 1:].sum(axis=1).tolist()]


def _classifier(settings: LanguageIdentification, languages: Languages) -> Classifier:
    if settings.model == "vote":
        from pipeline.language_id.vote import Vote

        return Vote(ours=frozenset(canonical(code) for code in languages.natural))
    from pipeline.language_id.fasttext_model import FastText

    return FastText(settings.model)


def identify_lines(lines: Iterable[str], identifier: LanguageIdentifier | None = None) -> Iterator[tuple[str, float]]:
    """Language and score of each line, in order; by default with the vote and the languages of the project.

    A thousand lines are identified at a time.
    """
    if identifier is None:
        from configs.load import load_languages

        identifier = LanguageIdentifier(load_languages(), LanguageIdentification())
    waiting = iter(lines)
    while batch := list(itertools.islice(waiting, LINES_AT_ONCE)):
        plain = [unicodedata.normalize("NFC", line).encode("utf-8", "replace").decode() for line in batch]
        languages, scores = identifier.identify(pa.array(plain, pa.large_string()))
        yield from zip(languages.to_pylist(), scores.to_pylist(), strict=True)
