"""The language identifier: script first, then a vote of pycld2 and our naive Bayes classifier, then spelling."""

import itertools
import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from configs.language_codes import UNDETERMINED
from configs.models import LanguageIdentification, Languages
from pipeline.language_id.kernels import buffers, gather, han_table, look
from pipeline.language_id.labels import Labels, canonical, same_language
from pipeline.language_id.parts import (
    GLANCE,
    SAMPLE,
    Answer,
    Shares,
    alone,
    combine,
    glances,
    in_words,
    join,
    samples,
)
from pipeline.text.scripts import SCRIPTS, script_table

VERSION = 7  # of the rules below: a change of answers must change the digest
LINES_AT_ONCE = 1000
SHORTCUT_SHARE = 0.7  # of the letters; less is mixed text, which the vote decides
SURE_SHARE = 0.95  # of a document's letters in one script; less may be another language beside it
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

    labels: frozenset[str]

    @property
    def digest(self) -> str:
        """Hexadecimal xxh3-128 of all that its answers depend on."""
        ...

    def classify(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
        letters: npt.NDArray[np.int64],
        surely: npt.NDArray[np.bool_],
    ) -> list[Answer | None]:
        """The answer to each text `data[starts[i]:ends[i]]` (UTF-8) of `letters[i]` letters, most of them in
        `SCRIPTS[scripts[i]]`, in the project's codes; None where `surely[i]` and the text is not surely in one
        language."""
        ...


@dataclass(frozen=True)
class Identified:
    """What was found of some texts, a row each.

    language   string: our code, or the BCP-47 code of another language, or `und`
    score      float32, 0..1
    languages  string: its languages with the share of each, largest first, such as `sw 0.82, en 0.18`
    shares     the same as numbers, to the hundredth
    votes      string: each voter with its answer and score, such as `pycld2 sw 0.97, bayes ny 0.61`
    """

    language: pa.StringArray
    score: pa.FloatArray
    languages: pa.StringArray
    votes: pa.StringArray
    shares: tuple[Shares, ...]


