"""The vote: pycld2 (Compact Language Detector 2), and naive Bayes where it is silent, unsure or known to err."""

import re

import numpy as np
import numpy.typing as npt
import pycld2
import xxhash

from pipeline.language_id.bayes import UNITS_PER_NAT, Bayes, load_bayes
from pipeline.language_id.labels import UNDETERMINED, canonical
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
BAYES_WEIGHT, BAYES_MAX, NO_CLASS = 1.0, 2.0, 1.0
FOREIGN = 1.5
RARE_NATS = 15.0  # prior of naive Bayes against languages that are neither ours nor pycld2's
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
    ) -> list[tuple[str, float]]:
        """Label and score of each text; see `identifier.Classifier`."""
        view = memoryview(data)  # type: ignore[arg-type]
        texts = [bytes(view[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        answers = [detect(text) for text in texts]
        cld2 = list(answers)
        asked = np.array([row for row, text in enumerate(texts) if _doubtful(text, *answers[row])], np.int64)
        behind: dict[int, npt.NDArray[np.float32]] = {}
        if len(asked):
            table, found = self._compare(starts[asked], ends[asked], data, scripts[asked])
            for row, gaps, features in zip(asked.tolist(), table, found.tolist(), strict=True):
                if features:
                    behind[row] = gaps
                    answers[row] = self._settle(texts[row], answers[row], gaps)
        return [
            (self._among_relatives(label, texts[row], cld2[row], behind.get(row)), score)
            for row, (label, score) in enumerate(answers)
        ]

    def _among_relatives(
        self, label: str, text: bytes, cld2: tuple[str, float], gaps: npt.NDArray[np.float32] | None
    ) -> str:
        """The language of the group of `label` for which signs, pycld2 and naive Bayes together speak most."""
        group = group_of(label)
        if group is None:
            return label
        weights = {}
        least = min((float(gaps[self._index[name]]) for name in group if name in self._index), default=0.0) if gaps is not None else 0.0
        for name, weight in signs(group, text).items():
            total = float(weight) - (FOREIGN if name not in self._ours else 0.0)
            if name == cld2[0]:
                total += CLD2_WEIGHTS.get(name, CLD2_WEIGHT) * cld2[1]
            if gaps is not None:
                gap = float(gaps[self._index[name]]) - least if name in self._index else NO_CLASS
                total -= BAYES_WEIGHT * min(gap, BAYES_MAX)
            elif name == label:
                total += 1.0
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
        table, found = self._compare(starts, ends, data, scripts)
        return [
            self._best(gaps) if features else (UNDETERMINED, 0.0)
            for gaps, features in zip(table, found.tolist(), strict=True)
        ]

    def _compare(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """How far each language lies behind the best (float32, rows × languages; nats over the root of the number of
        features, a measure that means the same for short and long texts), and the features of each row."""
        sums, found = self._bayes.scores(starts, ends, data, scripts)
        table = np.full((len(sums), len(self._names)), -np.inf, np.float32)
        for column, name in enumerate(self._columns.tolist()):
            np.maximum(table[:, name], sums[:, column], out=table[:, name])
        table[:, self._rare] -= RARE_NATS * UNITS_PER_NAT
        behind = table.max(axis=1, keepdims=True) - table
        return behind / (UNITS_PER_NAT * np.sqrt(np.maximum(found, 1))[:, None]).astype(np.float32), found

    def _best(self, gaps: npt.NDArray[np.float32]) -> tuple[str, float]:
        first, second = np.argpartition(gaps, 1)[:2].tolist()
        return self._names[first], 1.0 - 0.5 * float(np.exp(-2.0 * gaps[second]))

    def _settle(self, text: bytes, cld2: tuple[str, float], gaps: npt.NDArray[np.float32]) -> tuple[str, float]:
        """The answer of both: pycld2's where naive Bayes finds it likely enough, else the likeliest."""
        label, share = cld2
        best, score = self._best(gaps)
        if label == best:
            return label, max(share, score)
        if label == UNDETERMINED:
            return best, score
        gap = gaps[self._index[label]] if label in self._index else 0.0 if share >= SURE else np.inf
        overused = label in (OVERUSED if len(text) >= LONG_BYTES else OVERUSED_SHORT)
        if gap <= (GAP_UNSURE if share < SURE else GAP_OVERUSED if overused else GAP_SURE):
            return label, share
        return best, score


def _doubtful(text: bytes, label: str, share: float) -> bool:
    return len(text) < LONG_BYTES or share < SURE or label in OVERUSED


def detect(text: bytes) -> tuple[str, float]:
    """What pycld2 says of a UTF-8 text: language and share of the text in it; `und`, 0 where it says nothing."""
    try:
        reliable, _, details = pycld2.detect(text, isPlainText=True, bestEffort=False)
    except pycld2.error:  # refuses control characters and what Unicode leaves undefined
        try:
            cleaned = _CONTROLS.sub(b" ", text).decode("utf-8", "ignore").encode()
            reliable, _, details = pycld2.detect(cleaned, isPlainText=True, bestEffort=False)
        except pycld2.error:
            return UNDETERMINED, 0.0
    _, code, percent, _ = details[0]
    if code == "un":
        return UNDETERMINED, 0.0
    return canonical(code), percent / 100 * (1.0 if reliable else 0.8)
