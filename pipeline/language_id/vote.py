"""The vote: pycld2 (Compact Language Detector 2), and naive Bayes where it is silent, unsure or known to err."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import pycld2
import xxhash

from configs.language_codes import UNDETERMINED
from pipeline.language_id.bayes import UNITS_PER_NAT, Bayes, load_bayes
from pipeline.language_id.kernels import rank_rows, words_and_characters
from pipeline.language_id.labels import canonical
from pipeline.language_id.parts import Answer, Shares, Votes
from pipeline.language_id.signs import LANGUAGES, weigh
from pipeline.language_id.spelling import GROUPS, Signs

SURE = 0.9  # pycld2 gives a language at least this share of the text, or it is unsure
LONG_BYTES = 400  # from here pycld2 alone is right where it is sure
OVERUSED = frozenset({"ms", "gl", "co", "ia", "eo", "oc", "it", "rw"})  # pycld2 gives them to text of their relatives
OVERUSED_SHORT = OVERUSED | {"en"}  # and English to any short text in Latin letters
# Gaps of log-likelihood, in nats over the root of the number of features, up to which naive Bayes gives in to pycld2.
GAP_SURE, GAP_OVERUSED, GAP_UNSURE = 4.0, 0.75, 0.0
# Between relatives (`spelling.GROUPS`), in the weights of their signs: what pycld2's answer counts, where it counts
# otherwise (it gives rw to Kirundi too, and ms to much Indonesian), what a gap of naive Bayes counts and at most; a
# relative not of ours needs this much more. Chosen on text from packages by the recall of each language of the groups.
CLD2_WEIGHT, CLD2_WEIGHTS = 2.5, {"rw": 0.5, "ms": 1.5}
BAYES_MAX, NO_CLASS = 2.0, 1.0
FOREIGN = 1.5
RARE_NATS = 20.0  # prior of naive Bayes against languages that are neither ours nor pycld2's
MISTAKEN_LONG = frozenset({"rw", "rn", "ur", "zu", "mr", "sw", "ny", "nso", "st", "tn"})
"""What pycld2 gives to a relative's text however long it is."""
CLOSE = frozenset({"pt", "es", "gl", "ca", "oc", "id", "ms", "zu", "xh", "st", "tn", "nso", "hi", "mr", "ne"})
"""Languages that pycld2 does not tell beside each other in one text: it keeps the one that has more."""
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
_CONTROLS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xef[\xbf][\xbe\xbf]|\xef\xb7[\x90-\xaf]")


