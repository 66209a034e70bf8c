"""The vote: pycld2 (Compact Language Detector 2), and naive Bayes where it is silent, unsure or known to err."""

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pycld2
import xxhash

from configs.language_codes import UNDETERMINED
from pipeline.language_id.bayes import UNITS_PER_NAT, Bayes, load_bayes
from pipeline.language_id.labels import canonical
from pipeline.language_id.parts import Answer
from pipeline.language_id.spelling import group_of, signs

SURE = 0.9  # pycld2 gives a language at least this share of the text, or it is unsure
LONG_BYTES = 400  # from here pycld2 alone is right where it is sure
OVERUSED = frozenset({"ms", "gl", "co", "ia", "eo", "oc", "it", "rw"})  # pycld2 gives them to text of their relatives
OVERUSED_SHORT = OVERUSED | {"en"}  # and English to any short text in Latin letters
# Gaps of log-likelihood, in nats over the root of the number of features, up to which naive Bayes gives in to pycld2.
GAP_SURE, GAP_OVERUSED, GAP_UNSURE = 4.0, 1.0, 0.0
# Between relatives (`spelling.GROUPS`), in the weights of their signs: what pycld2's answer counts, where it counts
# otherwise (it gives rw to Kirundi too), what a gap of naive Bayes counts and at most; a relative not of ours needs
# this much more. Chosen on text from packages by the recall of each language of the groups.
CLD2_WEIGHT, CLD2_WEIGHTS = 3.0, {"rw": 0.5}
BAYES_MAX, NO_CLASS = 2.0, 1.0
FOREIGN = 1.5
RARE_NATS = 15.0  # prior of naive Bayes against languages that are neither ours nor pycld2's
MISTAKEN_LONG = frozenset({"rw", "rn", "ur", "zu", "mr", "sw", "ny", "nso", "st", "tn"})
"""What pycld2 gives to a relative's text however long it is."""
CLOSE = frozenset({"pt", "es", "gl", "ca", "oc", "id", "ms", "zu", "xh", "st", "tn", "nso", "hi", "mr", "ne"})
"""Languages that pycld2 does not tell beside each other in one text: it keeps the one that has more."""
SIGNS_BYTES = 1500  # of a text are searched for signs
MOST = 0.99  # no answer is certain
NOISE = 0.05
OTHER_SHARE = 0.15  # of a text; smaller shares of pycld2 are names and quotations, or mistakes
UNKNOWN_NEIGHBOURS = {"zu": "nd", "mr": "kok", "sw": "ki", "ny": "tum"}
"""Languages that have a neighbour of which there is no class: without signs of their own they are not certain."""
UNSURE_MOST = 0.79  # below what a recipe asks for before it drops a document for another declared language
CALIBRATION = (-0.823, -0.581, 0.799, 0.599, 0.121, 3.032, -0.242, 0.178, -0.346, 1.649, 6.55)
INTERCEPT = -7.981
"""Logistic regression of "the answer is right" on the measures of `Vote._probability`, over pieces of one word to a
whole sentence from packages and over noise (random letters and bytes, markup, code, numbers, addresses); docs."""
_SPACES = (b" ", b"\n", b"\t", b"\r", "\u00a0".encode(), "\u3000".encode())
_CONTROLS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xef[\xbf][\xbe\xbf]|\xef\xb7[\x90-\xaf]")


