"""The vote: pycld2 (Compact Language Detector 2), and naive Bayes where it is silent, unsure or known to err."""

import re

import numpy as np
import numpy.typing as npt
import pycld2
import xxhash

from pipeline.language_id.bayes import UNITS_PER_NAT, Bayes, load_bayes
from pipeline.language_id.kernels import kirundi_signs
from pipeline.language_id.labels import UNDETERMINED, canonical

PERCENT_MIN = 90  # pycld2 gives a language at least this share of the text, or it is unsure
OVERUSED = frozenset({"yo", "ak", "rw", "rn", "ig", "ny", "sn", "fr"})  # labels that pycld2 gives to others' text
_CONTROLS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xef[\xbf][\xbe\xbf]|\xef\xb7[\x90-\xaf]")


class Vote:
    """pycld2 and our classifier together."""

    def __init__(self, bayes: Bayes | None = None) -> None:
        self._bayes = bayes or load_bayes()
        self._languages = [canonical(label.split("/")[0]) for label in self._bayes.labels]
        names = sorted(set(self._languages))
        self._names = names
        self._columns = np.array([names.index(language) for language in self._languages], np.int64)
        cld2 = {canonical(code) for _, code in pycld2.LANGUAGES}
        self.labels = frozenset(names) | cld2 - {UNDETERMINED}
        self.digest = xxhash.xxh3_128_hexdigest(f"{self._bayes.digest} {pycld2.__version__}".encode())

    def classify(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> list[tuple[str, float]]:
        """Label and score of each text; see `identifier.Classifier`."""
        texts = memoryview(data)  # type: ignore[arg-type]
        answers = [detect(bytes(texts[start:end])) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        unsure = np.array(
            [row for row, (label, score) in enumerate(answers) if label in OVERUSED or score < PERCENT_MIN / 100],
            np.int64,
        )
        if len(unsure):
            for row, answer in zip(
                unsure.tolist(), self.rank(starts[unsure], ends[unsure], data, scripts[unsure]), strict=True
            ):
                answers[row] = self._settle(answers[row], answer)
        for row, (label, score) in enumerate(answers):
            if label in ("rn", "rw"):
                signs = kirundi_signs(data, starts[row], ends[row])
                answers[row] = ("rn" if signs > 0 else "rw" if signs < 0 else label, score)
        return answers

    def rank(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> list[tuple[str, float]]:
        """Naive Bayes alone: label and score of each text."""
        sums, found = self._bayes.scores(starts, ends, data, scripts)
        best = np.full((len(sums), len(self._names)), np.iinfo(np.int32).min, np.int32)
        for column, name in enumerate(self._columns.tolist()):
            np.maximum(best[:, name], sums[:, column], out=best[:, name])
        first = best.argmax(axis=1)
        top = best[np.arange(len(best)), first].astype(np.float64)
        best[np.arange(len(best)), first] = np.iinfo(np.int32).min
        margin = (top - best.max(axis=1)) / UNITS_PER_NAT / np.sqrt(np.maximum(found, 1))
        return [
            (self._names[name], 1.0 - 0.5 * float(np.exp(-2.0 * gap))) if features else (UNDETERMINED, 0.0)
            for name, gap, features in zip(first.tolist(), margin.tolist(), found.tolist(), strict=True)
        ]

    def _settle(self, cld2: tuple[str, float], bayes: tuple[str, float]) -> tuple[str, float]:
        """The answer where pycld2 is silent or unsure: ours, where it says anything."""
        if bayes[0] == UNDETERMINED:
            return cld2
        if cld2[0] == bayes[0]:
            return cld2[0], max(cld2[1], bayes[1])
        return bayes


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
