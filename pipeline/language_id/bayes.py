"""A naive Bayes classifier over hashed character n-grams and words: the model of ours that `train-lid` makes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from configs.errors import ModelError
from pipeline.language_id.kernels import fold_table, score_rows

MODEL = Path(__file__).parent / "model" / "bayes.npz"
UNITS_PER_NAT = 12.0  # of the int8 weights
LETTERS_MAX = 600  # of a text are read: more changes no answer (docs/language-identification.md)


@dataclass(frozen=True)
class Bayes:
    """Classes are sorted by script, so that a text is compared with those of its script alone.

    weights  int8, buckets × classes: log-likelihood of a feature in units of 1/UNITS_PER_NAT nat, less the mean of
             the bucket over the classes
    labels   names of the classes
    scripts  index into SCRIPTS of each class, ascending
    """

    weights: npt.NDArray[np.int8]
    labels: tuple[str, ...]
    scripts: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Hexadecimal xxh3-128 of weights, labels and scripts."""
        state = xxhash.xxh3_128(self.weights.data if self.weights.flags.c_contiguous else self.weights.tobytes())
        state.update(json.dumps([self.labels, self.scripts]).encode())
        return state.hexdigest()

    def scores(
        self,
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        scripts: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Log-likelihood of each class (int32, rows × classes, least integer where the script differs from the
        row's) and the number of features of each row (int64; 0 where no class has its script)."""
        firsts, lasts = np.searchsorted(self.scripts, scripts), np.searchsorted(self.scripts, scripts, side="right")
        return score_rows(starts, ends, data, firsts, lasts, self.weights, fold_table(), LETTERS_MAX)

    def save(self, path: Path) -> None:
        """Write as compressed NumPy arrays, without pickle; the same model gives the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, weights=self.weights, labels=np.array(self.labels), scripts=np.array(self.scripts))


def load_bayes(path: Path = MODEL) -> Bayes:
    """Read a model that `train-lid` wrote. Raises ModelError where the file is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels, scripts = arrays["labels"].tolist(), arrays["scripts"].tolist()
            return Bayes(arrays["weights"], tuple(labels), tuple(scripts))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} is not a language identification model; make one: train-lid") from error


def from_counts(counts: npt.NDArray[np.int64], labels: Sequence[str], scripts: Sequence[int], uniform: float) -> Bayes:
    """The model of feature counts (buckets × classes), quantised to int8.

    Each class is mixed with a uniform distribution (Jelinek and Mercer) of weight `uniform`, the same for all: with
    additive smoothing short texts would make the unseen likelier, and win whatever no class has seen.
    """
    seen = counts / np.maximum(counts.sum(axis=0), 1)
    likely = np.log((1 - uniform) * seen + uniform / len(counts))
    likely -= likely.mean(axis=1, keepdims=True)
    units = np.clip(np.rint(likely * UNITS_PER_NAT), -127, 127).astype(np.int8)
    return Bayes(np.ascontiguousarray(units), tuple(labels), tuple(scripts))
