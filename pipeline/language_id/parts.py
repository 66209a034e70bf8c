"""A document's languages, told by its parts: samples spread over it, joined by what each stands for.

A document is read in stripes of equal size; from the middle of each up to `SAMPLE` characters are identified. Where
all together are not surely in one language, each is answered alone, and counts for the letters of its stripe. The
label is the largest part of the whole document; its score is the share of the letters in it times how sure the samples
were, so that it falls with mixing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from configs.language_codes import UNDETERMINED
from pipeline.language_id.spelling import group_of

SAMPLE = 500
"""Characters of a sample: from about here the vote is right on one part alone."""
GLANCE = 200
"""Bytes of each sample that are read where all samples together may settle it: a document in one language is known
from about a thousand bytes, and pycld2 takes most of the time."""
SHARE_MIN = 0.01
"""Smaller parts are not told."""


Shares = tuple[tuple[str, float], ...]
"""Languages of a text and the share of each."""
Votes = tuple[tuple[str, str, float], ...]
"""Who said what of a text, and how sure they were."""


class Answer(NamedTuple):
    """What was found of a text or a document: label and score, the share of each language in it (of a document the
    largest first), and what each voter said."""

    label: str
    score: float
    shares: Shares = ()
    votes: Votes = ()


_ONES = np.uint64(0x0101010101010101)
_S6, _S7, _S56 = np.uint64(6), np.uint64(7), np.uint64(56)


def in_words(data: np.ndarray) -> np.ndarray:
    """The bytes eight at a time, uint64, without those left over; as the kernels below take them."""
    whole = data[: len(data) // 8 * 8]
    words = whole.view(np.uint64)
    return words if words.flags.aligned else np.frombuffer(whole.tobytes(), np.uint64)


@njit(cache=True, nogil=True, inline="always")
def _characters_in(word: np.uint64) -> Any:
    """How many of eight bytes of UTF-8 begin a character."""
    return 8 - np.int64((((word >> _S7) & ~(word >> _S6) & _ONES) * _ONES) >> _S56)


@njit(cache=True, nogil=True)
def _characters(data: np.ndarray, words: np.ndarray, at: int, end: int) -> int:
    """How many characters begin in `data[at:end]`."""
    characters = 0
    while at < end:
        if at & 7 == 0 and at + 8 <= end:
            characters += _characters_in(words[at >> 3])
            at += 8
            continue
        characters += (data[at] & 0xC0) != 0x80
        at += 1
    return characters


@njit(cache=True, nogil=True)
def _behind(data: np.ndarray, words: np.ndarray, at: int, end: int, left: int) -> int:
    """The place behind `left` characters of `data[at:end]`, or `end` if there are fewer."""
    while at < end and (left > 0 or (data[at] & 0xC0) == 0x80):
        if left > 8 and at & 7 == 0 and at + 8 <= end:
            left -= _characters_in(words[at >> 3])
            at += 8
            continue
        left -= (data[at] & 0xC0) != 0x80
        at += 1
    return at


@njit(cache=True, nogil=True)
def samples(
    offsets: np.ndarray, data: np.ndarray, words: np.ndarray, size: int, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples of up to `size` characters, at most `most` a document, one from the middle of each of its equal stripes.

    Returns edges (int64, samples × 2: first byte, byte after the last), the row of each sample (int64) and the bytes
    of its stripe over its own (float64). A sample begins at the start of a line or a word where one is near. A
    document of less than one and a half samples is one; an empty one has one empty sample.
    """
    rows = len(offsets) - 1
    edges, owners = np.empty((rows * most, 2), np.int64), np.empty(rows * most, np.int64)
    scales = np.empty(rows * most, np.float64)
    filled = 0
    for row in range(rows):
        first, end = offsets[row], offsets[row + 1]
        characters = _characters(data, words, first, end)
        number = 1 if 2 * characters < 3 * size else min(most, (characters + size - 1) // size)
        for stripe in range(number):
            start = first + (end - first) * stripe // number
            stop = first + (end - first) * (stripe + 1) // number
            whole = number == 1 or characters <= most * size
            spare = 0 if whole else (stop - start) * (1 - size * number / characters) / 2
            at = _word_start(data, start + int(spare), stop) if stripe or not whole else start
            after = _behind(data, words, at, stop, size + size // 2 if whole else size)
            while after < end and (data[after] & 0xC0) == 0x80:
                after += 1
            edges[filled, 0], edges[filled, 1] = at, after
            owners[filled] = row
            scales[filled] = (stop - start) / max(1, after - at)
            filled += 1
    return edges[:filled], owners[:filled], scales[:filled]


@njit(cache=True, nogil=True)
def glances(edges: np.ndarray, rows: np.ndarray, data: np.ndarray, words: np.ndarray, size: int) -> np.ndarray:
    """Edges of up to `size` characters of each sample, in whole words where one ends near; all of the sample of a
    document that has one."""
    out = edges.copy()
    for sample in range(len(edges)):
        alone = (sample == 0 or rows[sample - 1] != rows[sample]) and (
            sample + 1 == len(rows) or rows[sample + 1] != rows[sample]
        )
        start, end = edges[sample]
        if alone or end - start <= size:
            continue
        after = _behind(data, words, start, end, size)
        if after < end:
            space = after - 1
            while after - space < size // 4 and data[space] != 32 and data[space] != 10:
                space -= 1
            if after - space < size // 4:
                after = space
        out[sample, 1] = after
    return out


@njit(cache=True, nogil=True)
def _word_start(data: np.ndarray, start: int, stop: int) -> int:
    """The start of a line in the first fifth of a stripe, or of a word, or else of a character."""
    space = -1
    for at in range(start, start + (stop - start) // 5):
        if data[at] == 10:
            return at + 1
        if space < 0 and data[at] == 32:
            space = at + 1
    if space >= 0:
        return space
    at = start
    while at < stop and (data[at] & 0xC0) == 0x80:
        at += 1
    return at


def combine(first: Answer, second: Answer) -> Answer:
    """The answer of two that were found apart: what both say is surer; of two the likelier stands, less sure."""
    votes = first.votes + second.votes
    if first.label == second.label:
        score = 1.0 - (1.0 - first.score) * (1.0 - second.score)
        return Answer(first.label, min(score, max(first.score, second.score, 0.99)), first.shares, votes)
    likelier, other = (first, second) if first.score >= second.score else (second, first)
    odds = likelier.score * (1.0 - other.score) + 1e-9
    score = odds / (odds + other.score * (1.0 - likelier.score) + 1e-9)
    return Answer(likelier.label, min(score, likelier.score), likelier.shares or ((likelier.label, 1.0),), votes)


def alone(answer: Answer) -> Answer:
    """The document of this one answer."""
    if len(answer.shares) == 1:
        return answer
    return answer._replace(shares=_told(dict(answer.shares or ((answer.label, 1.0),))))


def join(answers: Sequence[Answer], weights: Sequence[float]) -> Answer:
    """The document of these samples, each of which stands for `weights` letters.

    Near relatives (`spelling.GROUPS`) are seldom mixed and often mistaken: they count for the one that has most.
    """
    if len(answers) == 1:
        return alone(answers[0])
    amounts: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        for label, share in answer.shares or ((answer.label, 1.0),):
            amounts[label] = amounts.get(label, 0.0) + weight * share
    heads = _heads(amounts)
    pooled: dict[str, float] = {}
    for label, amount in amounts.items():
        head = heads.get(label, label)
        pooled[head] = pooled.get(head, 0.0) + amount
    total = sum(pooled.values())
    if total <= 0:
        return Answer(UNDETERMINED, 0.0, ((UNDETERMINED, 1.0),), ())
    known = {label: amount for label, amount in pooled.items() if label != UNDETERMINED} or pooled
    label = max(sorted(known), key=lambda name: known[name])
    sure = weight_of = 0.0
    for answer, weight in zip(answers, weights, strict=True):
        if heads.get(answer.label, answer.label) == label:
            sure += weight * answer.score
            weight_of += weight
    score = sure / max(weight_of, 1e-9) * min(1.0, known[label] / sum(known.values()))
    whole = {name: amount / total for name, amount in pooled.items()}
    return Answer(label, float(score), _told(whole), _votes(answers, weights))


def _heads(amounts: Mapping[str, float]) -> dict[str, str]:
    """Of each label the relative that has most of the document."""
    heads: dict[str, str] = {}
    for label in amounts:
        group = group_of(label)
        if group:
            heads[label] = max(sorted(name for name in group if name in amounts), key=lambda name: amounts[name])
    return heads


def _told(shares: Mapping[str, float]) -> Shares:
    ordered = sorted(shares.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(entry for entry in ordered if entry[1] >= SHARE_MIN) or tuple(ordered[:1])


def _votes(answers: Sequence[Answer], weights: Sequence[float]) -> Votes:
    """Of each voter the label that it gives to most of the document, and its mean score there."""
    found: dict[str, dict[str, list[float]]] = {}
    for answer, weight in zip(answers, weights, strict=True):
        for voter, label, score in answer.votes:
            entry = found.setdefault(voter, {}).setdefault(label, [0.0, 0.0])
            entry[0] += weight
            entry[1] += weight * score
    said = []
    for voter, labels in found.items():
        label = max(sorted(labels), key=lambda name: labels[name][0])
        said.append((voter, label, labels[label][1] / max(labels[label][0], 1e-9)))
    return tuple(said)