class Vote:
    """pycld2 and our classifier together."""

    def __init__(self, bayes: Bayes | None = None, ours: frozenset[str] = frozenset()) -> None:
        self._bayes = bayes or load_bayes()
        self._ours = ours
        self._languages = [canonical(label.split("/")[0]) for label in self._bayes.labels]
        names = sorted(set(self._languages))
        self._names = names
        self._index = {name: column for column, name in enumerate(names)}
        self._columns = np.array([self._index[language] for language in self._languages], np.int64)
        codes = dict(pycld2.LANGUAGES)
        cld2 = {canonical(codes[name]) for name in pycld2.DETECTED_LANGUAGES if name in codes}
        self.labels = frozenset(names) | cld2 - {UNDETERMINED}
        self._rare = np.array([name not in ours and name not in cld2 for name in names])
        self.digest = xxhash.xxh3_128_hexdigest(f"{self._bayes.digest} {pycld2.__version__}".encode())

    def classify(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
        letters: npt.NDArray[np.int64],
        surely: npt.NDArray[np.bool_],
    ) -> list[Answer | None]:
        """The answer to each text; see `identifier.Classifier`."""
        view = memoryview(data)  # type: ignore[arg-type]
        texts = [bytes(view[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        heard = [hear(text) for text in texts]
        rows = zip(texts, heard, surely.tolist(), strict=True)
        mixed = np.array([must and _mixed(text, found) for text, found, must in rows], bool)
        doubtful = np.array([_doubtful(text, *found[0]) for text, found in zip(texts, heard, strict=True)], bool)
        asked = np.flatnonzero(doubtful & ~mixed)
        answers = self._compare(starts[asked], ends[asked], data, scripts[asked]) if len(asked) else []
        compared = dict(zip(asked.tolist(), answers, strict=True))
        return [
            None if mixed[row] else self._answer(text, heard[row], compared.get(row), int(letters[row]))
            for row, text in enumerate(texts)
        ]

    def _answer(self, text: bytes, heard: list[tuple[str, float]], found: "Compared | None", letters: int) -> Answer:
        """What all voters together say of a text with so many letters."""
        cld2 = heard[0]
        votes = [("pycld2", *cld2)] if cld2[0] != UNDETERMINED else []
        if found is None or not found.features:
            label = self._among_relatives(cld2[0], text, cld2, None)
            score = min(cld2[1], MOST) if label != UNDETERMINED else 0.0
        else:
            votes.append(("bayes", found.best, _sureness(found.margin)))
            label = self._settle(text, cld2, found)
            if not found.best == cld2[0] == label or label in MISTAKEN_LONG:
                label = self._among_relatives(label, text, cld2, found.gaps)
            score = self._probability(text, label, cld2, found, letters)
            if score < NOISE:
                return Answer(UNDETERMINED, 1.0 - score, ((UNDETERMINED, 1.0),), tuple(votes))
            if len(text) >= LONG_BYTES and label == cld2[0]:
                score *= min(1.0, cld2[1] / SURE)
        if label in UNKNOWN_NEIGHBOURS and score > UNSURE_MOST and not self._stands_out(label, text):
            score = UNSURE_MOST
        shares = _shares(label, heard) if len(text) >= LONG_BYTES else ((label, 1.0),)
        return Answer(label, score, shares, tuple(votes))

    def _stands_out(self, label: str, text: bytes) -> bool:
        """Whether signs speak for a language rather than for the neighbour that no voter knows."""
        weights = signs(group_of(label) or {}, text[:SIGNS_BYTES])
        return weights[label] - weights[UNKNOWN_NEIGHBOURS[label]] >= 2

    def _probability(self, text: bytes, label: str, cld2: tuple[str, float], found: "Compared", letters: int) -> float:
        """How likely `label` is right, by a logistic function of what the voters found (`CALIBRATION`)."""
        own = float(found.gaps[self._index[label]]) if label in self._index else 1.5
        words = len(text.split())
        spaceless = len(text.decode("utf-8", "ignore")) - sum(map(text.count, _SPACES))
        measures = (
            words <= 1,
            words == 2,
            min(found.margin, 3.0),
            label == cld2[0],
            cld2[0] == UNDETERMINED,
            cld2[1] if label == cld2[0] else 0.0,
            math.log1p(found.features),
            found.typical,
            min(own, 3.0),
            label in self._ours,
            letters / max(1, spaceless),
        )
        return 1.0 / (1.0 + math.exp(-INTERCEPT - sum(c * m for c, m in zip(CALIBRATION, measures, strict=True))))

    def _among_relatives(
        self, label: str, text: bytes, cld2: tuple[str, float], gaps: npt.NDArray[np.float32] | None
    ) -> str:
        """The language of the group of `label` for which signs, pycld2 and naive Bayes together speak most."""
        group = group_of(label)
        if group is None or (gaps is None and label not in MISTAKEN_LONG):
            return label
        behind = (
            {name: float(gaps[self._index[name]]) for name in group if name in self._index} if gaps is not None else {}
        )
        least = min(behind.values(), default=0.0)
        weights = {}
        for name, weight in signs(group, text[:SIGNS_BYTES]).items():
            total = float(weight) - (0.0 if name in self._ours else FOREIGN)
            total += CLD2_WEIGHTS.get(name, CLD2_WEIGHT) * cld2[1] if name == cld2[0] else 0.0
            if gaps is not None:
                total -= min(behind[name] - least if name in behind else NO_CLASS, BAYES_MAX)
            weights[name] = total
        return max(weights, key=lambda name: (weights[name], name == label))

    def rank(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> list[tuple[str, float]]:
        """Naive Bayes alone: label and score of each text."""
        compared = self._compare(starts, ends, data, scripts)
        return [(found.best, _sureness(found.margin)) if found.features else (UNDETERMINED, 0.0) for found in compared]

    def _compare(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> list["Compared"]:
        """What naive Bayes finds of each text."""
        sums, found = self._bayes.scores(starts, ends, data, scripts)
        table = np.full((len(sums), len(self._names)), -np.inf, np.float32)
        for column, name in enumerate(self._columns.tolist()):
            np.maximum(table[:, name], sums[:, column], out=table[:, name])
        features = np.maximum(found, 1)
        typical = sums.max(axis=1) / (UNITS_PER_NAT * features) if sums.shape[1] else np.zeros(len(sums))
        table[:, self._rare] -= RARE_NATS * UNITS_PER_NAT
        behind = table.max(axis=1, keepdims=True) - table
        behind /= (UNITS_PER_NAT * np.sqrt(features)[:, None]).astype(np.float32)
        first, second = np.argpartition(behind, 1, axis=1)[:, :2].T
        margins = np.take_along_axis(behind, second[:, None], axis=1)[:, 0]
        best = [self._names[column] for column in first.tolist()]
        columns = (best, margins.tolist(), found.tolist(), typical.tolist())
        return [Compared(*row) for row in zip(behind, *columns, strict=True)]

    def _settle(self, text: bytes, cld2: tuple[str, float], found: "Compared") -> str:
        """The label of both: pycld2's where naive Bayes finds it likely enough, else the likeliest."""
        label, share = cld2
        if label in (found.best, UNDETERMINED):
            return found.best
        gap = found.gaps[self._index[label]] if label in self._index else 0.0 if share >= SURE else np.inf
        overused = label in (OVERUSED if len(text) >= LONG_BYTES else OVERUSED_SHORT)
        return label if gap <= (GAP_UNSURE if share < SURE else GAP_OVERUSED if overused else GAP_SURE) else found.best


@dataclass(frozen=True)
class Compared:
    """What naive Bayes finds of a text.

    gaps      how far each language lies behind the best (float32, languages; nats over the root of the number of
              features, a measure that means the same for short and long texts)
    best      the language that has no gap
    margin    the gap of the second
    features  how many features it has; 0 where no class has its script
    typical   log-likelihood a feature of the best class, in nats above the mean of the classes
    """

    gaps: npt.NDArray[np.float32]
    best: str
    margin: float
    features: int
    typical: float


def _mixed(text: bytes, heard: list[tuple[str, float]]) -> bool:
    """Whether pycld2 finds more than one language in the samples of a document, or only part of them in one.

    Of near relatives it names only one in a text, so there the end is heard alone.
    """
    label, share = heard[0]
    if label in CLOSE and share >= SURE:
        return detect(text[text.rfind(b"\n") + 1 :])[0] != label
    return label != UNDETERMINED and share < SURE


def _doubtful(text: bytes, label: str, share: float) -> bool:
    return len(text) < LONG_BYTES or share < SURE or label in OVERUSED


def _sureness(margin: float) -> float:
    """Naive Bayes' own score: 0.5 where the second is as likely."""
    return 1.0 - 0.5 * math.exp(-2.0 * margin)


def _shares(label: str, heard: list[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """The share of each language in a text: the label's, and pycld2's for others that it found beside it."""
    others = [(name, share) for name, share in heard[1:] if share >= OTHER_SHARE and name != label]
    return ((label, 1.0 - sum(share for _, share in others)), *others)


def detect(text: bytes) -> tuple[str, float]:
    """What pycld2 says of a UTF-8 text: language and share of the text in it; `und`, 0 where it says nothing."""
    return hear(text)[0]


def hear(text: bytes) -> list[tuple[str, float]]:
    """The languages that pycld2 finds in a UTF-8 text and the share of each, its first choice first."""
    try:
        reliable, _, details = pycld2.detect(text, isPlainText=True, bestEffort=False)
    except pycld2.error:  # refuses control characters and what Unicode leaves undefined
        try:
            cleaned = _CONTROLS.sub(b" ", text).decode("utf-8", "ignore").encode()
            reliable, _, details = pycld2.detect(cleaned, isPlainText=True, bestEffort=False)
        except pycld2.error:
            return [(UNDETERMINED, 0.0)]
    trust = 1.0 if reliable else 0.8
    found = [(canonical(code), percent / 100 * trust) for _, code, percent, _ in details if code != "un"]
    return found if found and details[0][1] != "un" else [(UNDETERMINED, 0.0)]
