"""Which items of evaluation sets a document holds, how surely, and where.

An item is held where its question is there, or its question with its answer, or a long answer alone. A passage alone
says nothing: it is the text that the item was made from. The score is the share of the text that is there, by weight;
short texts must be there whole, because such words are said by chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.decontamination.index import POWERS, Index, Watched
from pipeline.decontamination.kernel import search
from pipeline.decontamination.tokens import folding, tokenize
from pipeline.text.columns import text_buffers

THRESHOLD = 0.8
"""Of the score; as in AllenAI's `decon`."""
WHOLE_WORDS, LONG_WORDS = 5.0, 12.0
"""Up to so many words a text must be there whole; from so many on the threshold holds; in between it falls."""
QUESTION_WORDS, ANSWER_WORDS = 4.5, 12.0
"""A question, or an answer, of fewer words isn't enough alone."""
TOGETHER_WORDS, TOGETHER_MIN = 4.0, 0.6
"""A question with its answer must have so many words together; of the question this share must be there."""
SHARES = (0.7, 0.2, 0.1)
"""Weights of question, answer and passage, where all count in full."""
FULL_WORDS = 20.0
"""A part of fewer words counts for less, down to half."""
_SPACES, _BLANK, _LINE = b" \t", b" \t\r\n", 10
ANSWER_BYTES = 1000
"""A short answer must stand so near the question."""


@dataclass(frozen=True)
class Match:
    """An item in a document. `pieces` are places in its text, in bytes, sorted: what `cut` removes."""

    item: Watched
    score: float
    question: float
    answer: float
    passage: float
    pieces: tuple[tuple[int, int], ...]

    @property
    def detail(self) -> str:
        """For the ledger: set, item and score, with what of the item is there."""
        parts = [("question", self.question), ("answer", self.answer), ("passage", self.passage)]
        there = ", ".join(f"{name} {share:.2f}" for name, share in parts if share > 0)
        return f"{self.item.set} {self.item.id}, score {self.score:.2f}: {there}"


@dataclass
class _Part:
    """A watched text in a document: the best coverage, and all places."""

    coverage: float
    pieces: list[tuple[int, int]]