class Vote:
    """pycld2 and our classifier together."""

    def __init__(
        self, bayes: Bayes | None = None, ours: frozenset[str] = frozenset(), code_of: Callable[[str], str] = str
    ) -> None:
        """`code_of` gives the code that answers have for a language."""
        self._bayes = bayes or _own_bayes()
        languages = [canonical(label.split("/")[0]) for label in self._bayes.labels]
        codes = dict(pycld2.LANGUAGES)
        cld2 = {canonical(codes[name]) for name in pycld2.DETECTED_LANGUAGES if name in codes} - {UNDETERMINED}
        self.labels = frozenset(languages) | cld2
        self._names = sorted(self.labels | set(LANGUAGES))
        self._index = {name: column for column, name in enumerate(self._names)}
        self._code_of, self._codes = code_of, [code_of(name) for name in (*self._names, UNDETERMINED)]
        self._columns = np.array([self._index[language] for language in languages], np.int64)
        self._ours = self._among(ours)
        self._has_class = self._among(languages)
        rare = self._has_class & ~self._ours & ~self._among(cld2)
        self._set_back = np.where(rare, RARE_NATS * UNITS_PER_NAT, 0.0)
        self._overused, self._overused_short = self._among(OVERUSED), self._among(OVERUSED_SHORT)
        self._mistaken = self._among(MISTAKEN_LONG)
        self._neighbours = [
            (self._index[name], LANGUAGES.index(name), LANGUAGES.index(other))
            for name, other in UNKNOWN_NEIGHBOURS.items()
        ]
        self._groups = [_Group.of(group, self._index) for group in GROUPS]
        self._group_of = np.full(len(self._names), -1)
        for number, group in enumerate(self._groups):
            self._group_of[group.names] = number
        self._cld2_weight = np.full(len(self._names), CLD2_WEIGHT)
        for name, weight in CLD2_WEIGHTS.items():
            self._cld2_weight[self._index[name]] = weight

    @cached_property
    def digest(self) -> str:
        """Hexadecimal xxh3-128 of the model and of the version of pycld2."""
        return xxhash.xxh3_128_hexdigest(f"{self._bayes.digest} {pycld2.__version__}".encode())

    def _among(self, names: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Which of the languages are among these."""
        wanted = set(names)
        return np.array([name in wanted for name in self._names])

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
        if not len(starts):
            return []
        view = memoryview(data)  # type: ignore[arg-type]
        texts = [bytes(view[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        heard = [hear(text) for text in texts]
        places = enumerate(zip(texts, heard, surely.tolist(), strict=True))
        kept = np.array([row for row, (text, told, must) in places if not (must and _mixed(text, told))], np.int64)
        firsts = [heard[row][0] for row in kept.tolist()]
        rows = _Rows(
            starts[kept],
            ends[kept],
            data,
            letters[kept],
            np.array([self._index.get(name, -1) for name, _ in firsts], np.int64),
            np.array([share for _, share in firsts], np.float64),
        )
        found = self._compare(rows, scripts[kept])
        labels, scores = self._decide(rows, found)
        answers: list[Answer | None] = [None] * len(texts)
        code_of, codes = self._code_of, self._codes
        sureness = (1.0 - 0.5 * np.exp(-2.0 * found.margin)).tolist()
        columns = (kept.tolist(), labels.tolist(), scores.tolist(), found.features.tolist(), found.best.tolist())
        for row, label, score, features, best, sure in zip(*columns, sureness, strict=True):
            told = heard[row]
            first, share = told[0]
            votes: Votes = (("pycld2", code_of(first), share),) if first != UNDETERMINED else ()
            if features:
                votes = (*votes, ("bayes", codes[best], sure))
            code = codes[label]
            shares: Shares = ((code, 1.0),)
            if len(told) > 1 and label >= 0 and len(texts[row]) >= LONG_BYTES:
                shares = tuple([(code_of(other), part) for other, part in _shares(self._names[label], told)])
            answers[row] = Answer(code, score, shares, votes)
        return answers

    def _decide(self, rows: "_Rows", found: "Compared") -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Label (-1: undetermined) and score of each text by what all voters say."""
        compared = found.features > 0
        labels = np.where(compared, self._settle(rows, found), rows.cld2)
        close = (labels >= 0) & (self._group_of[labels] >= 0) & (compared | self._mistaken[labels])
        weights = np.zeros((len(labels), len(LANGUAGES)), np.int32)
        neighboured = np.isin(labels, [name for name, _, _ in self._neighbours])
        asked = np.flatnonzero(close | neighboured)
        weights[asked] = weigh(rows.starts[asked], rows.ends[asked], rows.data)
        for number, group in enumerate(self._groups):
            own = np.flatnonzero(close & (self._group_of[labels] == number))
            if len(own):
                labels[own] = self._among_relatives(group, own, labels, rows, found, weights)
        late = np.flatnonzero(np.isin(labels, [name for name, _, _ in self._neighbours]) & ~close & ~neighboured)
        weights[late] = weigh(rows.starts[late], rows.ends[late], rows.data)
        scores = np.where(compared, self._probability(rows, labels, found), np.minimum(rows.share, MOST))
        noise = (labels < 0) | (compared & (scores < NOISE))
        long = compared & (rows.sizes >= LONG_BYTES) & (labels == rows.cld2)
        scores = np.where(noise, np.where(compared, 1.0 - scores, 0.0), scores)
        scores = np.where(long & ~noise, scores * np.minimum(1.0, rows.share / SURE), scores)
        for name, own_column, other_column in self._neighbours:
            stands_out = weights[:, own_column] - weights[:, other_column] >= 2
            scores = np.where((labels == name) & ~noise & ~stands_out, np.minimum(scores, UNSURE_MOST), scores)
        return np.where(noise, -1, labels), scores

    def _probability(self, rows: "_Rows", labels: npt.NDArray[np.int64], found: "Compared") -> npt.NDArray[np.float64]:
        """How likely each label is right, by a logistic function of what the voters found (`CALIBRATION`).

        It means nothing for texts without features.
        """
        own = np.where(self._has_class[labels], found.gaps[np.arange(len(labels)), labels], 1.5)
        words, characters = np.zeros(len(labels), np.int64), np.zeros(len(labels), np.int64)
        asked = np.flatnonzero(found.features > 0)
        words[asked], characters[asked] = words_and_characters(rows.starts[asked], rows.ends[asked], rows.data)
        heard = labels == rows.cld2
        measures = np.stack(
            [
                words <= 1,
                words == 2,
                np.minimum(found.margin, 3.0),
                heard,
                rows.cld2 < 0,
                np.where(heard, rows.share, 0.0),
                np.log1p(found.features),
                found.typical,
                np.minimum(own, 3.0),
                self._ours[labels],
                rows.letters / np.maximum(1, characters),
            ],
            axis=1,
        ).astype(np.float64)
        summed = (measures * np.array(CALIBRATION)).sum(axis=1)  # not @: its sums depend on the number of rows
        return 1.0 / (1.0 + np.exp(-INTERCEPT - summed))

    def _among_relatives(
        self,
        group: "_Group",
        own: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        rows: "_Rows",
        found: "Compared",
        weights: npt.NDArray[np.int32],
    ) -> npt.NDArray[np.int64]:
        """Of the texts `own` the language of the group for which signs, pycld2 and naive Bayes together speak most."""
        totals = weights[own][:, group.columns] - np.where(self._ours[group.names], 0.0, FOREIGN)
        heard = group.names == rows.cld2[own, None]
        totals += np.where(heard, self._cld2_weight[group.names] * rows.share[own, None], 0.0)
        behind = np.where(self._has_class[group.names], found.gaps[own][:, group.names], np.inf)
        least = behind.min(axis=1, keepdims=True)
        behind -= np.where(np.isfinite(least), least, 0.0)
        behind = np.where(self._has_class[group.names], np.minimum(behind, BAYES_MAX), NO_CLASS)
        totals -= np.where(found.features[own, None] > 0, behind, 0.0)
        totals += 1e-6 * (group.names == labels[own, None])
        return np.asarray(group.names[totals.argmax(axis=1)])

    def rank(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> list[tuple[str, float]]:
        """Naive Bayes alone: label and score of each text."""
        sums, features = self._bayes.scores(starts, ends, data, scripts)
        _, best, margins, _ = rank_rows(sums, features, self._columns, self._set_back, UNITS_PER_NAT)
        sureness = 1.0 - 0.5 * np.exp(-2.0 * margins)
        return [
            (self._names[name], sure) if some else (UNDETERMINED, 0.0)
            for name, sure, some in zip(best.tolist(), sureness.tolist(), features.tolist(), strict=True)
        ]

    def _compare(self, rows: "_Rows", scripts: npt.NDArray[np.int64]) -> "Compared":
        """What naive Bayes finds of texts that pycld2 does not decide; no features where it does."""
        doubtful = (rows.sizes < LONG_BYTES) | (rows.share < SURE) | ((rows.cld2 >= 0) & self._overused[rows.cld2])
        asked = np.flatnonzero(doubtful)
        sums, features = self._bayes.scores(rows.starts[asked], rows.ends[asked], rows.data, scripts[asked])
        ranked = rank_rows(sums, features, self._columns, self._set_back, UNITS_PER_NAT)
        found = Compared.nothing(len(rows.sizes), len(self._names))
        found.gaps[asked], found.best[asked], found.margin[asked], found.typical[asked] = ranked
        found.features[asked] = features
        return found

    def _settle(self, rows: "_Rows", found: "Compared") -> npt.NDArray[np.int64]:
        """The label of both: pycld2's where naive Bayes finds it likely enough, else the likeliest."""
        gaps = found.gaps[np.arange(len(rows.cld2)), rows.cld2]
        sure = rows.share >= SURE
        gaps = np.where(self._has_class[rows.cld2], gaps, np.where(sure, 0.0, np.inf))
        overused = np.where(rows.sizes >= LONG_BYTES, self._overused[rows.cld2], self._overused_short[rows.cld2])
        allowed = np.where(~sure, GAP_UNSURE, np.where(overused, GAP_OVERUSED, GAP_SURE))
        return np.where((rows.cld2 >= 0) & (gaps <= allowed), rows.cld2, found.best)


@cache
def _own_bayes() -> Bayes:
    """The model that comes with OpenRoots, once a process and those forked from it."""
    return load_bayes()


@dataclass(frozen=True)
class _Rows:
    """Texts and what pycld2 says of each: index of the language (-1: nothing) and share."""

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]
    letters: npt.NDArray[np.int64]
    cld2: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each."""
        return self.ends - self.starts


@dataclass(frozen=True)
class _Group:
    """Near relatives: their indices among all languages, and the columns of their signs."""

    names: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    @classmethod
    def of(cls, group: Signs, index: Mapping[str, int]) -> "_Group":
        return cls(
            np.array([index[name] for name in group], np.int64),
            np.array([LANGUAGES.index(name) for name in group], np.int64),
        )


@dataclass(frozen=True)
class Compared:
    """What naive Bayes finds of texts, a row each.

    gaps      how far each language lies behind the best (float32, texts × languages; nats over the root of the number
              of features, a measure that means the same for short and long texts)
    best      index of the language that has no gap
    margin    the gap of the second
    typical   log-likelihood a feature of the best class, in nats above the mean of the classes
    features  how many features the text has; 0 where no class has its script, or it was not asked
    """

    gaps: npt.NDArray[np.float32]
    best: npt.NDArray[np.int64]
    margin: npt.NDArray[np.float32]
    typical: npt.NDArray[np.float32]
    features: npt.NDArray[np.int64]

    @classmethod
    def nothing(cls, rows: int, names: int) -> "Compared":
        """Of texts that were not compared."""
        return cls(
            np.full((rows, names), np.inf, np.float32),
            np.full(rows, -1),
            np.zeros(rows, np.float32),
            np.zeros(rows, np.float32),
            np.zeros(rows, np.int64),
        )


def _mixed(text: bytes, heard: list[tuple[str, float]]) -> bool:
    """Whether pycld2 finds more than one language in the samples of a document, or only part of them in one.

    Of near relatives it names only one in a text, so there the two ends are heard alone.
    """
    label, share = heard[0]
    if label in CLOSE and share >= SURE:
        return any(hear(part)[0][0] not in (label, UNDETERMINED) for part in _ends(text))
    return label != UNDETERMINED and share < SURE


def _ends(text: bytes) -> tuple[bytes, bytes]:
    """The first and the last quarter of a text in whole words."""
    first, last = text[: len(text) // 4], text[-len(text) // 4 :]
    return first[: first.rfind(b" ")], last[last.find(b" ") + 1 :]


def _shares(label: str, heard: list[tuple[str, float]]) -> Shares:
    """The share of each language in a text: the label's, and pycld2's for others that it found beside it."""
    others = [(name, share) for name, share in heard[1:] if share >= OTHER_SHARE and name != label]
    return ((label, 1.0 - sum([share for _, share in others])), *others)


def detect(text: bytes) -> tuple[str, float]:
    """What pycld2 says of a UTF-8 text: language and share of the text in it; `und`, 0 where it says nothing."""
    return hear(text)[0]


def hear(text: bytes) -> list[tuple[str, float]]:
    """The languages that pycld2 finds in a UTF-8 text and the share of each, its first choice first."""
    try:
        reliable, _, details = pycld2.detect(text, isPlainText=True)
    except pycld2.error:  # refuses control characters and what Unicode leaves undefined
        try:
            cleaned = _CONTROLS.sub(b" ", text).decode("utf-8", "ignore").encode()
            reliable, _, details = pycld2.detect(cleaned, isPlainText=True)
        except pycld2.error:
            return [(UNDETERMINED, 0.0)]
    found = []
    if details[0][1] != "un":
        trust = 1.0 if reliable else 0.8
        for _, code, percent, _ in details:
            if percent and code != "un":
                found.append((canonical(code), percent / 100 * trust))
    return found or [(UNDETERMINED, 0.0)]