class LanguageIdentifier:
    """Identifies the language of texts: ours by our code, others by their BCP-47 code."""

    def __init__(self, languages: Languages, settings: LanguageIdentification) -> None:
        """Load the model that `settings.model` names.

        Raises ModelError where a file is not a fastText model or the extra that reads it is missing.
        """
        self._labels = Labels(languages, settings.label_map)
        self._characters = settings.characters
        self._vote = settings.model == "vote"
        self._classifier = _classifier(settings, languages, self._labels)
        self._known = frozenset(self._labels.answer(label) for label in self._classifier.labels)
        if self._vote:
            self._known |= {self._labels.answer(code) for code in (*ONE_LANGUAGE.values(), "zh", "zh-Hant", "ja", "as")}
        self._joining = _also(settings, self._labels)
        self._known |= {self._labels.answer(label) for model in self._joining for label in model.labels}

    @cached_property
    def digest(self) -> str:
        """Hexadecimal xxh3-128 of all that answers depend on: rules, settings, labels and the bytes of the model."""
        described = [
            VERSION,
            *(model.digest for model in self._joining),
            self._characters,
            self._vote,
            self._labels.described,
            self._classifier.digest,
        ]
        return xxhash.xxh3_128_hexdigest(json.dumps(described, sort_keys=True).encode())

    def knows(self, code: str) -> bool:
        """True if the identifier can answer this language; of others the declared language has to be believed."""
        return self._labels.answer(code) in self._known

    def identify(self, texts: pa.LargeStringArray) -> tuple[pa.StringArray, pa.FloatArray]:
        """Language (string) and score (float32, 0..1) of each text; see `identify_parts`."""
        found = self.identify_parts(texts)
        return found.language, found.score

    def identify_parts(self, texts: pa.LargeStringArray) -> Identified:
        """Language, score, parts and votes of each text, read in samples spread over it.

        The language is that of the largest part: our code, or the BCP-47 code of another language; or `und`, with
        the probability that the text is no language (0 where it has no letters, or is null). The score is the share
        of the text in the language times the probability that it is; it is comparable with the thresholds
        `language_score_min` of ROOTS.
        """
        if len(texts) == 0:
            empty = pa.array([], pa.string())
            return Identified(empty, pa.array([], pa.float32()), empty, empty, ())
        labels, scores, parts, votes = zip(*self.documents(*buffers(texts)), strict=True)
        shares = tuple([tuple([(name, round(share, 2)) for name, share in row]) for row in parts])
        return Identified(
            pa.array(labels, pa.string()),
            pa.array(np.array(scores, np.float32)),
            pa.array([", ".join([f"{name} {share:.2f}" for name, share in row]) for row in shares], pa.string()),
            pa.array(
                [", ".join([f"{who} {name} {sure:.2f}" for who, name, sure in row]) for row in votes], pa.string()
            ),
            shares,
        )

    def documents(self, offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> list[Answer]:
        """What is found of each document `data[offsets[i]:offsets[i + 1]]` (UTF-8).

        A glance at all its samples settles it where they are surely in one language together, or it has one sample;
        else each sample is answered alone.
        """
        most = max(1, self._characters // SAMPLE)
        words = in_words(data)
        edges, rows, scales = samples(offsets, data, words, min(SAMPLE, self._characters), most)
        borders = np.searchsorted(rows, np.arange(len(offsets)))
        first = borders[:-1]
        text, letters, marks = _look(glances(edges, rows, data, words, GLANCE), data)
        letters, marks = np.add.reduceat(letters, first), np.add.reduceat(marks, first)
        starts, ends = text.offsets[first], text.offsets[borders[1:]] - 1
        answers = self._classify(starts, ends, text.data, letters, marks, np.diff(borders) > 1)
        found = [alone(answer) if answer else None for answer in answers]
        unsure = np.array([row for row, answer in enumerate(answers) if not answer], np.int64)
        if len(unsure):
            parts = np.flatnonzero(np.isin(rows, unsure))
            told = self._parts(edges[parts], scales[parts], data)
            for row in unsure.tolist():
                own = list(itertools.islice(told, int(borders[row + 1] - borders[row])))
                found[row] = join([answer for answer, _ in own], [weight for _, weight in own])
        return [document for document in found if document]

    def _parts(
        self, edges: npt.NDArray[np.int64], scales: npt.NDArray[np.float64], data: npt.NDArray[np.uint8]
    ) -> Iterator[tuple[Answer, float]]:
        """The answer to each sample, and for how many letters it stands."""
        text, letters, marks = _look(edges, data)
        starts, ends = text.offsets[:-1], text.offsets[1:] - 1
        answers = self._classify(starts, ends, text.data, letters, marks, np.zeros(len(edges), bool))
        east = letters[:, SCRIPTS.index("Kana")] + letters[:, SCRIPTS.index("Hani")]
        weights = (letters[:, 1:].sum(axis=1) + (HAN_LETTERS - 1) * east) * scales
        return iter([(answer, weight) for answer, weight in zip(answers, weights.tolist(), strict=True) if answer])

    def _classify(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        letters: npt.NDArray[np.int32],
        marks: npt.NDArray[np.int32],
        surely: npt.NDArray[np.bool_],
    ) -> list[Answer | None]:
        """By script or else by the classifier; None where an answer must be sure (`surely`) and is not."""
        answers = self._by_script(letters, marks, surely) if self._vote else self._empty(letters)
        open_rows = np.array([row for row, answer in enumerate(answers) if answer is None], np.int64)
        totals = letters[open_rows, 1:].sum(axis=1).astype(np.int64)
        scripts = letters[open_rows, 1:].argmax(axis=1) + 1
        classify = self._classifier.classify
        decided = classify(starts[open_rows], ends[open_rows], data, scripts, totals, surely[open_rows])
        for row, answer in zip(open_rows.tolist(), decided, strict=True):
            answers[row] = answer
        told = np.array([answer is not None for answer in decided], bool)
        judged = open_rows[told]
        for model in self._joining:
            firm = np.zeros(len(judged), bool)
            heard = model.classify(starts[judged], ends[judged], data, scripts[told], totals[told], firm)
            for row, other in zip(judged.tolist(), heard, strict=True):
                mine = answers[row]
                if mine and other:
                    answers[row] = combine(mine, other)
        return answers

    def _by_script(
        self, letters: npt.NDArray[np.int32], marks: npt.NDArray[np.int32], surely: npt.NDArray[np.bool_]
    ) -> list[Answer | None]:
        """What the script alone decides; None where it does not, or not surely where it must."""
        answers = self._empty(letters)
        totals = letters[:, 1:].sum(axis=1)
        for script, language in ONE_LANGUAGE.items():
            own = letters[:, SCRIPTS.index(script)]
            for row in np.flatnonzero((own > 0) & (own >= SHORTCUT_SHARE * totals)):
                answers[row] = self._scripted(language, float(own[row] / totals[row]))
        kana, han = letters[:, SCRIPTS.index("Kana")], letters[:, SCRIPTS.index("Hani")]
        east = HAN_LETTERS * (kana + han)
        shares = east / np.maximum(east + totals - kana - han, 1)
        for row in np.flatnonzero(shares >= HAN_SHARE):
            share = float(shares[row])
            if kana[row] > KANA_SHARE * (kana[row] + han[row]):
                answers[row] = self._scripted("ja", share)
            else:
                answers[row] = self._scripted("zh-Hant" if marks[row, 1] > marks[row, 0] else "zh", share)
        for row in np.flatnonzero((marks[:, 2] > 0) & (marks[:, 2] >= 0.002 * totals)):
            if letters[row, SCRIPTS.index("Beng")] >= SHORTCUT_SHARE * totals[row]:
                answers[row] = self._scripted("as", float(letters[row, SCRIPTS.index("Beng")] / totals[row]))
        for row in np.flatnonzero(surely):
            answer = answers[row]
            if answer and answer.score < SURE_SHARE and totals[row]:
                answers[row] = None
        return answers

    def _scripted(self, label: str, share: float) -> Answer:
        code, undetermined = self._labels.answer(label), self._labels.answer(UNDETERMINED)
        shares = ((code, share), (undetermined, 1.0 - share)) if share < 1.0 else ((code, 1.0),)
        return Answer(code, share, shares, (("script", code, share),))

    def _empty(self, letters: npt.NDArray[np.int32]) -> list[Answer | None]:
        """`und` for texts without letters, None for the others."""
        nothing = Answer(self._labels.answer(UNDETERMINED), 0.0)
        return [None if total else nothing for total in letters[:, 1:].sum(axis=1).tolist()]


class _Text(NamedTuple):
    """Pieces of texts end to end, a line feed behind each."""

    offsets: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]


def _look(
    edges: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]
) -> tuple[_Text, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Pieces of texts, with the letters of each script and the marks of each; see `kernels.look`."""
    text = _Text(*gather(edges, data))
    letters, marks = look(*text, script_table(), han_table(), len(SCRIPTS))
    return text, letters, marks


def _classifier(settings: LanguageIdentification, languages: Languages, labels: Labels) -> Classifier:
    if settings.model == "vote":
        from pipeline.language_id.vote import Vote

        return Vote(ours=frozenset(canonical(code) for code in languages.natural), code_of=labels.answer)
    from pipeline.language_id.fasttext_model import FastText

    return FastText(settings.model, labels.answer)


def _also(settings: LanguageIdentification, labels: Labels) -> tuple[Classifier, ...]:
    from pipeline.language_id.fasttext_model import FastText

    return tuple(FastText(path, labels.answer) for path in settings.also)


def share_of(shares: Shares, language: str) -> float:
    """The share of a language among those of a text."""
    return sum(share for name, share in shares if same_language(language, name))


def identify_lines(lines: Iterable[str], identifier: LanguageIdentifier | None = None) -> Iterator[tuple[str, float]]:
    """Language and score of each line, in order; by default with the vote and the languages of the project.

    A thousand lines are identified at a time.
    """
    if identifier is None:
        from configs.load import load_languages

        identifier = LanguageIdentifier(load_languages(), LanguageIdentification())
    waiting = iter(lines)
    while batch := list(itertools.islice(waiting, LINES_AT_ONCE)):
        plain = [unicodedata.normalize("NFC", line).encode("utf-8", "replace") for line in batch]
        offsets = np.cumsum([0, *map(len, plain)], dtype=np.int64)
        data = np.frombuffer(b"".join(plain) or b"\0", np.uint8)
        for found in identifier.documents(offsets, data):
            yield found.label, found.score