class Matcher:
    """Finds items of an index in documents."""

    def __init__(self, index: Index, threshold: float = THRESHOLD) -> None:
        self.index, self.threshold = index, threshold
        self._folding = folding()
        seeds = index.seeds
        weighed = np.concatenate([[0.0], np.cumsum(index.texts.weights, dtype=np.float64)])
        behind = index.texts.offsets[seeds.texts] + seeds.ends + 1
        # A little more than they weigh: these sums only say which texts need no closer look.
        self._post_weights = ((weighed[behind] - weighed[behind - seeds.lengths]) * 1.001 + 1e-6).astype(np.float32)

    def __call__(self, texts: pa.LargeStringArray) -> dict[int, list[Match]]:
        """Row → the items that its text holds, the surest first. Texts have no nulls."""
        index = self.index
        offsets, data = text_buffers(texts)
        tables: list[Any] = [*self._folding, *vars(index.seeds).values(), *vars(index.texts).values()]
        tables += [self._post_weights, POWERS]
        documents, found, coverages, flat, _ = search(offsets, data, *tables)
        parts: dict[int, dict[int, _Part]] = {}
        places: list[list[tuple[int, int]]] = [[] for _ in documents]
        for row, start, stop in flat.reshape(-1, 3).tolist():
            places[row].append((start, stop))
        for row, (document, text, coverage) in enumerate(
            zip(documents.tolist(), found.tolist(), coverages.tolist(), strict=True)
        ):
            origin = int(offsets[document])
            part = parts.setdefault(document, {}).setdefault(text, _Part(0.0, []))
            part.coverage = max(part.coverage, min(coverage, 1.0))
            part.pieces += [(start - origin, stop - origin) for start, stop in places[row]]
        matches = {}
        for document, held in parts.items():
            whole = data[offsets[document] : offsets[document + 1]]
            judged = sorted(self._judged(held, whole), key=lambda match: (-match.score, match.item.set, match.item.id))
            if judged:
                matches[document] = judged
        return matches

    def _judged(self, held: dict[int, _Part], text: np.ndarray) -> Iterator[Match]:
        numbers = {number for part in held for number in self.index.items_of.get(part, ())}
        for number in sorted(numbers):
            match = self._judge(self.index.items[number], held, text)
            if match is not None:
                yield match

    def _judge(self, item: Watched, held: dict[int, _Part], text: np.ndarray) -> Match | None:
        words = self.index.texts.words
        none = _Part(0.0, [])
        question, passage = held.get(item.question, none), held.get(item.passage, none)
        answers = [(answer, held.get(answer) or self._near(answer, question, text)) for answer in item.answers]
        answer, best = max(answers, key=lambda one: one[1].coverage * float(words[one[0]]) if one[0] >= 0 else -1.0,
                           default=(-1, none))  # fmt: skip
        length = float(words[item.question])
        answered = float(words[answer]) if answer >= 0 else 0.0
        sure: list[tuple[float, list[_Part]]] = []
        if item.is_mark:
            sure = [(1.0, [question])] if question.coverage > 0.999 else []
        else:
            if length >= QUESTION_WORDS and question.coverage >= self._needed(length):
                sure.append((question.coverage, [question, best, passage]))
            if answered >= ANSWER_WORDS and best.coverage >= self._needed(answered):
                sure.append((best.coverage, [question, best, passage]))
            read = float(words[item.passage]) * passage.coverage if item.passage >= 0 else 0.0
            together = length * question.coverage + answered * best.coverage + min(read, QUESTION_WORDS)
            if question.coverage >= TOGETHER_MIN and best.coverage > 0 and together >= TOGETHER_WORDS:
                score = self._together(item, question, best, passage, answered)
                if score >= self._needed(length + answered):
                    sure.append((score, [question, best, passage]))
        if not sure:
            return None
        score, parts = max(sure, key=lambda one: one[0])
        pieces = merged([piece for part in parts for piece in part.pieces])
        return Match(item, score, question.coverage, best.coverage, passage.coverage, pieces)

    def _needed(self, words: float) -> float:
        """The least share of a text of so many words."""
        short = min(max((LONG_WORDS - words) / (LONG_WORDS - WHOLE_WORDS), 0.0), 1.0)
        return self.threshold + (1 - self.threshold) * short - 1e-3

    def _together(self, item: Watched, question: _Part, answer: _Part, passage: _Part, answered: float) -> float:
        words = self.index.texts.words
        lengths = (float(words[item.question]), answered, float(words[item.passage]) if item.passage >= 0 else 0.0)
        weights = [
            share * (0.5 + 0.5 * min(length / FULL_WORDS, 1.0)) * (length > 0)
            for share, length in zip(SHARES, lengths, strict=True)
        ]
        coverages = (question.coverage, answer.coverage, passage.coverage)
        return sum(weight * one for weight, one in zip(weights, coverages, strict=True)) / sum(weights)

    def _near(self, answer: int, question: _Part, text: np.ndarray) -> _Part:
        """A short answer, which has no seeds, word for word near the question."""
        texts = self.index.texts
        none = _Part(0.0, [])
        if answer < 0 or question.coverage < TOGETHER_MIN or not question.pieces:
            return none
        wanted = texts.hashes[texts.offsets[answer] : texts.offsets[answer + 1]]
        begin = max(0, min(start for start, _ in question.pieces) - ANSWER_BYTES)
        end = min(len(text), max(stop for _, stop in question.pieces) + ANSWER_BYTES)
        while begin < end and text[begin] & 0xC0 == 0x80:
            begin += 1
        while end < len(text) and text[end] & 0xC0 == 0x80:
            end += 1
        room = end - begin + 1
        hashes, sizes = np.empty(room, np.uint64), np.empty(room, np.int32)
        starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
        count = tokenize(text, begin, end, *self._folding, hashes, starts, ends, sizes)
        asked = list(question.pieces)
        for place in _places(hashes[:count], wanted):
            start, stop = int(starts[place]), int(ends[place + len(wanted) - 1])
            if not any(first <= start < behind for first, behind in asked):  # words of the question answer nothing
                return _Part(1.0, [(start, stop)])
        return none


def _places(hashes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where a sequence of tokens begins in another."""
    if not len(wanted) or len(wanted) > len(hashes):
        return np.zeros(0, np.int64)
    fits = np.ones(len(hashes) - len(wanted) + 1, bool)
    for step, value in enumerate(wanted):
        fits &= hashes[step : len(hashes) - len(wanted) + 1 + step] == value
    return np.flatnonzero(fits)


def merged(pieces: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Pieces in order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(pieces):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


def cut_pieces(text: bytes, pieces: Sequence[tuple[int, int]]) -> bytes:
    """The text without these pieces, each with the rest of its sentence mark, and one space or line end for it; of a
    line that is cut whole nothing is left."""
    out, at = bytearray(), 0
    for start, stop in pieces:
        while stop < len(text) and text[stop] < 0x80 and not (chr(text[stop]).isalnum() or text[stop] in _BLANK):
            stop += 1
        while stop < len(text) and text[stop] in _SPACES:
            stop += 1
        begin = max(start, at)
        while begin > at and text[begin - 1] in _SPACES:
            begin -= 1
        out += text[at:begin]
        if out and stop < len(text) and out[-1] != _LINE and text[stop] != _LINE:
            out += b" "
        if out[-1:] in (b"", b"\n") and stop < len(text) and text[stop] == _LINE:
            stop += 1
        at = max(stop, at)
    return bytes(out + text[at:])
